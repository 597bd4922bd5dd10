//! Accumulates the evidence of windows so that it may be looked at after every one (judge 1.8).
//!
//! A gambler starts with wealth 1 and bets against "the canary is fine": half of it in the first window, the rest in
//! equal parts over the next 60, so that a fault that begins late still meets fresh stakes. If the canary is fine the
//! wealth reaches `1/a` with probability at most `a` (Ville 1939), at any number of looks, pauses and extensions.

use super::evidence::{ALTERNATIVES, PRIOR};
use super::exact;
use serde::{Deserialize, Serialize};

/// Share staked in the first window; the rest is spread over [`RESTARTS`] windows.
const FIRST_STAKE: f64 = 0.5;
const RESTARTS: u32 = 60;

/// The e-process of one metric. Kept in logarithms: an e-value of exp(1500) happens. As JSON at most 200 bytes.
///
/// # Guarantees
/// Deterministic; stored and read back it continues with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Logarithm of what is staked on each alternative.
    #[serde(with = "exact::array")]
    stakes: [f64; ALTERNATIVES],
    /// Windows seen.
    windows: u32,
}

impl Default for Process {
    fn default() -> Self {
        Self { stakes: [f64::NEG_INFINITY; ALTERNATIVES], windows: 0 }
    }
}

impl Process {
    /// Takes one window: places the stake that is due, multiplies by the e-values, and limits the growth of the
    /// wealth to the factor `exp(log_cap)` ([`log_cap`]).
    ///
    /// The limit takes from the stakes and never from the cash: touching the cash costs the power to find later
    /// faults. `log_e` must have been fixed by a rule that knows earlier windows only.
    pub fn update(&mut self, log_e: [f64; ALTERNATIVES], log_cap: f64) {
        let before = self.log_wealth();
        let put = stake(self.windows).ln();
        self.windows = self.windows.saturating_add(1);
        for ((held, prior), log_e) in self.stakes.iter_mut().zip(PRIOR).zip(log_e) {
            *held = log_add(*held, put + prior.ln()) + log_e;
        }
        let most = before + log_cap;
        if self.log_wealth() > most {
            let staked = self.stakes.iter().copied().fold(f64::NEG_INFINITY, log_add);
            let kept = most + (-(self.log_cash() - most).exp()).ln_1p();
            self.stakes.iter_mut().for_each(|held| *held += kept - staked);
        }
    }

    /// Logarithm of the wealth: the evidence against "the canary is fine". 0 at the start.
    pub fn log_wealth(&self) -> f64 {
        self.stakes.iter().copied().fold(self.log_cash(), log_add)
    }

    /// Windows taken so far.
    pub fn windows(&self) -> u32 {
        self.windows
    }

    /// Everything, as numbers to be stored: the stakes and the windows.
    pub(super) fn numbers(&self) -> ([f64; ALTERNATIVES], f64) {
        (self.stakes, f64::from(self.windows))
    }

    /// What [`numbers`](Self::numbers) gave.
    pub(super) fn of_numbers(stakes: [f64; ALTERNATIVES], windows: f64) -> Self {
        Self { stakes, windows: windows as u32 }
    }

    /// What has not been staked yet; depends on the number of windows alone.
    fn log_cash(&self) -> f64 {
        match self.windows {
            0 => 0.0,
            t if t > RESTARTS => f64::NEG_INFINITY,
            t => ((1.0 - FIRST_STAKE) * f64::from(RESTARTS + 1 - t) / f64::from(RESTARTS)).ln(),
        }
    }
}

fn stake(window: u32) -> f64 {
    match window {
        0 => FIRST_STAKE,
        t if t <= RESTARTS => (1.0 - FIRST_STAKE) / f64::from(RESTARTS),
        _ => 0.0,
    }
}

