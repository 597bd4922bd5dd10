//! Judges every question that is one of two shares: errors, slow requests, requests without conversion.
//!
//! The null and the limit are "stable, as it would be when it were that much worse": for errors the stable share plus a
//! margin, for slow requests and conversions virtual stable counts (judge 1.6). A virtual count weighs each stable event
//! by a number from 0 to 1, so by convexity its e-value is at most that of a real count of the same mean: the guarantee of
//! [`evidence`] carries over.

use super::combine::Standing;
use super::course::{Course, NUMBERS, Reading, Rule};
use super::difference::{Interval, miettinen_nurminen};
use super::evidence::{ALTERNATIVES, Alternative, log_e_all};
use super::exact;
use super::look::Look;
use super::margin::{inverse_pods, variance_at, weight};
use super::normal::critical;
use super::residual::{self, Noise, Residual, Residuals, Source};
use super::tally::Tally;
use super::two_by_two::TwoByTwo;
use super::window::Settings;
use serde::{Deserialize, Serialize};

/// One window of a question about shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sight {
    /// Canary events and requests.
    pub canary: Tally,
    /// Stable events and requests.
    pub stable: Tally,
    /// Stable as it would be at the edge of what is harmless.
    pub null: Tally,
    /// Stable as it would be at the limit.
    pub limit: Tally,
    /// How much above `null` is harmless still.
    pub null_margin: f64,
    /// How much above `limit` is the limit.
    pub limit_margin: f64,
    /// Dispersion factors of canary and stable.
    pub phi: (f64, f64),
    /// Pods of both.
    pub pods: (u32, u32),
    /// Where the dispersion factors come from.
    pub source: Source,
}

impl Sight {
    fn informed(&self) -> bool {
        !self.canary.is_empty() && !self.stable.is_empty()
    }

    /// What it shows of the noise, when that is not known from before.
    fn residual(&self) -> Option<Residual> {
        if self.source == Source::History {
            return None;
        }
        Residual::of_shares(self.canary, self.stable, self.pods)
    }

    /// Canary less stable at the limit less the margin.
    fn excess(&self) -> Option<f64> {
        Some(self.canary.rate()? - self.limit.rate()? - self.limit_margin)
    }

    /// What the window says when it is bet on `bets`.
    fn reading(&self, bets: [Alternative; ALTERNATIVES]) -> Option<Reading> {
        let excess = self.excess().filter(|_| self.informed())?;
        let canary = self.canary.thinned(self.phi.0);
        Some(Reading {
            log_e: log_e_all(canary, self.null.thinned(self.phi.1), bets, self.null_margin),
            excess,
            weight: weight(self.canary.trials, self.stable.trials),
            variance: variance_at(canary, self.limit.thinned(self.phi.1), self.limit_margin),
            inverse_pods: inverse_pods(self.pods),
        })
    }
}

/// Everything that must survive between two looks; its size does not depend on the number of windows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "Stored", from = "Stored")]
pub struct State {
    course: Course,
    /// Counts over all windows, for display.
    canary: Tally,
    stable: Tally,
    /// Stable counts at the edge of the null: the past of the next bet.
    null: Tally,
    /// Stable counts at the limit.
    limit: Tally,
    /// Counts divided by the dispersion factors, for the interval.
    effective_canary: Tally,
    effective_limit: Tally,
    /// The noise of the rollout itself; empty when it is known from before.
    residuals: Residuals,
    /// End of the last window taken, seconds since 1970.
    last_end: Option<i64>,
}

impl State {
    /// For the joint verdict over several questions; `margin` is what is harmless above the null, see [`Sight`].
    pub fn standing(&self, settings: &Settings, margin: f64) -> Standing {
        let sustained = self.course.sustained(&settings.rule()) && self.doubt(settings, margin).is_none();
        Standing { log_e: self.course.log_e(), sustained }
    }

