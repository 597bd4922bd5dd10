//! Measures how strongly one window speaks for "the canary is worse by more than the margin" (judge 1.7).
//!
//! The value is an e-value for two proportions (Turner, Ly and Gruenwald 2024, JSPI 230:106116): its expectation is at
//! most 1 for every pair of rates with `pC - pS <= margin`, at any sample size, and the pair may change from window
//! to window. Twice its logarithm is the signed chi-squared with margin, so it is the sample-size-aware chi-squared
//! in a form that may be looked at as often as one likes.

use super::restricted;
use super::tally::Tally;

/// Alternatives tried at once.
pub const ALTERNATIVES: usize = 4;
/// The share of the stake that each alternative receives.
pub const PRIOR: [f64; ALTERNATIVES] = [0.3, 0.3, 0.2, 0.2];
/// How far above the stable rate the alternatives lie, in limits.
const STEPS: [f64; ALTERNATIVES] = [1.0, 2.0, 5.0, 20.0];
/// How much the odds of a tail (slow requests) are multiplied by in the alternatives.
const ODDS: [f64; ALTERNATIVES] = [1.4, 2.0, 4.0, 12.0];
/// No alternative above this rate.
const HIGHEST: f64 = 0.98;
/// The history counts as this many stable requests.
const PRIOR_TRIALS: f64 = 2000.0;
/// A history without errors is read as this share of the limit, so that the first stable error is no surprise.
const SMALLEST_PRIOR: f64 = 0.02;

/// The pair of rates that an e-value bets on. Must be chosen from past windows only.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alternative {
    /// Canary rate, in `(0, 1)`.
    pub canary: f64,
    /// Stable rate, in `(0, 1)`.
    pub stable: f64,
}

/// The stable rate to bet on: `(2000 p_hist + past errors) / (2000 + past requests)`.
///
/// `past` = stable counts of earlier windows. Without history the limit itself is the guess; the first few thousand
/// requests replace it.
pub fn stable_rate(history: Option<Tally>, limit: f64, past: Tally) -> f64 {
    let guess = history.and_then(Tally::rate).unwrap_or(limit).max(SMALLEST_PRIOR * limit);
    (PRIOR_TRIALS * guess + past.events) / (PRIOR_TRIALS + past.trials)
}

/// Error-rate alternatives: `stable + {1, 2, 5, 20} limit`, at most 0.98.
pub fn shifts(stable: f64, limit: f64) -> [Alternative; ALTERNATIVES] {
    STEPS.map(|step| Alternative { canary: (stable + step * limit).min(HIGHEST), stable })
}

/// Tail alternatives: the odds of the stable rate times `{1.4, 2, 4, 12}`.
pub fn odds(stable: f64) -> [Alternative; ALTERNATIVES] {
    ODDS.map(|factor| {
        let odds = factor * stable / (1.0 - stable);
        Alternative { canary: (odds / (1.0 + odds)).min(HIGHEST), stable }
    })
}

/// The stable rate `q` of the pair `(q + margin, q)` that is nearest to the alternative in information:
/// `argmin nC KL(p1C || q + margin) + nS KL(p1S || q)`.
///
/// An alternative that already satisfies the null is its own projection.
pub fn projection(canary_trials: f64, stable_trials: f64, alternative: Alternative, margin: f64) -> f64 {
    let Alternative { canary, stable } = alternative;
    if canary - stable <= margin {
        return stable;
    }
    let expected = |trials: f64, rate: f64| Tally::new(trials * rate, trials);
    restricted::stable_rate(expected(canary_trials, canary), expected(stable_trials, stable), margin)
}

/// Natural logarithm of the e-value of one window against `pC - pS <= margin`; counts may be effective (fractional).
///
/// `xC ln(p1C/c) + (nC-xC) ln((1-p1C)/(1-c)) + xS ln(p1S/q) + (nS-xS) ln((1-p1S)/(1-q))`, `c = q + margin`, `q` the
/// [`projection`]. Exactly 0 when an arm is empty (no data is no evidence) and when the alternative lies in the null.
pub fn log_e(canary: Tally, stable: Tally, alternative: Alternative, margin: f64) -> f64 {
    if canary.is_empty() || stable.is_empty() || alternative.canary - alternative.stable <= margin {
        return 0.0;
    }
    let q = projection(canary.trials, stable.trials, alternative, margin);
    log_ratio(canary, alternative.canary, q + margin) + log_ratio(stable, alternative.stable, q)
}

