//! Decides the conditions of a Rollout: the words that clients, health checks and `kubectl wait` read.

use serin_api::{RolloutCondition, RolloutStatus};

use crate::brake;
use crate::facts::Facts;
use crate::memory::Memory;
use crate::revision;
use crate::time::api_time;

mod progress;

pub(crate) use progress::deadline;

/// Condition types, statuses and reasons as clients know them.
pub(crate) mod word {
    pub(crate) const INVALID_SPEC: &str = "InvalidSpec";
    pub(crate) const AVAILABLE: &str = "Available";
    pub(crate) const PROGRESSING: &str = "Progressing";
    pub(crate) const PAUSED: &str = "Paused";
    pub(crate) const COMPLETED: &str = "Completed";
    pub(crate) const HEALTHY: &str = "Healthy";
    pub(crate) const REPLICA_FAILURE: &str = "ReplicaFailure";
    pub(crate) const ABORTED: &str = "RolloutAborted";
    pub(crate) const DEADLINE_EXCEEDED: &str = "ProgressDeadlineExceeded";
    pub(crate) const PAUSED_REASON: &str = "RolloutPaused";
    pub(crate) const RESUMED: &str = "RolloutResumed";
    pub(crate) const RETRY: &str = "RolloutRetry";
    pub(crate) const NEW_AVAILABLE: &str = "NewReplicaSetAvailable";
    pub(crate) const CREATE_ERROR: &str = "ReplicaSetCreateError";
}

/// The condition of one type.
pub(crate) fn find<'s>(status: &'s RolloutStatus, type_: &str) -> Option<&'s RolloutCondition> {
    status.conditions.iter().find(|condition| condition.type_ == type_)
}

fn is_true(status: &RolloutStatus, type_: &str) -> bool {
    find(status, type_).is_some_and(|condition| condition.status == "True")
}

fn remove(status: &mut RolloutStatus, type_: &str) {
    status.conditions.retain(|condition| condition.type_ != type_);
}

/// Status, reason and message of a condition to be set.
struct Said<'t>(&'t str, &'t str, String);

/// Sets a condition unless its status and reason stand already. A changed one moves to the end of the list, and keeps
/// the time of its last transition while its status is the same.
fn set(status: &mut RolloutStatus, now: jiff::Timestamp, type_: &str, Said(value, reason, message): Said) {
    let known = find(status, type_).cloned();
    if known.as_ref().is_some_and(|known| known.status == value && known.reason == reason) {
        return;
    }
    let transition = known
        .filter(|known| known.status == value)
        .map_or_else(|| api_time(now), |known| known.last_transition_time);
    remove(status, type_);
    status.conditions.push(RolloutCondition {
        type_: type_.to_owned(),
        status: value.to_owned(),
        reason: reason.to_owned(),
        message,
        last_update_time: api_time(now),
        last_transition_time: transition,
    });
}

/// Says that the spec cannot work, and why; tells it once per message, with the remedy.
pub(crate) fn invalid(memory: &mut Memory, now: jiff::Timestamp, message: &str, told: &str) {
    let known = find(&memory.status, word::INVALID_SPEC).map(|known| known.message.clone());
    if known.as_deref() == Some(message) {
        return;
    }
    remove(&mut memory.status, word::INVALID_SPEC);
    let said = Said("True", word::INVALID_SPEC, message.to_owned());
    set(&mut memory.status, now, word::INVALID_SPEC, said);
    memory.journal.warn(word::INVALID_SPEC, told.to_owned());
}

/// Takes the InvalidSpec condition away once the spec works.
pub(crate) fn valid(memory: &mut Memory) {
    remove(&mut memory.status, word::INVALID_SPEC);
}

/// Every pod is of the current revision, available, and nothing is left to do.
fn healthy(facts: &Facts, memory: &Memory) -> bool {
    let status = &memory.status;
    let replicas = facts.limits.replicas;
    let steps_done = facts.steps.is_empty()
        || status.current_step_index.is_some_and(|index| usize::try_from(index) == Ok(facts.steps.len()));
    let placed = match facts.blue_green {
        None => status.replicas == replicas,
        Some(strategy) => {
            let follows = |selected: &str| selected == status.current_pod_hash;
            let previewed =
                strategy.preview_service.is_none() || follows(&status.blue_green.preview_selector);
            follows(&status.blue_green.active_selector) && previewed
        }
    };
    status.updated_replicas == replicas
        && status.available_replicas == replicas
        && placed
        && steps_done
        && memory.fully_promoted()
}

