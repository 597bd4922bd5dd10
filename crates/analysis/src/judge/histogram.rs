//! A latency histogram on one ladder of bucket bounds, and how to read between the bounds (judge 1.6).

/// Counts per bucket with ascending upper bounds, the last of them `+Inf`. Counts may be fractional.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    bounds: Vec<f64>,
    counts: Vec<f64>,
}

impl Histogram {
    /// From upper bounds and counts per bucket (not cumulative). `None` unless the lengths agree, the bounds ascend,
    /// the first is positive, the last is `+Inf`, and every count is finite and not negative.
    pub fn new(bounds: Vec<f64>, counts: Vec<f64>) -> Option<Self> {
        let ascending = bounds.iter().zip(bounds.iter().skip(1)).all(|(a, b)| a < b);
        let ends = bounds.first().is_some_and(|first| *first > 0.0) && bounds.last() == Some(&f64::INFINITY);
        let counted = counts.iter().all(|count| count.is_finite() && *count >= 0.0);
        (ascending && ends && counted && bounds.len() == counts.len()).then_some(Self { bounds, counts })
    }

    /// Upper bounds, the last one `+Inf`.
    pub fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    /// Counts per bucket.
    pub fn counts(&self) -> &[f64] {
        &self.counts
    }

    /// All observations.
    pub fn total(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// `(lower, upper, count, observations above upper)` of each bucket.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (f64, f64, f64, f64)> {
        let mut above = self.total();
        let lower = std::iter::once(0.0).chain(self.bounds.iter().copied());
        lower.zip(&self.bounds).zip(&self.counts).map(move |((lower, upper), count)| {
            above = (above - count).max(0.0);
            (lower, *upper, *count, above)
        })
    }

    /// Share of observations above `y` (seconds, or whatever unit the bounds have). `None` when empty or when `y` is
    /// in the `+Inf` bucket, where nothing is known.
    ///
    /// Exact at a bound; between bounds `ln S` is linear in `ln y` (a Pareto tail), which turns a true 15 % into
    /// about 11 % on the default Prometheus ladder where linear interpolation would turn it into 45 %. Linear where
    /// the logarithm does not exist: in the first bucket, and above the last observation.
    pub fn survival(&self, y: f64) -> Option<f64> {
        let total = self.total();
        if total <= 0.0 || y.is_nan() {
            return None;
        }
        if y <= 0.0 {
            return Some(1.0);
        }
        let (lower, upper, count, above) = self.buckets().find(|(_, upper, _, _)| y <= *upper)?;
        let (at_lower, at_upper) = ((above + count) / total, above / total);
        if y == upper {
            return Some(at_upper);
        }
        if upper.is_infinite() {
            return None;
        }
        if lower > 0.0 && at_upper > 0.0 {
            let way = (y / lower).ln() / (upper / lower).ln();
            return Some(at_lower * (at_upper / at_lower).powf(way));
        }
        Some(at_lower + (at_upper - at_lower) * (y - lower) / (upper - lower))
    }

    /// The counts that this histogram would have if every observation took `factor >= 1` times as long, on the same
    /// ladder. `None` when empty or when `factor` is not at least 1 and finite.
    pub fn slowed(&self, factor: f64) -> Option<Vec<f64>> {
        if !(factor >= 1.0 && factor.is_finite()) {
            return None;
        }
        let total = self.total();
        let mut left = total;
        let mut counts = Vec::with_capacity(self.counts.len());
        for bound in &self.bounds {
            let above = if bound.is_infinite() { 0.0 } else { self.survival(bound / factor)? * total };
            counts.push((left - above).max(0.0));
            left = above.min(left);
        }
        Some(counts)
    }

    /// Both histograms on the bounds that they share (merging buckets is exact). `None` when only `+Inf` is shared.
    pub fn on_common_ladder(&self, other: &Self) -> Option<(Self, Self)> {
        let shared: Vec<f64> =
            self.bounds.iter().copied().filter(|bound| other.bounds.contains(bound)).collect();
        (shared.len() > 1).then(|| (self.merged(&shared), other.merged(&shared)))
    }

