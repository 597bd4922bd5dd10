//! Simulations as the command line asks for them: reproducible, right about canaries that are equal, worse, in between.

use clap::Parser;

use super::*;
use crate::flags::{Cli, Verb};
use crate::paint::Paint;

fn arguments(flags: &str) -> Result<SimulateArguments, String> {
    let words = ["serin", "simulate"].into_iter().chain(flags.split_whitespace());
    match Cli::try_parse_from(words).map_err(|error| error.to_string())?.verb {
        Verb::Simulate(arguments) => Ok(arguments),
        other => Err(format!("{other:?}")),
    }
}

fn simulated(flags: &str) -> Simulation {
    Simulation::of(&arguments(flags).unwrap(), None).unwrap()
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
    let why = Simulation::of(&arguments("--rollouts 10000 --count 1000").unwrap(), None).unwrap_err();
    assert!(why.starts_with("--rollouts 10000 of --count 1000 windows each are more than 1000000"), "{why}");
}

#[test]
fn slow_canaries_are_aborted_and_unchanged_latencies_are_not() {
    let same = simulated("--compare latency --rollouts 40 --count 15");
    assert!(same.aborted.rollouts <= 2 && same.false_aborts.is_some(), "{same:?}");
    assert_eq!((same.played.metrics, same.played.compared), (3, "latency"));
    let slow = simulated("--slower 1.5 --rollouts 40");
    assert_eq!((slow.played.metrics, slow.played.compared), (4, "both"));
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
    Simulation::of(&arguments(flags)?, Some(Record::of_table(table, 60.0)?))
}

#[test]
fn a_recorded_service_is_played_with_what_it_has() {
    let both = "requests,errors,le=0.1,le=0.25,le=+Inf\n6000,60,3000,5700,6000\n9000,90,4500,8550,9000\n";
    let same = of_table("--rollouts 40 --weight 20", both).unwrap();
    assert_eq!((same.played.recorded, same.played.compared), (Some(2), "both"));
    assert_eq!((same.played.requests_per_second, same.played.errors), (125.0, 0.01));
    assert!(same.aborted.rollouts <= 2 && same.false_aborts.is_some(), "{same:?}");
    let worse = of_table("--rollouts 40 --weight 20 --worse +5pp", both).unwrap();
    assert!((worse.played.canary_errors - 0.06).abs() < 1e-12 && worse.aborted.rollouts >= 38, "{worse:?}");
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
