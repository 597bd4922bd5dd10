//! Judges the error rate of a canary, one look per window: fail, pass (not worse by the limit), or undecided yet.
//!
//! Judge 0, 1.3 and 1.7 to 1.11. FAIL needs three things at once: evidence that may be looked at after every window,
//! an estimate over the whole rollout beyond the limit, and N windows in a row beyond it. PASS needs the opposite to
//! be shown. No data moves nothing.

use super::combine::{ROUNDING, Standing};
use super::difference::{Interval, miettinen_nurminen};
use super::dispersion::{ASSUMED_RHO, factor};
use super::evidence;
use super::margin::{PROMOTE_Z, Stratified, inverse_pods};
use super::normal::critical;
use super::process::{Process, log_bar, log_cap};
use super::reason;
use super::tally::Tally;
use super::two_by_two::TwoByTwo;
pub use super::window::{Arm, Rejected, Settings, Side, Window};
use serde::{Deserialize, Serialize};

/// Everything that must survive between two looks; about 600 bytes of JSON whatever the number of windows.
///
/// Start with `State::default()`, and again whenever the limit, kappa or the query changes (then with half the alpha).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The evidence.
    process: Process,
    /// The difference over all windows, each window a stratum.
    strata: Stratified,
    /// Counts over all windows, for display and as the past of the next bet.
    canary: Tally,
    stable: Tally,
    /// The same divided by the dispersion factors, for the interval.
    effective_canary: Tally,
    effective_stable: Tally,
    /// Windows in a row beyond the limit.
    breach: u32,
    /// End of the last window taken, seconds since 1970.
    last_end: Option<i64>,
}

/// What one look says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The canary is worse than stable by more than the limit: abort now.
    Fail,
    /// Shown not to be worse by the limit or more: the step may succeed at its planned end.
    Pass,
    /// Neither, or no data: hold.
    Undecided,
}

/// One look: the verdict and every number behind it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Look {
    /// The verdict of this metric alone, as if the others had no evidence at all.
    pub verdict: Verdict,
    /// Logarithm of the evidence.
    pub log_e: f64,
    /// The evidence (e-value of all windows so far); infinite above 1e308.
    pub evidence: f64,
    /// The evidence at which this metric alone fails the canary, `K / alpha`.
    pub needed: f64,
    /// Mean evidence over K metrics if the others had none, `evidence / K`.
    pub mean_e: f64,
    /// The mean that is needed, `1 / alpha`.
    pub mean_needed: f64,
    /// Canary errors and requests over all windows.
    pub canary: Tally,
    /// Stable errors and requests over all windows.
    pub stable: Tally,
    /// `canary - stable` paired by window (Mantel-Haenszel); `None` before the first window with both arms.
    pub delta: Option<f64>,
    /// 95 % interval of `delta`, with dispersion and pod differences.
    pub interval: Option<Interval>,
    /// `canary - stable` in this window; `None` when an arm is empty.
    pub window_delta: Option<f64>,
    /// Windows in a row beyond the limit, up to and including this one.
    pub breach: u32,
    /// The estimate over all windows and N windows in a row are beyond the limit: what FAIL needs besides evidence.
    pub sustained: bool,
    /// Two-sided p that the rates differ at all, over all windows: a diagnostic, never decisive.
    pub chi2_p: Option<f64>,
    /// Dispersion factor of the canary in this window.
    pub phi: f64,
    /// Non-inferiority `z`: PASS at or below -1.645, at an extension look -2.33.
    pub z: Option<f64>,
    /// One line for people.
    pub reason: String,
}

impl Look {
    /// For the joint verdict over several metrics ([`super::combine::join`]).
    pub fn standing(&self) -> Standing {
        Standing { log_e: self.log_e, sustained: self.sustained }
    }
}

/// Takes one window and says what is known now.
///
/// Deterministic: the same settings, state and windows give the same bits, so persisted windows replay to the same
/// verdict.
///
/// # Errors
/// [`Rejected`], and then the state is unchanged: numbers that are not counts, more errors than requests, a window
/// that overlaps the last one, or a setting out of range. An empty arm is not an error.
pub fn look(settings: &Settings, state: &mut State, window: &Window) -> Result<Look, Rejected> {
    settings.check()?;
    let window = window.checked(state.last_end)?;
    let sight = Sight::new(settings, &window);
    state.take(settings, &sight);
    state.last_end = Some(window.end);
    let mut look = state.report(settings, &sight);
    let log_mean = look.log_e - f64::from(settings.metrics).ln();
    look.reason = reason::line("error-rate", settings, &window, &look, log_mean);
    Ok(look)
}

