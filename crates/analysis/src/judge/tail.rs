//! Turns "p99 at most 15 % slower" into a question about two proportions of slow requests (judge 1.6).
//!
//! The canary's share above a bucket bound is compared with the share that stable would have if it were slower by the
//! allowed factor. Both are counts, so the error-rate machinery applies with margin 0.

use super::histogram::Histogram;
use super::tally::Tally;

/// How well a ladder resolves a quantile; for `lint`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Resolution {
    /// The bucket around the quantile is at most 2 wide (upper / lower).
    Fine,
    /// It is wider: the limit is blurred.
    Coarse {
        /// Upper / lower bound; infinite for the first bucket.
        ratio: f64,
    },
    /// The quantile is in the `+Inf` bucket.
    Beyond,
}

/// The finite bound whose stable survival in history is nearest (in logarithm) to `1 - q`. Fix it before the rollout.
///
/// `None` when no finite bound has a survival within `[0.1, 10] (1 - q)`: such a limit must be refused.
pub fn bound(history: &Histogram, q: f64) -> Option<f64> {
    let (total, aim) = (history.total(), 1.0 - q);
    let off = |above: f64| (above / total / aim).ln().abs();
    let finite = history.buckets().filter(|(_, upper, _, above)| upper.is_finite() && *above > 0.0);
    let nearest = finite.min_by(|a, b| off(a.3).total_cmp(&off(b.3)))?;
    (off(nearest.3) <= std::f64::consts::LN_10 * (1.0 + 1e-12)).then_some(nearest.1)
}

/// How well the ladder of `history` resolves `q`; `None` when it is empty.
pub fn resolution(history: &Histogram, q: f64) -> Option<Resolution> {
    let total = history.total();
    let (lower, upper, _, _) = history.buckets().find(|(_, _, _, above)| *above <= (1.0 - q) * total)?;
    let ratio = upper / lower;
    Some(match ratio {
        _ if total <= 0.0 => return None,
        _ if upper.is_infinite() => Resolution::Beyond,
        ratio if ratio > 2.0 => Resolution::Coarse { ratio },
        _ => Resolution::Fine,
    })
}

/// Canary requests above `bound`: exact when `bound` is on the ladder, else `None`.
pub fn slow(canary: &Histogram, bound: f64) -> Option<Tally> {
    canary
        .buckets()
        .find(|(_, upper, _, _)| *upper == bound)
        .map(|(_, _, _, above)| Tally::new(above, canary.total()))
}

/// Stable requests that would be above `bound` if all took `factor` times as long: `sum_k omega_k g_k`, `omega` = the
/// share of bucket k above `bound / factor` by the Pareto-interpolated survival of `history`.
///
/// `None` when history is empty, the ladders differ, or `bound / factor` is in the `+Inf` bucket.
pub fn virtually_slow(stable: &Histogram, history: &Histogram, bound: f64, factor: f64) -> Option<Tally> {
    let y = bound / factor;
    if stable.bounds() != history.bounds() {
        return None;
    }
    let (at_y, total) = (history.survival(y)?, history.total());
    let mut events = 0.0;
    for ((lower, upper, count, _), (_, _, seen, above)) in stable.buckets().zip(history.buckets()) {
        events += count * share_above(y, at_y, (lower, upper), (seen / total, above / total));
    }
    Some(Tally::new(events.min(stable.total()), stable.total()))
}

/// Share of a bucket above `y`; `(seen, above)` = share of the history in the bucket and above it.
fn share_above(y: f64, at_y: f64, (lower, upper): (f64, f64), (seen, above): (f64, f64)) -> f64 {
    if y <= lower {
        1.0
    } else if y >= upper {
        0.0
    } else if seen > 0.0 {
        ((at_y - above) / seen).clamp(0.0, 1.0)
    } else {
        (upper - y) / (upper - lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::histogram::tests::{DEFAULT_LADDER, lognormal};

    #[test]
    fn the_nearest_bound_is_chosen_and_a_hopeless_ladder_refused() {
        let history = lognormal(&DEFAULT_LADDER, 1.0, 0.6, 1e6);
        assert_eq!(bound(&history, 0.99), Some(0.25));
        assert_eq!(bound(&history, 0.95), Some(0.25));
        let blind = Histogram::new(vec![0.05, f64::INFINITY], vec![200.0, 800.0]).unwrap();
        assert_eq!(bound(&blind, 0.99), None);
        assert_eq!(bound(&Histogram::new(vec![0.05, f64::INFINITY], vec![0.0; 2]).unwrap(), 0.99), None);
    }

    #[test]
    fn the_resolution_warns_about_wide_buckets() {
        let history = lognormal(&DEFAULT_LADDER, 1.0, 0.6, 1e6);
        assert_eq!(resolution(&history, 0.99), Some(Resolution::Fine));
        assert_eq!(resolution(&history, 0.95), Some(Resolution::Coarse { ratio: 2.5 }));
        let blind = Histogram::new(vec![0.05, f64::INFINITY], vec![200.0, 800.0]).unwrap();
        assert_eq!(resolution(&blind, 0.99), Some(Resolution::Beyond));
    }

    #[test]
    fn stable_slowed_by_the_factor_has_the_tail_of_a_truly_slower_canary() {
        let fine: Vec<f64> = (0..40).map(|k| 0.005 * 1.19f64.powi(k)).chain([f64::INFINITY]).collect();
        let stable = lognormal(&fine, 1.0, 0.6, 1e6);
        let b = bound(&stable, 0.99).unwrap();
        let virtual_count = virtually_slow(&stable, &stable, b, 1.15).unwrap();
        let real = slow(&lognormal(&fine, 1.15, 0.6, 1e6), b).unwrap();
        assert!((virtual_count.events / real.events - 1.0).abs() < 0.03, "{virtual_count:?} {real:?}");
    }

    #[test]
    fn a_bound_that_is_not_on_the_ladder_has_no_count() {
        let history = lognormal(&DEFAULT_LADDER, 1.0, 0.6, 1e6);
        assert_eq!(slow(&history, 0.3), None);
        assert_eq!(virtually_slow(&history, &history, 30.0, 1.1), None);
    }
}
