//! Judges latency from histogram buckets: the tail at a quantile (judge 1.6), and a shift of everything (judge 1.5).
//!
//! Both ask "is the canary slower than stable slowed by the limit?". The tail counts requests above one bucket bound,
//! fixed before the rollout; the shift compares all pairs of requests (Mann-Whitney) and misses faults that only few
//! requests meet, so that a comparison asks both.

use super::buckets::rank_sum;
use super::dispersion::factor;
use super::evidence::{odds, stable_rate};
use super::exact;
use super::histogram::Histogram;
use super::location;
use super::look::Look;
use super::mann_whitney::{Alternative, Continuity};
use super::margin::inverse_pods;
use super::placement::{self, shift, slowed_superiority};
use super::proportion;
use super::reason;
use super::residual::{Noise, Source};
use super::tail::{slow, virtually_slow};
use super::tally::Tally;
use super::window::{Rejected, Settings, Side};
use serde::{Deserialize, Serialize};

/// Buckets of one arm in one window.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Buckets {
    /// Observations per bucket (not cumulative), in the order of the bounds; fractions are fine.
    #[serde(with = "exact::list")]
    pub counts: Vec<f64>,
    /// Pods that served them; 0 = unknown, counts as one pod.
    pub pods: u32,
}

/// The buckets of both arms between two instants, on one ladder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Start, seconds since 1970.
    pub start: i64,
    /// End, seconds since 1970; after `start`.
    pub end: i64,
    /// Upper bounds that both arms have, ascending, the last one `+Inf`.
    #[serde(with = "exact::list")]
    pub bounds: Vec<f64>,
    /// The new revision.
    pub canary: Buckets,
    /// The revision it replaces.
    pub stable: Buckets,
}

/// A window whose numbers were checked.
struct Seen {
    canary: Histogram,
    stable: Histogram,
    pods: (u32, u32),
    phi: (f64, f64),
    source: Source,
}

impl Window {
    fn blind(&self) -> bool {
        ties(&self.canary.counts, &self.stable.counts) > MOST_TIES
    }

    fn checked(&self, noise: Noise, last_end: Option<i64>) -> Result<Seen, Rejected> {
        Rejected::unless_tiling(self.start, self.end, last_end)?;
        let read = |side, buckets: &Buckets| {
            let odd = |value: &&f64| !value.is_finite() || **value < 0.0;
            if let Some(value) = buckets.counts.iter().find(odd) {
                return Err(Rejected::Value { side, field: "bucket", value: *value });
            }
            Histogram::new(self.bounds.clone(), buckets.counts.clone()).ok_or(Rejected::Ladder { side })
        };
        let (canary, stable) = (read(Side::Canary, &self.canary)?, read(Side::Stable, &self.stable)?);
        let Noise { rho, source } = noise;
        let pods = (self.canary.pods, self.stable.pods);
        let phi = (factor(canary.total(), pods.0, rho), factor(stable.total(), pods.1, rho));
        Ok(Seen { canary, stable, pods, phi, source })
    }
}

/// What a latency question compares with: fixed before the first window that it judges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline<'h> {
    /// Stable before the rollout.
    pub history: &'h Histogram,
    /// The unit of the bounds, for people: `s`, `ms` or nothing.
    pub unit: &'h str,
}

/// The question of a tail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tail<'h> {
    /// The quantile that gave the bound, in `(0, 1)`.
    pub quantile: f64,
    /// The bucket bound above which requests are slow (`tail::bound` of the history).
    pub bound: f64,
    /// What it compares with.
    pub baseline: Baseline<'h>,
}

