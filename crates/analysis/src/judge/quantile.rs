//! Reads quantiles off histograms the way Prometheus does, and puts intervals around them (judge 1.6).

use super::difference::Interval;
use super::histogram::Histogram;
use super::normal::critical;

/// `histogram_quantile` of a classic histogram: ascending upper bounds and cumulative counts, linear inside a bucket
/// (Prometheus `promql/quantile.go`). Counts that fall are raised to their predecessor.
///
/// A quantile in the `+Inf` bucket is reported as the last finite bound: use [`interval`] to know. NaN without
/// observations, without a finite bound, or when the last bound is not `+Inf`; infinite for `q` outside `[0, 1]`.
pub fn classic(q: f64, bounds: &[f64], cumulative: &[f64]) -> f64 {
    if let Some(outside) = outside(q) {
        return outside;
    }
    let mut highest = f64::NEG_INFINITY;
    let raised = cumulative.iter().map(|count| {
        highest = highest.max(*count);
        highest
    });
    let ladder: Vec<(f64, f64)> = bounds.iter().copied().zip(raised).collect();
    let Some(((last, total), finite)) = ladder.split_last() else { return f64::NAN };
    if *last != f64::INFINITY || finite.is_empty() || total.is_nan() || *total <= 0.0 {
        return f64::NAN;
    }
    let rank = q * total;
    let (mut lower, mut below) = (0.0, 0.0);
    for (index, (upper, count)) in finite.iter().enumerate() {
        if *count >= rank {
            let negative = index == 0 && *upper <= 0.0;
            return if negative {
                *upper
            } else {
                lower + (upper - lower) * ((rank - below) / (count - below))
            };
        }
        (lower, below) = (*upper, *count);
    }
    lower
}

/// NaN and infinities for a `q` that is no probability.
fn outside(q: f64) -> Option<f64> {
    match q {
        q if q.is_nan() => Some(f64::NAN),
        q if q < 0.0 => Some(f64::NEG_INFINITY),
        q if q > 1.0 => Some(f64::INFINITY),
        _ => None,
    }
}

/// One bucket of a native histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
    /// Observations in it.
    pub count: f64,
}

/// `histogram_quantile` of a native histogram: exponential inside a bucket, linear in the zero bucket (Prometheus
/// 3.0 and later). `negative` and `positive` ascend; `zero` spans `[-threshold, threshold]`, reduced to the side that
/// has observations.
///
/// NaN without observations; infinite for `q` outside `[0, 1]`.
pub fn native(q: f64, negative: &[Bucket], zero: Bucket, positive: &[Bucket]) -> f64 {
    if let Some(outside) = outside(q) {
        return outside;
    }
    let mut zero = zero;
    if negative.is_empty() && !positive.is_empty() {
        zero.lower = 0.0;
    } else if positive.is_empty() && !negative.is_empty() {
        zero.upper = 0.0;
    }
    let all =
        || negative.iter().chain(std::iter::once(&zero)).chain(positive).filter(|bucket| bucket.count > 0.0);
    let total: f64 = all().map(|bucket| bucket.count).sum();
    // From the nearer end, as Prometheus does: it matters when the rank falls between two buckets with a gap.
    let found = if q < 0.5 {
        reach(all(), q * total).map(|(bucket, into)| (bucket, into / bucket.count))
    } else {
        let from_top: Vec<&Bucket> = all().collect();
        reach(from_top.into_iter().rev(), (1.0 - q) * total)
            .map(|(bucket, into)| (bucket, (bucket.count - into) / bucket.count))
    };
    found.map_or(f64::NAN, |(bucket, share)| inside(*bucket, share))
}

/// The first bucket at which the running count reaches `rank`, and how many of its observations that takes.
fn reach<'a>(buckets: impl Iterator<Item = &'a Bucket>, rank: f64) -> Option<(&'a Bucket, f64)> {
    let (mut before, mut last) = (0.0, None);
    for bucket in buckets {
        if before + bucket.count >= rank {
            return Some((bucket, rank - before));
        }
        before += bucket.count;
        last = Some((bucket, bucket.count));
    }
    last
}

fn inside(bucket: Bucket, share: f64) -> f64 {
    let Bucket { lower, upper, .. } = bucket;
    if lower > 0.0 {
        lower * (upper / lower).powf(share)
    } else if upper < 0.0 {
        upper * (lower / upper).powf(1.0 - share)
    } else {
        lower + (upper - lower) * share
    }
}

/// A quantile with its interval, in the unit of the bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile {
    /// The estimate; infinite when the quantile is in the `+Inf` bucket (unknown, not the last bound).
    pub at: f64,
    /// Its interval; the upper end is infinite when the upper rank is in the `+Inf` bucket.
    pub interval: Interval,
}

