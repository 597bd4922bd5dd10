//! Counts requests and errors of both arms in one window, from raw samples of counters.
//!
//! An increment between two samples belongs to the window that holds the later sample. So windows tile exactly: each
//! request counts once, wherever scrapes fall. Increases are taken series by series, never of a sum (judge 4, rows
//! 11 to 14).

use std::collections::{BTreeMap, BTreeSet};

use super::arm::{Labels, Sign};
use super::window::Window;
use crate::judge::error_rate::{self, Arm};
use crate::judge::mean::{self, Values};
use crate::judge::tally::Tally;
use crate::provider::prometheus::answer::Series;

/// What one window holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Counted {
    /// Both arms were measured; either may have served nothing.
    Both(Window),
    /// No series of either arm.
    Neither,
    /// Stable has series, the canary has none.
    NoCanary,
    /// The canary has series, stable has none.
    NoStable,
    /// All pods of an arm are younger than the warm-up.
    Warming,
    /// So many requests of stable failed that the fault is not the canary's (judge 4, row 20).
    Unhealthy { failed: f64, served: f64, most: f64 },
    /// Samples that cannot be: the sentence says which.
    Odd(String),
}

/// Fewer failures of stable than this tell nothing of its environment.
const FEW: f64 = 5.0;

impl Counted {
    /// Nothing to judge when more than the share `most` of stable's requests failed.
    pub(super) fn unless_unhealthy(self, most: Option<f64>) -> Self {
        match (&self, most) {
            (Self::Both(Window::Rates(window)), Some(most)) => {
                let Arm { requests: served, errors: failed, .. } = window.stable;
                let unhealthy = failed >= FEW && failed > most * served;
                if unhealthy { Self::Unhealthy { failed, served, most } } else { self }
            }
            _ => self,
        }
    }

    /// What two arms make, each of which may be missing.
    pub(super) fn of<A>(canary: Found<A>, stable: Found<A>, both: impl FnOnce(A, A) -> Self) -> Self {
        match (canary, stable) {
            (Found::Here(canary), Found::Here(stable)) => both(canary, stable),
            (Found::Nowhere, Found::Nowhere) => Self::Neither,
            (Found::Nowhere, _) => Self::NoCanary,
            (_, Found::Nowhere) => Self::NoStable,
            (Found::Young, _) | (_, Found::Young) => Self::Warming,
        }
    }
}

/// What was found of one arm.
pub(super) enum Found<A> {
    Here(A),
    /// All its pods are too young to count.
    Young,
    Nowhere,
}

/// The two ends of a window, seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

/// More errors than requests by so much come of two questions a moment apart; more come of questions that do not match.
const SKEW: f64 = 1.05;

/// Counts `events` among `trials`; pods younger than `warmup` seconds at the start of the window are left out.
pub(crate) fn rates(
    trials: &[Series],
    events: &[Series],
    labels: &Labels,
    span: Span,
    warmup: i64,
) -> Counted {
    both(trials, events, labels, (span, warmup), |canary, stable| {
        let (canary, stable) = (canary.arm(), stable.arm());
        Window::Rates(error_rate::Window { start: span.start, end: span.end, canary, stable })
    })
}

/// Sums `sums` over the observations that `trials` counts.
pub(crate) fn means(trials: &[Series], sums: &[Series], labels: &Labels, span: Span, warmup: i64) -> Counted {
    both(trials, sums, labels, (span, warmup), |canary, stable| {
        let (canary, stable) = (canary.values(), stable.values());
        Window::Means(mean::Window { start: span.start, end: span.end, canary, stable })
    })
}

fn both(
    trials: &[Series],
    events: &[Series],
    labels: &Labels,
    when: (Span, i64),
    window: impl FnOnce(Tallied, Tallied) -> Window,
) -> Counted {
    if let Some(odd) = odd(trials).or_else(|| odd(events)) {
        return Counted::Odd(odd);
    }
    let arm = |sign: &Sign| Tallied::of(trials, events, labels, sign, when);
    Counted::of(arm(&labels.canary), arm(&labels.stable), |canary, stable| {
        Counted::Both(window(canary, stable))
    })
}

