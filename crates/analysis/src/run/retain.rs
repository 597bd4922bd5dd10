//! Forgets measurements and runs that have become old.

use jiff::{SignedDuration, Timestamp};
use serin_api::{AnalysisPhase, AnalysisRun, AnalysisRunStatus, MetricResult};

use super::prepared::Prepared;
use super::schedule::later;
use crate::comparison::{Evidence, MOST_BYTES, window_of};

/// Drops the oldest measurements beyond those that the metric keeps.
pub(super) fn measurements(prepared: &Prepared, result: &mut MetricResult) {
    let excess = result.measurements.len().saturating_sub(prepared.kept);
    if excess == 0 {
        return;
    }
    let dropped: Vec<_> = result.measurements.drain(..excess).collect();
    let Some(plan) = prepared.comparison() else {
        return;
    };
    let (mut evidence, edited) = Evidence::of(result.evidence.as_ref(), plan, 0);
    if result.evidence.is_none() || edited {
        return;
    }
    for window in dropped.iter().filter_map(window_of) {
        evidence.forget(plan, &window);
    }
    result.evidence = evidence.stored();
}

/// Keeps the evidence of all comparisons of a run within [`MOST_BYTES`]: what an earlier version wrote at length is written
/// again; then the beginning of a replay goes, of the largest one first. What verdicts depend on never goes; the number of
/// questions in a run is limited for it.
pub(super) fn evidence(prepared: &[Prepared], status: &mut AnalysisRunStatus) {
    let size = |result: &MetricResult| result.evidence.as_ref().map_or(0, |stored| stored.to_string().len());
    let fits =
        |status: &AnalysisRunStatus| status.metric_results.iter().map(size).sum::<usize>() <= MOST_BYTES;
    if fits(status) {
        return;
    }
    for result in &mut status.metric_results {
        if let Some(evidence) = known(prepared, result) {
            result.evidence = evidence.stored();
        }
    }
    while !fits(status) {
        let largest = status.metric_results.iter_mut().filter_map(|result| {
            let evidence = known(prepared, result).filter(Evidence::replayable)?;
            Some((size(result), result, evidence))
        });
        let Some((_, result, mut evidence)) = largest.max_by_key(|(size, _, _)| *size) else { break };
        evidence.shorten();
        result.evidence = evidence.stored();
    }
}

fn known(prepared: &[Prepared], result: &MetricResult) -> Option<Evidence> {
    let plan = prepared.iter().find(|prepared| prepared.name == result.name)?.comparison()?;
    let stored = result.evidence.as_ref()?;
    let (evidence, edited) = Evidence::of(Some(stored), plan, 0);
    (!edited).then_some(evidence)
}

/// When a run that is over is deleted, if ever.
pub(super) fn expiry(run: &AnalysisRun, status: &AnalysisRunStatus) -> Option<Timestamp> {
    let ttl = run.spec.ttl_strategy.as_ref()?;
    let completed = status.completed_at.as_ref()?.0;
    let special = match status.phase {
        AnalysisPhase::Successful => ttl.seconds_after_success,
        AnalysisPhase::Failed | AnalysisPhase::Error => ttl.seconds_after_failure,
        _ => None,
    };
    let seconds = special.or(ttl.seconds_after_completion)?;
    Some(later(completed, SignedDuration::from_secs(i64::from(seconds))))
}
