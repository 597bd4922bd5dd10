//! Whole runs of the latency questions, and the rows of the edge-case table that concern buckets.

use super::*;
use crate::judge::histogram::tests::{DEFAULT_LADDER, lognormal};
use crate::judge::look::Verdict;
use crate::judge::tail;

fn fine() -> Vec<f64> {
    (0..40).map(|k| 0.005 * 1.19f64.powi(k)).chain([f64::INFINITY]).collect()
}

fn settings() -> Settings {
    Settings { limit: 0.15, metrics: 4, rho: Some(0.0005), ..Settings::default() }
}

fn window(index: i64, bounds: &[f64], slower: f64) -> Window {
    let buckets = |slower, total, pods| Buckets {
        counts: lognormal(bounds, slower, 0.6, total).counts().to_vec(),
        pods,
    };
    Window {
        start: 60 * index,
        end: 60 * index + 60,
        bounds: bounds.to_vec(),
        canary: buckets(slower, 600.0, 1),
        stable: buckets(1.0, 5400.0, 9),
    }
}

fn tail_run(bounds: &[f64], slower: f64, windows: i64) -> (Look, String) {
    let history = lognormal(bounds, 1.0, 0.6, 1e6);
    let bound = tail::bound(&history, 0.99).unwrap();
    let question = Tail { quantile: 0.99, bound, baseline: Baseline { history: &history, unit: "s" } };
    let mut state = proportion::State::default();
    let mut last = None;
    for index in 0..windows {
        let window = window(index, bounds, slower);
        let look = question.look(&settings(), &mut state, &window).unwrap();
        let line = question.line("latency", &settings(), (&window, &state), &look, look.log_e);
        last = Some((look, line));
    }
    last.unwrap()
}

fn shift_run(bounds: &[f64], slower: f64, windows: i64) -> (Look, String) {
    let history = lognormal(bounds, 1.0, 0.6, 1e6);
    let question = ShiftOf { baseline: Some(Baseline { history: &history, unit: "s" }) };
    let mut state = location::State::default();
    let mut last = None;
    for index in 0..windows {
        let window = window(index, bounds, slower);
        let look = question.look(&settings(), &mut state, &window).unwrap();
        let line = question.line("latency", &settings(), (&window, &state), &look, look.log_e);
        last = Some((look, line));
    }
    last.unwrap()
}

#[test]
fn a_canary_slower_by_a_third_fails_and_an_equal_one_passes() {
    for bounds in [fine(), DEFAULT_LADDER.to_vec()] {
        let (slow, line) = shift_run(&bounds, 1.3, 6);
        assert_eq!(slow.verdict, Verdict::Fail, "{line}");
        assert_eq!(shift_run(&bounds, 1.0, 10).0.verdict, Verdict::Pass);
        assert_eq!(shift_run(&bounds, 1.075, 30).0.breach, 0);
        let (slow, line) = tail_run(&bounds, 1.4, 25);
        assert_eq!(slow.verdict, Verdict::Fail, "{line}");
        assert_eq!(tail_run(&bounds, 1.0, 25).0.verdict, Verdict::Pass);
        assert_ne!(tail_run(&bounds, 1.05, 30).0.verdict, Verdict::Fail);
    }
}

#[test]
fn the_lines_read_as_promised() {
    let (_, line) = tail_run(&fine(), 1.4, 10);
    assert!(line.starts_with("latency p99 canary "), "{line}");
    assert!(line.contains(" over 0.3252s stable 0.97 % ("), "{line}");
    assert!(line.contains(", 15 % slower ") && line.contains(" about x1.4"), "{line}");
    let (_, line) = shift_run(&fine(), 1.3, 3);
    assert!(line.starts_with("latency canary slower in 62.") && line.contains(" of pairs [95% "), "{line}");
    assert!(line.contains("(1800 v 16200 requests) about x1.3"), "{line}");
    assert!(line.contains("| rank p="), "{line}");
}

#[test]
fn row_9_a_bound_that_went_away_says_so_and_decides_nothing() {
    let history = lognormal(&fine(), 1.0, 0.6, 1e6);
    let bound = tail::bound(&history, 0.99).unwrap();
    let question = Tail { quantile: 0.99, bound, baseline: Baseline { history: &history, unit: "s" } };
    let other: Vec<f64> = fine().into_iter().filter(|found| *found != bound).collect();
    let mut state = proportion::State::default();
    let changed = window(0, &other, 8.0);
    let look = question.look(&settings(), &mut state, &changed).unwrap();
    assert_eq!((look.verdict, look.log_e, look.excess), (Verdict::Undecided, 0.0, None));
    let line = question.line("latency", &settings(), (&changed, &state), &look, 0.0);
    assert!(line.ends_with("is no bucket bound of both revisions any more: the ladders differ"), "{line}");
}

