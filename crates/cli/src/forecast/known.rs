//! What a forecast knows of a service beyond its traffic: how pods differ, where latencies are, and how a comparison is set.

use serin_analysis::judge::dispersion::ASSUMED_RHO;
use serin_analysis::judge::histogram::Histogram;
use serin_analysis::judge::power::lognormal_tail;

use super::Service;

/// The quantile of a forecast without measured latencies.
const P99: f64 = 0.99;

/// How much pods and minutes vary beyond coin tosses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Noise {
    /// Intra-cluster correlation; `None` when it was not measured, and the usual one is assumed.
    pub measured: Option<f64>,
    /// Standard deviation of lasting differences between pods, as a rate.
    pub tau: f64,
}

impl Noise {
    pub(super) fn rho(self) -> f64 {
        self.measured.unwrap_or(ASSUMED_RHO)
    }
}

/// Latencies that were measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Tail {
    /// All latencies of stable.
    pub seen: Histogram,
    /// The quantile that is forecast: the highest one that has a bound.
    pub quantile: f64,
    /// The bound that stands for it; `None` when no quantile has one.
    pub bound: Option<f64>,
    /// Noise of the requests beyond the bound.
    pub noise: Noise,
}

/// What is known, or assumed.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Noise of the error rate.
    pub errors: Noise,
    /// Noise of the business rate.
    pub business: Noise,
    /// Latencies; log-normal ones are assumed without.
    pub latency: Option<Tail>,
    /// Windows in a row that decide.
    pub consecutive: u32,
    /// Chance of a false abort.
    pub alpha: f64,
    /// Share of a limit that is harmless.
    pub kappa: f64,
    /// Limits that no traffic can test, and why.
    pub blind: Vec<String>,
}

impl Default for Known {
    /// What comparisons have when nothing else is said; nothing is measured.
    fn default() -> Self {
        Self {
            errors: Noise::default(),
            business: Noise::default(),
            latency: None,
            consecutive: 3,
            alpha: 0.05,
            kappa: 0.5,
            blind: Vec::new(),
        }
    }
}

impl Known {
    /// Share of requests beyond the bound when all of them are `slower` times as slow; `None` when the buckets cannot tell.
    pub(super) fn tail(&self, service: &Service, slower: f64) -> Option<f64> {
        match &self.latency {
            None => Some(lognormal_tail(P99, slower, service.latency_spread)),
            Some(tail) => tail.seen.survival(tail.bound? / slower),
        }
    }

    pub(super) fn latency_noise(&self) -> Noise {
        self.latency.as_ref().map(|tail| tail.noise).unwrap_or_default()
    }

    /// How a quantile is called: `p99`.
    pub(super) fn quantile(&self) -> String {
        let quantile = self.latency.as_ref().map_or(P99, |tail| tail.quantile);
        format!("p{}", (quantile * 1e6).round() / 1e4)
    }
}
