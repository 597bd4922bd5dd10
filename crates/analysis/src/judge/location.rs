//! Judges every question that is one estimate with a variance per window: a latency shift, the mean of a value.
//!
//! Per alternative the evidence of a window is `l d - l^2 v / 2`, the likelihood ratio of a normal estimate (judge 1.5);
//! it is approximate where shares are exact, and windows need enough observations for their mean to be nearly normal.

use super::combine::Standing;
use super::course::{Course, NUMBERS, Reading, Rule};
use super::difference::Interval;
use super::evidence::ALTERNATIVES;
use super::exact;
use super::look::Look;
use super::margin::{inverse_pods, weight};
use super::normal::{critical, two_sided};
use super::proportion::DISPLAY_ALPHA;
use super::residual::{self, Noise, Residual, Residuals, Source};
use super::tally::Tally;
use super::window::Settings;
use serde::{Deserialize, Serialize};

/// One window of a question about location. Larger is worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sight {
    /// Sum of the values (0 when it has no meaning) and number of observations of the canary.
    pub canary: Tally,
    /// The same of stable.
    pub stable: Tally,
    /// What is compared: the estimate, where it would be if nothing were worse, and at the limit.
    pub estimate: f64,
    /// The estimate of two equal revisions.
    pub equal: f64,
    /// The estimate at the limit.
    pub limit: f64,
    /// Variance of the estimate, with dispersion.
    pub variance: f64,
    /// Logarithms of the e-values.
    pub log_e: [f64; ALTERNATIVES],
    /// Dispersion factor of the canary.
    pub phi: f64,
    /// Where it comes from.
    pub source: Source,
    /// What the window shows of the noise, when that is not known from before.
    pub residual: Option<Residual>,
    /// Pods of both.
    pub pods: (u32, u32),
}

/// Probability that a request of one of two equal revisions is the slower one of a pair.
const EQUAL_RANKS: f64 = 0.5;

/// Everything that must survive between two looks; its size does not depend on the number of windows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "Stored", from = "Stored")]
pub struct State {
    course: Course,
    canary: Tally,
    stable: Tally,
    /// `sum w estimate` and `sum w`.
    estimate: Tally,
    /// The noise of the rollout itself; empty when it is known from before.
    residuals: Residuals,
    last_end: Option<i64>,
}

impl State {
    /// For the joint verdict over several questions.
    pub fn standing(&self, settings: &Settings) -> Standing {
        let sustained = self.course.sustained(&settings.rule()) && self.doubt(settings).is_none();
        Standing { log_e: self.course.log_e(), sustained }
    }

    /// What forbids a FAIL while noise is assumed ([`Look::doubt`]). The noise of a mean is never assumed: its windows leave
    /// no residuals.
    fn doubt(&self, settings: &Settings) -> Option<f64> {
        let level = settings.level().filter(|_| self.residuals != Residuals::default())?;
        let harmless = EQUAL_RANKS + settings.kappa * (self.at_limit()? - EQUAL_RANKS);
        self.residuals.p_above(harmless).filter(|p| *p > level)
    }

    /// End of the last window taken, seconds since 1970.
    pub(super) fn last_end(&self) -> Option<i64> {
        self.last_end
    }

    /// The noise of the next window.
    pub(super) fn noise(&self, settings: &Settings) -> Noise {
        self.residuals.noise(settings)
    }

    /// Sum and number of all stable observations.
    pub(super) fn stable(&self) -> Tally {
        self.stable
    }

    /// Takes one window that ends at `end`; `None` is a window without information.
    pub(super) fn take(&mut self, rule: &Rule, sight: Option<&Sight>, end: i64) {
        self.last_end = Some(end);
        let Some(sight) = sight else { return };
        let weight = weight(sight.canary.trials, sight.stable.trials);
        let reading = Reading {
            log_e: sight.log_e,
            excess: sight.estimate - sight.limit,
            weight,
            variance: sight.variance,
            inverse_pods: inverse_pods(sight.pods),
        };
        self.course.take(rule, Some(&reading));
        sight.residual.iter().for_each(|residual| self.residuals.add(residual));
        self.canary += sight.canary;
        self.stable += sight.stable;
        self.estimate += Tally::new(weight * sight.estimate, weight);
    }

