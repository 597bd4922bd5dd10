//! Judges the mean of a value, such as the size of an order, of which only sums and counts are known.
//!
//! The spread of one observation cannot be read off sums: it is measured on the history of the stable pods, dispersion
//! included (judge 1.4). Approximate, as every test of a mean with an estimated spread.

use super::difference::Interval;
use super::evidence::ALTERNATIVES;
use super::location::{Sight, State};
use super::look::Look;
use super::margin::inverse_pods;
use super::reason;
use super::residual::Source;
use super::tally::Tally;
use super::window::{Rejected, Settings, Side};
use serde::{Deserialize, Serialize};

/// Further changes that the alternatives bet on, in limits.
const STEPS: [f64; ALTERNATIVES] = [1.0, 2.0, 5.0, 20.0];

/// Sum and number of observations of one arm in one window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Values {
    /// `events` = the sum of the values, `trials` = how many.
    pub sum: Tally,
    /// Pods that served them; 0 = unknown, counts as one pod.
    pub pods: u32,
}

/// The values of both arms between two instants.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Start, seconds since 1970.
    pub start: i64,
    /// End, seconds since 1970; after `start`.
    pub end: i64,
    /// The new revision.
    pub canary: Values,
    /// The revision it replaces.
    pub stable: Values,
}

/// Which way is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worse {
    /// A larger mean.
    Higher,
    /// A smaller mean.
    Lower,
}

/// What the history of stable says of the value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Variance of one observation, with dispersion (`dispersion::measure_means` with variances of 1).
    pub variance: f64,
    /// The mean.
    pub mean: f64,
}

/// Takes one window. `settings.limit` is relative: 0.02 for 2 % of the stable mean; `settings.tau` is in the unit of the
/// value, `settings.rho` is not used. Without a spread, or with a stable mean of 0, a window says nothing.
///
/// In the [`Look`] `delta`, its interval and `window_delta` are relative changes, positive for a larger canary mean.
///
/// # Errors
/// [`Rejected`], and then the state is unchanged.
pub fn look(
    settings: &Settings,
    (worse, spread): (Worse, Option<Spread>),
    state: &mut State,
    window: &Window,
) -> Result<Look, Rejected> {
    settings.check()?;
    Rejected::unless_tiling(window.start, window.end, state.last_end())?;
    checked(Side::Canary, window.canary.sum)?;
    checked(Side::Stable, window.stable.sum)?;
    let rule = settings.rule();
    let sight = spread.and_then(|spread| sight(settings, (worse, spread), state.stable(), window));
    state.take(&rule, sight.as_ref(), window.end);
    let mut look = state.report(settings, sight.as_ref());
    let size = look.stable.rate().map(f64::abs).filter(|size| *size > 0.0);
    let sign = worse.sign();
    let relative = |change: f64| size.map(|size| sign * change / size);
    look.delta = look.delta.and_then(relative);
    look.window_delta = look.window_delta.and_then(relative);
    look.interval = look.interval.and_then(|ends| {
        let (a, b) = (relative(ends.low)?, relative(ends.high)?);
        Some(Interval { low: a.min(b), high: a.max(b) })
    });
    Ok(look)
}

/// The line of reasons of a look (judge 1.11).
pub fn line(
    name: &str,
    settings: &Settings,
    (worse, spread): (Worse, Option<Spread>),
    window: &Window,
    look: &Look,
    log_mean: f64,
) -> String {
    let words = reason::mean(name, settings, worse, spread.is_some(), look);
    reason::line(&words, settings, (window.start, window.end), look, log_mean)
}

impl Worse {
    fn sign(self) -> f64 {
        match self {
            Self::Higher => 1.0,
            Self::Lower => -1.0,
        }
    }
}

fn checked(side: Side, sum: Tally) -> Result<(), Rejected> {
    for (field, value) in [("sum", sum.events), ("count", sum.trials)] {
        if !value.is_finite() || field == "count" && value < 0.0 {
            return Err(Rejected::Value { side, field, value });
        }
    }
    Ok(())
}

fn sight(
    settings: &Settings,
    (worse, spread): (Worse, Spread),
    past: Tally,
    window: &Window,
) -> Option<Sight> {
    let (canary, stable) = (window.canary.sum, window.stable.sum);
    let (p, q) = (canary.rate()?, stable.rate()?);
    let pods = (window.canary.pods, window.stable.pods);
    // Known before the window: the scale of the bets and of what is harmless.
    let size = past.rate().unwrap_or(spread.mean).abs();
    let harmless = (settings.kappa * settings.limit * size).max(settings.tau * inverse_pods(pods).sqrt());
    let estimate = worse.sign() * (p - q);
    let variance = spread.variance * (1.0 / canary.trials + 1.0 / stable.trials);
    let bet = |step: f64| {
        let l = (step * settings.limit * size + settings.limit * size * settings.kappa - harmless) / variance;
        if l > 0.0 { l * (estimate - harmless) - l * l * variance / 2.0 } else { 0.0 }
    };
    (size > 0.0 && variance > 0.0).then(|| Sight {
        canary,
        stable,
        estimate,
        equal: 0.0,
        limit: settings.limit * size,
        variance,
        log_e: STEPS.map(bet),
        phi: 1.0,
        source: Source::History,
        residual: None,
        pods,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::look::Verdict;

    fn settings() -> Settings {
        Settings { limit: 0.02, rho: Some(0.0), ..Settings::default() }
    }

    fn run(worse: Worse, canary: f64, windows: i64) -> Look {
        let spread = Some(Spread { variance: 400.0, mean: 42.0 });
        let values = |mean: f64, count: f64, pods| Values { sum: Tally::new(mean * count, count), pods };
        let mut state = State::default();
        let looks = (0..windows).map(|index| {
            let window = Window {
                start: 60 * index,
                end: 60 * index + 60,
                canary: values(canary, 6000.0, 1),
                stable: values(42.0, 54_000.0, 9),
            };
            look(&settings(), (worse, spread), &mut state, &window).unwrap()
        });
        looks.last().unwrap()
    }

    #[test]
    fn the_worse_direction_alone_fails() {
        assert_eq!(run(Worse::Lower, 40.0, 6).verdict, Verdict::Fail);
        assert_eq!(run(Worse::Higher, 40.0, 6).verdict, Verdict::Pass);
        assert_eq!(run(Worse::Higher, 44.0, 6).verdict, Verdict::Fail);
        assert_eq!(run(Worse::Lower, 42.0, 6).verdict, Verdict::Pass);
        assert!((run(Worse::Lower, 40.0, 3).delta.unwrap() + 2.0 / 42.0).abs() < 1e-9);
    }

    #[test]
    fn without_a_spread_nothing_moves() {
        let window = Window {
            start: 0,
            end: 60,
            canary: Values { sum: Tally::new(1.0, 600.0), pods: 1 },
            stable: Values { sum: Tally::new(900.0, 600.0), pods: 1 },
        };
        let seen = look(&settings(), (Worse::Lower, None), &mut State::default(), &window).unwrap();
        assert_eq!((seen.log_e, seen.verdict, seen.excess), (0.0, Verdict::Undecided, None));
    }

    #[test]
    fn row_7_a_sum_that_is_no_number_is_rejected_with_its_value() {
        let window = Window {
            start: 0,
            end: 60,
            canary: Values { sum: Tally::new(f64::NAN, 600.0), pods: 1 },
            stable: Values::default(),
        };
        let refusal = look(&settings(), (Worse::Lower, None), &mut State::default(), &window).unwrap_err();
        assert_eq!(refusal.to_string(), "canary sum is NaN: not a count");
    }
}
