//! Simulations as the command line asks for them: reproducible, right about canaries that are equal, worse, in between.

use clap::Parser;
use serde_json::json;

use super::*;
use crate::flags::{Cli, Verb};
use crate::paint::Paint;
use serin_analysis::simulation::record::{Record, Recording};
use serin_analysis::simulation::service::MODERATE;

fn arguments(flags: &str) -> Result<SimulateArguments, String> {
    let words = ["serin", "simulate"].into_iter().chain(flags.split_whitespace());
    match Cli::try_parse_from(words).map_err(|error| error.to_string())?.verb {
        Verb::Simulate(arguments) => Ok(arguments),
        other => Err(format!("{other:?}")),
    }
}

fn simulated(flags: &str) -> Simulation {
    Simulation::of(&arguments(flags).unwrap(), Source::MadeUp).unwrap()
}

#[test]
fn the_same_seed_says_the_same_and_another_seed_does_not() {
    let json = |flags| serde_json::to_string(&simulated(flags)).unwrap();
    let once = json("--rollouts 5 --seed 7");
    assert_eq!(once, json("--rollouts 5 --seed 7"));
    let other = simulated("--rollouts 5 --seed 8");
    assert_ne!(simulated("--rollouts 5 --seed 7").example.reason, other.example.reason);
}

#[test]
fn an_unchanged_canary_is_hardly_ever_aborted() {
    let found = simulated("--rollouts 60 --count 20");
    assert!(found.aborted.rollouts <= 3, "{found:?}");
    assert_eq!(found.false_aborts, Some(found.aborted.rollouts as f64 / 60.0));
    assert_eq!(found.false_promotions, None);
    assert!(found.promoted.rollouts >= 45 && found.promoted.median_windows == Some(20), "{found:?}");
    let ends = found.aborted.rollouts + found.promoted.rollouts + found.undecided.rollouts;
    assert_eq!(ends, 60);
    let text = text(&found, Paint::PLAIN);
    assert!(text.contains("aborted falsely; the judge keeps at most 5%.\n"), "{text}");
}

#[test]
fn five_points_more_are_aborted_soon() {
    let found = simulated("--rollouts 40 --canary-errors 5.5%");
    assert!(found.aborted.rollouts >= 38, "{found:?}");
    assert!(found.aborted.median_windows.unwrap() <= 4, "{found:?}");
    assert_eq!((found.false_aborts, found.false_promotions), (None, Some(0.0)));
    let text = text(&found, Paint::PLAIN);
    assert!(text.lines().last().unwrap().ends_with("-> FAIL"), "{text}");
    assert!(text.contains(" (median)\n") && text.contains("promoted falsely"), "{text}");
}

#[test]
fn what_is_false_depends_on_the_limit() {
    for (canary, aborts, promotions) in [
        ("0.4%", true, false),
        ("0.75%", true, false),
        ("0.8%", false, false),
        ("1%", false, true),
        ("3%", false, true),
    ] {
        let found = simulated(&format!("--rollouts 1 --count 1 --canary-errors {canary}"));
        let says = (found.false_aborts.is_some(), found.false_promotions.is_some());
        assert_eq!(says, (aborts, promotions), "{canary}");
    }
}

#[test]
fn bad_input_is_refused_with_flag_value_and_remedy() {
    for (flags, flag, value, remedy) in [
        ("--rps 0", "--rps", "'0'", "above 0 and at most 1000000"),
        ("--rps NaN", "--rps", "'NaN'", "above 0 and at most 1000000"),
        ("--weight 100", "--weight", "100", "1..=99"),
        ("--errors 5", "--errors", "'5'", "such as 1% or 0.01"),
        ("--canary-errors many", "--canary-errors", "'many'", "such as 1% or 0.01"),
        ("--interval 1500ms", "--interval", "'1500ms'", "whole seconds from 1s to 1h"),
        ("--interval 0", "--interval", "'0'", "whole seconds from 1s to 1h"),
        ("--count 0", "--count", "0", "1..=1000"),
        ("--limit 0pp", "--limit", "'0pp'", "above 0pp and below 100pp"),
        ("--limit 0.5", "--limit", "'0.5'", "such as 0.5pp"),
        ("--rollouts 0", "--rollouts", "0", "1..=10000"),
        ("--slower 0", "--slower", "'0'", "from 0.1 to 100"),
        ("--worse +x", "--worse", "'+x'", "such as 0.5pp"),
        ("--latency-limit 15", "--latency-limit", "'15'", "such as 15%"),
        ("--compare all", "--compare", "'all'", "errors, latency, both"),
        ("--worse 1pp --canary-errors 2%", "--worse", "--canary-errors", "cannot be used with"),
        ("--from run.yaml --rps 5", "--from", "--rps", "cannot be used with"),
        ("--noise loud", "--noise", "'loud'", "none, moderate, heavy"),
    ] {
        let why = arguments(flags).unwrap_err();
        assert!([flag, value, remedy].iter().all(|part| why.contains(part)), "{flags}: {why}");
    }
    let why =
        Simulation::of(&arguments("--rollouts 10000 --count 1000").unwrap(), Source::MadeUp).unwrap_err();
    assert!(
        why.starts_with("--rollouts 10000 of --count 1000 windows each, for each of 1 comparisons, are more"),
        "{why}"
    );
}

