//! Judges a latency shift against a margin: is the canary slower than "stable slowed by the allowed factor"? (judge 1.5)

use super::buckets::{placement_variance, placements, spread};
use super::dispersion::{Cell, Dispersion, by_pod, measure_means, over_time, several};
use super::evidence::ALTERNATIVES;
use super::histogram::Histogram;
use super::residual::{Residual, cluster};

/// Further slowdowns that the alternatives bet on, on top of the null's.
const STEPS: [f64; ALTERNATIVES] = [1.15, 1.3, 1.6, 2.5];

/// One window of a latency comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// Probability that a canary request is slower than a stable one, ties half.
    pub superiority: f64,
    /// The same for "stable slowed by the null factor": the margin.
    pub null: f64,
    /// Variance of `superiority` with dispersion.
    pub variance: f64,
    /// Log e-values against `superiority <= null`, one per alternative; all 0 without information.
    pub log_e: [f64; ALTERNATIVES],
}

/// Compares two histograms of one ladder. `null_factor` = allowed slowdown to the power kappa (1.15^0.5), `phi` =
/// dispersion factors, `floor` = what the null is at least (0.5 plus what pods differ by, or 0). `None` when an arm is
/// empty or the ladders differ.
///
/// `A_m = sum_k h_k (G_{k-1} + g_k / 2) / nS` with h = stable slowed by the factor; per alternative
/// `l (A - A_m) - l^2 v / 2` with `l = (A_j - A_m) / v`.
pub fn shift(
    canary: &Histogram,
    stable: &Histogram,
    null_factor: f64,
    phi: (f64, f64),
    floor: f64,
) -> Option<Shift> {
    if canary.bounds() != stable.bounds() {
        return None;
    }
    let middles = placements(stable.counts())?;
    let above = |counts: &[f64]| superiority(counts, &middles);
    let observed = above(canary.counts())?;
    let null = above(&stable.slowed(null_factor)?)?.max(floor);
    let variance = variance(canary, stable, phi)?;
    let mut log_e = [0.0; ALTERNATIVES];
    for (log_e, step) in log_e.iter_mut().zip(STEPS) {
        let bet = above(&stable.slowed(null_factor * step)?)? - null;
        if bet > 0.0 && variance > 0.0 {
            let l = bet / variance;
            *log_e = l * (observed - null) - l * l * variance / 2.0;
        }
    }
    Some(Shift { superiority: observed, null, variance, log_e })
}

/// What one window shows of the noise of a shift: `superiority` with its variance by chance, and how that grows with rho.
pub fn residual(
    superiority: f64,
    canary: &Histogram,
    stable: &Histogram,
    pods: (u32, u32),
) -> Option<Residual> {
    let chance = variance(canary, stable, (1.0, 1.0)).filter(|chance| *chance > 0.0)?;
    let clusters = (cluster(canary.total(), pods.0), cluster(stable.total(), pods.1));
    let growth = variance(canary, stable, clusters)? / chance - 1.0;
    Some(Residual { value: superiority, variance: chance, growth })
}

fn variance(canary: &Histogram, stable: &Histogram, phi: (f64, f64)) -> Option<f64> {
    let least = least_variance(canary.total(), stable.total(), phi);
    Some(placement_variance(canary.counts(), stable.counts(), phi)?.max(least))
}

/// A quarter of the variance that untied ranks have. Two arms without any overlap have placements without variance, which
/// is no proof of infinite evidence, and must not be read as none; only ladders with nine tenths in one bucket come near it.
fn least_variance(canary: f64, stable: f64, phi: (f64, f64)) -> f64 {
    (phi.0 / canary + phi.1 / stable) / 48.0
}

/// Probability that an observation of `stable`, slowed by `factor`, exceeds one of `stable` as it is.
pub fn slowed_superiority(stable: &Histogram, factor: f64) -> Option<f64> {
    superiority(&stable.slowed(factor)?, &placements(stable.counts())?)
}

/// Mean mid-placement of each histogram among `all` of them together, and the variance of one placement; for the
/// dispersion of a latency shift.
pub fn placement_cells(pods: &[Vec<f64>]) -> Option<(Vec<Cell>, f64)> {
    let ladder = pods.iter().map(Vec::len).max()?;
    let all: Vec<f64> = (0..ladder).map(|k| pods.iter().filter_map(|pod| pod.get(k)).sum::<f64>()).collect();
    let middles = placements(&all)?;
    let cells = pods
        .iter()
        .map(|pod| Cell { trials: pod.iter().sum(), mean: superiority(pod, &middles).unwrap_or(0.5) });
    Some((cells.collect(), spread(&all, &middles)))
}

