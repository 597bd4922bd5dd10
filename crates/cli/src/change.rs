//! What a verb does to a Rollout: patches with a sentence about them, or the reason why not.

use serde_json::{Value, json};
use serin_api::{Rollout, validate};

use crate::merge::merged;

/// What a verb has decided from the Rollout as it stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// These changes, in this order; then say so.
    Act {
        /// The changes.
        changes: Vec<Change>,
        /// One line about what happened.
        said: String,
    },
    /// What is asked for is so already; the line says since when.
    Already(String),
    /// It cannot be done; the text says why and what can be done instead.
    Refuse(String),
}

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
}

/// Why the controller would refuse the spec after this merge patch, if it does not refuse it already. Asked before the
/// patch is sent, so that a verb never turns a running Rollout into an invalid one.
pub fn refusal(rollout: &Rollout, patch: &Value) -> Option<String> {
    refusal_of(rollout, merged(serde_json::to_value(rollout).ok()?, patch))
}

/// As [`refusal`], for a Rollout that is changed already.
pub fn refusal_of(rollout: &Rollout, changed: Value) -> Option<String> {
    let changed: Rollout = match serde_json::from_value(changed) {
        Ok(changed) => changed,
        Err(why) => return Some(why.to_string()),
    };
    let before = validate(rollout);
    let new = validate(&changed).into_iter().find(|problem| !before.contains(problem))?;
    Some(new.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::rollout;

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
