//! Decides what the phases of AnalysisRuns mean for the rollout.

use serin_api::{AnalysisPhase, RolloutAnalysisRunStatus, label};

use crate::facts::Facts;
use crate::gate::Gates;
use crate::memory::{INCONCLUSIVE_ANALYSIS, Memory};
use crate::strategy::blue_green;
use crate::world::AnalysisRun;

mod run;

pub(crate) use run::runs;

/// The places where a rollout is analysed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Background,
    Step,
    PrePromotion,
    PostPromotion,
    /// Of a canary that has all traffic.
    Watch,
}

impl Role {
    const ALL: [Self; 5] =
        [Self::Background, Self::Step, Self::PrePromotion, Self::PostPromotion, Self::Watch];

    fn label(self) -> &'static str {
        match self {
            Self::Background => "Background",
            Self::Step => "Step",
            Self::PrePromotion => "PrePromotion",
            Self::PostPromotion | Self::Watch => "PostPromotion",
        }
    }

    fn abort_prefix(self) -> &'static str {
        match self {
            Self::Background => "Background analysis phase error/failed",
            Self::Step => "Step-based analysis phase error/failed",
            Self::PrePromotion => "Blue/green pre-promotion analysis phase error/failed",
            Self::PostPromotion => "Blue/green post-promotion analysis phase error/failed",
            Self::Watch => "Canary post-promotion analysis phase error/failed",
        }
    }

    fn recorded(self, memory: &mut Memory) -> &mut Option<RolloutAnalysisRunStatus> {
        match self {
            Self::Background => &mut memory.status.canary.current_background_analysis_run_status,
            Self::Step => &mut memory.status.canary.current_step_analysis_run_status,
            Self::PrePromotion => &mut memory.status.blue_green.pre_promotion_analysis_run_status,
            Self::PostPromotion => &mut memory.status.blue_green.post_promotion_analysis_run_status,
            Self::Watch => &mut memory.status.canary.post_promotion_analysis_run_status,
        }
    }

    /// What was measured around a promotion stays in the status until the next revision.
    fn is_kept(self) -> bool {
        matches!(self, Self::PrePromotion | Self::PostPromotion)
    }
}

/// What the analysis of a step says about the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepVerdict {
    Successful,
    Undecided,
}

/// Reads the phases of the recorded runs into the memory: a failed one aborts, an inconclusive one pauses.
pub(crate) fn hear(facts: &Facts, memory: &mut Memory) {
    for role in Role::ALL {
        let Some(recorded) = role.recorded(memory).clone() else {
            continue;
        };
        let Some(run) = facts.world.analysis_runs.iter().find(|run| run.name == recorded.name) else {
            continue;
        };
        if measured(facts, memory) {
            tell_change(memory, role, &recorded, run);
        }
        *role.recorded(memory) = Some(RolloutAnalysisRunStatus {
            name: run.name.clone(),
            status: run.phase,
            message: run.message.clone(),
        });
        if !measured(facts, memory) || !counts(facts, memory, role, run) {
            continue;
        }
        match run.phase {
            AnalysisPhase::Failed | AnalysisPhase::Error if !run.terminating => {
                memory.abort(match run.message.as_str() {
                    "" => role.abort_prefix().to_owned(),
                    message => format!("{}: {message}", role.abort_prefix()),
                });
            }
            AnalysisPhase::Inconclusive if !run.terminating => {
                if memory.resumed() {
                    // At a pause step the same word ends the pause, which takes it.
                    memory.status.controller_pause = at_pause_step(facts, memory);
                    *role.recorded(memory) = None;
                } else {
                    memory.pause(INCONCLUSIVE_ANALYSIS, facts.world.now);
                }
            }
            _ => {}
        }
    }
}

fn at_pause_step(facts: &Facts, memory: &Memory) -> bool {
    let step = memory.step().and_then(|index| facts.steps.get(index));
    step.is_some_and(|step| step.pause.is_some()) && !facts.rollout.spec.paused
}

