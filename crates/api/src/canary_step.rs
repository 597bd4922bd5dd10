//! The steps of a canary.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::analysis::DryRun;
use crate::blue_green::PodMetadata;
use crate::rollout_analysis::{AnalysisRunArgument, AnalysisRunMetadata, RolloutAnalysis};
use crate::units::seconds;

/// One step: exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CanaryStep {
    /// Share of the canary, 0 to `maxTrafficWeight` (100). Done when pods are there and the routers have applied it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_weight: Option<i32>,
    /// What a `setWeight` step must have had, once its weight is in force, before the next step. Serin's own field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bake: Option<Bake>,
    /// Waits for a time or, without duration, for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause: Option<PauseStep>,
    /// Sizes the canary apart from its traffic; with a traffic router only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_canary_scale: Option<SetCanaryScale>,
    /// Runs further ReplicaSets beside each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experiment: Option<ExperimentStep>,
    /// Measures; the step is done when the AnalysisRun is successful.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub analysis: Option<RolloutAnalysis>,
    /// Sends requests with certain headers to the canary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_header_route: Option<SetHeaderRoute>,
    /// Copies requests to the canary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_mirror_route: Option<SetMirrorRoute>,
    /// A step performed by an extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<PluginStep>,
}

/// How long a weight must have been in force, and how many requests the canary must have got meanwhile; of two, both.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.duration) || has(self.requests)",
    "message": "give duration, requests or both",
}]))]
pub struct Bake {
    /// Seconds as a number, or text such as `30s`, `5m`, `1h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<IntOrString>,
    /// Requests that the canary must have got, as the comparisons of `canary.analysis` count them. Requests that cannot
    /// be counted hold the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub requests: Option<i64>,
}

impl Bake {
    /// Length in seconds; `None` when only requests count.
    ///
    /// # Errors
    /// The text, when it is neither digits nor a duration.
    pub fn duration_seconds(&self) -> Option<Result<i64, String>> {
        self.duration.as_ref().map(seconds)
    }
}

/// A wait.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PauseStep {
    /// Seconds as a number, or text such as `30`, `30s`, `5m`, `1h`. Without it the pause ends when somebody promotes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<IntOrString>,
}

impl PauseStep {
    /// Length in seconds; `None` for a pause that a person ends.
    ///
    /// # Errors
    /// The text, when it is neither digits nor a duration.
    pub fn duration_seconds(&self) -> Option<Result<i64, String>> {
        self.duration.as_ref().map(seconds)
    }
}

/// Exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetCanaryScale {
    /// Pods as a share of `spec.replicas`, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<i32>,
    /// Number of pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Pods follow traffic again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub match_traffic_weight: bool,
}

/// Requests with these headers go to the canary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetHeaderRoute {
    /// Name from `trafficRouting.managedRoutes`.
    #[serde(default)]
    pub name: String,
    /// Headers to look at; without them the route is removed.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub matches: Option<Vec<HeaderRouteMatch>>,
}

/// One header and what it must look like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeaderRouteMatch {
    /// Header name.
    #[serde(default)]
    pub header_name: String,
    /// What its value must look like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header_value: Option<StringMatch>,
}

/// Exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StringMatch {
    /// Equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,
    /// Begins with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Matches a regular expression in the router's dialect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
}

/// Copies of matching requests go to the canary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetMirrorRoute {
    /// Name from `trafficRouting.managedRoutes`.
    #[serde(default)]
    pub name: String,
    /// Requests to copy; without it the route is removed.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub matches: Option<Vec<MirrorRouteMatch>>,
    /// Percentage of matching requests. Default 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percentage: Option<i32>,
}

/// All given fields must match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MirrorRouteMatch {
    /// HTTP method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<StringMatch>,
    /// Path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<StringMatch>,
    /// Headers by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, StringMatch>>,
}

/// A step performed by an extension.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PluginStep {
    /// Name of the extension, `namespace/name`.
    #[serde(default)]
    pub name: String,
    /// What the extension is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::anything")]
    pub config: Option<Value>,
}

/// Further ReplicaSets that run beside each other for a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentStep {
    /// The ReplicaSets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub templates: Option<Vec<ExperimentStepTemplate>>,
    /// How long they run, for example `1h`. Without it as long as the analyses take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// What is measured meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub analyses: Option<Vec<ExperimentStepAnalysis>>,
    /// Metrics (regular expressions) that are measured and do not decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<Vec<DryRun>>,
    /// Labels and annotations for the AnalysisRuns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub analysis_run_metadata: Option<AnalysisRunMetadata>,
    /// Seconds that the pods are kept when the experiment has ended. Default 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_down_delay_seconds: Option<i32>,
}

/// One ReplicaSet of an experiment step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentStepTemplate {
    /// Name, unique in the step.
    #[serde(default)]
    pub name: String,
    /// `canary` or `stable`: whose pod template.
    #[serde(default)]
    pub spec_ref: String,
    /// Pods. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Labels and annotations added to the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<PodMetadata>,
    /// Selector of the ReplicaSet instead of the Rollout's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    /// Share of traffic; with a traffic router only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<i32>,
    /// Makes a Service for the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<NamedService>,
}

/// A Service to be made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamedService {
    /// Name. Default: the name of the ReplicaSet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// One analysis of an experiment step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentStepAnalysis {
    /// Name, unique in the step.
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
    pub args: Option<Vec<AnalysisRunArgument>>,
    /// The experiment ends when this analysis is done. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required_for_completion: bool,
}