/// One line for people, with the metric's own name and the mean evidence over all metrics (judge 1.11).
///
/// [`Look::reason`] is this line with the name `error-rate` and the other metrics silent.
pub fn line(name: &str, settings: &Settings, window: &Window, look: &Look, log_mean: f64) -> String {
    reason::line(name, settings, window, look, log_mean)
}

/// The numbers of one window that all parts of the judge use.
struct Sight {
    canary: Tally,
    stable: Tally,
    phi: (f64, f64),
    pods: (u32, u32),
    null_margin: f64,
}

impl Sight {
    fn new(settings: &Settings, window: &Window) -> Self {
        let rho = settings.rho.unwrap_or(ASSUMED_RHO);
        let phi = |arm: Arm| factor(arm.requests, arm.pods, rho);
        let pods = (window.canary.pods, window.stable.pods);
        Self {
            canary: window.canary.tally(),
            stable: window.stable.tally(),
            phi: (phi(window.canary), phi(window.stable)),
            pods,
            null_margin: (settings.kappa * settings.limit).max(settings.tau * inverse_pods(pods).sqrt()),
        }
    }

    fn delta(&self) -> Option<f64> {
        Some(self.canary.rate()? - self.stable.rate()?)
    }

    fn effective(&self) -> (Tally, Tally) {
        (self.canary.thinned(self.phi.0), self.stable.thinned(self.phi.1))
    }
}

impl State {
    fn take(&mut self, settings: &Settings, sight: &Sight) {
        let (canary, stable) = sight.effective();
        if let Some(delta) = sight.delta() {
            let history = settings.history.map(Arm::tally);
            let bet =
                evidence::shifts(evidence::stable_rate(history, settings.limit, self.stable), settings.limit);
            let cap = log_cap(settings.metrics, settings.alpha, settings.consecutive);
            self.process.update(evidence::log_e_all(canary, stable, bet, sight.null_margin), cap);
            self.strata.add(sight.canary, sight.stable, sight.phi, sight.pods, settings.limit);
            self.breach = if delta > settings.limit { self.breach.saturating_add(1) } else { 0 };
            self.effective_canary += canary;
            self.effective_stable += stable;
        }
        self.canary += sight.canary;
        self.stable += sight.stable;
    }

    fn report(&self, settings: &Settings, sight: &Sight) -> Look {
        let log_e = self.process.log_wealth();
        let delta = self.strata.delta();
        let sustained =
            delta.is_some_and(|delta| delta > settings.limit) && self.breach >= settings.consecutive;
        let z = self.strata.z(settings.limit, settings.tau);
        let enough = log_e >= log_bar(settings.metrics, settings.alpha) - ROUNDING;
        let in_breach = self.breach >= settings.consecutive;
        let verdict = if enough && sustained {
            Verdict::Fail
        } else if sight.delta().is_some() && !in_breach && z.is_some_and(|z| z <= PROMOTE_Z) {
            Verdict::Pass
        } else {
            Verdict::Undecided
        };
        Look {
            verdict,
            log_e,
            evidence: log_e.exp(),
            needed: f64::from(settings.metrics) / settings.alpha,
            mean_e: log_e.exp() / f64::from(settings.metrics),
            mean_needed: 1.0 / settings.alpha,
            canary: self.canary,
            stable: self.stable,
            delta,
            interval: self.interval(settings.tau),
            window_delta: sight.delta(),
            breach: self.breach,
            sustained,
            chi2_p: TwoByTwo::new(self.canary, self.stable).compare().result.p(),
            phi: sight.phi.0,
            z,
            reason: String::new(),
        }
    }

    /// Score interval of the effective counts, moved to the paired estimate and widened by pod differences.
    fn interval(&self, tau: f64) -> Option<Interval> {
        let delta = self.strata.delta()?;
        let (canary, stable) = (self.effective_canary, self.effective_stable);
        let pooled = canary.rate()? - stable.rate()?;
        let plain = miettinen_nurminen(canary, stable, DISPLAY_ALPHA)?;
        let pods = critical(DISPLAY_ALPHA) * self.strata.pod_variance(tau).sqrt();
        Some(Interval {
            low: (delta - (pooled - plain.low).hypot(pods)).max(-1.0),
            high: (delta + (plain.high - pooled).hypot(pods)).min(1.0),
        })
    }
}

/// The interval shown to people is a 95 % one.
const DISPLAY_ALPHA: f64 = 0.05;

#[cfg(test)]
#[path = "error_rate_tests.rs"]
mod tests;