#[test]
fn slow_canaries_are_aborted_and_unchanged_latencies_are_not() {
    let same = simulated("--compare latency --rollouts 40 --count 15");
    assert!(same.aborted.rollouts <= 2 && same.false_aborts.is_some(), "{same:?}");
    assert_eq!((same.played.metrics, same.played.comparisons[0].compared), (3, "latency"));
    let slow = simulated("--slower 1.5 --rollouts 40");
    assert_eq!((slow.played.metrics, slow.played.comparisons[0].compared), (4, "both"));
    assert!(slow.aborted.rollouts >= 38 && slow.false_promotions == Some(0.0), "{slow:?}");
    assert_eq!(slow.example.reason.lines().count(), 4, "{}", slow.example.reason);
    assert!(slow.example.reason.contains("latency p99 canary "), "{}", slow.example.reason);
    let text = text(&slow, Paint::PLAIN);
    assert!(text.contains("latencies of the canary x1.5") && text.contains("latency limit +15%"), "{text}");
}

#[test]
fn a_slowdown_is_harmless_up_to_half_of_its_limit() {
    for (factor, aborts, promotions) in
        [("0.9", true, false), ("1.07", true, false), ("1.08", false, false), ("1.15", false, true)]
    {
        let found = simulated(&format!("--rollouts 1 --count 1 --slower {factor}"));
        let says = (found.false_aborts.is_some(), found.false_promotions.is_some());
        assert_eq!(says, (aborts, promotions), "{factor}");
    }
}

fn of_table(flags: &str, table: &str) -> Result<Simulation, String> {
    Simulation::of(&arguments(flags)?, Source::Table(Record::of_table(table, 60.0)?))
}

#[test]
fn a_recorded_service_is_played_with_what_it_has() {
    let both = "requests,errors,le=0.1,le=0.25,le=+Inf\n6000,60,3000,5700,6000\n9000,90,4500,8550,9000\n";
    let same = of_table("--rollouts 40 --weight 20", both).unwrap();
    let [played] = same.played.comparisons.as_slice() else { panic!("{same:?}") };
    assert_eq!((played.recorded, played.compared), (Some(2), "both"));
    assert_eq!((played.requests_per_second, played.errors), (125.0, 0.01));
    assert!(same.aborted.rollouts <= 2 && same.false_aborts.is_some(), "{same:?}");
    let worse = of_table("--rollouts 40 --weight 20 --worse +5pp", both).unwrap();
    assert!(
        (worse.played.comparisons[0].canary_errors - 0.06).abs() < 1e-12 && worse.aborted.rollouts >= 38,
        "{worse:?}"
    );
    let text = text(&worse, Paint::PLAIN);
    assert!(text.contains("played from 2 recorded windows, noise of pods moderate\n"), "{text}");
}

#[test]
fn flags_that_do_not_fit_each_other_or_the_record_are_refused() {
    let (errors, times) = ("requests,errors\n10,1\n10,1", "le=1,le=+Inf\n9,10\n9,10");
    for (flags, table, why) in [
        ("--compare both", errors, "the record has none: record buckets"),
        ("--slower 2", errors, "--slower is not seen when only errors are compared"),
        ("--compare both", times, "the record has none: record requests and errors"),
        ("--worse +1pp", times, "--worse and --canary-errors are not seen"),
        ("--compare latency --canary-errors 1%", times, "--worse and --canary-errors are not seen"),
    ] {
        let found = of_table(flags, table).unwrap_err();
        assert!(found.contains(why), "{flags}: {found}");
    }
}

