//! Says what the analyses of an update have found so far, and which pods are in trouble.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use serin_api::{AnalysisPhase, AnalysisRun, MetricResult};
use serin_view::pod;

use super::course::Course;
use super::situation::current_runs;
use super::{Evidence, MetricEvidence};
use crate::moment::{clock, span};
use crate::observed::Observed;
use crate::run;

/// Measurements shown of each metric.
const SHOWN: usize = 3;
/// Pods shown.
const PODS: usize = 5;

/// The evidence of the runs that the status names.
pub(super) fn of(seen: &Observed) -> Vec<Evidence> {
    current_runs(seen).map(|run| evidence(seen, run)).collect()
}

fn evidence(seen: &Observed, run: &AnalysisRun) -> Evidence {
    let phase = match run::phase(run) {
        AnalysisPhase::Unset => "not started".to_owned(),
        phase => phase.to_string(),
    };
    let started = run.status.as_ref().and_then(|status| status.started_at.as_ref());
    let running = started.filter(|_| !run::phase(run).completed());
    let state = match running {
        Some(started) => format!("{phase} for {}", span(seen.now.as_second() - started.0.as_second())),
        None => phase,
    };
    let metrics = run::results(run).iter().map(|result| metric(seen, run, result)).collect();
    Evidence { run: run.name_any(), role: run::role(run), state, metrics }
}

fn metric(seen: &Observed, run: &AnalysisRun, result: &MetricResult) -> MetricEvidence {
    let spec = run::metric(run, &result.name);
    let newest = result.measurements.iter().rev().take(SHOWN).rev();
    let lines = newest.map(|measurement| {
        let outage = run::held(measurement);
        let (first, second) = (measurement.started_at.as_ref(), measurement.finished_at.as_ref());
        let at = if outage { first.or(second) } else { second.or(first) };
        let since = if outage { "since " } else { "" };
        let at = at.map(|at| format!("{since}{}  ", clock(at.0, seen.now))).unwrap_or_default();
        format!("{at}{}", run::said(spec, measurement))
    });
    let last = result.measurements.last();
    MetricEvidence {
        state: state(run, result),
        against: last.and_then(|measurement| run::evidence(&measurement.message)),
        course: Course::of(&result.measurements),
        lines: lines.collect(),
    }
}

/// `errors: Running, 2 of 5 measurements, 2 successful`
fn state(run: &AnalysisRun, result: &MetricResult) -> String {
    let metric = run::metric(run, &result.name);
    let of = match metric.and_then(|metric| metric.count.as_ref()) {
        Some(IntOrString::Int(count)) => format!(" of {count}"),
        Some(IntOrString::String(count)) => format!(" of {count}"),
        None => String::new(),
    };
    let dry = if result.dry_run { " (dry run: does not decide)" } else { "" };
    let mut text = format!("{}{dry}: {}, {}{of} measurements", result.name, result.phase, result.count);
    for (count, word) in [
        (result.successful, "successful"),
        (result.failed, "failed"),
        (result.inconclusive, "inconclusive"),
        (result.error, "not made"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {count} {word}"));
        }
    }
    text
}

/// Pods of the Rollout that are not ready, with the reason.
pub(super) fn unready_pods(seen: &Observed) -> Vec<String> {
    let terminating = |pod: &&k8s_openapi::api::core::v1::Pod| pod.metadata.deletion_timestamp.is_some();
    let unready: Vec<_> = seen.pods.iter().filter(|pod| !terminating(pod) && !pod::ready(pod)).collect();
    let mut lines: Vec<_> = unready
        .iter()
        .take(PODS)
        .map(|pod| {
            let restarts = match pod::restarts(pod) {
                0 => String::new(),
                restarts => format!(", restarts {restarts}"),
            };
            let why = pod::trouble(pod).map(|why| format!(": {why}")).unwrap_or_default();
            format!("{} {}{restarts}{why}", pod.name_any(), pod::word(pod))
        })
        .collect();
    if unready.len() > PODS {
        lines.push(format!("and {} more", unready.len() - PODS));
    }
    lines
}
