//! A service of ten pods that misbehaves without any change (judge 2): load, errors and latencies, window after window.

use serin_analysis::judge::latency::Buckets;
use serin_analysis::judge::tally::Tally;

use crate::cell::Cell;
use crate::dice::Dice;

pub(crate) const PODS: usize = 10;
pub(crate) const SECONDS: f64 = 60.0;

/// How a service misbehaves without any change.
#[derive(Clone, Copy)]
pub(crate) struct Noise {
    /// Standard deviation of the logarithm of the shared error level, and its lag-1 correlation.
    pub(crate) shared: (f64, f64),
    /// Coefficient of variation of a pod's rate in one window, and its lag-1 correlation.
    pub(crate) pod_window: (f64, f64),
    /// Coefficient of variation between pods that lasts.
    pub(crate) pod: f64,
    /// Share of pod-windows with a burst, and its largest height (rate).
    pub(crate) burst: (f64, f64),
    /// The same of latencies, as shares: all pods together, a pod in one window, a pod for ever.
    pub(crate) latency: (f64, f64, f64),
}

pub(crate) const NONE: Noise = Noise {
    shared: (0.0, 0.0),
    pod_window: (0.0, 0.0),
    pod: 0.0,
    burst: (0.0, 0.0),
    latency: (0.0, 0.0, 0.0),
};
pub(crate) const MODERATE: Noise = Noise {
    shared: (0.3, 0.8),
    pod_window: (0.5, 0.0),
    pod: 0.1,
    burst: (0.01, 0.02),
    latency: (0.05, 0.03, 0.02),
};
pub(crate) const HEAVY: Noise = Noise {
    shared: (0.5, 0.8),
    pod_window: (1.0, 0.5),
    pod: 0.2,
    burst: (0.01, 0.10),
    latency: (0.10, 0.06, 0.03),
};

/// Median and spread of the latencies, seconds.
const MEDIAN: f64 = 0.08;
const SIGMA: f64 = 0.6;

/// Bucket bounds, each a fifth above the one before; or those of Prometheus' clients.
pub(crate) fn ladder(coarse: bool) -> Vec<f64> {
    if coarse {
        return vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, f64::INFINITY];
    }
    (0..32).map(|rung| 0.01 * 1.19_f64.powi(rung)).chain([f64::INFINITY]).collect()
}

/// What one pod did in one window.
pub(crate) struct Pod {
    pub(crate) errors: Tally,
    pub(crate) buckets: Vec<f64>,
}

/// A change of the canary in one window.
#[derive(Clone, Copy)]
pub(crate) struct Change {
    /// Added to the error rate.
    pub(crate) errors: f64,
    /// All latencies take so many times as long.
    pub(crate) slower: f64,
    /// This share of requests takes eight times as long.
    pub(crate) stuck: f64,
}

pub(crate) const UNCHANGED: Change = Change { errors: 0.0, slower: 1.0, stuck: 0.0 };

/// A fleet of [`PODS`] pods; the first one is the canary once the rollout starts.
pub(crate) struct Fleet<'a> {
    cell: &'a Cell,
    ladder: Vec<f64>,
    dice: Dice,
    load: f64,
    shared: f64,
    slow: f64,
    own: [f64; PODS],
    lasting: [f64; PODS],
    lasting_slow: [f64; PODS],
}

impl<'a> Fleet<'a> {
    pub(crate) fn new(cell: &'a Cell, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let noise = cell.noise;
        let mut draw = |spread: f64| std::array::from_fn(|_| spread * dice.normal());
        let (own, lasting, lasting_slow) = (draw(1.0), draw(log_spread(noise.pod)), draw(noise.latency.2));
        let (load, shared, slow) = (dice.normal(), dice.normal(), dice.normal());
        let ladder = ladder(cell.coarse);
        Self { cell, ladder, load, shared, slow, dice, own, lasting, lasting_slow }
    }

    /// What each pod does in the next window; `change` is the first one's, which gets `weight` of all requests.
    pub(crate) fn window(&mut self, change: Change, weight: f64) -> Vec<Pod> {
        let noise = self.cell.noise;
        self.load = step(self.load, 0.8, &mut self.dice);
        self.shared = step(self.shared, noise.shared.1, &mut self.dice);
        self.slow = step(self.slow, 0.8, &mut self.dice);
        let requests = self.cell.rps * SECONDS * level(0.1, self.load);
        let rate = self.cell.rate * level(noise.shared.0, self.shared);
        let slow = (noise.latency.0 * self.slow).exp();
        (0..PODS)
            .map(|pod| {
                let share = if pod == 0 { weight } else { (1.0 - weight) / (PODS as f64 - 1.0) };
                let change = if pod == 0 { change } else { UNCHANGED };
                self.pod(pod, requests * share, (rate, slow), change)
            })
            .collect()
    }

    fn pod(&mut self, pod: usize, requests: f64, (rate, slow): (f64, f64), change: Change) -> Pod {
        let noise = self.cell.noise;
        self.own[pod] = step(self.own[pod], noise.pod_window.1, &mut self.dice);
        let spread = log_spread(noise.pod_window.0);
        let lasting = (self.lasting[pod] - log_spread(noise.pod).powi(2) / 2.0).exp();
        let burst =
            if self.dice.uniform() < noise.burst.0 { noise.burst.1 * self.dice.uniform() } else { 0.0 };
        let p = (rate * level(spread, self.own[pod]) * lasting + burst + change.errors).min(1.0);
        let trials = self.dice.poisson(requests);
        let errors = Tally::new(self.dice.binomial(trials, p), trials);
        let pace = slow * (self.lasting_slow[pod] + noise.latency.1 * self.dice.normal()).exp();
        let buckets = self.buckets(trials, pace * change.slower, change.stuck);
        Pod { errors, buckets }
    }

    /// Counts per bucket: for each bucket what is left is divided by a binomial draw.
    fn buckets(&mut self, trials: f64, pace: f64, stuck: f64) -> Vec<f64> {
        let above = |bound: f64| {
            (1.0 - stuck) * tail((bound / (MEDIAN * pace)).ln() / SIGMA)
                + stuck * tail((bound / (8.0 * MEDIAN * pace)).ln() / SIGMA)
        };
        let (mut left, mut share) = (trials, 1.0);
        let ladder = std::mem::take(&mut self.ladder);
        let counts = ladder
            .iter()
            .map(|bound| {
                let next = if bound.is_infinite() { 0.0 } else { above(*bound) };
                let inside = if share > 0.0 { ((share - next) / share).clamp(0.0, 1.0) } else { 1.0 };
                let count = self.dice.many(left, inside);
                left -= count;
                share = next;
                count
            })
            .collect();
        self.ladder = ladder;
        counts
    }
}

/// All pods together.
pub(crate) fn errors(pods: &[Pod]) -> Tally {
    pods.iter().fold(Tally::default(), |mut all, pod| {
        all += pod.errors;
        all
    })
}

/// All pods together.
pub(crate) fn buckets(pods: &[Pod]) -> Buckets {
    let ladder = pods.first().map_or(0, |pod| pod.buckets.len());
    let counts = (0..ladder).map(|rung| pods.iter().map(|pod| pod.buckets[rung]).sum()).collect();
    Buckets { counts, pods: pods.len() as u32 }
}

fn tail(z: f64) -> f64 {
    serin_analysis::judge::normal::upper_tail(z)
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
