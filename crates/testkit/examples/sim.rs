//! Simulates many seeds: `sim [--seeds N] [--from SEED]`, or one seed with its story: `SEED=7 sim`.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serin_testkit::simulate;

fn argument(name: &str) -> Option<u64> {
    let mut arguments = std::env::args();
    arguments.find(|argument| argument == name)?;
    arguments.next()?.parse().ok()
}

fn main() -> ExitCode {
    if let Some(seed) = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        let outcome = simulate(seed, true);
        outcome.story.iter().for_each(|line| println!("{line}"));
        println!("seed {seed}: {} plans, at rest as {}", outcome.plans, outcome.rest);
        return if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let (from, seeds) = (argument("--from").unwrap_or(0), argument("--seeds").unwrap_or(10_000));
    let (began, next) = (Instant::now(), AtomicU64::new(from));
    let (plans, failed) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let rests = Mutex::new(std::collections::BTreeMap::<String, u64>::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        return;
                    }
                    let outcome = simulate(seed, false);
                    plans.fetch_add(outcome.plans, Ordering::Relaxed);
                    let rest = outcome.rest.split([' ', ':']).take(2).collect::<Vec<_>>().join(" ");
                    *rests.lock().unwrap().entry(rest).or_default() += 1;
                    if let Some(violation) = outcome.violations.first() {
                        failed.lock().unwrap().push((seed, violation.clone()));
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    for (seed, violation) in failed.iter().take(400) {
        println!("SEED={seed}: {violation}");
    }
    for (rest, count) in rests.into_inner().unwrap() {
        println!("{count:>7} at rest as {rest}");
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("{seeds} seeds, {} plans, {seconds:.1} s, {} seeds failed", plans.into_inner(), failed.len());
    if let Some((seed, _)) = failed.first() {
        println!("replay: SEED={seed} cargo run --release -p serin-testkit --example sim");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
