//! The Experiment: ReplicaSets that run beside each other for a time and are measured.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::analysis::{Argument, DryRun, MeasurementRetention};
use crate::canary_step::NamedService;
use crate::phase::AnalysisPhase;
use crate::rollout_analysis::AnalysisRunMetadata;
use crate::rollout_status::Gate;
use crate::template::RawTemplate;
use crate::units::go_duration;

/// What an Experiment runs.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "argoproj.io",
    version = "v1alpha1",
    kind = "Experiment",
    plural = "experiments",
    shortname = "exp",
    namespaced,
    status = "ExperimentStatus",
    derive = "PartialEq",
    doc = "ReplicaSets that run beside each other for a time and are measured.",
    printcolumn(name = "Status", type_ = "string", json_path = ".status.phase", description = "Phase"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since it was created"
    )
)]
pub struct ExperimentSpec {
    /// The ReplicaSets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub templates: Option<Vec<ExperimentTemplate>>,
    /// How long they run once all are available, for example `1h`. Without it as long as the analyses take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// Seconds in which each ReplicaSet must become available. Default 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_deadline_seconds: Option<i32>,
    /// Ends the experiment. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub terminate: bool,
    /// What is measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub analyses: Option<Vec<ExperimentAnalysis>>,
    /// Seconds that pods are kept when the experiment has ended. Default 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_down_delay_seconds: Option<i32>,
    /// Metrics that do not decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<Vec<DryRun>>,
    /// How many measurements are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measurement_retention: Option<Vec<MeasurementRetention>>,
    /// Labels and annotations for the AnalysisRuns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub analysis_run_metadata: Option<AnalysisRunMetadata>,
}

/// One ReplicaSet of an Experiment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentTemplate {
    /// Name, unique in the Experiment.
    #[serde(default)]
    pub name: String,
    /// Pods. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Seconds that a pod must be ready before it counts as available. Default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_ready_seconds: Option<i32>,
    /// Labels of the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    /// The pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<RawTemplate>,
    /// Makes a Service for the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<NamedService>,
}

/// One analysis of an Experiment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentAnalysis {
    /// Name, unique in the Experiment.
    #[serde(default)]
    pub name: String,
    /// Name of the template.
    #[serde(default)]
    pub template_name: String,
    /// The template is a ClusterAnalysisTemplate. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cluster_scope: bool,
    /// Arguments of the template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<Argument>>,
    /// The Experiment ends when this analysis is done. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required_for_completion: bool,
}

/// What an Experiment is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentStatus {
    /// Its phase.
    #[serde(default)]
    pub phase: AnalysisPhase,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// When all ReplicaSets were available.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_at: Option<Time>,
    /// The ReplicaSets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub template_statuses: Vec<ExperimentTemplateStatus>,
    /// What is true of it now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ExperimentCondition>,
    /// Its AnalysisRuns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub analysis_runs: Vec<ExperimentAnalysisStatus>,
    /// What it waits for. Serin's own field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gates: Option<Vec<Gate>>,
}

impl ExperimentStatus {
    /// What is known of a template.
    pub fn template(&self, name: &str) -> Option<&ExperimentTemplateStatus> {
        self.template_statuses.iter().find(|known| known.name == name)
    }

    /// What is known of an analysis.
    pub fn analysis(&self, name: &str) -> Option<&ExperimentAnalysisStatus> {
        self.analysis_runs.iter().find(|known| known.name == name)
    }
}

impl ExperimentTemplate {
    /// Pods that it asks for.
    pub fn replicas(&self) -> i32 {
        self.replicas.unwrap_or(1)
    }
}

impl ExperimentSpec {
    /// How long it runs once all pods are available; `None` when analyses or a person end it.
    ///
    /// # Errors
    /// The text, when it is no duration.
    pub fn run_time(&self) -> Option<Result<std::time::Duration, String>> {
        let text = self.duration.as_deref().filter(|text| !text.is_empty())?;
        Some(go_duration(text).ok_or_else(|| text.to_owned()))
    }

    /// Seconds in which each ReplicaSet must become available.
    pub fn deadline_seconds(&self) -> i32 {
        self.progress_deadline_seconds.unwrap_or(600)
    }
}

/// One ReplicaSet of an Experiment as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentTemplateStatus {
    /// Name of the template.
    #[serde(default)]
    pub name: String,
    /// Pods.
    #[serde(default)]
    pub replicas: i32,
    /// Pods of the template.
    #[serde(default)]
    pub updated_replicas: i32,
    /// Ready pods.
    #[serde(default)]
    pub ready_replicas: i32,
    /// Available pods.
    #[serde(default)]
    pub available_replicas: i32,
    /// Hashes that were taken already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collision_count: Option<i32>,
    /// `Progressing`, `Running`, `Successful`, `Failed` or `Error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When `status` changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// Its Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// Its pod template hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_template_hash: Option<String>,
}

/// One fact about an Experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentCondition {
    /// `InvalidExperimentSpec`, `Completed`, `Progressing`, `Running` or `ReplicaFailure`.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// When it was written.
    pub last_update_time: Time,
    /// When `status` changed.
    pub last_transition_time: Time,
    /// One word for machines.
    #[serde(default)]
    pub reason: String,
    /// One line for people.
    #[serde(default)]
    pub message: String,
}

/// An AnalysisRun of an Experiment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentAnalysisStatus {
    /// Name of the analysis.
    #[serde(default)]
    pub name: String,
    /// Name of the AnalysisRun.
    #[serde(default)]
    pub analysis_run: String,
    /// Its phase.
    #[serde(default)]
    pub phase: AnalysisPhase,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}
