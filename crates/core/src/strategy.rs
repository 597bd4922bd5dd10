//! Says what a strategy wants: sizes of revisions and what Services select.

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
