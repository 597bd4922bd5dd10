//! A service of ten pods that misbehaves without any change (judge 2): load, errors and latencies, window after window.

use super::dice::Dice;
use super::record::{Moment, Record};
use crate::judge::latency::Buckets;
use crate::judge::normal::upper_tail;
use crate::judge::tally::Tally;

/// Pods of a simulated service, unless something else is asked for.
pub const PODS: usize = 10;

/// Errors of a pod in a window above which they are drawn from a normal distribution.
const MANY: f64 = 5000.0;

/// What a service is like without any change.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Requests a second, of all pods.
    pub rps: f64,
    /// Share of them that fails.
    pub rate: f64,
    /// Pods, the canary's among them; at least 2.
    pub pods: usize,
    /// How it misbehaves.
    pub noise: Noise,
    /// Bucket bounds of its latencies, seconds; empty: latencies are not simulated.
    pub ladder: Vec<f64>,
    /// Length of a window in seconds.
    pub window: f64,
    /// Windows whose load, error rate and latencies are played instead of made-up ones. Of the noise, only that of single
    /// pods is added: the rest is in the record.
    pub record: Option<Record>,
}

/// How a service misbehaves without any change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// Standard deviation of the logarithm of the shared error level, and its lag-1 correlation.
    pub shared: (f64, f64),
    /// Coefficient of variation of a pod's rate in one window, and its lag-1 correlation.
    pub pod_window: (f64, f64),
    /// Coefficient of variation between pods that lasts.
    pub pod: f64,
    /// Share of pod-windows with a burst, and its largest height (rate).
    pub burst: (f64, f64),
    /// The same of latencies, as shares: all pods together, a pod in one window, a pod for ever.
    pub latency: (f64, f64, f64),
}

/// Every pod alike, at any time.
pub const NONE: Noise = Noise {
    shared: (0.0, 0.0),
    pod_window: (0.0, 0.0),
    pod: 0.0,
    burst: (0.0, 0.0),
    latency: (0.0, 0.0, 0.0),
};
/// As most services.
pub const MODERATE: Noise = Noise {
    shared: (0.3, 0.8),
    pod_window: (0.5, 0.0),
    pod: 0.1,
    burst: (0.01, 0.02),
    latency: (0.05, 0.03, 0.02),
};
/// Bursts and pods that differ much.
pub const HEAVY: Noise = Noise {
    shared: (0.5, 0.8),
    pod_window: (1.0, 0.5),
    pod: 0.2,
    burst: (0.01, 0.10),
    latency: (0.10, 0.06, 0.03),
};

/// As [`HEAVY`], with pods that are alike in the long run: one pod of each revision can be told apart from chance at all.
pub const ROUGH: Noise = Noise { pod: 0.0, latency: (0.10, 0.06, 0.0), ..HEAVY };

/// Median and spread of the latencies, seconds.
const MEDIAN: f64 = 0.08;
const SIGMA: f64 = 0.6;

/// Bucket bounds, each a fifth above the one before; or those of Prometheus' clients.
pub fn ladder(coarse: bool) -> Vec<f64> {
    if coarse {
        return vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, f64::INFINITY];
    }
    (0..32).map(|rung| 0.01 * 1.19_f64.powi(rung)).chain([f64::INFINITY]).collect()
}

/// What one pod did in one window.
pub struct Pod {
    /// Failed requests of all.
    pub errors: Tally,
    /// Requests per bucket of the ladder.
    pub buckets: Vec<f64>,
}

/// A change of the canary in one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Added to the error rate.
    pub errors: f64,
    /// All latencies take so many times as long.
    pub slower: f64,
    /// This share of requests takes eight times as long.
    pub stuck: f64,
}

/// The canary is like the others.
pub const UNCHANGED: Change = Change { errors: 0.0, slower: 1.0, stuck: 0.0 };

/// What tells a pod from the others: its level now, and what lasts, in errors and in latencies.
struct Own {
    level: f64,
    lasting: f64,
    slow: f64,
}

/// One window of all pods together: requests, share that fails, factor of all latencies, and what was recorded.
struct Now<'a> {
    requests: f64,
    rate: f64,
    slow: f64,
    moment: Option<&'a Moment>,
}

impl Now<'_> {
    /// Share of requests that take longer.
    fn slower_than(&self, bound: f64) -> f64 {
        match self.moment {
            Some(moment) => moment.slower_than(bound),
            None => upper_tail((bound / MEDIAN).ln() / SIGMA),
        }
    }
}

/// The pods of a service; the first one is the canary once the rollout starts.
pub struct Fleet<'a> {
    service: &'a Service,
    dice: Dice,
    load: f64,
    shared: f64,
    slow: f64,
    pods: Vec<Own>,
    /// Place in the record, and the dice that say where to go on.
    place: usize,
    walk: Dice,
}

