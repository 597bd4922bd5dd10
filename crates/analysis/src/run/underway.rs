//! Keeps a measurement that is underway: its provider works on it, and is asked again later.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serin_api::{AnalysisPhase, Measurement, MetricResult};

use super::hold;
use super::measure::{self, Attempt};
use super::prepared::Prepared;
use super::time::api_time;

/// The measurement of the metric that is underway, if one is.
pub(super) fn of(result: Option<&MetricResult>) -> Option<&Measurement> {
    result?.measurements.last().filter(|last| last.phase == AnalysisPhase::Running)
}

/// Takes the measurement out that is underway.
pub(super) fn take(result: &mut MetricResult) -> Option<Measurement> {
    of(Some(result))?;
    let mut begun = result.measurements.pop()?;
    hold::lift(&mut begun);
    Some(begun)
}

/// Records that the provider works on it, with what is needed to ask it again; begins a measurement when none is
/// underway.
pub(super) fn go_on(
    prepared: &Prepared,
    result: &mut MetricResult,
    notes: BTreeMap<String, String>,
    (resume, attempt): (Option<Timestamp>, Attempt),
) {
    if hold::holds(result) {
        result.message.clear();
    }
    let began = || Measurement { started_at: Some(api_time(attempt.at)), ..Measurement::default() };
    let mut begun = take(result).unwrap_or_else(began);
    begun.phase = AnalysisPhase::Running;
    begun.message.clear();
    begun.resume_at = resume.map(api_time);
    begun.metadata.extend(notes.into_iter().map(|(key, text)| (key, prepared.redact(&text))));
    result.phase = AnalysisPhase::Running;
    result.measurements.push(begun);
}

/// Ends the measurement that is underway, because the metric ends: what was cut off has shown nothing.
pub(super) fn terminate(prepared: &Prepared, result: &mut MetricResult, now: Timestamp) {
    if of(Some(result)).is_none() {
        return;
    }
    let cut = Measurement {
        phase: AnalysisPhase::Inconclusive,
        message: "Metric Terminated".to_owned(),
        ..Measurement::default()
    };
    measure::push(prepared, result, cut, Attempt { at: now, now });
}
