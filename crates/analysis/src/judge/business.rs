//! Judges a business rate, such as orders per visit, of which less is worse.
//!
//! The events counted are requests *without* conversion. "Stable with 2 % fewer conversions" is a virtual count: each
//! stable conversion counts as 0.98 of one.

use super::difference::Interval;
use super::dispersion::factor;
use super::evidence::{self, Alternative};
use super::look::Look;
use super::margin::inverse_pods;
use super::proportion::{Sight, State};
use super::reason;
use super::residual::Noise;
use super::tally::Tally;
use super::window::{Arm, Rejected, Settings, Window};

/// How far below stable the alternatives lie, in limits.
const STEPS: [f64; evidence::ALTERNATIVES] = [1.0, 2.0, 5.0, 20.0];
/// No alternative loses more of the conversions than this.
const MOST_LOST: f64 = 0.98;

/// Takes one window whose `errors` are conversions. `settings.limit` is relative: 0.02 for 2 % fewer conversions.
///
/// In the [`Look`] events are requests without conversion; `delta`, its interval and `excess` are relative changes of the
/// conversion rate, negative for fewer.
///
/// # Errors
/// [`Rejected`], and then the state is unchanged.
pub fn look(settings: &Settings, state: &mut State, window: &Window) -> Result<Look, Rejected> {
    settings.check()?;
    let window = window.checked(state.last_end())?;
    let (sight, rule) = (sight(settings, state.noise(settings), &window), settings.rule());
    let bets = bets(settings, state.past());
    state.take(&rule, &sight, bets, window.end);
    let mut look = state.report(settings, &sight);
    let converted = look.stable.rate().map(|lost| 1.0 - lost).filter(|rate| *rate > 0.0);
    // `delta` is what the canary loses beyond the limit, as a share of requests.
    let relative = |lost: f64| converted.map(|rate| -lost / rate - settings.limit);
    look.delta = look.delta.and_then(relative);
    look.window_delta = look.window_delta.and_then(relative);
    look.interval = look
        .interval
        .and_then(|ends| Some(Interval { low: relative(ends.high)?, high: relative(ends.low)? }));
    Ok(look)
}

/// The line of reasons of a look (judge 1.11).
pub fn line(name: &str, settings: &Settings, window: &Window, look: &Look, log_mean: f64) -> String {
    let words = reason::business(name, settings, look);
    reason::line(&words, settings, (window.start, window.end), look, log_mean)
}

/// Requests without conversion when each conversion counts as `kept` of one.
fn lost(conversions: Tally, kept: f64) -> Tally {
    Tally::new(conversions.trials - kept * conversions.events, conversions.trials)
}

fn sight(settings: &Settings, noise: Noise, window: &Window) -> Sight {
    let phi = |arm: Arm| factor(arm.requests, arm.pods, noise.rho);
    let pods = (window.canary.pods, window.stable.pods);
    let stable = window.stable.tally();
    let harmless = settings.kappa * settings.limit;
    let room = stable.rate().unwrap_or(0.0) * harmless;
    Sight {
        canary: lost(window.canary.tally(), 1.0),
        stable: lost(stable, 1.0),
        null: lost(stable, 1.0 - harmless),
        limit: lost(stable, 1.0 - settings.limit),
        null_margin: (settings.tau * inverse_pods(pods).sqrt() - room).clamp(0.0, 0.5),
        limit_margin: 0.0,
        phi: (phi(window.canary), phi(window.stable)),
        pods,
        source: noise.source,
    }
}

/// What is bet on the next window: `past` = stable at the edge of the null.
fn bets(settings: &Settings, past: Tally) -> [Alternative; evidence::ALTERNATIVES] {
    let harmless = settings.kappa * settings.limit;
    let history = settings.history.map(|arm| lost(arm.tally(), 1.0 - harmless));
    // Without history half of the requests convert, until the first few thousand say better.
    let stable = evidence::stable_rate(history, 0.5, past).min(1.0 - SMALLEST);
    let converted = (1.0 - stable) / (1.0 - harmless);
    STEPS.map(|step| Alternative {
        canary: 1.0 - converted * (1.0 - (step * settings.limit).min(MOST_LOST)),
        stable,
    })
}

/// Conversion rates below this are not bet on.
const SMALLEST: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::look::Verdict;

    fn settings() -> Settings {
        Settings { limit: 0.02, rho: Some(0.0), ..Settings::default() }
    }

    /// A window in which stable converts half of 60 000 visits.
    fn window(index: i64, canary: f64) -> Window {
        let arm = |requests, rate: f64, pods| Arm { requests, errors: requests * rate, pods };
        Window {
            start: 60 * index,
            end: 60 * index + 60,
            canary: arm(20_000.0, canary, 2),
            stable: arm(60_000.0, 0.5, 8),
        }
    }

    fn run(canary: f64, windows: i64) -> Look {
        let mut state = State::default();
        let looks = (0..windows).map(|index| look(&settings(), &mut state, &window(index, canary)).unwrap());
        looks.last().unwrap()
    }

    #[test]
    fn fewer_conversions_fail_and_more_never_do() {
        assert_eq!(run(0.47, 6).verdict, Verdict::Fail);
        assert_eq!(run(0.53, 30).verdict, Verdict::Pass);
        assert_eq!(run(0.5, 5).verdict, Verdict::Pass);
        assert_eq!(run(0.4951, 60).verdict, Verdict::Pass, "1 % fewer is within the limit of 2 %");
        assert_eq!(run(0.49, 4).verdict, Verdict::Undecided, "at the limit");
    }

    #[test]
    fn the_change_is_relative_and_in_its_interval() {
        let seen = run(0.48, 3);
        assert!((seen.delta.unwrap() + 0.04).abs() < 1e-9, "{seen:?}");
        let ends = seen.interval.unwrap();
        assert!(ends.low < -0.04 && ends.high > -0.04 && ends.high < -0.02, "{ends:?}");
    }
}
