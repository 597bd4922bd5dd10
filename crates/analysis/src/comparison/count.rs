//! Counts requests and errors of both arms in one window, from raw samples of counters.
//!
//! An increment between two samples belongs to the window that holds the later sample. So windows tile exactly: each
//! request counts once, wherever scrapes fall. Increases are taken series by series, never of a sum (judge 4, rows
//! 11 to 14).

use std::collections::BTreeSet;

use crate::judge::error_rate::{Arm, Window};
use crate::provider::prometheus::answer::Series;

/// Where the revision and the pod of a series stand, and what the two revisions are called.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Labels {
    pub(crate) revision: String,
    pub(crate) pod: String,
    pub(crate) canary: String,
    pub(crate) stable: String,
}

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
    /// A sample that no counter can have.
    Odd(String),
}

/// The two ends of a window, seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

/// More errors than requests by so much come of two questions a moment apart; more come of questions that do not match.
const SKEW: f64 = 1.05;

pub(crate) fn count(requests: &[Series], errors: &[Series], labels: &Labels, span: Span) -> Counted {
    if let Some(odd) = odd(requests).or_else(|| odd(errors)) {
        return Counted::Odd(odd);
    }
    let arm = |revision: &str| Tallied::of(requests, errors, labels, revision, span);
    match (arm(&labels.canary), arm(&labels.stable)) {
        (Some(canary), Some(stable)) => Counted::Both(Window {
            start: span.start,
            end: span.end,
            canary: canary.arm(),
            stable: stable.arm(),
        }),
        (None, None) => Counted::Neither,
        (None, Some(_)) => Counted::NoCanary,
        (Some(_), None) => Counted::NoStable,
    }
}

struct Tallied {
    requests: f64,
    errors: f64,
    pods: BTreeSet<String>,
}

impl Tallied {
    /// `None` when no series of the arm has a sample in the window.
    fn of(
        requests: &[Series],
        errors: &[Series],
        labels: &Labels,
        revision: &str,
        span: Span,
    ) -> Option<Self> {
        let scraped_before =
            requests.iter().any(|series| series.samples.first().is_some_and(|(at, _)| *at <= begin(span)));
        let of_arm =
            |series: &&Series| series.labels.get(&labels.revision).is_some_and(|found| found == revision);
        let total = |all: &[Series]| -> f64 {
            all.iter().filter(of_arm).map(|series| increase(series, span, scraped_before)).sum()
        };
        let present: Vec<&Series> =
            requests.iter().filter(of_arm).filter(|series| within(series, span).next().is_some()).collect();
        if present.is_empty() {
            return None;
        }
        let pod = |series: &&Series| {
            series.labels.get(&labels.pod).or_else(|| series.labels.get("instance")).cloned()
        };
        Some(Self {
            requests: total(requests),
            errors: total(errors),
            pods: present.iter().filter_map(pod).collect(),
        })
    }

    fn arm(&self) -> Arm {
        let errors = if self.errors <= self.requests * SKEW + 1.0 {
            self.errors.min(self.requests)
        } else {
            self.errors
        };
        Arm { requests: self.requests, errors, pods: u32::try_from(self.pods.len()).unwrap_or(u32::MAX) }
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
fn increase(series: &Series, span: Span, scraped_before: bool) -> f64 {
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

fn odd(all: &[Series]) -> Option<String> {
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
        Labels { revision: "rev".into(), pod: "pod".into(), canary: "c".into(), stable: "s".into() }
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
        match count(requests, errors, &labels(), SPAN) {
            Counted::Both(window) => window.canary,
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
        let Counted::Both(window) = count(&requests, &[], &labels(), SPAN) else { panic!() };
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
            assert_eq!(count(&requests, &[], &labels(), SPAN), expected, "{case}");
        }
    }

    #[test]
    fn values_that_no_counter_has_are_shown() {
        for value in [f64::NAN, f64::INFINITY, -1.0] {
            let odd = series("c", "c1", "200", &[(605, value)]);
            let Counted::Odd(message) = count(&[stable(), odd], &[], &labels(), SPAN) else { panic!() };
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
