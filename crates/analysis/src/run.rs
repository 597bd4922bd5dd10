//! Decides how an AnalysisRun goes on: what to ask now, and what the answers make of its status.

use jiff::Timestamp;
use serin_api::{AnalysisPhase, AnalysisRun, AnalysisRunStatus, MetricResult};
use serin_core::journal::Event;
use serin_core::write::Write;

use crate::argument::secrets_named;
pub use crate::comparison::Of;
use crate::provider::{Answer, Extensions, Place, Profiles, Request, Surroundings};
use crate::secret::Secrets;
use crate::validate;

mod ask;
mod assess;
mod compare;
mod hold;
pub(crate) mod job;
mod joint;
mod measure;
mod prepared;
mod retain;
mod schedule;
mod stand;
mod tell;
mod time;
mod underway;

pub use job::{Job, Progress, RUN_UID};
use measure::Attempt;
pub(crate) use prepared::comparison;
use prepared::{Prepared, Unaskable, prepare};
use time::api_time;

/// Everything that the decisions about one run are made from.
#[derive(Clone, Copy)]
pub struct RunWorld<'w> {
    /// The only clock.
    pub now: Timestamp,
    /// The run as the API server has it.
    pub run: &'w AnalysisRun,
    /// The secrets that [`secrets_needed`] named.
    pub secrets: &'w Secrets,
    /// The profiles that [`profiles_needed`] named.
    pub profiles: &'w Profiles,
    /// The extensions that are configured; `None` while nobody knows.
    pub extensions: Option<&'w Extensions>,
    /// The Jobs of the run, as they were last seen.
    pub jobs: &'w [Job],
    /// Address of Prometheus for metrics that name none.
    pub default_prometheus: Option<&'w str>,
    /// Weight of the canary in the Rollout that owns the run, as its status has it; windows in which it changes are not
    /// judged. `None` when nobody knows.
    pub weight: Option<i32>,
}

impl<'w> RunWorld<'w> {
    fn around(&self) -> Surroundings<'w> {
        Surroundings {
            default_prometheus: self.default_prometheus,
            profiles: self.profiles,
            extensions: self.extensions,
        }
    }
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
    /// Counters of a comparison in one window, by number of the window.
    Window(i64, Of),
    /// Counters of stable before the first window of a comparison.
    History(Of),
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
    /// Jobs to create and to delete, after the status is stored.
    pub writes: Vec<Write>,
    /// The run has outlived its `ttlStrategy`: delete it, with its uid as precondition.
    pub delete: bool,
}

/// The Secrets that the run needs, as name and key, in its own namespace. Empty for a run that is over.
pub fn secrets_needed(run: &AnalysisRun) -> Vec<(String, String)> {
    if over(run) {
        return Vec::new();
    }
    secrets_named(run.spec.args.as_deref().unwrap_or_default())
}

/// The profiles that the providers of the run need: Secrets as a whole, here or in the controller's namespace, and parts
/// of the controller's environment. Empty for a run that is over.
pub fn profiles_needed(run: &AnalysisRun) -> Vec<(Place, String)> {
    if over(run) { Vec::new() } else { prepared::profiles(&run.spec) }
}

/// What has to be asked now. Empty for a run that is over, invalid, ending or waiting.
pub fn due(world: &RunWorld) -> Vec<Ask> {
    if over(world.run) || world.run.spec.terminate {
        return Vec::new();
    }
    let Ok(prepared) = prepare(&world.run.spec, world.secrets, world.around()) else {
        return Vec::new();
    };
    let status = world.run.status.as_ref();
    let results = status.map(|status| status.metric_results.as_slice()).unwrap_or_default();
    let began = status.and_then(|status| status.started_at.as_ref()).map_or(world.now, |began| began.0);
    let asks = prepared.iter().map(|prepared| {
        let result = results.iter().find(|result| result.name == prepared.name);
        ask::of(prepared, result, began, world.now).unwrap_or_default()
    });
    asks.flatten().collect()
}

/// What the answers make of the run. Call it with no answers too: it then says when to wake up, ends the run when it is
/// to be terminated, and deletes it when its time has come.
///
/// # Guarantees
/// Deterministic. Quiet: without answers and without a change of the run or of a passed deadline, the status is the one
/// that `world.run` has. An answer to a question that is not open any more is ignored, so that overlapping ticks never
/// count one due time twice. Answers of an unreachable provider alone never make a metric Failed or Successful, and
/// make it Error only when the metric sets `consecutiveErrorLimit` itself.
pub fn conclude(world: &RunWorld, asked: &[Asked]) -> RunPlan {
    let before = world.run.status.clone().unwrap_or_default();
    let mut status = before.clone();
    let mut wake = None;
    let mut writes = None;
    if !over(world.run) {
        // The first questions were put before the run is known to have begun.
        let first = asked.iter().map(|asked| asked.ask.at).min().unwrap_or(world.now).min(world.now);
        let began = status.started_at.get_or_insert_with(|| api_time(first)).0;
        match prepare(&world.run.spec, world.secrets, world.around()) {
            // A run that an earlier version began is not ended for what that one allowed.
            Ok(prepared) if before.started_at.is_none() && too_much(world.run, &mut status) => drop(prepared),
            Ok(prepared) => {
                go_on(world, asked, &prepared, began, &mut status);
                let when = |prepared| next(prepared, &status, (began, world.now));
                wake = prepared.iter().filter_map(when).min();
                writes = Some(job::writes(&prepared, world.run, &status, world.jobs));
            }
            Err(wrong) => {
                status.phase = AnalysisPhase::Error;
                status.message = wrong.to_string();
            }
        }
    }
    let mut delete = false;
    if status.phase.completed() {
        if status.completed_at.is_none() && !before.phase.completed() {
            status.completed_at = Some(api_time(world.now));
        }
        wake = retain::expiry(world.run, &status);
        delete = wake.is_some_and(|expiry| expiry <= world.now);
    }
    let events = tell::events(&before, &status);
    // Those of a run that is over may still have to go.
    let writes = writes.unwrap_or_else(|| job::writes(&[], world.run, &status, world.jobs));
    RunPlan { status, wake, events, writes, delete }
}

