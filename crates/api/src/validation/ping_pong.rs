//! What is wrong with `pingPong`: two Services that change roles need a router that names them both.

use super::{CANARY, Problem, routing};
use crate::{CanaryStrategy, PingPong};

/// The fields of `pingPong`, and whether any router could do it at all. Which of its objects it can, it says itself.
pub(super) fn services(canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    let Some(PingPong { ping_service, pong_service }) = &canary.ping_pong else { return };
    if canary.traffic_routing.as_ref().is_some_and(|routing| !routing::may_change_roles(routing)) {
        problems.push(Problem::invalid(
            format!("{CANARY}.trafficRouting.alb"),
            Option::<()>::None,
            "Ping-pong feature works with the ALB, Istio, and plugin-based traffic routers only; of others, Traefik, \
             APISIX and SMI have it",
        ));
    }
    let mut refuse = |field: &str, value: &str, message: &str| {
        problems.push(Problem::invalid(format!("{CANARY}.pingPong.{field}"), value, message));
    };
    for (field, name) in [("pingService", ping_service), ("pongService", pong_service)] {
        if name.is_empty() {
            let message =
                "Ping service and Pong service must to be set to use Ping-Pong feature; name the Service";
            refuse(field, name, message);
        }
    }
    if !ping_service.is_empty() && ping_service == pong_service {
        problems.push(routing::one_for_two(
            format!("{CANARY}.pingPong.pingService"),
            ping_service,
            "ping and pong",
        ));
    }
}

/// The name that an ALB has for both.
pub(super) fn root_service(canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    let alb = canary.traffic_routing.as_ref().and_then(|routing| routing.alb.as_ref());
    let root = alb.map(|alb| alb.root_service.as_deref().unwrap_or_default());
    if canary.ping_pong.is_some() && root == Some("") {
        let message = "Root service field is required for the configuration with ALB and ping-pong feature enabled; name a \
                       Service that selects all pods";
        problems.push(Problem::invalid(format!("{CANARY}.trafficRouting.alb.rootService"), "", message));
    }
}

/// What cannot stand beside `pingPong`.
pub(super) fn beside(canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    if canary.ping_pong.is_none() {
        return;
    }
    let Some(routing) = &canary.traffic_routing else {
        let message = "without trafficRouting nothing chooses between the two Services; name a router, or leave pingPong out";
        return problems.push(Problem::invalid(format!("{CANARY}.pingPong"), "set", message));
    };
    for (field, service) in
        [("canaryService", &canary.canary_service), ("stableService", &canary.stable_service)]
    {
        if let Some(service) = service.as_deref().filter(|service| !service.is_empty()) {
            let message = format!(
                "with pingPong the Services change roles, and no other pair is managed; leave {field} out"
            );
            problems.push(Problem::invalid(format!("{CANARY}.{field}"), service, message));
        }
    }
    if routing.istio.as_ref().is_some_and(|istio| istio.destination_rule.is_some()) {
        let message = "subsets tell revisions apart by their labels, which change; leave out pingPong, or destinationRule";
        problems.push(Problem::invalid(
            format!("{CANARY}.trafficRouting.istio.destinationRule"),
            "set",
            message,
        ));
    }
}
