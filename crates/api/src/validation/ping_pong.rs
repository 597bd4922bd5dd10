//! What is wrong with `pingPong`: two Services that change roles need a router that names them both.

use super::{CANARY, Problem};
use crate::{CanaryStrategy, PingPong};

/// The fields of `pingPong`, and those that cannot stand beside it. Whether the routers can is theirs to say.
pub(super) fn services(canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    let Some(pair) = &canary.ping_pong else { return };
    let PingPong { ping_service, pong_service } = pair;
    let at = format!("{CANARY}.pingPong");
    let mut refuse = |field: &str, value: &str, message: &str| {
        problems.push(Problem::invalid(format!("{at}{field}"), value, message));
    };
    for (field, name) in [(".pingService", ping_service), (".pongService", pong_service)] {
        if name.is_empty() {
            refuse(field, name, "Ping service and Pong service must to be set to use Ping-Pong feature");
        }
    }
    if !ping_service.is_empty() && ping_service == pong_service {
        let message = "This rollout uses the same service for the ping and pong services, but two different services are \
                       required.";
        refuse(".pongService", pong_service, message);
    }
    let Some(routing) = &canary.traffic_routing else {
        refuse(
            "",
            "set",
            "without trafficRouting nothing chooses between the two Services; name a router, or leave pingPong out",
        );
        return;
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
    let root = routing.alb.as_ref().map(|alb| alb.root_service.as_deref().unwrap_or_default());
    if root == Some("") {
        let message =
            "Root service field is required for the configuration with ALB and ping-pong feature enabled";
        problems.push(Problem::invalid(format!("{CANARY}.trafficRouting.alb.rootService"), "", message));
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
