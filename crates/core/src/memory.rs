//! Decides what is remembered: the status folded with the user's commands and with new revisions.

use jiff::Timestamp;
use serin_api::{BlueGreenStatus, CanaryStatus, PauseCondition, RolloutStatus};

use crate::condition::word;
use crate::dry_run;
use crate::duration;
use crate::facts::Facts;
use crate::journal::Journal;
use crate::restart;
use crate::split::Split;
use crate::step;
use crate::strategy::{ServiceTarget, blue_green};
use crate::time::api_time;
use crate::world::World;

/// Pause reason of a `pause` step.
pub(crate) const CANARY_PAUSE_STEP: &str = "CanaryPauseStep";
/// Pause reason of an analysis that could not decide.
pub(crate) const INCONCLUSIVE_ANALYSIS: &str = "InconclusiveAnalysisRun";
/// Pause reason of an experiment that could not decide.
pub(crate) const INCONCLUSIVE_EXPERIMENT: &str = "InconclusiveExperiment";

/// The status on its way from what was read to what will be stored, with what is worth telling.
pub(crate) struct Memory {
    pub(crate) status: RolloutStatus,
    pub(crate) journal: Journal,
    /// Text for the Progressing condition of an abort decided in this plan.
    pub(crate) abort_message: Option<String>,
    /// Something moved in this plan that restarts the progress deadline.
    pub(crate) progressed: bool,
    /// The user took an abort back, seen for the first time.
    pub(crate) retrying: bool,
    /// The split that this plan wishes for.
    pub(crate) split: Option<Split>,
    /// The weights, or the revisions behind them, are others than in the plan before.
    pub(crate) weights_moved: bool,
    /// Blue-green: the new revision may have the active Service.
    pub(crate) cutover: bool,
    /// Canary: the new revision has all traffic, and is watched before it becomes stable.
    pub(crate) watching: bool,
    /// Canary and stable Service have changed roles in this plan (`pingPong`): what is observed is told by the roles before.
    pub(crate) roles_changed: bool,
    /// The Services that this plan points elsewhere.
    pub(crate) services: Vec<ServiceTarget>,
    /// The earliest moment at which something may change by itself.
    pub(crate) wake: Option<Timestamp>,
}

impl Memory {
    /// The stored status as it is.
    pub(crate) fn unfolded(world: &World) -> Self {
        Self {
            status: world.rollout.status.clone().unwrap_or_default(),
            journal: Journal::default(),
            abort_message: None,
            progressed: false,
            retrying: false,
            split: None,
            weights_moved: false,
            cutover: false,
            watching: false,
            roles_changed: false,
            services: Vec::new(),
            wake: None,
        }
    }

    pub(crate) fn wake_at(&mut self, at: Timestamp) {
        self.wake = Some(self.wake.map_or(at, |known| known.min(at)));
    }

    /// As [`Self::wake_at`], unless the moment is past: waking at once would only spin.
    pub(crate) fn wake_after(&mut self, now: Timestamp, at: Timestamp) {
        if at > now {
            self.wake_at(at);
        }
    }

    pub(crate) fn aborted(&self) -> bool {
        self.status.abort
    }

    pub(crate) fn promoting_fully(&self) -> bool {
        self.status.promote_full
    }

    pub(crate) fn fully_promoted(&self) -> bool {
        !self.status.current_pod_hash.is_empty() && self.stable() == self.status.current_pod_hash
    }

    pub(crate) fn stable(&self) -> &str {
        self.status.stable_rs.as_deref().unwrap_or_default()
    }

    /// Index of the current step, `None` without steps.
    pub(crate) fn step(&self) -> Option<usize> {
        self.status.current_step_index.and_then(|index| usize::try_from(index).ok())
    }

    pub(crate) fn paused_for(&self, reason: &str) -> bool {
        self.pauses().iter().any(|pause| pause.reason == reason)
    }

    /// A person has to decide about an analysis or an experiment.
    pub(crate) fn undecided(&self) -> bool {
        self.paused_for(INCONCLUSIVE_ANALYSIS) || self.paused_for(INCONCLUSIVE_EXPERIMENT)
    }

    pub(crate) fn pauses(&self) -> &[PauseCondition] {
        self.status.pause_conditions.as_deref().unwrap_or_default()
    }

    /// The user took the pause conditions away: that is how every client resumes.
    pub(crate) fn resumed(&self) -> bool {
        self.status.controller_pause && self.pauses().is_empty()
    }

    pub(crate) fn pause(&mut self, reason: &str, now: Timestamp) {
        if self.paused_for(reason) {
            return;
        }
        let paused = !self.pauses().is_empty();
        let pause = PauseCondition { reason: reason.to_owned(), start_time: api_time(now) };
        self.status.pause_conditions.get_or_insert_default().push(pause);
        self.status.controller_pause = true;
        if !paused {
            self.journal.note("RolloutPaused", format!("Rollout is paused ({reason})"));
        }
    }

    pub(crate) fn clear_pauses(&mut self) {
        self.status.pause_conditions = None;
        self.status.controller_pause = false;
    }

    pub(crate) fn abort(&mut self, message: String) {
        self.status.abort = true;
        self.abort_message = Some(message);
    }

    pub(crate) fn forget_abort(&mut self) {
        self.status.abort = false;
        self.status.aborted_at = None;
    }
}

