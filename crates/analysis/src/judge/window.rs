//! The counts of one window and the settings of one metric, and what makes either unusable.

use super::course::Rule;
use super::exact;
use super::tally::Tally;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The counts of one arm in one window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// Requests; fractions are fine, `increase()` extrapolates.
    #[serde(with = "exact")]
    pub requests: f64,
    /// Failed requests, at most `requests`.
    #[serde(with = "exact")]
    pub errors: f64,
    /// Pods that served them; 0 = unknown, counts as one pod (the cautious side).
    pub pods: u32,
}

impl Arm {
    /// Errors among requests.
    pub fn tally(self) -> Tally {
        Tally::new(self.errors, self.requests)
    }

    /// The same counts with rounding excess removed (`errors` above `requests` by less than 1e-9).
    ///
    /// # Errors
    /// When a number is NaN, infinite or negative, or there are more errors than requests.
    fn checked(self, side: Side) -> Result<Self, Rejected> {
        for (field, value) in [("requests", self.requests), ("errors", self.errors)] {
            if !value.is_finite() || value < 0.0 {
                return Err(Rejected::Value { side, field, value });
            }
        }
        if self.errors > self.requests * (1.0 + 1e-9) {
            return Err(Rejected::MoreErrorsThanRequests {
                side,
                errors: self.errors,
                requests: self.requests,
            });
        }
        Ok(Self { errors: self.errors.min(self.requests), ..self })
    }
}

/// The counts of both arms between two instants. Windows tile: they never overlap.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Start, seconds since 1970.
    pub start: i64,
    /// End, seconds since 1970; after `start`.
    pub end: i64,
    /// The new revision.
    pub canary: Arm,
    /// The revision it replaces.
    pub stable: Arm,
}

impl Window {
    /// The window with its counts validated. `last_end` = end of the last window that was taken.
    ///
    /// # Errors
    /// A [`Rejected`] that shows the offending value.
    pub fn checked(self, last_end: Option<i64>) -> Result<Self, Rejected> {
        Rejected::unless_tiling(self.start, self.end, last_end)?;
        Ok(Self {
            canary: self.canary.checked(Side::Canary)?,
            stable: self.stable.checked(Side::Stable)?,
            ..self
        })
    }
}

/// What counts as worse, and how sure one wants to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The limit M: largest acceptable `canary - stable`, as a rate in `(0, 1)` (0.005 = +0.5 pp).
    pub limit: f64,
    /// Sensitivity in `[0, 1]`: a difference up to `kappa * limit` is harmless. 1 strict, 0.5 balanced, 0 sensitive.
    pub kappa: f64,
    /// Probability of a false abort of the whole rollout, all metrics, steps and looks together; in `(0, 1)`.
    pub alpha: f64,
    /// N: this many windows in a row must be beyond the limit; at least 1.
    pub consecutive: u32,
    /// K: metrics judged in this rollout; at least 1.
    pub metrics: u32,
    /// Intra-cluster correlation from history (`dispersion::measure`), in `[0, 1]`; `None` = not measured, 0.002 is
    /// assumed and the reason says so.
    pub rho: Option<f64>,
    /// Persistent standard deviation between pods, as a rate; 0 when unknown.
    pub tau: f64,
    /// Stable counts before the rollout; `None` or no requests = unknown.
    pub history: Option<Arm>,
    /// What a FAIL needs while the noise is not known from history.
    pub assumption: Assumption,
}

/// What is made of the noise that is assumed, while none was measured before the rollout (`rho` is `None`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assumption {
    /// It is believed. Evidence that began before [`Checked`](Self::Checked) was there goes on like this.
    Believed,
    /// A FAIL needs, besides, that the windows by their own spread show the canary to be worse than harmless.
    Checked,
}

/// By how much the level of [`Settings::level`] is below the question's share of alpha: it is asked at many looks, and
/// windows of one service hang together.
const STRICTER: f64 = 3.0;

impl Default for Settings {
    /// +0.5 pp, balanced, 5 %, 3 windows in a row, one metric, nothing known from history.
    fn default() -> Self {
        Self {
            limit: 0.005,
            kappa: 0.5,
            alpha: 0.05,
            consecutive: 3,
            metrics: 1,
            rho: None,
            tau: 0.0,
            history: None,
            assumption: Assumption::Checked,
        }
    }
}

