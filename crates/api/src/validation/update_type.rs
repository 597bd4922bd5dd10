//! What is wrong with a canary strategy that says in one word how pods are replaced.

use super::{CANARY, Problem};
use crate::CanaryStrategy;

pub(super) fn fits(canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    let Some(word) = canary.update_type.as_deref() else { return };
    let path = format!("{CANARY}.updateType");
    if !["RollingUpdate", "Recreate"].contains(&word) {
        let message =
            "supported values: \"RollingUpdate\", \"Recreate\"; leave it out for a canary with steps";
        return problems.push(Problem::invalid(path, word, message));
    }
    if canary.steps.as_ref().is_some_and(|steps| !steps.is_empty()) {
        let message = format!("a {word} update has no steps; remove updateType or the steps");
        problems.push(Problem::invalid(&path, word, message));
    }
    if canary.traffic_routing.is_some() {
        let message = format!("a {word} update has no traffic to split; remove updateType or trafficRouting");
        problems.push(Problem::invalid(&path, word, message));
    }
    let limits =
        [("maxSurge", canary.max_surge.is_some()), ("maxUnavailable", canary.max_unavailable.is_some())];
    for (field, _) in limits.into_iter().filter(|(_, set)| *set && canary.recreates()) {
        let message = format!("Recreate takes all older pods away at once; remove {field}");
        problems.push(Problem::invalid(&path, word, message));
    }
}
