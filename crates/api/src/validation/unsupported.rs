//! Values of the API that Serin cannot act upon: refused by name, never ignored. All fields are acted upon.

use super::{CANARY, Problem};
use crate::{CanaryStrategy, RolloutSpec, RolloutTrafficRouting};

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
    if let Some(routing) = &canary.traffic_routing {
        routers(routing, problems);
    }
}

fn routers(routing: &RolloutTrafficRouting, problems: &mut Vec<Problem>) {
    let at = |field: &str| format!("{CANARY}.trafficRouting.{field}");
    if routing.istio.is_some() && routing.max_traffic_weight.is_some_and(|most| most != 100) {
        problems.push(Problem::invalid(
            at("maxTrafficWeight"),
            routing.max_traffic_weight,
            "Canary maxTrafficWeight in traffic routing only supported in Nginx and Plugins; Istio weights sum to 100",
        ));
    }
}
