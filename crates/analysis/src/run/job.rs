//! Measures by a Job: says which Job to create, what its end means, and which Jobs are to be deleted.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use serin_api::provider::JobMetric;
use serin_api::{AnalysisPhase, AnalysisRun, AnalysisRunStatus, Measurement, MetricResult};
use serin_core::seen::ObjectKey;
use serin_core::write::{Effect, Write};

use super::measure::{self, Attempt};
use super::prepared::Prepared;
use super::underway;
use crate::provider::Problem;

/// Label of Jobs: the uid of their run. Jobs are watched by it.
pub const RUN_UID: &str = "analysisrun.argoproj.io/uid";
const RUN_NAME: &str = "analysisrun.argoproj.io/name";
const METRIC_NAME: &str = "analysisrun.argoproj.io/metric-name";

/// Metadata of a measurement: its Job. Clients show it.
const NAME: &str = "job-name";
const NAMESPACE: &str = "job-namespace";
/// Metadata of a measurement: the Job has been seen, so that it is not created again when it is gone.
const UID: &str = "job-uid";
/// Metadata of a failed measurement: why the Job failed. Not its message, which clients compare with that of the metric.
const FAILURE: &str = "job-failure";

/// Longest name of a Job: its pods bear it in a label.
const LONGEST: usize = 63;

/// What is seen of a Job of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Name.
    pub name: String,
    /// Uid.
    pub uid: String,
    /// It is being deleted.
    pub deleting: bool,
    /// How far it is.
    pub progress: Progress,
}

/// How far a Job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Neither complete nor failed; with what keeps its pods from starting, such as an image that cannot be pulled.
    Running(Option<String>),
    /// Complete: a successful measurement.
    Complete,
    /// Failed, with its reason: a failed measurement.
    Failed(String),
}

impl Job {
    /// What the API server shows of a Job; `trouble` is what keeps its pods from starting.
    pub fn of(job: &Value, trouble: Option<String>) -> Self {
        let text = |path: &str| job.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
        let is = |condition: &&Value, kind: &str| {
            let said = |field: &str| condition.get(field).and_then(Value::as_str).unwrap_or_default();
            said("type") == kind && said("status") == "True"
        };
        let find = |kind| conditions.into_iter().flatten().find(|condition| is(condition, kind));
        let progress = match (find("Failed"), find("Complete")) {
            (Some(failed), _) => {
                let said = |field: &str| failed.get(field).and_then(Value::as_str).unwrap_or_default();
                let parts = [said("reason"), said("message")];
                let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                Progress::Failed(parts.join(": "))
            }
            (None, Some(_)) => Progress::Complete,
            (None, None) => Progress::Running(trouble),
        };
        Self {
            name: text("/metadata/name"),
            uid: text("/metadata/uid"),
            deleting: job.pointer("/metadata/deletionTimestamp").is_some(),
            progress,
        }
    }
}

/// Tries out whether a Job can be made of the metric.
pub(crate) fn check(metric: &JobMetric) -> Result<(), Problem> {
    let refuse =
        |why: &str, remedy| Problem::Field { field: "job.spec".to_owned(), why: why.to_owned(), remedy };
    let spec = metric.spec.as_ref().and_then(Value::as_object);
    let template = spec.and_then(|spec| spec.get("template")?.get("spec"));
    let containers = template.and_then(|spec| spec.get("containers")?.as_array());
    if containers.is_none_or(Vec::is_empty) {
        let remedy = "give a JobSpec with template.spec.containers";
        return Err(refuse("it has no containers", remedy));
    }
    let restart = template.and_then(|spec| spec.get("restartPolicy")?.as_str());
    match restart {
        Some("Never" | "OnFailure") => Ok(()),
        _ => Err(refuse("template.spec.restartPolicy is not that of a Job", "set it to Never or OnFailure")),
    }
}

/// Goes on with the metric: begins a measurement when one is due, and ends it when its Job has ended.
pub(super) fn look(
    prepared: &Prepared,
    result: &mut MetricResult,
    run: &AnalysisRun,
    jobs: &[Job],
    (due, now): (bool, Timestamp),
) {
    let attempt = Attempt { at: now, now };
    let Some(begun) = underway::of(Some(result)) else {
        if due {
            let notes = BTreeMap::from([
                (
                    NAME.to_owned(),
                    name(run, &result.name, result.count.saturating_add(result.error).saturating_add(1)),
                ),
                (NAMESPACE.to_owned(), run.metadata.namespace.clone().unwrap_or_default()),
            ]);
            underway::go_on(prepared, result, notes, (None, attempt));
        }
        return;
    };
    let name = begun.metadata.get(NAME).cloned().unwrap_or_default();
    let seen_before = begun.metadata.contains_key(UID);
    let ended = |phase, message| Measurement { phase, message, ..Measurement::default() };
    let Some(job) = jobs.iter().find(|job| job.name == name) else {
        if seen_before {
            let message = format!("Job {name} was deleted before its end was seen");
            measure::error(prepared, result, message, attempt);
        }
        return;
    };
    match &job.progress {
        Progress::Complete => {
            measure::push(prepared, result, ended(AnalysisPhase::Successful, String::new()), attempt);
        }
        Progress::Failed(why) => {
            let metadata = BTreeMap::from([(FAILURE.to_owned(), why.clone())]);
            let failed = Measurement { metadata, ..ended(AnalysisPhase::Failed, String::new()) };
            measure::push(prepared, result, failed, attempt);
        }
        Progress::Running(Some(trouble)) => {
            measure::push(prepared, result, ended(AnalysisPhase::Inconclusive, trouble.clone()), attempt);
        }
        Progress::Running(None) if !seen_before => {
            let notes = BTreeMap::from([(UID.to_owned(), job.uid.clone())]);
            underway::go_on(prepared, result, notes, (None, attempt));
        }
        Progress::Running(None) => {}
    }
}

