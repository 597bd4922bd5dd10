//! Says how a pod is in one word, as `kubectl get pods` does, and why it is not ready.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};

/// A pod in one word: its phase, or what is wrong with one of its containers.
pub fn word(pod: &Pod) -> String {
    let status = pod.status.clone().unwrap_or_default();
    let mut word = status.reason.or(status.phase).unwrap_or_else(|| "Unknown".to_owned());
    let init = status.init_container_statuses.unwrap_or_default();
    let waits_for_init =
        init.iter().enumerate().find_map(|(index, container)| init_word(container, index, init.len()));
    match waits_for_init {
        Some(init) => word = init,
        None => {
            for container in status.container_statuses.iter().flatten().rev() {
                word = container_word(container).unwrap_or(word);
            }
        }
    }
    match (&pod.metadata.deletion_timestamp, word.as_str()) {
        (Some(_), _) => "Terminating".to_owned(),
        (None, "Succeeded") => "Completed".to_owned(),
        (None, _) => word,
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
    if state.terminated.as_ref().is_some_and(|terminated| terminated.exit_code == 0)
        || (state.running.is_some() && container.started == Some(true))
    {
        return None;
    }
    let reason = container_word(container).filter(|reason| reason != "PodInitializing");
    Some(reason.map_or_else(|| format!("Init:{index}/{of}"), |reason| format!("Init:{reason}")))
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

/// Why the pod is not ready, in the words of the kubelet or the scheduler; `None` when nobody says.
pub fn trouble(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let init = status.init_container_statuses.iter().flatten();
    let told = init.chain(status.container_statuses.iter().flatten()).find_map(|container| {
        let state = container.state.as_ref()?;
        waiting_message(state).or_else(|| last_exit(container))
    });
    told.or_else(|| {
        let conditions = status.conditions.iter().flatten();
        let failed = conditions.filter(|condition| condition.status == "False");
        failed.filter_map(|condition| condition.message.clone()).find(|message| !message.is_empty())
    })
}

fn waiting_message(state: &ContainerState) -> Option<String> {
    state.waiting.as_ref()?.message.clone().filter(|message| !message.is_empty())
}

fn last_exit(container: &ContainerStatus) -> Option<String> {
    let ended = container.state.as_ref().and_then(|state| state.terminated.as_ref());
    let ended = ended.or_else(|| container.last_state.as_ref()?.terminated.as_ref())?;
    Some(format!("container {} ended with exit code {}", container.name, ended.exit_code))
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
    fn a_pod_is_one_word() {
        let waiting = container(
            json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}),
            0,
        );
        let killed = container(json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}), 4);
        let crashed = container(json!({"terminated": {"exitCode": 3}}), 1);
        let init = container(json!({"running": {}}), 0);
        let initializing = container(json!({"waiting": {"reason": "PodInitializing"}}), 0);
        for (expected, change) in [
            ("Running", json!({})),
            ("ImagePullBackOff", json!({"status": {"phase": "Pending", "containerStatuses": waiting}})),
            ("OOMKilled", json!({"status": {"containerStatuses": killed}})),
            ("ExitCode:3", json!({"status": {"containerStatuses": crashed}})),
            ("Pending", json!({"status": {"phase": "Pending", "containerStatuses": null}})),
            (
                "Evicted",
                json!({"status": {"phase": "Failed", "reason": "Evicted", "containerStatuses": null}}),
            ),
            (
                "Init:0/1",
                json!({"status": {"initContainerStatuses": init, "containerStatuses": initializing}}),
            ),
            ("Terminating", json!({"metadata": {"deletionTimestamp": "2026-11-24T14:09:00Z"}})),
        ] {
            assert_eq!(word(&pod("bbb", "1", change)), expected);
        }
    }

    #[test]
    fn trouble_is_told_in_the_words_of_the_node() {
        let waiting = container(
            json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}),
            0,
        );
        let crashed = container(json!({"terminated": {"exitCode": 3}}), 2);
        let unscheduled =
            json!([{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]);
        for (expected, change) in [
            (None, json!({})),
            (Some("Back-off pulling image"), json!({"status": {"containerStatuses": waiting}})),
            (
                Some("container shop ended with exit code 3"),
                json!({"status": {"containerStatuses": crashed}}),
            ),
            (
                Some("0/3 nodes are available"),
                json!({"status": {"containerStatuses": null, "conditions": unscheduled}}),
            ),
        ] {
            let pod = pod("bbb", "1", change);
            assert_eq!(trouble(&pod).as_deref(), expected);
            assert_eq!(ready(&pod), expected.is_none());
        }
        let crashing = pod("bbb", "1", json!({"status": {"containerStatuses": crashed}}));
        assert_eq!((readiness(&crashing), restarts(&crashing)), ((0, 1), 2));
    }
}
