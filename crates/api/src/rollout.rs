//! The Rollout: a workload and how its new versions reach users.
// Each printer column has a type of its own; the lint takes the equal ones for a slip.
#![allow(clippy::duplicated_attributes)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::blue_green::BlueGreenStrategy;
use crate::canary::CanaryStrategy;
use crate::rollout_status::RolloutStatus;
use crate::template::RawTemplate;

/// What a Rollout should be.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "argoproj.io",
    version = "v1alpha1",
    kind = "Rollout",
    plural = "rollouts",
    shortname = "ro",
    namespaced,
    status = "RolloutStatus",
    derive = "PartialEq",
    doc = "A workload whose new versions reach users step by step, and are taken back when they are worse.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.HPAReplicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Desired",
        type_ = "integer",
        json_path = ".spec.replicas",
        description = "Number of desired pods"
    ),
    printcolumn(
        name = "Current",
        type_ = "integer",
        json_path = ".status.replicas",
        description = "Number of pods that exist"
    ),
    printcolumn(
        name = "Up-to-date",
        type_ = "integer",
        json_path = ".status.updatedReplicas",
        description = "Number of pods of the current template"
    ),
    printcolumn(
        name = "Available",
        type_ = "integer",
        json_path = ".status.availableReplicas",
        description = "Number of available pods"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct RolloutSpec {
    /// Pods wanted in all. Default 1, written back on the first reconcile so that autoscalers find it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Labels of the pods. Required unless `workloadRef` gives it; must match the labels of the template; immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self == oldSelf", "message": ".spec.selector is immutable"}]))]
    pub selector: Option<LabelSelector>,
    /// The pods to run. Any change of it is a new revision. Required unless `workloadRef` gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<RawTemplate>,
    /// Takes the template from another workload instead of `template`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_ref: Option<WorkloadReference>,
    /// Seconds that a pod must be ready before it counts as available. Default 0; less than `progressDeadlineSeconds`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub min_ready_seconds: i32,
    /// Going back to one of the last revisions skips steps and analyses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback_window: Option<RollbackWindow>,
    /// How a new revision reaches users: exactly one of `canary` and `blueGreen`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<RolloutStrategy>,
    /// Old ReplicaSets without pods that are kept. Default 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_history_limit: Option<i32>,
    /// Holds the rollout where it is until set to false: no step, no scaling, no promotion. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// Seconds without progress after which the rollout is Degraded. Default 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_deadline_seconds: Option<i32>,
    /// Also aborts when `progressDeadlineSeconds` has passed. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub progress_deadline_abort: bool,
    /// Pods created before this moment are evicted one after the other, which restarts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_at: Option<Time>,
    /// How many finished AnalysisRuns are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub analysis: Option<AnalysisHistory>,
}

fn is_zero(value: &i32) -> bool {
    *value == 0
}

impl Rollout {
    /// Pods wanted in all.
    pub fn replicas(&self) -> i32 {
        self.spec.replicas.unwrap_or(1)
    }

    /// Old ReplicaSets to keep.
    pub fn revision_history_limit(&self) -> i32 {
        self.spec.revision_history_limit.unwrap_or(10)
    }

    /// Seconds without progress after which the rollout is Degraded.
    pub fn progress_deadline_seconds(&self) -> i32 {
        self.spec.progress_deadline_seconds.unwrap_or(600)
    }
}

/// Another workload that holds the pod template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadReference {
    /// API group and version, for example `apps/v1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// `Deployment`, `ReplicaSet` or `PodTemplate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Name, in the namespace of the Rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When the workload gives up its own pods: `never` (default), `onsuccess` or `progressively`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_down: Option<String>,
}

/// When a referenced workload gives up its own pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaleDown {
    /// It keeps them.
    Never,
    /// When the first revision of the Rollout is healthy.
    OnSuccess,
    /// As pods of the Rollout become available.
    Progressively,
}

impl WorkloadReference {
    /// API group, kind; the group of `v1` is empty.
    pub fn group_and_kind(&self) -> (&str, &str) {
        let version = self.api_version.as_deref().unwrap_or_default();
        let group = version.split_once('/').map_or("", |(group, _)| group);
        (group, self.kind.as_deref().unwrap_or_default())
    }

    /// When the workload gives up its pods; `None` for a word that is not known.
    pub fn scale_down(&self) -> Option<ScaleDown> {
        match self.scale_down.as_deref().unwrap_or_default() {
            "" | "never" => Some(ScaleDown::Never),
            "onsuccess" => Some(ScaleDown::OnSuccess),
            "progressively" => Some(ScaleDown::Progressively),
            _ => None,
        }
    }
}

/// How far back a rollback is fast.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollbackWindow {
    /// Number of revisions, counted back from the stable one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revisions: Option<i32>,
}

/// Exactly one strategy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStrategy {
    /// Two full sets of pods; the active Service switches from one to the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blue_green: Option<BlueGreenStrategy>,
    /// A growing share of pods or of traffic; without steps a plain rolling update.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryStrategy>,
}

/// How many finished AnalysisRuns (and Experiments) are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisHistory {
    /// Successful ones. Default 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successful_run_history_limit: Option<i32>,
    /// All others. Default 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsuccessful_run_history_limit: Option<i32>,
}
