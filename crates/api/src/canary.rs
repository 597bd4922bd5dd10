//! The canary strategy and its steps.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::analysis::DryRun;
use crate::blue_green::{AntiAffinity, PodMetadata};
use crate::rollout_analysis::{
    AnalysisRunArgument, AnalysisRunMetadata, BackgroundAnalysis, PostPromotionAnalysis, RolloutAnalysis,
};
use crate::traffic_routing::RolloutTrafficRouting;
use crate::units::seconds;

/// A growing share of pods or of traffic goes to the new revision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CanaryStrategy {
    /// Service that selects the canary pods. Required with most traffic routers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary_service: Option<String>,
    /// Service that selects the stable pods. Required with most traffic routers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable_service: Option<String>,
    /// What happens, in order. Without steps a plain rolling update.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<CanaryStep>>,
    /// How pods are replaced, said in one word instead of by steps: `RollingUpdate` (as without steps) or `Recreate` (all
    /// older pods are gone before new ones start). Not with steps or a traffic router. Serin's own field.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self in ['RollingUpdate', 'Recreate']",
        "message": "give RollingUpdate or Recreate",
    }]))]
    pub update_type: Option<String>,
    /// Splits traffic by routing objects instead of by the number of pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic_routing: Option<RolloutTrafficRouting>,
    /// Pods (number, or percentage rounded down) that may be unavailable. Default 25 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<IntOrString>,
    /// Pods (number, or percentage rounded up) beyond `replicas`; without a traffic router only. Default 25 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_surge: Option<IntOrString>,
    /// An analysis that runs beside the steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub analysis: Option<BackgroundAnalysis>,
    /// Watches the new revision once it has all traffic, while the pods of stable are kept for the way back; with a
    /// traffic router only. Serin's own field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_promotion_analysis: Option<PostPromotionAnalysis>,
    /// Keeps pods of canary and stable on different nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anti_affinity: Option<AntiAffinity>,
    /// Labels and annotations that pods carry while they are the canary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary_metadata: Option<PodMetadata>,
    /// Labels and annotations that pods carry while they are stable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable_metadata: Option<PodMetadata>,
    /// Seconds that the pods of the previous stable are kept after a promotion; with a traffic router only. Default 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_down_delay_seconds: Option<i32>,
    /// Old ReplicaSets that may be waiting for their scale-down at once. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_down_delay_revision_limit: Option<i32>,
    /// Seconds that canary pods are kept after an abort; with a traffic router only. Default 30; 0 keeps them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort_scale_down_delay_seconds: Option<i32>,
    /// Stable shrinks while the canary grows; with a traffic router only. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dynamic_stable_scale: bool,
    /// Two Services that change roles at each promotion, instead of changing their selectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping_pong: Option<PingPong>,
    /// Least pods of a ReplicaSet that has any; with a traffic router only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_pods_per_replica_set: Option<i32>,
    /// How many of the wanted pods are enough to go on. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica_progress_threshold: Option<ProgressThreshold>,
}

/// The Services of the two roles, by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoleServices<'s> {
    /// Selects the canary pods.
    pub canary: Option<&'s str>,
    /// Selects the stable pods.
    pub stable: Option<&'s str>,
}

impl CanaryStrategy {
    /// The Services of the two roles. With `pingPong` the status says which one is stable: `ping`, else it is pong, so that
    /// the first revision gets ping.
    pub fn services(&self, stable_ping_pong: &str) -> RoleServices<'_> {
        let (canary, stable) = match &self.ping_pong {
            Some(PingPong { ping_service, pong_service }) => match stable_ping_pong {
                PingPong::PING => (Some(pong_service), Some(ping_service)),
                _ => (Some(ping_service), Some(pong_service)),
            },
            None => (self.canary_service.as_ref(), self.stable_service.as_ref()),
        };
        let [canary, stable] =
            [canary, stable].map(|name| name.map(String::as_str).filter(|name| !name.is_empty()));
        RoleServices { canary, stable }
    }
}

impl CanaryStrategy {
    /// All older pods are gone before new ones start.
    pub fn recreates(&self) -> bool {
        self.update_type.as_deref() == Some("Recreate")
    }
}

/// Two Services that change roles.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PingPong {
    /// The one Service.
    #[serde(default)]
    pub ping_service: String,
    /// The other Service.
    #[serde(default)]
    pub pong_service: String,
}

impl PingPong {
    /// `status.canary.stablePingPong` when `pingService` is stable.
    pub const PING: &str = "ping";
    /// `status.canary.stablePingPong` when `pongService` is stable.
    pub const PONG: &str = "pong";
}

/// How many of the wanted pods are enough.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProgressThreshold {
    /// `Percent` or `Pods`.
    #[serde(default, rename = "type")]
    pub type_: String,
    /// Percentage of the wanted pods, or number of pods.
    #[serde(default)]
    pub value: i32,
}

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