/// Starts from the stored status; forgets the attempt when the template or the steps have changed.
pub(crate) fn fold(facts: &Facts) -> Memory {
    let mut memory = Memory::unfolded(facts.world);
    let step_hash = facts.blue_green.is_none().then(|| step::hash(facts.steps));
    let known_steps = memory.status.current_step_hash.clone().filter(|known| !known.is_empty());
    let new_template = memory.status.current_pod_hash != facts.current_hash;
    let new_steps = known_steps.is_some() && known_steps != step_hash && !same_spec(facts);
    let new_strategy = forget_other_strategy(facts, &mut memory);
    if new_template || new_steps || new_strategy {
        begin_attempt(facts, &mut memory, new_template);
    }
    memory.status.current_pod_hash.clone_from(&facts.current_hash);
    memory.status.current_step_hash = step_hash;
    memory.status.collision_count = facts.collisions;
    // Nothing can move in a dry run, so no deadline runs; after it the clock starts again.
    memory.progressed |= memory.status.dry_run.is_some() || dry_run::is_on(facts.rollout);
    blue_green::observe(facts, &mut memory);
    hear_commands(facts, &mut memory);
    clamp_step(facts, &mut memory);
    skip_steps_within_window(facts, &mut memory);
    if memory.fully_promoted() {
        memory.forget_abort();
        memory.status.promote_full = false;
    }
    memory
}

/// Forgets what the strategy before this one remembered; whether there was one.
fn forget_other_strategy(facts: &Facts, memory: &mut Memory) -> bool {
    let status = &mut memory.status;
    if facts.blue_green.is_some() {
        status.canary = CanaryStatus::default();
        return status.current_step_hash.as_ref().is_some_and(|known| !known.is_empty());
    }
    // A canary always has a hash of its steps, also without any; the active Service may select nothing yet.
    let hashed = status.current_step_hash.as_ref().is_some_and(|known| !known.is_empty());
    let other =
        !status.blue_green.active_selector.is_empty() || !hashed && !status.current_pod_hash.is_empty();
    status.blue_green = BlueGreenStatus::default();
    other
}

/// The status is about this very spec: steps that hash otherwise were hashed by another program or another version of
/// it, and have not changed. A spec that was refused has not been looked at.
fn same_spec(facts: &Facts) -> bool {
    let status = facts.status();
    let generation = facts.rollout.metadata.generation.map(|generation| generation.to_string());
    generation == Some(status.observed_generation)
        && !status.conditions.iter().any(|condition| condition.type_ == word::INVALID_SPEC)
}

fn begin_attempt(facts: &Facts, memory: &mut Memory, new_template: bool) {
    memory.progressed = true;
    let status = &mut memory.status;
    status.pause_conditions = None;
    status.controller_pause = false;
    status.abort = false;
    status.aborted_at = None;
    status.promote_full = false;
    if !restart::in_future(facts.world) {
        status.restarted_at.clone_from(&facts.rollout.spec.restart_at);
    }
    forget_runs(status);
    duration::begin(facts, status);
    status.current_step_index = (!facts.steps.is_empty()).then_some(0);
    if status.stable_rs.as_deref() == Some(facts.current_hash.as_str()) {
        status.current_step_index = last_index(facts);
        if !status.current_pod_hash.is_empty() && facts.blue_green.is_none() {
            memory.journal.note("SkipSteps", "Rollback to stable ReplicaSets".to_owned());
        }
    } else if new_template && facts.within_window && facts.blue_green.is_none() && facts.new_pods().spec > 0 {
        let message = "Rollback to active ReplicaSets within RollbackWindow".to_owned();
        memory.journal.note("SkipSteps", message);
    }
}

/// What a person wrote since the last plan about an abort: `abortedAt` tells a known abort from a new one.
fn hear_commands(facts: &Facts, memory: &mut Memory) {
    let known = memory.status.aborted_at.is_some();
    if known && memory.status.abort && memory.status.promote_full {
        // `promote --full` after the abort is the newer word.
        memory.forget_abort();
        memory.progressed = true;
    } else if known && !memory.status.abort {
        retry(facts, memory);
    }
}

/// The user took the abort back: the attempt starts again and measures anew.
fn retry(facts: &Facts, memory: &mut Memory) {
    memory.status.aborted_at = None;
    forget_runs(&mut memory.status);
    duration::begin(facts, &mut memory.status);
    memory.progressed = true;
    memory.retrying = true;
}

/// What was measured of an attempt does not count for the next one.
fn forget_runs(status: &mut RolloutStatus) {
    status.canary.current_step_analysis_run_status = None;
    status.canary.current_experiment.clear();
    status.canary.bake = None;
    status.canary.current_background_analysis_run_status = None;
    status.canary.post_promotion_analysis_run_status = None;
    status.canary.step_plugin_statuses = None;
    status.blue_green.pre_promotion_analysis_run_status = None;
    status.blue_green.post_promotion_analysis_run_status = None;
    status.blue_green.scale_up_preview_check_point = false;
}

/// Index that says "all steps done", `None` without steps.
pub(crate) fn last_index(facts: &Facts) -> Option<i32> {
    (!facts.steps.is_empty()).then(|| i32::try_from(facts.steps.len()).unwrap_or(i32::MAX))
}

/// A rollback within the window has no steps, pauses or analyses. Unlike in Argo Rollouts it can be aborted.
fn skip_steps_within_window(facts: &Facts, memory: &mut Memory) {
    if facts.within_window && !memory.aborted() {
        memory.clear_pauses();
        memory.status.current_step_index = last_index(facts);
    }
}

/// Clients write the step index; one beyond the last step means the last, an absent one the first.
fn clamp_step(facts: &Facts, memory: &mut Memory) {
    let last = last_index(facts);
    memory.status.current_step_index =
        last.map(|last| memory.status.current_step_index.unwrap_or(0).clamp(0, last));
}
