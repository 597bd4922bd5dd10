//! Says what is to be written to the cluster, with the precondition that makes each write safe to repeat.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::seen::ObjectKey;

/// One write to one object. Any subset of a plan's writes, in any order, is safe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Write {
    /// The object written.
    pub object: ObjectKey,
    /// How.
    pub effect: Effect,
}

/// The ways in which Serin writes; there is no unguarded replace among them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// Create the object; "already exists" leads to a new plan.
    Create(Value),
    /// Server-side apply of exactly these fields, forced: only for objects that Serin owns.
    Apply(Value),
    /// JSON patch whose `test` operations are the precondition; a failed test leads to a new plan.
    JsonPatch(Vec<Value>),
    /// Delete the object with this uid; gone already is success.
    Delete {
        /// Precondition: the uid that was seen.
        uid: String,
    },
    /// Evict the pod with this uid, when the disruption budgets allow it; gone already is success.
    Evict {
        /// Precondition: the uid that was seen.
        uid: String,
        /// Precondition, when there is one: the version that was seen, because what was seen is why the pod may go.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource_version: Option<String>,
    },
}
