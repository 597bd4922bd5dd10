//! Simulates many seeds: `sim [--seeds N] [--from SEED] [--every N]`, or one seed with its story: `SEED=7 sim`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serin_testkit::{Outcome, simulate};

fn argument(name: &str) -> Option<u64> {
    let mut arguments = std::env::args();
    arguments.find(|argument| argument == name)?;
    arguments.next()?.parse().ok()
}

/// What all simulations together have shown.
#[derive(Default)]
struct Tally {
    plans: u64,
    rests: BTreeMap<String, u64>,
    failed: BTreeMap<u64, String>,
}

impl Tally {
    fn count(&mut self, seed: u64, outcome: Outcome) {
        self.plans += outcome.plans;
        let rest = outcome.rest.split([' ', ':']).take(2).collect::<Vec<_>>().join(" ");
        *self.rests.entry(rest).or_default() += 1;
        if let Some(violation) = outcome.violations.into_iter().next() {
            self.failed.insert(seed, violation);
        }
    }
}

fn main() -> ExitCode {
    if let Some(seed) = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        return tell(seed);
    }
    let (from, seeds) = (argument("--from").unwrap_or(0), argument("--seeds").unwrap_or(10_000));
    let every = argument("--every").unwrap_or(1).max(1);
    let (began, next, tally) = (Instant::now(), AtomicU64::new(from), Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut seed = next.fetch_add(every, Ordering::Relaxed);
                while seed < from + seeds {
                    let outcome = simulate(seed, false);
                    tally.lock().unwrap_or_else(PoisonError::into_inner).count(seed, outcome);
                    seed = next.fetch_add(every, Ordering::Relaxed);
                }
            });
        }
    });
    let Tally { plans, rests, failed } = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.iter().take(400).for_each(|(seed, violation)| println!("SEED={seed}: {violation}"));
    rests.iter().for_each(|(rest, count)| println!("{count:>7} at rest as {rest}"));
    let seconds = began.elapsed().as_secs_f64();
    println!("{seeds} seeds, {plans} plans, {seconds:.1} s, {} seeds failed", failed.len());
    let Some((seed, _)) = failed.first_key_value() else { return ExitCode::SUCCESS };
    println!("replay: SEED={seed} ./dev sim");
    ExitCode::FAILURE
}

/// One simulation with its story.
fn tell(seed: u64) -> ExitCode {
    let outcome = simulate(seed, true);
    outcome.story.iter().for_each(|line| println!("{line}"));
    println!("seed {seed}: {} plans, at rest as {}", outcome.plans, outcome.rest);
    if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
