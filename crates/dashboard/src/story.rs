//! Says what an AnalysisRun has found: every look with its reasons, what it is held against, and a chart of it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde::Serialize;
use serin_api::{AnalysisPhase, AnalysisRun, Comparison, Measurement, Metric, MetricResult, Rollout, label};

use crate::chart::{self, Chart};

/// One AnalysisRun.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Story {
    /// Its name.
    pub name: String,
    /// What it is for: `step 3`, `background`.
    pub role: String,
    /// Its phase.
    pub phase: String,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The rollout depends on it now.
    pub current: bool,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
    /// Its metrics.
    pub metrics: Vec<MetricStory>,
}

/// One metric.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricStory {
    /// Its name.
    pub name: String,
    /// Its phase.
    pub phase: String,
    /// It does not decide.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Why it is in this phase, when that is not what its last look says anyway.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What it is held against.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub bar: String,
    /// How many measurements ended how: `3 successful, 1 failed`.
    pub counts: String,
    /// Its measurements, newest first.
    pub looks: Vec<Look>,
    /// A picture of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chart: Option<Chart>,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Look {
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// Its phase.
    pub phase: String,
    /// Its reasons, else its value.
    pub text: String,
}

/// Tells of one run of a Rollout.
pub(crate) fn story(rollout: &Rollout, run: &AnalysisRun) -> Story {
    let status = run.status.clone().unwrap_or_default();
    Story {
        name: run.name_any(),
        role: role(run),
        phase: word(status.phase),
        message: shortened(&status.message, &status.metric_results),
        current: names(rollout).any(|name| Some(name) == run.metadata.name.as_deref()),
        started_at: status.started_at,
        completed_at: status.completed_at,
        metrics: status.metric_results.iter().map(|result| metric_story(run, result)).collect(),
    }
}

/// The message of a run without the reasons of a look, which are told with the look.
fn shortened(message: &str, results: &[MetricResult]) -> String {
    let looks = || results.iter().flat_map(|result| &result.measurements);
    match message.split_once(" due to ") {
        Some((what, why)) if looks().any(|look| look.message == why) => what.to_owned(),
        _ => message.to_owned(),
    }
}

fn word(phase: AnalysisPhase) -> String {
    match phase {
        AnalysisPhase::Unset => "Pending".to_owned(),
        phase => phase.to_string(),
    }
}

fn role(run: &AnalysisRun) -> String {
    match run.labels().get(label::ROLLOUT_TYPE).map(String::as_str) {
        Some("Step") => {
            let index = run.labels().get(label::STEP_INDEX).and_then(|index| index.parse::<u32>().ok());
            index.map_or_else(|| "step".to_owned(), |index| format!("step {}", index.saturating_add(1)))
        }
        Some("Background") => "background".to_owned(),
        Some("PrePromotion") => "before promotion".to_owned(),
        Some("PostPromotion") => "after promotion".to_owned(),
        _ => "by hand".to_owned(),
    }
}

/// The runs that the status of the Rollout names.
fn names(rollout: &Rollout) -> impl Iterator<Item = &str> {
    let of_status = rollout.status.as_ref().map(|status| {
        [
            &status.canary.current_step_analysis_run_status,
            &status.canary.current_background_analysis_run_status,
            &status.canary.post_promotion_analysis_run_status,
            &status.blue_green.pre_promotion_analysis_run_status,
            &status.blue_green.post_promotion_analysis_run_status,
        ]
    });
    of_status.into_iter().flatten().flatten().map(|known| known.name.as_str())
}

fn metric_story(run: &AnalysisRun, result: &MetricResult) -> MetricStory {
    let metric = run.spec.metrics.iter().flatten().find(|metric| metric.name == result.name);
    let told = |look: &Measurement| look.message == result.message;
    MetricStory {
        name: result.name.clone(),
        phase: word(result.phase),
        dry_run: result.dry_run,
        message: if result.measurements.iter().any(told) { String::new() } else { result.message.clone() },
        bar: metric.map(bar).unwrap_or_default(),
        counts: counts(result),
        looks: result.measurements.iter().rev().map(look).collect(),
        chart: chart::of(metric, &result.measurements),
    }
}

fn counts(result: &MetricResult) -> String {
    let all = [
        (result.successful, "successful"),
        (result.failed, "failed"),
        (result.inconclusive, "inconclusive"),
        (result.error, "not made"),
    ];
    let told: Vec<_> =
        all.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    if told.is_empty() { "nothing measured yet".to_owned() } else { told.join(", ") }
}

fn look(measurement: &Measurement) -> Look {
    let text = match (measurement.message.as_str(), measurement.value.as_str()) {
        ("", "") if measurement.phase.completed() => "no value",
        ("", "") => "under way",
        ("", value) => single(value),
        (message, _) => message,
    };
    Look {
        at: measurement.finished_at.clone().or_else(|| measurement.started_at.clone()),
        phase: word(measurement.phase),
        text: text.to_owned(),
    }
}

