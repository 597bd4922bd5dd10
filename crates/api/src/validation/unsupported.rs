//! Values of the API that Serin cannot act upon: refused by name, never ignored. All fields are acted upon.

use super::{CANARY, Problem};
use crate::{CanaryStrategy, RolloutSpec};

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
}
