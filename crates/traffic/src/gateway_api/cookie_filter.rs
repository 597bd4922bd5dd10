//! Sets the cookie of session affinity on the answers of one backend, beside the filters of the user.

use serde_json::{Map, Value, json};
use serin_core::split::Split;

use super::managed_rule;
use crate::affinity;
use crate::fork::{Fork, Slot};
use crate::object;
use crate::patch::Patch;
use crate::refusal::Role;

const MODIFIER: &str = "ResponseHeaderModifier";

/// What is in the way of a second filter of this kind, which the Gateway API does not allow.
pub(super) const TAKEN: &str = "a ResponseHeaderModifier";

/// The filter that adds a `Set-Cookie` to those of the application.
fn filter(cookie: &str) -> Value {
    json!({"type": MODIFIER, "responseHeaderModifier": {"add": [{"name": "Set-Cookie", "value": cookie}]}})
}

/// It is what [`filter`] makes, of any cookie of ours.
fn is_ours(found: &Value) -> bool {
    let cookie = found.pointer("/responseHeaderModifier/add/0/value").and_then(Value::as_str);
    cookie.is_some_and(|cookie| affinity::is_ours(cookie) && *found == filter(cookie))
}

/// The user changes the headers of what this backend answers.
fn taken(entry: &Value) -> bool {
    let mut filters = object::list(entry, "/filters").iter();
    filters.any(|filter| object::text(filter, "type") == Some(MODIFIER) && !is_ours(filter))
}

/// The first backend of the rule that has no place for the cookie.
pub(super) fn first_taken<'f>(object: &Value, fork: &'f Fork) -> Option<&'f str> {
    let slots = [&fork.canary, &fork.stable].into_iter();
    slots.map(|slot| slot.path.as_str()).find(|path| object.pointer(path).is_some_and(taken))
}

/// The backend without a cookie of ours.
pub(super) fn without(entry: &Map<String, Value>) -> Map<String, Value> {
    let mut entry = entry.clone();
    if let Some(filters) = entry.get_mut("filters").and_then(Value::as_array_mut) {
        let before = filters.len();
        filters.retain(|filter| !is_ours(filter));
        if filters.is_empty() && before > 0 {
            entry.remove("filters");
        }
    }
    entry
}

/// Makes the filters of both backends of a rule those of `want`.
pub(super) fn render(patch: &mut Patch, object: &Value, want: &Split, fork: &Fork) {
    for (slot, role) in [(&fork.canary, Role::Canary), (&fork.stable, Role::Stable)] {
        let cookie = want.affinity.as_ref().map(|affinity| affinity::set_cookie(affinity, role));
        render_one(patch, object, (fork, slot), cookie.as_deref());
    }
}

fn render_one(patch: &mut Patch, object: &Value, (fork, slot): (&Fork, &Slot), cookie: Option<&str>) {
    let Some(entry) = object.pointer(&slot.path) else { return };
    let Some(fields) = entry.as_object() else { return };
    let mut filters = without(fields).get("filters").and_then(Value::as_array).cloned();
    if let Some(cookie) = cookie.filter(|_| !taken(entry)) {
        filters.get_or_insert_default().push(filter(cookie));
    }
    let (seen, wanted) = (entry.get("filters"), filters.map(Value::from));
    if seen == wanted.as_ref() {
        return;
    }
    let path = format!("{}/filters", slot.path);
    fork.pin(patch);
    if cookie.is_some() {
        managed_rule::pin_gateways(patch, object);
    }
    patch.replace(object, &path, seen, wanted);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_filter_that_is_exactly_ours_is_taken_out() {
        let ours = filter("c=canary.7d9; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
        let mut with_more = ours.clone();
        with_more["responseHeaderModifier"]["remove"] = json!(["x"]);
        let of_user = filter("c=1");
        let request = json!({"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x"]}});
        for (filters, expected, in_the_way) in [
            (json!([ours]), None, false),
            (json!([request, ours]), Some(json!([request])), false),
            (json!([with_more]), Some(json!([with_more])), true),
            (json!([of_user]), Some(json!([of_user])), true),
            (json!([]), Some(json!([])), false),
        ] {
            let entry = json!({"name": "web-canary", "filters": filters});
            assert_eq!(without(entry.as_object().unwrap()).get("filters"), expected.as_ref(), "{entry}");
            assert_eq!(taken(&entry), in_the_way, "{entry}");
        }
    }
}
