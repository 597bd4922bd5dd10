//! Decides whether a weight has been in force for long enough, and for enough requests, to go on to the next step.

use serin_api::{Bake, BakeStatus};

use crate::facts::Facts;
use crate::gate::Gates;
use crate::memory::Memory;
use crate::split::{Effective, Split};
use crate::time::{after, api_time};
use crate::traffic;

const THEN: &str = "the next step begins";

/// Whether the bake of this step is over; else closes the gates that say what is missing. The weight is in force.
pub(super) fn over(
    facts: &Facts,
    memory: &mut Memory,
    (index, bake): (usize, &Bake),
    gates: &mut Gates,
) -> bool {
    let served = served(facts, memory);
    let step = i32::try_from(index).unwrap_or(i32::MAX);
    let known = memory.status.canary.bake.clone().filter(|known| known.step == step);
    let mut begun =
        known.unwrap_or_else(|| BakeStatus { step, since: Some(api_time(facts.world.now)), served: None });
    begun.served = begun.served.or_else(|| before(facts, memory));
    let since = begun.since.as_ref().map_or(facts.world.now, |since| since.0);
    let before = begun.served;
    memory.status.canary.bake = Some(begun);
    let mut over = true;
    if let Some(Ok(seconds)) = bake.duration_seconds() {
        let until = after(since, seconds);
        if until > facts.world.now {
            memory.wake_at(until);
            gates.until("the weight to bake", since, until, THEN);
            over = false;
        }
    }
    if let Some(wanted) = bake.requests {
        // An edited comparison counts from zero again: what it has counted since then is all there is.
        let counted = served.zip(before).map(|(served, before)| match served.checked_sub(before) {
            Some(since) if since >= 0 => since,
            _ => served,
        });
        if counted.is_none_or(|counted| counted < wanted) {
            gates.hold_since(&missing(counted, wanted, memory), since, THEN);
            over = false;
        }
    }
    over
}

fn missing(counted: Option<i64>, wanted: i64, memory: &Memory) -> String {
    let run = memory.status.canary.current_background_analysis_run_status.as_ref();
    match (counted, run) {
        (Some(counted), _) => format!("{wanted} requests to the canary, {counted} are counted"),
        (None, Some(run)) => format!(
            "{wanted} requests to the canary, which AnalysisRun {} does not count: it has no comparison, or has not looked yet",
            run.name
        ),
        (None, None) => {
            format!("{wanted} requests to the canary, for which the background analysis has to start")
        }
    }
}

/// Requests to the canary that the background analysis has counted.
fn served(facts: &Facts, memory: &Memory) -> Option<i64> {
    let recorded = memory.status.canary.current_background_analysis_run_status.as_ref()?;
    facts.world.analysis_runs.iter().find(|run| run.name == recorded.name)?.served
}

/// What had been counted when the bake begins. A run that is there and has counted nothing begins from zero, and so does
/// one that is still to start; what a recorded run has counted that is not seen now is unknown, and not zero.
fn before(facts: &Facts, memory: &Memory) -> Option<i64> {
    let Some(recorded) = &memory.status.canary.current_background_analysis_run_status else { return Some(0) };
    let run = facts.world.analysis_runs.iter().find(|run| run.name == recorded.name)?;
    Some(run.served.unwrap_or(0))
}

/// A weight that is seen to be another one has to bake from the beginning; a router that does not answer says nothing.
pub(super) fn heed_drift(facts: &Facts, memory: &mut Memory) {
    let wanted = Split::new(facts.total, traffic::step_weight(facts, memory));
    match facts.effective() {
        Some(Effective::Applied(split) | Effective::Pending(split)) if !split.same_weights(&wanted) => {
            memory.status.canary.bake = None;
        }
        _ => {}
    }
}