impl Tail<'_> {
    /// Takes one window: are more canary requests above the bound than would be if stable were slower by the limit?
    ///
    /// `settings.limit` is the allowed slowdown, 0.15 for 15 %. A bound that is not on the ladder of both arms makes a
    /// window without information: the line says so.
    ///
    /// # Errors
    /// [`Rejected`], and then the state is unchanged.
    pub fn look(
        &self,
        settings: &Settings,
        state: &mut proportion::State,
        window: &Window,
    ) -> Result<Look, Rejected> {
        settings.check()?;
        let seen = window.checked(state.noise(settings), state.last_end())?;
        let rule = settings.rule();
        let sight = self.sight(settings, &seen);
        let blind = proportion::Sight { source: seen.source, ..BLIND };
        let history = self.null_history(settings);
        let stable = stable_rate(history, 1.0 - self.quantile, state.past()).min(HIGHEST);
        state.take(&rule, sight.as_ref().unwrap_or(&blind), odds(stable), window.end);
        Ok(state.report(settings, sight.as_ref().unwrap_or(&blind)))
    }

    /// The line of reasons of a look (judge 1.11).
    pub fn line(
        &self,
        name: &str,
        settings: &Settings,
        (window, state): (&Window, &proportion::State),
        look: &Look,
        log_mean: f64,
    ) -> String {
        let about = self.about(look);
        let has_bound = window.bounds.contains(&self.bound);
        let words = reason::tail(name, self, settings, look, (state.at_limit(), about, has_bound));
        reason::line(&words, settings, (window.start, window.end), look, log_mean)
    }

    fn sight(&self, settings: &Settings, seen: &Seen) -> Option<proportion::Sight> {
        let slower = 1.0 + settings.limit;
        let history = self.baseline.on_ladder_of(&seen.stable)?;
        let at = |factor: f64| virtually_slow(&seen.stable, &history, self.bound, factor);
        let (null, limit) = (at(slower.powf(settings.kappa))?, at(slower)?);
        let room =
            history.survival(self.bound / slower.powf(settings.kappa))? - history.survival(self.bound)?;
        Some(proportion::Sight {
            canary: slow(&seen.canary, self.bound)?,
            stable: slow(&seen.stable, self.bound)?,
            null,
            limit,
            null_margin: (settings.tau * inverse_pods(seen.pods).sqrt() - room).clamp(0.0, 0.5),
            limit_margin: 0.0,
            phi: seen.phi,
            pods: seen.pods,
            source: seen.source,
        })
    }

    fn null_history(&self, settings: &Settings) -> Option<Tally> {
        let factor = (1.0 + settings.limit).powf(settings.kappa);
        virtually_slow(self.baseline.history, self.baseline.history, self.bound, factor)
    }

    /// By what factor the canary seems slower, read off the tail of the history.
    fn about(&self, look: &Look) -> Option<f64> {
        let (canary, stable) = (look.canary.rate()?, look.stable.rate().filter(|rate| *rate > 0.0)?);
        let at = |factor: f64| self.baseline.history.survival(self.bound / factor);
        let wanted = at(1.0)? * canary / stable;
        let (mut low, mut high) = (1.0 / MOST_SLOWER, MOST_SLOWER);
        if wanted >= at(high)? || wanted <= 0.0 {
            return None;
        }
        for _ in 0..HALVINGS {
            let middle = f64::sqrt(low * high);
            // Beyond the last bound nothing is known: the canary is faster than can be told.
            if at(middle).is_none_or(|slow| slow < wanted) { low = middle } else { high = middle }
        }
        at(low).map(|_| low)
    }
}

/// A window that says nothing.
const BLIND: proportion::Sight = proportion::Sight {
    canary: Tally::new(0.0, 0.0),
    stable: Tally::new(0.0, 0.0),
    null: Tally::new(0.0, 0.0),
    limit: Tally::new(0.0, 0.0),
    null_margin: 0.0,
    limit_margin: 0.0,
    phi: (1.0, 1.0),
    pods: (0, 0),
    source: Source::Assumed,
};

/// A tail with nearly all requests in it is no tail; bets stay below it.
const HIGHEST: f64 = 0.9;
/// Slowdowns that are told apart.
const MOST_SLOWER: f64 = 8.0;
const HALVINGS: usize = 50;

impl Baseline<'_> {
    fn on_ladder_of(&self, stable: &Histogram) -> Option<Histogram> {
        if self.history.bounds() == stable.bounds() {
            return Some(self.history.clone());
        }
        let (history, _) = self.history.on_common_ladder(stable)?;
        (history.bounds() == stable.bounds()).then_some(history)
    }
}

