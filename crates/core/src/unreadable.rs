//! Says in its status that a Rollout cannot be read, without touching what nobody has understood.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::condition::word;
use crate::time::api_time;

/// The fields of the status of a Rollout, given as raw JSON, that say that it cannot be read and `why`: a merge patch
/// (RFC 7386) of the status. `None` when they say so already. Conditions of other types stay.
pub fn status(rollout: &Value, why: &str, now: Timestamp) -> Option<Value> {
    let name = rollout.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let message = format!("The Rollout \"{name}\" cannot be read: {why}");
    let known = rollout.pointer("/status/conditions").and_then(Value::as_array);
    let own = |condition: &&Value| condition["type"] == word::INVALID_SPEC;
    if known.into_iter().flatten().find(own).is_some_and(|condition| condition["message"] == message.as_str())
    {
        return None;
    }
    let now = serde_json::to_value(api_time(now)).unwrap_or_default();
    let mut conditions: Vec<Value> =
        known.into_iter().flatten().filter(|condition| !own(condition)).cloned().collect();
    conditions.push(json!({
        "type": word::INVALID_SPEC, "status": "True", "reason": word::INVALID_SPEC, "message": message,
        "lastUpdateTime": now, "lastTransitionTime": now,
    }));
    let generation = rollout.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
    Some(json!({
        "phase": "Degraded", "message": format!("InvalidSpec: {message}"), "conditions": conditions,
        "observedGeneration": generation.to_string(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_and_the_rest_of_the_status_stays() {
        let paused = json!({"type": "Paused", "status": "False"});
        let mut rollout = json!({
            "metadata": {"name": "shop", "generation": 7},
            "status": {"stableRS": "a", "conditions": [paused]},
        });
        let now = Timestamp::from_second(1_767_225_600).unwrap();
        let said = status(&rollout, "spec.x: not a number", now).unwrap();
        assert_eq!(said["phase"], "Degraded");
        assert_eq!(said["message"], "InvalidSpec: The Rollout \"shop\" cannot be read: spec.x: not a number");
        assert_eq!(said["observedGeneration"], "7");
        assert_eq!(said["conditions"][0], paused);
        assert_eq!(said["conditions"][1]["lastTransitionTime"], "2026-01-01T00:00:00Z");
        assert!(said.get("stableRS").is_none());

        rollout["status"]["conditions"] = said["conditions"].clone();
        assert_eq!(status(&rollout, "spec.x: not a number", now), None);
        let other = status(&rollout, "spec.y: not a number", now).unwrap();
        assert_eq!(other["conditions"].as_array().map(Vec::len), Some(2), "one condition of a type");
    }

    #[test]
    fn a_status_that_is_no_status_is_replaced_where_it_must_be() {
        let rollout = json!({"metadata": {"name": "shop"}, "status": {"conditions": "none"}});
        let said = status(&rollout, "why", Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(said["conditions"].as_array().map(Vec::len), Some(1));
    }
}