    /// What is known after the window `sight`; without its line of reasons.
    pub(super) fn report(&self, settings: &Settings, sight: Option<&Sight>) -> Look {
        let (rule, tau) = (settings.rule(), settings.tau);
        let excess = sight.map(|sight| sight.estimate - sight.limit);
        let reach = critical(DISPLAY_ALPHA) * self.course.variance(tau).sqrt();
        let delta = self.estimate.rate();
        let p = |sight: &Sight| {
            (sight.variance > 0.0).then(|| two_sided((sight.estimate - sight.equal) / sight.variance.sqrt()))
        };
        Look {
            canary: self.canary,
            stable: self.stable,
            delta,
            interval: delta.map(|delta| Interval { low: delta - reach, high: delta + reach }),
            window_delta: sight.map(|sight| sight.estimate),
            chi2_p: sight.and_then(p),
            phi: sight.map_or(1.0, |sight| sight.phi),
            noise: sight.map_or(Source::History, |sight| sight.source),
            ..Look::of(&self.course, &rule, tau, (excess, self.doubt(settings)))
        }
    }

    /// The estimate at the limit over all windows.
    pub(super) fn at_limit(&self) -> Option<f64> {
        Some(self.estimate.rate()? - self.course.excess()?)
    }
}

const TALLIES: usize = 6;

/// Numbers of a [`State`]: all but the end of its last window.
pub(crate) const STORED: usize = NUMBERS + TALLIES + residual::NUMBERS;

impl State {
    /// Everything, as numbers to be stored, and the end of the last window.
    pub(crate) fn numbers(&self) -> ([f64; STORED], Option<i64>) {
        let Self { course, canary, stable, estimate, residuals, last_end } = self;
        let tallies = [canary, stable, estimate].into_iter().flat_map(|tally| [tally.events, tally.trials]);
        let mut all = course.numbers().into_iter().chain(tallies).chain(residuals.numbers());
        (std::array::from_fn(|_| all.next().unwrap_or_default()), *last_end)
    }

    /// What [`numbers`](Self::numbers) gave.
    pub(crate) fn of_numbers(numbers: [f64; STORED], last_end: Option<i64>) -> Self {
        let mut rest = numbers.into_iter();
        let course = Course::of_numbers(std::array::from_fn(|_| rest.next().unwrap_or_default()));
        let mut tally = || {
            let events = rest.next().unwrap_or_default();
            Tally::new(events, rest.next().unwrap_or_default())
        };
        let (canary, stable, estimate) = (tally(), tally(), tally());
        let residuals = Residuals::of_numbers(std::array::from_fn(|_| rest.next().unwrap_or_default()));
        Self { course, canary, stable, estimate, residuals, last_end }
    }
}

/// A [`State`] as JSON lists of numbers: as it was stored before there was a denser form.
#[derive(Serialize, Deserialize)]
struct Stored(
    #[serde(with = "exact::array")] [f64; NUMBERS],
    #[serde(with = "exact::array")] [f64; TALLIES],
    Option<i64>,
    #[serde(default, with = "exact::array")] [f64; residual::NUMBERS],
);

impl From<State> for Stored {
    fn from(state: State) -> Self {
        let (numbers, last_end) = state.numbers();
        let mut all = numbers.into_iter();
        let course = std::array::from_fn(|_| all.next().unwrap_or_default());
        let tallies = std::array::from_fn(|_| all.next().unwrap_or_default());
        Self(course, tallies, last_end, std::array::from_fn(|_| all.next().unwrap_or_default()))
    }
}

impl From<Stored> for State {
    fn from(Stored(course, tallies, last_end, residuals): Stored) -> Self {
        let mut all = course.into_iter().chain(tallies).chain(residuals);
        Self::of_numbers(std::array::from_fn(|_| all.next().unwrap_or_default()), last_end)
    }
}
