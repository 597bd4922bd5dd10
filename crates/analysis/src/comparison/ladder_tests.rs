//! Histograms of several pods on one ladder, and the rows of the edge-case table that concern them.

use super::super::question::Asking;
use super::*;

const SPAN: Span = Span { start: 600, end: 660 };

fn labels() -> Labels {
    Labels { canary: Sign::revision("rev", "c"), stable: Sign::revision("rev", "s"), pod: Some("pod".into()) }
}

/// Classic buckets of one pod: bounds, and cumulative counts at times.
fn pod(revision: &str, name: &str, bounds: &[&str], samples: &[(i64, &[f64])]) -> Vec<Series> {
    let bucket = |(place, bound): (usize, &&str)| {
        let labels = [("rev", revision), ("pod", name), ("le", *bound), ("__name__", "h_bucket")];
        Series {
            labels: labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            samples: samples.iter().map(|(at, values)| (*at as f64, values[place])).collect(),
        }
    };
    bounds.iter().enumerate().map(bucket).collect()
}

const LADDER: [&str; 3] = ["0.1", "0.5", "+Inf"];

fn stable() -> Vec<Series> {
    pod("s", "s1", &LADDER, &[(590, &[10.0, 20.0, 30.0]), (650, &[40.0, 60.0, 80.0])])
}

fn counted(all: Vec<Vec<Series>>, onto: Option<&[f64]>) -> Counted {
    let answer = Histograms { series: all.into_iter().flatten().collect(), native: Vec::new() };
    buckets(&answer, &labels(), onto, (SPAN, 0))
}

fn window(counted: Counted) -> latency::Window {
    match counted {
        Counted::Both(Window::Latency(window)) => window,
        other => panic!("{other:?}"),
    }
}

#[test]
fn buckets_of_all_pods_are_summed_without_accumulation() {
    let canary = [
        pod("c", "c1", &LADDER, &[(590, &[1.0, 2.0, 3.0]), (650, &[5.0, 8.0, 10.0])]),
        pod("c", "c2", &LADDER, &[(590, &[0.0, 0.0, 0.0]), (650, &[1.0, 1.0, 2.0])]),
    ];
    let seen = window(counted(vec![stable(), canary[0].clone(), canary[1].clone()], None));
    assert_eq!(seen.bounds, [0.1, 0.5, f64::INFINITY]);
    assert_eq!((seen.canary.counts, seen.canary.pods), (vec![5.0, 2.0, 2.0], 2));
    assert_eq!((seen.stable.counts, seen.stable.pods), (vec![30.0, 10.0, 10.0], 1));
}

#[test]
fn row_9_different_ladders_are_compared_on_the_bounds_they_share() {
    let other = ["0.1", "0.25", "0.5", "1", "+Inf"];
    let canary = pod("c", "c1", &other, &[(590, &[0.0; 5]), (650, &[4.0, 6.0, 7.0, 9.0, 10.0])]);
    let seen = window(counted(vec![stable(), canary], None));
    assert_eq!(seen.bounds, [0.1, 0.5, f64::INFINITY]);
    assert_eq!(seen.canary.counts, [4.0, 3.0, 3.0]);
}

#[test]
fn row_9_ladders_without_common_bounds_are_not_compared_and_said() {
    let canary = pod("c", "c1", &["0.2", "0.4", "+Inf"], &[(590, &[0.0; 3]), (650, &[1.0, 2.0, 3.0])]);
    let Counted::Odd(why) = counted(vec![stable(), canary], None) else { panic!() };
    assert!(
        why.starts_with(
            "the ladders differ: the canary has the bucket bounds 0.2 0.4 inf, stable 0.1 0.5 inf"
        ),
        "{why}"
    );
}

#[test]
fn a_window_is_put_on_the_ladder_of_the_history() {
    let all = || {
        let canary = pod("c", "c1", &LADDER, &[(590, &[0.0; 3]), (650, &[1.0, 2.0, 3.0])]);
        vec![stable(), canary]
    };
    let old = [0.1, 0.3, 0.5, f64::INFINITY];
    assert_eq!(window(counted(all(), Some(&old))).bounds, [0.1, 0.5, f64::INFINITY]);
    let Counted::Odd(why) = counted(all(), Some(&[0.3, 0.4, f64::INFINITY])) else { panic!() };
    assert!(why.contains("before the rollout 0.3 0.4 inf"), "{why}");
}

