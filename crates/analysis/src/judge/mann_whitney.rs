//! Asks whether canary values tend to be larger than stable values, from raw samples (judge 1.5).
//!
//! Everything that can be an integer is one: `2U`, the ties and the null variance's numerator are exact up to 1e12
//! values, where floats would cancel.

use super::normal::{two_sided, upper_tail};

/// The side of the hypothesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alternative {
    /// Larger or smaller.
    TwoSided,
    /// The canary tends to be larger.
    Greater,
    /// The canary tends to be smaller.
    Less,
}

/// Whether 1/2 is taken off the distance between `U` and its mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuity {
    /// Yes, as most packages do.
    Corrected,
    /// No.
    Plain,
}

/// The rank sum of two samples (Mann and Whitney 1947); neither is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RankSum {
    canary: u64,
    stable: u64,
    /// `2 U`: 2 per pair with the canary larger, 1 per tie.
    doubled: u128,
    /// `N^3 - N - sum(t^3 - t)` over groups of `t` equal values.
    untied: i128,
}

/// Samples above which the exact integers could overflow.
const MOST_VALUES: u64 = 1_000_000_000_000;

impl RankSum {
    /// From the canary and stable counts of each group of equal values, in ascending order of value. `None` when an
    /// arm is empty or there are more than 1e12 values.
    pub fn of_groups(groups: impl IntoIterator<Item = (u64, u64)>) -> Option<Self> {
        let (mut canary, mut stable, mut doubled, mut ties) = (0u64, 0u64, 0u128, 0i128);
        for (f, g) in groups {
            if f > MOST_VALUES || g > MOST_VALUES {
                return None;
            }
            doubled = doubled.checked_add(u128::from(f) * (2 * u128::from(stable) + u128::from(g)))?;
            ties += cube_less_self(f + g);
            canary += f;
            stable += g;
            if canary + stable > MOST_VALUES {
                return None;
            }
        }
        let untied = cube_less_self(canary + stable) - ties;
        (canary > 0 && stable > 0).then_some(Self { canary, stable, doubled, untied })
    }

    /// From raw values, in any order; infinities rank like numbers. `None` when an arm is empty or a value is NaN.
    pub fn of_values(canary: &[f64], stable: &[f64]) -> Option<Self> {
        let mut all: Vec<(f64, bool)> = canary.iter().map(|value| (*value, true)).collect();
        all.extend(stable.iter().map(|value| (*value, false)));
        if all.iter().any(|(value, _)| value.is_nan()) {
            return None;
        }
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let groups = all.chunk_by(|a, b| a.0 == b.0).map(|group| {
            let f = group.iter().filter(|(_, canary)| *canary).count() as u64;
            (f, group.len() as u64 - f)
        });
        Self::of_groups(groups)
    }

    fn pairs(self) -> u128 {
        u128::from(self.canary) * u128::from(self.stable)
    }

    /// Pairs in which the canary is larger, plus half the ties.
    pub fn u(self) -> f64 {
        self.doubled as f64 / 2.0
    }

    /// Probability that a canary value exceeds a stable one, ties counting half (Vargha and Delaney 2000).
    pub fn superiority(self) -> f64 {
        self.doubled as f64 / 2.0 / self.pairs() as f64
    }

    /// `2 A - 1`, in `[-1, 1]` (Cliff 1993).
    pub fn cliffs_delta(self) -> f64 {
        self.off_centre() as f64 / self.pairs() as f64
    }

    /// `2 U - nC nS`.
    fn off_centre(self) -> i128 {
        self.doubled as i128 - self.pairs() as i128
    }

    /// Variance of `U` when both samples come from one distribution, with ties (Lehmann 1975):
    /// `nC nS / 12 * ((N + 1) - sum(t^3 - t) / (N (N - 1)))`.
    pub fn null_variance(self) -> f64 {
        let total = u128::from(self.canary) + u128::from(self.stable);
        self.pairs() as f64 / 12.0 * self.untied as f64 / (total * (total - 1)) as f64
    }

    /// All values are equal: the samples say nothing. `z` is 0 then.
    pub fn degenerate(self) -> bool {
        self.untied == 0
    }

    /// Distance of `U` from its mean in standard deviations; 0 when [degenerate](Self::degenerate).
    pub fn z(self, continuity: Continuity) -> f64 {
        if self.degenerate() {
            return 0.0;
        }
        let off = self.off_centre() as f64 / 2.0;
        let kept = match continuity {
            Continuity::Corrected => off.signum() * (off.abs() - 0.5).max(0.0),
            Continuity::Plain => off,
        };
        kept / self.null_variance().sqrt()
    }

    /// p by the normal approximation. [Degenerate](Self::degenerate) samples have p 1 (corrected, or two-sided) or
    /// 0.5; there is no information in them.
    pub fn p(self, alternative: Alternative, continuity: Continuity) -> f64 {
        if self.degenerate() {
            let certain = continuity == Continuity::Corrected || alternative == Alternative::TwoSided;
            return if certain { 1.0 } else { 0.5 };
        }
        let off = self.off_centre() as f64 / 2.0;
        let half = if continuity == Continuity::Corrected { 0.5 } else { 0.0 };
        let spread = self.null_variance().sqrt();
        match alternative {
            Alternative::TwoSided => two_sided(self.z(continuity)),
            Alternative::Greater => upper_tail((off - half) / spread),
            Alternative::Less => upper_tail((-off - half) / spread),
        }
    }

