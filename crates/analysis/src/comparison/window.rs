//! The counts of one window as the status keeps them, whatever is compared.

use serde::{Deserialize, Serialize};
use serin_api::Measurement;

use crate::judge::{error_rate, latency, mean, quantile};

/// Key of a measurement's metadata that holds the counts of its window.
pub(crate) const WINDOW: &str = "window";

/// The counts of both arms between two instants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Window {
    /// Requests, and how many of them failed (or succeeded, for a business rate).
    Rates(error_rate::Window),
    /// Latency buckets.
    Latency(latency::Window),
    /// Sums of a value.
    Means(mean::Window),
}

impl Window {
    /// Start, seconds since 1970.
    pub fn start(&self) -> i64 {
        match self {
            Self::Rates(window) => window.start,
            Self::Latency(window) => window.start,
            Self::Means(window) => window.start,
        }
    }

    /// End, seconds since 1970.
    pub fn end(&self) -> i64 {
        match self {
            Self::Rates(window) => window.end,
            Self::Latency(window) => window.end,
            Self::Means(window) => window.end,
        }
    }

    /// Requests of the canary.
    pub(crate) fn canary_trials(&self) -> f64 {
        match self {
            Self::Rates(window) => window.canary.requests,
            Self::Latency(window) => window.canary.counts.iter().sum(),
            Self::Means(window) => window.canary.sum.trials,
        }
    }

    /// Both arms in a few words.
    pub(crate) fn shown(&self, unit: &str) -> String {
        let (canary, stable) = match self {
            Self::Rates(window) => (share(window.canary), share(window.stable)),
            Self::Latency(window) => {
                (quantiles(window, &window.canary, unit), quantiles(window, &window.stable, unit))
            }
            Self::Means(window) => (mean(window.canary), mean(window.stable)),
        };
        format!("canary {canary} stable {stable}")
    }
}

/// The window whose counts a measurement holds.
pub(crate) fn window_of(measurement: &Measurement) -> Option<Window> {
    serde_json::from_str(measurement.metadata.get(WINDOW)?).ok()
}

const IDLE: &str = "without requests";

fn share(arm: error_rate::Arm) -> String {
    arm.tally().rate().map_or(IDLE.to_owned(), |rate| format!("{:.2}%", rate * 100.0))
}

fn mean(values: mean::Values) -> String {
    values.sum.rate().map_or("without values".to_owned(), |mean| format!("{mean:.4}"))
}

fn quantiles(window: &latency::Window, arm: &latency::Buckets, unit: &str) -> String {
    if arm.counts.iter().sum::<f64>() <= 0.0 {
        return IDLE.to_owned();
    }
    let mut below = 0.0;
    let cumulative: Vec<f64> = arm
        .counts
        .iter()
        .map(|count| {
            below += count;
            below
        })
        .collect();
    let at = |q: f64| {
        let value = quantile::classic(q, &window.bounds, &cumulative);
        format!("{value:.4}{unit}")
    };
    format!("p50 {} p95 {} p99 {}", at(0.5), at(0.95), at(0.99))
}
