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
    Simulation::of(&arguments(flags).unwrap()).unwrap()
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
        ("--noise loud", "--noise", "'loud'", "none, moderate, heavy"),
    ] {
        let why = arguments(flags).unwrap_err();
        assert!([flag, value, remedy].iter().all(|part| why.contains(part)), "{flags}: {why}");
    }
    let why = Simulation::of(&arguments("--rollouts 10000 --count 1000").unwrap()).unwrap_err();
    assert!(why.starts_with("--rollouts 10000 of --count 1000 windows each are more than 1000000"), "{why}");
}