#[test]
fn row_11_a_restart_counts_all_buckets_from_zero() {
    // The total fell, the lowest bucket did not: it began anew all the same.
    let canary = pod(
        "c",
        "c1",
        &LADDER,
        &[(590, &[2.0, 50.0, 90.0]), (620, &[2.0, 60.0, 100.0]), (650, &[3.0, 4.0, 6.0])],
    );
    let seen = window(counted(vec![stable(), canary], None));
    assert_eq!(seen.canary.counts, [3.0, 11.0, 2.0]);
}

#[test]
fn missing_arms_and_impossible_values_are_told() {
    assert_eq!(counted(vec![stable()], None), Counted::NoCanary);
    assert_eq!(counted(vec![], None), Counted::Neither);
    let odd = pod("c", "c1", &LADDER, &[(650, &[1.0, f64::NAN, 3.0])]);
    let Counted::Odd(why) = counted(vec![stable(), odd], None) else { panic!() };
    assert!(why.contains("is NaN, which no counter can be"), "{why}");
}

#[test]
fn row_10_a_native_and_a_classic_arm_are_not_compared() {
    let native = crate::provider::prometheus::answer::Native {
        labels: [("rev".to_owned(), "c".to_owned())].into(),
        samples: vec![(650.0, Vec::new())],
    };
    let answer = Histograms { series: stable(), native: vec![native] };
    let Counted::Odd(why) = buckets(&answer, &labels(), None, (SPAN, 0)) else { panic!() };
    assert!(why.starts_with("one revision exposes native histograms and the other classic ones"), "{why}");
}

/// The same pod, restarted with other buckets: one set of labels, two layouts one after the other.
fn relaid() -> Vec<Series> {
    let before = pod("c", "c1", &LADDER, &[(580, &[90.0, 95.0, 100.0]), (610, &[99.0, 104.0, 110.0])]);
    let after: [&[f64]; 3] = [&[0.0, 0.0, 0.0], &[20.0, 28.0, 30.0], &[40.0, 56.0, 60.0]];
    let mut all =
        pod("c", "c1", &["0.2", "0.7", "+Inf"], &[(640, after[0]), (700, after[1]), (760, after[2])]);
    for old in before {
        match all.iter_mut().find(|new| new.labels == old.labels) {
            Some(inf) => drop(inf.samples.splice(0..0, old.samples)),
            None => all.push(old),
        }
    }
    all
}

#[test]
fn row_9_a_layout_that_changes_in_mid_canary_is_said_and_makes_nobody_slow() {
    let stable = || {
        pod(
            "s",
            "s1",
            &LADDER,
            &[(590, &[10.0, 20.0, 30.0]), (650, &[40.0, 60.0, 80.0]), (710, &[70.0, 100.0, 130.0])],
        )
    };
    let history = [0.1, 0.5, f64::INFINITY];
    for (span, onto) in [
        (SPAN, Some(history.as_slice())),
        (SPAN, None),
        (Span { start: 660, end: 720 }, Some(history.as_slice())),
        (Span { start: 660, end: 720 }, None),
    ] {
        let answer = Histograms { series: [stable(), relaid()].concat(), native: Vec::new() };
        match buckets(&answer, &labels(), onto, (span, 0)) {
            Counted::Odd(why) => assert!(
                why.starts_with(
                    "the ladders differ: the canary has the bucket bounds 0.2 0.7 inf, stable 0.1 0.5 inf"
                ),
                "{why}"
            ),
            other => panic!("{span:?}: {other:?}"),
        }
    }
    let answer = Histograms { series: relaid(), native: Vec::new() };
    let own = Labels { stable: labels().canary, ..labels() };
    let past = super::super::past::of_histograms(&answer, &own, &[Asking::Tail(0.95)], 60).unwrap();
    assert_eq!(
        past.histogram(),
        None,
        "60 requests are too few for a past, and those of the old layout are none of it"
    );
}
