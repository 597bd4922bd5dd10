//! The status of a Rollout: its whole memory, in the fields that clients read and write.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::alb_status::AlbStatus;
use crate::phase::AnalysisPhase;
use crate::routed::Routed;

/// What a Rollout is. People and tools write `abort`, `promoteFull`, `pauseConditions` and `currentStepIndex` here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStatus {
    /// The update is taken back: all traffic to stable. Written by people, and by a failed analysis.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abort: bool,
    /// When it was aborted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aborted_at: Option<Time>,
    /// Why the rollout is paused. Whoever removes the entries lets it go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_conditions: Option<Vec<PauseCondition>>,
    /// The controller itself paused; without `pauseConditions` it means that somebody resumed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub controller_pause: bool,
    /// Hash of the current pod template.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub current_pod_hash: String,
    /// Hash of the pod template that is stable; equal to `currentPodHash` when fully promoted.
    #[serde(rename = "stableRS", skip_serializing_if = "Option::is_none")]
    pub stable_rs: Option<String>,
    /// Hash of the steps; a change of it starts the steps again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_step_hash: Option<String>,
    /// Index of the current step, from 0; the number of steps when all are done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_step_index: Option<i32>,
    /// Pods of all revisions.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replicas: i32,
    /// Pods of the current revision.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub updated_replicas: i32,
    /// Ready pods of all revisions.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ready_replicas: i32,
    /// Available pods of all revisions.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub available_replicas: i32,
    /// Pods that an autoscaler counts.
    #[serde(default, rename = "HPAReplicas", skip_serializing_if = "is_zero")]
    pub hpa_replicas: i32,
    /// Selector that an autoscaler uses.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub selector: String,
    /// Hashes that were taken already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collision_count: Option<i32>,
    /// `metadata.generation` that this status is about, as text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub observed_generation: String,
    /// Generation of the workload of `workloadRef` that this status is about, as text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub workload_observed_generation: String,
    /// What is true of the rollout now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<RolloutCondition>,
    /// What the canary strategy remembers.
    #[serde(default)]
    pub canary: CanaryStatus,
    /// What the blue-green strategy remembers.
    #[serde(default)]
    pub blue_green: BlueGreenStatus,
    /// `spec.restartAt` that is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarted_at: Option<Time>,
    /// Skips all steps, pauses and analyses. Written by people.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub promote_full: bool,
    /// `Healthy`, `Degraded`, `Progressing` or `Paused`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Why it is in this phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Load balancer of the first ALB Ingress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alb: Option<AlbStatus>,
    /// Load balancers of all ALB Ingresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub albs: Option<Vec<AlbStatus>>,
    /// How long the update takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<RolloutDuration>,
    /// What the rollout waits for now. Serin's own field, shown by `kubectl serin explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gates: Option<Vec<Gate>>,
    /// The annotation `serin.dev/dry-run` is set, so nothing is written but this status. Serin's own field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<DryRunStatus>,
    /// The ConfigMap labelled `serin.dev/brake` that holds or aborts updates of this Rollout. Serin's own field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brake: Option<BrakeStatus>,
}

fn is_zero(value: &i32) -> bool {
    *value == 0
}

/// Who holds or aborts updates, when and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BrakeStatus {
    /// Name of the ConfigMap.
    #[serde(default)]
    pub name: String,
    /// `hold` or `abort`.
    #[serde(default)]
    pub action: String,
    /// Who set it, as it says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// When, as it says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub at: String,
    /// Why, as it says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What a dry run would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DryRunStatus {
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Hash of the pod template that the decision is about.
    #[serde(default)]
    pub revision: String,
    /// What would be written next, for people; empty when nothing is to be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<String>,
    /// Events that were told of this revision already, so that each is told once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<String>,
}

/// Something that must happen before the rollout goes on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// What is waited for, for people.
    #[serde(default)]
    pub waits_for: String,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Until when, where something happens by the clock: the gate opens, or the rollout is late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// What happens when it has happened, what if it has not in time, or what to do.
    #[serde(default)]
    pub then: String,
}

