//! Forgets measurements and runs that have become old.

use jiff::{SignedDuration, Timestamp};
use serin_api::{AnalysisPhase, AnalysisRun, AnalysisRunStatus, MetricResult};

use super::prepared::Prepared;
use super::schedule::later;
use crate::comparison::{Evidence, window_of};

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
