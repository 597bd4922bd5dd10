//! Turns native histograms into tracks on one exponential ladder.
//!
//! A schema `s` has the bounds `2^(k / 2^s)`; a coarser schema has every second, fourth, … of them, so that reducing all to
//! the coarsest is exact. Prometheus lists only buckets that are not empty.

use super::ladder::Track;
use crate::provider::prometheus::answer::{Native, NativeBucket};

/// Finest schema that is used: bounds grow by 19 %. Finer ones would cost room and tell nothing about 15 %.
const FINEST: i32 = 2;
/// Coarsest schema of Prometheus.
const COARSEST: i32 = -4;
/// Bounds that are kept at most.
const MOST_BOUNDS: i64 = 64;
/// Octaves above the slowest request that get bounds of their own: a slower canary must be told from a slow one.
const HEADROOM: i64 = 2;

/// Brings all histograms to one ladder: that of `onto` when there is one.
///
/// # Errors
/// A sentence about buckets that are not exponential.
pub(super) fn tracks(all: &[Native], onto: Option<&[f64]>) -> Result<Vec<Track>, String> {
    let buckets = || all.iter().flat_map(|series| &series.samples).flat_map(|(_, buckets)| buckets);
    let mut schema = onto.map_or(FINEST, schema_of_ladder);
    for bucket in buckets().filter(|bucket| bucket.left > 0.0 && bucket.right.is_finite()) {
        schema = schema.min(schema_of(bucket)?);
    }
    let rungs: Vec<i64> = match onto {
        Some(bounds) => {
            bounds.iter().filter(|bound| bound.is_finite()).map(|bound| rung(*bound, schema)).collect()
        }
        None => {
            let found: Vec<f64> =
                buckets().filter(|bucket| bucket.left > 0.0).map(|bucket| bucket.right).collect();
            fit(&found, &mut schema)
        }
    };
    let (Some(low), Some(high)) = (rungs.iter().min(), rungs.iter().max()) else { return Ok(Vec::new()) };
    let bounds: Vec<f64> = (*low..=*high).map(|rung| bound(rung, schema)).chain([f64::INFINITY]).collect();
    Ok(all.iter().map(|series| track(series, &bounds, (*low, schema))).collect())
}

/// The lowest and the highest rung, in a schema coarse enough for all between.
fn fit(bounds: &[f64], schema: &mut i32) -> Vec<i64> {
    let (low, high) = bounds
        .iter()
        .filter(|bound| bound.is_finite())
        .fold((f64::INFINITY, 0.0_f64), |(low, high), bound| (low.min(*bound), high.max(*bound)));
    if high <= 0.0 {
        return Vec::new();
    }
    let span = |schema: i32| rung(high * 4.0, schema) - rung(low, schema);
    while span(*schema) > MOST_BOUNDS && *schema > COARSEST {
        *schema -= 1;
    }
    let top = rung(high, *schema) + (HEADROOM << (*schema).max(0));
    vec![rung(low, *schema), top]
}

fn bound(rung: i64, schema: i32) -> f64 {
    (rung as f64 * (-f64::from(schema)).exp2()).exp2()
}

/// The lowest rung whose bound is not below `value`; exact bounds are not pushed up by rounding.
fn rung(value: f64, schema: i32) -> i64 {
    (value.log2() * f64::from(schema).exp2() - 1e-6).ceil() as i64
}

fn schema_of(bucket: &NativeBucket) -> Result<i32, String> {
    let octaves = (bucket.right / bucket.left).log2();
    let schema = -octaves.log2();
    let whole = schema.round();
    if (schema - whole).abs() > 1e-3 || !(f64::from(COARSEST)..=8.0).contains(&whole) {
        return Err(format!(
            "a native histogram has the bucket ({}, {}], which no exponential schema has: expose custom buckets as a classic \
             histogram",
            bucket.left, bucket.right
        ));
    }
    Ok(whole as i32)
}

/// The coarsest schema that has all bounds: a ladder may lack some rungs of its schema.
fn schema_of_ladder(bounds: &[f64]) -> i32 {
    let on_rung = |bound: &&f64, schema: i32| {
        let rung = bound.log2() * f64::from(schema).exp2();
        (rung - rung.round()).abs() < 1e-6
    };
    let finite = || bounds.iter().filter(|bound| bound.is_finite());
    (COARSEST..FINEST).find(|schema| finite().all(|bound| on_rung(&bound, *schema))).unwrap_or(FINEST)
}

