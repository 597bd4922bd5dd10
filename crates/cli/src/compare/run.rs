//! Makes the AnalysisRun of a comparison of what has just passed.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;
use serin_analysis::judge::error_rate::Settings;
use serin_api::{AnalysisRun, AnalysisRunSpec, AnalysisRunStatus, Arms, Comparison, Metric, go_duration};

use super::stretch::{Stretch, Wanted};
use super::weight::Weight;

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

/// A run of windows that have all passed.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// The run, without the metrics that have too few windows.
    pub run: AnalysisRun,
    /// Metrics that cannot be judged, and why.
    pub refused: Vec<(String, String)>,
    /// What to know of the windows.
    pub notes: Vec<String>,
}

/// A run that began so long ago that all its windows have passed by now.
///
/// # Errors
/// A window that is no duration.
pub fn run_in_the_past(
    mut spec: AnalysisRunSpec,
    asked: &Asked,
    weight: &Weight,
    now: Timestamp,
) -> Result<Past, String> {
    let (mut refused, mut notes, mut judged) = (Vec::new(), Vec::new(), Vec::new());
    for mut metric in spec.metrics.take().unwrap_or_default() {
        match prepare(&mut metric, asked)?.stretch(weight, now) {
            Ok(stretch) => {
                notes.extend(stretch.shorter.as_ref().map(|why| format!("{}: {why}", metric.name)));
                judged.push((metric, stretch));
            }
            Err(why) => refused.push((metric.name, why)),
        }
    }
    if let Weight::Unknown(why) = weight {
        notes.push(format!("windows in which the weight changed are judged like the others: {why}"));
    }
    let began = judged.iter().map(|(_, stretch)| stretch.from).min().unwrap_or(now.as_second());
    spec.metrics =
        Some(judged.into_iter().map(|(metric, stretch)| placed(metric, &stretch, began)).collect());
    spec.arms = Some(asked.arms.clone());
    let began = Timestamp::from_second(began).map_err(|why| why.to_string())?;
    let run = AnalysisRun {
        metadata: ObjectMeta { name: Some("compare".to_owned()), ..ObjectMeta::default() },
        spec,
        status: Some(AnalysisRunStatus { started_at: Some(Time(began)), ..AnalysisRunStatus::default() }),
    };
    Ok(Past { run, refused, notes })
}

/// The metric with exactly these windows, in a run that began then.
fn placed(metric: Metric, stretch: &Stretch, began: i64) -> Metric {
    Metric {
        count: Some(IntOrString::Int(i32::try_from(stretch.windows).unwrap_or(i32::MAX))),
        initial_delay: Some(format!("{}s", stretch.from.saturating_sub(began))),
        ..metric
    }
}

/// Sets what is asked of all metrics, and says what this one needs. Caches are warm by now: there is no warm-up.
fn prepare(metric: &mut Metric, asked: &Asked) -> Result<Wanted, String> {
    let window = asked.window.clone().or_else(|| metric.interval.clone()).unwrap_or_else(|| "1m".to_owned());
    let length = go_duration(&window)
        .and_then(|length| i64::try_from(length.as_secs()).ok())
        .filter(|length| *length > 0)
        .ok_or_else(|| {
            format!("metric {}: \"{window}\" is no length of a window; give one such as 1m", metric.name)
        })?;
    metric.interval = Some(window);
    metric.inconclusive_limit = None;
    let (mut delay, mut in_a_row) = (15, Settings::default().consecutive);
    if let Some(comparison) = &mut metric.comparison {
        comparison.warmup = None;
        let own = comparison.ingestion_delay.as_deref().and_then(go_duration);
        delay = own.and_then(|own| i64::try_from(own.as_secs()).ok()).unwrap_or(delay);
        let own = comparison.consecutive_windows.and_then(|own| u32::try_from(own).ok());
        in_a_row = own.unwrap_or(in_a_row);
    }
    if let (Some(address), Some(prometheus)) = (&asked.prometheus, &mut metric.provider.prometheus) {
        prometheus.address = Some(address.clone());
    }
    Ok(Wanted { length, delay, windows: asked.windows, in_a_row })
}
