//! Says in which phase a Rollout is, by the rules that every client of the API follows.
//!
//! The stored phase is about the spec and the commands that the controller has seen; what it has not seen yet counts
//! as Progressing, so that a pipeline never takes the verdict about the version before for the verdict about its own.

use serde::Serialize;
use serin_api::{Rollout, RolloutStatus, label};

/// The four words of health checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Phase {
    /// Every pod runs the current template, and it is stable.
    Healthy,
    /// It went wrong and does not mend by itself.
    Degraded,
    /// It moves.
    Progressing,
    /// It waits at a pause.
    Paused,
}

impl Phase {
    /// The word itself, as the API has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Degraded => "Degraded",
            Self::Progressing => "Progressing",
            Self::Paused => "Paused",
        }
    }

    /// The icon that all clients show.
    pub fn icon(self) -> &'static str {
        match self {
            Self::Healthy => "✔",
            Self::Degraded => "✖",
            Self::Progressing => "◌",
            Self::Paused => "॥",
        }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// A phase and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The phase.
    pub phase: Phase,
    /// Why; empty when there is nothing to say.
    pub message: String,
    /// The status is about the spec and the commands of now, so its details may be shown.
    #[serde(skip)]
    pub current: bool,
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.message.as_str() {
            "" => write!(f, "{}", self.phase),
            message => write!(f, "{} - {message}", self.phase),
        }
    }
}

/// The phase of a Rollout as a client must read it (compat 1.9, `GetRolloutPhase`; the retry rule is Serin's own).
pub fn standing(rollout: &Rollout) -> Standing {
    let Some(status) = &rollout.status else {
        return waits("no controller has looked at it yet");
    };
    let dry = status.dry_run.is_some();
    if !dry && !generation_observed(rollout) {
        return waits("waiting for rollout spec update to be observed");
    }
    if !dry && resumed(status) {
        return waits("waiting for rollout to unpause");
    }
    if !dry && !workload_observed(rollout, status) {
        return waits("waiting for rollout spec update to be observed for the reference workload");
    }
    if !dry && retried(status) {
        return waits("waiting for the retry to begin");
    }
    let message = status.message.clone().unwrap_or_default();
    let phase = match status.phase.as_deref() {
        Some("Healthy") => Phase::Healthy,
        Some("Degraded") => Phase::Degraded,
        Some("Paused") => Phase::Paused,
        Some("Progressing") => Phase::Progressing,
        Some(other) => return waits(&format!("unknown phase {other}")),
        None => return waits("no controller has looked at it yet"),
    };
    Standing { phase, message, current: true }
}

fn waits(message: &str) -> Standing {
    Standing { phase: Phase::Progressing, message: message.to_owned(), current: false }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use serde_json::json;

    #[test]
    fn what_the_controller_has_not_seen_yet_is_progressing() {
        for (case, change, expected) in [
            ("seen", json!({}), "Healthy"),
            (
                "a message is kept",
                json!({"status": {"phase": "Paused", "message": "manually paused"}}),
                "Paused - manually paused",
            ),
            (
                "newer spec",
                json!({"metadata": {"generation": 8}}),
                "Progressing - waiting for rollout spec update to be observed",
            ),
            ("hash of an old API", json!({"status": {"observedGeneration": "7bdc4f"}}), "Healthy"),
            ("larger than the generation", json!({"status": {"observedGeneration": "4711"}}), "Healthy"),
            (
                "resumed",
                json!({"status": {"controllerPause": true, "phase": "Paused"}}),
                "Progressing - waiting for rollout to unpause",
            ),
            (
                "retried",
                json!({"status": {"abortedAt": "2026-11-24T14:00:00Z", "phase": "Degraded"}}),
                "Progressing - waiting for the retry to begin",
            ),
            (
                "no phase",
                json!({"status": {"phase": null}}),
                "Progressing - no controller has looked at it yet",
            ),
            ("no status", json!({"status": null}), "Progressing - no controller has looked at it yet"),
            (
                "a phase of tomorrow",
                json!({"status": {"phase": "Resting"}}),
                "Progressing - unknown phase Resting",
            ),
            (
                "workload not seen",
                json!({
                    "metadata": {"annotations": {"rollout.argoproj.io/workload-generation": "4"}},
                    "spec": {"workloadRef": {"kind": "Deployment", "name": "shop"}},
                    "status": {"workloadObservedGeneration": "3"},
                }),
                "Progressing - waiting for rollout spec update to be observed for the reference workload",
            ),
        ] {
            assert_eq!(standing(&sample::rollout(change)).to_string(), expected, "{case}");
        }
    }
}
