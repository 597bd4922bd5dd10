//! `compare`: judges canary against stable over the windows that have just passed, by the judge of an AnalysisRun.
//!
//! An AnalysisRun that is never stored is taken through its life by the same functions that the controller uses, with a
//! beginning in the past; so that a verdict here is the verdict that a rollout would have got.

mod report;
mod run;
mod stretch;
#[cfg(test)]
mod tests;
mod weight;

pub use report::{Compared, Outcome, Report, Stretch, report, text};
pub use run::{Asked, Past, Question, only_comparisons, run_in_the_past};
pub use weight::Weight;
