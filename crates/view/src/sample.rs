//! Objects for tests: one healthy Rollout and its parts, changed by merge patches.
//!
//! A change that does not fit the kind panics: it is a mistake in a test.

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use serin_api::{AnalysisRun, Rollout};

use crate::change::merged;

fn built<K: DeserializeOwned>(base: Value, change: Value) -> K {
    serde_json::from_value(merged(base, &change)).expect("a sample fits its kind")
}

/// A healthy Rollout `shop` in `web`: 4 pods, revision 2 (`v1` = hash `aaa`) stable, four steps done.
pub fn rollout(change: Value) -> Rollout {
    built(healthy(), change)
}

fn healthy() -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {
            "name": "shop", "namespace": "web", "uid": "uid-shop", "generation": 7, "resourceVersion": "100",
            "creationTimestamp": "2026-11-24T10:00:00Z",
            "annotations": {"rollout.argoproj.io/revision": "2"},
        },
        "spec": {
            "replicas": 4,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"labels": {"app": "shop"}},
                "spec": {"containers": [{"name": "shop", "image": "shop:v1"}]},
            },
            "strategy": {"canary": {
                "canaryService": "shop-canary",
                "stableService": "shop-stable",
                "trafficRouting": {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "shop"}}},
                "steps": [
                    {"setWeight": 20},
                    {"pause": {"duration": "5m"}},
                    {"analysis": {"templates": [{"templateName": "errors"}]}},
                    {"setWeight": 50},
                ],
            }},
        },
        "status": {
            "observedGeneration": "7", "phase": "Healthy",
            "currentPodHash": "aaa", "stableRS": "aaa", "currentStepIndex": 4,
            "replicas": 4, "updatedReplicas": 4, "readyReplicas": 4, "availableReplicas": 4,
            "canary": {"weights": {
                "canary": {"weight": 0, "serviceName": "shop-canary", "podTemplateHash": "aaa"},
                "stable": {"weight": 100, "serviceName": "shop-stable", "podTemplateHash": "aaa"},
                "verified": true,
            }},
        },
    })
}

/// The same Rollout in the middle of an update to revision 3 (`v2` = hash `bbb`), at step index `step`.
pub fn updating(step: i32, change: Value) -> Rollout {
    let update = json!({
        "metadata": {"annotations": {"rollout.argoproj.io/revision": "3"}},
        "spec": {"template": {"spec": {"containers": [{"name": "shop", "image": "shop:v2"}]}}},
        "status": {
            "phase": "Progressing", "message": "more replicas need to be updated",
            "currentPodHash": "bbb", "currentStepIndex": step,
            "replicas": 5, "updatedReplicas": 1, "readyReplicas": 5, "availableReplicas": 5,
            "canary": {"weights": {
                "canary": {"weight": 20, "podTemplateHash": "bbb"},
                "stable": {"weight": 80},
            }},
        },
    });
    built(merged(healthy(), &update), change)
}

/// The status fields of a pause.
pub fn paused(reason: &str) -> Value {
    json!({"status": {
        "phase": "Paused", "message": reason, "controllerPause": true,
        "pauseConditions": [{"reason": reason, "startTime": "2026-11-24T14:07:00Z"}],
    }})
}

/// A ReplicaSet of `shop` whose pods are all there.
pub fn replica_set(hash: &str, revision: i32, image: &str, pods: i32, change: Value) -> ReplicaSet {
    let base = json!({
        "metadata": {
            "name": format!("shop-{hash}"), "namespace": "web", "uid": format!("uid-{hash}"), "generation": 1,
            "creationTimestamp": "2026-11-24T14:05:00Z",
            "labels": {"app": "shop", "rollouts-pod-template-hash": hash},
            "annotations": {"rollout.argoproj.io/revision": revision.to_string()},
            "ownerReferences": [owner("Rollout", "shop", "uid-shop")],
        },
        "spec": {
            "replicas": pods,
            "selector": {"matchLabels": {"app": "shop", "rollouts-pod-template-hash": hash}},
            "template": {
                "metadata": {"labels": {"app": "shop", "rollouts-pod-template-hash": hash}},
                "spec": {"containers": [{"name": "shop", "image": image}]},
            },
        },
        "status": {"replicas": pods, "readyReplicas": pods, "availableReplicas": pods, "observedGeneration": 1},
    });
    built(base, change)
}

/// A ready pod of the ReplicaSet of `hash`.
pub fn pod(hash: &str, suffix: &str, change: Value) -> Pod {
    let base = json!({
        "metadata": {
            "name": format!("shop-{hash}-{suffix}"), "namespace": "web", "uid": format!("uid-{hash}-{suffix}"),
            "creationTimestamp": "2026-11-24T14:05:10Z",
            "labels": {"app": "shop", "rollouts-pod-template-hash": hash},
            "ownerReferences": [owner("ReplicaSet", &format!("shop-{hash}"), &format!("uid-{hash}"))],
        },
        "spec": {"containers": [{"name": "shop", "image": "shop"}]},
        "status": {
            "phase": "Running",
            "containerStatuses": [{
                "name": "shop", "image": "shop", "imageID": "", "ready": true, "restartCount": 0,
                "state": {"running": {"startedAt": "2026-11-24T14:05:12Z"}},
            }],
        },
    });
    built(base, change)
}

/// The running AnalysisRun of step index 2, with one metric.
pub fn run(change: Value) -> AnalysisRun {
    let base = json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {
            "name": "shop-bbb-3-2", "namespace": "web", "uid": "uid-run",
            "creationTimestamp": "2026-11-24T14:07:00Z",
            "labels": {"rollouts-pod-template-hash": "bbb", "rollout-type": "Step", "step-index": "2"},
            "annotations": {"rollout.argoproj.io/revision": "3"},
            "ownerReferences": [owner("Rollout", "shop", "uid-shop")],
        },
        "spec": {"metrics": [{
            "name": "errors", "interval": "30s", "count": 5, "successCondition": "result[0] < 0.01",
            "provider": {"prometheus": {"address": "http://prometheus:9090", "query": "errors"}},
        }]},
        "status": {"phase": "Running", "startedAt": "2026-11-24T14:07:00Z", "metricResults": [{
            "name": "errors", "phase": "Running", "count": 2, "successful": 2,
            "measurements": [
                {"phase": "Successful", "value": "[0.002]",
                 "startedAt": "2026-11-24T14:07:00Z", "finishedAt": "2026-11-24T14:07:00Z"},
                {"phase": "Successful", "value": "[0.004]",
                 "startedAt": "2026-11-24T14:07:30Z", "finishedAt": "2026-11-24T14:07:30Z"},
            ],
        }]},
    });
    built(base, change)
}

fn owner(kind: &str, name: &str, uid: &str) -> Value {
    let api_version = if kind == "Rollout" { "argoproj.io/v1alpha1" } else { "apps/v1" };
    json!({"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": true})
}
