//! Decides the conditions of an Experiment, as clients know them.

use serin_api::{AnalysisPhase, ExperimentCondition, ExperimentStatus};

use super::facts::Facts;
use super::{Memory, World};
use crate::time::api_time;

const INVALID_SPEC: &str = "InvalidSpec";
const PROGRESSING: &str = "Progressing";

fn find<'s>(status: &'s ExperimentStatus, type_: &str) -> Option<&'s ExperimentCondition> {
    status.conditions.iter().find(|condition| condition.type_ == type_)
}

/// Sets a condition unless its status and reason stand already. A changed one moves to the end of the list, and keeps
/// the time of its last transition while its status is the same.
fn set(
    status: &mut ExperimentStatus,
    now: jiff::Timestamp,
    type_: &str,
    (value, reason, message): (&str, &str, String),
) {
    let known = find(status, type_).cloned();
    if known.as_ref().is_some_and(|known| known.status == value && known.reason == reason) {
        return;
    }
    put(status, now, type_, (value, reason, message), known);
}

fn put(
    status: &mut ExperimentStatus,
    now: jiff::Timestamp,
    type_: &str,
    (value, reason, message): (&str, &str, String),
    known: Option<ExperimentCondition>,
) {
    let known = known.filter(|known| known.status == value);
    status.conditions.retain(|condition| condition.type_ != type_);
    status.conditions.push(ExperimentCondition {
        type_: type_.to_owned(),
        status: value.to_owned(),
        reason: reason.to_owned(),
        message,
        last_update_time: api_time(now),
        last_transition_time: known.map_or_else(|| api_time(now), |known| known.last_transition_time),
    });
}

/// A spec that cannot work is an Error that says the field and the remedy; pods and measurements end.
pub(super) fn invalid(world: &World, memory: &mut Memory, problem: &str) {
    let name = world.experiment.metadata.name.as_deref().unwrap_or_default();
    let message = format!("The Experiment \"{name}\" is invalid: {problem}");
    if !memory.status.phase.completed() {
        memory.status.phase = AnalysisPhase::Error;
        memory.status.message.clone_from(&message);
    }
    if find(&memory.status, INVALID_SPEC).is_none_or(|known| known.message != message) {
        memory.journal.warn(INVALID_SPEC, message.clone());
        put(&mut memory.status, world.now, INVALID_SPEC, ("True", INVALID_SPEC, message), None);
    }
}

/// The spec works. An experiment that had not begun because it did not begins now.
pub(super) fn valid(memory: &mut Memory) {
    let status = &mut memory.status;
    if find(status, INVALID_SPEC).is_none() {
        return;
    }
    status.conditions.retain(|condition| condition.type_ != INVALID_SPEC);
    if status.template_statuses.is_empty() && status.phase == AnalysisPhase::Error {
        (status.phase, status.message) = (AnalysisPhase::Unset, String::new());
    }
}

/// Says whether the experiment moves, runs or has been successful.
pub(super) fn update(facts: &Facts, memory: &mut Memory) {
    let (now, name) = (facts.world.now, facts.name());
    let progressed = progressed(&facts.before, &memory.status);
    let status = &mut memory.status;
    if status.phase == AnalysisPhase::Successful {
        let message = format!("Experiment \"{name}\" has successfully ran and completed.");
        set(status, now, PROGRESSING, ("False", "ExperimentCompleted", message));
    } else if progressed {
        // Written anew each time, so that the time of the last update moves.
        let known = find(status, PROGRESSING).cloned();
        let message = format!("Experiment \"{name}\" is progressing.");
        put(status, now, PROGRESSING, ("True", "ReplicaSetUpdated", message), known);
    } else if facts.before.available_at.is_some() && facts.finishes_at().is_none_or(|end| now < end) {
        let message = format!("Experiment \"{name}\" is running.");
        set(status, now, PROGRESSING, ("True", "NewReplicaSetAvailable", message));
    }
}

fn progressed(before: &ExperimentStatus, after: &ExperimentStatus) -> bool {
    if after.template_statuses.len() > before.template_statuses.len() {
        return true;
    }
    after.template_statuses.iter().any(|new| {
        before.template(&new.name).is_some_and(|old| {
            (old.replicas, old.ready_replicas, old.available_replicas)
                != (new.replicas, new.ready_replicas, new.available_replicas)
        })
    })
}
