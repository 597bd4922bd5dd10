//! The questions that are asked of a simulated service: error rate, shift and tails of the latencies, business rate.

use super::service::{Pod, buckets, errors};
use crate::judge::business;
use crate::judge::combine::join;
use crate::judge::dispersion::{Dispersion, measure_any};
use crate::judge::error_rate::{self, Arm, Look, Rejected, Settings, Verdict};
use crate::judge::histogram::Histogram;
use crate::judge::latency::{self, Baseline, ShiftOf, Tail};
use crate::judge::placement::measure_placements;
use crate::judge::process::log_add;
use crate::judge::tail::bound;
use crate::judge::tally::Tally;
use crate::judge::{location, proportion};

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// The error rate: one question.
    Errors,
    /// Latencies: their shift, p95 and p99.
    Latency,
    /// All four questions.
    Both,
    /// A business rate, which never moves: one question. Its events are successes.
    Business,
}

impl Compared {
    /// The error rate is asked for.
    pub fn errors(self) -> bool {
        matches!(self, Self::Errors | Self::Both)
    }

    /// Latencies are asked for.
    pub fn latency(self) -> bool {
        matches!(self, Self::Latency | Self::Both)
    }

    /// Questions that are asked.
    pub fn questions(self) -> u32 {
        match self {
            Self::Errors | Self::Business => 1,
            Self::Latency => 3,
            Self::Both => 4,
        }
    }
}

/// The quantiles that are asked for unless something else is.
pub const QUANTILES: [f64; 2] = [0.95, 0.99];

/// What the judge knows before the rollout, measured on stable pods alone.
pub struct Known {
    errors: Option<Settings>,
    business: Option<Settings>,
    times: Option<Times>,
    metrics: u32,
}

struct Times {
    ladder: Vec<f64>,
    history: Histogram,
    shift: Settings,
    /// Quantile, settings and bound of each.
    tails: Vec<(f64, Settings, f64)>,
}

impl Known {
    /// From windows of pods before the rollout; `settings` for errors, with `slower` as the limit of latencies (0.15 = 15 %).
    /// Latencies, and their tails at these `quantiles`, are not asked for when the history has none on the `ladder`.
    pub fn of(
        history: &[Vec<Pod>],
        (ladder, quantiles): (&[f64], &[f64]),
        (settings, slower): (Settings, f64),
        compared: Compared,
    ) -> Self {
        let times = Settings { limit: slower, history: None, ..settings };
        let times = || Times::of(history, (ladder, quantiles), times);
        Self {
            errors: compared.errors().then(|| known(history, settings)),
            business: (compared == Compared::Business).then(|| known(history, settings)),
            times: compared.latency().then(times).flatten(),
            metrics: settings.metrics,
        }
    }

    /// The same without the noise that was measured.
    pub fn unmeasured(self) -> Self {
        let without = |settings: Settings| Settings { rho: None, tau: 0.0, ..settings };
        let times = self.times.map(|times| Times {
            shift: without(times.shift),
            tails: times
                .tails
                .into_iter()
                .map(|(q, settings, bound)| (q, without(settings), bound))
                .collect(),
            ..times
        });
        Self { errors: self.errors.map(without), business: self.business.map(without), times, ..self }
    }

    /// Latencies of all pods before the rollout.
    pub fn latencies(&self) -> Option<&Histogram> {
        self.times.as_ref().map(|times| &times.history)
    }

    /// Correlation of the requests of one pod in one window, measured on errors.
    pub fn rho(&self) -> Option<f64> {
        self.errors.and_then(|errors| errors.rho)
    }
}

impl Times {
    fn of(history: &[Vec<Pod>], (ladder, quantiles): (&[f64], &[f64]), settings: Settings) -> Option<Self> {
        let mut counts = vec![0.0; ladder.len()];
        for pod in history.iter().flatten() {
            counts.iter_mut().zip(&pod.buckets).for_each(|(all, count)| *all += count);
        }
        let all = Histogram::new(ladder.to_vec(), counts)?;
        let rows = |pods: &Vec<Pod>| pods.iter().map(|pod| pod.buckets.clone()).collect::<Vec<_>>();
        let ranks: Vec<_> = history.iter().map(rows).collect();
        let tails = |at: f64| -> Vec<Vec<Tally>> {
            let pod = |pod: &Pod| {
                let slow = ladder.iter().zip(&pod.buckets).filter(|(bound, _)| **bound > at);
                Tally::new(slow.map(|(_, count)| count).sum(), pod.buckets.iter().sum())
            };
            history.iter().map(|pods| pods.iter().map(pod).collect()).collect()
        };
        let tails = quantiles.iter().map(|q| match bound(&all, *q) {
            Some(at) => (*q, with(settings, measure_any(&tails(at))), at),
            // Without a bound near the quantile nothing is ever counted, as in a cluster.
            None => (*q, settings, f64::NAN),
        });
        let tails = tails.collect();
        let shift = with(settings, measure_placements(&ranks));
        Some(Self { ladder: ladder.to_vec(), history: all, shift, tails })
    }

    fn tail(&self, place: usize) -> Option<(Settings, Tail<'_>)> {
        let (quantile, settings, bound) = *self.tails.get(place)?;
        Some((settings, Tail { quantile, bound, baseline: self.baseline() }))
    }

    fn baseline(&self) -> Baseline<'_> {
        Baseline { history: &self.history, unit: "s" }
    }
}

