//! Simulates whole rollouts and counts how often the error-rate judge aborts, next to two common alternatives.
//!
//! `cargo run --release -p serin-analysis --example judge_sim -- [--rollouts N] [--seed S]`. Traffic: Poisson requests
//! with an AR(1) load; errors binomial with a rate that moves for everyone (shared AR(1)), per pod and window (log-normal,
//! in the heavy noise correlated in time), per pod for ever, and in bursts. Constants as in judge 2; every number printed
//! comes from the real judge (`error_rate::look`), whose rho and tau are measured on the history of each rollout.

use serin_analysis::judge::dispersion::measure;
use serin_analysis::judge::error_rate::{Arm, Settings, State, Verdict, Window, look};
use serin_analysis::judge::tally::Tally;
use serin_analysis::judge::two_by_two::TwoByTwo;
use std::process::ExitCode;

const LOOKS: usize = 30;
const HISTORY: usize = 40;
const PODS: usize = 10;
const SECONDS: f64 = 60.0;
const LIMIT: f64 = 0.005;

/// How a service misbehaves without any change.
#[derive(Clone, Copy)]
struct Noise {
    /// Standard deviation of the logarithm of the shared error level, and its lag-1 correlation.
    shared: (f64, f64),
    /// Coefficient of variation of a pod's rate in one window, and its lag-1 correlation.
    pod_window: (f64, f64),
    /// Coefficient of variation between pods that lasts.
    pod: f64,
    /// Share of pod-windows with a burst, and its largest height (rate).
    burst: (f64, f64),
}

const MODERATE: Noise = Noise { shared: (0.3, 0.8), pod_window: (0.5, 0.0), pod: 0.1, burst: (0.01, 0.02) };
const HEAVY: Noise = Noise { shared: (0.5, 0.8), pod_window: (1.0, 0.5), pod: 0.2, burst: (0.01, 0.10) };

/// What the canary adds to its error rate.
#[derive(Clone, Copy)]
enum Fault {
    None,
    /// From this window on, for ever.
    From(usize, f64),
    /// In this window only.
    Once(usize, f64),
}

impl Fault {
    fn at(self, look: usize) -> f64 {
        match self {
            Self::From(first, delta) if look >= first => delta,
            Self::Once(only, delta) if look == only => delta,
            _ => 0.0,
        }
    }

    fn begins(self) -> usize {
        match self {
            Self::From(first, _) => first,
            _ => 0,
        }
    }
}

/// What the design promises for a cell (judge 2, G1 to G3); 600 rollouts have a standard error of 0.4 points at 1 %.
#[derive(Clone, Copy)]
enum Goal {
    /// Aborts at most so many per cent.
    Quiet(f64),
    /// Aborts at least so many per cent, with median and 80 % of the delays at most so many windows.
    Found { least: f64, median: usize, most: usize },
    /// Shown only.
    Shown,
}

struct Cell {
    name: &'static str,
    rps: f64,
    rate: f64,
    noise: Noise,
    fault: Fault,
    goal: Goal,
    /// Promoted at the last look: at least or at most so many per cent.
    promote: Option<std::ops::RangeInclusive<f64>>,
}