/// A value without the brackets of a list of one.
fn single(value: &str) -> &str {
    match value.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(inner) if !inner.is_empty() && !inner.contains([',', ' ', '[', '{']) => inner,
        _ => value,
    }
}

/// What a metric is held against: `successful when result[0] < 0.01`, or the limit of a comparison.
fn bar(metric: &Metric) -> String {
    if let Some(comparison) = &metric.comparison {
        let windows = comparison.consecutive_windows.unwrap_or(3);
        return format!(
            "canary at most {} worse than stable; {windows} windows in a row beyond that, with enough evidence, take it back",
            limit(comparison)
        );
    }
    let success = metric.success_condition.as_ref().map(|condition| format!("successful when {condition}"));
    let failure = metric.failure_condition.as_ref().map(|condition| format!("failed when {condition}"));
    success.into_iter().chain(failure).collect::<Vec<_>>().join(", ")
}

/// The limit of a comparison, as the user wrote it, or its default.
fn limit(comparison: &Comparison) -> &str {
    let Comparison { error_rate, latency, business_rate, mean, .. } = comparison;
    if let Some(latency) = latency {
        latency.limit.as_deref().unwrap_or("15%")
    } else if let Some(rate) = business_rate {
        rate.limit.as_deref().unwrap_or("2%")
    } else if let Some(mean) = mean {
        mean.limit.as_deref().unwrap_or("2%")
    } else {
        error_rate.as_ref().and_then(|rate| rate.limit.as_deref()).unwrap_or("0.5pp")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{run, updating};
    use serde_json::json;

    fn told(change: serde_json::Value) -> Story {
        let current = json!({"status": {"canary": {"currentStepAnalysisRunStatus": {"name": "shop-bbb-3-2", "status": "Running"}}}});
        story(&updating(2, current), &run(change))
    }

    #[test]
    fn a_run_says_what_it_is_for_and_whether_it_matters_now() {
        for (change, role, current) in [
            (json!({}), "step 3", true),
            (json!({"metadata": {"name": "older"}}), "step 3", false),
            (json!({"metadata": {"labels": {"rollout-type": "Background"}}}), "background", true),
            (json!({"metadata": {"labels": {"rollout-type": null}}}), "by hand", true),
        ] {
            let story = told(change);
            assert_eq!((story.role.as_str(), story.current), (role, current));
        }
    }

    #[test]
    fn every_look_is_told_newest_first() {
        let story = told(json!({}));
        let looks = &story.metrics[0].looks;
        assert_eq!(looks.iter().map(|look| look.text.as_str()).collect::<Vec<_>>(), ["0.004", "0.002"]);
        assert_eq!(story.metrics[0].bar, "successful when result[0] < 0.01");
        assert_eq!(story.metrics[0].counts, "2 successful");
    }

    #[test]
    fn reasons_are_told_once() {
        let reasons = "canary 1.62 % | evidence 96 of 80 needed -> FAIL";
        let of_run = |why: &str| format!("Metric \"errors\" assessed Failed due to {why}");
        for (message, expected) in [(reasons, ""), ("the analysis holds", "the analysis holds")] {
            let result = json!([{"name": "errors", "phase": "Failed", "message": message, "failed": 1, "measurements": [
                {"phase": "Failed", "message": reasons, "value": "canary 1.62% stable 0.51%"},
                {"phase": "Error", "message": "connection refused"},
                {"phase": "Running"},
            ]}]);
            let story = told(json!({"status": {"message": of_run(reasons), "metricResults": result}}));
            assert_eq!(story.message, "Metric \"errors\" assessed Failed");
            let other = told(
                json!({"status": {"message": of_run("failed (1) > failureLimit (0)"), "metricResults": result}}),
            );
            assert_eq!(other.message, of_run("failed (1) > failureLimit (0)"));
            assert_eq!(story.metrics[0].message, expected);
            let texts: Vec<_> = story.metrics[0].looks.iter().map(|look| look.text.as_str()).collect();
            assert_eq!(texts, ["under way", "connection refused", reasons]);
        }
    }

    #[test]
    fn the_bar_of_every_comparison_is_its_own() {
        for (comparison, limit) in [
            (json!({"errorRate": {"requests": "r"}}), "0.5pp"),
            (json!({"latency": {"limit": "20%"}}), "20%"),
            (json!({"latency": {}}), "15%"),
            (json!({"businessRate": {"attempts": "a", "successes": "s"}}), "2%"),
            (json!({"mean": {"sum": "s", "count": "c", "limit": "5%"}}), "5%"),
        ] {
            let metric = json!({"name": "m", "provider": {}, "comparison": comparison});
            let bar = bar(&serde_json::from_value(metric).unwrap());
            assert!(
                bar.starts_with(&format!("canary at most {limit} worse than stable; 3 windows")),
                "{bar}"
            );
        }
    }
}
