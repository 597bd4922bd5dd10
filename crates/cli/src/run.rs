//! Says what an AnalysisRun has measured: how often, against which bar, with which evidence, and why it ended.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use serde::Serialize;
use serin_api::{AnalysisPhase, AnalysisRun, Comparison, Measurement, Metric, MetricResult, label};

/// Errors in a row that are borne when a metric does not say otherwise.
const ERRORS_BORNE: i32 = 4;

/// Measurements of all metrics of a run, by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Successful ones.
    pub successful: i32,
    /// Failed ones.
    pub failed: i32,
    /// Undecided ones.
    pub inconclusive: i32,
    /// Those that could not be made.
    pub error: i32,
}

/// The phase of a run.
pub fn phase(run: &AnalysisRun) -> AnalysisPhase {
    run.status.as_ref().map(|status| status.phase).unwrap_or_default()
}

/// Counts the measurements of a run.
pub fn counts(run: &AnalysisRun) -> Counts {
    results(run).iter().fold(Counts::default(), |sum, result| Counts {
        successful: sum.successful + result.successful,
        failed: sum.failed + result.failed,
        inconclusive: sum.inconclusive + result.inconclusive,
        error: sum.error + result.error,
    })
}

/// What the run is for: `step 3`, `background`.
pub fn role(run: &AnalysisRun) -> String {
    match run.labels().get(label::ROLLOUT_TYPE).map(String::as_str) {
        Some("Step") => {
            let index = run.labels().get(label::STEP_INDEX).and_then(|index| index.parse::<u32>().ok());
            index.map_or_else(|| "step".to_owned(), |index| format!("step {}", index + 1))
        }
        Some("Background") => "background".to_owned(),
        Some("PrePromotion") => "before promotion".to_owned(),
        Some("PostPromotion") => "after promotion".to_owned(),
        _ => "by hand".to_owned(),
    }
}

/// The results by metric, as far as there are any.
pub fn results(run: &AnalysisRun) -> &[MetricResult] {
    run.status.as_ref().map(|status| status.metric_results.as_slice()).unwrap_or_default()
}

/// The specification of a metric of the run.
pub fn metric<'r>(run: &'r AnalysisRun, name: &str) -> Option<&'r Metric> {
    run.spec.metrics.iter().flatten().find(|metric| metric.name == name)
}

/// The last line of every metric: `errors: 0.004 (successful when result[0] < 0.01)`. The reasons of a comparison begin
/// with its name already.
pub fn last_lines(run: &AnalysisRun) -> Vec<String> {
    let line = |result: &MetricResult| {
        let said = said(metric(run, &result.name), result.measurements.last()?);
        let dry = if result.dry_run { " (dry run)" } else { "" };
        let named =
            dry.is_empty() && said.strip_prefix(&result.name).is_some_and(|rest| rest.starts_with(' '));
        Some(if named { said } else { format!("{}{dry}: {said}", result.name) })
    };
    results(run).iter().filter_map(line).collect()
}

/// One measurement in one line: its reasons when it has some, else its value and the bar.
pub fn said(metric: Option<&Metric>, measurement: &Measurement) -> String {
    if measurement.phase == AnalysisPhase::Error {
        let why =
            if measurement.message.is_empty() { "no reason given" } else { measurement.message.as_str() };
        return format!("not measured: {why}");
    }
    if !measurement.message.is_empty() {
        return measurement.message.clone();
    }
    match (value(measurement), metric.map(conditions).filter(|conditions| !conditions.is_empty())) {
        (value, Some(conditions)) => format!("{value} ({})", conditions.join(", ")),
        (value, None) => value.to_owned(),
    }
}

/// The value of a measurement; the brackets of a list of one are left out.
pub fn value(measurement: &Measurement) -> &str {
    let value = measurement.value.as_str();
    match value.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(inner) if !inner.is_empty() && !inner.contains([',', ' ', '[', '{']) => inner,
        _ if value.is_empty() => "no value",
        _ => value,
    }
}

fn conditions(metric: &Metric) -> Vec<String> {
    let success = metric.success_condition.as_ref().map(|condition| format!("successful when {condition}"));
    let failure = metric.failure_condition.as_ref().map(|condition| format!("failed when {condition}"));
    success.into_iter().chain(failure).collect()
}

/// What a metric is held against: `successful when result[0] < 0.01`, `limit +0.5pp, 3 windows in a row`.
pub fn bar(metric: &Metric) -> String {
    match &metric.comparison {
        Some(comparison) => comparison_bar(comparison),
        None => conditions(metric).join(", "),
    }
}

