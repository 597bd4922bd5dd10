//! What is wrong with the Services and the fields that need a router, and what of the routers that are named cannot be.

use super::{CANARY, Problem};
use crate::{BUILT_IN_ROUTERS, CanaryStrategy, RolloutTrafficRouting};

pub(super) fn same_service(canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    let named = canary.canary_service.as_ref().filter(|name| !name.is_empty());
    if let Some(name) = named.filter(|_| named == canary.stable_service.as_ref()) {
        problems.push(one_for_two(format!("{CANARY}.stableService"), name, "stable and canary"));
    }
}

/// One Service stands for two `roles`.
pub(super) fn one_for_two(path: String, name: &str, roles: &str) -> Problem {
    let words = format!(
        "This rollout uses the same service for the {roles} services, but two different services are required."
    );
    let problem = Problem::invalid(path, name, format!("{words} Name another one"));
    problem.said_with(&format!("Invalid value: \"{name}\""), &words)
}

/// Whether a router tells the revisions apart by the Services of canary and stable. With `pingPong` the other pair does,
/// where a router can.
fn needs_services(canary: &CanaryStrategy, routing: &RolloutTrafficRouting) -> bool {
    let by_host = routing.istio.as_ref().is_some_and(|istio| istio.destination_rule.is_none());
    let built_in = |name: &String| BUILT_IN_ROUTERS.contains(&name.as_str());
    let always = routing.nginx.is_some() || routing.ambassador.is_some() || routing.app_mesh.is_some();
    let unpaired = by_host
        || routing.alb.is_some()
        || routing.smi.is_some()
        || routing.traefik.is_some()
        || routing.apisix.is_some()
        || routing.plugins.iter().flatten().any(|(name, _)| built_in(name));
    always || unpaired && canary.ping_pong.is_none()
}

pub(super) fn services(canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    let needed = canary.traffic_routing.as_ref().is_some_and(|routing| needs_services(canary, routing));
    for (field, service) in
        [("stableService", &canary.stable_service), ("canaryService", &canary.canary_service)]
    {
        if needed && service.as_deref().unwrap_or_default().is_empty() {
            let message =
                "Canary service and Stable service must to be set to use Traffic Routing; name the Service";
            problems.push(Problem::invalid(format!("{CANARY}.{field}"), "", message));
        }
    }
}

/// Weights of another total than 100.
pub(super) fn most(canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    let Some(routing) = &canary.traffic_routing else { return };
    let Some(most) = routing.max_traffic_weight.filter(|most| *most != 100 && *most > 0) else { return };
    if !(routing.nginx.is_some() || has_plugins(routing)) || routing.istio.is_some() {
        problems.push(Problem::invalid(
            format!("{CANARY}.trafficRouting.maxTrafficWeight"),
            most,
            "Canary maxTrafficWeight in traffic routing only supported in Nginx and Plugins; leave it out for 100",
        ));
    }
}

pub(super) fn least(canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    let most = canary.traffic_routing.as_ref().and_then(|routing| routing.max_traffic_weight);
    if most.is_some_and(|most| most < 1) {
        problems.push(Problem::invalid(
            format!("{CANARY}.trafficRouting.maxTrafficWeight"),
            most,
            "must be at least 1; leave it out for 100",
        ));
    }
}

/// Fields that a router is needed for, and two of them that exclude each other.
pub(super) fn needed(canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    if canary.traffic_routing.is_some() {
        if canary.dynamic_stable_scale && canary.scale_down_delay_seconds.is_some() {
            problems.push(Problem::invalid(
                format!("{CANARY}.dynamicStableScale"),
                true,
                "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds; remove one of them",
            ));
        }
        return;
    }
    let delay = canary.scale_down_delay_seconds.map(|seconds| seconds.to_string());
    for (field, set) in [
        ("scaleDownDelaySeconds", delay),
        ("dynamicStableScale", canary.dynamic_stable_scale.then(|| true.to_string())),
    ] {
        if let Some(value) = set {
            let path = format!("{CANARY}.{field}");
            let message = format!("Canary {field} can only be used with traffic routing; remove it");
            problems.push(Problem::Invalid { path, value, message });
        }
    }
}

/// Whether any router can route by header; which of its routes it can, it says itself.
pub(super) fn may_route_by_header(routing: &RolloutTrafficRouting) -> bool {
    let RolloutTrafficRouting { istio, nginx, alb, apisix, .. } = routing;
    istio.is_some() || nginx.is_some() || alb.is_some() || apisix.is_some() || has_plugins(routing)
}

/// Whether any router can mirror requests.
pub(super) fn may_mirror(routing: &RolloutTrafficRouting) -> bool {
    routing.istio.is_some() || has_plugins(routing)
}

/// Whether any router can send traffic to experiments.
pub(super) fn may_experiment(routing: &RolloutTrafficRouting) -> bool {
    let RolloutTrafficRouting { istio, alb, smi, traefik, apisix, .. } = routing;
    let none = istio.is_none() && alb.is_none() && smi.is_none() && traefik.is_none() && apisix.is_none();
    !none || has_plugins(routing)
}

/// Whether any router lets the two Services change places.
pub(super) fn may_change_roles(routing: &RolloutTrafficRouting) -> bool {
    may_experiment(routing)
}

fn has_plugins(routing: &RolloutTrafficRouting) -> bool {
    routing.plugins.as_ref().is_some_and(|plugins| !plugins.is_empty())
}