/// When to look again at a Job that runs: often at first, less often later. Its end is seen by the watch anyway.
pub(super) fn again(begun: &Measurement, now: Timestamp) -> Timestamp {
    let started = begun.started_at.as_ref().map_or(now, |started| started.0);
    let elapsed = now.duration_since(started).as_secs_f64().max(0.0);
    let pause = SignedDuration::try_from_secs_f64((2.0 * elapsed).sqrt().max(1.0));
    now.saturating_add(pause.unwrap_or(SignedDuration::from_secs(60))).unwrap_or(now)
}

/// The Jobs to create and to delete, so that exactly those of kept measurements are there, and only those of
/// measurements underway run.
pub(super) fn writes(
    prepared: &[Prepared],
    run: &AnalysisRun,
    status: &AnalysisRunStatus,
    jobs: &[Job],
) -> Vec<Write> {
    let measurements = || status.metric_results.iter().flat_map(|result| &result.measurements);
    let named = |measurement: &Measurement, job: &Job| measurement.metadata.get(NAME) == Some(&job.name);
    let surplus = |job: &&Job| {
        let running = matches!(job.progress, Progress::Running(_));
        let of_it = measurements().find(|measurement| named(measurement, job));
        !job.deleting
            && of_it.is_none_or(|measurement| running && measurement.phase != AnalysisPhase::Running)
    };
    let deletes = jobs
        .iter()
        .filter(surplus)
        .map(|job| Write { object: key(run, &job.name), effect: Effect::Delete { uid: job.uid.clone() } });
    let creates = prepared.iter().filter_map(|prepared| {
        let result = status.metric_results.iter().find(|result| result.name == prepared.name);
        let begun = underway::of(result)?;
        let name = begun.metadata.get(NAME)?;
        let metric = prepared.real().ok()?.provider.job.as_ref()?;
        let there = begun.metadata.contains_key(UID) || jobs.iter().any(|job| job.name == *name);
        let object = key(run, name);
        (!there)
            .then(|| Write { object, effect: Effect::Create(rendered(metric, &prepared.name, run, name)) })
    });
    deletes.chain(creates).collect()
}

fn key(run: &AnalysisRun, name: &str) -> ObjectKey {
    ObjectKey::new("batch", "v1", "Job", run.metadata.namespace.as_deref().unwrap_or_default(), name)
}

/// `<uid of the run>.<metric>.<number>`, as in Argo Rollouts; of a name that is too long or no name of an object, the
/// metric gives way, so that the number always tells measurements apart.
fn name(run: &AnalysisRun, metric: &str, number: i32) -> String {
    let uid = run.metadata.uid.as_deref().unwrap_or_default();
    let number = number.to_string();
    let room = LONGEST.saturating_sub(uid.len() + number.len() + 2);
    let allowed = |letter: char| match letter.to_ascii_lowercase() {
        letter @ ('a'..='z' | '0'..='9' | '-' | '.') => letter,
        _ => '-',
    };
    let metric: String = metric.chars().map(allowed).take(room).collect();
    let metric = metric.trim_matches(['-', '.']);
    if metric.is_empty() { format!("{uid}.{number}") } else { format!("{uid}.{metric}.{number}") }
}

fn rendered(metric: &JobMetric, metric_name: &str, run: &AnalysisRun, name: &str) -> Value {
    let meta = &run.metadata;
    let (uid, run_name) = (meta.uid.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
    let given = metric.metadata.clone().unwrap_or_default();
    let texts = |given: Option<BTreeMap<String, String>>, own: &[(&str, &str)]| -> Map<String, Value> {
        let given = given.into_iter().flatten().map(|(key, text)| (key, Value::String(text)));
        let own = own.iter().map(|(key, text)| ((*key).to_owned(), Value::from(*text)));
        given.chain(own).collect()
    };
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {
            "name": name, "namespace": meta.namespace,
            "labels": texts(given.labels, &[(RUN_UID, uid)]),
            "annotations": texts(given.annotations, &[(RUN_NAME, run_name), (METRIC_NAME, metric_name)]),
            "ownerReferences": [{
                "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun", "name": run_name, "uid": uid,
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": metric.spec,
    })
}