fn cells() -> Vec<Cell> {
    let base = |name, fault, goal| Cell {
        name,
        rps: 100.0,
        rate: 0.005,
        noise: MODERATE,
        fault,
        goal,
        promote: None,
    };
    vec![
        Cell { promote: Some(95.0..=100.0), ..base("A/A base", Fault::None, Goal::Quiet(1.0)) },
        Cell { noise: HEAVY, ..base("A/A heavy bursts", Fault::None, Goal::Quiet(2.0)) },
        Cell {
            rps: 1000.0,
            noise: HEAVY,
            ..base("A/A heavy bursts, 1000 rps", Fault::None, Goal::Quiet(2.0))
        },
        base("A/A, one window of +30pp", Fault::Once(10, 0.3), Goal::Quiet(1.0)),
        Cell { rps: 1000.0, ..base("trivial +0.1pp, 1000 rps", Fault::From(0, 0.001), Goal::Quiet(1.0)) },
        base("half-way +0.25pp", Fault::From(0, 0.0025), Goal::Quiet(5.0)),
        Cell { noise: HEAVY, ..base("half-way +0.25pp, heavy", Fault::From(0, 0.0025), Goal::Quiet(10.0)) },
        Cell { promote: Some(0.0..=6.0), ..base("at the limit +0.5pp", Fault::From(0, 0.005), Goal::Shown) },
        Cell {
            promote: Some(0.0..=0.5),
            ..base("+1pp", Fault::From(0, 0.01), Goal::Found { least: 95.0, median: 11, most: 16 })
        },
        base("+5pp", Fault::From(0, 0.05), Goal::Found { least: 100.0, median: 3, most: 4 }),
        base(
            "+1pp from window 10",
            Fault::From(10, 0.01),
            Goal::Found { least: 80.0, median: LOOKS, most: LOOKS },
        ),
        base("+5pp from window 10", Fault::From(10, 0.05), Goal::Found { least: 100.0, median: 5, most: 6 }),
    ]
}

/// xoshiro256++ seeded by splitmix64: reproducible everywhere, no dependency.
struct Dice([u64; 4]);

impl Dice {
    fn new(seed: u64) -> Self {
        let mut state = seed;
        Self(std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        }))
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.0;
        let drawn = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.0 = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        drawn
    }

    /// In `(0, 1]`.
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Exact below 50, a rounded normal above.
    fn poisson(&mut self, mean: f64) -> f64 {
        if mean >= 50.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0);
        }
        let (mut count, mut left) = (0.0, mean + self.uniform().ln());
        while left > 0.0 {
            count += 1.0;
            left += self.uniform().ln();
        }
        count
    }

    /// Exact, by the gaps between successes.
    fn binomial(&mut self, trials: f64, p: f64) -> f64 {
        if p <= 0.0 {
            return 0.0;
        }
        let (mut count, mut position) = (0.0, 0.0);
        loop {
            position += (self.uniform().ln() / (1.0 - p.min(1.0 - 1e-12)).ln()).floor() + 1.0;
            if position > trials {
                return count;
            }
            count += 1.0;
        }
    }
}

/// A fleet of [`PODS`] pods, window after window; the first pod is the canary once the rollout starts.
struct Fleet<'a> {
    cell: &'a Cell,
    dice: Dice,
    load: f64,
    shared: f64,
    own: [f64; PODS],
    lasting: [f64; PODS],
}

impl<'a> Fleet<'a> {
    fn new(cell: &'a Cell, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut draw = |spread: f64| std::array::from_fn(|_| spread * dice.normal());
        let (own, lasting) = (draw(1.0), draw(log_spread(cell.noise.pod)));
        Self { cell, load: dice.normal(), shared: dice.normal(), dice, own, lasting }
    }

    /// Errors and requests of each pod in the next window; `extra` goes to the first pod.
    fn window(&mut self, extra: f64) -> Vec<Tally> {
        let noise = self.cell.noise;
        self.load = step(self.load, 0.8, &mut self.dice);
        self.shared = step(self.shared, noise.shared.1, &mut self.dice);
        let requests = self.cell.rps * SECONDS / PODS as f64 * level(0.1, self.load);
        let rate = self.cell.rate * level(noise.shared.0, self.shared);
        let (spread, memory) = (log_spread(noise.pod_window.0), noise.pod_window.1);
        let mut pods = Vec::with_capacity(PODS);
        for (pod, (own, lasting)) in self.own.iter_mut().zip(self.lasting).enumerate() {
            *own = step(*own, memory, &mut self.dice);
            let lasting_level = (lasting - log_spread(noise.pod).powi(2) / 2.0).exp();
            let burst =
                if self.dice.uniform() < noise.burst.0 { noise.burst.1 * self.dice.uniform() } else { 0.0 };
            let fault = if pod == 0 { extra } else { 0.0 };
            let p = (rate * level(spread, *own) * lasting_level + burst + fault).min(1.0);
            let trials = self.dice.poisson(requests);
            pods.push(Tally::new(self.dice.binomial(trials, p), trials));
        }
        pods
    }
}

