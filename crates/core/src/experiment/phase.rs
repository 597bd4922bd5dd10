//! Decides the phase of an Experiment from those of its templates and analyses.

use serin_api::AnalysisPhase;

use super::Memory;
use super::facts::{Facts, required_successful};
use crate::time::api_time;

/// Phase and message.
type Said = (AnalysisPhase, String);

/// Brings the phase up to date. One that has come to its end stays.
pub(super) fn assess(facts: &Facts, memory: &mut Memory) {
    match memory.status.phase {
        AnalysisPhase::Unset => memory.status.phase = AnalysisPhase::Pending,
        AnalysisPhase::Pending | AnalysisPhase::Running => go_on(facts, memory),
        _ => {}
    }
}

fn go_on(facts: &Facts, memory: &mut Memory) {
    let (templates, analyses) = (of_templates(facts, memory), of_analyses(facts, memory));
    if templates.0 == AnalysisPhase::Running && memory.status.available_at.is_none() {
        memory.status.available_at = Some(api_time(facts.world.now));
    }
    let required = facts.analyses.iter().any(|analysis| analysis.required_for_completion);
    let (ended, measured) = (templates.0.completed(), analyses.0.completed());
    let by_analyses = match templates.0 {
        AnalysisPhase::Successful if required && !measured && facts.ending => {
            let message = "it was terminated before its required analyses were completed".to_owned();
            (memory.status.phase, memory.status.message) = (AnalysisPhase::Inconclusive, message);
            return;
        }
        AnalysisPhase::Successful => measured || required,
        _ if ended => false,
        _ => {
            measured && analyses.0 != AnalysisPhase::Successful
                || required_successful(&facts.analyses, &memory.status)
        }
    };
    (memory.status.phase, memory.status.message) = if by_analyses { analyses } else { templates };
    if memory.status.phase == AnalysisPhase::Running {
        wait(facts, memory, ended);
    }
}

/// What a running experiment waits for.
fn wait(facts: &Facts, memory: &mut Memory, ended: bool) {
    let end = memory.status.available_at.as_ref().and_then(|since| {
        let run_time = facts.experiment.spec.run_time()?.ok()?;
        Some((since.0, since.0.checked_add(run_time).ok()?))
    });
    let pending = facts.analyses.iter().filter(|analysis| analysis.required_for_completion);
    let pending: Vec<_> = pending.map(|analysis| format!("'{}'", analysis.name)).collect();
    // Past its end it waits for an analysis, which says so.
    if let Some((since, end)) = end.filter(|(_, end)| !ended && *end > facts.world.now) {
        memory.wake_after(facts.world.now, end);
        memory.gates.until("the time of the experiment to be over", since, end, "it is successful");
    }
    if !pending.is_empty() {
        let names = pending.join(", ");
        memory.gates.wait(
            &format!("the required analyses {names}"),
            "the experiment ends as they do; if one fails, or is undecided, at once",
        );
    } else if end.is_none() {
        let then =
            "it has neither duration nor required analyses; `kubectl serin terminate experiment` ends it";
        memory.gates.hold("a person, or a failed analysis", then);
    }
}

/// The worst of the templates.
fn of_templates(facts: &Facts, memory: &Memory) -> Said {
    const ORDER: [&str; 5] = ["Successful", "Running", "Progressing", "Error", "Failed"];
    let mut worst = (0, String::new());
    for template in &facts.templates {
        let known = memory.status.template(&template.name);
        let word = known.and_then(|known| known.status.as_deref()).unwrap_or("Progressing");
        let rank = ORDER.iter().position(|known| *known == word).unwrap_or(2);
        if rank > worst.0 {
            worst = (rank, known.and_then(|known| known.message.clone()).unwrap_or_default());
        }
    }
    let phase = match worst.0 {
        0 => AnalysisPhase::Successful,
        1 => AnalysisPhase::Running,
        2 => AnalysisPhase::Pending,
        3 => AnalysisPhase::Error,
        _ => AnalysisPhase::Failed,
    };
    (phase, worst.1)
}

/// The worst of the analyses; one that has not begun is still to be measured.
fn of_analyses(facts: &Facts, memory: &Memory) -> Said {
    let rank = |phase: AnalysisPhase| match phase {
        AnalysisPhase::Successful => 0,
        AnalysisPhase::Unset | AnalysisPhase::Pending | AnalysisPhase::Running => 1,
        AnalysisPhase::Inconclusive => 2,
        AnalysisPhase::Error => 3,
        AnalysisPhase::Failed => 4,
    };
    let mut worst = (AnalysisPhase::Successful, String::new());
    for analysis in &facts.analyses {
        let known = memory.status.analysis(&analysis.name);
        let phase = known.map_or(AnalysisPhase::Unset, |known| known.phase);
        if rank(phase) > rank(worst.0) {
            worst = (phase, known.map(|known| known.message.clone()).unwrap_or_default());
        }
    }
    if rank(worst.0) == 1 {
        if required_successful(&facts.analyses, &memory.status) {
            return (AnalysisPhase::Successful, "Required AnalysisRuns completed".to_owned());
        }
        worst.0 = AnalysisPhase::Running;
    }
    worst
}

/// Tells a change of the phase.
pub(super) fn tell(before: AnalysisPhase, memory: &mut Memory) {
    let after = memory.status.phase;
    if before == after {
        return;
    }
    let (reason, message) =
        (format!("Experiment{after}"), format!("Experiment transitioned from {before} -> {after}"));
    match after {
        AnalysisPhase::Failed | AnalysisPhase::Error | AnalysisPhase::Inconclusive => {
            memory.journal.warn(&reason, message);
        }
        _ => memory.journal.note(&reason, message),
    }
}
