//! Says in which phase a Rollout is, by the rules that every client of the API follows (compat 1.9).
//!
//! A stored phase is about the spec and the commands that the controller has seen. What it has not seen yet counts as
//! Progressing, so that nobody takes the verdict about the version before for the verdict about this one.

use serin_api::{Rollout, RolloutStatus, label};

/// A phase and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// `Healthy`, `Degraded`, `Progressing` or `Paused`.
    pub phase: &'static str,
    /// Why; empty when there is nothing to say.
    pub message: String,
    /// The status is about the spec and the commands of now, so its details may be shown.
    pub current: bool,
}

/// The phase of a Rollout.
pub fn standing(rollout: &Rollout) -> Standing {
    let Some(status) = &rollout.status else {
        return waits("no controller has looked at it yet");
    };
    if !generation_observed(rollout) {
        return waits("waiting for rollout spec update to be observed");
    }
    if resumed(status) {
        return waits("waiting for rollout to unpause");
    }
    if !workload_observed(rollout, status) {
        return waits("waiting for rollout spec update to be observed for the reference workload");
    }
    if retried(status) {
        return waits("waiting for the retry to begin");
    }
    let known = ["Healthy", "Degraded", "Progressing", "Paused"];
    let stored = status.phase.as_deref();
    match (known.into_iter().find(|phase| Some(*phase) == stored), stored) {
        (Some(phase), _) => {
            Standing { phase, message: status.message.clone().unwrap_or_default(), current: true }
        }
        (None, Some(other)) => waits(&format!("unknown phase {other}")),
        (None, None) => waits("no controller has looked at it yet"),
    }
}

fn waits(message: &str) -> Standing {
    Standing { phase: "Progressing", message: message.to_owned(), current: false }
}

/// The controller has seen the current spec. A value that is no number, or too large, counts as seen: other versions
/// of the API kept something else there.
pub fn generation_observed(rollout: &Rollout) -> bool {
    let Some(generation) = rollout.metadata.generation else { return true };
    let observed = rollout.status.as_ref().map(|status| status.observed_generation.as_str());
    observed.and_then(|text| text.parse::<i64>().ok()).is_none_or(|observed| observed >= generation)
}

/// Somebody resumed, and the controller has not acted upon it yet.
pub fn resumed(status: &RolloutStatus) -> bool {
    status.controller_pause && status.pause_conditions.as_ref().is_none_or(Vec::is_empty)
}

/// Somebody took an abort back, and the controller has not acted upon it yet.
pub fn retried(status: &RolloutStatus) -> bool {
    !status.abort && status.aborted_at.is_some()
}

/// The current template is the stable one.
pub fn fully_promoted(status: &RolloutStatus) -> bool {
    !status.current_pod_hash.is_empty() && status.stable_rs.as_deref() == Some(&status.current_pod_hash)
}

fn workload_observed(rollout: &Rollout, status: &RolloutStatus) -> bool {
    if rollout.spec.workload_ref.is_none() {
        return true;
    }
    let annotations = rollout.metadata.annotations.as_ref();
    let known = annotations.and_then(|annotations| annotations.get(label::WORKLOAD_GENERATION));
    let known = known.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    status.workload_observed_generation.parse::<i64>().ok().is_none_or(|observed| observed == known)
}

/// Icon of a phase, the one that all clients show.
pub fn icon(phase: &str) -> &'static str {
    match phase {
        "Healthy" => "✔",
        "Degraded" => "✖",
        "Progressing" => "◌",
        "Paused" => "॥",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use serde_json::json;

    #[test]
    fn what_the_controller_has_not_seen_yet_is_progressing() {
        let unseen = "waiting for rollout spec update to be observed";
        for (case, change, phase, message) in [
            ("seen", json!({}), "Healthy", ""),
            (
                "a message is kept",
                json!({"status": {"phase": "Paused", "message": "manually paused"}}),
                "Paused",
                "manually paused",
            ),
            ("newer spec", json!({"metadata": {"generation": 8}}), "Progressing", unseen),
            ("hash of an old API", json!({"status": {"observedGeneration": "7bdc4f"}}), "Healthy", ""),
            ("larger than the generation", json!({"status": {"observedGeneration": "4711"}}), "Healthy", ""),
            (
                "resumed",
                json!({"status": {"controllerPause": true, "phase": "Paused"}}),
                "Progressing",
                "waiting for rollout to unpause",
            ),
            (
                "retried",
                json!({"status": {"abortedAt": "2026-11-24T14:00:00Z", "phase": "Degraded"}}),
                "Progressing",
                "waiting for the retry to begin",
            ),
            (
                "no phase",
                json!({"status": {"phase": null}}),
                "Progressing",
                "no controller has looked at it yet",
            ),
            ("no status", json!({"status": null}), "Progressing", "no controller has looked at it yet"),
            (
                "a phase of tomorrow",
                json!({"status": {"phase": "Resting"}}),
                "Progressing",
                "unknown phase Resting",
            ),
            (
                "workload not seen",
                json!({
                    "metadata": {"annotations": {"rollout.argoproj.io/workload-generation": "4"}},
                    "spec": {"workloadRef": {"kind": "Deployment", "name": "shop"}},
                    "status": {"workloadObservedGeneration": "3"},
                }),
                "Progressing",
                "waiting for rollout spec update to be observed for the reference workload",
            ),
        ] {
            let standing = standing(&sample::rollout(change));
            assert_eq!((standing.phase, standing.message.as_str()), (phase, message), "{case}");
        }
    }
}
