//! Makes the AnalysisRun of a comparison of what has just passed.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;
use serin_api::{AnalysisRun, AnalysisRunSpec, AnalysisRunStatus, Arms, Comparison, Metric, go_duration};

/// A comparison of a counter that is named on the command line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    /// Address of Prometheus.
    pub prometheus: String,
    /// Selector of requests.
    pub requests: String,
    /// Matchers of failed ones.
    pub errors: Option<String>,
    /// How much worse the canary may be.
    pub limit: Option<String>,
    /// Label with the pod template hash.
    pub revision_label: Option<String>,
}

impl Question {
    /// The spec of a run that asks it.
    pub fn spec(&self) -> AnalysisRunSpec {
        let mut metric = Metric { name: "error-rate".to_owned(), ..Metric::default() };
        metric.provider.prometheus = Some(serin_api::provider::PrometheusMetric {
            address: Some(self.prometheus.clone()).filter(|address| !address.is_empty()),
            ..Default::default()
        });
        metric.comparison = Some(Comparison {
            error_rate: Some(serin_api::ErrorRateComparison {
                requests: self.requests.clone(),
                errors: self.errors.clone(),
                limit: self.limit.clone(),
                revision_label: self.revision_label.clone(),
                ..Default::default()
            }),
            ..Comparison::default()
        });
        AnalysisRunSpec { metrics: Some(vec![metric]), ..AnalysisRunSpec::default() }
    }
}

/// What is asked of every comparison of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The two revisions.
    pub arms: Arms,
    /// How many windows.
    pub windows: u32,
    /// Length of a window, when it is another than the metric's own.
    pub window: Option<String>,
    /// Address of Prometheus, when it is another than the metric's own.
    pub prometheus: Option<String>,
}

/// Leaves out metrics that compare nothing; gives their names.
pub fn only_comparisons(spec: &mut AnalysisRunSpec) -> Vec<String> {
    let metrics = spec.metrics.take().unwrap_or_default();
    let (compared, others): (Vec<_>, Vec<_>) =
        metrics.into_iter().partition(|metric| metric.comparison.is_some());
    spec.metrics = Some(compared);
    (spec.dry_run, spec.measurement_retention, spec.ttl_strategy) = (None, None, None);
    others.into_iter().map(|metric| metric.name).collect()
}

/// A run that began so long ago that all its windows have passed by now.
///
/// # Errors
/// A window that is no duration.
pub fn run_in_the_past(
    mut spec: AnalysisRunSpec,
    asked: &Asked,
    now: Timestamp,
) -> Result<AnalysisRun, String> {
    let mut longest = SignedDuration::ZERO;
    for metric in spec.metrics.iter_mut().flatten() {
        longest = longest.max(prepare(metric, asked)?);
    }
    spec.arms = Some(asked.arms.clone());
    let began = now.checked_sub(longest).map_err(|why| why.to_string())?;
    Ok(AnalysisRun {
        metadata: ObjectMeta { name: Some("compare".to_owned()), ..ObjectMeta::default() },
        spec,
        status: Some(AnalysisRunStatus { started_at: Some(Time(began)), ..AnalysisRunStatus::default() }),
    })
}

/// The metric with so many windows; how long ago it must have begun. Caches are warm by now: there is no warm-up.
fn prepare(metric: &mut Metric, asked: &Asked) -> Result<SignedDuration, String> {
    let window = asked.window.clone().or_else(|| metric.interval.clone()).unwrap_or_else(|| "1m".to_owned());
    let length = go_duration(&window)
        .and_then(|length| SignedDuration::try_from(length).ok())
        .filter(|length| length.is_positive())
        .ok_or_else(|| {
            format!("metric {}: \"{window}\" is no length of a window; give one such as 1m", metric.name)
        })?;
    metric.interval = Some(window);
    metric.count = Some(IntOrString::Int(i32::try_from(asked.windows).unwrap_or(i32::MAX)));
    (metric.initial_delay, metric.inconclusive_limit) = (None, None);
    let mut delay = SignedDuration::from_secs(15);
    if let Some(comparison) = &mut metric.comparison {
        comparison.warmup = None;
        let own = comparison.ingestion_delay.as_deref().and_then(go_duration);
        delay = own.and_then(|own| SignedDuration::try_from(own).ok()).unwrap_or(delay);
    }
    if let (Some(address), Some(prometheus)) = (&asked.prometheus, &mut metric.provider.prometheus) {
        prometheus.address = Some(address.clone());
    }
    let windows = i32::try_from(asked.windows).unwrap_or(i32::MAX).saturating_add(1);
    length
        .checked_mul(windows)
        .and_then(|all| all.checked_add(delay))
        .ok_or_else(|| format!("metric {}: {windows} windows are too many", metric.name))
}
