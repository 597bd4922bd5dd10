//! What is seen of the objects for tests, at one moment.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use serin_api::{AnalysisRun, Experiment, Rollout};
use serin_view::change::merged;
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
    Observed {
        rollout,
        replica_sets: sets,
        pods,
        runs,
        experiments: Vec::new(),
        notes: Vec::new(),
        now: now(),
    }
}

/// The running Experiment of step index 1, with a ReplicaSet for `baseline` and none for `canary` yet.
pub(crate) fn experiment(change: Value) -> Experiment {
    let object = json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Experiment",
        "metadata": {
            "name": "trial", "namespace": "web", "uid": "uid-experiment",
            "creationTimestamp": "2026-11-24T14:00:00Z",
            "labels": {"rollouts-pod-template-hash": "bbb"},
            "annotations": {"rollout.argoproj.io/revision": "3"},
            "ownerReferences": [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "shop", "uid": "uid-shop"}],
        },
        "spec": {"duration": "20m", "templates": [{"name": "baseline"}, {"name": "canary", "replicas": 2}]},
        "status": {
            "phase": "Running", "availableAt": "2026-11-24T14:01:00Z",
            "templateStatuses": [
                {"name": "baseline", "status": "Running", "replicas": 1, "availableReplicas": 1},
                {"name": "canary", "status": "Progressing", "replicas": 0, "availableReplicas": 0},
            ],
            "analysisRuns": [{"name": "errors", "analysisRun": "trial-errors", "phase": "Running"}],
        },
    });
    serde_json::from_value(merged(object, &change)).unwrap()
}

/// A part of [`experiment`]: what its metadata says of the template `baseline`.
pub(crate) fn of_experiment(name: &str) -> Value {
    json!({"metadata": {
        "name": name,
        "labels": {"rollout-type": null, "step-index": null},
        "annotations": {"experiment.argoproj.io/template-name": "baseline"},
        "ownerReferences": [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment", "name": "trial", "uid": "uid-experiment"}],
    }})
}