impl Settings {
    /// The part that all questions of a rollout share.
    pub fn rule(&self) -> Rule {
        Rule { alpha: self.alpha, consecutive: self.consecutive, metrics: self.metrics }
    }

    /// What the windows' own spread must show before a FAIL: a p of at most this. `None` = nothing.
    pub(super) fn level(&self) -> Option<f64> {
        let checked = self.rho.is_none() && self.assumption == Assumption::Checked;
        checked.then(|| self.alpha / f64::from(self.metrics) / STRICTER)
    }

    /// # Errors
    /// [`Rejected::Setting`] with the name and value of the first setting out of range.
    pub fn check(&self) -> Result<(), Rejected> {
        let open = |value: f64| value > 0.0 && value < 1.0;
        let closed = |value: f64| (0.0..=1.0).contains(&value);
        let rho = self.rho.unwrap_or(0.0);
        let ranges = [
            ("limit", self.limit, open(self.limit), "above 0 and below 1"),
            ("kappa", self.kappa, closed(self.kappa), "from 0 to 1"),
            ("alpha", self.alpha, open(self.alpha), "above 0 and below 1"),
            ("consecutive", f64::from(self.consecutive), self.consecutive > 0, "at least 1"),
            ("metrics", f64::from(self.metrics), self.metrics > 0, "at least 1"),
            ("rho", rho, closed(rho), "from 0 to 1"),
            ("tau", self.tau, closed(self.tau), "from 0 to 1"),
        ];
        match ranges.into_iter().find(|(_, _, good, _)| !good) {
            Some((name, value, _, range)) => Err(Rejected::Setting { name, value, range }),
            None => self.history.map_or(Ok(()), |arm| arm.checked(Side::History).map(drop)),
        }
    }
}

/// Whose number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The new revision.
    Canary,
    /// The revision it replaces.
    Stable,
    /// Stable counts before the rollout.
    History,
}

impl std::fmt::Display for Side {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(match self {
            Self::Canary => "canary",
            Self::Stable => "stable",
            Self::History => "history",
        })
    }
}

/// Why a window was not taken: a measurement error, never evidence. The state stays as it was.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Rejected {
    /// NaN, infinite or negative.
    #[error("{side} {field} is {value}: not a count")]
    Value {
        /// Whose number.
        side: Side,
        /// `requests` or `errors`.
        field: &'static str,
        /// The number.
        value: f64,
    },
    /// The error query counts what the request query does not.
    #[error(
        "{side} has {errors} errors in {requests} requests: the two queries do not count the same requests"
    )]
    MoreErrorsThanRequests {
        /// Whose numbers.
        side: Side,
        /// Errors.
        errors: f64,
        /// Requests.
        requests: f64,
    },
    /// A window without length.
    #[error("the window ends at {end}, not after its start at {start}")]
    Backwards {
        /// Seconds since 1970.
        start: i64,
        /// Seconds since 1970.
        end: i64,
    },
    /// Part of the window was judged already; counting it again would double the evidence.
    #[error("the window starts at {start}, before the end of the last one at {last_end}")]
    Overlap {
        /// Seconds since 1970.
        start: i64,
        /// Seconds since 1970.
        last_end: i64,
    },
    /// Buckets that are no ladder.
    #[error("{side} buckets are no ladder: bounds must ascend from above 0 to +Inf, with one count each")]
    Ladder {
        /// Whose buckets.
        side: Side,
    },
    /// A window of another kind than the question.
    #[error("the window holds other counts than the question needs")]
    Foreign,
    /// A setting out of its range.
    #[error("{name} is {value}, must be {range}")]
    Setting {
        /// Which one.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What is allowed.
        range: &'static str,
    },
}

impl Rejected {
    /// Nothing when a window from `start` to `end` may follow one that ended at `last_end`.
    ///
    /// # Errors
    /// [`Rejected::Backwards`] or [`Rejected::Overlap`].
    pub(super) fn unless_tiling(start: i64, end: i64, last_end: Option<i64>) -> Result<(), Self> {
        if end <= start {
            return Err(Self::Backwards { start, end });
        }
        match last_end.filter(|last_end| start < *last_end) {
            Some(last_end) => Err(Self::Overlap { start, last_end }),
            None => Ok(()),
        }
    }
}