/// The question of a shift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShiftOf<'h> {
    /// For display: how much slower "54 % of pairs" is.
    pub baseline: Option<Baseline<'h>>,
}

impl ShiftOf<'_> {
    /// Takes one window: does a canary request beat a stable one more often than if stable were slower by the limit?
    ///
    /// # Errors
    /// [`Rejected`], and then the state is unchanged.
    pub fn look(
        &self,
        settings: &Settings,
        state: &mut location::State,
        window: &Window,
    ) -> Result<Look, Rejected> {
        settings.check()?;
        let seen = window.checked(state.noise(settings), state.last_end())?;
        let rule = settings.rule();
        let sight = sight_of_shift(settings, &seen);
        state.take(&rule, sight.as_ref(), window.end);
        let mut look = state.report(settings, sight.as_ref());
        look.chi2_p = rank_p(&seen);
        Ok(look)
    }

    /// The line of reasons of a look (judge 1.11).
    pub fn line(
        &self,
        name: &str,
        settings: &Settings,
        (window, state): (&Window, &location::State),
        look: &Look,
        log_mean: f64,
    ) -> String {
        let about = self.baseline.and_then(|baseline| about(baseline.history, look.delta?));
        let words = reason::shift(name, settings, look, (state.at_limit(), about, window.blind()));
        reason::line(&words, settings, (window.start, window.end), look, log_mean)
    }
}

fn sight_of_shift(settings: &Settings, seen: &Seen) -> Option<location::Sight> {
    let slower = 1.0 + settings.limit;
    let floor = 0.5 + settings.tau * inverse_pods(seen.pods).sqrt();
    if ties(seen.canary.counts(), seen.stable.counts()) > MOST_TIES {
        return None;
    }
    let found = shift(&seen.canary, &seen.stable, slower.powf(settings.kappa), seen.phi, floor)?;
    Some(location::Sight {
        canary: Tally::new(0.0, seen.canary.total()),
        stable: Tally::new(0.0, seen.stable.total()),
        estimate: found.superiority,
        equal: 0.5,
        limit: slowed_superiority(&seen.stable, slower)?,
        variance: found.variance,
        log_e: found.log_e,
        phi: seen.phi.0,
        source: seen.source,
        residual: (seen.source != Source::History)
            .then(|| placement::residual(found.superiority, &seen.canary, &seen.stable, seen.pods))
            .flatten(),
        pods: seen.pods,
    })
}

/// More pairs than this in one bucket, and the order of the two arms inside it is unknown: that they are equal would
/// be an assumption, not a measurement.
const MOST_TIES: f64 = 0.75;

/// Share of pairs that are in one bucket.
fn ties(canary: &[f64], stable: &[f64]) -> f64 {
    let pairs = canary.iter().sum::<f64>() * stable.iter().sum::<f64>();
    canary.iter().zip(stable).map(|(f, g)| f * g).sum::<f64>() / pairs
}

/// Mann-Whitney p of the window, two-sided with ties; fractions are rounded.
fn rank_p(seen: &Seen) -> Option<f64> {
    let whole = |arm: &Histogram| arm.counts().iter().map(|count| count.round() as u64).collect::<Vec<_>>();
    let sum = rank_sum(&whole(&seen.canary), &whole(&seen.stable)).filter(|sum| !sum.degenerate())?;
    Some(sum.p(Alternative::TwoSided, Continuity::Corrected))
}

/// The slowdown of the history that gives this probability of superiority; `None` below 1 and beyond what is told apart.
fn about(history: &Histogram, superiority: f64) -> Option<f64> {
    let at = |factor: f64| slowed_superiority(history, factor);
    let (mut low, mut high) = (1.0, MOST_SLOWER);
    if superiority <= at(low)? || superiority >= at(high)? {
        return None;
    }
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if at(middle)? < superiority { low = middle } else { high = middle }
    }
    Some(low)
}

#[cfg(test)]
#[path = "latency_tests.rs"]
mod tests;