fn too_much(run: &AnalysisRun, status: &mut AnalysisRunStatus) -> bool {
    let Err(wrong) = validate::fits(run.spec.metrics.as_deref().unwrap_or_default()) else { return false };
    status.phase = AnalysisPhase::Error;
    status.message = prepared::Unmeasurable::Invalid(wrong).to_string();
    true
}

fn over(run: &AnalysisRun) -> bool {
    run.status.as_ref().is_some_and(|status| status.phase.completed())
}

fn next(
    prepared: &Prepared,
    status: &AnalysisRunStatus,
    (began, now): (Timestamp, Timestamp),
) -> Option<Timestamp> {
    let result = status.metric_results.iter().find(|result| result.name == prepared.name);
    if let Some(begun) = underway::of(result).filter(|_| prepared.by_job()) {
        return Some(job::again(begun, now));
    }
    schedule::next(&prepared.limits, prepared.comparison(), result, began)
}

fn go_on(
    world: &RunWorld,
    asked: &[Asked],
    prepared: &[Prepared],
    began: Timestamp,
    status: &mut AnalysisRunStatus,
) {
    let terminate = world.run.spec.terminate;
    if !terminate {
        let (by_job, asked_for): (Vec<_>, Vec<_>) = prepared.iter().partition(|prepared| prepared.by_job());
        by_job.into_iter().for_each(|prepared| look_at_job(world, prepared, began, status));
        for prepared in asked_for {
            let due = next(prepared, status, (began, world.now));
            let open = |asked: &&Asked| {
                asked.ask.metric == prepared.name && due.is_some_and(|due| due <= asked.ask.at)
            };
            let answers: Vec<&Asked> = asked.iter().filter(open).collect();
            let result = status.metric_results.iter().find(|result| result.name == prepared.name);
            let unaskable =
                due.filter(|due| *due <= world.now).and_then(|_| ask::problem(prepared, result, world.now));
            if !answers.is_empty() || unaskable.is_some() {
                let (place, mut result) = take(&mut status.metric_results, prepared);
                hear(world, prepared, &mut result, (&answers, unaskable.as_ref()), began);
                status.metric_results.insert(place, result);
            }
        }
    }
    if !terminate {
        joint::decide(prepared, status);
    }
    assess::metrics(prepared, status, terminate, world.now);
    for prepared in prepared {
        if let Some(result) = status.metric_results.iter_mut().find(|result| result.name == prepared.name) {
            retain::measurements(prepared, result);
        }
    }
    if !asked.is_empty() {
        retain::evidence(prepared, status);
    }
    assess::run(prepared, status, terminate);
}

fn look_at_job(world: &RunWorld, prepared: &Prepared, began: Timestamp, status: &mut AnalysisRunStatus) {
    let known = status.metric_results.iter().find(|result| result.name == prepared.name);
    let underway = underway::of(known).is_some();
    let due = next(prepared, status, (began, world.now)).is_some_and(|due| due <= world.now);
    if !underway && !due {
        return;
    }
    let (place, mut result) = take(&mut status.metric_results, prepared);
    let attempt = Attempt { at: world.now, now: world.now };
    match prepared.real().err().filter(|_| !underway) {
        Some(unaskable) => measure::unasked(prepared, &mut result, &unaskable, attempt),
        None => job::look(prepared, &mut result, world.run, world.jobs, (due, world.now)),
    }
    status.metric_results.insert(place, result);
}

fn hear(
    world: &RunWorld,
    prepared: &Prepared,
    result: &mut MetricResult,
    (answers, unaskable): (&[&Asked], Option<&Unaskable>),
    began: Timestamp,
) {
    let now = world.now;
    let attempt = |asked: Option<&&Asked>| Attempt { at: asked.map_or(now, |asked| asked.ask.at), now };
    match (prepared.comparison(), unaskable, prepared.provider()) {
        (_, Some(unaskable), _) => measure::unasked(prepared, result, unaskable, attempt(None)),
        (Some(plan), None, Ok(provider)) => {
            let place = provider.place();
            compare::windows((prepared, plan, place), result, answers, (began, now, world.weight));
        }
        (_, None, _) => {
            if let Some(first) = answers.iter().find(|asked| asked.ask.part == Part::Query) {
                measure::query(prepared, result, &first.answer, attempt(Some(first)));
            }
        }
    }
}

/// Takes the result of a metric out of the list, with its place; a new one goes to the end.
fn take(results: &mut Vec<MetricResult>, prepared: &Prepared) -> (usize, MetricResult) {
    let known = results.iter().position(|result| result.name == prepared.name);
    let fresh =
        || MetricResult { name: prepared.name.clone(), dry_run: prepared.dry_run, ..MetricResult::default() };
    let (place, result) = match known {
        Some(place) => (place, results.remove(place)),
        None => (results.len(), fresh()),
    };
    (place, MetricResult { metadata: ask::shown(prepared), ..result })
}
