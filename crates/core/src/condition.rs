//! Decides the conditions of a Rollout: the words that clients, health checks and `kubectl wait` read.

use serin_api::{RolloutCondition, RolloutStatus};

use crate::analysis;
use crate::facts::Facts;
use crate::memory::Memory;
use crate::time::{after, api_time};
use crate::{revision, service};

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

/// Says that the spec cannot work, and why; tells it once per message.
pub(crate) fn invalid(memory: &mut Memory, facts_now: jiff::Timestamp, message: &str) {
    let known = find(&memory.status, word::INVALID_SPEC).map(|known| known.message.clone());
    if known.as_deref() == Some(message) {
        return;
    }
    remove(&mut memory.status, word::INVALID_SPEC);
    let said = Said("True", word::INVALID_SPEC, message.to_owned());
    set(&mut memory.status, facts_now, word::INVALID_SPEC, said);
    memory.journal.warn(word::INVALID_SPEC, message.to_owned());
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
    status.updated_replicas == replicas
        && status.available_replicas == replicas
        && status.replicas == replicas
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
    set_paused(facts, memory, completed);
    set_healthy(memory, now, healthy);
    set_available(facts, memory);
    set_progressing(facts, memory, &before, (healthy, was_healthy && !healthy));
    copy_replica_failure(facts, memory);
}

fn set_completed(facts: &Facts, memory: &mut Memory, completed: bool) {
    let value = if completed { "True" } else { "False" };
    if !completed && find(&memory.status, word::COMPLETED).is_none_or(|known| known.status == "True") {
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

fn set_paused(facts: &Facts, memory: &mut Memory, completed: bool) {
    let now = facts.world.now;
    let paused = facts.rollout.spec.paused || !memory.pauses().is_empty();
    let was_paused = is_true(&memory.status, word::PAUSED);
    if paused == was_paused {
        return;
    }
    let value = if paused { "True" } else { "False" };
    let message = "Rollout is paused".to_owned();
    set(&mut memory.status, now, word::PAUSED, Said(value, word::PAUSED_REASON, message.clone()));
    let aborted = memory.aborted();
    if !paused && !aborted {
        memory.journal.note(word::RESUMED, "Rollout is resumed".to_owned());
    }
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
    let enough = memory.status.available_replicas >= facts.limits.replicas;
    let said = if enough {
        Said("True", "AvailableReason", "Rollout has minimum availability".to_owned())
    } else {
        Said("False", "AvailableReason", "Rollout does not have minimum availability".to_owned())
    };
    set(&mut memory.status, facts.world.now, word::AVAILABLE, said);
}

fn set_progressing(
    facts: &Facts,
    memory: &mut Memory,
    before: &RolloutStatus,
    (healthy, fell_ill): (bool, bool),
) {
    let now = facts.world.now;
    if memory.aborted() {
        return set_aborted(facts, memory);
    }
    let name = format!("{}-{}", facts.name(), facts.current_hash);
    if let Some(refusal) = creation_refused(facts, &name) {
        let message = format!("Failed to create new replica set \"{name}\": {refusal}");
        let known = find(&memory.status, word::PROGRESSING);
        if known.is_none_or(|known| known.reason != word::CREATE_ERROR) {
            memory.journal.warn(word::CREATE_ERROR, message.clone());
        }
        set(&mut memory.status, now, word::PROGRESSING, Said("False", word::CREATE_ERROR, message));
        return;
    }
    if memory.retrying {
        let said = Said("Unknown", word::RETRY, "Retrying Rollout after abort".to_owned());
        set(&mut memory.status, now, word::PROGRESSING, said);
        return;
    }
    if healthy {
        let message = format!("ReplicaSet \"{name}\" has successfully progressed.");
        set(&mut memory.status, now, word::PROGRESSING, Said("True", word::NEW_AVAILABLE, message));
        return;
    }
    if facts.new.is_none() {
        let message = format!("Created new replica set \"{name}\"");
        set(&mut memory.status, now, word::PROGRESSING, Said("True", "NewReplicaSetCreated", message));
        return;
    }
    if progressed(before, memory) || fell_ill {
        set_moving(memory, now, &name, fell_ill);
        return;
    }
    if deadline_passed(facts, memory) {
        let message = format!("ReplicaSet \"{name}\" has timed out progressing.");
        set(&mut memory.status, now, word::PROGRESSING, Said("False", word::DEADLINE_EXCEEDED, message));
    }
}

/// Why the API server refused the ReplicaSet of this name, while there is none.
fn creation_refused<'w>(facts: &Facts<'w>, name: &str) -> Option<&'w str> {
    let refusals = facts.world.refusals.iter().filter(|_| facts.new.is_none());
    let refusal = refusals
        .into_iter()
        .find(|refusal| refusal.object == name || refusal.object.ends_with(&format!("/{name}")));
    refusal.map(|refusal| refusal.message.as_str())
}

