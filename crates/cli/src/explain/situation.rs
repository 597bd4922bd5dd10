//! Decides in which of its typical situations a Rollout is.

use jiff::{SignedDuration, Timestamp};
use serin_api::{
    AnalysisPhase, AnalysisRun, BrakeStatus, DryRunStatus, Rollout, RolloutCondition, RolloutStatus, validate,
};
use serin_view::object::hash_of;
use serin_view::phase::{Phase, fully_promoted, generation_observed, resumed, retried, standing};
use serin_view::step;

use crate::observed::Observed;
use crate::run::{self, Unanswered};

/// A typical situation; the first that applies.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Situation<'o> {
    /// No controller has written a status.
    Unclaimed,
    /// The annotation `serin.dev/dry-run` is set.
    DryRun { dry: &'o DryRunStatus },
    /// The spec is newer than the status.
    Unobserved,
    /// The spec cannot work (`own`), or names something that is not there.
    Invalid { message: &'o str, own: bool },
    /// The update was taken back.
    Aborted { run: Option<&'o AnalysisRun> },
    /// Somebody took the abort back, and the controller has not acted yet.
    Retrying,
    /// No progress within the deadline.
    Stuck { condition: &'o RolloutCondition },
    /// `spec.paused`.
    HeldByHand,
    /// A brake of the namespace holds the update.
    Braked { brake: &'o BrakeStatus },
    /// An analysis could not decide.
    Inconclusive { since: Timestamp, run: Option<&'o AnalysisRun> },
    /// A pause, with its end when it ends by the clock.
    Pause { reason: &'o str, since: Timestamp, until: Option<Timestamp> },
    /// Somebody resumed, and the controller has not acted yet.
    Resuming,
    /// The current revision is stable, and everything is there.
    Healthy,
    /// The current revision is stable, and something is not there yet or any more.
    Settling,
    /// The first revision starts.
    First,
    /// On its way to the end without steps.
    FullPromotion,
    /// The provider of a metric gives no answer.
    Unanswered { run: &'o AnalysisRun, unanswered: Unanswered<'o> },
    /// Works on a step.
    AtStep,
    /// All steps are done, or there are none.
    Finishing,
    /// All traffic is on the new revision, which is measured before it becomes stable.
    Watched,
}

impl Situation<'_> {
    /// An update is on its way, so its step and its analyses matter.
    pub(super) fn is_moving(&self) -> bool {
        matches!(
            self,
            Self::Stuck { .. }
                | Self::HeldByHand
                | Self::Braked { .. }
                | Self::Inconclusive { .. }
                | Self::Pause { .. }
                | Self::Resuming
                | Self::Unanswered { .. }
                | Self::AtStep
                | Self::Watched
        )
    }

    /// There may be two revisions with traffic.
    pub(super) fn has_traffic(&self, rollout: &Rollout) -> bool {
        let settled = matches!(
            self,
            Self::Unclaimed
                | Self::Unobserved
                | Self::Invalid { own: true, .. }
                | Self::Healthy
                | Self::Settling
                | Self::First
        );
        !settled && rollout.status.as_ref().is_some_and(|status| status.stable_rs.is_some())
    }
}

/// The condition of one type.
pub(super) fn condition<'s>(status: &'s RolloutStatus, type_: &str) -> Option<&'s RolloutCondition> {
    status.conditions.iter().find(|condition| condition.type_ == type_)
}

/// Decides the situation.
pub(super) fn of(seen: &Observed) -> Situation<'_> {
    let rollout = &seen.rollout;
    let Some(status) = rollout.status.as_ref().filter(|status| status.phase.is_some()) else {
        return Situation::Unclaimed;
    };
    if let Some(dry) = &status.dry_run {
        return Situation::DryRun { dry };
    }
    if !generation_observed(rollout) {
        return Situation::Unobserved;
    }
    if let Some(condition) = condition(status, "InvalidSpec") {
        return Situation::Invalid { message: &condition.message, own: !validate(rollout).is_empty() };
    }
    if status.abort {
        return Situation::Aborted { run: culprit(seen, status) };
    }
    if retried(status) {
        return Situation::Retrying;
    }
    if let Some(brake) = status.brake.as_ref().filter(|_| !fully_promoted(status)) {
        return Situation::Braked { brake };
    }
    let stuck = |condition: &&RolloutCondition| condition.reason == "ProgressDeadlineExceeded";
    if let Some(condition) = status.conditions.iter().find(stuck) {
        return Situation::Stuck { condition };
    }
    if rollout.spec.paused {
        return Situation::HeldByHand;
    }
    if let Some(pause) = status.pause_conditions.iter().flatten().next() {
        return paused(seen, &pause.reason, pause.start_time.0);
    }
    if resumed(status) {
        return Situation::Resuming;
    }
    under_way(seen, status)
}

fn under_way<'o>(seen: &'o Observed, status: &'o RolloutStatus) -> Situation<'o> {
    if fully_promoted(status) {
        let healthy = standing(&seen.rollout).phase == Phase::Healthy;
        return if healthy { Situation::Healthy } else { Situation::Settling };
    }
    if status.stable_rs.is_none() {
        return Situation::First;
    }
    if status.promote_full {
        return Situation::FullPromotion;
    }
    let watched = status.canary.post_promotion_analysis_run_status.is_some();
    let ended = step::current(&seen.rollout).is_none();
    if ended && !watched {
        return Situation::Finishing;
    }
    let silent = current_runs(seen).find_map(|run| Some((run, run::unanswered(run)?)));
    match silent {
        Some((run, unanswered)) => Situation::Unanswered { run, unanswered },
        None if ended => Situation::Watched,
        None => Situation::AtStep,
    }
}

fn paused<'o>(seen: &'o Observed, reason: &'o str, since: Timestamp) -> Situation<'o> {
    if reason == "InconclusiveAnalysisRun" {
        let undecided = |run: &&AnalysisRun| run::phase(run) == AnalysisPhase::Inconclusive;
        let run = current_runs(seen).find(undecided);
        return Situation::Inconclusive { since, run };
    }
    let length =
        step::current(&seen.rollout).and_then(|(_, step)| step.pause.as_ref()?.duration_seconds()?.ok());
    let until = length.and_then(|seconds| since.checked_add(SignedDuration::from_secs(seconds)).ok());
    Situation::Pause { reason, since, until: until.filter(|_| reason == "CanaryPauseStep") }
}

/// The AnalysisRuns that the status names: the one of the step first.
pub(super) fn current_runs(seen: &Observed) -> impl Iterator<Item = &AnalysisRun> {
    let canary = seen.rollout.status.as_ref().map(|status| &status.canary);
    let names = canary.into_iter().flat_map(|canary| {
        [
            &canary.current_step_analysis_run_status,
            &canary.current_background_analysis_run_status,
            &canary.post_promotion_analysis_run_status,
        ]
        .into_iter()
        .flatten()
        .map(|known| known.name.as_str())
    });
    names.filter_map(|name| seen.runs.iter().find(|run| run.metadata.name.as_deref() == Some(name)))
}

/// The run that made the controller take the update back: a bad one that the status names, else the last bad one of
/// this revision whose end the abort follows; none when a person aborted.
fn culprit<'o>(seen: &'o Observed, status: &RolloutStatus) -> Option<&'o AnalysisRun> {
    let bad = |run: &&AnalysisRun| matches!(run::phase(run), AnalysisPhase::Failed | AnalysisPhase::Error);
    if let Some(run) = current_runs(seen).find(bad) {
        return Some(run);
    }
    let said =
        condition(status, "Progressing").map(|condition| condition.message.as_str()).unwrap_or_default();
    if !said.contains("analysis") {
        return None;
    }
    let ended = |run: &&AnalysisRun| {
        run.status.as_ref().and_then(|status| status.completed_at.clone()).map(|at| at.0)
    };
    let of_revision = |run: &&AnalysisRun| hash_of(*run) == Some(&status.current_pod_hash);
    seen.runs.iter().filter(bad).filter(of_revision).max_by_key(ended)
}
