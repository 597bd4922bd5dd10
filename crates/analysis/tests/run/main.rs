//! The life of AnalysisRuns on a virtual clock.

mod comparison;
mod dry_run;
mod evidence;
mod hold;
mod job;
mod law;
mod life;
mod measures;
mod recorded;
mod rows;
mod scraped;
mod secret;
mod silence;
mod stage;
mod told;
