//! What Argo CD says of a Rollout, by the rules of its health script.

use std::sync::{Arc, Mutex};

use futures::StreamExt;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, WatchEvent, WatchParams};
use serde_json::Value;
use serin_e2e::Cluster;

/// The health that Argo CD's script for Rollouts gives, and its message: what a user sees, and what a sync waits for.
pub(super) fn health(rollout: &Value) -> (String, String) {
    let said = |health: &str, message: &str| (health.to_owned(), message.to_owned());
    let status = &rollout["status"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let generation = rollout["metadata"]["generation"].as_i64().unwrap_or_default();
    // A string; one that is no number, or is ahead of the generation, is that of an old version, and says nothing.
    let observed = status["observedGeneration"].as_str().and_then(|text| text.parse::<i64>().ok());
    if observed.is_some_and(|observed| observed < generation) {
        return said("Progressing", "Waiting for rollout spec update to be observed");
    }
    let workload = &rollout["metadata"]["annotations"]["rollout.argoproj.io/workload-generation"];
    if !rollout["spec"]["workloadRef"].is_null() && *workload != status["workloadObservedGeneration"] {
        return said(
            "Progressing",
            "Waiting for rollout spec update to be observed for the reference workload",
        );
    }
    match status["phase"].as_str() {
        Some("Paused") => said("Suspended", &text(&status["message"])),
        Some(phase) if !phase.is_empty() => said(phase, &text(&status["message"])),
        _ => without_phase(rollout),
    }
}

/// A status that has no phase yet.
fn without_phase(rollout: &Value) -> (String, String) {
    let said = |health: &str, message: &str| (health.to_owned(), message.to_owned());
    let status = &rollout["status"];
    for condition in status["conditions"].as_array().into_iter().flatten() {
        let message = condition["message"].as_str().unwrap_or_default();
        let reason = condition["reason"].as_str().unwrap_or_default();
        let ended = ["RolloutAborted", "ProgressDeadlineExceeded"].contains(&reason);
        if condition["type"] == "InvalidSpec" || (condition["type"] == "Progressing" && ended) {
            return said("Degraded", message);
        }
    }
    let paused = status["pauseConditions"].as_array().is_some_and(|pauses| !pauses.is_empty());
    if paused || rollout["spec"]["paused"] == true {
        return said("Suspended", "Rollout is paused");
    }
    said("Progressing", "Waiting for rollout to finish: status has not been reconciled.")
}

/// Every health that Argo CD would have shown since the beginning, in order: it watches, so it sees every write.
pub(super) struct Watched {
    seen: Arc<Mutex<Vec<(String, String)>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Watched {
    pub(super) fn begin(cluster: &Cluster) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (cluster, into) = (cluster.clone(), seen.clone());
        let task = tokio::spawn(async move {
            let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Rollout"));
            let api: Api<DynamicObject> =
                Api::namespaced_with(cluster.client.clone(), &cluster.namespace, &kind);
            let Ok(events) = api.watch(&WatchParams::default().timeout(280), "0").await else { return };
            let mut events = std::pin::pin!(events);
            while let Some(event) = events.next().await {
                let Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) = event else { continue };
                let health = health(&serde_json::to_value(object).unwrap_or_default());
                let mut seen = into.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if seen.last() != Some(&health) {
                    seen.push(health);
                }
            }
        });
        Self { seen, task }
    }

    /// What was shown since the last time.
    pub(super) fn take(&self) -> Vec<(String, String)> {
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let last = seen.last().cloned();
        let taken = std::mem::take(&mut *seen);
        seen.extend(last);
        taken
    }

    /// The healths since the last time, without their messages: the first is the one that stood before.
    pub(super) fn healths(&self) -> Vec<String> {
        let taken = self.take();
        println!("{taken:#?}");
        let mut healths: Vec<String> = taken.into_iter().map(|(health, _)| health).collect();
        healths.dedup();
        // The kubelet may call a pod that has just become ready unready once more.
        while healths.ends_with(&["Healthy", "Progressing", "Healthy"].map(str::to_owned)) {
            healths.truncate(healths.len() - 2);
        }
        healths
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}
