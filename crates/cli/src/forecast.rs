//! `plan`: how long each step of a rollout must last before its verdict can be expected, at a given traffic.

mod course;
mod known;
mod table;
#[cfg(test)]
mod tests;

pub use course::{Stay, stays};
pub use known::{Known, Noise, Tail};
pub use table::{Forecast, text};

use serde::Serialize;
use serin_analysis::judge::dispersion::factor;
use serin_analysis::judge::power::{Traffic, delay, promotion, shown};

/// The service as it is now, and what is asked of the judge.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Requests a second, of all revisions.
    pub requests_per_second: f64,
    /// Share of them that fails today.
    pub error_rate: f64,
    /// Pods in all.
    pub pods: u32,
    /// Length of a window in seconds.
    pub window: f64,
    /// Metrics that share one alpha.
    pub metrics: u32,
    /// Standard deviation of the logarithm of latencies.
    pub latency_spread: f64,
    /// Share of requests that convert, when a business rate is compared.
    pub conversion: Option<f64>,
}

/// The faults to be seen, and the limits to be kept, as shares.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    /// Errors more than stable's that must be seen: 0.01 is +1 pp.
    pub see_errors: f64,
    /// Slowdown that must be seen: 0.3 is +30 %.
    pub see_slowdown: f64,
    /// Limit of the error rate.
    pub error_limit: f64,
    /// Limit of latencies.
    pub latency_limit: f64,
    /// Limit of business rates.
    pub business_limit: f64,
}

impl Default for Wanted {
    /// The limits that comparisons have when nothing else is said; faults of twice these limits.
    fn default() -> Self {
        Self {
            see_errors: 0.01,
            see_slowdown: 0.30,
            error_limit: 0.005,
            latency_limit: 0.15,
            business_limit: 0.02,
        }
    }
}

/// Seconds until a verdict can be expected with probability 80 %; `None`: never.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Times {
    /// Until the errors are seen.
    pub errors_seen: Option<f64>,
    /// Until an unchanged error rate is shown to be within its limit.
    pub errors_shown: Option<f64>,
    /// Until the slowdown is seen at p99.
    pub slowdown_seen: Option<f64>,
    /// Until unchanged latencies are shown to be within their limit at p99.
    pub latency_shown: Option<f64>,
    /// Until an unchanged business rate is shown to be within its limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_shown: Option<Option<f64>>,
}

/// What a weight of `share` (0 to 1) can tell, and when.
pub fn times(service: &Service, wanted: &Wanted, known: &Known, share: f64) -> Times {
    let all = service.requests_per_second * service.window;
    let pods = f64::from(service.pods);
    let canary_pods = ((pods * share).ceil() as u32).max(1);
    let stable_pods = ((pods * (1.0 - share)).ceil() as u32).max(1);
    let (canary, stable) = (all * share, all * (1.0 - share));
    let inverse_pods = 1.0 / f64::from(canary_pods) + 1.0 / f64::from(stable_pods);
    let at = |rate: f64, noise: Noise| {
        let phi = (factor(canary, canary_pods, noise.rho()), factor(stable, stable_pods, noise.rho()));
        Traffic { canary, stable, rate, phi }
    };
    let rules = (known.consecutive, service.metrics, known.alpha);
    let seconds = |windows: f64| windows.ceil().max(1.0) * service.window;
    let seen = |traffic, by, margin| delay(traffic, by, margin, rules).map(|delay| seconds(delay.most));
    // What pods differ by for ever is no fault of the canary.
    let margin = |limit: f64, noise: Noise| (known.kappa * limit).max(noise.tau * inverse_pods.sqrt());
    let errors = at(service.error_rate, known.errors);
    Times {
        errors_seen: seen(errors, wanted.see_errors, margin(wanted.error_limit, known.errors)),
        errors_shown: promotion(errors, wanted.error_limit, known.errors.tau, inverse_pods)
            .filter(|_| canary > 0.0 && stable > 0.0)
            .map(seconds),
        slowdown_seen: known.tail(service, 1.0).and_then(|equal| {
            let harmless = known.tail(service, (1.0 + wanted.latency_limit).powf(known.kappa))?;
            let slow = known.tail(service, 1.0 + wanted.see_slowdown)?;
            let noise = known.latency_noise();
            let beyond = margin(0.0, noise) - (harmless - equal);
            seen(at(harmless, noise), slow - harmless, beyond.max(0.0))
        }),
        latency_shown: known.tail(service, 1.0).and_then(|equal| {
            let limit = known.tail(service, 1.0 + wanted.latency_limit)?;
            let noise = known.latency_noise();
            shown(at(limit, noise), limit - equal, noise.tau, inverse_pods).map(seconds)
        }),
        business_shown: service.conversion.map(|rate| {
            let room = wanted.business_limit * rate;
            shown(at(rate, known.business), room, known.business.tau, inverse_pods).map(seconds)
        }),
    }
}
