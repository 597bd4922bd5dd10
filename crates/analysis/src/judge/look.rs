//! What one look at a canary says: the verdict, and every number behind it.

use super::combine::Standing;
use super::course::{Course, Rule};
use super::difference::Interval;
use super::residual::Source;
use super::tally::Tally;
use serde::{Deserialize, Serialize};

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
    /// The verdict of this question alone, as if the others had no evidence at all.
    pub verdict: Verdict,
    /// Logarithm of the evidence.
    pub log_e: f64,
    /// The evidence (e-value of all windows so far); infinite above 1e308.
    pub evidence: f64,
    /// The evidence at which this question alone fails the canary, `K / alpha`.
    pub needed: f64,
    /// Mean evidence over K questions if the others had none, `evidence / K`.
    pub mean_e: f64,
    /// The mean that is needed, `1 / alpha`.
    pub mean_needed: f64,
    /// Canary events and requests over all windows: errors; slow requests; requests without conversion; for a mean the
    /// sum of the values, for a latency shift no events.
    pub canary: Tally,
    /// The same of stable.
    pub stable: Tally,
    /// The estimate paired by window (Mantel-Haenszel): for shares `canary - stable`, stable as the limit would have it
    /// for tails and business rates; for a shift the probability that a canary request is the slower one; for a mean
    /// the relative change. `None` before the first window with both arms.
    pub delta: Option<f64>,
    /// 95 % interval of `delta`, with dispersion and pod differences.
    pub interval: Option<Interval>,
    /// The same as `delta` in this window alone; `None` when an arm is empty.
    pub window_delta: Option<f64>,
    /// How far this window is beyond the limit, in the unit of `delta`; `None` when it says nothing.
    pub excess: Option<f64>,
    /// Windows in a row beyond the limit, up to and including this one.
    pub breach: u32,
    /// The estimate over all windows and N windows in a row are beyond the limit: what FAIL needs besides evidence.
    pub sustained: bool,
    /// p of "the canary is harmless" by the spread of the windows alone, when that forbids a FAIL: their noise was assumed,
    /// and they differ too much among themselves. `None` = nothing forbids it.
    pub doubt: Option<f64>,
    /// Two-sided p that the arms differ at all, over all windows (for latency and means in this window): a diagnostic,
    /// never decisive.
    pub chi2_p: Option<f64>,
    /// Dispersion factor of the canary in this window.
    pub phi: f64,
    /// Where `phi` comes from.
    pub noise: Source,
    /// Non-inferiority `z`: PASS at or below -1.645, at an extension look -2.33.
    pub z: Option<f64>,
    /// One line for people.
    pub reason: String,
}

impl Look {
    /// The numbers that all questions share; the others are unknown.
    pub(super) fn of(
        course: &Course,
        rule: &Rule,
        tau: f64,
        (excess, doubt): (Option<f64>, Option<f64>),
    ) -> Self {
        let sustained = course.sustained(rule) && doubt.is_none();
        let log_e = course.log_e();
        let metrics = f64::from(rule.metrics);
        Self {
            verdict: course.verdict(rule, tau, (sustained, excess.is_some())),
            log_e,
            evidence: log_e.exp(),
            needed: metrics / rule.alpha,
            mean_e: log_e.exp() / metrics,
            mean_needed: 1.0 / rule.alpha,
            canary: Tally::default(),
            stable: Tally::default(),
            delta: None,
            interval: None,
            window_delta: None,
            excess,
            breach: course.breach(),
            sustained,
            doubt,
            chi2_p: None,
            phi: 1.0,
            noise: Source::History,
            z: course.z(tau),
            reason: String::new(),
        }
    }

    /// For the joint verdict over several questions ([`super::combine::join`]).
    pub fn standing(&self) -> Standing {
        Standing { log_e: self.log_e, sustained: self.sustained }
    }
}