struct Tallied {
    trials: f64,
    events: f64,
    pods: BTreeSet<String>,
}

impl Tallied {
    fn of(
        trials: &[Series],
        events: &[Series],
        labels: &Labels,
        sign: &Sign,
        (span, warmup): (Span, i64),
    ) -> Found<Self> {
        let firsts = trials.iter().filter_map(|series| Some((&series.labels, series.samples.first()?.0)));
        let ages = Ages::of(firsts, labels);
        let warm =
            |series: &&Series| ages.warm(&series.labels, labels, span.start.saturating_sub(warmup), warmup);
        let of_arm = |series: &&Series| sign.of(&series.labels);
        let present: Vec<&Series> =
            trials.iter().filter(of_arm).filter(|series| within(series, span).next().is_some()).collect();
        let Some(_) = present.first() else { return Found::Nowhere };
        let present: Vec<&Series> = present.into_iter().filter(warm).collect();
        let Some(_) = present.first() else { return Found::Young };
        let scraped_before = ages.scraped_before(span.start);
        let total = |all: &[Series]| -> f64 {
            all.iter().filter(of_arm).filter(warm).map(|series| increase(series, span, scraped_before)).sum()
        };
        Found::Here(Self {
            trials: total(trials),
            events: total(events),
            pods: present.iter().filter_map(|series| labels.pod_of(&series.labels)).collect(),
        })
    }

    fn pods(&self) -> u32 {
        u32::try_from(self.pods.len()).unwrap_or(u32::MAX)
    }

    fn arm(&self) -> Arm {
        let errors =
            if self.events <= self.trials * SKEW + 1.0 { self.events.min(self.trials) } else { self.events };
        Arm { requests: self.trials, errors, pods: self.pods() }
    }

    fn values(&self) -> Values {
        Values { sum: Tally::new(self.events, self.trials), pods: self.pods() }
    }
}

/// When the first sample of each pod was seen, as far back as was asked.
pub(super) struct Ages {
    first: Option<f64>,
    pods: BTreeMap<String, f64>,
}

impl Ages {
    pub(super) fn of<'s>(
        firsts: impl Iterator<Item = (&'s BTreeMap<String, String>, f64)>,
        labels: &Labels,
    ) -> Self {
        let mut ages = Self { first: None, pods: BTreeMap::new() };
        for (found, at) in firsts {
            ages.first = Some(ages.first.map_or(at, |first| first.min(at)));
            if let Some(pod) = labels.pod_of(found) {
                ages.pods.entry(pod).and_modify(|first| *first = first.min(at)).or_insert(at);
            }
        }
        ages
    }

    /// Something was scraped at `second` or before: what appears later is new.
    pub(super) fn scraped_before(&self, second: i64) -> bool {
        self.first.is_some_and(|first| first <= second as f64)
    }

    /// The pod was there at `second`, or nobody can tell, or there is no warm-up.
    pub(super) fn warm(
        &self,
        found: &BTreeMap<String, String>,
        labels: &Labels,
        second: i64,
        warmup: i64,
    ) -> bool {
        let age = labels.pod_of(found).and_then(|pod| self.pods.get(&pod));
        warmup <= 0 || !self.scraped_before(second) || age.is_none_or(|first| *first <= second as f64)
    }
}

fn begin(span: Span) -> f64 {
    span.start as f64
}

fn within(series: &Series, span: Span) -> impl Iterator<Item = f64> {
    let inside = move |at: f64| at > begin(span) && at <= span.end as f64;
    series.samples.iter().filter(move |(at, _)| inside(*at)).map(|(_, value)| *value)
}

