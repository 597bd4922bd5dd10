//! What the status of a Rollout remembers of the routing that its spec names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canary::PingPong;

/// What a Rollout named for its traffic at some time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Routed {
    /// `spec.strategy.canary.canaryService` of that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary_service: Option<String>,
    /// `spec.strategy.canary.stableService` of that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable_service: Option<String>,
    /// `spec.strategy.canary.pingPong` of that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping_pong: Option<PingPong>,
    /// Which of the ping-pong Services was stable then.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stable_ping_pong: String,
    /// `spec.strategy.canary.trafficRouting` of that time.
    #[serde(default)]
    #[schemars(schema_with = "crate::schema::any_object")]
    pub traffic_routing: Value,
}
