//! Says a change of somebody else's object as a JSON patch that fails when the object is not what it was taken for.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use serin_core::seen::ObjectKey;
use serin_core::write::{Effect, Write};

/// A JSON patch (RFC 6902) under construction: tests first, then the changes that they guard.
#[derive(Debug, Default)]
pub(crate) struct Patch {
    tests: Vec<Value>,
    changes: Vec<Value>,
}

impl Patch {
    /// The patch applies only while `path` holds `value`.
    ///
    /// # Caveats
    /// A value that [cannot be compared](comparable) is not tested: a test that never succeeds would hold for ever.
    pub(crate) fn test(&mut self, path: &str, value: &Value) {
        let test = json!({"op": "test", "path": path, "value": value});
        if comparable(value) && !self.tests.contains(&test) {
            self.tests.push(test);
        }
    }

    /// Puts `value` where `seen` is now: replaces it while it is still that, or adds it where nothing is.
    pub(crate) fn put(&mut self, path: &str, seen: Option<&Value>, value: Value) {
        let op = match seen {
            Some(seen) => {
                self.test(path, seen);
                "replace"
            }
            None => "add",
        };
        self.changes.push(json!({"op": op, "path": path, "value": value}));
    }

    /// Makes the list or map at `path`, which was `seen`, what is `wanted`; `None` takes it away.
    pub(crate) fn replace(
        &mut self,
        object: &Value,
        path: &str,
        seen: Option<&Value>,
        wanted: Option<Value>,
    ) {
        match (seen, wanted) {
            (None, Some(wanted)) => {
                // Adding it would take away one that somebody added meanwhile.
                self.test_version(object);
                self.insert(path, wanted);
            }
            (seen, Some(wanted)) => self.put(path, seen, wanted),
            (_, None) => self.unset(object, path),
        }
    }

    /// Inserts `value` before the entry at `path`, or at the end of the list for `…/-`.
    pub(crate) fn insert(&mut self, path: &str, value: Value) {
        self.changes.push(json!({"op": "add", "path": path, "value": value}));
    }

    /// Removes what is at `path`.
    pub(crate) fn remove(&mut self, path: &str) {
        self.changes.push(json!({"op": "remove", "path": path}));
    }

    /// Sets one entry of the map at `path` in `object`, and leaves the others.
    pub(crate) fn put_entry(&mut self, object: &Value, path: &str, key: &str, value: &str) {
        match object.pointer(path).and_then(Value::as_object) {
            Some(map) => match map.get(key) {
                Some(seen) if seen.as_str() == Some(value) => {}
                seen => self.put(&format!("{path}/{}", escape(key)), seen, Value::from(value)),
            },
            None => {
                // Adding the map would take away one that somebody added meanwhile, and RFC 6902 cannot test for
                // absence: the version of the whole object stands in for it.
                self.test_version(object);
                self.insert(path, Value::Object(Map::from_iter([(key.to_owned(), Value::from(value))])));
            }
        }
    }

    /// Sets several entries of the map at `path` in `object`, and leaves the others.
    pub(crate) fn put_entries(&mut self, object: &Value, path: &str, entries: &BTreeMap<String, String>) {
        if object.pointer(path).is_some_and(Value::is_object) {
            return entries.iter().for_each(|(key, value)| self.put_entry(object, path, key, value));
        }
        if !entries.is_empty() {
            self.test_version(object);
            self.insert(path, json!(entries));
        }
    }

    /// Makes `path` in `object` hold `value`, when it does not.
    pub(crate) fn set(&mut self, object: &Value, path: &str, value: Value) {
        match object.pointer(path) {
            Some(seen) if *seen == value => {}
            seen => self.put(path, seen, value),
        }
    }

    /// Removes what is at `path` in `object`, when there is something.
    pub(crate) fn unset(&mut self, object: &Value, path: &str) {
        if let Some(seen) = object.pointer(path) {
            self.test(path, seen);
            self.remove(path);
        }
    }

