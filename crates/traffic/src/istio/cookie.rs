//! Sets the cookie of session affinity on the answers of one destination, beside the headers of the user.

use serde_json::{Map, Value, json};
use serin_core::split::Split;

use crate::affinity;
use crate::fork::{Fork, Slot};
use crate::patch::Patch;
use crate::refusal::Role;

/// What is in the way: Envoy adds one value of a name only.
pub(super) const TAKEN: &str = "headers.response.add with a set-cookie";

/// The first destination of the route that has no place for the cookie.
pub(super) fn first_taken<'f>(object: &Value, fork: &'f Fork) -> Option<&'f str> {
    let slots = [&fork.canary, &fork.stable].into_iter();
    slots.map(|slot| slot.path.as_str()).find(|path| object.pointer(path).is_some_and(taken))
}

fn cookies(entry: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let added = entry.pointer("/headers/response/add").and_then(Value::as_object);
    added.into_iter().flatten().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
}

fn is_ours(value: &Value) -> bool {
    value.as_str().is_some_and(affinity::is_ours)
}

fn taken(entry: &Value) -> bool {
    cookies(entry).any(|(_, value)| !is_ours(value))
}

/// The destination without a cookie of ours.
pub(super) fn without(entry: &Value) -> Value {
    let mut entry = entry.clone();
    let ours = cookies(&entry).find(|(_, value)| is_ours(value)).map(|(name, _)| name.clone());
    let Some(name) = ours else { return entry };
    // Maps that are empty without it were made for it.
    for (parent, child) in [
        ("/headers/response/add", name.as_str()),
        ("/headers/response", "add"),
        ("/headers", "response"),
        ("", "headers"),
    ] {
        let Some(parent) = entry.pointer_mut(parent).and_then(Value::as_object_mut) else { break };
        let empty = parent.get(child).and_then(Value::as_object).is_none_or(Map::is_empty);
        if !empty {
            break;
        }
        parent.remove(child);
    }
    entry
}

/// Makes the headers of both destinations of a route those of `want`.
pub(super) fn render(patch: &mut Patch, object: &Value, want: &Split, fork: &Fork) {
    for (slot, role) in [(&fork.canary, Role::Canary), (&fork.stable, Role::Stable)] {
        let cookie = want.affinity.as_ref().map(|affinity| affinity::set_cookie(affinity, role));
        render_one(patch, object, (fork, slot), cookie.as_deref());
    }
}

fn render_one(patch: &mut Patch, object: &Value, (fork, slot): (&Fork, &Slot), cookie: Option<&str>) {
    let Some(entry) = object.pointer(&slot.path) else { return };
    let mut wanted = without(entry).get("headers").cloned();
    if let Some(cookie) = cookie.filter(|_| !taken(entry)) {
        let headers = wanted.get_or_insert_with(|| json!({}));
        let mut inner = Some(headers);
        for field in ["response", "add"] {
            inner =
                inner.and_then(Value::as_object_mut).map(|map| map.entry(field).or_insert_with(|| json!({})));
        }
        if let Some(added) = inner.and_then(Value::as_object_mut) {
            added.insert("set-cookie".to_owned(), json!(cookie));
        }
    }
    let seen = entry.get("headers");
    if seen == wanted.as_ref() {
        return;
    }
    let path = format!("{}/headers", slot.path);
    fork.pin(patch);
    patch.replace(object, &path, seen, wanted);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_cookie_of_ours_is_taken_out_and_the_maps_that_held_nothing_else() {
        const OURS: &str = "c=canary.7d9; Path=/; Max-Age=60; HttpOnly; SameSite=Lax";
        for (headers, expected, in_the_way) in [
            (json!({"response": {"add": {"set-cookie": OURS}}}), json!(null), false),
            (
                json!({"request": {"remove": ["x"]}, "response": {"add": {"set-cookie": OURS}}}),
                json!({"request": {"remove": ["x"]}}),
                false,
            ),
            (
                json!({"response": {"add": {"set-cookie": OURS, "x": "y"}}}),
                json!({"response": {"add": {"x": "y"}}}),
                false,
            ),
            (
                json!({"response": {"add": {"Set-Cookie": "c=1"}}}),
                json!({"response": {"add": {"Set-Cookie": "c=1"}}}),
                true,
            ),
            (json!({"response": {}}), json!({"response": {}}), false),
        ] {
            let entry = json!({"destination": {"host": "web-canary"}, "headers": headers});
            assert_eq!(without(&entry).get("headers").cloned().unwrap_or_default(), expected, "{entry}");
            assert_eq!(taken(&entry), in_the_way, "{entry}");
        }
    }
}
