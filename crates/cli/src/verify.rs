//! `verify http`: judges a bounded burst of requests against limits of error rate and latency.

mod burst;
mod limits;
mod report;
mod status;
#[cfg(test)]
mod tests;

pub use burst::{Burst, send};
pub use limits::{Limits, share};
pub use report::{Report, report, text};
pub use status::Expected;

use std::time::Duration;

/// How one request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// From sending to the last byte of the answer, or to giving up.
    pub took: Duration,
    /// What came of it.
    pub outcome: Outcome,
}

/// What comes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer with this status.
    Status(u16),
    /// None in time; how long it took is known to be at least that long.
    Late,
    /// The exchange broke off, and why; how long it took says nothing.
    Broken(String),
}
