//! Holds a metric that cannot be measured through no fault of the rollout: it waits, and nothing counts against it.

use jiff::{SignedDuration, Timestamp};
use serin_api::{AnalysisPhase, Measurement, MetricResult};

use super::time::{api_time, shown};
use super::underway;

/// Key of a measurement's metadata that marks an outage; its value says what is out.
const HELD: &str = "held";
/// Key of the moment at which an outage began that met a measurement underway.
const HELD_SINCE: &str = "heldSince";
/// Time to the next try for a measurement that is underway.
const AGAIN: SignedDuration = SignedDuration::from_secs(10);

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
    matches!(measurement.phase, AnalysisPhase::Error | AnalysisPhase::Running)
        && measurement.metadata.contains_key(HELD)
}

/// The metric waits for the end of an outage.
pub(super) fn holds(result: &MetricResult) -> bool {
    !result.phase.completed() && result.measurements.last().is_some_and(held)
}

/// The outage is over for a measurement that is underway.
pub(super) fn lift(underway: &mut Measurement) {
    underway.metadata.remove(HELD);
    underway.metadata.remove(HELD_SINCE);
}

/// Records an attempt that met an outage. Attempts of one outage share one measurement, so that a long one does not
/// push the measured values out of the status.
pub(super) fn record(result: &mut MetricResult, hold: &Hold, at: Timestamp, now: Timestamp) {
    let message =
        if hold.why.is_empty() { hold.what.clone() } else { format!("{}: {}", hold.what, hold.why) };
    let underway = underway::of(Some(result)).is_some();
    match result
        .measurements
        .last_mut()
        .filter(|last| underway || held(last) && last.metadata.get(HELD) == Some(&hold.what))
    {
        Some(last) if underway => {
            last.message = message;
            last.resume_at = Some(api_time(now.checked_add(AGAIN).unwrap_or(now)));
            last.metadata.insert(HELD.to_owned(), hold.what.clone());
            last.metadata.entry(HELD_SINCE.to_owned()).or_insert_with(|| at.to_string());
        }
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
    let since = result.measurements.last().and_then(since).unwrap_or(now);
    let why = if hold.why.is_empty() { String::new() } else { format!(" ({})", hold.why) };
    result.phase = AnalysisPhase::Running;
    result.message = format!("{} since {}{why}: the analysis holds", hold.what, shown(since));
}

fn since(held: &Measurement) -> Option<Timestamp> {
    match held.metadata.get(HELD_SINCE) {
        Some(since) => since.parse().ok(),
        None => held.started_at.as_ref().map(|since| since.0),
    }
}
