//! Brings the histograms of all pods, classic or native, to one ladder of bucket bounds (judge 4, rows 9 and 10).
//!
//! Only bounds that everybody has are kept: merging buckets is exact, splitting them is a guess. Increments belong to the
//! window of the later sample, as with counters; a reset shows in the total of a pod and counts for all its buckets.

use std::collections::{BTreeMap, BTreeSet};

use super::arm::{Labels, Sign};
use super::count::{Ages, Counted, Found, Span};
use super::native;
use super::window::Window;
use crate::judge::latency::{self, Buckets};
use crate::provider::prometheus::answer::{Histograms, Series};

/// The histogram of one pod (one set of labels) over time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Track {
    pub(super) labels: BTreeMap<String, String>,
    /// Upper bounds, ascending, the last one `+Inf`.
    pub(super) bounds: Vec<f64>,
    /// Seconds since 1970, and observations up to each bound; NaN where a scrape had no such bound.
    pub(super) samples: Vec<(f64, Vec<f64>)>,
}

/// Reads the histograms of an answer. Where both arms have native ones only these are read, else only classic ones.
///
/// # Errors
/// A sentence about samples that cannot be.
pub(super) fn tracks(
    answer: &Histograms,
    labels: &Labels,
    onto: Option<&[f64]>,
) -> Result<Vec<Track>, String> {
    if let Some(odd) = super::count::odd(&answer.series) {
        return Err(odd);
    }
    let native_in = |sign: &Sign| answer.native.iter().any(|series| sign.of(&series.labels));
    let classic_in = |sign: &Sign| answer.series.iter().any(|series| sign.of(&series.labels));
    let natively =
        [&labels.canary, &labels.stable].into_iter().all(|sign| native_in(sign) || !classic_in(sign));
    if natively && !answer.native.is_empty() {
        native::tracks(&answer.native, onto)
    } else if native_in(&labels.canary) != native_in(&labels.stable)
        && classic_in(&labels.stable) != classic_in(&labels.canary)
    {
        Err("one revision exposes native histograms and the other classic ones: they cannot be compared"
            .to_owned())
    } else {
        Ok(classic(&answer.series))
    }
}

/// Buckets put together: all `le` of one set of labels.
fn classic(series: &[Series]) -> Vec<Track> {
    let mut pods: BTreeMap<BTreeMap<String, String>, Vec<(f64, &Series)>> = BTreeMap::new();
    for one in series {
        let Some(bound) = one.labels.get("le").and_then(|le| le.parse::<f64>().ok()) else { continue };
        let mut labels = one.labels.clone();
        labels.remove("le");
        labels.remove("__name__");
        pods.entry(labels).or_default().push((bound, one));
    }
    pods.into_iter().filter_map(|(labels, buckets)| track(labels, buckets)).collect()
}

/// `None` without a `+Inf` bucket, which no histogram lacks.
fn track(labels: BTreeMap<String, String>, mut buckets: Vec<(f64, &Series)>) -> Option<Track> {
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    buckets.dedup_by(|a, b| a.0 == b.0);
    let (_, total) = buckets.last().filter(|(bound, _)| *bound == f64::INFINITY)?;
    // The samples of one scrape have one time. A bound that is not among them does not exist any more, or not yet.
    let at = |series: &Series, time: f64| {
        let found = series.samples.binary_search_by(|(at, _)| at.total_cmp(&time));
        found.ok().and_then(|place| series.samples.get(place)).map_or(f64::NAN, |(_, value)| *value)
    };
    let samples = total
        .samples
        .iter()
        .map(|(time, _)| (*time, buckets.iter().map(|(_, series)| at(series, *time)).collect()));
    Some(Track {
        labels,
        bounds: buckets.iter().map(|(bound, _)| *bound).collect(),
        samples: samples.collect(),
    })
}

/// Bounds that are in all the lists, and in `onto` too.
pub(super) fn shared(lists: impl Iterator<Item = Vec<f64>>, onto: Option<&[f64]>) -> Vec<f64> {
    let mut shared: Option<Vec<f64>> = onto.map(<[f64]>::to_vec);
    for list in lists {
        shared = Some(match shared {
            None => list,
            Some(kept) => kept.into_iter().filter(|bound| list.contains(bound)).collect(),
        });
    }
    shared.unwrap_or_default()
}

/// Fewest shared bounds, `+Inf` with them, between which latencies can be compared at all.
const FEWEST_BOUNDS: usize = 3;

