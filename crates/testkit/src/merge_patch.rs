//! Merges fields into objects, as `kubectl patch --type merge` does (RFC 7386).

use serde_json::{Value, json};
use serin_api::Rollout;

/// A JSON merge patch (RFC 7386) of the spec; a change is a new generation.
pub(crate) fn merge_spec(rollout: &mut Rollout, fields: &Value) {
    let mut spec = serde_json::to_value(&rollout.spec).unwrap_or_default();
    merge(&mut spec, fields);
    let changed = serde_json::from_value(spec).unwrap_or_else(|error| panic!("{fields}: {error}"));
    if changed != rollout.spec {
        rollout.spec = changed;
        rollout.metadata.generation = rollout.metadata.generation.map(|generation| generation + 1);
    }
}

pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in fields {
        match value {
            Value::Null => drop(target.as_object_mut().and_then(|target| target.remove(key))),
            value => merge(&mut target[key], value),
        }
    }
}
