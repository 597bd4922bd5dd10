//! Says what a comparison came to, metric by metric.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Serialize;
use serin_api::{AnalysisPhase, AnalysisRun, AnalysisRunStatus, Arms, Metric, MetricResult, go_duration};

use super::run::Past;
use super::stretch::counted;
use crate::moment::clock;
use crate::paint::{Paint, Tone};
use crate::run;

/// What a comparison came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The two revisions.
    pub arms: Arms,
    /// What was found.
    pub outcome: Outcome,
    /// Every metric.
    pub metrics: Vec<Compared>,
    /// What to know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What was found, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The canary is worse than its limit allows, on evidence.
    Worse,
    /// It could not be asked, or there are no data.
    Unknown,
    /// Neither worse nor shown not to be.
    Undecided,
    /// Shown not to be worse by the limit or more.
    NotWorse,
}

/// One metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// What was found.
    pub outcome: Outcome,
    /// Windows that were judged.
    pub windows: i32,
    /// The time that was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<Stretch>,
    /// The reasons of the judge, or why there are none.
    pub reason: String,
}

/// The time of neighbouring windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// Start of the first.
    pub from: Timestamp,
    /// End of the last.
    pub until: Timestamp,
}

/// Reports on a run that has been asked all its questions, and on the metrics that could not be.
pub fn report(past: &Past) -> Report {
    let Past { run, refused, notes } = past;
    let refused = refused.iter().map(|(name, why)| Compared {
        name: name.clone(),
        outcome: Outcome::Unknown,
        windows: 0,
        looked_at: None,
        reason: why.clone(),
    });
    let judged = run.spec.metrics.iter().flatten().map(|metric| compared(run, metric));
    let metrics: Vec<_> = judged.chain(refused).collect();
    let outcome = metrics.iter().map(|metric| metric.outcome).min().unwrap_or(Outcome::Unknown);
    Report { arms: run.spec.arms.clone().unwrap_or_default(), outcome, metrics, notes: notes.clone() }
}

fn compared(run: &AnalysisRun, metric: &Metric) -> Compared {
    let name = metric.name.as_str();
    let status = run.status.clone().unwrap_or_default();
    let looked_at = looked_at(&status, metric);
    let result = status.metric_results.iter().find(|result| result.name == name);
    let Some(result) = result else {
        let reason = if status.message.is_empty() { "it was not asked".to_owned() } else { status.message };
        return Compared { name: name.to_owned(), outcome: Outcome::Unknown, windows: 0, looked_at, reason };
    };
    let judged = |measurement: &&serin_api::Measurement| measurement.phase != AnalysisPhase::Error;
    let last = result.measurements.iter().rev().find(judged).or(result.measurements.last());
    let reason = last.map(|last| run::said(Some(metric), last)).unwrap_or_default();
    let reason = reason.strip_prefix(name).map_or(reason.as_str(), str::trim_start).to_owned();
    Compared { name: name.to_owned(), outcome: outcome(result), windows: result.count, looked_at, reason }
}

/// The time of the windows of a run in the past.
fn looked_at(status: &AnalysisRunStatus, metric: &Metric) -> Option<Stretch> {
    let span = |text: &Option<String>| go_duration(text.as_deref()?);
    let Some(IntOrString::Int(windows)) = metric.count else { return None };
    let from = status.started_at.as_ref()?.0.checked_add(span(&metric.initial_delay)?).ok()?;
    let length = span(&metric.interval)?.checked_mul(u32::try_from(windows).ok()?)?;
    Some(Stretch { from, until: from.checked_add(length).ok()? })
}

fn outcome(result: &MetricResult) -> Outcome {
    match result.phase {
        AnalysisPhase::Failed => Outcome::Worse,
        AnalysisPhase::Successful => Outcome::NotWorse,
        AnalysisPhase::Error => Outcome::Unknown,
        _ if result.count == 0 => Outcome::Unknown,
        _ => Outcome::Undecided,
    }
}

impl Outcome {
    fn words(self) -> (&'static str, Tone) {
        match self {
            Self::Worse => ("WORSE", Tone::Bad),
            Self::Unknown => ("UNKNOWN", Tone::Waiting),
            Self::Undecided => ("undecided", Tone::Waiting),
            Self::NotWorse => ("not worse", Tone::Good),
        }
    }
}

/// The report for people.
pub fn text(report: &Report, paint: Paint) -> String {
    let Arms { canary, stable, .. } = &report.arms;
    let mut text = format!("canary {canary} against stable {stable}\n");
    for metric in &report.metrics {
        let (word, tone) = metric.outcome.words();
        let windows = counted(u32::try_from(metric.windows).unwrap_or(0));
        let time = metric.looked_at.map_or(String::new(), |Stretch { from, until }| {
            format!(" of {} to {}", clock(from, until), clock(until, until))
        });
        text.push_str(&format!("  {}: {} after {windows}{time}\n", metric.name, paint.tone(tone, word)));
        if !metric.reason.is_empty() {
            text.push_str(&format!("    {}\n", metric.reason));
        }
    }
    text.push_str(match report.outcome {
        Outcome::Worse => "The canary is worse than stable by more than its limit.\n",
        Outcome::Unknown => "Nothing is known: see the reasons above.\n",
        Outcome::Undecided => {
            "No significant regression; more windows (--windows) may show that there is none.\n"
        }
        Outcome::NotWorse => "No significant regression: the canary is shown not to be worse by its limit.\n",
    });
    for note in &report.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}
