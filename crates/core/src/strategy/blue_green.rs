//! Decides the blue-green strategy: when the new revision may take the active Service over, and when it becomes stable.

use jiff::Timestamp;
use serin_api::{AnalysisPhase, BlueGreenStrategy, PauseCondition, RolloutAnalysisRunStatus};

use crate::brake;
use crate::facts::Facts;
use crate::gate::Gates;
use crate::memory::{INCONCLUSIVE_ANALYSIS, Memory};
use crate::strategy::{gate_of_inconclusive, gate_of_spec, tell_completion};
use crate::time::after;

pub(crate) mod scale;
pub(crate) mod service;

/// Pause reason of a new revision that waits for its promotion.
pub(crate) const BLUE_GREEN_PAUSE: &str = "BlueGreenPause";

/// Records what the Services select, as observed. One that cannot be read is taken for what it was.
pub(crate) fn observe(facts: &Facts, memory: &mut Memory) {
    let Some(strategy) = facts.blue_green else { return };
    let selected = |name: &str, known: &mut String| {
        if let Some(service) = facts.service(name).and_then(|seen| seen.last_known()) {
            *known = service.hash.clone().unwrap_or_default();
        }
    };
    let status = &mut memory.status.blue_green;
    selected(&strategy.active_service, &mut status.active_selector);
    match strategy.preview_service.as_deref() {
        Some(preview) => selected(preview, &mut status.preview_selector),
        None => status.preview_selector.clear(),
    }
}

/// The active Service selects the current revision.
pub(crate) fn cut_over(facts: &Facts, memory: &Memory) -> bool {
    memory.status.blue_green.active_selector == facts.current_hash
}

/// Nothing is switched while a person holds the rollout, or has to decide about an analysis.
fn halted(facts: &Facts, memory: &Memory) -> bool {
    brake::paused(facts, memory) || memory.paused_for(INCONCLUSIVE_ANALYSIS)
}

/// No pause and no analysis stands between the new revision and the active Service.
fn fast(facts: &Facts, memory: &Memory) -> bool {
    memory.promoting_fully() || facts.skips_checks()
}

/// Moves the memory on. Safety has been looked at before: an aborted attempt does not come here.
pub(crate) fn advance(facts: &Facts, strategy: &BlueGreenStrategy, memory: &mut Memory, gates: &mut Gates) {
    let Some(new) = facts.new else { return };
    if memory.stable().is_empty() {
        if new.pods.spec == facts.limits.replicas {
            promote(facts, memory, "Initial deploy");
        }
        return;
    }
    if memory.fully_promoted() {
        return;
    }
    // Until the switch is seen, a pause that is over stays: clients are told of its end after that of the switch.
    if fast(facts, memory) && (cut_over(facts, memory) || !scale::saturated(facts)) {
        memory.clear_pauses();
    }
    if cut_over(facts, memory) {
        after_cutover(facts, strategy, memory, gates);
    } else if may_cut_over(facts, strategy, memory, gates) {
        memory.cutover = true;
        let waits_for =
            format!("Service {} to select revision {}", strategy.active_service, facts.current_hash);
        gates.wait_in_time(&waits_for, "it gets the traffic");
    }
}

/// Checks and pauses before the switch, in the order of Argo Rollouts: pods, analysis, pause, all pods.
fn may_cut_over(facts: &Facts, strategy: &BlueGreenStrategy, memory: &mut Memory, gates: &mut Gates) -> bool {
    if facts.rollout.spec.paused {
        gate_of_spec(gates);
        return false;
    }
    if memory.paused_for(INCONCLUSIVE_ANALYSIS) && !fast(facts, memory) {
        gate_of_inconclusive(gates);
        return false;
    }
    let checked = fast(facts, memory) || memory.status.blue_green.scale_up_preview_check_point;
    if !checked {
        if !scale::ready(facts, strategy, memory) {
            let wanted = scale::wanted(facts, strategy, memory);
            let waits_for = format!("{wanted} pods of revision {} to be available", facts.current_hash);
            gates.wait_in_time(&waits_for, "it is checked, then the active Service switches to it");
            return false;
        }
        if !(pre_promotion_done(strategy, memory, gates) && pause_done(facts, strategy, memory, gates)) {
            return false;
        }
        if strategy.preview_replica_count.is_some() {
            // From here on this is what remembers that the checks are over.
            memory.status.blue_green.scale_up_preview_check_point = true;
            memory.clear_pauses();
        }
    }
    if !scale::saturated(facts) {
        let replicas = facts.limits.replicas;
        let waits_for = format!("{replicas} pods of revision {} to be available", facts.current_hash);
        gates.wait_in_time(&waits_for, "the active Service switches to it");
        return false;
    }
    true
}

