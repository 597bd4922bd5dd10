//! The canary strategy.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::blue_green::{AntiAffinity, PodMetadata};
use crate::canary_step::CanaryStep;
use crate::rollout_analysis::{BackgroundAnalysis, PostPromotionAnalysis};
use crate::traffic_routing::RolloutTrafficRouting;

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
