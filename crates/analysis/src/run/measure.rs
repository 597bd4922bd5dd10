//! Turns one answer to a metric's query into one measurement, and keeps the counters.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serin_api::{AnalysisPhase, Measurement, MetricResult};

use super::hold::{self, Hold};
use super::prepared::{Prepared, Unaskable};
use super::time::api_time;
use super::underway;
use crate::condition::{Opinion, judge};
use crate::provider::{Answer, Judged, Look, Reply, Response, excerpt, shortened};
use crate::validate::Measured;

/// Characters of a message and of a value that the status keeps: ten measurements of many metrics must fit into one
/// object of 1.5 MB.
const LONGEST_MESSAGE: usize = 2000;
const LONGEST_VALUE: usize = 4000;

/// The two ends of one attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    /// When it was asked.
    pub(super) at: Timestamp,
    /// When its answer was heard.
    pub(super) now: Timestamp,
}

/// Records the answer to the query of a metric.
pub(super) fn query(prepared: &Prepared, result: &mut MetricResult, answer: &Answer, attempt: Attempt) {
    let provider = match prepared.provider() {
        Ok(provider) => provider,
        Err(unaskable) => return unasked(prepared, result, &unaskable, attempt),
    };
    if let Answer::Refused(why) = answer {
        return error(prepared, result, why.clone(), attempt);
    }
    let response = match reached(&provider.place(), answer) {
        Ok(response) => response,
        Err(hold) => return outage(prepared, result, hold, attempt),
    };
    let begun = underway::of(Some(result)).map(|begun| begun.metadata.clone()).unwrap_or_default();
    let (mut metadata, mut shown) = (BTreeMap::new(), None);
    let measured = match provider.reply(&Look { at: attempt.at, underway: &begun }, response) {
        Reply::Down(why) => return outage(prepared, result, unreachable(&provider.place(), &why), attempt),
        Reply::Malformed(why) => return error(prepared, result, why, attempt),
        Reply::NoData => None,
        Reply::Underway { notes, after } => {
            let resume = attempt.now.checked_add(after).unwrap_or(attempt.now);
            return underway::go_on(prepared, result, notes, (Some(resume), attempt));
        }
        Reply::Judged(Judged { phase, value, message, notes: metadata }) => {
            let judged = Measurement { phase, message, value, metadata, ..Measurement::default() };
            return push(prepared, result, judged, attempt);
        }
        Reply::Samples(sampled) => {
            metadata = sampled.notes;
            shown = sampled.shown;
            Some(sampled.result)
        }
    };
    let (success, failure) = match &prepared.measured {
        Measured::Query { success, failure } => (success.as_ref(), failure.as_ref()),
        Measured::Comparison(_) => (None, None),
    };
    let Opinion { phase, message } = judge(success, failure, measured.as_ref(), attempt.now);
    let value = shown.or(measured.map(|samples| samples.printed())).unwrap_or_default();
    push(
        prepared,
        result,
        Measurement { phase, message, value, metadata, ..Measurement::default() },
        attempt,
    );
}

/// Records that nobody could be asked.
pub(super) fn unasked(
    prepared: &Prepared,
    result: &mut MetricResult,
    unaskable: &Unaskable,
    attempt: Attempt,
) {
    match unaskable {
        Unaskable::Secret(missing) => {
            outage(prepared, result, Hold { what: missing.clone(), why: String::new() }, attempt);
        }
        Unaskable::Problem(problem) => error(prepared, result, problem.to_string(), attempt),
    }
}

/// The response, or the outage that an unreachable provider is.
pub(super) fn reached<'a>(place: &str, answer: &'a Answer) -> Result<&'a Response, Hold> {
    match answer {
        Answer::Response(response) => Ok(response),
        Answer::Unreachable(why) => Err(unreachable(place, why)),
        Answer::Refused(why) => {
            Err(Hold { what: format!("the login at {place} is refused"), why: excerpt(why) })
        }
    }
}

pub(super) fn unreachable(place: &str, why: &str) -> Hold {
    Hold { what: format!("{place} is unreachable"), why: excerpt(why) }
}

/// An outage holds the metric, unless the metric itself limits errors in a row: then it is an error like others.
pub(super) fn outage(prepared: &Prepared, result: &mut MetricResult, hold: Hold, attempt: Attempt) {
    let hold = Hold { what: prepared.redact(&hold.what), why: prepared.redact(&hold.why) };
    if prepared.limits.consecutive_error.is_some() {
        error(prepared, result, format!("{}: {}", hold.what, hold.why), attempt);
    } else {
        hold::record(result, &hold, attempt.at, attempt.now);
    }
}

/// Records an attempt that did not measure.
pub(super) fn error(prepared: &Prepared, result: &mut MetricResult, message: String, attempt: Attempt) {
    let measurement = Measurement { phase: AnalysisPhase::Error, message, ..Measurement::default() };
    push(prepared, result, measurement, attempt);
}

/// Adds a finished measurement and counts it; one that was underway ends with it.
pub(super) fn push(
    prepared: &Prepared,
    result: &mut MetricResult,
    measurement: Measurement,
    attempt: Attempt,
) {
    if hold::holds(result) {
        result.message.clear();
    }
    tally(result, measurement.phase);
    if result.phase == AnalysisPhase::Unset {
        result.phase = AnalysisPhase::Running;
    }
    let begun = underway::take(result);
    let mut metadata = begun.as_ref().map(|begun| begun.metadata.clone()).unwrap_or_default();
    metadata.extend(measurement.metadata.into_iter().map(|(key, text)| (key, prepared.redact(&text))));
    let started = begun.and_then(|begun| begun.started_at);
    result.measurements.push(Measurement {
        message: shortened(prepared.redact(&measurement.message), LONGEST_MESSAGE),
        value: shortened(prepared.redact(&measurement.value), LONGEST_VALUE),
        metadata,
        started_at: started.or_else(|| Some(api_time(attempt.at.min(attempt.now)))),
        finished_at: Some(api_time(attempt.now)),
        ..measurement
    });
}

/// Errors do not use up `count`.
fn tally(result: &mut MetricResult, phase: AnalysisPhase) {
    let up = |counter: &mut i32| *counter = counter.saturating_add(1);
    match phase {
        AnalysisPhase::Successful => {
            up(&mut result.successful);
            up(&mut result.consecutive_success);
        }
        AnalysisPhase::Failed => up(&mut result.failed),
        AnalysisPhase::Inconclusive => up(&mut result.inconclusive),
        AnalysisPhase::Error => {
            up(&mut result.error);
            up(&mut result.consecutive_error);
            result.consecutive_success = 0;
            return;
        }
        AnalysisPhase::Unset | AnalysisPhase::Pending | AnalysisPhase::Running => return,
    }
    up(&mut result.count);
    result.consecutive_error = 0;
    if phase != AnalysisPhase::Successful {
        result.consecutive_success = 0;
    }
}