fn step(value: f64, memory: f64, dice: &mut Dice) -> f64 {
    memory * value + (1.0 - memory * memory).sqrt() * dice.normal()
}

/// Log-normal factor of mean 1.
fn level(spread: f64, value: f64) -> f64 {
    (spread * value - spread * spread / 2.0).exp()
}

/// Spread of the logarithm that gives a coefficient of variation.
fn log_spread(variation: f64) -> f64 {
    (1.0 + variation * variation).ln().sqrt()
}

/// When each judge aborted one rollout, in looks from 0.
#[derive(Default, Clone, Copy)]
struct Outcome {
    serin: Option<usize>,
    /// Canary error rate above 1 % in any window (Argo failureLimit 0).
    threshold: Option<usize>,
    /// The fourth such window (Argo failureLimit 3).
    fourth: Option<usize>,
    /// Canary minus stable beyond the limit three times in a row.
    in_a_row: Option<usize>,
    /// Cumulative chi-squared (Yates) with p < 0.05 and the canary worse.
    chi2: Option<usize>,
    promoted: bool,
    rho: f64,
}

fn sum(pods: &[Tally]) -> Tally {
    pods.iter().fold(Tally::default(), |mut all, pod| {
        all += *pod;
        all
    })
}

fn arm(pods: &[Tally]) -> Arm {
    let all = sum(pods);
    Arm { requests: all.trials, errors: all.events, pods: pods.len() as u32 }
}

fn rollout(cell: &Cell, seed: u64) -> Outcome {
    let mut fleet = Fleet::new(cell, seed);
    let history: Vec<Vec<Tally>> = (0..HISTORY).map(|_| fleet.window(0.0)).collect();
    let noise = measure(&history);
    let past: Vec<Tally> = history.iter().map(|window| sum(window)).collect();
    let settings = Settings {
        metrics: 4,
        rho: noise.map(|noise| noise.rho),
        tau: noise.map_or(0.0, |noise| noise.tau),
        history: Some(arm(&past)),
        ..Settings::default()
    };
    let mut state = State::default();
    let mut outcome = Outcome { rho: noise.map_or(0.0, |noise| noise.rho), ..Outcome::default() };
    let mut rivals = Rivals::default();
    for index in 0..LOOKS {
        let pods = fleet.window(cell.fault.at(index));
        let (canary, stable) = pods.split_at(1);
        rivals.see(index, arm(canary), arm(stable), &mut outcome);
        let start = index as i64 * 60;
        let window = Window { start, end: start + 60, canary: arm(canary), stable: arm(stable) };
        let seen = look(&settings, &mut state, &window).expect("simulated counts are valid");
        if seen.verdict == Verdict::Fail && outcome.serin.is_none() {
            outcome.serin = Some(index);
        }
        outcome.promoted = seen.verdict == Verdict::Pass && outcome.serin.is_none();
    }
    outcome
}

#[derive(Default)]
struct Rivals {
    canary: Tally,
    stable: Tally,
    above: usize,
    streak: usize,
}

impl Rivals {
    fn see(&mut self, index: usize, canary: Arm, stable: Arm, outcome: &mut Outcome) {
        self.canary += canary.tally();
        self.stable += stable.tally();
        let (p, q) = (canary.tally().rate().unwrap_or(0.0), stable.tally().rate().unwrap_or(0.0));
        self.above += usize::from(p > 0.01);
        self.streak = if p - q > LIMIT { self.streak + 1 } else { 0 };
        let worse = self.canary.rate() > self.stable.rate();
        let p_value = TwoByTwo::new(self.canary, self.stable).yates().p().unwrap_or(1.0);
        let marks = [
            (&mut outcome.threshold, self.above >= 1),
            (&mut outcome.fourth, self.above >= 4),
            (&mut outcome.in_a_row, self.streak >= 3),
            (&mut outcome.chi2, worse && p_value < 0.05),
        ];
        marks
            .into_iter()
            .filter(|(seen, now)| *now && seen.is_none())
            .for_each(|(seen, _)| *seen = Some(index));
    }
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

fn met(goal: Goal, seen: &Delays) -> Option<bool> {
    match goal {
        Goal::Quiet(most) => Some(seen.aborted <= most),
        Goal::Found { least, median, most } => Some(
            seen.aborted >= least
                && seen.median.is_some_and(|found| found <= median)
                && (most == LOOKS || seen.most.is_some_and(|found| found <= most)),
        ),
        Goal::Shown => None,
    }
}

fn flag(name: &str, default: u64) -> u64 {
    let mut args = std::env::args().skip_while(|arg| arg != name);
    args.nth(1)
        .map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} {value}: not a number")))
}

