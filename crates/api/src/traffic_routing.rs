//! Which routing objects split the traffic.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The routers of a canary; several may be named, all of them get every split.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutTrafficRouting {
    /// Istio VirtualServices and DestinationRules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub istio: Option<IstioTrafficRouting>,
    /// ingress-nginx.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nginx: Option<NginxTrafficRouting>,
    /// AWS load balancer controller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alb: Option<AlbTrafficRouting>,
    /// Service Mesh Interface TrafficSplit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smi: Option<SmiTrafficRouting>,
    /// Ambassador (Emissary) Mappings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ambassador: Option<AmbassadorTrafficRouting>,
    /// AWS App Mesh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_mesh: Option<AppMeshTrafficRouting>,
    /// Traefik's own TraefikService.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traefik: Option<TraefikTrafficRouting>,
    /// Apache APISIX.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apisix: Option<ApisixTrafficRouting>,
    /// Routers that are built in under the name of an extension: `argoproj-labs/gatewayAPI` for routes of the Gateway API,
    /// `serin.dev/generic` for objects of any kind that have a weight for the canary and one for stable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::any_map")]
    pub plugins: Option<BTreeMap<String, Value>>,
    /// Names of the routes that steps may add, in the order of their precedence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_routes: Option<Vec<ManagedRoute>>,
    /// What all weights sum to. Default 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_traffic_weight: Option<i32>,
    /// Keeps users on the revision that answered them first, by a cookie. Default: each request is drawn by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_affinity: Option<SessionAffinity>,
}

/// Users whom the canary has answered stay with it, for as long as this revision is the canary and gets a weight. Those
/// whom stable has answered stay with it until the weight changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionAffinity {
    /// Name of the cookie: letters, digits, `-`, `_` and `.`. Default `serin-canary`. Of a name that begins with
    /// `__Secure-` or `__Host-` the cookie is set for HTTPS only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie_name: Option<String>,
    /// How long a browser keeps the cookie, such as 30m or 24h, at most 720h. Default 24h. Afterwards it is drawn anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<String>,
}

impl SessionAffinity {
    /// Name of the route that leads users with the cookie of the canary to it.
    pub const CANARY_ROUTE: &str = "serin-session-canary";
    /// Name of the route that leads users with the cookie of stable to it.
    pub const STABLE_ROUTE: &str = "serin-session-stable";

    /// Name of the cookie.
    pub fn cookie(&self) -> &str {
        self.cookie_name.as_deref().unwrap_or("serin-canary")
    }

    /// Whole seconds that a browser keeps the cookie; `None` when `maxAge` is no time from a second to 30 days.
    pub fn max_age_seconds(&self) -> Option<u64> {
        let text = self.max_age.as_deref().unwrap_or("24h");
        let seconds = crate::units::go_duration(text)?.as_secs();
        (1..=30 * 24 * 3600).contains(&seconds).then_some(seconds)
    }
}

/// A route that steps may add.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedRoute {
    /// Name of the route.
    #[serde(default)]
    pub name: String,
}

/// Istio: exactly one of `virtualService` and `virtualServices`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IstioTrafficRouting {
    /// The VirtualService whose weights are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_service: Option<IstioVirtualService>,
    /// Several of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_services: Option<Vec<IstioVirtualService>>,
    /// Splits between subsets of this DestinationRule instead of between two hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_rule: Option<IstioDestinationRule>,
}

/// A VirtualService and which of its routes are written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IstioVirtualService {
    /// Name, or `name.namespace`.
    #[serde(default)]
    pub name: String,
    /// Names of HTTP routes. Without them the VirtualService must have exactly one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<String>>,
    /// TLS routes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_routes: Option<Vec<TlsRoute>>,
    /// TCP routes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_routes: Option<Vec<TcpRoute>>,
}

/// A TLS route, found by what it matches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TlsRoute {
    /// Port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// Server names, all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sni_hosts: Option<Vec<String>>,
}

/// A TCP route, found by its port.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TcpRoute {
    /// Port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
}

/// A DestinationRule whose subsets are the revisions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IstioDestinationRule {
    /// Name, in the namespace of the Rollout.
    #[serde(default)]
    pub name: String,
    /// Subset of the canary.
    #[serde(default)]
    pub canary_subset_name: String,
    /// Subset of stable.
    #[serde(default)]
    pub stable_subset_name: String,
    /// Subsets of the user; their weights are kept and taken from the share of stable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_subset_names: Option<Vec<String>>,
}

