//! What is seen of the objects for tests, at one moment.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use serin_api::{AnalysisRun, Rollout};
pub(crate) use serin_view::sample::{pod, replica_set, rollout, run, updating};

use crate::observed::Observed;

/// The moment at which tests look.
pub(crate) const NOW: &str = "2026-11-24T14:10:00Z";

pub(crate) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// What is seen of a Rollout at [`NOW`].
pub(crate) fn observed(
    rollout: Rollout,
    sets: Vec<ReplicaSet>,
    pods: Vec<Pod>,
    runs: Vec<AnalysisRun>,
) -> Observed {
    Observed { rollout, replica_sets: sets, pods, runs, notes: Vec::new(), now: now() }
}
