//! Says how a pod is in one word, as `kubectl get pods` does, and why it is not ready.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};

/// A pod in one word: its phase, or what is wrong with one of its containers.
pub fn word(pod: &Pod) -> String {
    if pod.metadata.deletion_timestamp.is_some() {
        return "Terminating".to_owned();
    }
    let status = pod.status.clone().unwrap_or_default();
    let init = status.init_container_statuses.unwrap_or_default();
    if let Some(word) =
        init.iter().enumerate().find_map(|(index, container)| init_word(container, index, init.len()))
    {
        return word;
    }
    let bad = status.container_statuses.iter().flatten().find_map(container_word);
    match bad.or(status.reason).or(status.phase).as_deref() {
        Some("Succeeded") => "Completed".to_owned(),
        Some(word) => word.to_owned(),
        None => "Unknown".to_owned(),
    }
}

fn container_word(container: &ContainerStatus) -> Option<String> {
    let state = container.state.as_ref()?;
    if let Some(waiting) = &state.waiting {
        return waiting.reason.clone();
    }
    state.terminated.as_ref().map(|terminated| match (&terminated.reason, terminated.signal) {
        (Some(reason), _) if !reason.is_empty() => reason.clone(),
        (_, Some(signal)) if signal != 0 => format!("Signal:{signal}"),
        _ => format!("ExitCode:{}", terminated.exit_code),
    })
}

/// `None` when this init container has ended well, or is a sidecar that has started.
fn init_word(container: &ContainerStatus, index: usize, of: usize) -> Option<String> {
    let state = container.state.clone().unwrap_or_default();
    let ended_well = state.terminated.as_ref().is_some_and(|terminated| terminated.exit_code == 0);
    if ended_well || (state.running.is_some() && container.started == Some(true)) {
        return None;
    }
    let reason = container_word(container).filter(|reason| reason != "PodInitializing");
    Some(reason.map_or_else(|| format!("Init:{index}/{of}"), |reason| format!("Init:{reason}")))
}

/// Icon of a pod: fine, on its way, or in trouble.
pub fn icon(pod: &Pod) -> &'static str {
    let word = word(pod);
    let (ready, all) = readiness(pod);
    match word.as_str() {
        "Completed" => "✔",
        "Running" if ready >= all => "✔",
        "Running" | "Pending" | "ContainerCreating" | "PodInitializing" | "Terminating" => "◌",
        init if init.starts_with("Init:") && init.contains('/') => "◌",
        _ => "✖",
    }
}

/// Ready containers, and containers in all.
pub fn readiness(pod: &Pod) -> (usize, usize) {
    let all = pod.spec.as_ref().map_or(0, |spec| spec.containers.len());
    (containers(pod).filter(|container| container.ready).count(), all)
}

/// Restarts of all its containers.
pub fn restarts(pod: &Pod) -> i32 {
    containers(pod).map(|container| container.restart_count).sum()
}

/// It runs, and every container is ready.
pub fn ready(pod: &Pod) -> bool {
    let (ready, all) = readiness(pod);
    ready >= all && word(pod) == "Running"
}

/// Why the pod is not ready, in the words of the kubelet or the scheduler; `None` when it is, or nobody says.
pub fn trouble(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref().filter(|_| icon(pod) != "✔")?;
    let init = status.init_container_statuses.iter().flatten();
    let told = init.chain(status.container_statuses.iter().flatten()).find_map(|container| {
        let state = container.state.as_ref()?;
        waiting_message(state).or_else(|| last_exit(container))
    });
    told.or_else(|| {
        let failed = status.conditions.iter().flatten().filter(|condition| condition.status == "False");
        failed.filter_map(|condition| condition.message.clone()).find(|message| !message.is_empty())
    })
}

fn waiting_message(state: &ContainerState) -> Option<String> {
    state.waiting.as_ref()?.message.clone().filter(|message| !message.is_empty())
}

fn last_exit(container: &ContainerStatus) -> Option<String> {
    let ended = container.state.as_ref().and_then(|state| state.terminated.as_ref());
    let ended = ended.or_else(|| container.last_state.as_ref()?.terminated.as_ref())?;
    let reason = ended.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    Some(format!("container {} ended with exit code {}{reason}", container.name, ended.exit_code))
}

fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::pod;
    use serde_json::{Value, json};

    fn container(state: Value, restarts: i32) -> Value {
        json!([{"name": "shop", "image": "", "imageID": "", "ready": false, "restartCount": restarts, "state": state}])
    }

    #[test]
    fn a_pod_is_one_word_one_icon_and_the_words_of_its_node() {
        let pulling = container(
            json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}),
            0,
        );
        let killed = container(json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}), 4);
        let crashed = container(json!({"terminated": {"exitCode": 3}}), 1);
        let starting = container(json!({"running": {}}), 0);
        let initializing = container(json!({"waiting": {"reason": "PodInitializing"}}), 0);
        let unscheduled =
            json!([{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]);
        for (word_, icon_, trouble_, change) in [
            ("Running", "✔", None, json!({})),
            ("Running", "◌", None, json!({"status": {"containerStatuses": starting}})),
            (
                "ImagePullBackOff",
                "✖",
                Some("Back-off pulling image"),
                json!({"status": {"phase": "Pending", "containerStatuses": pulling}}),
            ),
            (
                "OOMKilled",
                "✖",
                Some("container shop ended with exit code 137 (OOMKilled)"),
                json!({"status": {"containerStatuses": killed}}),
            ),
            (
                "ExitCode:3",
                "✖",
                Some("container shop ended with exit code 3"),
                json!({"status": {"containerStatuses": crashed}}),
            ),
            (
                "Pending",
                "◌",
                Some("0/3 nodes are available"),
                json!({"status": {"phase": "Pending", "containerStatuses": null, "conditions": unscheduled}}),
            ),
            (
                "Evicted",
                "✖",
                None,
                json!({"status": {"phase": "Failed", "reason": "Evicted", "containerStatuses": null}}),
            ),
            (
                "Init:0/1",
                "◌",
                None,
                json!({"status": {"initContainerStatuses": starting, "containerStatuses": initializing}}),
            ),
            ("Terminating", "◌", None, json!({"metadata": {"deletionTimestamp": "2026-11-24T14:09:00Z"}})),
        ] {
            let pod = pod("bbb", "1", change);
            assert_eq!((word(&pod).as_str(), icon(&pod), trouble(&pod).as_deref()), (word_, icon_, trouble_));
        }
        let crashing = pod("bbb", "1", json!({"status": {"containerStatuses": crashed}}));
        assert_eq!((readiness(&crashing), restarts(&crashing)), ((0, 1), 1));
    }
}
