//! Decides when a metric is to be measured next.

use jiff::{SignedDuration, Timestamp};
use serin_api::{AnalysisPhase, Measurement, MetricResult};

use super::hold;
use crate::comparison::{Evidence, Plan};
use crate::limit::Limits;

/// Time from an error to the next attempt, whatever the interval.
const ERROR_RETRY: SignedDuration = SignedDuration::from_secs(10);

/// When the metric is due; `None` when it will not be measured again.
pub(super) fn next(
    limits: &Limits,
    plan: Option<&Plan>,
    result: Option<&MetricResult>,
    began: Timestamp,
) -> Option<Timestamp> {
    if result.is_some_and(|result| result.phase.completed()) {
        return None;
    }
    match plan {
        Some(plan) => next_window(limits, plan, result, began),
        None => next_query(limits, result, began),
    }
}

fn next_query(limits: &Limits, result: Option<&MetricResult>, began: Timestamp) -> Option<Timestamp> {
    let Some(last) = result.and_then(|result| result.measurements.last()) else {
        return Some(later(began, limits.initial_delay));
    };
    if last.phase == AnalysisPhase::Running {
        return Some(last.resume_at.as_ref().map_or(began, |resume| resume.0));
    }
    let finished = finished(last, began);
    if last.phase == AnalysisPhase::Error {
        return Some(later(finished, retry(limits, last)));
    }
    let count = result.map_or(0, |result| result.count);
    if limits.count.is_some_and(|limit| count >= limit) {
        return None;
    }
    limits.interval.map(|interval| later(finished, interval))
}

fn next_window(
    limits: &Limits,
    plan: &Plan,
    result: Option<&MetricResult>,
    began: Timestamp,
) -> Option<Timestamp> {
    let begun = begun(limits, began);
    let (evidence, _) = Evidence::of(result.and_then(|result| result.evidence.as_ref()), plan, begun);
    let ready = plan.ready(plan.at_or_after(evidence.until));
    let last = result.and_then(|result| result.measurements.last()).filter(|last| hold::held(last));
    Some(match last {
        Some(last) => ready.max(later(finished(last, began), retry(limits, last))),
        None => ready,
    })
}

/// From when on windows count, seconds since 1970.
pub(super) fn begun(limits: &Limits, began: Timestamp) -> i64 {
    later(began, limits.initial_delay).as_second()
}

fn retry(limits: &Limits, last: &Measurement) -> SignedDuration {
    match limits.interval {
        Some(interval) if hold::held(last) => interval.min(ERROR_RETRY),
        _ => ERROR_RETRY,
    }
}

fn finished(measurement: &Measurement, otherwise: Timestamp) -> Timestamp {
    let at = measurement.finished_at.as_ref().or(measurement.started_at.as_ref());
    at.map_or(otherwise, |at| at.0)
}

pub(super) fn later(moment: Timestamp, by: SignedDuration) -> Timestamp {
    moment.checked_add(by).unwrap_or(Timestamp::MAX)
}
