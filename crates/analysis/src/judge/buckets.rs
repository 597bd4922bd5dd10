//! The Mann-Whitney test on two histograms that share one ladder of buckets (judge 1.5).

use super::mann_whitney::RankSum;

/// The rank sum of two histograms, counts per bucket (not cumulative) in ascending order; values in one bucket are
/// ties. `None` when a histogram is empty or the ladders have different lengths.
pub fn rank_sum(canary: &[u64], stable: &[u64]) -> Option<RankSum> {
    if canary.len() != stable.len() {
        return None;
    }
    RankSum::of_groups(canary.iter().copied().zip(stable.iter().copied()))
}

/// Variance of the probability of superiority without assuming equal distributions, from placements (Brunner and
/// Munzel 2000; DeLong 1988): `phi_C Var_C(S_mid) / nC + phi_S Var_S(C_mid) / nS`.
///
/// `X_mid` = cdf of arm X minus half of the own bucket. `phi` = dispersion factors of canary and stable; counts may
/// be fractional. `None` when a histogram is empty or the ladders have different lengths.
pub fn placement_variance(canary: &[f64], stable: &[f64], phi: (f64, f64)) -> Option<f64> {
    let (in_canary, in_stable) = (placements(canary)?, placements(stable)?);
    if canary.len() != stable.len() {
        return None;
    }
    let of_canary = spread(canary, &in_stable) / canary.iter().sum::<f64>();
    let of_stable = spread(stable, &in_canary) / stable.iter().sum::<f64>();
    Some(phi.0 * of_canary + phi.1 * of_stable)
}

/// Cdf minus half the own bucket, per bucket; `None` for an empty histogram.
pub(super) fn placements(counts: &[f64]) -> Option<Vec<f64>> {
    let total: f64 = counts.iter().sum();
    let mut below = 0.0;
    (total > 0.0).then(|| {
        counts
            .iter()
            .map(|count| {
                let middle = (below + count / 2.0) / total;
                below += count;
                middle
            })
            .collect()
    })
}

/// Variance of `values`, each weighted by its count (population form).
pub(super) fn spread(counts: &[f64], values: &[f64]) -> f64 {
    let total: f64 = counts.iter().sum();
    let mean = counts.iter().zip(values).map(|(count, value)| count * value).sum::<f64>() / total;
    counts.iter().zip(values).map(|(count, value)| count * (value - mean).powi(2)).sum::<f64>() / total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mann_whitney::Continuity;

    #[test]
    fn row_24_a_billion_counts_do_not_overflow_or_cancel() {
        let (canary, stable) = ([1_000_000_000; 40], [1_000_000_000; 40]);
        let sum = rank_sum(&canary, &stable).unwrap();
        assert_eq!((sum.superiority(), sum.z(Continuity::Plain)), (0.5, 0.0));
        assert!(sum.null_variance() > 0.0);
    }

    #[test]
    fn ladders_of_different_length_are_not_compared() {
        assert_eq!(rank_sum(&[1, 2], &[1, 2, 3]), None);
        assert_eq!(placement_variance(&[1.0, 2.0], &[1.0], (1.0, 1.0)), None);
        assert_eq!(placement_variance(&[0.0], &[1.0], (1.0, 1.0)), None);
    }

    #[test]
    fn dispersion_scales_the_placement_variance() {
        let (canary, stable) = ([5.0, 9.0, 2.0, 1.0], [50.0, 90.0, 20.0, 10.0]);
        let plain = placement_variance(&canary, &stable, (1.0, 1.0)).unwrap();
        let wide = placement_variance(&canary, &stable, (2.0, 2.0)).unwrap();
        assert!((wide - 2.0 * plain).abs() < 1e-15);
    }
}
