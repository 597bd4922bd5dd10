//! Says what a burst came to, limit by limit.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::{Answer, Burst, Expected, Limits, Outcome};
use crate::paint::{Paint, Tone, columns};

/// What a burst came to. Latencies are in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The method and the address, without a password.
    pub target: String,
    /// Requests that were sent.
    pub requests: usize,
    /// Requests that were asked for; more than were sent when the time was over before.
    pub planned: usize,
    /// How many at a time.
    pub concurrency: usize,
    /// How long it took.
    pub seconds: f64,
    /// How requests failed, and how many did.
    pub errors: BTreeMap<String, usize>,
    /// What was measured, with its limit.
    pub checks: Vec<Check>,
    /// What to know about the numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// No limit was broken.
    pub passed: bool,
}

/// One number and its limit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// `error-rate`, `p50`, `p95`, `p99`.
    pub name: &'static str,
    /// The number; absent when nothing was answered.
    pub value: Option<f64>,
    /// Its limit, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// It is beyond its limit, or is not known and has one.
    pub breached: bool,
}

/// Reports on the answers to a burst.
pub fn report(
    burst: &Burst,
    expected: &Expected,
    limits: &Limits,
    answers: &[Answer],
    took: Duration,
) -> Report {
    let errors = errors(expected, answers, burst.timeout);
    let failed: usize = errors.values().sum();
    let mut latencies: Vec<Duration> = answers
        .iter()
        .filter(|answer| !matches!(answer.outcome, Outcome::Broken(_)))
        .map(|answer| answer.took)
        .collect();
    latencies.sort_unstable();
    let rate = (!answers.is_empty()).then(|| failed as f64 / answers.len() as f64);
    let mut checks = vec![check("error-rate", rate, Some(limits.error_rate))];
    for (name, percent, limit) in [("p50", 50, limits.p50), ("p95", 95, limits.p95), ("p99", 99, limits.p99)]
    {
        let value = quantile(&latencies, percent).map(|value| value.as_secs_f64());
        checks.push(check(name, value, limit.map(|limit| limit.as_secs_f64())));
    }
    Report {
        target: format!("{} {}", burst.method, without_password(&burst.url)),
        requests: answers.len(),
        planned: burst.requests,
        concurrency: burst.concurrency,
        seconds: took.as_secs_f64(),
        passed: checks.iter().all(|check| !check.breached),
        notes: notes(burst, limits, answers.len(), latencies.len()),
        errors,
        checks,
    }
}

fn check(name: &'static str, value: Option<f64>, limit: Option<f64>) -> Check {
    let breached = limit.is_some_and(|limit| value.is_none_or(|value| value > limit));
    Check { name, value, limit, breached }
}

fn errors(expected: &Expected, answers: &[Answer], timeout: Duration) -> BTreeMap<String, usize> {
    let mut errors = BTreeMap::new();
    for answer in answers {
        let kind = match &answer.outcome {
            Outcome::Status(status) if expected.has(*status) => continue,
            Outcome::Status(status) => format!("status {status}, not {expected}"),
            Outcome::Late => format!("no answer within {}", milliseconds(timeout.as_secs_f64())),
            Outcome::Broken(why) => why.clone(),
        };
        *errors.entry(kind).or_insert(0) += 1;
    }
    errors
}

/// The smallest latency that at least `percent` of a hundred requests keep (nearest rank).
fn quantile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

fn notes(burst: &Burst, limits: &Limits, sent: usize, measured: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if sent < burst.requests {
        notes.push(format!(
            "the time was over after {sent} of {} requests; --duration gives more, --concurrency sends faster",
            burst.requests
        ));
    }
    if limits.p99.is_some() && (1..100).contains(&measured) {
        notes
            .push(format!("p99 of {measured} requests is the slowest one; --requests 100 or more says more"));
    }
    notes
}

fn without_password(url: &reqwest::Url) -> String {
    let mut url = url.clone();
    if url.password().is_some() && url.set_password(None).is_err() {
        return String::new();
    }
    url.to_string()
}

/// The report for people.
pub fn text(report: &Report, paint: Paint) -> String {
    let rate = if report.seconds > 0.0 { report.requests as f64 / report.seconds } else { 0.0 };
    let mut text = format!(
        "{}: {} requests in {:.1} s ({rate:.0} a second, {} at a time)\n",
        report.target, report.requests, report.seconds, report.concurrency
    );
    let plain = |text: String| (text, Tone::Plain);
    let lines: Vec<_> = report
        .checks
        .iter()
        .map(|check| {
            let shown =
                |value: f64| if check.name == "error-rate" { percent(value) } else { milliseconds(value) };
            let limit = check.limit.map(|limit| format!("limit {}", shown(limit)));
            let word = match (check.limit, check.breached) {
                (None, _) => ("", Tone::Quiet),
                (Some(_), false) => ("ok", Tone::Good),
                (Some(_), true) => ("BREACH", Tone::Bad),
            };
            vec![
                plain(format!("  {}", check.name)),
                plain(check.value.map_or_else(|| "nothing measured".to_owned(), shown)),
                plain(limit.unwrap_or_default()),
                (word.0.to_owned(), word.1),
            ]
        })
        .collect();
    text.push_str(&columns(paint, &lines));
    for (kind, count) in &report.errors {
        text.push_str(&format!("  {count} of {} failed: {kind}\n", report.requests));
    }
    for note in &report.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}

fn percent(share: f64) -> String {
    format!("{} %", (share * 10_000.0).round() / 100.0)
}

fn milliseconds(seconds: f64) -> String {
    match seconds * 1000.0 {
        small if small < 10.0 => format!("{small:.1} ms"),
        middle if middle < 10_000.0 => format!("{middle:.0} ms"),
        _ => format!("{seconds:.1} s"),
    }
}
