//! Decides which routers a Rollout has, in Argo's fixed order, and refuses what none of them can do.

use serde_json::Value;
use serin_api::{CanaryStep, CanaryStrategy, IstioTrafficRouting, Problem, Rollout, RolloutTrafficRouting};
use serin_core::split::{Backends, PERCENT, Weight};

use crate::gateway_api::{self, GatewayApi};
use crate::istio::Istio;
use crate::router::{Capabilities, Router};
use crate::traefik::Traefik;

const PATH: &str = "spec.strategy.canary.trafficRouting";

/// The versions to ask for where users run several; the shell knows from discovery which are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiVersions {
    /// Version of `networking.istio.io`; the objects are the same in all of them.
    pub istio: String,
    /// Version of TCPRoute: v1alpha2 as of Gateway API 1.5.
    pub tcp_route: String,
    /// Version of TLSRoute: v1 from Gateway API 1.5 on, whose standard channel serves no other; v1alpha3 or v1alpha2
    /// before.
    pub tls_route: String,
}

impl Default for ApiVersions {
    fn default() -> Self {
        Self { istio: "v1".to_owned(), tcp_route: "v1alpha2".to_owned(), tls_route: "v1".to_owned() }
    }
}

/// The routers of a Rollout; empty when it has no traffic routing.
///
/// # Errors
/// Fields that no router implements yet, configuration that cannot be read, and steps that none of the routers can do.
pub fn routers(rollout: &Rollout, versions: &ApiVersions) -> Result<Vec<Box<dyn Router>>, Vec<Problem>> {
    let canary = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
    let Some((canary, routing)) = canary.and_then(|canary| Some((canary, canary.traffic_routing.as_ref()?)))
    else {
        return Ok(Vec::new());
    };
    let namespace = rollout.metadata.namespace.as_deref().unwrap_or_default();
    let mut problems = Vec::new();
    let routers = build(routing, namespace, versions, &mut problems);
    if problems.is_empty() {
        beyond(canary, routing, &routers, &mut problems);
    }
    if problems.is_empty() { Ok(routers) } else { Err(problems) }
}

/// One arm for each kind of router; a new field of the API does not compile until it has one.
fn build(
    routing: &RolloutTrafficRouting,
    namespace: &str,
    versions: &ApiVersions,
    problems: &mut Vec<Problem>,
) -> Vec<Box<dyn Router>> {
    let RolloutTrafficRouting {
        istio,
        nginx,
        alb,
        smi,
        ambassador,
        app_mesh,
        traefik,
        apisix,
        plugins,
        managed_routes: _,
        max_traffic_weight: _,
    } = routing;
    let mut routers: Vec<Box<dyn Router>> = Vec::new();
    if let Some(spec) = istio {
        either_one_or_several(spec, problems);
        routers.push(Box::new(Istio::new(spec, namespace, &versions.istio)));
    }
    later("nginx", nginx.is_some(), problems);
    later("alb", alb.is_some(), problems);
    later("smi", smi.is_some(), problems);
    later("ambassador", ambassador.is_some(), problems);
    later("appMesh", app_mesh.is_some(), problems);
    if let Some(spec) = traefik {
        routers.push(Box::new(Traefik::new(spec, namespace)));
    }
    later("apisix", apisix.is_some(), problems);
    for (name, config) in plugins.iter().flatten() {
        match name.as_str() {
            gateway_api::NAME => match GatewayApi::new(config, namespace, total(routing), versions) {
                Ok(router) => routers.push(Box::new(router)),
                Err(problem) => problems.push(problem),
            },
            other => later(&format!("plugins[\"{other}\"]"), true, problems),
        }
    }
    routers
}

fn either_one_or_several(spec: &IstioTrafficRouting, problems: &mut Vec<Problem>) {
    let several = spec.virtual_services.as_ref().is_some_and(|services| !services.is_empty());
    if spec.virtual_service.is_some() == several {
        let message = "either VirtualService or VirtualServices must be configured, and not both";
        problems.push(problem("istio", message));
    }
}

/// A router that has no implementation is refused by name, never ignored.
fn later(field: &str, set: bool, problems: &mut Vec<Problem>) {
    if set {
        let message = "Serin does not support this router yet; use istio, traefik, or Gateway API routes by \
                       plugins[\"argoproj-labs/gatewayAPI\"]";
        problems.push(problem(field, message));
    }
}

