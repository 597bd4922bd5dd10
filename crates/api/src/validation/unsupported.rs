//! Fields of the API that Serin reads and does not act upon yet: refused by name, never ignored.

use super::{CANARY, Problem};
use crate::{CanaryStep, CanaryStrategy, GENERIC_ROUTER, RolloutSpec, RolloutTrafficRouting};

/// Name of the Gateway API plugin, which is built in.
const GATEWAY_API: &str = "argoproj-labs/gatewayAPI";

fn refuse(problems: &mut Vec<Problem>, path: String, set: bool, remedy: &str) {
    if set {
        let message = format!("Serin does not support this field yet; {remedy}");
        problems.push(Problem::Invalid { path, value: "set".to_owned(), message });
    }
}

pub(super) fn fields(spec: &RolloutSpec, problems: &mut Vec<Problem>) {
    let Some(strategy) = &spec.strategy else { return };
    if let Some(canary) = &strategy.canary {
        canary_fields(canary, problems);
    }
}

fn canary_fields(canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    let at = |field: &str| format!("{CANARY}.{field}");
    let threshold = canary.replica_progress_threshold.as_ref();
    if let Some(threshold) =
        threshold.filter(|threshold| !["Percent", "Pods"].contains(&threshold.type_.as_str()))
    {
        let message = "supported values: \"Percent\", \"Pods\"";
        problems.push(Problem::invalid(at("replicaProgressThreshold.type"), &threshold.type_, message));
    }
    for (index, step) in canary.steps.iter().flatten().enumerate() {
        step_fields(&format!("{CANARY}.steps[{index}]"), step, problems);
    }
    if let Some(routing) = &canary.traffic_routing {
        routers(routing, problems);
    }
}

fn step_fields(path: &str, step: &CanaryStep, problems: &mut Vec<Problem>) {
    let at = |field: &str| format!("{path}.{field}");
    refuse(problems, at("plugin"), step.plugin.is_some(), "use an analysis step");
}

fn routers(routing: &RolloutTrafficRouting, problems: &mut Vec<Problem>) {
    let at = |field: &str| format!("{CANARY}.trafficRouting.{field}");
    let remedy = "use a router that is built in, Gateway API by plugins[\"argoproj-labs/gatewayAPI\"], or any object with \
                  weights by plugins[\"serin.dev/generic\"]";
    let plugins = routing.plugins.iter().flatten().map(|(name, _)| name.as_str());
    for name in plugins.filter(|name| ![GATEWAY_API, GENERIC_ROUTER].contains(name)) {
        refuse(problems, at(&format!("plugins[\"{name}\"]")), true, remedy);
    }
    if routing.istio.is_some() && routing.max_traffic_weight.is_some_and(|most| most != 100) {
        problems.push(Problem::invalid(
            at("maxTrafficWeight"),
            routing.max_traffic_weight,
            "Canary maxTrafficWeight in traffic routing only supported in Nginx and Plugins; Istio weights sum to 100",
        ));
    }
}
