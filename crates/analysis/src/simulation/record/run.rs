//! Reads records from the windows in the status of an AnalysisRun: one for each of its comparisons.

use serin_api::{AnalysisRun, MetricResult};

use super::{Moment, Record};
use crate::comparison::{Asking, Evidence, Plan, Window, window_of};
use crate::judge::error_rate::{Assumption, Settings};
use crate::judge::histogram::Histogram;
use crate::judge::placement::slowed_superiority;
use crate::run;
use crate::simulation::questions::Compared;
use crate::simulation::rollout::Part;
use crate::simulation::service::{Noise, PODS, Service, UNCHANGED};

/// The comparisons of a run, to be played again.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// What can be played; the canary is like stable in them.
    pub parts: Vec<Part>,
    /// Comparisons that cannot, and why.
    pub left_out: Vec<String>,
}

impl Recording {
    /// The stable side of the windows of every comparison; the traffic of a window is that of both sides. `assumed` is the noise
    /// of single pods where the run has measured none; the judge does not know it then.
    ///
    /// # Errors
    /// No comparison that can be played.
    pub fn of_run(run: &AnalysisRun, assumed: Noise) -> Result<Self, String> {
        let mut recording = Self { parts: Vec::new(), left_out: Vec::new() };
        for result in run.status.iter().flat_map(|status| &status.metric_results) {
            let Some(plan) = run::comparison(run, &result.name)? else { continue };
            match part(&plan, result, assumed) {
                Ok(part) => recording.parts.push(part),
                Err(why) => recording.left_out.push(format!("{}: {why}", result.name)),
            }
        }
        if recording.parts.is_empty() {
            let found = match recording.left_out.is_empty() {
                true => "its status has no windows of a comparison".to_owned(),
                false => recording.left_out.join("; "),
            };
            return Err(format!("{found}: give an AnalysisRun that has judged some"));
        }
        Ok(recording)
    }
}

fn part(plan: &Plan, result: &MetricResult, assumed: Noise) -> Result<Part, String> {
    let compared = match plan.asking.first() {
        Some(Asking::ErrorRate) => Compared::Errors,
        Some(Asking::Shift | Asking::Tail(_)) => Compared::Latency,
        Some(Asking::BusinessRate) => Compared::Business,
        Some(Asking::Mean(_)) | None => return Err("means are not played".to_owned()),
    };
    let quantile = |asking: &Asking| match asking {
        Asking::Tail(quantile) => Some(*quantile),
        _ => None,
    };
    // The service that is played has its latencies in seconds.
    let unit = if plan.unit == "ms" { 1e-3 } else { 1.0 };
    let windows: Vec<Window> = result.measurements.iter().filter_map(window_of).collect();
    let record = Record::new(windows.iter().filter_map(|window| seen(window, unit)).collect())?;
    let (evidence, _) = Evidence::of(result.evidence.as_ref(), plan, 0);
    let found = evidence.past.as_ref().and_then(|past| past.noise(0));
    let noise = found.map_or(Some(assumed), |found| noise(compared, found, &record));
    let settings = evidence.settings(plan);
    Ok(Part {
        name: Some(result.name.clone()),
        service: Service {
            rps: record.usual().0,
            rate: record.usual().1,
            pods: windows.last().map_or(PODS, pods),
            noise: noise.unwrap_or(assumed),
            ladder: record.ladder(),
            window: windows.last().map_or(1.0, |window| (window.end() - window.start()).max(1) as f64),
            record: Some(record),
        },
        change: UNCHANGED,
        compared,
        // A rollout that begins now is judged by the rule of now.
        settings: Settings { assumption: Assumption::Checked, ..settings },
        slower: settings.limit,
        quantiles: plan.asking.iter().filter_map(quantile).collect(),
        measured: found.is_some(),
    })
}

/// Pods of stable and one of the canary; as usual where they are not known.
fn pods(window: &Window) -> usize {
    let stable = match window {
        Window::Rates(window) => window.stable.pods,
        Window::Latency(window) => window.stable.pods,
        Window::Means(window) => window.stable.pods,
    };
    if stable == 0 { PODS } else { stable as usize + 1 }
}

/// Single pods that vary as much as the judge has measured: `rho` within a window, `tau` for ever. `None` when the record does
/// not tell how much that is in rates or latencies.
///
/// A rate `p` that varies with coefficient of variation `c` has `rho = c^2 p / (1 - p)`; a shift of log-latencies with standard
/// deviation `s` moves mid-ranks by `g s`, whose share of their variance, 1/12, is `rho`.
fn noise(compared: Compared, (rho, tau): (f64, f64), record: &Record) -> Option<Noise> {
    let still = crate::simulation::service::NONE;
    if compared == Compared::Latency {
        let slope = slope(record)?;
        let (window, lasting) = ((rho / 12.0).sqrt() / slope, tau / slope);
        return Some(Noise { latency: (0.0, window.min(MOST), lasting.min(MOST)), ..still });
    }
    let (_, rate) = record.usual();
    let spread = (rho * (1.0 - rate) / rate).sqrt();
    (rate > 0.0).then_some(Noise { pod_window: (spread, 0.0), pod: tau / rate, ..still })
}

/// By how much the probability of superiority grows per unit of the logarithm of a slowdown.
fn slope(record: &Record) -> Option<f64> {
    let newest = record.moments.iter().rev().find_map(|moment| moment.latencies.as_ref())?;
    let grown = slowed_superiority(newest, SMALL)? - slowed_superiority(newest, 1.0)?;
    (grown > 0.0).then(|| grown / SMALL.ln())
}

/// A slowdown from which the slope is read.
const SMALL: f64 = 1.05;
/// Log-latencies of pods do not differ by more than this.
const MOST: f64 = 1.0;

/// What a window held; `None` when stable had no requests in it. A bound is so many seconds times `unit`.
fn seen(window: &Window, unit: f64) -> Option<Moment> {
    let seconds = (window.end() - window.start()).max(1) as f64;
    match window {
        Window::Rates(window) => {
            let rate = Some(window.stable.tally().rate()?);
            let requests = window.stable.requests + window.canary.requests;
            Some(Moment { rps: requests / seconds, rate, latencies: None })
        }
        Window::Latency(window) => {
            let bounds = window.bounds.iter().map(|bound| bound * unit).collect();
            let latencies = Histogram::new(bounds, window.stable.counts.clone())?;
            let requests = latencies.total() + window.canary.counts.iter().sum::<f64>();
            let latencies = Some(latencies).filter(|latencies| latencies.total() > 0.0);
            latencies.as_ref()?;
            Some(Moment { rps: requests / seconds, rate: None, latencies })
        }
        Window::Means(_) => None,
    }
}