/// What the counter grew by in the window.
///
/// Without an earlier sample it began in the window, from 0, when others were scraped before: a new pod, or the first
/// error of an old one. When nothing was scraped before, Prometheus itself was not there, and counting begins with the
/// first sample. It does too after a gap of more than two windows: when that growth happened, nobody knows.
pub(super) fn increase(series: &Series, span: Span, scraped_before: bool) -> f64 {
    let longest_gap = 2.0 * (span.end - span.start) as f64;
    let before = series.samples.iter().rev().find(|(at, _)| *at <= begin(span));
    let mut last = match before {
        Some((at, value)) => (begin(span) - at <= longest_gap).then_some(*value),
        None => scraped_before.then_some(0.0),
    };
    let mut grown = 0.0;
    for value in within(series, span) {
        grown += match last {
            Some(last) if value >= last => value - last,
            // The counter began anew: the pod restarted.
            Some(_) => value,
            None => 0.0,
        };
        last = Some(value);
    }
    grown
}

pub(super) fn odd(all: &[Series]) -> Option<String> {
    all.iter().find_map(|series| {
        let (_, value) = series.samples.iter().find(|(_, value)| !value.is_finite() || *value < 0.0)?;
        let labels: Vec<String> =
            series.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        Some(format!("{{{}}} is {value}, which no counter can be", labels.join(",")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { start: 600, end: 660 };

    fn labels() -> Labels {
        Labels {
            canary: Sign::revision("rev", "c"),
            stable: Sign::revision("rev", "s"),
            pod: Some("pod".into()),
        }
    }

    fn series(revision: &str, pod: &str, code: &str, samples: &[(i64, f64)]) -> Series {
        let labels = [("rev", revision), ("pod", pod), ("code", code)];
        Series {
            labels: labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            samples: samples.iter().map(|(at, value)| (*at as f64, *value)).collect(),
        }
    }

    /// Stable, quietly serving 60 requests per window from long ago.
    fn stable() -> Series {
        series("s", "s1", "200", &[(590, 1000.0), (605, 1015.0), (620, 1030.0), (635, 1045.0), (650, 1060.0)])
    }

    fn canary_of(requests: &[Series], errors: &[Series]) -> Arm {
        match rates(requests, errors, &labels(), SPAN, 0) {
            Counted::Both(Window::Rates(window)) => window.canary,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn increases_are_taken_series_by_series() {
        for (case, samples, expected) in [
            (
                "from the last sample before the window to the last in it",
                vec![(590, 10.0), (605, 12.0), (650, 19.0)],
                9.0,
            ),
            ("a counter reset counts from 0", vec![(590, 100.0), (605, 110.0), (620, 3.0), (650, 5.0)], 15.0),
            ("a new pod counts from 0", vec![(605, 4.0), (650, 9.0)], 9.0),
            ("a vanished pod counts up to its last sample", vec![(590, 10.0), (605, 12.0)], 2.0),
            ("a missed scrape moves into this window", vec![(560, 10.0), (650, 40.0)], 30.0),
            ("after a long gap counting begins anew", vec![(400, 10.0), (605, 500.0), (650, 510.0)], 10.0),
            ("a counter that stands still", vec![(590, 7.0), (605, 7.0), (650, 7.0)], 0.0),
        ] {
            let canary = canary_of(&[stable(), series("c", "c1", "200", &samples)], &[]);
            assert_eq!((canary.requests, canary.errors, canary.pods), (expected, 0.0, 1), "{case}");
        }
    }

    #[test]
    fn neighbouring_windows_count_each_request_once() {
        let canary = series(
            "c",
            "c1",
            "200",
            &[(590, 10.0), (615, 20.0), (640, 25.0), (665, 45.0), (690, 50.0), (715, 52.0)],
        );
        let total: f64 = [(540, 600), (600, 660), (660, 720)]
            .into_iter()
            .map(|(start, end)| increase(&canary, Span { start, end }, true))
            .sum();
        assert_eq!(total, 52.0);
    }

    #[test]
    fn when_prometheus_was_not_there_before_nothing_counts_from_zero() {
        let requests = [
            series("s", "s1", "200", &[(605, 9000.0), (650, 9050.0)]),
            series("c", "c1", "200", &[(605, 800.0), (650, 805.0)]),
        ];
        let Counted::Both(Window::Rates(window)) = rates(&requests, &[], &labels(), SPAN, 0) else {
            panic!()
        };
        assert_eq!((window.canary.requests, window.stable.requests), (5.0, 50.0));
    }

    #[test]
    fn the_first_errors_of_an_old_pod_count() {
        let ok = series("c", "c1", "200", &[(590, 10.0), (650, 100.0)]);
        let bad = series("c", "c1", "500", &[(635, 2.0), (650, 3.0)]);
        let canary = canary_of(&[stable(), ok, bad.clone()], &[bad]);
        assert_eq!((canary.requests, canary.errors, canary.pods), (93.0, 3.0, 1));
    }

    #[test]
    fn row_18_pods_younger_than_the_warm_up_count_in_neither_arm() {
        let old = series("c", "c1", "200", &[(400, 0.0), (590, 10.0), (650, 100.0)]);
        let young = series("c", "c2", "200", &[(545, 0.0), (590, 500.0), (650, 900.0)]);
        let scaled_up = series("s", "s2", "200", &[(560, 0.0), (650, 70.0)]);
        let always = series("s", "s1", "200", &[(400, 0.0), (590, 1000.0), (650, 1060.0)]);
        let all = [always, scaled_up, old, young.clone()];
        let counted = |requests: &[Series], warmup| match rates(requests, &[], &labels(), SPAN, warmup) {
            Counted::Both(Window::Rates(window)) => Ok((window.canary, window.stable)),
            other => Err(other),
        };
        let (canary, stable) = counted(&all, 60).unwrap();
        assert_eq!((canary.requests, canary.pods, stable.requests, stable.pods), (90.0, 1, 60.0, 1));
        let (canary, stable) = counted(&all, 0).unwrap();
        assert_eq!((canary.requests, canary.pods, stable.requests, stable.pods), (490.0, 2, 130.0, 2));
        assert_eq!(counted(&[all[0].clone(), young], 60), Err(Counted::Warming));
    }

    #[test]
    fn missing_arms_are_told_apart() {
        let canary = series("c", "c1", "200", &[(590, 10.0), (650, 100.0)]);
        let gone = series("c", "c1", "200", &[(590, 10.0)]);
        for (case, requests, expected) in [
            ("nothing", vec![], Counted::Neither),
            ("other revisions only", vec![series("z", "z1", "200", &[(605, 1.0)])], Counted::Neither),
            ("no canary", vec![stable()], Counted::NoCanary),
            ("the canary vanished before the window", vec![stable(), gone], Counted::NoCanary),
            ("no stable", vec![canary], Counted::NoStable),
        ] {
            assert_eq!(rates(&requests, &[], &labels(), SPAN, 0), expected, "{case}");
        }
    }

    #[test]
    fn values_that_no_counter_has_are_shown() {
        for value in [f64::NAN, f64::INFINITY, -1.0] {
            let odd = series("c", "c1", "200", &[(605, value)]);
            let Counted::Odd(message) = rates(&[stable(), odd], &[], &labels(), SPAN, 0) else { panic!() };
            assert_eq!(
                message,
                format!("{{code=\"200\",pod=\"c1\",rev=\"c\"}} is {value}, which no counter can be")
            );
        }
    }

    #[test]
    fn two_questions_a_moment_apart_are_forgiven_and_questions_that_do_not_match_are_not() {
        let ok = series("c", "c1", "200", &[(590, 0.0), (650, 100.0)]);
        let skewed = series("c", "c1", "500", &[(590, 0.0), (650, 101.0)]);
        let foreign = series("c", "c1", "500", &[(590, 0.0), (650, 500.0)]);
        assert_eq!(canary_of(&[stable(), ok.clone()], &[skewed]).errors, 100.0);
        assert_eq!(canary_of(&[stable(), ok], &[foreign]).errors, 500.0);
    }
}