/// Log likelihood ratio of rate `p` to rate `q` for one arm.
fn log_ratio(arm: Tally, p: f64, q: f64) -> f64 {
    let hit = if arm.events > 0.0 { arm.events * (p / q).ln() } else { 0.0 };
    let miss = if arm.rest() > 0.0 { arm.rest() * ((q - p) / (1.0 - q)).ln_1p() } else { 0.0 };
    hit + miss
}

/// The log e-values of one window for all alternatives.
pub fn log_e_all(
    canary: Tally,
    stable: Tally,
    alternatives: [Alternative; ALTERNATIVES],
    margin: f64,
) -> [f64; ALTERNATIVES] {
    alternatives.map(|alternative| log_e(canary, stable, alternative, margin))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn binomial(n: u32, p: f64) -> Vec<f64> {
        let mut weights = vec![(1.0 - p).powi(n as i32)];
        for x in 0..n {
            let last = weights[x as usize];
            weights.push(last * f64::from(n - x) / f64::from(x + 1) * p / (1.0 - p));
        }
        weights
    }

    /// `E[e]` summed over every outcome of both arms.
    fn expectation(nc: u32, ns: u32, p: f64, q: f64, alternative: Alternative, margin: f64) -> f64 {
        let (canary, stable) = (binomial(nc, p), binomial(ns, q));
        let mut sum = 0.0;
        for (xc, wc) in canary.iter().enumerate() {
            for (xs, ws) in stable.iter().enumerate() {
                let c = Tally::new(xc as f64, f64::from(nc));
                let s = Tally::new(xs as f64, f64::from(ns));
                sum += wc * ws * log_e(c, s, alternative, margin).exp();
            }
        }
        sum
    }

    #[test]
    fn the_expectation_on_the_null_edge_never_exceeds_one() {
        for (nc, ns, limit) in [(6, 30, 0.05), (20, 20, 0.1), (12, 60, 0.02)] {
            for alternative in shifts(0.05, limit) {
                let worst = (1..90)
                    .map(|step| f64::from(step) * 0.01)
                    .map(|q| {
                        expectation(nc, ns, (q + limit / 2.0).min(1.0 - 1e-12), q, alternative, limit / 2.0)
                    })
                    .fold(0.0, f64::max);
                assert!(worst <= 1.0 + 1e-9 && worst > 0.5, "{nc} {ns} {limit}: {worst}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_expectation_is_at_most_one_anywhere_in_the_null(
            nc in 1u32..25, ns in 1u32..25, q in 0.001..0.9f64, below in 0.0..1.0f64,
            stable in 0.001..0.5f64, up in 0.0..0.49f64, margin in 0.0..0.09f64,
        ) {
            let p = ((q + margin) * below).clamp(1e-9, 1.0 - 1e-9);
            let alternative = Alternative { canary: stable + up, stable };
            let mean = expectation(nc, ns, p, q, alternative, margin);
            prop_assert!(mean <= 1.0 + 1e-9, "{mean}");
        }

        #[test]
        fn an_empty_arm_is_no_evidence(x in 0.0..50.0f64, more in 0.0..900.0f64) {
            let (some, none) = (Tally::new(x, x + more), Tally::default());
            for alternative in shifts(0.005, 0.005) {
                prop_assert_eq!(log_e(none, some, alternative, 0.0025), 0.0);
                prop_assert_eq!(log_e(some, none, alternative, 0.0025), 0.0);
            }
        }
    }

    #[test]
    fn row_17_fractions_are_evidence_in_proportion() {
        let alternative = shifts(0.005, 0.005)[1];
        let at =
            |errors: f64| log_e(Tally::new(errors, 600.0), Tally::new(27.0, 5400.0), alternative, 0.0025);
        assert!(((at(8.0) + at(9.0)) / 2.0 - at(8.5)).abs() < 1e-12);
    }

    #[test]
    fn an_alternative_inside_the_null_bets_nothing() {
        let inside = Alternative { canary: 0.006, stable: 0.005 };
        assert_eq!(log_e(Tally::new(50.0, 600.0), Tally::new(1.0, 5400.0), inside, 0.0025), 0.0);
        assert_eq!(projection(600.0, 5400.0, inside, 0.0025), 0.005);
    }

    #[test]
    fn without_history_the_limit_is_the_first_guess_and_soon_forgotten() {
        assert_eq!(stable_rate(None, 0.005, Tally::default()), 0.005);
        assert_eq!(stable_rate(Some(Tally::new(0.0, 1e6)), 0.005, Tally::default()), 1e-4);
        let later = stable_rate(None, 0.005, Tally::new(100.0, 1e5));
        assert!((later - 0.00108).abs() < 1e-5);
    }
}
