//! What a burst is held against.

use std::time::Duration;

/// Limits of a burst; a value at its limit keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Largest share of requests that fail, 0 to 1.
    pub error_rate: f64,
    /// Largest median latency.
    pub p50: Option<Duration>,
    /// Largest latency of the fastest 95 %.
    pub p95: Option<Duration>,
    /// Largest latency of the fastest 99 %.
    pub p99: Option<Duration>,
}

/// A share: `1%`, `0.5 %` or `0.005`.
///
/// # Errors
/// Something else, or more than all.
pub fn share(text: &str) -> Result<f64, String> {
    let number = match text.trim().strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.trim().parse::<f64>(),
    };
    match number {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        Ok(_) => Err(format!("\"{text}\" is no share; give one from 0% to 100%, such as 1% or 0.01")),
        Err(_) => Err("expected a share such as 1% or 0.01".to_owned()),
    }
}
