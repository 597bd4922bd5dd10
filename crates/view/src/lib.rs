//! Reads rollouts for people: what the command line and the dashboard both say and send.
//!
//! Pure functions of the objects seen; no clock, no client.

pub mod change;
pub mod object;
pub mod phase;
pub mod pod;
#[cfg(any(test, feature = "sample"))]
pub mod sample;
pub mod step;
pub mod template;
