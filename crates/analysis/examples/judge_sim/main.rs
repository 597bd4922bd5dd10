//! Simulates whole rollouts and counts how often Serin's judge aborts, next to thresholds and naive tests: Tables A and B
//! of judge 2, and whether the goals G1 to G3 are met.
//!
//! `cargo run --release -p serin-analysis --example judge_sim -- [--short] [--cell WORDS] [--rollouts N] [--seed S]`.
//! `--cell` plays only the rows whose name holds the words. Traffic: Poisson requests with an AR(1) load; errors binomial with a rate that moves for everyone, per pod and window, per pod for ever,
//! and in bursts; lognormal latencies that move the same ways. Every number of Serin comes from the real judge, whose noise
//! is measured on the history of each rollout. Exit code 1 when a goal is missed.

use std::process::ExitCode;

use cell::{Cell, Goal, LOOKS};
use rivals::Times;
use rollout::{Outcome, play};

mod cell;
mod rivals;
mod rollout;

/// Points that chance may add to a goal of so many rollouts: 1.5 standard errors, and 1.5 points with 600 rollouts.
fn slack(goal: f64, rollouts: usize) -> f64 {
    let share = (goal / 100.0).clamp(0.01, 0.99);
    150.0 * (share * (1.0 - share) / rollouts as f64).sqrt()
}

/// Per cent aborted; median delay of the aborts; windows in which 80 % of all rollouts are aborted (`None` = never).
struct Delays {
    aborted: f64,
    median: Option<usize>,
    most: Option<usize>,
}

fn delays(outcomes: &[Outcome], begins: usize, of: impl Fn(&Outcome) -> Option<usize>) -> Delays {
    let aborts: Vec<usize> = outcomes.iter().filter_map(&of).collect();
    let mut after: Vec<usize> = aborts.iter().filter(|at| **at >= begins).map(|at| at + 1 - begins).collect();
    after.sort_unstable();
    let quantile = |q: f64| after.get((q * (outcomes.len() as f64 - 1.0)).round() as usize).copied();
    let aborted = 100.0 * aborts.len() as f64 / outcomes.len() as f64;
    Delays { aborted, median: after.get(after.len() / 2).copied(), most: quantile(0.8) }
}

fn met(goal: Goal, seen: &Delays, rollouts: usize) -> bool {
    match goal {
        Goal::Quiet(most) => seen.aborted <= most + slack(most, rollouts),
        Goal::Found { least, median, most } => {
            seen.aborted >= least - slack(least, rollouts)
                && seen.median.is_some_and(|found| found <= median)
                && (most == LOOKS || seen.most.is_some_and(|found| found <= most))
        }
        Goal::Shown => true,
    }
}

fn flag(name: &str, default: u64) -> u64 {
    let mut args = std::env::args().skip_while(|arg| arg != name);
    args.nth(1)
        .map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} {value}: not a number")))
}

fn text(name: &str) -> String {
    std::env::args().skip_while(|arg| arg != name).nth(1).unwrap_or_default()
}

fn main() -> ExitCode {
    let short = std::env::args().any(|arg| arg == "--short");
    let (rollouts, seed) = (flag("--rollouts", if short { 100 } else { 600 }).max(1), flag("--seed", 1));
    let only = text("--cell");
    println!(
        "{rollouts} rollouts per cell, seed {seed}, {LOOKS} looks of 60 s, limits +0.5pp and +15 %, 4 questions"
    );
    let mut missed = 0;
    for (title, cells) in [
        ("Table A: false aborts, per cent", cell::harmless()),
        ("Table B: aborted per cent / median windows from the fault", cell::faulty()),
    ] {
        println!("\n{title}");
        println!(
            "{:32}|{:>9}|{:>9}|{:>10}|{:>9}|{:>10}|{:>19}|{:>8}|{:>6}| goal",
            "cell",
            "threshold",
            "4th time",
            "3 in a row",
            "tests .05",
            "3 in a row",
            "SERIN",
            "promoted",
            "rho"
        );
        for cell in cells.into_iter().filter(|cell| (cell.short || !short) && cell.name.contains(&only)) {
            missed += usize::from(!report(&cell, rollouts, seed));
        }
    }
    println!("\n{}", if missed == 0 { "all goals met".into() } else { format!("{missed} goals missed") });
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints one line of the table; false when a goal is missed.
fn report(cell: &Cell, rollouts: u64, seed: u64) -> bool {
    let outcomes: Vec<Outcome> =
        (0..rollouts).map(|index| play(cell, seed.wrapping_mul(1_000_003).wrapping_add(index))).collect();
    let (begins, lasts) = (cell.fault.begins(), cell.fault.lasts());
    let told = |seen: &Delays| {
        let median = seen.median.filter(|_| lasts).map_or(String::new(), |median| format!("/{median}"));
        format!("{:.1}{median}", seen.aborted)
    };
    let rival =
        |of: fn(&Times) -> Option<usize>| told(&delays(&outcomes, begins, |outcome| of(&outcome.rivals)));
    let own = delays(&outcomes, begins, |outcome| outcome.serin);
    let share = |of: &dyn Fn(&Outcome) -> f64| outcomes.iter().map(of).sum::<f64>() / outcomes.len() as f64;
    let promoted = 100.0 * share(&|outcome| f64::from(u8::from(outcome.promoted)));
    let most = own.most.filter(|_| lasts).map_or(String::new(), |most| format!(", 80% in {most}"));
    let allowed = cell.promote.as_ref().is_none_or(|range| {
        let (low, high) = (*range.start(), *range.end());
        promoted >= low - slack(low, outcomes.len()) && promoted <= high + slack(high, outcomes.len())
    });
    let good = met(cell.goal, &own, outcomes.len()) && allowed;
    println!(
        "{:32}|{:>9}|{:>9}|{:>10}|{:>9}|{:>10}|{:>19}|{:>8.1}|{:>6.4}| {} {}",
        cell.name,
        rival(|times| times.threshold),
        rival(|times| times.fourth),
        rival(|times| times.in_a_row),
        rival(|times| times.test),
        rival(|times| times.tests_in_a_row),
        told(&own) + &most,
        promoted,
        share(&|outcome| outcome.rho),
        if good { "ok" } else { "MISSED" },
        describe(cell),
    );
    good
}

fn describe(cell: &Cell) -> String {
    let goal = match cell.goal {
        Goal::Quiet(most) => format!("G1 abort <= {most} %"),
        Goal::Found { least, median, most: LOOKS } => format!("G2 abort >= {least} %, median <= {median}"),
        Goal::Found { least, median, most } => {
            format!("G2 abort >= {least} %, median <= {median}, 80 % in {most}")
        }
        Goal::Shown => "shown".into(),
    };
    let promote = cell.promote.as_ref().map_or(String::new(), |range| {
        if *range.start() == 0.0 {
            format!(", G3 promote <= {} %", range.end())
        } else {
            format!(", G3 promote >= {} %", range.start())
        }
    });
    goal + &promote
}
