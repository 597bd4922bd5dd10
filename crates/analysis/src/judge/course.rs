//! Accumulates the windows of one question, whatever it measures: evidence, estimate, windows in a row (judge 1.3, 1.8).

use super::combine::ROUNDING;
use super::evidence::ALTERNATIVES;
use super::look::Verdict;
use super::margin::{PROMOTE_Z, Stratified};
use super::process::{Process, log_bar, log_cap};

/// How sure one wants to be; the same for all questions of a rollout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Probability of a false abort of the whole rollout.
    pub alpha: f64,
    /// N: windows in a row beyond the limit that an abort needs.
    pub consecutive: u32,
    /// K: questions asked in the rollout.
    pub metrics: u32,
}

/// What one window says of one question. Larger is worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Logarithms of the e-values of the window, one per alternative.
    pub log_e: [f64; ALTERNATIVES],
    /// The estimate of this window less the limit: above 0 is beyond it.
    pub excess: f64,
    /// Weight of the window, `nC nS / (nC + nS)`.
    pub weight: f64,
    /// Variance of `excess` at the limit, with dispersion.
    pub variance: f64,
    /// `1/PC + 1/PS`.
    pub inverse_pods: f64,
}

/// What is known of one question after some windows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Course {
    process: Process,
    /// The excess over the limit, each window a stratum.
    strata: Stratified,
    breach: u32,
}

/// Numbers that [`Course::numbers`] takes.
pub(super) const NUMBERS: usize = ALTERNATIVES + 6;

impl Course {
    /// Takes one window; `None` is a window without information, and moves nothing.
    pub fn take(&mut self, rule: &Rule, reading: Option<&Reading>) {
        let Some(reading) = reading else { return };
        self.process.update(reading.log_e, log_cap(rule.metrics, rule.alpha, rule.consecutive));
        self.strata.add_part(reading.weight, reading.excess, reading.variance, reading.inverse_pods);
        self.breach = if reading.excess > 0.0 { self.breach.saturating_add(1) } else { 0 };
    }

    /// Logarithm of the evidence.
    pub fn log_e(&self) -> f64 {
        self.process.log_wealth()
    }

    /// Windows in a row beyond the limit.
    pub fn breach(&self) -> u32 {
        self.breach
    }

    /// The estimate over all windows less the limit; `None` before the first window with information.
    pub fn excess(&self) -> Option<f64> {
        self.strata.delta()
    }

    /// Variance of [`excess`](Self::excess) that no traffic removes.
    pub fn pod_variance(&self, tau: f64) -> f64 {
        self.strata.pod_variance(tau)
    }

    /// Variance of [`excess`](Self::excess) with dispersion and differences between pods.
    pub fn variance(&self, tau: f64) -> f64 {
        self.strata.variance(tau)
    }

    /// Non-inferiority `z`: at or below -1.645 the canary is shown to stay below the limit.
    pub fn z(&self, tau: f64) -> Option<f64> {
        self.strata.z(0.0, tau)
    }

    /// What FAIL needs besides evidence: all windows together are beyond the limit, and so is each of the last N.
    pub fn sustained(&self, rule: &Rule) -> bool {
        self.excess().is_some_and(|excess| excess > 0.0) && self.breach >= rule.consecutive
    }

    /// The verdict of this question alone. `sustained` = what FAIL needs besides evidence is there. `informed` = the window just taken held information: a window without it is
    /// never the end of a success.
    pub fn verdict(&self, rule: &Rule, tau: f64, (sustained, informed): (bool, bool)) -> Verdict {
        let enough = self.log_e() >= log_bar(rule.metrics, rule.alpha) - ROUNDING;
        if enough && sustained {
            Verdict::Fail
        } else if informed && self.breach < rule.consecutive && self.z(tau).is_some_and(|z| z <= PROMOTE_Z) {
            Verdict::Pass
        } else {
            Verdict::Undecided
        }
    }

    /// Everything, as numbers to be stored.
    pub(super) fn numbers(&self) -> [f64; NUMBERS] {
        let (stakes, windows) = self.process.numbers();
        let [a, b, c, d] = stakes;
        let [weight, shift, variance, inverse_pods] = self.strata.numbers();
        [a, b, c, d, windows, weight, shift, variance, inverse_pods, f64::from(self.breach)]
    }

    /// What [`numbers`](Self::numbers) gave.
    pub(super) fn of_numbers(numbers: [f64; NUMBERS]) -> Self {
        let [a, b, c, d, windows, weight, shift, variance, inverse_pods, breach] = numbers;
        Self {
            process: Process::of_numbers([a, b, c, d], windows),
            strata: Stratified::of_numbers([weight, shift, variance, inverse_pods]),
            breach: breach as u32,
        }
    }
}