/// One reason to be paused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PauseCondition {
    /// `CanaryPauseStep`, `BlueGreenPause`, `InconclusiveAnalysisRun` or `InconclusiveExperiment`.
    #[serde(default)]
    pub reason: String,
    /// Since when.
    pub start_time: Time,
}

/// One fact about the rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutCondition {
    /// `InvalidSpec`, `Available`, `Progressing`, `ReplicaFailure`, `Paused`, `Completed` or `Healthy`.
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

/// What the canary strategy remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CanaryStatus {
    /// The AnalysisRun of the current step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_step_analysis_run_status: Option<RolloutAnalysisRunStatus>,
    /// The AnalysisRun beside the steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_background_analysis_run_status: Option<RolloutAnalysisRunStatus>,
    /// The AnalysisRun of `postPromotionAnalysis`. Serin's own field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_promotion_analysis_run_status: Option<RolloutAnalysisRunStatus>,
    /// The bake of the current step. Serin's own field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bake: Option<BakeStatus>,
    /// The Experiment of the current step.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub current_experiment: String,
    /// Shares of traffic in force, as routers report them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<TrafficWeights>,
    /// Which of the ping-pong Services is stable: `ping` or `pong`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stable_ping_pong: String,
    /// What plugin steps have reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_plugin_statuses: Option<Vec<StepPluginStatus>>,
    /// What the Rollout names for its traffic, the present last, and what it named before for as long as that is not handed
    /// back. Serin's own field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routed: Option<Vec<Routed>>,
}

/// The bake of a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BakeStatus {
    /// Index of the step.
    #[serde(default)]
    pub step: i32,
    /// Since when its weight is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Requests to the canary that had been counted by then; absent while nobody could say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served: Option<i64>,
}

/// Shares of traffic in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrafficWeights {
    /// Share of the canary.
    #[serde(default)]
    pub canary: WeightDestination,
    /// Share of stable.
    #[serde(default)]
    pub stable: WeightDestination,
    /// Shares of experiment templates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional: Option<Vec<WeightDestination>>,
    /// The data plane has confirmed them; absent when it cannot say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// Since when routing objects show them. Serin's own field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<Time>,
    /// Header and mirror routes of steps that routing objects show, by name. Serin's own field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_routes: Option<Vec<String>>,
}

/// The share of one destination.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WeightDestination {
    /// Share, of `maxTrafficWeight` (100).
    #[serde(default)]
    pub weight: i32,
    /// Service that gets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// Revision that gets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_template_hash: Option<String>,
}

/// An AnalysisRun as the Rollout knows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutAnalysisRunStatus {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its phase.
    #[serde(default)]
    pub status: AnalysisPhase,
    /// Its message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// What a plugin step has reported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepPluginStatus {
    /// Index of the step.
    #[serde(default)]
    pub index: i32,
    /// Name of the plugin.
    #[serde(default)]
    pub name: String,
    /// `Run`, `Terminate` or `Abort`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// `Running`, `Successful`, `Failed` or `Error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it last reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Time>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// How long to wait before asking again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<String>,
    /// How often it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executions: Option<i32>,
    /// The plugin is switched off, and the step was skipped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// What the plugin wants to remember.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::anything")]
    pub status: Option<Value>,
}

/// What the blue-green strategy remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlueGreenStatus {
    /// Hash that the preview Service selects.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub preview_selector: String,
    /// Hash that the active Service selects.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub active_selector: String,
    /// The preview may grow to its full size.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub scale_up_preview_check_point: bool,
    /// The AnalysisRun before promotion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_promotion_analysis_run_status: Option<RolloutAnalysisRunStatus>,
    /// The AnalysisRun after promotion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_promotion_analysis_run_status: Option<RolloutAnalysisRunStatus>,
}

/// How long an update takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutDuration {
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout_started_at: Option<Time>,
    /// Since when a person holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manual_pause_started_at: Option<Time>,
    /// Seconds that people have held it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_manual_pause_duration_seconds: Option<i64>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// `Promoted`, `FastPromoted`, `Aborted`, `Superseded`, `RolledBack` or `FastRolledBack`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_status: Option<String>,
}
