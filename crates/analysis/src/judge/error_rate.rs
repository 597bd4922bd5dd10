//! Judges the error rate of a canary, one look per window: fail, pass (not worse by the limit), or undecided yet.
//!
//! Judge 0, 1.3 and 1.7 to 1.11. FAIL needs three things at once: evidence that may be looked at after every window,
//! an estimate over the whole rollout beyond the limit, and N windows in a row beyond it. PASS needs the opposite to
//! be shown. No data moves nothing.

use super::dispersion::factor;
use super::evidence;
pub use super::look::{Look, Verdict};
use super::margin::inverse_pods;
use super::proportion::Sight;
pub use super::proportion::State;
use super::reason;
use super::residual::Noise;
pub use super::window::{Arm, Assumption, Rejected, Settings, Side, Window};
/// Takes one window and says what is known now. Start with `State::default()`, and again whenever the limit, kappa or
/// the query changes (then with half the alpha).
///
/// Deterministic: the same settings, state and windows give the same bits, so persisted windows replay to the same
/// verdict.
///
/// # Errors
/// [`Rejected`], and then the state is unchanged: numbers that are not counts, more errors than requests, a window
/// that overlaps the last one, or a setting out of range. An empty arm is not an error.
pub fn look(settings: &Settings, state: &mut State, window: &Window) -> Result<Look, Rejected> {
    settings.check()?;
    let window = window.checked(state.last_end())?;
    let (sight, rule) = (sight(settings, state.noise(settings), &window), settings.rule());
    let history = settings.history.map(Arm::tally);
    let stable = evidence::stable_rate(history, settings.limit, state.past());
    state.take(&rule, &sight, evidence::shifts(stable, settings.limit), window.end);
    let mut look = state.report(settings, &sight);
    let log_mean = look.log_e - f64::from(settings.metrics).ln();
    look.reason = line("error-rate", settings, &window, &look, log_mean);
    Ok(look)
}

/// One line for people, with the metric's own name and the mean evidence over all metrics (judge 1.11).
///
/// [`Look::reason`] is this line with the name `error-rate` and the other metrics silent.
pub fn line(name: &str, settings: &Settings, window: &Window, look: &Look, log_mean: f64) -> String {
    reason::line(
        &reason::error_rate(name, settings, look),
        settings,
        (window.start, window.end),
        look,
        log_mean,
    )
}

fn sight(settings: &Settings, noise: Noise, window: &Window) -> Sight {
    let phi = |arm: Arm| factor(arm.requests, arm.pods, noise.rho);
    let pods = (window.canary.pods, window.stable.pods);
    let stable = window.stable.tally();
    Sight {
        canary: window.canary.tally(),
        stable,
        null: stable,
        limit: stable,
        null_margin: (settings.kappa * settings.limit).max(settings.tau * inverse_pods(pods).sqrt()),
        limit_margin: settings.limit,
        phi: (phi(window.canary), phi(window.stable)),
        pods,
        source: noise.source,
    }
}

#[cfg(test)]
#[path = "error_rate_tests.rs"]
mod tests;