/// A run with two comparisons of errors, one of latencies and a business rate, whose canary was bad: it does not matter.
fn run() -> serin_api::AnalysisRun {
    let metric = |name: &str, comparison: serde_json::Value| json!({"name": name, "interval": "30s", "provider": {"prometheus": {}}, "comparison": comparison});
    let rates = |events: f64| {
        json!({
            "start": 0, "end": 30, "canary": {"requests": 300.0, "errors": 300.0, "pods": 1},
            "stable": {"requests": 2700.0, "errors": events, "pods": 9},
        })
    };
    let buckets = json!({
        "start": 0, "end": 30, "bounds": [0.1, 0.25, 0.5, "+Inf"], "canary": {"counts": [0.0, 0.0, 0.0, 300.0], "pods": 1},
        "stable": {"counts": [1500.0, 1000.0, 150.0, 50.0], "pods": 9},
    });
    let result = |name: &str, window: serde_json::Value| {
        let measured = json!({"phase": "Successful", "metadata": {"window": window.to_string()}});
        json!({"name": name, "phase": "Running", "measurements": [measured, measured]})
    };
    let run = json!({
        "metadata": {"name": "shop"},
        "spec": {
            "arms": {"canary": "bbb", "stable": "aaa"},
            "metrics": [
                metric("http", json!({"errorRate": {"requests": "http_requests_total"}})),
                metric("grpc", json!({"errorRate": {"requests": "grpc_total", "limit": "3pp"}})),
                metric("times", json!({"preset": "http", "latency": {"quantiles": ["0.9"]}})),
                metric("orders", json!({"businessRate": {"attempts": "visits", "successes": "orders", "limit": "30%"}})),
                metric("size", json!({"mean": {"sum": "sizes_sum", "count": "sizes_count"}})),
            ],
        },
        "status": {"phase": "Running", "metricResults": [
            result("http", rates(27.0)), result("grpc", rates(54.0)), result("times", buckets),
            result("orders", rates(900.0)), result("size", json!({})),
        ]},
    });
    serde_json::from_value(run).unwrap()
}

fn of_run(flags: &str) -> Result<Simulation, String> {
    Simulation::of(&arguments(flags)?, Source::Run(Recording::of_run(&run(), MODERATE)?))
}

#[test]
fn all_comparisons_of_a_recorded_run_are_played_together() {
    let same = of_run("--rollouts 30 --noise none").unwrap();
    let played: Vec<_> = same
        .played
        .comparisons
        .iter()
        .map(|one| (one.name.as_deref().unwrap(), one.compared, one.limit, one.interval, one.recorded))
        .collect();
    assert_eq!(
        played,
        [
            ("http", "errors", 0.005, 30, Some(2)),
            ("grpc", "errors", 0.03, 30, Some(2)),
            ("times", "latency", 0.15, 30, Some(2)),
            ("orders", "business", 0.3, 30, Some(2)),
        ]
    );
    assert_eq!((same.played.metrics, same.aborted.rollouts), (6, 0), "the recorded canary is left out");
    let names = ["http", "grpc", "times", "times", "orders"];
    let lines: Vec<&str> = same.example.reason.lines().collect();
    assert!(lines.len() == 5 && names.iter().all(|name| same.example.reason.contains(name)), "{lines:?}");
    let text = text(&same, Paint::PLAIN);
    assert!(text.contains("not played: size: "), "{text}");
    assert!(
        text.contains("  http: 100 requests a second, 1% errors, canary 1%, limit +0.5pp, windows of 30s, "),
        "{text}"
    );

    // 2 pp are beyond the limit of one comparison and within that of the other.
    let worse = of_run("--rollouts 20 --noise none --worse +2pp --count 30").unwrap();
    assert!(worse.aborted.rollouts >= 18 && worse.false_promotions == Some(0.0), "{worse:?}");
    assert!(worse.example.reason.lines().next().unwrap().starts_with("http "), "{}", worse.example.reason);
    let borne = of_run("--rollouts 20 --noise none --worse +2pp --limit 10pp").unwrap();
    assert!(borne.aborted.rollouts == 0 && borne.false_aborts.is_some(), "{borne:?}");
}

#[test]
fn less_than_all_is_played_when_less_is_asked_for() {
    let names = |flags: &str| -> Vec<String> {
        let played = of_run(flags).unwrap().played;
        played.comparisons.into_iter().filter_map(|one| one.name).collect()
    };
    assert_eq!(names("--rollouts 1 --compare errors"), ["http", "grpc"]);
    assert_eq!(names("--rollouts 1 --compare latency"), ["times"]);
    assert_eq!(names("--rollouts 1 --compare both"), ["http", "grpc", "times"]);
    let why = of_run("--rollouts 10000 --count 50").unwrap_err();
    assert!(why.contains("for each of 4 comparisons"), "{why}");
}

#[test]
fn the_noise_that_the_run_has_measured_is_played_unless_another_is_asked_for() {
    let mut recording = Recording::of_run(&run(), MODERATE).unwrap();
    recording.parts[0].measured = true;
    let noise = |flags: &str| {
        let found = Simulation::of(&arguments(flags).unwrap(), Source::Run(recording.clone())).unwrap();
        found.played.comparisons.iter().map(|one| one.noise).collect::<Vec<_>>()
    };
    assert_eq!(noise("--rollouts 1"), ["as recorded", "moderate", "moderate", "moderate"]);
    assert_eq!(noise("--rollouts 1 --noise heavy"), ["heavy"; 4]);
}
