//! Patches that verbs send to a Rollout, and whether its controller would refuse the result.

use serde_json::{Map, Value, json};
use serin_api::{Rollout, validate};

/// One patch.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What is patched.
    pub target: Target,
    /// With what.
    pub body: Body,
}

/// The part of the Rollout that a patch is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The Rollout itself.
    Object,
    /// Its status subresource.
    Status,
}

/// The two patch formats in use.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// RFC 7396.
    Merge(Value),
    /// RFC 6902; begins with a `test` of what was read.
    Json(Value),
}

impl Change {
    /// Merges into the spec.
    pub fn spec(fields: Value) -> Self {
        Self { target: Target::Object, body: Body::Merge(json!({"spec": fields})) }
    }

    /// Merges into the status.
    pub fn status(fields: Value) -> Self {
        Self { target: Target::Status, body: Body::Merge(json!({"status": fields})) }
    }

    /// Merges into the status of the Rollout as it was read, and of no later one: the API server refuses the patch when
    /// the Rollout has changed since. Without it a promotion could end a pause that nobody has looked at.
    pub fn status_as_read(rollout: &Rollout, fields: Value) -> Self {
        let read = json!({"resourceVersion": rollout.metadata.resource_version});
        Self { target: Target::Status, body: Body::Merge(json!({"metadata": read, "status": fields})) }
    }

    /// Operations on the Rollout itself.
    pub fn operations(operations: Vec<Value>) -> Self {
        Self { target: Target::Object, body: Body::Json(Value::Array(operations)) }
    }
}

/// Why the controller would refuse the spec after this merge patch, if it does not refuse it already. Asked before the
/// patch is sent, so that a verb never turns a running Rollout into an invalid one.
pub fn refusal(rollout: &Rollout, patch: &Value) -> Option<String> {
    let changed = merged(serde_json::to_value(rollout).ok()?, patch);
    match serde_json::from_value(changed) {
        Ok(changed) => refusal_of(rollout, &changed),
        Err(why) => Some(why.to_string()),
    }
}

/// As [`refusal`], for a Rollout that is changed already.
pub fn refusal_of(rollout: &Rollout, changed: &Rollout) -> Option<String> {
    let before = validate(rollout);
    let new = validate(changed).into_iter().find(|problem| !before.contains(problem))?;
    Some(new.to_string())
}

/// `target` with a JSON merge patch applied (RFC 7396): objects are merged, `null` removes, everything else replaces.
pub fn merged(target: Value, patch: &Value) -> Value {
    let Value::Object(fields) = patch else {
        return patch.clone();
    };
    let mut object = match target {
        Value::Object(object) => object,
        _ => Map::new(),
    };
    for (name, change) in fields {
        let before = object.remove(name).unwrap_or_default();
        if !change.is_null() {
            object.insert(name.clone(), merged(before, change));
        }
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::rollout;

    #[test]
    fn objects_merge_null_removes_and_lists_are_replaced() {
        let target = json!({"a": {"b": 1, "c": 2}, "list": [1, 2], "gone": true});
        let patch = json!({"a": {"b": 3}, "list": [4], "gone": null, "new": {"x": {"y": null}}});
        assert_eq!(merged(target, &patch), json!({"a": {"b": 3, "c": 2}, "list": [4], "new": {"x": {}}}));
    }

    #[test]
    fn a_patch_that_makes_the_spec_invalid_is_refused_by_the_name_of_the_field() {
        let negative = refusal(&rollout(json!({})), &json!({"spec": {"replicas": -1}})).unwrap();
        assert!(negative.starts_with("spec.replicas: Invalid value: -1"), "{negative}");
        let undecodable = refusal(&rollout(json!({})), &json!({"spec": {"replicas": "two"}})).unwrap();
        assert!(undecodable.contains("expected i32"), "{undecodable}");
        assert_eq!(refusal(&rollout(json!({})), &json!({"spec": {"paused": true}})), None);
        let invalid = rollout(json!({"spec": {"minReadySeconds": -1}}));
        assert_eq!(
            refusal(&invalid, &json!({"spec": {"paused": true}})),
            None,
            "what was wrong before does not count"
        );
    }
}