fn comparison_bar(comparison: &Comparison) -> String {
    let Comparison { latency, business_rate, mean, .. } = comparison;
    let limit = if let Some(latency) = latency {
        latency.limit.as_deref().unwrap_or("15%")
    } else if let Some(rate) = business_rate {
        rate.limit.as_deref().unwrap_or("2%")
    } else if let Some(mean) = mean {
        mean.limit.as_deref().unwrap_or("2%")
    } else {
        comparison.error_rate.as_ref().and_then(|rate| rate.limit.as_deref()).unwrap_or("0.5pp")
    };
    let windows = comparison.consecutive_windows.unwrap_or(3);
    format!("canary at most {limit} worse than stable, {windows} windows in a row decide")
}

/// The limit that a metric in this phase has passed, for example `failureLimit 0, failed 1 times`.
pub fn limit(metric: &Metric, result: &MetricResult) -> Option<String> {
    let (name, limit, default, word, count) = match result.phase {
        AnalysisPhase::Failed => ("failureLimit", &metric.failure_limit, 0, "failed", result.failed),
        AnalysisPhase::Inconclusive => {
            ("inconclusiveLimit", &metric.inconclusive_limit, 0, "inconclusive", result.inconclusive)
        }
        AnalysisPhase::Error => (
            "consecutiveErrorLimit",
            &metric.consecutive_error_limit,
            ERRORS_BORNE,
            "errors in a row",
            result.consecutive_error,
        ),
        _ => return None,
    };
    let limit = limit.as_ref().map_or_else(|| default.to_string(), number);
    Some(match result.phase {
        AnalysisPhase::Error => format!("{name} {limit}, {count} {word}"),
        _ => format!("{name} {limit}, {word} {count} {}", if count == 1 { "time" } else { "times" }),
    })
}

fn number(value: &IntOrString) -> String {
    match value {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(text) => text.clone(),
    }
}

/// The metrics that made the run end as it did.
pub fn decisive(run: &AnalysisRun) -> impl Iterator<Item = &MetricResult> {
    let phase = phase(run);
    let bad = matches!(phase, AnalysisPhase::Failed | AnalysisPhase::Error | AnalysisPhase::Inconclusive);
    results(run).iter().filter(move |result| bad && !result.dry_run && result.phase == phase)
}

/// The measurement that decided a metric: the last one with its phase, else the last one.
pub fn deciding(result: &MetricResult) -> Option<&Measurement> {
    let decided = result.measurements.iter().rev().find(|measurement| measurement.phase == result.phase);
    decided.or(result.measurements.last())
}

/// Key in the metadata of a measurement that stands for an outage: all attempts of it in one.
const HELD: &str = "held";

/// The measurement stands for an outage, which counts neither for nor against anything.
pub fn held(measurement: &Measurement) -> bool {
    measurement.phase == AnalysisPhase::Error && measurement.metadata.contains_key(HELD)
}

/// A metric whose last measurement could not be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Unanswered<'r> {
    /// The result so far.
    pub result: &'r MetricResult,
    /// The measurement that could not be made.
    pub measurement: &'r Measurement,
    /// What is measured.
    pub metric: Option<&'r Metric>,
}

impl Unanswered<'_> {
    /// `consecutiveErrorLimit`, or its default.
    pub fn limit(&self) -> String {
        let limit = self.metric.and_then(|metric| metric.consecutive_error_limit.as_ref());
        limit.map_or_else(|| ERRORS_BORNE.to_string(), number)
    }

    /// How long a comparison goes without data before it ends inconclusive; `None` when that does not happen.
    pub fn patience(&self) -> Option<&str> {
        let comparison = self.metric?.comparison.as_ref()?;
        Some(comparison.no_data_timeout.as_deref().unwrap_or("1h")).filter(|patience| *patience != "0")
    }
}

/// The first metric of a running analysis that could not be measured the last time.
pub fn unanswered(run: &AnalysisRun) -> Option<Unanswered<'_>> {
    let running = |result: &&MetricResult| !result.phase.completed() && !result.dry_run;
    results(run).iter().filter(running).find_map(|result| {
        let measurement = result.measurements.last()?;
        let metric = metric(run, &result.name);
        (measurement.phase == AnalysisPhase::Error).then_some(Unanswered { result, measurement, metric })
    })
}