/// Counts the buckets of both arms in one window. `onto` = the ladder of the history, when there is one.
pub(crate) fn buckets(
    answer: &Histograms,
    labels: &Labels,
    onto: Option<&[f64]>,
    (span, warmup): (Span, i64),
) -> Counted {
    let tracks = match tracks(answer, labels, onto) {
        Ok(tracks) => tracks,
        Err(odd) => return Counted::Odd(odd),
    };
    let ages =
        Ages::of(tracks.iter().filter_map(|track| Some((&track.labels, track.samples.first()?.0))), labels);
    let scraped_before = ages.scraped_before(span.start);
    let find = |sign: &Sign| {
        let present: Vec<&Track> =
            tracks.iter().filter(|track| sign.of(&track.labels) && track.within(span)).collect();
        let warm: Vec<&Track> = present
            .iter()
            .copied()
            .filter(|track| ages.warm(&track.labels, labels, span.start.saturating_sub(warmup), warmup))
            .collect();
        match (present.is_empty(), warm.is_empty()) {
            (true, _) => Found::Nowhere,
            (_, true) => Found::Young,
            _ => Found::Here(warm),
        }
    };
    Counted::of(find(&labels.canary), find(&labels.stable), |canary, stable| {
        let whole = |track: &&Track| track.whole(span, scraped_before);
        let bounds = shared(canary.iter().chain(&stable).map(whole), onto);
        if bounds.len() < FEWEST_BOUNDS {
            return Counted::Odd(differ(&canary, &stable, onto));
        }
        let sum = |tracks: &[&Track]| {
            let mut counts = vec![0.0; bounds.len()];
            for track in tracks {
                if let Some(grown) = track.on(&bounds, &track.increase(span, scraped_before)) {
                    add(&mut counts, &grown);
                }
            }
            let pods: BTreeSet<String> =
                tracks.iter().filter_map(|track| labels.pod_of(&track.labels)).collect();
            Buckets { counts, pods: u32::try_from(pods.len()).unwrap_or(u32::MAX) }
        };
        let (canary, stable) = (sum(&canary), sum(&stable));
        Counted::Both(Window::Latency(latency::Window {
            start: span.start,
            end: span.end,
            bounds: bounds.clone(),
            canary,
            stable,
        }))
    })
}

/// Why there is nothing to compare: whose ladder is which.
fn differ(canary: &[&Track], stable: &[&Track], onto: Option<&[f64]>) -> String {
    let list = |bounds: &[f64]| bounds.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
    let one = |tracks: &[&Track]| tracks.first().map_or(String::new(), |track| list(&track.latest()));
    let before = onto.map_or(String::new(), |bounds| format!(", before the rollout {}", list(bounds)));
    format!(
        "the ladders differ: the canary has the bucket bounds {}, stable {}{before}; they need two finite bounds in \
         common: roll the new buckets out before the change that is to be compared",
        one(canary),
        one(stable)
    )
}

pub(super) fn add(to: &mut [f64], more: &[f64]) {
    to.iter_mut().zip(more).for_each(|(to, more)| *to += more);
}

impl Track {
    fn within(&self, span: Span) -> bool {
        self.samples.iter().any(|(at, _)| *at > span.start as f64 && *at <= span.end as f64)
    }

    /// The samples of a window, and before them the one that they grew from: all zeros for a histogram that begins in it.
    fn used(&self, span: Span, scraped_before: bool) -> Vec<Vec<f64>> {
        let begin = span.start as f64;
        let longest_gap = 2.0 * (span.end - span.start) as f64;
        let first = match self.samples.iter().rev().find(|(at, _)| *at <= begin) {
            Some((at, values)) => (begin - at <= longest_gap).then(|| values.clone()),
            None => scraped_before.then(|| vec![0.0; self.bounds.len()]),
        };
        let inside = self.samples.iter().filter(|(at, _)| *at > begin && *at <= span.end as f64);
        first.into_iter().chain(inside.map(|(_, values)| values.clone())).collect()
    }

    /// Bounds that every sample of the window has: a layout that changes shows in the bounds that come and go.
    fn whole(&self, span: Span, scraped_before: bool) -> Vec<f64> {
        let used = self.used(span, scraped_before);
        self.bounds_where(|place| used.iter().all(|values| known(values, place)))
    }

    /// Bounds of the newest sample.
    pub(super) fn latest(&self) -> Vec<f64> {
        self.bounds_where(|place| self.samples.last().is_none_or(|(_, values)| known(values, place)))
    }

    fn bounds_where(&self, good: impl Fn(usize) -> bool) -> Vec<f64> {
        self.bounds.iter().enumerate().filter(|(place, _)| good(*place)).map(|(_, bound)| *bound).collect()
    }

    /// What the cumulative counts grew by in the window; the rules are those of counters.
    fn increase(&self, span: Span, scraped_before: bool) -> Vec<f64> {
        let mut grown = vec![0.0; self.bounds.len()];
        let used = self.used(span, scraped_before);
        for (last, next) in used.iter().zip(used.iter().skip(1)) {
            add(&mut grown, &growth(last, next));
        }
        grown
    }

    /// Cumulative counts on this track's bounds as counts per bucket on fewer bounds; `None` when it lacks one of them.
    pub(super) fn on(&self, bounds: &[f64], cumulative: &[f64]) -> Option<Vec<f64>> {
        let mut below = 0.0;
        let mut one = |bound: &f64| {
            let place = self.bounds.iter().position(|own| own == bound)?;
            let up_to = cumulative.get(place).filter(|count| !count.is_nan())?.max(below);
            let count = up_to - below;
            below = up_to;
            Some(count)
        };
        bounds.iter().map(&mut one).collect()
    }
}

fn known(values: &[f64], place: usize) -> bool {
    values.get(place).is_some_and(|value| !value.is_nan())
}

/// Growth between two samples of one histogram; from 0 when any bucket fell, which is a restart.
pub(super) fn growth(last: &[f64], next: &[f64]) -> Vec<f64> {
    let restarted = last.iter().zip(next).any(|(last, next)| next < last);
    if restarted {
        return next.to_vec();
    }
    last.iter().zip(next).map(|(last, next)| next - last).collect()
}

#[cfg(test)]
#[path = "ladder_tests.rs"]
mod tests;
