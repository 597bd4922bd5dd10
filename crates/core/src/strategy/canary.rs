//! Decides the canary strategy: when a step is done, when the canary becomes stable, and what is wanted meanwhile.
//! A rolling update is a canary without steps.

use jiff::Timestamp;
use serin_api::{CanaryStep, PingPong};

use crate::analysis::{self, StepVerdict};
use crate::capacity;
use crate::extension;
use crate::facts::{Change, Facts};
use crate::gate::Gates;
use crate::load_balancer;
use crate::managed_route;
use crate::memory::{CANARY_PAUSE_STEP, Memory, last_index};
use crate::split::{Effective, Split};
use crate::step;
use crate::strategy::{gate_of_inconclusive, gate_of_spec, tell_completion};
use crate::time::after;
use crate::traffic;
use crate::trial;
use crate::weights;

mod bake;
mod watch;

/// Moves the memory on by at most one step. Safety has been looked at before: an aborted attempt does not come here.
pub(crate) fn advance(facts: &Facts, memory: &mut Memory, gates: &mut Gates) {
    if let Some(reason) = promotion(facts, memory, gates) {
        return promote(facts, memory, &reason);
    }
    if memory.fully_promoted() {
        return;
    }
    if memory.promoting_fully() {
        return memory.clear_pauses();
    }
    if facts.rollout.spec.paused {
        gate_of_spec(gates);
        return;
    }
    if memory.stable().is_empty() {
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
    if memory.undecided() {
        gate_of_inconclusive(gates);
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
    } else if step.experiment.is_some() {
        trial::done(facts, memory, gates)
    } else if step.plugin.is_some() {
        extension::done(facts, memory, index, gates)
    } else {
        bake::heed_drift(facts, memory);
        let capacity = capacity::at_desired(facts, memory, gates);
        let route_moves = step.set_header_route.is_some() || step.set_mirror_route.is_some();
        capacity
            && (step.set_weight.is_none() || traffic_in_force(facts, memory, gates))
            && (!route_moves || managed_route::in_force(facts, memory, gates))
            && step.bake.as_ref().is_none_or(|bake| bake::over(facts, memory, (index, bake), gates))
    };
    let done = done && !analysis::held(facts, memory, gates);
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
        gate_of_person(pause.start_time.0, gates);
        return StepState::Waiting;
    };
    let until = after(pause.start_time.0, seconds);
    if facts.world.now >= until {
        if analysis::held(facts, memory, gates) {
            return StepState::Waiting;
        }
        memory.clear_pauses();
        return StepState::Done;
    }
    gate_of_pause(memory, pause.start_time.0, until, gates);
    StepState::Waiting
}

fn gate_of_person(since: Timestamp, gates: &mut Gates) {
    gates.hold_since("a person at an indefinite pause step", since, "`kubectl serin promote` goes on");
}

fn gate_of_pause(memory: &mut Memory, since: Timestamp, until: Timestamp, gates: &mut Gates) {
    memory.wake_at(until);
    gates.until("the pause step", since, until, "the next step begins");
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
    if facts.new.is_none_or(|set| capacity::desired(facts, memory).canary > 0 && set.pods.serving() == 0) {
        gates.wait_in_time("a canary pod to be available", "the pause step begins");
        return;
    }
    memory.pause(CANARY_PAUSE_STEP, facts.world.now);
    match pause.duration_seconds() {
        // Even a pause of no length is written down first: the next plan ends it.
        Some(Ok(seconds)) if seconds > 0 => {
            gate_of_pause(memory, facts.world.now, after(facts.world.now, seconds), gates);
        }
        Some(Ok(_)) => {}
        _ => gate_of_person(facts.world.now, gates),
    }
}

