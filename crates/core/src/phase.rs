//! Decides the phase: the one word that health checks read, and why.

use serin_api::{BlueGreenStrategy, RolloutStatus};

use crate::brake;
use crate::condition::word;
use crate::facts::Facts;
use crate::service;

/// Phase and message.
pub(crate) fn phase(facts: &Facts, status: &RolloutStatus) -> (String, String) {
    degraded(status).unwrap_or_else(|| standing(facts, status))
}

fn degraded(status: &RolloutStatus) -> Option<(String, String)> {
    for condition in &status.conditions {
        if condition.type_ == word::INVALID_SPEC {
            return Some(said("Degraded", &format!("InvalidSpec: {}", condition.message)));
        }
        if matches!(condition.reason.as_str(), word::ABORTED | word::DEADLINE_EXCEEDED) {
            return Some(said("Degraded", &format!("{}: {}", condition.reason, condition.message)));
        }
    }
    None
}

/// Phase and message of a rollout as if it were not late: what a late one still waits for.
pub(crate) fn standing(facts: &Facts, status: &RolloutStatus) -> (String, String) {
    if facts.rollout.spec.paused {
        return said("Paused", "manually paused");
    }
    let underway = status.stable_rs.as_deref() != Some(status.current_pod_hash.as_str());
    if let Some(brake) = status.brake.as_ref().filter(|_| underway) {
        return said("Paused", &brake::sentence(brake));
    }
    if let Some(pause) = status.pause_conditions.iter().flatten().next() {
        return said("Paused", &pause.reason);
    }
    if facts.rollout.spec.restart_at.is_some() && facts.rollout.spec.restart_at != status.restarted_at {
        return said("Progressing", "rollout is restarting");
    }
    if status.updated_replicas < facts.limits.replicas {
        return said("Progressing", "more replicas need to be updated");
    }
    if status.available_replicas < status.updated_replicas {
        return said("Progressing", "updated replicas are still becoming available");
    }
    if let Some(strategy) = facts.blue_green {
        return blue_green(strategy, status);
    }
    if !facts.routed() && status.replicas > status.updated_replicas {
        return said("Progressing", "old replicas are pending termination");
    }
    let watch = status.canary.post_promotion_analysis_run_status.as_ref();
    if watch.is_some() && status.stable_rs.as_deref() != Some(status.current_pod_hash.as_str()) {
        return said("Progressing", "waiting for analysis to complete");
    }
    if status.stable_rs.as_deref() != Some(status.current_pod_hash.as_str()) {
        return said("Progressing", "waiting for all steps to complete");
    }
    let weight = status.canary.weights.as_ref().map_or(0, |weights| weights.canary.weight);
    if !service::stable_follows(facts, &status.current_pod_hash) || weight > 0 {
        return said("Progressing", "waiting for traffic to reach the stable Service");
    }
    said("Healthy", "")
}

fn said(phase: &str, message: &str) -> (String, String) {
    (phase.to_owned(), message.to_owned())
}

/// All pods are there: what is left are the switch and what is looked at after it.
fn blue_green(strategy: &BlueGreenStrategy, status: &RolloutStatus) -> (String, String) {
    let current = status.current_pod_hash.as_str();
    if status.blue_green.active_selector != current {
        return said("Progressing", "active service cutover pending");
    }
    if status.stable_rs.as_deref() == Some(current) {
        return said("Healthy", "");
    }
    let run = status.blue_green.post_promotion_analysis_run_status.as_ref();
    let measures =
        strategy.post_promotion_analysis.is_some() && !run.is_some_and(|run| run.status.completed());
    let waits = if measures { "analysis to complete" } else { "post-promotion verification to complete" };
    said("Progressing", &format!("waiting for {waits}"))
}