fn with(settings: Settings, noise: Option<Dispersion>) -> Settings {
    Settings { rho: noise.map(|noise| noise.rho), tau: noise.map_or(0.0, |noise| noise.tau), ..settings }
}

/// The settings with what is measured on the errors of stable pods before the rollout: `history` holds windows of pods.
fn known(history: &[Vec<Pod>], settings: Settings) -> Settings {
    let rates: Vec<Vec<Tally>> =
        history.iter().map(|pods| pods.iter().map(|pod| pod.errors).collect()).collect();
    let mut total = Tally::default();
    history.iter().for_each(|pods| total += errors(pods));
    let history = Some(Arm { requests: total.trials, errors: total.events, pods: 0 });
    Settings { history, ..with(settings, measure_any(&rates)) }
}

/// The states of the questions.
#[derive(Default)]
pub struct Judge {
    rates: proportion::State,
    shift: location::State,
    tails: Vec<proportion::State>,
}

/// What the questions say of one window.
pub struct Said {
    looks: Vec<Look>,
    window: (error_rate::Window, latency::Window),
}

/// The rollout is to be aborted, by one question of those that were asked or by all together.
pub fn failed<'s>(said: impl IntoIterator<Item = &'s Said>, alpha: f64) -> bool {
    let looks: Vec<&Look> = said.into_iter().flat_map(|said| &said.looks).collect();
    let standings: Vec<_> = looks.iter().map(|look| look.standing()).collect();
    looks.iter().any(|look| look.verdict == Verdict::Fail) || looks.len() > 1 && join(&standings, alpha).fail
}

impl Said {
    /// Every question is answered: not worse by its limit.
    pub fn passed(&self) -> bool {
        !self.looks.is_empty() && self.looks.iter().all(|look| look.verdict == Verdict::Pass)
    }
}

impl Judge {
    /// Takes window number `index` of so many seconds.
    ///
    /// # Errors
    /// [`Rejected`] for settings out of their range.
    pub fn look(
        &mut self,
        known: &Known,
        (index, seconds): (f64, f64),
        (canary, stable): (&[Pod], &[Pod]),
    ) -> Result<Said, Rejected> {
        let window = window(index, seconds, (canary, stable));
        let times = latency::Window {
            start: window.start,
            end: window.end,
            bounds: known.times.as_ref().map(|times| times.ladder.clone()).unwrap_or_default(),
            canary: buckets(canary),
            stable: buckets(stable),
        };
        let mut looks = Vec::new();
        if let Some(settings) = &known.errors {
            looks.push(error_rate::look(settings, &mut self.rates, &window)?);
        }
        if let Some(settings) = &known.business {
            looks.push(business::look(settings, &mut self.rates, &window)?);
        }
        if let Some(known) = &known.times {
            let shift = ShiftOf { baseline: Some(known.baseline()) };
            looks.push(shift.look(&known.shift, &mut self.shift, &times)?);
            self.tails.resize(known.tails.len(), proportion::State::default());
            for (place, state) in self.tails.iter_mut().enumerate() {
                let Some((settings, tail)) = known.tail(place) else { continue };
                looks.push(tail.look(&settings, state, &times)?);
            }
        }
        Ok(Said { looks, window: (window, times) })
    }

    /// The lines of reasons of the newest look with the strength of their evidence. `name` is that of the comparison; without
    /// one each question has its own.
    pub fn reasons(&self, known: &Known, said: &Said, name: Option<&str>) -> Vec<(f64, String)> {
        let (window, times) = &said.window;
        let (rate, time) = (name.unwrap_or("error-rate"), name.unwrap_or("latency"));
        let log_sum = said.looks.iter().map(|look| look.log_e).fold(f64::NEG_INFINITY, log_add);
        let log_mean = log_sum - f64::from(known.metrics).ln();
        let mut looks = said.looks.iter();
        let mut lines = Vec::new();
        if let (Some(settings), Some(look)) = (&known.errors, known.errors.and_then(|_| looks.next())) {
            lines.push((look.log_e, error_rate::line(rate, settings, window, look, log_mean)));
        }
        if let (Some(settings), Some(look)) = (&known.business, known.business.and_then(|_| looks.next())) {
            lines.push((look.log_e, business::line(rate, settings, window, look, log_mean)));
        }
        if let (Some(known), Some(look)) = (&known.times, looks.next()) {
            let shift = ShiftOf { baseline: Some(known.baseline()) };
            let line = shift.line(time, &known.shift, (times, &self.shift), look, log_mean);
            lines.push((look.log_e, line));
            for (place, (state, look)) in self.tails.iter().zip(looks).enumerate() {
                let Some((settings, tail)) = known.tail(place) else { continue };
                lines.push((look.log_e, tail.line(time, &settings, (times, state), look, log_mean)));
            }
        }
        lines
    }
}

fn window(index: f64, seconds: f64, (canary, stable): (&[Pod], &[Pod])) -> error_rate::Window {
    let arm = |pods: &[Pod]| {
        let all = errors(pods);
        Arm { requests: all.trials, errors: all.events, pods: u32::try_from(pods.len()).unwrap_or(u32::MAX) }
    };
    let (start, end) = ((index * seconds) as i64, ((index + 1.0) * seconds) as i64);
    error_rate::Window { start, end, canary: arm(canary), stable: arm(stable) }
}