/// Evidence collected against the canary, and how much an abort needs, as the reasons of a look say it
/// (`… evidence 96 of 80 needed …`). A comparison of latencies has a line for each of its questions: the strongest counts.
pub fn evidence(reasons: &str) -> Option<(f64, f64)> {
    reasons.lines().filter_map(of_line).max_by(|(one, _), (other, _)| one.total_cmp(other))
}

fn of_line(reasons: &str) -> Option<(f64, f64)> {
    let (_, tail) = reasons.split_once("evidence ")?;
    let mut words = tail.split_whitespace();
    let have: f64 = words.next()?.parse().ok()?;
    let needed = words.nth(1)?.parse().ok()?;
    // Evidence grows without bound; what no number can hold is more than enough.
    (words.next()? == "needed").then_some((have.min(f64::MAX), needed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::run;
    use serde_json::json;

    #[test]
    fn the_last_line_of_a_metric_says_value_and_bar() {
        assert_eq!(last_lines(&run(json!({}))), ["errors: 0.004 (successful when result[0] < 0.01)"]);
        let measured = |measurement| json!({"status": {"metricResults": [{"name": "errors", "measurements": [measurement]}]}});
        for (measurement, expected) in [
            (
                json!({"phase": "Error", "message": "connection refused"}),
                "errors: not measured: connection refused",
            ),
            (
                json!({"phase": "Successful", "value": "[1,2]"}),
                "errors: [1,2] (successful when result[0] < 0.01)",
            ),
            (
                json!({"phase": "Running", "message": "canary 1.62 % | evidence 12 of 80 needed"}),
                "errors: canary 1.62 % | evidence 12 of 80 needed",
            ),
        ] {
            assert_eq!(last_lines(&run(measured(measurement))), [expected]);
        }
    }

    #[test]
    fn a_run_says_what_it_is_for() {
        let labels = |labels| run(json!({"metadata": {"labels": labels}}));
        assert_eq!(role(&run(json!({}))), "step 3");
        assert_eq!(role(&labels(json!({"rollout-type": "Background"}))), "background");
        assert_eq!(role(&labels(json!({"rollout-type": null}))), "by hand");
    }

    #[test]
    fn the_bar_and_the_passed_limit_are_named() {
        let metric: Metric = serde_json::from_value(json!({
            "name": "errors", "provider": {}, "failureLimit": "2",
            "comparison": {"errorRate": {"requests": "r", "limit": "1pp"}, "consecutiveWindows": 5},
        }))
        .unwrap();
        assert_eq!(bar(&metric), "canary at most 1pp worse than stable, 5 windows in a row decide");
        let result = |change| serde_json::from_value::<MetricResult>(change).unwrap();
        let failed = result(json!({"name": "errors", "phase": "Failed", "failed": 3}));
        assert_eq!(limit(&metric, &failed).unwrap(), "failureLimit 2, failed 3 times");
        let error = result(json!({"name": "errors", "phase": "Error", "consecutiveError": 5}));
        assert_eq!(limit(&metric, &error).unwrap(), "consecutiveErrorLimit 4, 5 errors in a row");
    }

    #[test]
    fn evidence_is_read_from_the_reasons() {
        for (line, expected) in [
            ("breach 3/3 | evidence 96 of 80 needed (mean 24.6 of 20) -> FAIL", Some((96.0, 80.0))),
            ("evidence 0.4 of 80 needed", Some((0.4, 80.0))),
            (
                "p95 | evidence 2 of 80 needed\np99 | evidence 7.5 of 80 needed\nall | evidence 0.1 of 80 needed",
                Some((7.5, 80.0)),
            ),
            ("evidence 8.8e4342 of 80 needed", Some((f64::MAX, 80.0))),
            ("evidence is missing", None),
            ("no word of it", None),
        ] {
            assert_eq!(evidence(line), expected, "{line}");
        }
    }

    #[test]
    fn an_unanswered_query_is_found_only_while_the_metric_runs() {
        let change = |phase| {
            json!({"status": {"metricResults": [{
                "name": "errors", "phase": phase, "measurements": [{"phase": "Error", "message": "refused"}],
            }]}})
        };
        let waiting = run(change("Running"));
        let found = unanswered(&waiting).unwrap();
        assert_eq!((found.limit().as_str(), found.patience(), held(found.measurement)), ("4", None, false));
        assert_eq!(unanswered(&run(change("Error"))), None);
        assert_eq!(unanswered(&run(json!({}))), None);
    }
}
