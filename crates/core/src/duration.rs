//! Says how long an update takes: when it began, how long people held it, when and how it ended (`status.duration`).

use jiff::Timestamp;
use serin_api::{CanaryStep, RolloutDuration, RolloutStatus};

use crate::facts::Facts;
use crate::memory::{CANARY_PAUSE_STEP, Memory};
use crate::strategy::blue_green::BLUE_GREEN_PAUSE;
use crate::time::api_time;

/// How an update ended, in the words of Argo Rollouts.
mod word {
    pub(super) const PROMOTED: &str = "Promoted";
    pub(super) const FAST_PROMOTED: &str = "FastPromoted";
    pub(super) const ABORTED: &str = "Aborted";
    pub(super) const SUPERSEDED: &str = "Superseded";
    pub(super) const ROLLED_BACK: &str = "RolledBack";
    pub(super) const FAST_ROLLED_BACK: &str = "FastRolledBack";
}

/// One update that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// How, as in `status.duration.completionStatus`.
    pub how: String,
    /// Seconds from its begin to its end.
    pub seconds: i64,
    /// Seconds of these that people held it.
    pub held_seconds: i64,
}

/// The update that was underway in `before` and is over in `after`, if there is one. An update that another one took the
/// place of ended when that began.
pub fn ended(before: &RolloutStatus, after: &RolloutStatus) -> Option<Ended> {
    let old = before.duration.as_ref().filter(|old| old.finished_at.is_none());
    let new = after.duration.as_ref()?;
    let same = old.is_none_or(|old| old.rollout_started_at == new.rollout_started_at);
    let (over, until, how) = if same {
        // One that began and ended at once was underway, too.
        let unseen =
            before.duration.as_ref().is_none_or(|old| old.rollout_started_at != new.rollout_started_at);
        let was_underway = old.is_some() || unseen;
        let until = new.finished_at.as_ref().filter(|_| was_underway)?;
        (new, until, new.completion_status.clone().unwrap_or_default())
    } else {
        (old?, new.rollout_started_at.as_ref()?, word::SUPERSEDED.to_owned())
    };
    let since = over.rollout_started_at.as_ref()?;
    let held = over.total_manual_pause_duration_seconds.unwrap_or(0);
    let open = over.manual_pause_started_at.as_ref().map_or(0, |since| seconds(since.0, until.0));
    Some(Ended { how, seconds: seconds(since.0, until.0), held_seconds: held.saturating_add(open) })
}

fn seconds(since: Timestamp, until: Timestamp) -> i64 {
    until.as_second().saturating_sub(since.as_second()).max(0)
}

/// A new attempt begins: for a new template, for other steps, or because an abort was taken back. A way back in the middle
/// of an update belongs to it.
pub(crate) fn begin(facts: &Facts, status: &mut RolloutStatus) {
    let underway = status.duration.as_ref().is_some_and(|known| known.finished_at.is_none());
    let at_stable = status.stable_rs.as_deref() == Some(facts.current_hash.as_str());
    if at_stable {
        if let Some(known) = status.duration.as_mut().filter(|_| underway) {
            known.completion_status = Some(word::FAST_ROLLED_BACK.to_owned());
        }
        return;
    }
    if underway && older_than_stable(facts) {
        return;
    }
    let started = Some(api_time(facts.world.now));
    status.duration = Some(RolloutDuration { rollout_started_at: started, ..RolloutDuration::default() });
}

fn older_than_stable(facts: &Facts) -> bool {
    matches!((facts.new, facts.stable), (Some(new), Some(stable)) if new.created < stable.created)
}

/// Notes what has become of the update in this plan. Scaling is no part of it.
pub(crate) fn follow(facts: &Facts, memory: &mut Memory) {
    let Some(mut known) = memory.status.duration.take() else { return };
    if known.finished_at.is_none() {
        note_end(facts, memory, &mut known);
        note_pause(facts, memory, &mut known);
    }
    memory.status.duration = Some(known);
}

fn note_end(facts: &Facts, memory: &Memory, known: &mut RolloutDuration) {
    let now = api_time(facts.world.now);
    if memory.aborted() {
        (known.completion_status, known.finished_at) = (Some(word::ABORTED.to_owned()), Some(now));
        return;
    }
    if !memory.fully_promoted() {
        return;
    }
    if known.completion_status.is_none() {
        known.completion_status = Some(how(facts).to_owned());
    }
    let available = facts.new.map_or(0, |set| set.pods.serving());
    if available >= facts.limits.replicas {
        known.finished_at = Some(now);
    }
}

/// How the revision became stable, in the plan in which it does.
fn how(facts: &Facts) -> &'static str {
    if older_than_stable(facts) {
        return if facts.skips_checks() { word::FAST_ROLLED_BACK } else { word::ROLLED_BACK };
    }
    let asked = facts.rollout.status.as_ref().is_some_and(|status| status.promote_full);
    if asked { word::FAST_PROMOTED } else { word::PROMOTED }
}

fn note_pause(facts: &Facts, memory: &Memory, known: &mut RolloutDuration) {
    let held = known.finished_at.is_none() && held_by_people(facts, memory);
    match (&known.manual_pause_started_at, held) {
        (None, true) => known.manual_pause_started_at = Some(api_time(facts.world.now)),
        (Some(since), false) => {
            let more = seconds(since.0, facts.world.now);
            let before = known.total_manual_pause_duration_seconds.unwrap_or(0);
            known.total_manual_pause_duration_seconds = Some(before.saturating_add(more));
            known.manual_pause_started_at = None;
        }
        (None, false) | (Some(_), true) => {}
    }
}

/// Only a person can let it go on.
fn held_by_people(facts: &Facts, memory: &Memory) -> bool {
    let step = memory.step().and_then(|index| facts.steps.get(index));
    let endless = |step: &CanaryStep| step.pause.as_ref().is_some_and(|pause| pause.duration.is_none());
    let unpromoted = facts.blue_green.is_some_and(|strategy| strategy.auto_promotion_enabled == Some(false));
    facts.rollout.spec.paused
        || memory.undecided()
        || memory.paused_for(CANARY_PAUSE_STEP) && step.is_some_and(endless)
        || memory.paused_for(BLUE_GREEN_PAUSE) && unpromoted
}