fn set_aborted(facts: &Facts, memory: &mut Memory) {
    let known = find(&memory.status, word::PROGRESSING);
    if memory.abort_message.is_none() && known.is_some_and(|known| known.reason == word::ABORTED) {
        return;
    }
    let number = revision::number(facts);
    let message = match &memory.abort_message {
        Some(cause) => format!("Rollout aborted update to revision {number}: {cause}"),
        None => format!("Rollout aborted update to revision {number}"),
    };
    remove(&mut memory.status, word::PROGRESSING);
    let said = Said("False", word::ABORTED, message.clone());
    set(&mut memory.status, facts.world.now, word::PROGRESSING, said);
    memory.journal.warn(word::ABORTED, message);
}

/// Removed first, so that the time of the last update moves: the progress deadline counts from it.
fn set_moving(memory: &mut Memory, now: jiff::Timestamp, name: &str, fell_ill: bool) {
    if is_true(&memory.status, word::PAUSED) && !memory.fully_promoted() {
        // What was said of an attempt before this one does not stay.
        let said = Said("Unknown", word::PAUSED_REASON, "Rollout is paused".to_owned());
        return set(&mut memory.status, now, word::PROGRESSING, said);
    }
    let said = if fell_ill && memory.fully_promoted() {
        Said("True", "ReplicaSetNotAvailable", "Rollout does not have minimum availability".to_owned())
    } else {
        Said("True", "ReplicaSetUpdated", format!("ReplicaSet \"{name}\" is progressing."))
    };
    let transition = find(&memory.status, word::PROGRESSING)
        .map(|known| (known.status.clone(), known.last_transition_time.clone()));
    remove(&mut memory.status, word::PROGRESSING);
    set(&mut memory.status, now, word::PROGRESSING, said);
    if let (Some((value, since)), Some(written)) = (transition, memory.status.conditions.last_mut())
        && value == written.status
    {
        written.last_transition_time = since;
    }
}

fn progressed(before: &RolloutStatus, memory: &Memory) -> bool {
    let after = &memory.status;
    let old = |status: &RolloutStatus| status.replicas.saturating_sub(status.updated_replicas);
    memory.progressed
        || after.updated_replicas != before.updated_replicas
        || old(after) < old(before)
        || after.ready_replicas > before.ready_replicas
        || after.available_replicas > before.available_replicas
        || after.stable_rs != before.stable_rs
        || after.current_step_index != before.current_step_index
        || after.current_step_hash != before.current_step_hash
}

/// The deadline does not run while somebody else's work is waited for: pauses, analyses, delayed scale-downs.
fn deadline_passed(facts: &Facts, memory: &mut Memory) -> bool {
    let Some(known) = find(&memory.status, word::PROGRESSING).cloned() else {
        return false;
    };
    if known.reason == word::DEADLINE_EXCEEDED {
        return true;
    }
    let takes_steps = !(memory.promoting_fully() || memory.stable().is_empty());
    let step = memory.step().filter(|_| takes_steps).and_then(|index| facts.steps.get(index));
    let unlimited = step.is_some_and(|step| step.analysis.is_some())
        || is_true(&memory.status, word::PAUSED)
        || matches!(known.reason.as_str(), word::ABORTED | word::PAUSED_REASON | word::NEW_AVAILABLE)
        || analysis::holding(facts, memory).is_some();
    let delayed = facts.others.iter().filter_map(|set| set.scale_down_deadline()).max();
    if let Some(until) = delayed.filter(|until| *until > facts.world.now) {
        memory.wake_at(until);
        return false;
    }
    if unlimited {
        return false;
    }
    let deadline = after(known.last_update_time.0, i64::from(facts.rollout.progress_deadline_seconds()));
    if facts.world.now > deadline {
        return true;
    }
    memory.wake_at(after(deadline, 1));
    false
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

/// Phase and message: the one word that health checks read, and why.
pub(crate) fn phase(facts: &Facts, status: &RolloutStatus) -> (String, String) {
    let said = |phase: &str, message: &str| (phase.to_owned(), message.to_owned());
    for condition in &status.conditions {
        if condition.type_ == word::INVALID_SPEC {
            return said("Degraded", &format!("InvalidSpec: {}", condition.message));
        }
        if matches!(condition.reason.as_str(), word::ABORTED | word::DEADLINE_EXCEEDED) {
            return said("Degraded", &format!("{}: {}", condition.reason, condition.message));
        }
    }
    if facts.rollout.spec.paused {
        return said("Paused", "manually paused");
    }
    if let Some(pause) = status.pause_conditions.iter().flatten().next() {
        return said("Paused", &pause.reason);
    }
    if status.updated_replicas < facts.limits.replicas {
        return said("Progressing", "more replicas need to be updated");
    }
    if status.available_replicas < status.updated_replicas {
        return said("Progressing", "updated replicas are still becoming available");
    }
    if !facts.routed() && status.replicas > status.updated_replicas {
        return said("Progressing", "old replicas are pending termination");
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
