//! What is wrong with the bake of a step.

use super::Problem;
use crate::{CanaryStep, CanaryStrategy};

pub(super) fn step(
    canary: &CanaryStrategy,
    path: &str,
    (index, step): (usize, &CanaryStep),
    problems: &mut Vec<Problem>,
) {
    let Some(bake) = &step.bake else { return };
    let at = |field: &str| format!("{path}.bake{field}");
    if step.set_weight.is_none() {
        let message = "only the weight of a setWeight step bakes; move it there";
        return problems.push(Problem::invalid(at(""), bake, message));
    }
    if bake.duration.is_none() && bake.requests.is_none() {
        problems.push(Problem::invalid(at(""), bake, "give duration, requests or both"));
    }
    if bake.duration_seconds().is_some_and(|seconds| !seconds.is_ok_and(|seconds| seconds > 0)) {
        let message = "Duration needs to be greater than 0; write seconds, or text such as 30s or 5m";
        problems.push(Problem::invalid(at(".duration"), &bake.duration, message));
    }
    let Some(requests) = bake.requests else { return };
    if requests < 1 {
        problems.push(Problem::invalid(at(".requests"), requests, "must be greater than 0"));
    }
    let counts = canary.analysis.as_ref().map(|analysis| analysis.starting_step.unwrap_or(0));
    match counts.map(|start| usize::try_from(start).unwrap_or(0)) {
        Some(start) if start <= index => {}
        Some(start) => {
            let message = format!(
                "spec.strategy.canary.analysis counts requests from step {start} on; let it start at this step or earlier"
            );
            problems.push(Problem::invalid(at(".requests"), requests, message));
        }
        None => {
            let message = "the comparisons of spec.strategy.canary.analysis count requests; set it, or bake by duration only";
            problems.push(Problem::invalid(at(".requests"), requests, message));
        }
    }
}