/// The background analysis while it holds the rollout: its provider is unreachable, or gives no data. Nothing goes
/// forward then by itself; a person may go on, and what is bad is still taken back.
pub(crate) fn holding<'w>(facts: &Facts<'w>, memory: &Memory) -> Option<&'w AnalysisRun> {
    let recorded = memory.status.canary.current_background_analysis_run_status.as_ref()?;
    let run = facts.world.analysis_runs.iter().find(|run| run.name == recorded.name)?;
    (run.holding().is_some() && measured(facts, memory)).then_some(run)
}

/// Closes the gate of a background analysis that holds; whether it does.
pub(crate) fn held(facts: &Facts, memory: &Memory, gates: &mut Gates) -> bool {
    let Some(run) = holding(facts, memory) else {
        return false;
    };
    let until = run.gives_up.filter(|until| *until > facts.world.now);
    let then = match until {
        None => "the rollout goes on by itself",
        Some(_) => "the rollout goes on by itself; if not in time, it pauses for a person",
    };
    let then = format!("{then}; `kubectl serin promote` goes on without evidence");
    gates.wait_until(&format!("the background analysis: {}", run.message), until, &then);
    true
}

/// A run of a step says nothing about another step: a person may have gone on past it.
fn counts(facts: &Facts, memory: &Memory, role: Role, run: &AnalysisRun) -> bool {
    match role {
        Role::Background | Role::Watch => true,
        Role::Step => memory.step().is_some_and(|index| belongs_to_step(run, index)),
        Role::PrePromotion => !blue_green::cut_over(facts, memory),
        Role::PostPromotion => blue_green::cut_over(facts, memory),
    }
}

/// An analysis before or after a promotion is on its way: it decides how long it takes.
pub(crate) fn promotion_run_is_on(memory: &Memory) -> bool {
    let status = &memory.status.blue_green;
    let runs = [&status.pre_promotion_analysis_run_status, &status.post_promotion_analysis_run_status];
    runs.into_iter().flatten().any(|run| !run.status.completed())
}

fn tell_change(memory: &mut Memory, role: Role, recorded: &RolloutAnalysisRunStatus, run: &AnalysisRun) {
    if recorded.status == run.phase || run.phase == AnalysisPhase::Unset {
        return;
    }
    let message = format!(
        "{} Analysis Run '{}' Status New: '{}' Previous: '{}'",
        role.label(),
        run.name,
        run.phase,
        recorded.status
    );
    let reason = format!("AnalysisRun{}", run.phase);
    match run.phase {
        AnalysisPhase::Failed | AnalysisPhase::Error => memory.journal.warn(&reason, message),
        _ => memory.journal.note(&reason, message),
    }
}

/// Analyses count only while a canary is on its way, and not back to a revision that was good.
pub(crate) fn measured(facts: &Facts, memory: &Memory) -> bool {
    !(facts.skips_checks()
        || memory.aborted()
        || memory.promoting_fully()
        || memory.fully_promoted()
        || memory.stable().is_empty())
}

/// What the recorded run of analysis step `index` says.
pub(crate) fn step_verdict(
    facts: &Facts,
    memory: &mut Memory,
    index: usize,
    gates: &mut Gates,
) -> StepVerdict {
    let recorded = memory.status.canary.current_step_analysis_run_status.as_ref();
    let run =
        recorded.and_then(|recorded| facts.world.analysis_runs.iter().find(|run| run.name == recorded.name));
    match run {
        Some(run) if !belongs_to_step(run, index) => {
            memory.status.canary.current_step_analysis_run_status = None;
            StepVerdict::Undecided
        }
        Some(run) if run.phase == AnalysisPhase::Successful => StepVerdict::Successful,
        Some(run) => {
            let until = run.gives_up.filter(|until| *until > facts.world.now && run.holding().is_some());
            let then = match until {
                None => "success goes on, failure takes back",
                Some(_) => {
                    "success goes on, failure takes back; without data until that moment it pauses for a person"
                }
            };
            gates.wait_until(&format!("AnalysisRun {} ({})", run.name, run.phase), until, then);
            StepVerdict::Undecided
        }
        None => {
            gates.wait("the AnalysisRun of this step to start", "it measures");
            StepVerdict::Undecided
        }
    }
}

fn belongs_to_step(run: &AnalysisRun, index: usize) -> bool {
    run.labels.get(label::STEP_INDEX).is_none_or(|step| *step == index.to_string())
}
