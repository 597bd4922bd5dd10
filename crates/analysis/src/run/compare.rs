//! Judges the windows of a comparison whose answers are there, one after the other.

use std::collections::BTreeMap;

use serin_api::{AnalysisPhase, Measurement, MetricResult};

use super::hold::{self, Hold};
use super::measure::{self, Attempt};
use super::prepared::Prepared;
use super::schedule;
use super::time::shown;
use super::{Asked, Of, Part};
use crate::comparison::{Answered, Counted, Evidence, MOST_BYTES, Past, Plan, Seen, Span, WINDOW, Window};
use crate::judge::error_rate::{Look, Verdict};
use crate::provider::{Answer, Reply};

/// The answers to the questions about one window; some may still be out.
type Answers<'a> = BTreeMap<Of, &'a Answer>;

/// One comparison with what is known of it.
struct Comparing<'p> {
    prepared: &'p Prepared<'p>,
    plan: &'p Plan,
    place: String,
    evidence: Evidence,
    attempt: Attempt,
}

/// Records the answers to the questions of a comparison. Windows are judged in their order and once each; the first one
/// without an answer ends the look.
pub(super) fn windows(
    (prepared, plan, place): (&Prepared, &Plan, String),
    result: &mut MetricResult,
    asked: &[&Asked],
    (began, now, weight): (jiff::Timestamp, jiff::Timestamp, Option<i32>),
) {
    let begun = schedule::begun(&prepared.limits, began);
    let (evidence, _) = Evidence::of(result.evidence.as_ref(), plan, begun);
    let at = asked.iter().map(|asked| asked.ask.at).min().unwrap_or(now);
    let next = plan.at_or_after(evidence.until);
    let before = evidence.clone();
    let mut comparing = Comparing { prepared, plan, place, evidence, attempt: Attempt { at, now } };
    let mut history = Answers::new();
    let mut by_window: BTreeMap<i64, Answers> = BTreeMap::new();
    for asked in asked {
        match asked.ask.part {
            Part::Window(id, of) => drop(by_window.entry(id).or_default().insert(of, &asked.answer)),
            Part::History(of) => drop(history.insert(of, &asked.answer)),
            Part::Query => {}
        }
    }
    let open = |(id, _): &(i64, Answers)| *id >= next && plan.ready(*id) <= at;
    let open: Vec<(i64, Answers)> = by_window.into_iter().filter(open).collect();
    if !open.is_empty() {
        comparing.evidence.weigh(weight, now.as_second());
    }
    for (id, answers) in open {
        if answers.len() < plan.answers() || !comparing.window(result, id, &answers, &history) {
            break;
        }
        if result.phase.completed() {
            break;
        }
    }
    comparing.lose_patience(result);
    let (silent_since, patience) = (comparing.evidence.silent_since, comparing.plan.patience);
    comparing.evidence.gives_up =
        silent_since.zip(patience).map(|(since, patience)| since.saturating_add(patience));
    if comparing.evidence != before || result.evidence.is_none() {
        result.evidence = comparing.evidence.stored();
    }
}

