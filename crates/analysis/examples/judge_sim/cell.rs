//! The rows of the tables: a service, what the canary does, and what the design promises (judge 2, G1 to G3).

use std::ops::RangeInclusive;

use serin_analysis::simulation::service::{
    Change, HEAVY, MODERATE, NONE, Noise, PODS, ROUGH, Service, UNCHANGED, ladder,
};

pub(crate) const LOOKS: usize = 30;

/// What the canary changes.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    None,
    /// From this window on, for ever.
    From(usize, Change),
    /// In this window only.
    Once(usize, Change),
    /// In the first windows, while caches are cold; the judge leaves out as many.
    Cold(usize, Change),
}

impl Fault {
    pub(crate) fn at(self, look: usize) -> Change {
        match self {
            Self::From(first, change) if look >= first => change,
            Self::Once(only, change) if look == only => change,
            Self::Cold(last, change) if look < last => change,
            _ => UNCHANGED,
        }
    }

    pub(crate) fn begins(self) -> usize {
        match self {
            Self::From(first, _) => first,
            _ => 0,
        }
    }

    pub(crate) fn lasts(self) -> bool {
        matches!(self, Self::From(..))
    }

    /// Windows that the judge leaves out.
    pub(crate) fn warmup(self) -> usize {
        match self {
            Self::Cold(windows, _) => windows,
            _ => 0,
        }
    }
}

/// What the design promises for a cell; 600 rollouts have a standard error of 0.4 points at 1 %.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// Aborts at most so many per cent.
    Quiet(f64),
    /// Aborts at least so many per cent, with median and 80 % of the delays at most so many windows.
    Found { least: f64, median: usize, most: usize },
    /// Shown only.
    Shown,
}

pub(crate) struct Cell {
    pub(crate) name: &'static str,
    pub(crate) rps: f64,
    pub(crate) rate: f64,
    /// Share of the canary.
    pub(crate) weight: f64,
    /// The canary's among them.
    pub(crate) pods: usize,
    pub(crate) noise: Noise,
    /// Nothing of the noise is known from before: it is read off the rollout.
    pub(crate) unmeasured: bool,
    pub(crate) coarse: bool,
    pub(crate) fault: Fault,
    pub(crate) goal: Goal,
    /// Promoted at the last look: between so many per cent.
    pub(crate) promote: Option<RangeInclusive<f64>>,
    /// Belongs to the short form.
    pub(crate) short: bool,
}

/// Length of a window.
pub(crate) const SECONDS: f64 = 60.0;

impl Cell {
    pub(crate) fn service(&self) -> Service {
        Service {
            rps: self.rps,
            rate: self.rate,
            pods: self.pods,
            noise: self.noise,
            ladder: ladder(self.coarse),
            window: SECONDS,
            record: None,
        }
    }
}

fn base(name: &'static str, fault: Fault, goal: Goal) -> Cell {
    Cell {
        name,
        rps: 100.0,
        rate: 0.005,
        weight: 0.1,
        pods: PODS,
        noise: MODERATE,
        unmeasured: false,
        coarse: false,
        fault,
        goal,
        promote: None,
        short: false,
    }
}

fn errors(more: f64) -> Change {
    Change { errors: more, ..UNCHANGED }
}

fn slower(factor: f64) -> Change {
    Change { slower: factor, ..UNCHANGED }
}

fn both(more: f64, factor: f64) -> Change {
    Change { errors: more, slower: factor, stuck: 0.0 }
}

/// Table A: a canary that is fine, or harmless. Aborts are false.
pub(crate) fn harmless() -> Vec<Cell> {
    let same = |name, goal| base(name, Fault::None, goal);
    let halfway = Fault::From(0, both(0.0025, 1.075));
    vec![
        Cell { noise: NONE, ..same("A/A, no over-dispersion", Goal::Quiet(1.0)) },
        Cell { weight: 0.05, ..same("A/A, weight 5 %", Goal::Quiet(1.0)) },
        Cell {
            promote: Some(95.0..=100.0),
            short: true,
            ..same("A/A, weight 10 % (base)", Goal::Quiet(1.0))
        },
        Cell { weight: 0.25, ..same("A/A, weight 25 %", Goal::Quiet(1.0)) },
        Cell { weight: 0.5, ..same("A/A, weight 50 %", Goal::Quiet(1.0)) },
        Cell { rate: 0.001, promote: Some(95.0..=100.0), ..same("A/A, error 0.1 %", Goal::Quiet(1.0)) },
        Cell { rate: 0.01, ..same("A/A, error 1 %", Goal::Quiet(1.0)) },
        Cell { rps: 10.0, ..same("A/A, 10 rps", Goal::Quiet(1.0)) },
        Cell { rps: 1000.0, promote: Some(95.0..=100.0), ..same("A/A, 1000 rps", Goal::Quiet(1.0)) },
        Cell { coarse: true, ..same("A/A, coarse default buckets", Goal::Quiet(1.0)) },
        Cell { noise: HEAVY, short: true, ..same("A/A, heavy bursts", Goal::Quiet(2.0)) },
        Cell { rps: 1000.0, noise: HEAVY, ..same("A/A, heavy bursts, 1000 rps", Goal::Quiet(2.0)) },
        Cell { pods: 2, ..same("A/A, one stable pod", Goal::Quiet(1.0)) },
        Cell { pods: 2, noise: HEAVY, ..same("A/A, one stable pod, heavy", Goal::Quiet(2.0)) },
        Cell {
            pods: 2,
            rate: 0.02,
            noise: ROUGH,
            short: true,
            ..same("A/A, one stable pod, rough", Goal::Quiet(2.0))
        },
        Cell {
            pods: 2,
            rate: 0.02,
            noise: ROUGH,
            unmeasured: true,
            ..same("the same, noise unmeasured", Goal::Quiet(5.0))
        },
        Cell { unmeasured: true, ..same("A/A, noise unmeasured", Goal::Quiet(1.0)) },
        Cell { unmeasured: true, noise: HEAVY, ..same("A/A, noise unmeasured, heavy", Goal::Quiet(5.0)) },
        Cell {
            unmeasured: true,
            rps: 1000.0,
            noise: HEAVY,
            ..same("A/A, noise unmeasured, 1000 rps", Goal::Quiet(5.0))
        },
        base("A/A, cold for 2 windows", Fault::Cold(2, both(0.01, 1.6)), Goal::Quiet(1.0)),
        Cell {
            short: true,
            ..base("A/A, one window of +30pp", Fault::Once(10, errors(0.3)), Goal::Quiet(1.0))
        },
        Cell {
            rps: 1000.0,
            ..base("trivial +0.1pp, x1.03, 1000 rps", Fault::From(0, both(0.001, 1.03)), Goal::Quiet(1.0))
        },
        base("half-way +0.25pp, x1.075", halfway, Goal::Quiet(5.0)),
        Cell { rps: 1000.0, ..base("half-way, 1000 rps", halfway, Goal::Quiet(5.0)) },
        Cell { rps: 1000.0, noise: HEAVY, ..base("half-way, 1000 rps, heavy", halfway, Goal::Quiet(10.0)) },
    ]
}