    /// What forbids a FAIL while noise is assumed ([`Look::doubt`]).
    fn doubt(&self, settings: &Settings, margin: f64) -> Option<f64> {
        let level = settings.level()?;
        let harmless = self.null.rate()? - self.stable.rate()? + margin;
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

    /// Stable counts of earlier windows at the edge of the null.
    pub(super) fn past(&self) -> Tally {
        self.null
    }

    /// Stable at the limit over all windows.
    pub(super) fn at_limit(&self) -> Tally {
        self.limit
    }

    /// Takes one window that ends at `end`, with what was bet on it.
    pub(super) fn take(&mut self, rule: &Rule, sight: &Sight, bets: [Alternative; ALTERNATIVES], end: i64) {
        self.last_end = Some(end);
        self.course.take(rule, sight.reading(bets).as_ref());
        sight.residual().iter().for_each(|residual| self.residuals.add(residual));
        if sight.informed() {
            self.effective_canary += sight.canary.thinned(sight.phi.0);
            self.effective_limit += sight.limit.thinned(sight.phi.1);
        }
        self.canary += sight.canary;
        self.stable += sight.stable;
        self.null += sight.null;
        self.limit += sight.limit;
    }

    /// What is known after the window `sight`; without its line of reasons.
    pub(super) fn report(&self, settings: &Settings, sight: &Sight) -> Look {
        let (rule, tau) = (settings.rule(), settings.tau);
        let doubt = self.doubt(settings, sight.null_margin);
        let excess = sight.excess().filter(|_| sight.informed());
        let plain = |excess: f64| excess + sight.limit_margin;
        Look {
            canary: self.canary,
            stable: self.stable,
            delta: self.course.excess().map(plain),
            interval: self.interval(sight.limit_margin, tau),
            window_delta: excess.map(plain),
            chi2_p: TwoByTwo::new(self.canary, self.stable).compare().result.p(),
            phi: sight.phi.0,
            noise: sight.source,
            ..Look::of(&self.course, &rule, tau, (excess, doubt))
        }
    }

    /// Score interval of the effective counts, moved to the paired estimate and widened by pod differences.
    fn interval(&self, limit_margin: f64, tau: f64) -> Option<Interval> {
        let delta = self.course.excess()? + limit_margin;
        let (canary, limit) = (self.effective_canary, self.effective_limit);
        let pooled = canary.rate()? - limit.rate()?;
        let plain = miettinen_nurminen(canary, limit, DISPLAY_ALPHA)?;
        let pods = critical(DISPLAY_ALPHA) * self.course.pod_variance(tau).sqrt();
        Some(Interval {
            low: (delta - (pooled - plain.low).hypot(pods)).max(-1.0),
            high: (delta + (plain.high - pooled).hypot(pods)).min(1.0),
        })
    }
}

/// The interval shown to people is a 95 % one.
pub(super) const DISPLAY_ALPHA: f64 = 0.05;

const TALLIES: usize = 12;

/// Numbers of a [`State`]: all but the end of its last window.
pub(crate) const STORED: usize = NUMBERS + TALLIES + residual::NUMBERS;

impl State {
    /// Everything, as numbers to be stored, and the end of the last window.
    pub(crate) fn numbers(&self) -> ([f64; STORED], Option<i64>) {
        let Self {
            course,
            canary,
            stable,
            null,
            limit,
            effective_canary,
            effective_limit,
            residuals,
            last_end,
        } = self;
        let tallies = [canary, stable, null, limit, effective_canary, effective_limit];
        let tallies = tallies.into_iter().flat_map(|tally| [tally.events, tally.trials]);
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
        let (canary, stable, null, limit) = (tally(), tally(), tally(), tally());
        let (effective_canary, effective_limit) = (tally(), tally());
        let residuals = Residuals::of_numbers(std::array::from_fn(|_| rest.next().unwrap_or_default()));
        Self { course, canary, stable, null, limit, effective_canary, effective_limit, residuals, last_end }
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
