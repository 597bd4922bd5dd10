//! Measures what stable was like before the rollout: its level, how much its pods and minutes vary, its latencies.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::arm::Labels;
use super::coarsen::coarsened;
use super::ladder::{self, add, growth};
use super::question::Asking;
use super::window::Window;
use crate::judge::dispersion::{Cell, Dispersion, measure_any, measure_means};
use crate::judge::error_rate::{Arm, Settings};
use crate::judge::exact;
use crate::judge::histogram::Histogram;
use crate::judge::mean::Spread;
use crate::judge::placement::measure_placements;
use crate::judge::tail::bound;
use crate::judge::tally::Tally;
use crate::provider::prometheus::answer::{Histograms, Series};

mod stored;

/// What is known of stable from before the first window; fixed then.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Past {
    /// Windows of history with requests; 0 when there was none.
    #[serde(default)]
    windows: u32,
    /// Stable events and requests.
    #[serde(default)]
    tally: Option<Tally>,
    /// Noise by question, in their order; `None` = not measured.
    #[serde(default)]
    noise: Vec<Option<Noise>>,
    /// Bucket bounds that stand for the quantiles, by question.
    #[serde(default)]
    bounds: Vec<Option<f64>>,
    #[serde(default)]
    ladder: Option<Ladder>,
    /// Variance of one value.
    #[serde(default)]
    spread: Option<Noise>,
}

