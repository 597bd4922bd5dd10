//! The life of AnalysisRuns on a virtual clock.

mod comparison;
mod hold;
mod job;
mod law;
mod life;
mod measures;
mod recorded;
mod rows;
mod secret;
mod stage;
mod told;
