//! Recomputes a verdict from the windows in the status of a run, bit for bit.

use serin_api::{AnalysisRun, Measurement, MetricResult};

use super::{Evidence, MOST_BYTES, Plan, WINDOW, Window};
use crate::judge::error_rate::Look;
use crate::run;

/// What a replay found.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// The looks at the windows that the status still holds, oldest first.
    pub looks: Vec<Relook>,
    /// The recomputed evidence has the same bits as the stored one.
    pub same: bool,
}

/// One window, judged again.
#[derive(Clone, Debug, PartialEq)]
pub struct Relook {
    /// Its counts.
    pub window: Window,
    /// One look per question: errors have one, latency one for the shift and one for each quantile.
    pub questions: Vec<Look>,
    /// The lines of reasons as the measurement holds them, the strongest evidence first.
    pub reasons: String,
}

/// Why a verdict cannot be recomputed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreplayable {
    /// The run is invalid.
    #[error("{0}")]
    Invalid(String),
    /// No such metric, or it is no comparison.
    #[error("the run has no comparison called \"{0}\"")]
    NoComparison(String),
    /// It has not judged a window yet.
    #[error("the comparison \"{0}\" has no evidence yet")]
    NoEvidence(String),
    /// Where its replay would begin was dropped.
    #[error(
        "the comparisons of the run know more than its status has room for ({MOST_BYTES} bytes), so that where a replay of \
         \"{0}\" would begin was dropped; fewer comparisons or quantiles in one run keep it"
    )]
    Shortened(String),
    /// A stored window cannot be read or was refused by the judge.
    #[error("a window of \"{metric}\" cannot be judged again: {why}")]
    Window {
        /// Name of the metric.
        metric: String,
        /// What is wrong.
        why: String,
    },
}

/// Judges the windows in the status of `run` once more.
///
/// # Errors
/// [`Unreplayable`] when the run holds no such comparison, or not the windows of one.
pub fn replay(run: &AnalysisRun, metric: &str) -> Result<Replay, Unreplayable> {
    let plan = run::comparison(run, metric)
        .map_err(Unreplayable::Invalid)?
        .ok_or_else(|| Unreplayable::NoComparison(metric.to_owned()))?;
    let results = run.status.iter().flat_map(|status| &status.metric_results);
    let result = results.into_iter().find(|result| result.name == metric);
    let nothing = || Unreplayable::NoEvidence(metric.to_owned());
    let evidence = result.and_then(|result| stored(result, &plan)).ok_or_else(nothing)?;
    let past = evidence.past.clone().unwrap_or_default();
    let mut states = evidence.base.clone().ok_or_else(|| Unreplayable::Shortened(metric.to_owned()))?;
    let mut looks = Vec::new();
    for window in windows(result.map(|result| result.measurements.as_slice()).unwrap_or_default()) {
        let wrong = |why: String| Unreplayable::Window { metric: metric.to_owned(), why };
        let window = window.map_err(wrong)?;
        if window.start() < evidence.began {
            continue;
        }
        let seen = evidence
            .judge(&plan, (&past, metric), &mut states, &window)
            .map_err(|rejected| wrong(rejected.to_string()))?;
        looks.push(Relook { window, reasons: seen.reasons(), questions: seen.looks });
    }
    Ok(Replay { looks, same: states == evidence.state })
}

fn stored(result: &MetricResult, plan: &Plan) -> Option<Evidence> {
    let (evidence, edited) = Evidence::of(Some(result.evidence.as_ref()?), plan, 0);
    (!edited).then_some(evidence)
}

fn windows(measurements: &[Measurement]) -> impl Iterator<Item = Result<Window, String>> {
    measurements
        .iter()
        .filter_map(|measurement| measurement.metadata.get(WINDOW))
        .map(|window| serde_json::from_str(window).map_err(|error| error.to_string()))
}
