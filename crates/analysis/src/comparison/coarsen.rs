//! Keeps the ladder of a latency comparison short enough for the status: buckets that tell least are merged.

use crate::judge::histogram::Histogram;

/// Buckets that are kept at most.
pub(super) const MOST_BUCKETS: usize = 40;

/// Shares of requests below this need no resolution of their own.
const SMALLEST_SHARE: f64 = 0.001;

/// The histogram with at most [`MOST_BUCKETS`] buckets; merging is exact. `kept` = bounds that stay.
///
/// Again and again the two neighbours are merged that hold the smallest part of all requests beyond them on their side of
/// the median: tails, in which few requests tell much, keep as fine a ladder as the middle.
pub(super) fn coarsened(histogram: Histogram, kept: &[Option<f64>]) -> Histogram {
    let mut bounds = histogram.bounds().to_vec();
    if bounds.len() <= MOST_BUCKETS {
        return histogram;
    }
    let mut counts = histogram.counts().to_vec();
    let total = histogram.total().max(1.0);
    while bounds.len() > MOST_BUCKETS {
        let mut below = 0.0;
        let mut cheapest: Option<(usize, f64)> = None;
        for (place, pair) in counts.windows(2).enumerate() {
            let here: f64 = pair.iter().sum();
            let (upper, lower) = ((below + here) / total, 1.0 - below / total);
            // Slower than anything before, a canary must still be told from a slow one: these go last.
            let cost =
                (here + f64::from(u8::from(lower < 0.5))) / total / upper.min(lower).max(SMALLEST_SHARE);
            let free = bounds.get(place).is_some_and(|bound| !kept.contains(&Some(*bound)));
            if free && cheapest.is_none_or(|(_, least)| cost < least) {
                cheapest = Some((place, cost));
            }
            below += pair.first().copied().unwrap_or_default();
        }
        let Some((place, _)) = cheapest else { break };
        bounds.remove(place);
        let merged = counts.remove(place);
        counts.iter_mut().skip(place).take(1).for_each(|count| *count += merged);
    }
    histogram.merged(&bounds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::histogram::tests::lognormal;

    fn fine(rungs: i32) -> Histogram {
        let bounds: Vec<f64> =
            (0..rungs).map(|rung| 0.001 * 1.05_f64.powi(rung)).chain([f64::INFINITY]).collect();
        lognormal(&bounds, 1.0, 0.6, 100_000.0)
    }

    #[test]
    fn a_fine_ladder_is_shortened_and_a_short_one_is_not() {
        let short = fine(39);
        assert_eq!(coarsened(short.clone(), &[]), short);
        let found = coarsened(fine(160), &[]);
        assert_eq!(found.bounds().len(), MOST_BUCKETS);
        assert!((found.total() - 100_000.0).abs() < 1e-6, "no request is lost");
    }

    #[test]
    fn bounds_of_quantiles_stay_and_both_sides_of_them_are_fine() {
        let all = fine(160);
        let kept = [None, Some(all.bounds()[105]), Some(all.bounds()[119])];
        let found = coarsened(all.clone(), &kept);
        for bound in kept.iter().flatten() {
            let place = found.bounds().iter().position(|found| found == bound).unwrap();
            let below = bound / found.bounds()[place - 1];
            assert!(below < 1.25, "the bucket below {bound} spans a factor of {below}");
            let (merged, fine) = (found.survival(*bound).unwrap(), all.survival(*bound).unwrap());
            assert!((merged - fine).abs() < 1e-12, "{merged} {fine}");
        }
    }
}
