//! Decides the condition Progressing: whether an attempt moves, waits for somebody, is late or was aborted.

use jiff::Timestamp;
use serin_api::RolloutStatus;

use super::{Said, find, is_true, remove, set, word};
use crate::analysis;
use crate::dry_run;
use crate::facts::Facts;
use crate::gate::{Deadline, Late};
use crate::load_balancer;
use crate::memory::Memory;
use crate::revision;
use crate::safety;
use crate::time::after;

pub(super) fn update(
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
    let said = if let Some(refusal) = creation_refused(facts, &name) {
        let message = format!("Failed to create new replica set \"{name}\": {refusal}");
        let known = find(&memory.status, word::PROGRESSING);
        if known.is_none_or(|known| known.reason != word::CREATE_ERROR) {
            memory.journal.warn(word::CREATE_ERROR, message.clone());
        }
        Said("False", word::CREATE_ERROR, message)
    } else if memory.retrying {
        Said("Unknown", word::RETRY, "Retrying Rollout after abort".to_owned())
    } else if healthy {
        Said("True", word::NEW_AVAILABLE, format!("ReplicaSet \"{name}\" has successfully progressed."))
    } else if facts.new.is_none() {
        Said("True", "NewReplicaSetCreated", format!("Created new replica set \"{name}\""))
    } else if is_true(&memory.status, word::PAUSED) && !memory.fully_promoted() {
        // What was said of an attempt before this one, or of its first ReplicaSet, does not stay.
        Said("Unknown", word::PAUSED_REASON, "Rollout is paused".to_owned())
    } else if progressed(before, memory) || fell_ill {
        return set_moving(memory, now, &name, fell_ill);
    } else if deadline_passed(facts, memory) {
        Said("False", word::DEADLINE_EXCEEDED, format!("ReplicaSet \"{name}\" has timed out progressing."))
    } else {
        return;
    };
    set(&mut memory.status, now, word::PROGRESSING, said);
}

/// Why the API server refused the ReplicaSet of this name, while there is none.
fn creation_refused<'w>(facts: &Facts<'w>, name: &str) -> Option<&'w str> {
    let refusals = facts.world.refusals.iter().filter(|_| facts.new.is_none());
    let refusal = refusals.into_iter().find(|refusal| refusal.names(name));
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
fn set_moving(memory: &mut Memory, now: Timestamp, name: &str, fell_ill: bool) {
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
        || after.blue_green.active_selector != before.blue_green.active_selector
        || after.blue_green.preview_selector != before.blue_green.preview_selector
}

fn deadline_passed(facts: &Facts, memory: &mut Memory) -> bool {
    let known = find(&memory.status, word::PROGRESSING);
    if known.is_some_and(|known| known.reason == word::DEADLINE_EXCEEDED) {
        return true;
    }
    if let Some(until) = delayed(facts) {
        memory.wake_at(until);
        return false;
    }
    let Some(deadline) = limit(facts, memory) else {
        return false;
    };
    if facts.world.now > deadline {
        return true;
    }
    memory.wake_at(after(deadline, 1));
    false
}

/// Pods of an older revision are kept until then: nothing is late before.
fn delayed(facts: &Facts) -> Option<Timestamp> {
    let latest = facts.others.iter().filter_map(|set| set.scale_down_deadline()).max();
    latest.filter(|until| *until > facts.world.now)
}

/// When an attempt that does not move any more is late. The deadline does not run while somebody else's work is waited
/// for: pauses, analyses, bakes, AWS.
fn limit(facts: &Facts, memory: &Memory) -> Option<Timestamp> {
    let known = find(&memory.status, word::PROGRESSING)?;
    let takes_steps = !(memory.promoting_fully() || memory.stable().is_empty());
    let step = memory.step().filter(|_| takes_steps).and_then(|index| facts.steps.get(index));
    let unlimited = step
        .is_some_and(|step| step.analysis.is_some() || step.experiment.is_some() || step.plugin.is_some())
        || is_true(&memory.status, word::PAUSED)
        || matches!(known.reason.as_str(), word::ABORTED | word::PAUSED_REASON | word::NEW_AVAILABLE)
        || analysis::holding(facts, memory).is_some()
        || analysis::promotion_run_is_on(memory)
        || memory.watching
        || load_balancer::silent(facts)
        || memory.status.canary.bake.is_some();
    let seconds = i64::from(facts.rollout.progress_deadline_seconds());
    (!unlimited).then(|| after(known.last_update_time.0, seconds))
}

/// How long the attempt may stand still, for its gates. Call it when the conditions are up to date.
pub(crate) fn deadline(facts: &Facts, memory: &Memory) -> Deadline {
    let late = if safety::aborts_when_late(facts, memory) { Late::Aborted } else { Late::Told };
    let known = find(&memory.status, word::PROGRESSING);
    match known.map(|known| known.reason.as_str()) {
        Some(word::DEADLINE_EXCEEDED) => return Deadline::Passed(late),
        Some(word::CREATE_ERROR) => return Deadline::Open,
        _ => {}
    }
    // In a dry run nothing can move, and no deadline runs.
    let limit = limit(facts, memory).filter(|_| facts.new.is_some() && !dry_run::is_on(facts.rollout));
    limit.map_or(Deadline::Open, |limit| {
        Deadline::At(delayed(facts).map_or(limit, |until| until.max(limit)), late)
    })
}