#[test]
fn row_9_a_ladder_that_lost_other_bounds_is_still_judged() {
    let history = lognormal(&fine(), 1.0, 0.6, 1e6);
    let bound = tail::bound(&history, 0.99).unwrap();
    let question = Tail { quantile: 0.99, bound, baseline: Baseline { history: &history, unit: "s" } };
    let fewer: Vec<f64> = fine().into_iter().filter(|found| *found >= bound / 3.0).collect();
    let seen =
        question.look(&settings(), &mut proportion::State::default(), &window(0, &fewer, 1.0)).unwrap();
    assert!(seen.excess.is_some());
}

#[test]
fn row_8_requests_beyond_the_last_bound_count_as_slow() {
    let short = vec![0.1, 0.2, f64::INFINITY];
    let history = lognormal(&short, 1.0, 0.6, 1e6);
    let question = Tail { quantile: 0.95, bound: 0.2, baseline: Baseline { history: &history, unit: "s" } };
    let mut state = proportion::State::default();
    let look = question.look(&settings(), &mut state, &window(0, &short, 20.0)).unwrap();
    assert!(look.canary.rate().unwrap() > 0.99 && look.excess.unwrap() > 0.5);
}

#[test]
fn row_7_buckets_that_are_no_counts_are_rejected_with_their_value() {
    let question = ShiftOf { baseline: None };
    for (bad, text) in [(f64::NAN, "canary bucket is NaN"), (-1.0, "canary bucket is -1")] {
        let mut odd = window(0, &fine(), 1.0);
        odd.canary.counts[3] = bad;
        let refusal = question.look(&settings(), &mut location::State::default(), &odd).unwrap_err();
        assert!(refusal.to_string().starts_with(text), "{refusal}");
    }
    let mut short = window(0, &fine(), 1.0);
    short.stable.counts.pop();
    let refusal = question.look(&settings(), &mut location::State::default(), &short).unwrap_err();
    assert!(refusal.to_string().starts_with("stable buckets are no ladder"), "{refusal}");
}

#[test]
fn row_22_everything_in_one_bucket_is_no_information() {
    let one = vec![10.0, f64::INFINITY];
    let (mut state, given, question) =
        (location::State::default(), window(0, &one, 1.0), ShiftOf { baseline: None });
    let look = question.look(&settings(), &mut state, &given).unwrap();
    assert_eq!((look.verdict, look.chi2_p, look.breach), (Verdict::Undecided, None, 0));
    assert_eq!((look.log_e, look.z), (0.0, None));
    let line = question.line("latency", &settings(), (&given, &state), &look, 0.0);
    assert!(line.ends_with("are in one bucket, which tells nothing: use finer buckets"), "{line}");
}

#[test]
fn an_empty_arm_moves_nothing() {
    let mut empty = window(0, &fine(), 1.0);
    empty.canary.counts.iter_mut().for_each(|count| *count = 0.0);
    let mut state = location::State::default();
    let look = ShiftOf { baseline: None }.look(&settings(), &mut state, &empty).unwrap();
    assert_eq!((look.log_e, look.excess, look.delta), (0.0, None, None));
    let again = ShiftOf { baseline: None }.look(&settings(), &mut state, &empty).unwrap_err();
    assert!(matches!(again, Rejected::Overlap { .. }));
}

#[test]
fn differences_between_pods_widen_the_null() {
    let question = ShiftOf { baseline: None };
    let evidence = |tau: f64| {
        let settings = Settings { tau, ..settings() };
        let mut state = location::State::default();
        let looks =
            (0..4).map(|index| question.look(&settings, &mut state, &window(index, &fine(), 1.2)).unwrap());
        looks.last().unwrap().log_e
    };
    assert!(evidence(0.05) < evidence(0.0));
}

#[test]
fn stored_states_continue_with_the_same_bits() {
    let history = lognormal(&fine(), 1.0, 0.6, 1e6);
    let baseline = Baseline { history: &history, unit: "s" };
    let tail = Tail { quantile: 0.99, bound: tail::bound(&history, 0.99).unwrap(), baseline };
    let (mut a, mut b) = (proportion::State::default(), proportion::State::default());
    let (mut c, mut d) = (location::State::default(), location::State::default());
    for index in 0..12 {
        let given = window(index, &fine(), 1.0 + 0.03 * index as f64);
        let stored: Window = serde_json::from_str(&serde_json::to_string(&given).unwrap()).unwrap();
        b = serde_json::from_str(&serde_json::to_string(&b).unwrap()).unwrap();
        d = serde_json::from_str(&serde_json::to_string(&d).unwrap()).unwrap();
        let (one, two) = (tail.look(&settings(), &mut a, &given), tail.look(&settings(), &mut b, &stored));
        assert_eq!(one, two);
        let shift = ShiftOf { baseline: None };
        assert_eq!(shift.look(&settings(), &mut c, &given), shift.look(&settings(), &mut d, &stored));
    }
    assert_eq!((a, c), (b, d));
    let text = serde_json::to_string(&(a, c)).unwrap();
    assert!(text.len() < 1100, "{} bytes: {text}", text.len());
}