impl Comparing<'_> {
    /// Deals with one window. `false` when the provider could not tell, so that the window is asked for again.
    fn window(&mut self, result: &mut MetricResult, id: i64, answers: &Answers, history: &Answers) -> bool {
        let span = self.plan.span(id);
        let (answers, notes) = match self.read_all(answers) {
            Ok(read) => read,
            Err(hold) => {
                self.evidence.silent_since.get_or_insert(self.attempt.at.as_second());
                measure::outage(self.prepared, result, hold, self.attempt);
                return false;
            }
        };
        self.remember(history);
        self.evidence.until = span.end;
        if self.evidence.mixed(span.start, span.end) {
            self.evidence.cut = self.evidence.cut.saturating_add(1);
            return true;
        }
        let past = self.evidence.past.clone().unwrap_or_default();
        match self.plan.count(&answers, span, &past) {
            Counted::Both(window) => self.take(result, &window, past, notes, span),
            Counted::Warming => {}
            missing => self.hold(result, self.plan.complaint(&missing), span.start),
        }
        true
    }

    /// What stable was like before, once. The provider answers, so that an answer about the past that cannot be read (too
    /// many samples, for instance) will not become better: usual noise is assumed then, and the reasons say so.
    fn remember(&mut self, history: &Answers) {
        if self.evidence.past.is_none() {
            let complete = history.len() == self.plan.answers();
            let read = complete.then(|| self.read_all(history).ok()).flatten();
            let past = read.map(|(answers, _)| self.plan.past(&answers)).unwrap_or_default();
            self.evidence.past = Some(past);
        }
    }

    fn read_all(&self, answers: &Answers) -> Result<(Vec<Answered>, BTreeMap<String, String>), Hold> {
        let mut all = Vec::new();
        let mut notes = BTreeMap::new();
        for answer in answers.values() {
            let (answered, more) = self.read(answer)?;
            all.push(answered);
            notes.extend(more);
        }
        Ok((all, notes))
    }

    fn read(&self, answer: &Answer) -> Result<(Answered, BTreeMap<String, String>), Hold> {
        let response = measure::reached(&self.place, answer)?;
        self.plan.read(response).map_err(|reply| match reply {
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

    /// Judges a window, unless it must serve as the past that a latency comparison lacks.
    fn take(
        &mut self,
        result: &mut MetricResult,
        window: &Window,
        mut past: Past,
        notes: BTreeMap<String, String>,
        span: Span,
    ) {
        if past.lacks_ladder(&self.plan.asking) {
            past.learn(window, &self.plan.asking);
            self.evidence.past = Some(past);
            self.evidence.began = span.end;
            return;
        }
        self.judge(result, window, notes);
    }

    fn judge(&mut self, result: &mut MetricResult, window: &Window, notes: BTreeMap<String, String>) {
        let seen = match self.evidence.look(self.plan, &self.prepared.name, window) {
            Ok(seen) => seen,
            Err(rejected) => return self.hold(result, rejected.to_string(), window.start()),
        };
        self.evidence.silent_since = None;
        let reasons = seen.reasons();
        let mut metadata = notes;
        metadata.insert(WINDOW.to_owned(), serde_json::to_string(window).unwrap_or_default());
        if self.evidence.cut > 0 {
            metadata.insert(
                "cut".to_owned(),
                format!("{} windows in which the weight changed", self.evidence.cut),
            );
        }
        if !self.evidence.replayable() {
            let note = format!("not kept: the comparisons of the run need more than {MOST_BYTES} bytes");
            metadata.insert("replay".to_owned(), note);
        }
        let measurement = Measurement {
            phase: alone(&seen.looks),
            message: reasons.clone(),
            value: window.shown(self.plan.unit),
            metadata,
            ..Measurement::default()
        };
        measure::push(self.prepared, result, measurement, self.attempt);
        self.conclude(result, &seen, reasons);
    }

    /// The canary fails at any look; it passes only where the comparison was planned to end.
    fn conclude(&mut self, result: &mut MetricResult, seen: &Seen, reasons: String) {
        let ends = self.prepared.limits.count.is_some_and(|count| self.evidence.remaining(count) <= 0);
        if seen.verdict == Verdict::Fail {
            result.phase = AnalysisPhase::Failed;
            result.message = reasons;
        } else if ends && self.evidence.passes(self.plan) {
            result.phase = AnalysisPhase::Successful;
            result.message = reasons;
        } else if ends {
            self.evidence.extensions = self.evidence.extensions.saturating_add(1);
            if self.evidence.extensions > self.prepared.limits.inconclusive {
                result.phase = AnalysisPhase::Inconclusive;
                let (served, least) = (self.evidence.served, self.plan.least);
                let few = if seen.verdict == Verdict::Pass && (served as f64) < least {
                    format!(" (the canary served {served} of the {least} requests that minRequests asks for)")
                } else {
                    String::new()
                };
                result.message = format!("undecided after {} windows{few}: {reasons}", self.evidence.judged);
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

/// What one window says by itself, whatever the others said: within the limits, beyond one of them, or nothing.
fn alone(looks: &[Look]) -> AnalysisPhase {
    if looks.iter().any(|look| look.excess.is_some_and(|excess| excess > 0.0)) {
        AnalysisPhase::Failed
    } else if looks.iter().all(|look| look.excess.is_some()) {
        AnalysisPhase::Successful
    } else {
        AnalysisPhase::Inconclusive
    }
}