/// Dispersion of a latency shift from `history[window][pod]`, counts per bucket each; over time when pods are few.
pub fn measure_placements(history: &[Vec<Vec<f64>>]) -> Option<Dispersion> {
    let measured = |rows: &[Vec<Vec<f64>>]| {
        measure_means(&rows.iter().filter_map(|row| placement_cells(row)).collect::<Vec<_>>())
    };
    if several(history) { measured(history) } else { over_time(measured(&by_pod(history)?)) }
}

/// Probability that a draw from `counts` exceeds one from the histogram with these mid-placements.
fn superiority(counts: &[f64], middles: &[f64]) -> Option<f64> {
    let total: f64 = counts.iter().sum();
    let sum: f64 = counts.iter().zip(middles).map(|(count, middle)| count * middle).sum();
    (total > 0.0).then(|| sum / total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::histogram::tests::{DEFAULT_LADDER, lognormal};

    #[test]
    fn an_equal_canary_loses_the_bet_and_a_slow_one_wins_it() {
        let stable = lognormal(&DEFAULT_LADDER, 1.0, 0.6, 5400.0);
        let judge = |slower| {
            let canary = lognormal(&DEFAULT_LADDER, slower, 0.6, 600.0);
            shift(&canary, &stable, 1.15f64.sqrt(), (1.5, 1.5), 0.0).unwrap()
        };
        let (same, slow) = (judge(1.0), judge(1.3));
        assert!((same.superiority - 0.5).abs() < 1e-12 && same.null > 0.51);
        assert!(same.log_e.iter().all(|l| *l < 0.0), "{same:?}");
        assert!(slow.log_e.iter().copied().fold(f64::MIN, f64::max) > 3.0, "{slow:?}");
    }

    #[test]
    fn a_canary_that_is_the_alternative_earns_half_its_squared_distance() {
        let stable = lognormal(&DEFAULT_LADDER, 1.0, 0.6, 5400.0);
        let slowed = stable.slowed(1.07 * 1.3).unwrap();
        let canary = Histogram::new(DEFAULT_LADDER.to_vec(), slowed).unwrap();
        let seen = shift(&canary, &stable, 1.07, (1.5, 1.2), 0.0).unwrap();
        let distance = seen.superiority - seen.null;
        assert!((seen.log_e[1] - distance * distance / (2.0 * seen.variance)).abs() < 1e-9, "{seen:?}");
    }

    #[test]
    fn arms_without_overlap_are_strong_evidence_and_not_none() {
        let inf = f64::INFINITY;
        let stable = Histogram::new(vec![0.005, 0.05, 0.1, inf], vec![500.0, 0.0, 0.0, 0.0]).unwrap();
        let canary = Histogram::new(vec![0.005, 0.05, 0.1, inf], vec![0.0, 200.0, 300.0, 0.0]).unwrap();
        let seen = shift(&canary, &stable, 1.15f64.sqrt(), (1.5, 1.5), 0.0).unwrap();
        assert!(seen.superiority == 1.0 && seen.log_e.iter().any(|log_e| *log_e > 20.0), "{seen:?}");
        let faster = shift(&stable, &canary, 1.15f64.sqrt(), (1.5, 1.5), 0.0).unwrap();
        assert!(faster.log_e.iter().all(|log_e| *log_e < 0.0), "{faster:?}");
    }

    #[test]
    fn one_bucket_says_nothing() {
        let stable = Histogram::new(vec![1.0, f64::INFINITY], vec![40.0, 0.0]).unwrap();
        let canary = Histogram::new(vec![1.0, f64::INFINITY], vec![17.0, 0.0]).unwrap();
        let seen = shift(&canary, &stable, 1.0, (1.0, 1.0), 0.0).unwrap();
        assert!(seen.log_e.iter().all(|log_e| *log_e <= 0.0), "{seen:?}");
    }

    #[test]
    fn different_ladders_or_an_empty_arm_have_no_shift() {
        let stable = lognormal(&DEFAULT_LADDER, 1.0, 0.6, 5400.0);
        let none = Histogram::new(DEFAULT_LADDER.to_vec(), vec![0.0; 12]).unwrap();
        assert_eq!(shift(&none, &stable, 1.07, (1.0, 1.0), 0.0), None);
        let other = Histogram::new(vec![1.0, f64::INFINITY], vec![1.0, 1.0]).unwrap();
        assert_eq!(shift(&other, &stable, 1.07, (1.0, 1.0), 0.0), None);
    }
}