fn main() -> ExitCode {
    let (rollouts, seed) = (flag("--rollouts", 600).max(1), flag("--seed", 1));
    println!(
        "{rollouts} rollouts per cell, seed {seed}, {LOOKS} looks of 60 s, canary 1 pod of {PODS}, limit +0.5pp, 4 metrics"
    );
    println!(
        "per cent aborted / median windows from the fault; serin also 80 % of the delays, and promoted at the end\n"
    );
    println!(
        "{:28}|{:>10}|{:>10}|{:>10}|{:>10}|{:>18}|{:>9}|{:>7}| goal",
        "cell", "err > 1 %", "4th time", "3 in a row", "chi2 .05", "serin", "promoted", "rho"
    );
    let mut missed = 0;
    for cell in cells() {
        missed += usize::from(!report(&cell, rollouts, seed));
    }
    println!("\n{}", if missed == 0 { "all goals met".into() } else { format!("{missed} goals missed") });
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints one line of the table; false when a goal is missed.
fn report(cell: &Cell, rollouts: u64, seed: u64) -> bool {
    let outcomes: Vec<Outcome> =
        (0..rollouts).map(|index| rollout(cell, seed.wrapping_mul(1_000_003).wrapping_add(index))).collect();
    let begins = cell.fault.begins();
    let faulty = matches!(cell.fault, Fault::From(..));
    let short = |of: fn(&Outcome) -> Option<usize>| {
        let seen = delays(&outcomes, begins, of);
        let median = seen.median.filter(|_| faulty).map_or(String::new(), |median| format!("/{median}"));
        format!("{:.1}{median}", seen.aborted)
    };
    let own = delays(&outcomes, begins, |outcome| outcome.serin);
    let share = |of: &dyn Fn(&Outcome) -> f64| outcomes.iter().map(of).sum::<f64>() / outcomes.len() as f64;
    let promoted = 100.0 * share(&|outcome| f64::from(u8::from(outcome.promoted)));
    let most = own.most.filter(|_| faulty).map_or(String::new(), |most| format!(", 80% in {most}"));
    let good = met(cell.goal, &own).unwrap_or(true)
        && cell.promote.as_ref().is_none_or(|range| range.contains(&promoted));
    println!(
        "{:28}|{:>10}|{:>10}|{:>10}|{:>10}|{:>18}|{:>9.1}|{:>7.4}| {} {}",
        cell.name,
        short(|outcome| outcome.threshold),
        short(|outcome| outcome.fourth),
        short(|outcome| outcome.in_a_row),
        short(|outcome| outcome.chi2),
        short(|outcome| outcome.serin) + &most,
        promoted,
        share(&|outcome| outcome.rho),
        if good { "ok" } else { "MISSED" },
        describe(cell),
    );
    good
}

fn describe(cell: &Cell) -> String {
    let goal = match cell.goal {
        Goal::Quiet(most) => format!("abort <= {most} %"),
        Goal::Found { least, most: LOOKS, .. } => format!("abort >= {least} %"),
        Goal::Found { least, median, most } => {
            format!("abort >= {least} %, median <= {median}, 80 % in {most}")
        }
        Goal::Shown => "shown".into(),
    };
    let promote = cell.promote.as_ref().map_or(String::new(), |range| {
        let low = *range.start() == 0.0;
        if low {
            format!(", promote <= {} %", range.end())
        } else {
            format!(", promote >= {} %", range.start())
        }
    });
    goal + &promote
}
