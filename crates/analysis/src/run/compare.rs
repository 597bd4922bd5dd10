//! Judges the windows of a comparison whose answers are there, one after the other.

use std::collections::BTreeMap;

use serin_api::{AnalysisPhase, Measurement, MetricResult};

use super::hold::{self, Hold};
use super::measure::{self, Attempt};
use super::prepared::Prepared;
use super::schedule;
use super::time::shown;
use super::{Asked, Part};
use crate::comparison::{Counted, ErrorRate, Evidence, WINDOW, count};
use crate::judge::error_rate::{Arm, Look, Verdict, Window, line};
use crate::provider::prometheus::answer::{Series, series};
use crate::provider::{Answer, Provider, Reply};

/// A window's two answers; either may still be out.
#[derive(Default)]
struct Answers<'a> {
    requests: Option<&'a Answer>,
    errors: Option<&'a Answer>,
}

/// One comparison with what is known of it.
struct Comparing<'p> {
    prepared: &'p Prepared<'p>,
    plan: &'p ErrorRate,
    place: String,
    evidence: Evidence,
    attempt: Attempt,
}

/// Records the answers to the questions of a comparison. Windows are judged in their order and once each; the first one
/// without an answer ends the look.
pub(super) fn windows(
    prepared: &Prepared,
    plan: &ErrorRate,
    provider: &dyn Provider,
    result: &mut MetricResult,
    asked: &[&Asked],
    (began, now): (jiff::Timestamp, jiff::Timestamp),
) {
    let begun = schedule::begun(&prepared.limits, began);
    let (evidence, _) = Evidence::of(result.evidence.as_ref(), plan, begun);
    let at = asked.iter().map(|asked| asked.ask.at).min().unwrap_or(now);
    let mut comparing = Comparing {
        prepared,
        plan,
        place: provider.place(),
        evidence: evidence.clone(),
        attempt: Attempt { at, now },
    };
    let next = plan.at_or_after(evidence.until);
    let mut by_window: BTreeMap<i64, Answers> = BTreeMap::new();
    for asked in asked {
        match asked.ask.part {
            Part::Requests(id) => by_window.entry(id).or_default().requests = Some(&asked.answer),
            Part::Errors(id) => by_window.entry(id).or_default().errors = Some(&asked.answer),
            Part::Query => {}
        }
    }
    for (id, answers) in by_window.into_iter().filter(|(id, _)| *id >= next && plan.ready(*id) <= at) {
        let (Some(requests), Some(errors)) = (answers.requests, answers.errors) else {
            break;
        };
        if !comparing.window(result, id, requests, errors) || result.phase.completed() {
            break;
        }
    }
    comparing.lose_patience(result);
    if comparing.evidence != evidence || result.evidence.is_none() {
        result.evidence = comparing.evidence.stored();
    }
}

impl Comparing<'_> {
    /// Deals with one window. `false` when the provider could not tell, so that the window is asked for again.
    fn window(&mut self, result: &mut MetricResult, id: i64, requests: &Answer, errors: &Answer) -> bool {
        let span = self.plan.span(id);
        let both = self.read(requests).and_then(|requests| Ok((requests, self.read(errors)?)));
        let ((requests, notes), (errors, _)) = match both {
            Ok(both) => both,
            Err(hold) => {
                self.evidence.silent_since.get_or_insert(self.attempt.at.as_second());
                measure::outage(self.prepared, result, hold, self.attempt);
                return false;
            }
        };
        self.evidence.until = span.end;
        match count(&requests, &errors, &self.plan.labels, span) {
            Counted::Both(window) => self.judge(result, &window, notes),
            missing => self.hold(result, self.plan.complaint(&missing), span.start),
        }
        true
    }

    fn read(&self, answer: &Answer) -> Result<(Vec<Series>, BTreeMap<String, String>), Hold> {
        let response = measure::reached(&self.place, answer)?;
        series(response).map_err(|reply| match reply {
            Reply::Down(why) => measure::unreachable(&self.place, &why),
            Reply::Malformed(why) => Hold { what: format!("{} refuses the query", self.place), why },
            Reply::NoData | Reply::Samples(_) | Reply::Judged(_) | Reply::Underway { .. } => {
                Hold { what: format!("{} answers something else", self.place), why: String::new() }
            }
        })
    }

    fn hold(&mut self, result: &mut MetricResult, what: String, since: i64) {
        self.evidence.silent_since.get_or_insert(since);
        let hold = Hold { what: self.prepared.redact(&what), why: String::new() };
        hold::record(result, &hold, self.attempt.at, self.attempt.now);
    }

    fn judge(&mut self, result: &mut MetricResult, window: &Window, notes: BTreeMap<String, String>) {
        let look = match self.evidence.look(self.plan, window) {
            Ok(look) => look,
            Err(rejected) => return self.hold(result, rejected.to_string(), window.start),
        };
        self.evidence.silent_since = None;
        let settings = self.evidence.settings(self.plan);
        let reasons = line(&self.prepared.name, &settings, window, &look, look.mean_e.ln());
        let mut metadata = notes;
        metadata.insert(WINDOW.to_owned(), serde_json::to_string(window).unwrap_or_default());
        let measurement = Measurement {
            phase: alone(&look, settings.limit),
            message: reasons.clone(),
            value: format!("canary {} stable {}", share(window.canary), share(window.stable)),
            metadata,
            ..Measurement::default()
        };
        measure::push(self.prepared, result, measurement, self.attempt);
        self.conclude(result, &look, reasons);
    }

    /// The canary fails at any look; it passes only where the comparison was planned to end.
    fn conclude(&mut self, result: &mut MetricResult, look: &Look, reasons: String) {
        let ends = self.prepared.limits.count.is_some_and(|count| self.evidence.remaining(count) <= 0);
        if look.verdict == Verdict::Fail {
            result.phase = AnalysisPhase::Failed;
            result.message = reasons;
        } else if ends && self.evidence.passes() {
            result.phase = AnalysisPhase::Successful;
            result.message = reasons;
        } else if ends {
            self.evidence.extensions = self.evidence.extensions.saturating_add(1);
            if self.evidence.extensions > self.prepared.limits.inconclusive {
                result.phase = AnalysisPhase::Inconclusive;
                result.message = format!("undecided after {} windows: {reasons}", self.evidence.judged);
            }
        }
    }

    fn lose_patience(&self, result: &mut MetricResult) {
        let (Some(patience), Some(since)) = (self.plan.patience, self.evidence.silent_since) else {
            return;
        };
        let now = self.attempt.now;
        if result.phase.completed() || now.as_second().saturating_sub(since) < patience {
            return;
        }
        let since = jiff::Timestamp::from_second(since).unwrap_or(now);
        let last = result.measurements.last().map(|last| last.message.as_str()).unwrap_or_default();
        result.phase = AnalysisPhase::Inconclusive;
        result.message = format!("no data since {}, longer than noDataTimeout: {last}", shown(since));
    }
}

/// What one window says by itself, whatever the others said: within the limit, beyond it, or nothing.
fn alone(look: &Look, limit: f64) -> AnalysisPhase {
    match look.window_delta {
        Some(delta) if delta > limit => AnalysisPhase::Failed,
        Some(_) => AnalysisPhase::Successful,
        None => AnalysisPhase::Inconclusive,
    }
}

fn share(arm: Arm) -> String {
    if arm.requests > 0.0 {
        format!("{:.2}%", arm.errors / arm.requests * 100.0)
    } else {
        "without requests".to_owned()
    }
}
