//! `compare`: judges canary against stable over the windows that have just passed, by the judge of an AnalysisRun.
//!
//! An AnalysisRun that is never stored is taken through its life by the same functions that the controller uses, with a
//! beginning in the past; so that a verdict here is the verdict that a rollout would have got.

mod report;
mod run;
#[cfg(test)]
mod tests;

pub use report::{Outcome, Report, report, text};
pub use run::{Asked, Question, only_comparisons, run_in_the_past};