impl<'a> Fleet<'a> {
    /// A fleet that has been running for a while. Fleets of the same `walk` pass through their records together.
    pub fn new(service: &'a Service, seed: u64, walk: u64) -> Self {
        let mut dice = Dice::new(seed);
        let noise = service.noise;
        let mut draw =
            |spread: f64| -> Vec<f64> { (0..service.pods).map(|_| spread * dice.normal()).collect() };
        let (levels, lasting, slow) = (draw(1.0), draw(log_spread(noise.pod)), draw(noise.latency.2));
        let pods = levels.into_iter().zip(lasting).zip(slow);
        let pods = pods.map(|((level, lasting), slow)| Own { level, lasting, slow }).collect();
        let (load, shared, slow) = (dice.normal(), dice.normal(), dice.normal());
        Self { service, dice, load, shared, slow, pods, place: 0, walk: Dice::new(!walk) }
    }

    /// What each pod does in the next window; `change` is the first one's, which gets `weight` (0 to 1) of all requests.
    pub fn window(&mut self, change: Change, weight: f64) -> Vec<Pod> {
        let now = self.now();
        let mut pods = std::mem::take(&mut self.pods);
        let did = pods.iter_mut().enumerate().map(|(pod, own)| {
            let share = if pod == 0 { weight } else { (1.0 - weight) / (self.service.pods as f64 - 1.0) };
            let change = if pod == 0 { change } else { UNCHANGED };
            self.pod(own, now.requests * share, &now, change)
        });
        let did = did.collect();
        self.pods = pods;
        did
    }

    /// The next window of all pods together.
    fn now(&mut self) -> Now<'a> {
        let service = self.service;
        if let Some(record) = &service.record {
            self.place = record.next(self.place, &mut self.walk);
            if let Some(moment) = record.at(self.place) {
                let rate = moment.rate.unwrap_or(0.0);
                return Now { requests: moment.rps * service.window, rate, slow: 1.0, moment: Some(moment) };
            }
        }
        let noise = service.noise;
        self.load = step(self.load, 0.8, &mut self.dice);
        self.shared = step(self.shared, noise.shared.1, &mut self.dice);
        self.slow = step(self.slow, 0.8, &mut self.dice);
        Now {
            requests: service.rps * service.window * level(0.1, self.load),
            rate: service.rate * level(noise.shared.0, self.shared),
            slow: (noise.latency.0 * self.slow).exp(),
            moment: None,
        }
    }

    fn pod(&mut self, own: &mut Own, requests: f64, now: &Now<'_>, change: Change) -> Pod {
        let noise = self.service.noise;
        own.level = step(own.level, noise.pod_window.1, &mut self.dice);
        let spread = log_spread(noise.pod_window.0);
        let lasting = (own.lasting - log_spread(noise.pod).powi(2) / 2.0).exp();
        let burst =
            if self.dice.uniform() < noise.burst.0 { noise.burst.1 * self.dice.uniform() } else { 0.0 };
        let p = (now.rate * level(spread, own.level) * lasting + burst + change.errors).clamp(0.0, 1.0);
        let trials = self.dice.poisson(requests);
        let failed =
            if trials * p > MANY { self.dice.many(trials, p) } else { self.dice.binomial(trials, p) };
        let errors = Tally::new(failed, trials);
        let pace = now.slow * (own.slow + noise.latency.1 * self.dice.normal()).exp();
        let buckets = self.buckets(trials, now, pace * change.slower, change.stuck);
        Pod { errors, buckets }
    }

    /// Counts per bucket: for each bucket what is left is divided by a binomial draw.
    fn buckets(&mut self, trials: f64, now: &Now<'_>, pace: f64, stuck: f64) -> Vec<f64> {
        let above = |bound: f64| {
            (1.0 - stuck) * now.slower_than(bound / pace) + stuck * now.slower_than(bound / (8.0 * pace))
        };
        let (mut left, mut share) = (trials, 1.0);
        let ladder = &self.service.ladder;
        ladder
            .iter()
            .map(|bound| {
                let next = if bound.is_infinite() { 0.0 } else { above(*bound) };
                let inside = if share > 0.0 { ((share - next) / share).clamp(0.0, 1.0) } else { 1.0 };
                let count = self.dice.many(left, inside);
                left -= count;
                share = next;
                count
            })
            .collect()
    }
}

/// Failed requests of all, of all pods together.
pub fn errors(pods: &[Pod]) -> Tally {
    pods.iter().fold(Tally::default(), |mut all, pod| {
        all += pod.errors;
        all
    })
}

/// Requests per bucket, of all pods together.
pub fn buckets(pods: &[Pod]) -> Buckets {
    let ladder = pods.first().map_or(0, |pod| pod.buckets.len());
    let counts = (0..ladder).map(|rung| pods.iter().filter_map(|pod| pod.buckets.get(rung)).sum()).collect();
    Buckets { counts, pods: pods.len() as u32 }
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
