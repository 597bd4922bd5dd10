//! Translates two states of a status into the merge patch between them, guarded by the version it starts from.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// A merge patch of `status` that applies only to the version it was computed from.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusPatch(Value);

impl StatusPatch {
    /// The patch from `old` to `new`, or `None` when they are the same. Fields that the types do not know, and fields
    /// that did not change, are not in it: what others write there stays.
    ///
    /// # Errors
    /// When one of them cannot be written as JSON.
    pub fn between<T: Serialize>(old: &T, new: &T, version: &str) -> Result<Option<Self>, serde_json::Error> {
        let difference = merge_patch(&serde_json::to_value(old)?, &serde_json::to_value(new)?);
        Ok(difference.map(|status| Self::of(&status, version)))
    }

    /// The patch that changes these `fields` of a status, given as JSON.
    pub fn of(fields: &Value, version: &str) -> Self {
        Self(json!({"metadata": {"resourceVersion": version}, "status": fields}))
    }

    /// The body of the request.
    pub fn body(&self) -> &Value {
        &self.0
    }
}

/// The merge patch (RFC 7386) from `old` to `new`; `None` when they are equal. Lists are replaced whole.
fn merge_patch(old: &Value, new: &Value) -> Option<Value> {
    if old == new {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return Some(complete(new));
    };
    let removed = old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let changed = new.iter().filter_map(|(key, value)| match old.get(key) {
        Some(old) => Some((key.clone(), merge_patch(old, value)?)),
        None => Some((key.clone(), complete(value))),
    });
    Some(Value::Object(removed.chain(changed).collect()))
}

/// A value that stands where nothing stood: a null inside it would mean removal, so it is left out.
fn complete(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), complete(value))).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_sent() {
        for (case, old, new, expected) in [
            ("equal", json!({"a": 1, "l": [1]}), json!({"a": 1, "l": [1]}), None),
            ("changed", json!({"a": 1, "b": 2}), json!({"a": 3, "b": 2}), Some(json!({"a": 3}))),
            ("removed", json!({"a": 1, "b": 2}), json!({"a": 1}), Some(json!({"b": null}))),
            ("added", json!({}), json!({"a": {"b": 1}}), Some(json!({"a": {"b": 1}}))),
            (
                "nested",
                json!({"c": {"x": 1, "y": 2}}),
                json!({"c": {"x": 1}}),
                Some(json!({"c": {"y": null}})),
            ),
            ("list whole", json!({"l": [1, 2]}), json!({"l": [1]}), Some(json!({"l": [1]}))),
            ("null inside", json!({}), json!({"a": {"b": null, "c": 1}}), Some(json!({"a": {"c": 1}}))),
            ("object for a scalar", json!({"a": 1}), json!({"a": {"b": 1}}), Some(json!({"a": {"b": 1}}))),
            ("emptied object", json!({"a": {"b": 1}}), json!({"a": {}}), Some(json!({"a": {"b": null}}))),
        ] {
            assert_eq!(merge_patch(&old, &new), expected, "{case}");
        }
    }

    #[test]
    fn a_status_patch_names_the_version_it_starts_from() {
        let patch =
            StatusPatch::between(&json!({"phase": "Paused"}), &json!({"phase": "Healthy"}), "7").unwrap();
        let body = json!({"metadata": {"resourceVersion": "7"}, "status": {"phase": "Healthy"}});
        assert_eq!(patch, Some(StatusPatch(body)));
        assert_eq!(StatusPatch::between(&json!({}), &json!({}), "7").unwrap(), None);
    }

    #[test]
    fn a_field_that_a_person_wrote_meanwhile_is_not_touched() {
        let before = serin_api::RolloutStatus { replicas: 1, ..Default::default() };
        let after = serin_api::RolloutStatus { replicas: 2, abort: before.abort, ..Default::default() };
        let patch = StatusPatch::between(&before, &after, "1").unwrap().unwrap();
        assert_eq!(patch.body()["status"], json!({"replicas": 2}));
    }
}