/// Logarithm of the largest growth per window, `ln((metrics / alpha)^(1 / consecutive))`, so that fewer than
/// `consecutive` windows can never reach `metrics / alpha`, however bad they are. 0 counts as 1 for both.
pub fn log_cap(metrics: u32, alpha: f64, consecutive: u32) -> f64 {
    log_bar(metrics, alpha) / f64::from(consecutive.max(1))
}

/// Logarithm of the evidence that one metric alone must reach, `ln(metrics / alpha)`: 80 for 4 metrics at 5 %.
pub fn log_bar(metrics: u32, alpha: f64) -> f64 {
    (f64::from(metrics.max(1)) / alpha).ln()
}

/// `ln(exp(a) + exp(b))` without overflow.
pub fn log_add(a: f64, b: f64) -> f64 {
    let (large, small) = if a >= b { (a, b) } else { (b, a) };
    if large == f64::NEG_INFINITY { large } else { large + (small - large).exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(log_e: &[[f64; 4]], cap: f64) -> Process {
        let mut process = Process::default();
        log_e.iter().for_each(|window| process.update(*window, cap));
        process
    }

    #[test]
    fn a_window_without_evidence_leaves_the_wealth_alone() {
        let process = run(&[[0.0; 4]; 100], log_cap(4, 0.05, 3));
        assert!(process.log_wealth().abs() < 1e-12);
    }

    #[test]
    fn the_cap_makes_sustained_part_of_the_evidence() {
        let cap = log_cap(4, 0.05, 3);
        assert!((cap.exp() - 4.3089).abs() < 1e-4);
        let horror = [[5000.0; 4]; 3];
        assert!((run(&horror[..2], cap).log_wealth().exp() - 18.566).abs() < 1e-3);
        assert!((run(&horror, cap).log_wealth().exp() - 80.0).abs() < 1e-9);
    }

    #[test]
    fn ruin_is_survived_by_the_cash_until_it_is_spent() {
        let mut process = run(&[[-1e4; 4]; 10], 2.0);
        assert!(process.log_wealth() > (0.5f64 * 50.0 / 60.0).ln());
        (0..6).for_each(|_| process.update([3.0; 4], 2.0));
        assert!(process.log_wealth() > 1.0, "{}", process.log_wealth());
        assert!(run(&[[-1e4; 4]; 61], 2.0).log_wealth() < -9000.0);
    }

    #[test]
    fn the_state_is_small() {
        let process = run(&[[-0.123456789; 4]; 7], 2.0);
        let worst = serde_json::to_string(&process).unwrap();
        assert!(worst.len() <= 200, "{worst}");
    }

    proptest! {
        #[test]
        fn fewer_than_n_adverse_windows_never_reach_the_bar(
            n in 1u32..8, metrics in 1u32..6, alpha in 0.001..0.2f64,
            calm in proptest::collection::vec(-2.0..0.0f64, 0..30),
            wild in proptest::collection::vec(0.0..1e4f64, 7),
        ) {
            let mut process = run(&calm.iter().map(|l| [*l; 4]).collect::<Vec<_>>(), log_cap(metrics, alpha, n));
            for log_e in wild.iter().take(n as usize - 1) {
                process.update([*log_e; 4], log_cap(metrics, alpha, n));
                prop_assert!(process.log_wealth() < log_bar(metrics, alpha));
            }
        }

        #[test]
        fn stored_and_read_back_it_continues_bit_for_bit(
            windows in proptest::collection::vec(proptest::array::uniform4(-50.0..50.0f64), 1..80),
        ) {
            let cap = log_cap(4, 0.05, 3);
            let mut stored = Process::default();
            for window in &windows {
                stored = serde_json::from_str(&serde_json::to_string(&stored).unwrap()).unwrap();
                stored.update(*window, cap);
            }
            let straight = run(&windows, cap);
            prop_assert_eq!(stored.log_wealth().to_bits(), straight.log_wealth().to_bits());
            prop_assert_eq!(stored, straight);
        }
    }
}