/// Brings every condition up to date with the counts and decisions in the memory.
pub(crate) fn update(facts: &Facts, memory: &mut Memory) {
    let now = facts.world.now;
    let before = facts.status();
    let completed = memory.fully_promoted();
    let was_healthy = is_true(&before, word::HEALTHY);
    let healthy = healthy(facts, memory);
    set_completed(facts, memory, completed);
    tell_resumed(memory, &before);
    set_paused(facts, memory, completed);
    set_healthy(memory, now, healthy);
    set_available(facts, memory);
    progress::update(facts, memory, &before, (healthy, was_healthy && !healthy));
    copy_replica_failure(facts, memory);
}

fn set_completed(facts: &Facts, memory: &mut Memory, completed: bool) {
    let value = if completed { "True" } else { "False" };
    // Clients know no such event of the first revision of a blue-green rollout, which is promoted at once.
    let told = facts.blue_green.is_none() || !memory.stable().is_empty();
    let before = find(&memory.status, word::COMPLETED);
    if told && !completed && before.is_none_or(|known| known.status == "True") {
        let message = format!(
            "Rollout not completed, started update to revision {} ({})",
            revision::number(facts),
            facts.current_hash
        );
        memory.journal.note("RolloutNotCompleted", message);
    }
    let said = Said(value, "RolloutCompleted", "RolloutCompleted".to_owned());
    set(&mut memory.status, facts.world.now, word::COMPLETED, said);
}

/// Tells that a pause which was stored is over: its time has passed, or something newer ended it. Clients that take the pause
/// conditions away know that themselves.
fn tell_resumed(memory: &mut Memory, before: &RolloutStatus) {
    let was_paused = before.pause_conditions.as_ref().is_some_and(|pauses| !pauses.is_empty());
    if was_paused && memory.pauses().is_empty() && !memory.aborted() {
        memory.journal.note(word::RESUMED, "Rollout is resumed".to_owned());
    }
}

fn set_paused(facts: &Facts, memory: &mut Memory, completed: bool) {
    let now = facts.world.now;
    let paused = brake::paused(facts, memory) || !memory.pauses().is_empty();
    let was_paused = is_true(&memory.status, word::PAUSED);
    if paused == was_paused {
        return;
    }
    let value = if paused { "True" } else { "False" };
    let message = "Rollout is paused".to_owned();
    set(&mut memory.status, now, word::PAUSED, Said(value, word::PAUSED_REASON, message.clone()));
    let aborted = memory.aborted();
    let says_paused =
        find(&memory.status, word::PROGRESSING).is_some_and(|known| known.reason == word::PAUSED_REASON);
    let settled = completed && facts.status().stable_rs == memory.status.stable_rs;
    if aborted || settled && (paused || !says_paused) {
        return;
    }
    let said = if paused {
        Said("Unknown", word::PAUSED_REASON, message)
    } else {
        Said("Unknown", word::RESUMED, "Rollout is resumed".to_owned())
    };
    set(&mut memory.status, now, word::PROGRESSING, said);
}

fn set_healthy(memory: &mut Memory, now: jiff::Timestamp, healthy: bool) {
    if healthy {
        let said = Said("True", "RolloutHealthy", "Rollout is healthy".to_owned());
        set(&mut memory.status, now, word::HEALTHY, said);
    } else if find(&memory.status, word::HEALTHY).is_some() {
        let said = Said("False", "RolloutHealthy", "Rollout is not healthy".to_owned());
        set(&mut memory.status, now, word::HEALTHY, said);
    }
}

fn set_available(facts: &Facts, memory: &mut Memory) {
    let active = facts.by_hash(&memory.status.blue_green.active_selector);
    let unknown = facts.blue_green.is_some() && active.is_none();
    let enough = !unknown && memory.status.available_replicas >= facts.limits.replicas;
    let said = if enough {
        Said("True", "AvailableReason", "Rollout has minimum availability".to_owned())
    } else {
        Said("False", "AvailableReason", "Rollout does not have minimum availability".to_owned())
    };
    set(&mut memory.status, facts.world.now, word::AVAILABLE, said);
}

fn copy_replica_failure(facts: &Facts, memory: &mut Memory) {
    let failure = facts.replica_sets().find_map(|set| set.failure.clone());
    match failure {
        None => remove(&mut memory.status, word::REPLICA_FAILURE),
        Some((reason, message)) => {
            set(&mut memory.status, facts.world.now, word::REPLICA_FAILURE, Said("True", &reason, message));
        }
    }
}
