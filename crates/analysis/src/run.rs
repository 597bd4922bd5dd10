//! Decides how an AnalysisRun goes on: what to ask now, and what the answers make of its status.

use jiff::Timestamp;
use serin_api::{AnalysisRun, AnalysisRunStatus};
use serin_core::journal::Event;

use crate::provider::{Answer, Request};
use crate::secret::Secrets;

/// Everything that the decisions about one run are made from.
#[derive(Clone, Copy)]
pub struct RunWorld<'w> {
    /// The only clock.
    pub now: Timestamp,
    /// The run as the API server has it.
    pub run: &'w AnalysisRun,
    /// The secrets that [`secrets_needed`] named.
    pub secrets: &'w Secrets,
    /// Address of Prometheus for metrics that name none.
    pub default_prometheus: Option<&'w str>,
}

/// One question to a provider.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// Name of the metric.
    pub metric: String,
    /// Which of its questions this is.
    pub part: Part,
    /// When it was asked: `now` of the call to [`due`].
    pub at: Timestamp,
    /// Where to, for people and for a circuit breaker: for example `Prometheus http://prometheus:9090`.
    pub provider: String,
    /// The request to send.
    pub request: Request,
}

/// The questions that a metric may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The query of the metric.
    Query,
    /// The requests of a window of a comparison, by number of the window.
    Requests(i64),
    /// The failed requests of a window of a comparison, by number of the window.
    Errors(i64),
}

/// A question with its answer.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The question, as [`due`] gave it.
    pub ask: Ask,
    /// What came of it.
    pub answer: Answer,
}

/// What is to become of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunPlan {
    /// The status to store when it differs; guarded by resourceVersion.
    pub status: AnalysisRunStatus,
    /// When to look again, at the latest; in the past when something is due already.
    pub wake: Option<Timestamp>,
    /// Events of the difference of status, to be sent after it is stored.
    pub events: Vec<Event>,
    /// The run has outlived its `ttlStrategy`: delete it, with its uid as precondition.
    pub delete: bool,
}

/// The Secrets that the run needs, as name and key, in its own namespace. Empty for a run that is over.
pub fn secrets_needed(run: &AnalysisRun) -> Vec<(String, String)> {
    let _ = run;
    Vec::new()
}

/// What has to be asked now. Empty for a run that is over, invalid, ending or waiting.
pub fn due(world: &RunWorld) -> Vec<Ask> {
    let _ = world;
    Vec::new()
}

/// What the answers make of the run. Call it with no answers too: it then says when to wake up, ends the run when it is
/// to be terminated, and deletes it when its time has come.
///
/// # Guarantees
/// Deterministic. Quiet: without answers and without a change of the run or of a passed deadline, the status is the one
/// that `world.run` has. An answer to a question that is not open any more is ignored, so that overlapping ticks never
/// count one due time twice.
pub fn conclude(world: &RunWorld, asked: &[Asked]) -> RunPlan {
    let _ = asked;
    RunPlan {
        status: world.run.status.clone().unwrap_or_default(),
        wake: None,
        events: Vec::new(),
        delete: false,
    }
}
