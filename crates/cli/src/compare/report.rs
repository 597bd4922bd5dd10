//! Says what a comparison came to, metric by metric.

use serde::Serialize;
use serin_api::{AnalysisPhase, AnalysisRun, Arms, MetricResult};

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
    /// The reasons of the judge, or why there are none.
    pub reason: String,
}

/// Reports on a run that has been asked all its questions.
pub fn report(run: &AnalysisRun, notes: Vec<String>) -> Report {
    let names = run.spec.metrics.iter().flatten().map(|metric| metric.name.as_str());
    let metrics: Vec<_> = names.map(|name| compared(run, name)).collect();
    let outcome = metrics.iter().map(|metric| metric.outcome).min().unwrap_or(Outcome::Unknown);
    Report { arms: run.spec.arms.clone().unwrap_or_default(), outcome, metrics, notes }
}

fn compared(run: &AnalysisRun, name: &str) -> Compared {
    let status = run.status.clone().unwrap_or_default();
    let result = status.metric_results.iter().find(|result| result.name == name);
    let Some(result) = result else {
        let reason = if status.message.is_empty() { "it was not asked".to_owned() } else { status.message };
        return Compared { name: name.to_owned(), outcome: Outcome::Unknown, windows: 0, reason };
    };
    let judged = |measurement: &&serin_api::Measurement| measurement.phase != AnalysisPhase::Error;
    let last = result.measurements.iter().rev().find(judged).or(result.measurements.last());
    let reason = last.map(|last| run::said(run::metric(run, name), last)).unwrap_or_default();
    let reason = reason.strip_prefix(name).map_or(reason.as_str(), str::trim_start).to_owned();
    Compared { name: name.to_owned(), outcome: outcome(result), windows: result.count, reason }
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
        let windows =
            if metric.windows == 1 { "1 window".to_owned() } else { format!("{} windows", metric.windows) };
        text.push_str(&format!("  {}: {} after {windows}\n", metric.name, paint.tone(tone, word)));
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