/// Woodruff 1952: the histogram read at `q -+ z sqrt(phi q (1-q) / n)`. `None` when empty or `q` is not in `(0, 1)`.
pub fn interval(histogram: &Histogram, q: f64, phi: f64, alpha: f64) -> Option<Quantile> {
    let total = histogram.total();
    if !(total > 0.0 && q > 0.0 && q < 1.0) {
        return None;
    }
    let reach = critical(alpha) * (phi * q * (1.0 - q) / total).sqrt();
    let read = |q: f64| read(histogram, q.clamp(0.0, 1.0) * total);
    Some(Quantile { at: read(q), interval: Interval { low: read(q - reach), high: read(q + reach) } })
}

/// The value at a rank, linear inside a bucket, infinite in the last one.
fn read(histogram: &Histogram, rank: f64) -> f64 {
    let mut below = 0.0;
    for (lower, upper, count, _) in histogram.buckets() {
        if count > 0.0 && below + count >= rank {
            let whole = upper.is_infinite();
            return if whole { upper } else { lower + (upper - lower) * ((rank - below) / count) };
        }
        below += count;
    }
    f64::INFINITY
}

/// Interval of the ratio `canary / stable` of two quantiles, by MOVER on logarithms (Donner and Zou 2012):
/// `ln L = ln(Qc/Qs) - sqrt(ln^2(Qc/lc) + ln^2(us/Qs))`, the upper end likewise.
///
/// An end is 0 or infinite when a quantile's own end is unknown; `None` when an estimate itself is.
pub fn ratio(canary: Quantile, stable: Quantile) -> Option<(f64, Interval)> {
    let ratio = canary.at / stable.at;
    if !(ratio > 0.0 && ratio.is_finite()) {
        return None;
    }
    let down = (canary.at / canary.interval.low).ln().hypot((stable.interval.high / stable.at).ln());
    let up = (canary.interval.high / canary.at).ln().hypot((stable.at / stable.interval.low).ln());
    Some((ratio, Interval { low: ratio * (-down).exp(), high: ratio * up.exp() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::histogram::tests::{DEFAULT_LADDER, lognormal};

    #[test]
    fn row_8_a_quantile_beyond_the_last_bound_is_unknown_not_the_bound() {
        let inf = f64::INFINITY;
        let slow = Histogram::new(vec![0.1, 1.0, inf], vec![0.0, 0.0, 5.0]).unwrap();
        assert_eq!(classic(0.99, slow.bounds(), &[0.0, 0.0, 5.0]), 1.0, "what Prometheus says");
        assert_eq!(interval(&slow, 0.99, 1.0, 0.05).unwrap().at, inf);
        let nearly = Histogram::new(vec![0.1, 1.0, inf], vec![50.0, 40.0, 0.5]).unwrap();
        let read = interval(&nearly, 0.95, 1.0, 0.05).unwrap();
        assert!(read.at < 1.0 && read.interval.high == inf);
        assert_eq!(ratio(read, read).unwrap().1.high, inf);
    }

    #[test]
    fn the_interval_covers_a_true_slowdown_and_narrows_with_traffic() {
        let fine: Vec<f64> = (0..60).map(|k| 0.005 * 1.1f64.powi(k)).chain([f64::INFINITY]).collect();
        let read = |slower, total, q| interval(&lognormal(&fine, slower, 0.6, total), q, 1.0, 0.05).unwrap();
        let (estimate, few) = ratio(read(1.3, 600.0, 0.95), read(1.0, 5400.0, 0.95)).unwrap();
        let (_, many) = ratio(read(1.3, 6e5, 0.95), read(1.0, 5.4e6, 0.95)).unwrap();
        assert!((estimate - 1.3).abs() < 0.02 && few.low < 1.3 && few.high > 1.3);
        assert!(many.low > 1.27 && many.high < 1.33);
        let noisy = interval(&lognormal(&fine, 1.3, 0.6, 2400.0), 0.95, 4.0, 0.05).unwrap();
        assert!(
            (noisy.interval.low - read(1.3, 600.0, 0.95).interval.low).abs() < 1e-9,
            "4 times the variance"
        );
    }

    #[test]
    fn nothing_observed_has_no_interval() {
        let empty = Histogram::new(DEFAULT_LADDER.to_vec(), vec![0.0; 12]).unwrap();
        assert_eq!(interval(&empty, 0.99, 1.0, 0.05), None);
        assert!(native(0.5, &[], Bucket { lower: -1e-9, upper: 1e-9, count: 0.0 }, &[]).is_nan());
    }
}
