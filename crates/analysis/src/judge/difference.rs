//! Gives intervals for the difference of two error rates, canary minus stable (judge 1.2).

use super::margin::{Variance, score};
use super::normal::critical;
use super::tally::Tally;
use serde::{Deserialize, Serialize};

/// A two-sided interval for a difference of rates (1 = 100 percentage points).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Miettinen and Nurminen 1985: all differences that the score test does not reject at `alpha`, the interval shown
/// to people. `None` when an arm is empty. Takes fractional (effective) counts.
pub fn miettinen_nurminen(canary: Tally, stable: Tally, alpha: f64) -> Option<Interval> {
    let observed = canary.rate()? - stable.rate()?;
    let z = critical(alpha);
    let certain = |d: f64| if d < observed { f64::INFINITY } else { f64::NEG_INFINITY };
    let excess = |d: f64| {
        let tested = score(canary, stable, d, Variance::MiettinenNurminen).and_then(|score| score.z);
        tested.unwrap_or_else(|| certain(d))
    };
    let low = edge(observed, -1.0, |d| excess(d) - z);
    let high = edge(observed, 1.0, |d| -excess(d) - z);
    Some(Interval { low, high })
}

/// Where `outside` turns positive between `inside` and `limit`, by halving; `limit` when it never does.
fn edge(inside: f64, limit: f64, outside: impl Fn(f64) -> f64) -> f64 {
    let (mut kept, mut left_out) = (inside, limit);
    if inside == limit {
        return limit;
    }
    for _ in 0..HALVINGS {
        let middle = 0.5 * (kept + left_out);
        if outside(middle) > 0.0 {
            left_out = middle;
        } else {
            kept = middle;
        }
        if (left_out - kept).abs() <= PRECISION {
            break;
        }
    }
    if left_out == limit && (limit - kept).abs() <= PRECISION { limit } else { 0.5 * (kept + left_out) }
}

const HALVINGS: usize = 60;
const PRECISION: f64 = 1e-12;

/// Newcombe 1998, method 10: the Wilson intervals of both arms combined. Closed form and within 0.02 pp of
/// [`miettinen_nurminen`] from 600 requests on. `None` when an arm is empty.
pub fn newcombe(canary: Tally, stable: Tally, alpha: f64) -> Option<Interval> {
    let (p, q) = (canary.rate()?, stable.rate()?);
    let (c, s) = (wilson(canary, alpha)?, wilson(stable, alpha)?);
    let delta = p - q;
    Some(Interval { low: delta - (p - c.low).hypot(s.high - q), high: delta + (c.high - p).hypot(q - s.low) })
}

/// Wilson's score interval of one rate, exactly 0 at no event and 1 at all events. `None` when the arm is empty.
pub fn wilson(arm: Tally, alpha: f64) -> Option<Interval> {
    let p = arm.rate()?;
    let (n, z) = (arm.trials, critical(alpha));
    let spread = z * z / n;
    let centre = (p + spread / 2.0) / (1.0 + spread);
    let half = z / (1.0 + spread) * (p * (1.0 - p) / n + spread / (4.0 * n)).sqrt();
    Some(Interval {
        low: if arm.events == 0.0 { 0.0 } else { centre - half },
        high: if arm.rest() == 0.0 { 1.0 } else { centre + half },
    })
}

/// Wald's interval. Has width 0 without errors: for comparison with other tools only. `None` when an arm is empty.
pub fn wald(canary: Tally, stable: Tally, alpha: f64) -> Option<Interval> {
    let (p, q) = (canary.rate()?, stable.rate()?);
    let variance = p * (1.0 - p) / canary.trials + q * (1.0 - q) / stable.trials;
    let half = critical(alpha) * variance.sqrt();
    Some(Interval { low: p - q - half, high: p - q + half })
}

/// Agresti and Caffo 2000: Wald after one error and one success were added to each arm. For comparison with other
/// tools. `None` when an arm is empty.
pub fn agresti_caffo(canary: Tally, stable: Tally, alpha: f64) -> Option<Interval> {
    if canary.is_empty() || stable.is_empty() {
        return None;
    }
    let padded = |arm: Tally| Tally::new(arm.events + 1.0, arm.trials + 2.0);
    wald(padded(canary), padded(stable), alpha)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newcombe_stays_close_to_the_score_interval_from_600_requests_on() {
        for errors in [0.0, 3.0, 9.0, 30.0] {
            let (canary, stable) = (Tally::new(errors, 600.0), Tally::new(27.0, 5400.0));
            let exact = miettinen_nurminen(canary, stable, 0.05).unwrap();
            let quick = newcombe(canary, stable, 0.05).unwrap();
            assert!(
                (exact.low - quick.low).abs() < 2e-4 && (exact.high - quick.high).abs() < 3e-4,
                "{errors}"
            );
        }
    }

    #[test]
    fn no_error_in_either_arm_still_has_a_width() {
        let interval = miettinen_nurminen(Tally::new(0.0, 600.0), Tally::new(0.0, 5400.0), 0.05).unwrap();
        assert!(interval.low < 0.0 && interval.high > 0.006);
    }

    #[test]
    fn an_empty_arm_has_no_interval() {
        let some = Tally::new(3.0, 600.0);
        for interval in [miettinen_nurminen, newcombe, wald, agresti_caffo] {
            assert_eq!(interval(some, Tally::default(), 0.05), None);
            assert_eq!(interval(Tally::default(), some, 0.05), None);
        }
    }

    #[test]
    fn dispersion_widens_the_interval() {
        let (canary, stable) = (Tally::new(9.0, 600.0), Tally::new(27.0, 5400.0));
        let plain = miettinen_nurminen(canary, stable, 0.05).unwrap();
        let wide = miettinen_nurminen(canary.thinned(2.0), stable.thinned(4.0), 0.05).unwrap();
        assert!(wide.low < plain.low && wide.high > plain.high);
    }
}
