//! Holds a metric that cannot be measured through no fault of the rollout: it waits, and nothing counts against it.

use jiff::Timestamp;
use serin_api::{AnalysisPhase, Measurement, MetricResult};

use super::time::{api_time, shown};

/// Key of a measurement's metadata that marks an outage; its value says what is out.
const HELD: &str = "held";

/// Why a metric holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hold {
    /// What is wrong, as a clause: `Prometheus http://prometheus:9090 is unreachable`.
    pub(super) what: String,
    /// Details that may change from attempt to attempt.
    pub(super) why: String,
}

/// The measurement stands for an outage: all attempts of it in one.
pub(super) fn held(measurement: &Measurement) -> bool {
    measurement.phase == AnalysisPhase::Error && measurement.metadata.contains_key(HELD)
}

/// The metric waits for the end of an outage.
pub(super) fn holds(result: &MetricResult) -> bool {
    !result.phase.completed() && result.measurements.last().is_some_and(held)
}

/// Records an attempt that met an outage. Attempts of one outage share one measurement, so that a long one does not
/// push the measured values out of the status.
pub(super) fn record(result: &mut MetricResult, hold: &Hold, at: Timestamp, now: Timestamp) {
    let message =
        if hold.why.is_empty() { hold.what.clone() } else { format!("{}: {}", hold.what, hold.why) };
    match result
        .measurements
        .last_mut()
        .filter(|last| held(last) && last.metadata.get(HELD) == Some(&hold.what))
    {
        Some(last) => {
            last.message = message;
            last.finished_at = Some(api_time(now));
        }
        None => {
            result.error = result.error.saturating_add(1);
            result.measurements.push(Measurement {
                phase: AnalysisPhase::Error,
                message,
                started_at: Some(api_time(at)),
                finished_at: Some(api_time(now)),
                metadata: [(HELD.to_owned(), hold.what.clone())].into(),
                ..Measurement::default()
            });
        }
    }
    let since =
        result.measurements.last().and_then(|last| last.started_at.as_ref()).map_or(now, |since| since.0);
    let why = if hold.why.is_empty() { String::new() } else { format!(" ({})", hold.why) };
    result.phase = AnalysisPhase::Running;
    result.message = format!("{} since {}{why}: the analysis holds", hold.what, shown(since));
}
