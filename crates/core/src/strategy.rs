//! Says what a strategy wants: sizes of revisions and what Services select.

use crate::facts::Facts;
use crate::gate::Gates;
use crate::journal::Journal;
use crate::revision;

pub(crate) mod blue_green;
pub(crate) mod canary;

/// The wanted size of one ReplicaSet.
pub(crate) struct Size {
    pub(crate) uid: String,
    pub(crate) replicas: i32,
    pub(crate) deadline: Deadline,
}

/// What becomes of the scale-down deadline annotation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deadline {
    Keep,
    Remove,
    Set(jiff::Timestamp),
}

/// A Service and the revision that it should select.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceTarget {
    /// Name of the Service, in the namespace of the Rollout.
    pub service: String,
    /// Pod template hash to select.
    pub hash: String,
}

/// A person holds the rollout by its spec.
pub(crate) fn gate_of_spec(gates: &mut Gates) {
    gates.hold("spec.paused is true", "resume with `kubectl serin promote`");
}

/// A person has to decide about an analysis.
pub(crate) fn gate_of_inconclusive(gates: &mut Gates) {
    gates.hold(
        "a decision about an inconclusive analysis or experiment",
        "`kubectl serin promote` measures again, `abort` takes back",
    );
}

/// Tells that the current revision has become stable, and why.
pub(crate) fn tell_completion(journal: &mut Journal, facts: &Facts, reason: &str) {
    journal.note(
        "RolloutCompleted",
        format!(
            "Rollout completed update to revision {} ({}): {reason}",
            revision::number(facts),
            facts.current_hash
        ),
    );
}