/// ingress-nginx: a canary Ingress beside each stable one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NginxTrafficRouting {
    /// Prefix of annotations. Default `nginx.ingress.kubernetes.io`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotation_prefix: Option<String>,
    /// The Ingress of stable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable_ingress: Option<String>,
    /// Several of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable_ingresses: Option<Vec<String>>,
    /// Annotations of the canary Ingress; keys without prefix get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_ingress_annotations: Option<BTreeMap<String, String>>,
    /// Annotations of the canary Ingress, as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary_ingress_annotations: Option<BTreeMap<String, String>>,
}

/// AWS load balancer controller: a forward action in an annotation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlbTrafficRouting {
    /// The Ingress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress: Option<String>,
    /// Several of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingresses: Option<Vec<String>>,
    /// Port of the Services.
    #[serde(default)]
    pub service_port: i32,
    /// Service that names the action. Default: the stable Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_service: Option<String>,
    /// Prefix of annotations. Default `alb.ingress.kubernetes.io`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotation_prefix: Option<String>,
    /// Keeps users on the target group that they were sent to first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stickiness_config: Option<StickinessConfig>,
}

/// Stickiness of a load balancer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StickinessConfig {
    /// Whether users stick.
    #[serde(default)]
    pub enabled: bool,
    /// For how many seconds, 1 to 604800.
    #[serde(default)]
    pub duration_seconds: i64,
}

/// Service Mesh Interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SmiTrafficRouting {
    /// Service that clients use. Default: the stable Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_service: Option<String>,
    /// Name of the TrafficSplit. Default: the name of the Rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic_split_name: Option<String>,
}

/// Ambassador (Emissary).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AmbassadorTrafficRouting {
    /// Names of the Mappings of stable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mappings: Option<Vec<String>>,
}

/// AWS App Mesh.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppMeshTrafficRouting {
    /// The VirtualService whose router is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_service: Option<AppMeshVirtualService>,
    /// The VirtualNodes of canary and stable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_node_group: Option<AppMeshVirtualNodeGroup>,
}

/// An App Mesh VirtualService.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppMeshVirtualService {
    /// Name.
    #[serde(default)]
    pub name: String,
    /// Names of routes. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<String>>,
}

/// The VirtualNodes of canary and stable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppMeshVirtualNodeGroup {
    /// Node of the canary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary_virtual_node_ref: Option<AppMeshVirtualNodeReference>,
    /// Node of stable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable_virtual_node_ref: Option<AppMeshVirtualNodeReference>,
}

/// A VirtualNode by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppMeshVirtualNodeReference {
    /// Name.
    #[serde(default)]
    pub name: String,
}

/// Traefik.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TraefikTrafficRouting {
    /// Name of the TraefikService with `spec.weighted`.
    #[serde(default)]
    pub weighted_traefik_service_name: String,
}

/// Apache APISIX.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApisixTrafficRouting {
    /// The route whose backends are weighted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<ApisixRoute>,
}

/// An ApisixRoute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApisixRoute {
    /// Name.
    #[serde(default)]
    pub name: String,
    /// Names of rules. Default: the rule with the name of the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<String>>,
}

/// Name below `plugins` of the router for objects of any kind: a list of [`GenericRoute`].
pub const GENERIC_ROUTER: &str = "serin.dev/generic";

/// Names below `plugins` of routers that are built in; all others are those of extensions.
pub const BUILT_IN_ROUTERS: [&str; 2] = ["argoproj-labs/gatewayAPI", GENERIC_ROUTER];

/// One object of any kind that has a weight for the canary and one for stable.
///
/// Paths are JSON pointers in which a list entry may be told by its fields instead of by its place, as in
/// `/spec/routes[name=web]/services[name={canaryService}]/weight`. `{canaryService}`, `{stableService}`, `{namespace}` and
/// `{rollout}` stand for what the Rollout says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenericRoute {
    /// API version, as in `projectcontour.io/v1`.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace. Default: that of the Rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Path of the weight of the canary.
    pub canary_weight: String,
    /// Path of the weight of stable.
    pub stable_weight: String,
    /// How the object says that its data plane follows. Default: it does not say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<GenericReadiness>,
    /// What both weights sum to, a multiple of `maxTrafficWeight`. Default `maxTrafficWeight`, which is 100 unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u32>,
    /// Longest time in seconds until the data plane follows a change. Default 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub propagation_seconds: Option<u32>,
}

/// How an object says that its data plane follows: by a value, by the generation that was seen, or by both.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenericReadiness {
    /// Path of the value; goes with `equals`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What the value is when the data plane follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::anything")]
    pub equals: Option<Value>,
    /// Path of the generation that was seen, which must be that of the object or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<String>,
}
