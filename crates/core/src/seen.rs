//! Says how much is known of a fact outside this process: fresh, absent, stale or failed are different values.

use serde::{Deserialize, Serialize};

/// A fact observed elsewhere. `Unknown` answers are never read as "no", "zero" or "done".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Seen<T> {
    /// Observed, and not older than the last write of this process to the object.
    Fresh(T),
    /// The source answered that the object does not exist.
    Absent,
    /// Observed, but older than the last write of this process to the object.
    Stale(T),
    /// The source could not be asked; the text says why, for people.
    Failed(String),
}

impl<T> Seen<T> {
    /// The value when it is fresh.
    pub fn fresh(&self) -> Option<&T> {
        match self {
            Self::Fresh(value) => Some(value),
            Self::Absent | Self::Stale(_) | Self::Failed(_) => None,
        }
    }

    /// The value, fresh or stale, for showing it to people.
    pub fn last_known(&self) -> Option<&T> {
        match self {
            Self::Fresh(value) | Self::Stale(value) => Some(value),
            Self::Absent | Self::Failed(_) => None,
        }
    }
}

/// Names one object of the cluster without a client: enough for a shell to watch or fetch it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectKey {
    /// API group, empty for the core group.
    pub group: String,
    /// API version, for example `v1`.
    pub version: String,
    /// Kind in CamelCase, for example `HTTPRoute`.
    pub kind: String,
    /// Namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Object name.
    pub name: String,
}

impl ObjectKey {
    /// A key from its parts, in the order of a kubectl path.
    pub fn new(group: &str, version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {}/{}", self.kind, namespace, self.name),
        }
    }
}