    /// Removes one entry of the map at `path` in `object` when it has this value.
    pub(crate) fn drop_entry(&mut self, object: &Value, path: &str, key: &str, value: &str) {
        let seen = object.pointer(path).and_then(|map| map.get(key));
        if seen.and_then(Value::as_str) == Some(value) {
            let path = format!("{path}/{}", escape(key));
            self.test(&path, &Value::from(value));
            self.remove(&path);
        }
    }

    /// The patch applies only to this version of the object.
    pub(crate) fn test_version(&mut self, object: &Value) {
        if let Some(version) = object.pointer("/metadata/resourceVersion") {
            self.test("/metadata/resourceVersion", version);
        }
    }

    /// The write of this patch, unless it changes nothing.
    pub(crate) fn into_write(self, object: &ObjectKey) -> Option<Write> {
        if self.changes.is_empty() {
            return None;
        }
        let operations = self.tests.into_iter().chain(self.changes).collect();
        Some(Write { object: object.clone(), effect: Effect::JsonPatch(operations) })
    }
}

/// Escapes one reference token of a JSON pointer (RFC 6901).
pub(crate) fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

/// The API server compares scalars byte for byte in Go's encoding, which writes `<`, `>`, `&` and control characters as
/// escapes and floats in its own way (gopkg.in/evanphx/json-patch.v4 `lazyNode.equal`, encoding/json `HTMLEscape`).
/// Values that other encoders write differently can therefore not be tested.
fn comparable(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) => true,
        Value::Number(number) => number.is_u64() || number.is_i64(),
        Value::String(text) => plain(text),
        Value::Array(items) => items.iter().all(comparable),
        Value::Object(map) => map.iter().all(|(key, value)| plain(key) && comparable(value)),
    }
}

fn plain(text: &str) -> bool {
    !text.contains(|c: char| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}') || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations(patch: Patch) -> Vec<Value> {
        let key = ObjectKey::new("", "v1", "Service", "shop", "web");
        match patch.into_write(&key).map(|write| write.effect) {
            Some(Effect::JsonPatch(operations)) => operations,
            _ => Vec::new(),
        }
    }

    #[test]
    fn an_entry_is_added_beside_the_others_and_a_missing_map_is_guarded_by_the_version() {
        for (case, object, expected) in [
            ("already there", json!({"m": {"a/b": "v"}}), json!([])),
            (
                "beside others",
                json!({"m": {"x": "y"}}),
                json!([{"op": "add", "path": "/m/a~1b", "value": "v"}]),
            ),
            (
                "another value",
                json!({"m": {"a/b": "old"}}),
                json!([
                    {"op": "test", "path": "/m/a~1b", "value": "old"},
                    {"op": "replace", "path": "/m/a~1b", "value": "v"},
                ]),
            ),
            (
                "no map",
                json!({"metadata": {"resourceVersion": "7"}}),
                json!([
                    {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
                    {"op": "add", "path": "/m", "value": {"a/b": "v"}},
                ]),
            ),
        ] {
            let mut patch = Patch::default();
            patch.put_entry(&object, "/m", "a/b", "v");
            assert_eq!(Value::from(operations(patch)), expected, "{case}");
        }
    }

    #[test]
    fn what_the_api_server_encodes_in_its_own_way_is_not_tested() {
        for (value, tested) in [
            (json!("primary"), true),
            (json!({"host": "canary", "port": {"number": 80}}), true),
            (json!("^/a<b>"), false),
            (json!([{"uri": {"regex": "a&b"}}]), false),
            (json!(20.0), false),
            (json!(null), false),
        ] {
            let mut patch = Patch::default();
            patch.test("/x", &value);
            patch.remove("/y");
            assert_eq!(operations(patch).len(), if tested { 2 } else { 1 }, "{value}");
        }
    }
}
