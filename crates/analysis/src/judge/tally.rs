//! How many of how many: the two numbers that every proportion in the judge is made of.

use super::exact;
use serde::{Deserialize, Serialize};

/// `events` (errors, or slow requests) among `trials` (requests) of one arm. Fractions are allowed: `increase()`
/// extrapolates, and dividing by a dispersion factor makes effective counts (Rao and Scott 1992).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Requests that count against the arm; `0 <= events <= trials`.
    #[serde(with = "exact")]
    pub events: f64,
    /// All requests of the arm.
    #[serde(with = "exact")]
    pub trials: f64,
}

impl Tally {
    /// `events` among `trials`, unchecked: the caller has validated its numbers (`window::Window::checked`).
    pub const fn new(events: f64, trials: f64) -> Self {
        Self { events, trials }
    }

    /// No request at all: such an arm carries no information.
    pub fn is_empty(self) -> bool {
        self.trials <= 0.0
    }

    /// `events / trials`, or `None` for an empty arm.
    pub fn rate(self) -> Option<f64> {
        (!self.is_empty()).then(|| self.events / self.trials)
    }

    /// Requests that do not count against the arm.
    pub fn rest(self) -> f64 {
        self.trials - self.events
    }

    /// Effective counts: both numbers divided by the dispersion factor `phi >= 1` (judge 1.2).
    pub fn thinned(self, phi: f64) -> Self {
        Self::new(self.events / phi, self.trials / phi)
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.trials += other.trials;
    }
}