fn pre_promotion_done(strategy: &BlueGreenStrategy, memory: &Memory, gates: &mut Gates) -> bool {
    let recorded = memory.status.blue_green.pre_promotion_analysis_run_status.as_ref();
    let then = "success lets the active Service switch, failure aborts";
    strategy.pre_promotion_analysis.is_none() || succeeded(recorded, "pre-promotion", then, gates)
}

fn succeeded(
    recorded: Option<&RolloutAnalysisRunStatus>,
    which: &str,
    then: &str,
    gates: &mut Gates,
) -> bool {
    let waits_for = match recorded {
        Some(run) if run.status == AnalysisPhase::Successful => return true,
        Some(run) if run.message.is_empty() => format!("AnalysisRun {} ({})", run.name, run.status),
        Some(run) => format!("AnalysisRun {} ({}): {}", run.name, run.status, run.message),
        None => format!("the {which} AnalysisRun to start"),
    };
    gates.wait(&waits_for, then);
    false
}

/// The pause before the switch is over: by a person, by the clock, or because none is asked for. A resumption is
/// remembered until the switch is seen.
fn pause_done(facts: &Facts, strategy: &BlueGreenStrategy, memory: &mut Memory, gates: &mut Gates) -> bool {
    if memory.resumed() {
        return true;
    }
    let by_itself = strategy.auto_promotion_enabled.unwrap_or(true);
    let seconds = i64::from(strategy.auto_promotion_seconds.unwrap_or(0).max(0));
    if by_itself && seconds == 0 {
        memory.clear_pauses();
        return true;
    }
    let now = facts.world.now;
    let is_ours = |pause: &&PauseCondition| pause.reason == BLUE_GREEN_PAUSE;
    let since = memory.pauses().iter().find(is_ours).map_or(now, |pause| pause.start_time.0);
    let until = after(since, seconds);
    if by_itself && now >= until {
        return true;
    }
    memory.pause(BLUE_GREEN_PAUSE, now);
    gate_of_pause(memory, gates, since, by_itself.then_some(until));
    false
}

fn gate_of_pause(memory: &mut Memory, gates: &mut Gates, since: Timestamp, until: Option<Timestamp>) {
    match until {
        Some(until) => {
            memory.wake_at(until);
            gates.until("the pause before promotion", since, until, "the active Service switches");
        }
        None => gates.hold_since(
            "a person to promote the new revision",
            since,
            "`kubectl serin promote` switches the active Service, `abort` takes back",
        ),
    }
}

/// The new revision has the traffic: it becomes stable when the analysis of it agrees.
fn after_cutover(facts: &Facts, strategy: &BlueGreenStrategy, memory: &mut Memory, gates: &mut Gates) {
    if memory.paused_for(INCONCLUSIVE_ANALYSIS) {
        return gate_of_inconclusive(gates);
    }
    memory.clear_pauses();
    let reason = if memory.promoting_fully() {
        "Full promotion requested"
    } else if facts.within_window {
        "Rollback within window"
    } else if facts.fast_rollback {
        "Fast rollback"
    } else {
        let recorded = memory.status.blue_green.post_promotion_analysis_run_status.as_ref();
        let then = "success makes the revision stable, failure switches the active Service back";
        if strategy.post_promotion_analysis.is_some() && !succeeded(recorded, "post-promotion", then, gates) {
            return;
        }
        "Completed blue-green update"
    };
    promote(facts, memory, reason);
}

fn promote(facts: &Facts, memory: &mut Memory, reason: &str) {
    memory.clear_pauses();
    memory.forget_abort();
    memory.status.promote_full = false;
    memory.status.blue_green.scale_up_preview_check_point = false;
    memory.status.stable_rs = Some(facts.current_hash.clone());
    memory.progressed = true;
    tell_completion(&mut memory.journal, facts, reason);
}
