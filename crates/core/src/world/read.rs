//! Reads what `plan` looks at from objects as the API server has them.

use jiff::Timestamp;
use serde_json::Value;
use serin_api::label;

use super::{AnalysisRun, Experiment, ReplicaSet, Trial};
use crate::replica::Pods;

impl ReplicaSet {
    /// A ReplicaSet as JSON. What is missing or of another type is read as if it were absent: one odd object stops
    /// nothing.
    pub fn of(object: &Value) -> Self {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |path: &str| object.pointer(path).and_then(Value::as_i64);
        let count = |path: &str, absent: i32| {
            let count = number(path);
            count.map_or(absent, |count| i32::try_from(count).unwrap_or(i32::MAX))
        };
        let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
        let annotations = annotations.into_iter().flatten();
        Self {
            name: text("/metadata/name"),
            uid: text("/metadata/uid"),
            hash: text(&format!("/metadata/labels/{}", label::POD_TEMPLATE_HASH)),
            created: text("/metadata/creationTimestamp").parse().unwrap_or_default(),
            annotations: annotations
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect(),
            template: object.pointer("/spec/template").cloned().unwrap_or_default(),
            pods: Pods {
                spec: count("/spec/replicas", 1),
                current: count("/status/replicas", 0),
                available: count("/status/availableReplicas", 0),
            },
            ready: count("/status/readyReplicas", 0),
            min_ready_seconds: count("/spec/minReadySeconds", 0),
            failure: failure(object),
            deleting: object.pointer("/metadata/deletionTimestamp").is_some_and(|at| !at.is_null()),
            observed: number("/metadata/generation")
                .is_none_or(|generation| number("/status/observedGeneration").unwrap_or(0) >= generation),
        }
    }
}

fn failure(set: &Value) -> Option<(String, String)> {
    let conditions = set.pointer("/status/conditions")?.as_array()?;
    let is = |condition: &Value, field: &str, text: &str| {
        condition.get(field).and_then(Value::as_str) == Some(text)
    };
    let failure = conditions
        .iter()
        .find(|condition| is(condition, "type", "ReplicaFailure") && is(condition, "status", "True"))?;
    let text = |field: &str| failure.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some((text("reason"), text("message")))
}

impl From<&serin_api::AnalysisRun> for AnalysisRun {
    fn from(run: &serin_api::AnalysisRun) -> Self {
        let status = run.status.as_ref();
        Self {
            name: run.metadata.name.clone().unwrap_or_default(),
            uid: run.metadata.uid.clone().unwrap_or_default(),
            labels: run.metadata.labels.clone().unwrap_or_default(),
            created: run.metadata.creation_timestamp.as_ref().map(|time| time.0).unwrap_or_default(),
            terminating: run.spec.terminate,
            phase: status.map(|status| status.phase).unwrap_or_default(),
            message: status.map(|status| status.message.clone()).unwrap_or_default(),
            served: status.and_then(served),
            gives_up: status.and_then(gives_up),
        }
    }
}

/// Comparisons of one run see the same requests, so the one that has counted most is right.
fn served(status: &serin_api::AnalysisRunStatus) -> Option<i64> {
    let counts = status.metric_results.iter().filter_map(|result| result.evidence.as_ref());
    counts.filter_map(|evidence| evidence.get("served")?.as_i64()).max()
}

/// The first comparison that ends for want of data ends the run.
fn gives_up(status: &serin_api::AnalysisRunStatus) -> Option<Timestamp> {
    let open = status.metric_results.iter().filter(|result| !result.phase.completed());
    let moments = open.filter_map(|result| result.evidence.as_ref()?.get("givesUp")?.as_i64());
    Timestamp::from_second(moments.min()?).ok()
}

impl From<&serin_api::Experiment> for Experiment {
    fn from(read: &serin_api::Experiment) -> Self {
        let status = read.status.clone().unwrap_or_default();
        let measured = |name: &str| status.analysis(name).is_some_and(|known| known.phase.completed());
        let unmeasured = read.spec.analyses.iter().flatten().any(|analysis| !measured(&analysis.name));
        let templates = status.template_statuses.iter().map(|known| Trial {
            name: known.name.clone(),
            running: known.status.as_deref() == Some("Running"),
            service: known.service_name.clone().filter(|name| !name.is_empty()),
            hash: known.pod_template_hash.clone().filter(|hash| !hash.is_empty()),
            pods: known.replicas,
        });
        Self {
            name: read.metadata.name.clone().unwrap_or_default(),
            uid: read.metadata.uid.clone().unwrap_or_default(),
            labels: read.metadata.labels.clone().unwrap_or_default(),
            created: read.metadata.creation_timestamp.as_ref().map(|time| time.0).unwrap_or_default(),
            terminating: read.spec.terminate,
            deleting: read.metadata.deletion_timestamp.is_some(),
            phase: status.phase,
            message: status.message.clone(),
            unmeasured,
            until: status.gates.iter().flatten().filter_map(|gate| Some(gate.until.as_ref()?.0)).min(),
            templates: templates.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_replica_set_is_read_with_its_counts_and_an_odd_one_stops_nothing() {
        let set = ReplicaSet::of(&json!({
            "metadata": {
                "name": "shop-aaa", "uid": "u", "creationTimestamp": "2026-11-24T14:05:00Z",
                "labels": {"rollouts-pod-template-hash": "aaa"},
                "annotations": {"rollout.argoproj.io/revision": "2"},
            },
            "spec": {"replicas": 4, "minReadySeconds": 7, "template": {"spec": {}}},
            "status": {
                "replicas": 5, "readyReplicas": 3, "availableReplicas": 2,
                "conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "Quota", "message": "exceeded"}],
            },
        }));
        assert_eq!((set.name.as_str(), set.hash.as_str(), set.revision()), ("shop-aaa", "aaa", 2));
        assert_eq!(set.pods, Pods { spec: 4, current: 5, available: 2 });
        assert_eq!((set.ready, set.min_ready_seconds, set.deleting), (3, 7, false));
        assert_eq!(set.failure, Some(("Quota".to_owned(), "exceeded".to_owned())));
        assert_eq!(set.template, json!({"spec": {}}));

        let odd = ReplicaSet::of(&json!({"metadata": {"name": 7, "deletionTimestamp": "now"}, "spec": []}));
        assert_eq!((odd.name.as_str(), odd.pods.spec, odd.deleting, odd.failure), ("", 1, true, None));
    }
}