/// Table B: a canary that is worse. Aborts are right; promotions are not.
pub(crate) fn faulty() -> Vec<Cell> {
    let found = |least, median, most| Goal::Found { least, median, most };
    let never = Some(0.0..=0.5);
    vec![
        Cell {
            promote: Some(0.0..=6.0),
            ..base("error +0.5pp (the limit)", Fault::From(0, errors(0.005)), Goal::Shown)
        },
        Cell {
            promote: never.clone(),
            short: true,
            ..base("error +1pp", Fault::From(0, errors(0.01)), found(95.0, 11, 16))
        },
        Cell {
            promote: never.clone(),
            short: true,
            ..base("error +5pp", Fault::From(0, errors(0.05)), found(100.0, 3, 4))
        },
        base("error +1pp from window 10", Fault::From(10, errors(0.01)), found(80.0, LOOKS, LOOKS)),
        base("error +5pp from window 10", Fault::From(10, errors(0.05)), found(100.0, 5, 6)),
        Cell { rps: 20.0, ..base("error +5pp, 20 rps", Fault::From(0, errors(0.05)), Goal::Shown) },
        Cell { weight: 0.5, ..base("error +1pp, weight 50 %", Fault::From(0, errors(0.01)), Goal::Shown) },
        Cell {
            promote: Some(0.0..=6.0),
            ..base("latency x1.15 (the limit)", Fault::From(0, slower(1.15)), Goal::Shown)
        },
        Cell {
            promote: never.clone(),
            short: true,
            ..base("latency x1.30", Fault::From(0, slower(1.3)), found(99.0, 4, LOOKS))
        },
        Cell {
            promote: never.clone(),
            ..base("latency x2", Fault::From(0, slower(2.0)), found(100.0, 3, 3))
        },
        Cell {
            promote: never,
            short: true,
            ..base(
                "tail: 2 % of requests x8",
                Fault::From(0, Change { stuck: 0.02, ..UNCHANGED }),
                found(99.0, 8, LOOKS),
            )
        },
        Cell {
            unmeasured: true,
            ..base("noise unmeasured, +1pp", Fault::From(0, errors(0.01)), found(95.0, 13, 18))
        },
        Cell {
            unmeasured: true,
            ..base("noise unmeasured, +5pp", Fault::From(0, errors(0.05)), found(100.0, 4, 5))
        },
        Cell {
            unmeasured: true,
            ..base("noise unmeasured, +5pp from 10", Fault::From(10, errors(0.05)), found(100.0, 6, LOOKS))
        },
        Cell {
            unmeasured: true,
            ..base("noise unmeasured, x1.30", Fault::From(0, slower(1.3)), found(99.0, 5, LOOKS))
        },
        Cell {
            unmeasured: true,
            ..base(
                "noise unmeasured, tail x8",
                Fault::From(0, Change { stuck: 0.02, ..UNCHANGED }),
                found(99.0, 9, LOOKS),
            )
        },
        Cell { pods: 2, ..base("one stable pod, +1pp", Fault::From(0, errors(0.01)), Goal::Shown) },
        Cell {
            pods: 2,
            ..base("one stable pod, +5pp from 10", Fault::From(10, errors(0.05)), found(100.0, 6, LOOKS))
        },
        Cell { pods: 2, ..base("one stable pod, x1.30", Fault::From(0, slower(1.3)), found(99.0, 5, LOOKS)) },
        Cell {
            pods: 2,
            rate: 0.02,
            noise: ROUGH,
            ..base("one stable pod, rough, +10pp", Fault::From(0, errors(0.1)), Goal::Shown)
        },
        Cell {
            coarse: true,
            ..base("latency x1.30, coarse buckets", Fault::From(0, slower(1.3)), Goal::Shown)
        },
        Cell { noise: HEAVY, ..base("latency x1.30, heavy", Fault::From(0, slower(1.3)), Goal::Shown) },
    ]
}
