//! Judges a canary against the stable revision with statistics alone: numbers in, numbers out, no clock, no client.
//!
//! [`error_rate::look`] is what an analysis run calls once per window; everything else is a building block of it, of
//! the latency metrics, or of `plan` and `lint`. "judge 1.7" cites a section of the design note, `judge.md`.
//!
//! # Guarantees
//! No function here panics or reads a clock, and the same build gives the same bits for the same input. "Nothing can
//! be said" (an empty arm, no error at all) is always a value of its own, never a p of 1 and never a NaN.

pub mod buckets;
pub mod business;
pub mod combine;
pub mod course;
pub mod difference;
pub mod dispersion;
pub mod error_rate;
pub mod evidence;
pub mod exact;
pub mod histogram;
pub mod latency;
pub mod location;
pub mod look;
pub mod mann_whitney;
pub mod margin;
pub mod mean;
pub mod normal;
pub mod once;
pub mod placement;
pub mod power;
pub mod process;
pub mod proportion;
pub mod quantile;
mod reason;
pub mod residual;
pub mod restricted;
pub mod tail;
pub mod tally;
pub mod two_by_two;
pub mod window;