/// The weight of the step is in force on every router, for as long as an unconfirmed change may take.
fn traffic_in_force(facts: &Facts, memory: &mut Memory, gates: &mut Gates) -> bool {
    let none = capacity::desired(facts, memory).canary == 0;
    if !facts.routed() || none {
        return true;
    }
    if traffic::is_of_another(facts, memory) {
        gates.wait_in_time("the traffic of another revision to leave the canary", "the step gets its weight");
        return false;
    }
    let wanted = traffic::step_weight(facts, memory);
    match facts.effective() {
        Some(Effective::Applied(split)) if split.same_weights(&Split::new(split.total, wanted)) => {
            let Err(until) = weights::settled(facts, memory, Change::Weight) else {
                return true;
            };
            let waits_for = format!("the data plane to follow weight {wanted}");
            until.into_iter().for_each(|until| memory.wake_after(facts.world.now, until));
            gates.settle(&waits_for, until, "the step is done");
            false
        }
        Some(Effective::Unknown(why)) => {
            gates.wait_in_time(&format!("the router: {why}"), "the step goes on when it answers");
            false
        }
        _ => {
            let doubt = load_balancer::doubt(facts).map(|doubt| doubt.waits_for.clone());
            let waits_for = doubt.unwrap_or_else(|| format!("the router to apply weight {wanted}"));
            gates.wait_in_time(&waits_for, "the step is done");
            false
        }
    }
}

fn complete(facts: &Facts, memory: &mut Memory, (index, done): (usize, &CanaryStep)) {
    let next = index.saturating_add(1);
    memory.status.current_step_index = i32::try_from(next).ok();
    memory.status.canary.current_step_analysis_run_status = None;
    memory.status.canary.current_experiment.clear();
    memory.status.canary.bake = None;
    memory.progressed = true;
    memory.journal.note(
        "RolloutStepCompleted",
        format!("Rollout step {next}/{} completed ({})", facts.steps.len(), step::describe(done)),
    );
}

/// Why the current revision becomes stable now, if it does.
fn promotion(facts: &Facts, memory: &mut Memory, gates: &mut Gates) -> Option<String> {
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
    } else if steps_done && may_complete(facts, memory, gates) && facts.within_window {
        "Rollback within window".to_owned()
    } else if steps_done && may_complete(facts, memory, gates) {
        format!("Completed all {} canary steps", facts.steps.len())
    } else {
        return None;
    };
    if new.pods.serving() < facts.limits.replicas && facts.rollout.spec.paused {
        gate_of_spec(gates);
        return None;
    }
    if !capacity::enough(facts, new.pods.serving(), facts.limits.replicas) {
        gates.wait_in_time(
            &format!("{} pods of revision {} to be available", facts.limits.replicas, new.hash),
            "it becomes stable",
        );
        return None;
    }
    let leads_elsewhere = facts.ping_pong() && !traffic::reaches_canary(facts, memory);
    if leads_elsewhere || traffic::is_of_another(facts, memory) {
        gates.wait_in_time("the Service of the canary to select the new revision", "it becomes stable");
        return None;
    }
    let watched = watch::is_on(facts, memory);
    let moved = memory.promoting_fully() || facts.steps.is_empty() && !watched;
    let moved = moved || traffic_in_force(facts, memory, gates);
    (moved && (!watched || watch::over(facts, memory, gates))).then_some(reason)
}

/// Neither a person nor an analysis holds the rollout after its last step.
fn may_complete(facts: &Facts, memory: &Memory, gates: &mut Gates) -> bool {
    if memory.undecided() {
        gate_of_inconclusive(gates);
        return false;
    }
    !facts.rollout.spec.paused && !analysis::held(facts, memory, gates)
}

/// With `pingPong` the Service of the canary becomes that of stable, traffic and all; nothing else moves in this plan.
fn change_roles(facts: &Facts, memory: &mut Memory) {
    if facts.ping_pong() {
        let was_ping = memory.status.canary.stable_ping_pong == PingPong::PING;
        let now = if was_ping { PingPong::PONG } else { PingPong::PING };
        now.clone_into(&mut memory.status.canary.stable_ping_pong);
        memory.roles_changed = true;
    }
}

fn promote(facts: &Facts, memory: &mut Memory, reason: &str) {
    memory.clear_pauses();
    memory.forget_abort();
    memory.status.promote_full = false;
    memory.status.canary.bake = None;
    memory.status.current_step_index = last_index(facts);
    memory.status.stable_rs = Some(facts.current_hash.clone());
    memory.progressed = true;
    change_roles(facts, memory);
    tell_completion(&mut memory.journal, facts, reason);
}