/// Two numbers of `judge::dispersion`, or variance and mean.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
struct Noise(#[serde(with = "exact")] f64, #[serde(with = "exact")] f64);

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Named")]
struct Ladder(Histogram);

#[derive(Deserialize)]
struct Named(#[serde(with = "exact::list")] Vec<f64>, #[serde(with = "exact::list")] Vec<f64>);

impl TryFrom<Named> for Ladder {
    type Error = &'static str;

    fn try_from(Named(bounds, counts): Named) -> Result<Self, Self::Error> {
        Histogram::new(bounds, counts).map(Self).ok_or("no histogram")
    }
}

impl Past {
    /// `settings` with what the past says for the question at `place`.
    pub(crate) fn settings(&self, settings: Settings, place: usize) -> Settings {
        let noise = self.noise.get(place).copied().flatten();
        Settings {
            rho: noise.map(|Noise(rho, _)| rho),
            tau: noise.map_or(0.0, |Noise(_, tau)| tau),
            history: self.tally.map(|tally| Arm { requests: tally.trials, errors: tally.events, pods: 0 }),
            ..settings
        }
    }

    /// Windows with requests.
    pub(super) fn windows(&self) -> u32 {
        self.windows
    }

    /// Requests, and events among them where two counters are compared.
    pub(super) fn tally(&self) -> Option<Tally> {
        self.tally.or_else(|| self.histogram().map(|seen| Tally::new(0.0, seen.total())))
    }

    /// Intra-cluster correlation, and what pods differ by for ever, of the question at `place`; `None` = not measured.
    pub(crate) fn noise(&self, place: usize) -> Option<(f64, f64)> {
        self.noise.get(place).copied().flatten().map(|Noise(rho, tau)| (rho, tau))
    }

    pub(crate) fn spread(&self) -> Option<Spread> {
        self.spread.map(|Noise(variance, mean)| Spread { variance, mean })
    }

    pub(crate) fn bound(&self, place: usize) -> Option<f64> {
        self.bounds.get(place).copied().flatten()
    }

    pub(crate) fn histogram(&self) -> Option<&Histogram> {
        self.ladder.as_ref().map(|Ladder(histogram)| histogram)
    }

    /// A latency comparison cannot begin without a ladder.
    pub(crate) fn lacks_ladder(&self, asking: &[Asking]) -> bool {
        self.ladder.is_none() && asking.iter().any(|asking| matches!(asking, Asking::Tail(_) | Asking::Shift))
    }

    /// Takes the stable side of a window as the past, when there was no history: that window is not judged.
    pub(crate) fn learn(&mut self, window: &Window, asking: &[Asking]) {
        if let Window::Latency(window) = window
            && let Some(histogram) = Histogram::new(window.bounds.clone(), window.stable.counts.clone())
            && histogram.total() >= FEWEST_OBSERVATIONS
        {
            self.bounds = bounds_of(&histogram, asking);
            self.ladder = Some(Ladder(coarsened(histogram, &self.bounds)));
        }
    }
}

/// Stable requests from which the bound of a quantile is chosen, at least.
const FEWEST_OBSERVATIONS: f64 = 100.0;

fn bounds_of(histogram: &Histogram, asking: &[Asking]) -> Vec<Option<f64>> {
    let one = |asking: &Asking| match asking {
        Asking::Tail(quantile) => bound(histogram, *quantile),
        _ => None,
    };
    asking.iter().map(one).collect()
}

fn noise(found: Option<Dispersion>) -> Option<Noise> {
    found.map(|found| Noise(found.rho, found.tau))
}

/// The past of rates and means, from values at every multiple of `step` seconds.
pub(super) fn of_counters(
    trials: &[Series],
    events: &[Series],
    labels: &Labels,
    asking: Asking,
    step: i64,
) -> Past {
    let mut windows: BTreeMap<i64, BTreeMap<String, Tally>> = BTreeMap::new();
    let mut take = |series: &[Series], put: fn(&mut Tally, f64)| {
        for series in series.iter().filter(|series| labels.stable.of(&series.labels)) {
            let pod = labels.pod_of(&series.labels).unwrap_or_default();
            for (id, grown) in steps(&series.samples, step) {
                put(windows.entry(id).or_default().entry(pod.clone()).or_default(), grown);
            }
        }
    };
    take(trials, |tally, grown| tally.trials += grown);
    take(events, |tally, grown| tally.events += grown);
    let pods = Pods::of(windows.values());
    let mut all = Tally::default();
    let history: Vec<Vec<Tally>> = windows
        .values()
        .map(|window| {
            let mut row = vec![Tally::default(); pods.0.len()];
            for (pod, tally) in window {
                let tally = match asking {
                    Asking::Mean(_) => *tally,
                    _ => Tally::new(tally.events.min(tally.trials), tally.trials),
                };
                all += tally;
                if let Some(place) = pods.place(pod).and_then(|place| row.get_mut(place)) {
                    *place = tally;
                }
            }
            row
        })
        .filter(|row| row.iter().any(|pod| !pod.is_empty()))
        .collect();
    let mut past = Past {
        windows: u32::try_from(history.len()).unwrap_or(u32::MAX),
        tally: Some(all).filter(|all| !all.is_empty()),
        ..Past::default()
    };
    // Without a label for pods, or with few of them, nothing is measured: usual noise is assumed, and said.
    let known = labels.pod.is_some();
    if let Asking::Mean(_) = asking {
        let found = measure_means(&means(&history)).filter(|_| known);
        past.noise = vec![found.map(|found| Noise(0.0, found.tau))];
        past.tally = None;
        let variance = found.map(|found| found.phi).or_else(|| between_windows(&history));
        past.spread = variance.zip(all.rate()).map(|(variance, mean)| Noise(variance, mean));
    } else {
        past.noise = vec![noise(measure_any(&history).filter(|_| known))];
    }
    past
}

fn means(history: &[Vec<Tally>]) -> Vec<(Vec<Cell>, f64)> {
    let cell = |pod: &Tally| Cell { trials: pod.trials, mean: pod.rate().unwrap_or(0.0) };
    history.iter().map(|window| (window.iter().map(cell).collect(), 1.0)).collect()
}

/// Windows from whose differences a spread is taken, at least.
const FEWEST_WINDOWS: usize = 10;

/// Variance of one value from neighbouring windows of all pods together: with too few pods, a cautious stand-in, since the
/// drift between windows counts as noise.
fn between_windows(history: &[Vec<Tally>]) -> Option<f64> {
    let sums: Vec<Tally> = history
        .iter()
        .map(|window| {
            window.iter().fold(Tally::default(), |mut all, pod| {
                all += *pod;
                all
            })
        })
        .collect();
    let parts: Vec<f64> = sums
        .iter()
        .zip(sums.iter().skip(1))
        .filter_map(|(one, next)| {
            Some((one.rate()? - next.rate()?).powi(2) / (1.0 / one.trials + 1.0 / next.trials))
        })
        .collect();
    let mean = parts.iter().sum::<f64>() / parts.len() as f64;
    (parts.len() + 1 >= FEWEST_WINDOWS && mean > 0.0).then_some(mean)
}

/// The past of latencies, from histograms at every multiple of `step` seconds.
///
/// # Errors
/// A sentence about samples that cannot be.
pub(super) fn of_histograms(
    answer: &Histograms,
    labels: &Labels,
    asking: &[Asking],
    step: i64,
) -> Result<Past, String> {
    let tracks = ladder::tracks(answer, labels, None)?;
    let stable = || tracks.iter().filter(|track| labels.stable.of(&track.labels));
    let ladder = ladder::shared(stable().map(ladder::Track::latest), None);
    let mut windows: BTreeMap<i64, BTreeMap<String, Vec<f64>>> = BTreeMap::new();
    for track in stable() {
        let pod = labels.pod_of(&track.labels).unwrap_or_default();
        let pairs = track.samples.iter().zip(track.samples.iter().skip(1));
        for ((_, last), (then, next)) in pairs.filter(|((at, _), (then, _))| neighbours(*at, *then, step)) {
            // A layout that was another one then.
            let Some(counts) = track.on(&ladder, &growth(last, next)) else { continue };
            let row = windows.entry(*then as i64).or_default();
            add(row.entry(pod.clone()).or_insert_with(|| vec![0.0; ladder.len()]), &counts);
        }
    }
    let pods = Pods::of(windows.values());
    let history: Vec<Vec<Vec<f64>>> = windows
        .values()
        .map(|window| {
            let mut row = vec![vec![0.0; ladder.len()]; pods.0.len()];
            for (pod, counts) in window {
                if let Some(place) = pods.place(pod).and_then(|place| row.get_mut(place)) {
                    place.clone_from(counts);
                }
            }
            row
        })
        .collect();
    let mut all = vec![0.0; ladder.len()];
    history.iter().flatten().for_each(|pod| add(&mut all, pod));
    let Some(histogram) = Histogram::new(ladder, all).filter(|all| all.total() >= FEWEST_OBSERVATIONS) else {
        return Ok(Past::default());
    };
    let bounds = bounds_of(&histogram, asking);
    let known = labels.pod.is_some();
    let one = |(asking, at): (&Asking, &Option<f64>)| {
        let found = match (asking, at) {
            (Asking::Tail(_), Some(at)) => measure_any(&tails(&history, &histogram, *at)),
            (Asking::Shift, _) => measure_placements(&history),
            _ => None,
        };
        noise(found.filter(|_| known))
    };
    Ok(Past {
        windows: u32::try_from(history.len()).unwrap_or(u32::MAX),
        noise: asking.iter().zip(&bounds).map(one).collect(),
        ladder: Some(Ladder(coarsened(histogram, &bounds))),
        bounds,
        ..Past::default()
    })
}

/// Requests above `at` of each pod in each window.
fn tails(history: &[Vec<Vec<f64>>], ladder: &Histogram, at: f64) -> Vec<Vec<Tally>> {
    let pod = |counts: &Vec<f64>| {
        let slow = ladder.bounds().iter().zip(counts).filter(|(bound, _)| **bound > at);
        Tally::new(slow.map(|(_, count)| count).sum(), counts.iter().sum())
    };
    history.iter().map(|window| window.iter().map(pod).collect()).collect()
}

/// Growth of a counter from one step to the next, by the end of the step. Gaps are left out.
fn steps(samples: &[(f64, f64)], step: i64) -> impl Iterator<Item = (i64, f64)> {
    let pairs = samples.iter().zip(samples.iter().skip(1));
    pairs
        .filter(move |((at, _), (then, _))| neighbours(*at, *then, step))
        .map(|((_, last), (then, next))| (*then as i64, if next >= last { next - last } else { *next }))
}

fn neighbours(at: f64, then: f64, step: i64) -> bool {
    (then - at - step as f64).abs() < 0.5
}

/// All pods of a history, in a fixed order.
struct Pods(Vec<String>);

impl Pods {
    fn of<'w, T: 'w>(windows: impl Iterator<Item = &'w BTreeMap<String, T>>) -> Self {
        let mut pods: Vec<String> = windows.flat_map(|window| window.keys().cloned()).collect();
        pods.sort();
        pods.dedup();
        Self(pods)
    }

    fn place(&self, pod: &String) -> Option<usize> {
        self.0.binary_search(pod).ok()
    }
}

#[cfg(test)]
#[path = "past_tests.rs"]
mod tests;