fn track(series: &Native, bounds: &[f64], (low, schema): (i64, i32)) -> Track {
    let samples = series.samples.iter().map(|(at, buckets)| {
        let mut counts = vec![0.0; bounds.len()];
        let last = counts.len().saturating_sub(1);
        for bucket in buckets {
            let place = if bucket.right <= 0.0 || bucket.left <= 0.0 {
                0
            } else if bucket.right.is_infinite() {
                last
            } else {
                usize::try_from(rung(bucket.right, schema) - low).unwrap_or(0).min(last)
            };
            if let Some(count) = counts.get_mut(place) {
                *count += bucket.count;
            }
        }
        let mut below = 0.0;
        counts.iter_mut().for_each(|count| {
            below += *count;
            *count = below;
        });
        (*at, counts)
    });
    Track { labels: series.labels.clone(), bounds: bounds.to_vec(), samples: samples.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(schema: i32, counts: &[(i64, f64)]) -> Native {
        let buckets = counts.iter().map(|(rung, count)| NativeBucket {
            left: bound(rung - 1, schema),
            right: bound(*rung, schema),
            count: *count,
        });
        Native { labels: Default::default(), samples: vec![(10.0, buckets.collect())] }
    }

    fn up_to(track: &Track, bound: f64) -> f64 {
        let place =
            track.bounds.iter().position(|own| (own / bound - 1.0).abs() < 1e-9 || *own == bound).unwrap();
        track.samples[0].1[place]
    }

    #[test]
    fn row_10_two_schemas_meet_in_the_coarser_one_and_lose_nobody() {
        let fine = histogram(3, &[(-8, 1.0), (-7, 2.0), (-4, 4.0), (1, 8.0), (8, 16.0)]);
        let coarse = histogram(0, &[(-1, 3.0), (1, 24.0)]);
        let found = tracks(&[fine, coarse], None).unwrap();
        assert_eq!(found[0].bounds, found[1].bounds);
        for (bound, first, second) in
            [(0.5, 1.0, 3.0), (1.0, 7.0, 3.0), (2.0, 31.0, 27.0), (f64::INFINITY, 31.0, 27.0)]
        {
            assert_eq!((up_to(&found[0], bound), up_to(&found[1], bound)), (first, second), "{bound}");
        }
        assert!(found[0].bounds.contains(&8.0), "room for a slower canary");
    }

    #[test]
    fn a_later_answer_is_put_on_the_ladder_of_the_history() {
        let history = tracks(&[histogram(2, &[(-10, 5.0), (4, 5.0)])], None).unwrap();
        let ladder = history[0].bounds.clone();
        let later = histogram(4, &[(-200, 1.0), (0, 2.0), (300, 4.0)]);
        let found = tracks(&[later], Some(&ladder)).unwrap();
        assert_eq!(found[0].bounds, ladder);
        assert_eq!(found[0].samples[0].1[0], 1.0, "faster than ever counts in the first bucket");
        assert_eq!(up_to(&found[0], 1.0), 3.0);
        assert_eq!(found[0].samples[0].1.last(), Some(&7.0), "slower than ever counts in the last");
    }

    /// Merging leaves out rungs, never moves one.
    #[test]
    fn the_schema_of_a_merged_ladder_is_read_from_the_rungs_that_are_left() {
        for (schema, rungs, expected) in [
            (2, vec![-10, -7, 0, 4], 2),
            (2, vec![-8, -2, 0, 4], 1),
            (2, vec![-8, 0, 4], 0),
            (0, vec![-4, 2, 8], -1),
        ] {
            let ladder: Vec<f64> =
                rungs.iter().map(|rung| bound(*rung, schema)).chain([f64::INFINITY]).collect();
            assert_eq!(schema_of_ladder(&ladder), expected, "{rungs:?} of schema {schema}");
        }
        let merged = [bound(-10, 2), bound(-7, 2), 1.0, 2.0, f64::INFINITY];
        let counts: Vec<(i64, f64)> = (-12..=6).map(|rung| (rung, 1.0)).collect();
        let found = tracks(&[histogram(2, &counts)], Some(&merged)).unwrap();
        for (bound, expected) in merged.into_iter().zip([3.0, 6.0, 13.0, 17.0, 19.0]) {
            assert_eq!(up_to(&found[0], bound), expected, "at most {bound}");
        }
    }

    #[test]
    fn wide_ranges_get_a_coarser_ladder_and_the_zero_bucket_is_the_fastest() {
        let mut wide = histogram(8, &[(-256 * 17, 1.0), (256 * 7, 1.0)]);
        wide.samples[0].1.push(NativeBucket { left: -1e-9, right: 1e-9, count: 3.0 });
        let found = tracks(&[wide], None).unwrap();
        assert!(found[0].bounds.len() <= 70, "{}", found[0].bounds.len());
        assert_eq!(found[0].samples[0].1[0], 4.0);
    }

    #[test]
    fn custom_buckets_are_refused_with_a_remedy() {
        let odd = Native {
            labels: Default::default(),
            samples: vec![(1.0, vec![NativeBucket { left: 0.1, right: 0.25, count: 1.0 }])],
        };
        assert!(tracks(&[odd], None).unwrap_err().ends_with("expose custom buckets as a classic histogram"));
        assert_eq!(tracks(&[], None), Ok(Vec::new()));
    }
}
