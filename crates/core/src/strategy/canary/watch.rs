//! Decides the watch after promotion: a canary with all traffic is measured for a time before it becomes stable. The
//! pods of stable are kept meanwhile, so that the way back is that of every abort.

use serin_api::AnalysisPhase;

use crate::analysis;
use crate::facts::Facts;
use crate::gate::Gates;
use crate::memory::Memory;
use crate::time::after;
use crate::world::AnalysisRun;

/// This attempt is watched: one that a person promotes fully, or that goes back to a good revision, is not.
pub(super) fn is_on(facts: &Facts, memory: &Memory) -> bool {
    facts.canary.post_promotion_analysis.is_some() && analysis::measured(facts, memory)
}

/// Whether the watch has ended well; else closes the gate that says what it waits for.
pub(super) fn over(facts: &Facts, memory: &mut Memory, gates: &mut Gates) -> bool {
    const THEN: &str = "the revision becomes stable, failure takes all traffic back to the pods of stable";
    let Some(watch) = &facts.canary.post_promotion_analysis else { return true };
    memory.watching = true;
    let recorded = memory.status.canary.post_promotion_analysis_run_status.as_ref();
    let run =
        recorded.and_then(|recorded| facts.world.analysis_runs.iter().find(|run| run.name == recorded.name));
    let Some(run) = run else {
        gates.wait("the AnalysisRun of the watch after promotion to start", "it measures");
        return false;
    };
    let length = watch.duration_seconds().and_then(Result::ok);
    let until = length.map(|seconds| after(run.created, seconds));
    if let Some(until) = until.filter(|until| *until > facts.world.now) {
        memory.wake_at(until);
        let waits_for = format!("the watch after promotion by {}", described(run));
        gates.until(&waits_for, run.created, until, THEN);
        return false;
    }
    let measures = run.phase == AnalysisPhase::Running && run.holding().is_none();
    if run.phase == AnalysisPhase::Successful || until.is_some() && measures {
        return true;
    }
    gates.wait(&format!("{} to succeed after promotion", described(run)), THEN);
    false
}

fn described(run: &AnalysisRun) -> String {
    match run.message.as_str() {
        "" => format!("AnalysisRun {} ({})", run.name, run.phase),
        message => format!("AnalysisRun {} ({}: {message})", run.name, run.phase),
    }
}
