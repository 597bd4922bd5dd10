//! Decides what goes before every strategy: an abort is looked at first, from the status alone, and nothing on the way
//! forward can stand in its way.

use crate::condition::{find, word};
use crate::count;
use crate::facts::Facts;
use crate::gate::Gates;
use crate::memory::Memory;
use crate::time::api_time;

/// Whether the attempt is aborted; then the strategy is not asked how to go on.
pub(crate) fn overrule(facts: &Facts, memory: &mut Memory) -> bool {
    if memory.stable().is_empty() {
        memory.forget_abort();
        return false;
    }
    if !memory.aborted() {
        return false;
    }
    memory.clear_pauses();
    memory.status.promote_full = false;
    memory.status.canary.bake = None;
    memory.status.current_step_index = (!facts.steps.is_empty()).then_some(0);
    if memory.status.aborted_at.is_none() {
        memory.status.aborted_at = Some(api_time(facts.world.now));
    }
    true
}

/// `progressDeadlineAbort`: an attempt that has been told to be late, and has not moved since, is aborted.
pub(crate) fn heed_deadline(facts: &Facts, memory: &mut Memory) {
    if !aborts_when_late(facts, memory) || memory.progressed {
        return;
    }
    let known = find(&memory.status, word::PROGRESSING);
    let late = known.filter(|known| known.reason == word::DEADLINE_EXCEEDED);
    if let Some(message) = late.map(|late| late.message.clone())
        && count::available(facts, memory) <= memory.status.available_replicas
    {
        memory.journal.warn(word::ABORTED, message);
        memory.status.abort = true;
    }
}

/// The attempt is aborted when it is late.
pub(crate) fn aborts_when_late(facts: &Facts, memory: &Memory) -> bool {
    let underway = !(memory.stable().is_empty() || memory.fully_promoted() || memory.aborted());
    facts.rollout.spec.progress_deadline_abort && underway
}

/// What an aborted rollout waits for once its traffic is back: a person.
pub(crate) fn gate_of_abort(gates: &mut Gates) {
    gates.hold(
        "a new revision or a retry, because this one was aborted",
        "`kubectl serin retry` starts it again, `undo` goes back to stable for good",
    );
}
