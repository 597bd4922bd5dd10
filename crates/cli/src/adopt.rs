//! `adopt --check`: says per Rollout what would happen if Serin took it over now, by `plan` on what is observed.
//!
//! Nothing is written. The first plan of Serin's controller is made here by the same function from the same facts.

pub(crate) mod observe;
mod report;
#[cfg(test)]
mod tests;

pub use report::{Check, Lease, Report, check, text};