fn problem(field: &str, message: &str) -> Problem {
    Problem::Invalid { path: format!("{PATH}.{field}"), value: "set".to_owned(), message: message.to_owned() }
}

/// Names of the routers that cannot do something.
fn lacking(routers: &[Box<dyn Router>], can: fn(&Capabilities) -> bool) -> Vec<String> {
    routers.iter().filter(|router| !can(&router.capabilities())).map(|router| router.name()).collect()
}

/// Refuses what the spec asks for and no router (for weights: not every router) can do.
fn beyond(
    canary: &CanaryStrategy,
    routing: &RolloutTrafficRouting,
    routers: &[Box<dyn Router>],
    problems: &mut Vec<Problem>,
) {
    let without = lacking(routers, |can| can.max_weight);
    if total(routing) != PERCENT && !without.is_empty() {
        let message = format!(
            "Canary maxTrafficWeight in traffic routing only supported in Nginx and Plugins; {} cannot: leave it out",
            without.join(", ")
        );
        let value = total(routing).to_string();
        problems.push(Problem::Invalid { path: format!("{PATH}.maxTrafficWeight"), value, message });
    }
    for (index, step) in canary.steps.iter().flatten().enumerate() {
        beyond_in_step(step, &format!("spec.strategy.canary.steps[{index}]"), routers, problems);
    }
}

fn beyond_in_step(step: &CanaryStep, path: &str, routers: &[Box<dyn Router>], problems: &mut Vec<Problem>) {
    let mut refuse = |field: &str, value: Value, message: String| {
        problems.push(Problem::Invalid {
            path: format!("{path}.{field}"),
            value: value.to_string(),
            message,
        });
    };
    let templates = step.experiment.iter().flat_map(|experiment| experiment.templates.iter().flatten());
    let without = lacking(routers, |can| can.additional);
    if let Some(weight) = templates.filter_map(|template| template.weight).next()
        && !without.is_empty()
    {
        let message =
            format!("{} cannot send traffic to experiments; leave the weight out", without.join(", "));
        refuse("experiment.templates", Value::from(weight), message);
    }
    let without = lacking(routers, |can| can.headers);
    if let Some(route) = step.set_header_route.as_ref().filter(|_| without.len() == routers.len()) {
        let message = format!("none of {} routes by header; remove the step", without.join(", "));
        refuse("setHeaderRoute", Value::from(route.name.as_str()), message);
    }
    let without = lacking(routers, |can| can.mirrors);
    if let Some(route) = step.set_mirror_route.as_ref().filter(|_| without.len() == routers.len()) {
        let message = format!("none of {} mirrors requests; remove the step", without.join(", "));
        refuse("setMirrorRoute", Value::from(route.name.as_str()), message);
    }
}

fn total(routing: &RolloutTrafficRouting) -> Weight {
    routing.max_traffic_weight.and_then(|weight| u32::try_from(weight).ok()).map_or(PERCENT, Weight)
}

/// What routers tell the destinations of a Rollout apart by; `None` without a canary strategy.
///
/// An empty `canary_hash` says that no pod of the canary is ready for traffic yet, an empty `stable_hash` that there is
/// no stable revision yet.
pub fn backends(rollout: &Rollout, canary_hash: &str, stable_hash: &str) -> Option<Backends> {
    let canary = rollout.spec.strategy.as_ref()?.canary.as_ref()?;
    let routing = canary.traffic_routing.as_ref();
    let managed = routing.and_then(|routing| routing.managed_routes.as_ref()).into_iter().flatten();
    Some(Backends {
        namespace: rollout.metadata.namespace.clone().unwrap_or_default(),
        rollout: rollout.metadata.name.clone().unwrap_or_default(),
        canary_service: canary.canary_service.clone().unwrap_or_default(),
        stable_service: canary.stable_service.clone().unwrap_or_default(),
        canary_hash: canary_hash.to_owned(),
        stable_hash: stable_hash.to_owned(),
        managed_routes: managed.map(|route| route.name.clone()).filter(|name| !name.is_empty()).collect(),
    })
}