    /// The histogram on fewer bounds, all of which it has; the last one is `+Inf`. Merging buckets is exact.
    pub fn merged(&self, bounds: &[f64]) -> Self {
        let mut cells = self.bounds.iter().zip(&self.counts).peekable();
        let counts = bounds
            .iter()
            .map(|bound| {
                let mut count = 0.0;
                while let Some((_, more)) = cells.next_if(|(upper, _)| *upper <= bound) {
                    count += more;
                }
                count
            })
            .collect();
        Self { bounds: bounds.to_vec(), counts }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::judge::normal::upper_tail;

    pub(in crate::judge) const DEFAULT_LADDER: [f64; 12] =
        [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, f64::INFINITY];

    /// Lognormal latencies, median 80 ms, on a ladder.
    pub(crate) fn lognormal(bounds: &[f64], slower: f64, sigma: f64, total: f64) -> Histogram {
        let above = |y: f64| upper_tail((y / (0.08 * slower)).ln() / sigma);
        let mut left = 1.0;
        let counts = bounds
            .iter()
            .map(|bound| {
                let next = if bound.is_infinite() { 0.0 } else { above(*bound) };
                let count = (left - next) * total;
                left = next;
                count
            })
            .collect();
        Histogram::new(bounds.to_vec(), counts).unwrap()
    }

    #[test]
    fn survival_is_exact_at_bounds_and_between_them_close_to_a_lognormal() {
        let seen = lognormal(&DEFAULT_LADDER, 1.0, 0.6, 1e6);
        assert!((seen.survival(0.25).unwrap() - upper_tail((0.25f64 / 0.08).ln() / 0.6)).abs() < 1e-12);
        let between = seen.survival(0.323).unwrap();
        assert!((between / 0.01 - 1.0).abs() < 0.25, "{between}");
        assert_eq!(seen.survival(11.0), None);
        assert_eq!(seen.survival(0.0), Some(1.0));
    }

    #[test]
    fn slowing_by_one_changes_nothing_and_loses_nobody() {
        let seen = lognormal(&DEFAULT_LADDER, 1.0, 0.6, 5400.0);
        let same = seen.slowed(1.0).unwrap();
        assert!(same.iter().zip(seen.counts()).all(|(a, b)| (a - b).abs() < 1e-9));
        let slower = seen.slowed(1.15).unwrap();
        assert!((slower.iter().sum::<f64>() - 5400.0).abs() < 1e-9);
        assert_eq!(seen.slowed(0.9), None);
    }

    #[test]
    fn row_9_only_shared_bounds_are_compared() {
        let old =
            Histogram::new(vec![0.1, 0.2, 0.5, 1.0, f64::INFINITY], vec![1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        let new =
            Histogram::new(vec![0.1, 0.25, 0.5, 2.0, f64::INFINITY], vec![9.0, 8.0, 7.0, 6.0, 5.0]).unwrap();
        let (a, b) = old.on_common_ladder(&new).unwrap();
        assert_eq!(
            (a.bounds(), a.counts()),
            ([0.1, 0.5, f64::INFINITY].as_slice(), [1.0, 5.0, 9.0].as_slice())
        );
        assert_eq!(b.counts(), [9.0, 15.0, 11.0]);
        let strange = Histogram::new(vec![0.3, f64::INFINITY], vec![1.0, 1.0]).unwrap();
        assert_eq!(old.on_common_ladder(&strange), None);
    }

    #[test]
    fn a_broken_ladder_is_refused() {
        let inf = f64::INFINITY;
        for (bounds, counts) in [
            (vec![0.1, 0.1, inf], vec![1.0; 3]),
            (vec![0.1, 0.2], vec![1.0; 2]),
            (vec![0.1, inf], vec![1.0; 3]),
            (vec![0.1, inf], vec![1.0, -1.0]),
            (vec![0.1, inf], vec![1.0, f64::NAN]),
            (vec![-1.0, inf], vec![1.0, 1.0]),
        ] {
            assert_eq!(Histogram::new(bounds, counts), None);
        }
    }
}