    /// p from the exact distribution of `U`; `None` with ties or with more than [`MOST_EXACT`] values together.
    pub fn exact_p(self, alternative: Alternative) -> Option<f64> {
        let total = i128::from(self.canary) + i128::from(self.stable);
        let tied = self.untied != total * (total * total - 1);
        if tied || total > i128::from(MOST_EXACT) {
            return None;
        }
        let u = (self.doubled / 2) as usize;
        let mirrored = self.pairs() as usize - u;
        let ways = orderings(self.canary as usize, self.stable as usize);
        let all: i128 = ways.iter().sum();
        let at_least = |least: usize| ways.iter().skip(least).sum::<i128>() as f64 / all as f64;
        Some(match alternative {
            Alternative::TwoSided => (2.0 * at_least(u.max(mirrored))).min(1.0),
            Alternative::Greater => at_least(u),
            Alternative::Less => at_least(mirrored),
        })
    }
}

/// Values in both samples together up to which the exact distribution is computed.
pub const MOST_EXACT: u64 = 100;

/// `t^3 - t`.
fn cube_less_self(t: u64) -> i128 {
    let t = i128::from(t);
    t * (t * t - 1)
}

/// In how many orderings of `m` and `n` distinct values `U` is 0, 1, ..., `m n`: the coefficients of the Gaussian
/// binomial, `prod_i (1 - x^(n+i)) / (1 - x^i)`.
fn orderings(m: usize, n: usize) -> Vec<i128> {
    let mut ways = vec![0i128; m * n + 1];
    ways.iter_mut().take(1).for_each(|first| *first = 1);
    for i in 1..=m {
        for k in (n + i..ways.len()).rev() {
            combine(&mut ways, k, n + i, |way, lower| way - lower);
        }
        for k in i..ways.len() {
            combine(&mut ways, k, i, |way, lower| way + lower);
        }
    }
    ways
}

/// Replaces `ways[k]` by `join(ways[k], ways[k - distance])`.
fn combine(ways: &mut [i128], k: usize, distance: usize, join: impl Fn(i128, i128) -> i128) {
    let lower = ways.get(k - distance).copied().unwrap_or(0);
    ways.iter_mut().skip(k).take(1).for_each(|way| *way = join(*way, lower));
}

/// Median of all pairwise differences `canary - stable` (Hodges and Lehmann 1963). `None` when an arm is empty, when
/// there are more than 1e6 pairs, or when a difference has no value (infinity minus infinity).
pub fn hodges_lehmann(canary: &[f64], stable: &[f64]) -> Option<f64> {
    if canary.is_empty() || stable.is_empty() || canary.len().saturating_mul(stable.len()) > MOST_PAIRS {
        return None;
    }
    let mut differences: Vec<f64> = canary.iter().flat_map(|c| stable.iter().map(move |s| c - s)).collect();
    differences.sort_by(f64::total_cmp);
    let (lower, upper) =
        (differences.get((differences.len() - 1) / 2)?, differences.get(differences.len() / 2)?);
    let median = if lower == upper { *lower } else { lower + (upper - lower) / 2.0 };
    (!differences.iter().any(|d| d.is_nan())).then_some(median)
}

const MOST_PAIRS: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_exact_distribution_counts_every_ordering() {
        assert_eq!(orderings(2, 2), [1, 1, 2, 1, 1]);
        assert_eq!(orderings(3, 2).iter().sum::<i128>(), 10);
        assert_eq!(orderings(50, 50).iter().sum::<i128>(), 100_891_344_545_564_193_334_812_497_256);
    }

    #[test]
    fn row_22_equal_values_are_degenerate_not_nan() {
        let same = RankSum::of_values(&[3.0; 4], &[3.0; 7]).unwrap();
        assert!(same.degenerate());
        assert_eq!((same.z(Continuity::Plain), same.superiority()), (0.0, 0.5));
        assert_eq!(same.exact_p(Alternative::TwoSided), None);
    }

    #[test]
    fn empty_or_nan_samples_have_no_rank_sum() {
        assert_eq!(RankSum::of_values(&[], &[1.0]), None);
        assert_eq!(RankSum::of_values(&[f64::NAN], &[1.0]), None);
        assert_eq!(hodges_lehmann(&[f64::INFINITY], &[f64::INFINITY]), None);
        assert_eq!(RankSum::of_groups([(u64::MAX, 1)]), None);
    }

    #[test]
    fn minus_zero_is_zero() {
        let tied = RankSum::of_values(&[0.0], &[-0.0]).unwrap();
        assert_eq!(tied.superiority(), 0.5);
    }

    proptest! {
        #[test]
        fn u_counts_pairs(
            canary in proptest::collection::vec(0u8..9, 1..20), stable in proptest::collection::vec(0u8..9, 1..20),
        ) {
            let raw = |values: &[u8]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
            let sum = RankSum::of_values(&raw(&canary), &raw(&stable)).unwrap();
            let mut pairs = 0.0;
            for c in &canary {
                for s in &stable {
                    pairs += if c > s { 1.0 } else if c == s { 0.5 } else { 0.0 };
                }
            }
            prop_assert_eq!(sum.u(), pairs);
        }
    }
}
