//! Says what an Experiment consists of: its templates with their ReplicaSets and pods, and its AnalysisRuns.

use serde::Serialize;
use serin_api::{AnalysisPhase, ExperimentTemplate, Gate};

use super::{Run, Set, run_view, set_view};
use crate::moment::{age, span};
use crate::observed::ObservedExperiment;

/// An Experiment with everything that belongs to it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentTree {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) age: String,
    pub(super) phase: AnalysisPhase,
    pub(super) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remaining: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) gates: Vec<Gate>,
    pub(super) templates: Vec<Template>,
    /// ReplicaSets of templates that are not in the spec any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) left_over: Vec<Set>,
    pub(super) analysis_runs: Vec<Run>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
}

/// One template as it is.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Template {
    pub(super) name: String,
    pub(super) status: String,
    pub(super) message: String,
    pub(super) desired: i32,
    pub(super) available: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replica_set: Option<Set>,
}

/// Builds the picture.
pub fn experiment_tree(seen: &ObservedExperiment) -> ExperimentTree {
    let experiment = &seen.experiment;
    let status = experiment.status.clone().unwrap_or_default();
    let role = |run| seen.analysis_of(run).map_or_else(String::new, |name| format!("analysis {name}"));
    ExperimentTree {
        name: seen.name().to_owned(),
        namespace: experiment.metadata.namespace.clone().unwrap_or_default(),
        age: age(experiment.metadata.creation_timestamp.as_ref(), seen.now),
        phase: status.phase,
        message: status.message,
        duration: experiment.spec.duration.clone().filter(|duration| !duration.is_empty()),
        remaining: seen.remaining().map(span),
        gates: status.gates.unwrap_or_default(),
        templates: seen.templates().map(|spec| template(seen, spec)).collect(),
        left_over: seen.left_over().map(|set| set_view(set, seen.pods_of(set), seen.now)).collect(),
        analysis_runs: seen.runs.iter().map(|run| run_view(run, role(run), seen.now)).collect(),
        notes: seen.notes.clone(),
    }
}

fn template(seen: &ObservedExperiment, spec: &ExperimentTemplate) -> Template {
    let status = seen.experiment.status.as_ref();
    let known = status.and_then(|status| status.template(&spec.name)).cloned().unwrap_or_default();
    Template {
        name: spec.name.clone(),
        status: known.status.filter(|status| !status.is_empty()).unwrap_or_else(|| "Pending".to_owned()),
        message: known.message.unwrap_or_default(),
        desired: spec.replicas(),
        available: known.available_replicas,
        service: known.service_name.filter(|name| !name.is_empty()),
        replica_set: seen.set_of(&spec.name).map(|set| set_view(set, seen.pods_of(set), seen.now)),
    }
}
