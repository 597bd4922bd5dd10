//! Reads a record from the windows in the status of an AnalysisRun.

use serin_api::AnalysisRun;

use super::{Moment, Record};
use crate::comparison::{Asking, Window, window_of};
use crate::judge::histogram::Histogram;
use crate::run;

impl Record {
    /// The stable side of the windows of its first error rate comparison and its first latency comparison; the traffic of
    /// a window is that of both sides.
    ///
    /// # Errors
    /// No such comparison, or too few windows.
    pub fn of_run(run: &AnalysisRun) -> Result<Self, String> {
        let (mut rates, mut times) = (Vec::new(), Vec::new());
        for result in run.status.iter().flat_map(|status| &status.metric_results) {
            let Some(plan) = run::comparison(run, &result.name)? else { continue };
            let into = match plan.asking.first() {
                Some(Asking::ErrorRate) if rates.is_empty() => &mut rates,
                Some(Asking::Shift | Asking::Tail(_)) if times.is_empty() => &mut times,
                _ => continue,
            };
            // The service that is played has its latencies in seconds.
            let unit = if plan.unit == "ms" { 1e-3 } else { 1.0 };
            let windows = result.measurements.iter().filter_map(window_of);
            into.extend(windows.filter_map(|window| seen(&window, unit)));
        }
        if rates.is_empty() && times.is_empty() {
            return Err("its status has no windows of an error rate or latency comparison: give an AnalysisRun that has judged some"
                .to_owned());
        }
        if rates.is_empty() {
            return Self::new(times.into_iter().map(|(_, moment)| moment).collect());
        }
        let latencies = |start: i64| {
            let nearest = times.iter().min_by_key(|(other, _)| (other - start).abs());
            nearest.and_then(|(_, moment)| moment.latencies.clone())
        };
        let moment = |(start, moment): (i64, Moment)| Moment { latencies: latencies(start), ..moment };
        Self::new(rates.into_iter().map(moment).collect())
    }
}

/// The start of a window and what it held; `None` when stable had no requests in it. A bound is so many seconds times `unit`.
fn seen(window: &Window, unit: f64) -> Option<(i64, Moment)> {
    let seconds = (window.end() - window.start()).max(1) as f64;
    let moment = match window {
        Window::Rates(window) => {
            let rate = Some(window.stable.tally().rate()?);
            let requests = window.stable.requests + window.canary.requests;
            Moment { rps: requests / seconds, rate, latencies: None }
        }
        Window::Latency(window) => {
            let bounds = window.bounds.iter().map(|bound| bound * unit).collect();
            let latencies = Histogram::new(bounds, window.stable.counts.clone())?;
            let requests = latencies.total() + window.canary.counts.iter().sum::<f64>();
            let latencies = Some(latencies).filter(|latencies| latencies.total() > 0.0);
            latencies.as_ref()?;
            Moment { rps: requests / seconds, rate: None, latencies }
        }
        Window::Means(_) => return None,
    };
    Some((window.start(), moment))
}
