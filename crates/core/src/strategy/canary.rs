//! Decides the canary strategy: when a step is done, when the canary becomes stable, and what is wanted meanwhile.
//! A rolling update is a canary without steps.

use serin_api::CanaryStep;

use crate::analysis::{self, StepVerdict};
use crate::capacity;
use crate::facts::Facts;
use crate::gate::Gates;
use crate::journal::Journal;
use crate::memory::{CANARY_PAUSE_STEP, INCONCLUSIVE_ANALYSIS, Memory, last_index};
use crate::revision;
use crate::split::Effective;
use crate::step;
use crate::time::after;
use crate::traffic;

/// Moves the memory on by at most one step. Safety has been looked at before: an aborted attempt does not come here.
pub(crate) fn advance(facts: &Facts, memory: &mut Memory, gates: &mut Gates) {
    if let Some(reason) = promotion(facts, memory, gates) {
        return promote(facts, memory, &reason);
    }
    if memory.fully_promoted() || memory.stable().is_empty() {
        return;
    }
    if memory.promoting_fully() {
        return memory.clear_pauses();
    }
    if facts.rollout.spec.paused {
        gates.hold("spec.paused is true", "resume with `kubectl serin promote`");
        return;
    }
    let Some(current) = memory.step().and_then(|index| Some((index, facts.steps.get(index)?))) else {
        return;
    };
    match step_state(facts, memory, current, gates) {
        StepState::Done => complete(facts, memory, current),
        StepState::Waiting => {}
    }
    begin_pause(facts, memory, gates);
}

enum StepState {
    Done,
    Waiting,
}

fn step_state(
    facts: &Facts,
    memory: &mut Memory,
    (index, step): (usize, &CanaryStep),
    gates: &mut Gates,
) -> StepState {
    if memory.paused_for(INCONCLUSIVE_ANALYSIS) {
        gates.hold(
            "a decision about an inconclusive analysis",
            "`kubectl serin promote` measures again, `abort` takes back",
        );
        return StepState::Waiting;
    }
    if let Some(pause) = &step.pause {
        return pause_state(facts, memory, pause.duration_seconds(), gates);
    }
    if memory.resumed() {
        memory.status.controller_pause = false;
    }
    let done = if step.analysis.is_some() {
        analysis::step_verdict(facts, memory, index, gates) == StepVerdict::Successful
    } else {
        let capacity = capacity::at_desired(facts, memory, gates);
        let weight_moves = step.set_weight.is_some();
        capacity && (!weight_moves || traffic_in_force(facts, memory, index, gates))
    };
    if done { StepState::Done } else { StepState::Waiting }
}

fn pause_state(
    facts: &Facts,
    memory: &mut Memory,
    duration: Option<Result<i64, String>>,
    gates: &mut Gates,
) -> StepState {
    if memory.resumed() {
        memory.status.controller_pause = false;
        return StepState::Done;
    }
    let Some(pause) = memory.pauses().iter().find(|pause| pause.reason == CANARY_PAUSE_STEP).cloned() else {
        return StepState::Waiting;
    };
    let Some(Ok(seconds)) = duration else {
        gates.hold_since(
            "a person at an indefinite pause step",
            pause.start_time.0,
            "`kubectl serin promote` goes on",
        );
        return StepState::Waiting;
    };
    let until = after(pause.start_time.0, seconds);
    if facts.world.now >= until {
        memory.clear_pauses();
        return StepState::Done;
    }
    memory.wake_at(until);
    gates.until("the pause step", pause.start_time.0, until, "the next step begins");
    StepState::Waiting
}

/// A pause begins when its step is reached; the step before it has proven capacity and traffic.
fn begin_pause(facts: &Facts, memory: &mut Memory, gates: &mut Gates) {
    let Some(step) = memory.step().and_then(|index| facts.steps.get(index)) else {
        return;
    };
    let Some(pause) = &step.pause else {
        return;
    };
    if memory.paused_for(CANARY_PAUSE_STEP) || memory.resumed() {
        return;
    }
    if facts.new.is_none_or(|set| capacity::desired(facts, memory).canary > 0 && set.pods.available == 0) {
        return;
    }
    memory.pause(CANARY_PAUSE_STEP, facts.world.now);
    let _ = pause_state(facts, memory, pause.duration_seconds(), gates);
}

/// The weight of the step is in force on every router, for as long as an unconfirmed change may take.
fn traffic_in_force(facts: &Facts, memory: &mut Memory, index: usize, gates: &mut Gates) -> bool {
    if !facts.routed() {
        return true;
    }
    let wanted = step::weight_within(facts.steps, index.saturating_add(1));
    match facts.effective() {
        Some(Effective::Applied(split)) if split.canary == wanted => {
            let settled = traffic::settled_at(facts, memory);
            if facts.world.now >= settled {
                return true;
            }
            memory.wake_at(settled);
            gates.until(
                "the data plane to follow the new weight",
                facts.world.now,
                settled,
                "the step is done",
            );
            false
        }
        Some(Effective::Unknown(why)) => {
            gates.wait(&format!("the router: {why}"), "the step goes on when it answers");
            false
        }
        _ => {
            gates.wait(&format!("the router to apply weight {wanted}"), "the step is done");
            false
        }
    }
}

fn complete(facts: &Facts, memory: &mut Memory, (index, done): (usize, &CanaryStep)) {
    let next = index.saturating_add(1);
    memory.status.current_step_index = i32::try_from(next).ok();
    memory.status.canary.current_step_analysis_run_status = None;
    memory.progressed = true;
    memory.journal.note(
        "RolloutStepCompleted",
        format!("Rollout step {next}/{} completed ({})", facts.steps.len(), step::describe(done)),
    );
}

/// Why the current revision becomes stable now, if it does.
fn promotion(facts: &Facts, memory: &Memory, gates: &mut Gates) -> Option<String> {
    let new = facts.new?;
    if memory.stable().is_empty() {
        let scaled = new.pods.spec == facts.limits.replicas;
        return scaled.then(|| "Initial deploy".to_owned());
    }
    if memory.fully_promoted() || memory.aborted() {
        return None;
    }
    let steps_done = memory.status.current_step_index == last_index(facts);
    let reason = if memory.promoting_fully() {
        "Full promotion requested".to_owned()
    } else if steps_done && !facts.rollout.spec.paused {
        format!("Completed all {} canary steps", facts.steps.len())
    } else {
        return None;
    };
    if new.pods.available < facts.limits.replicas {
        gates.wait(
            &format!("{} pods of revision {} to be available", facts.limits.replicas, new.hash),
            "it becomes stable",
        );
        return None;
    }
    Some(reason)
}

fn promote(facts: &Facts, memory: &mut Memory, reason: &str) {
    memory.clear_pauses();
    memory.forget_abort();
    memory.status.promote_full = false;
    memory.status.current_step_index = last_index(facts);
    memory.status.stable_rs = Some(facts.current_hash.clone());
    memory.progressed = true;
    tell_completion(&mut memory.journal, facts, reason);
}

fn tell_completion(journal: &mut Journal, facts: &Facts, reason: &str) {
    journal.note(
        "RolloutCompleted",
        format!(
            "Rollout completed update to revision {} ({}): {reason}",
            revision::number(facts),
            facts.current_hash
        ),
    );
}
