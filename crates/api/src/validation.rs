//! What is wrong with a Rollout, field by field: the same words in the controller, in `lint` and in the CLI.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::{CanaryStrategy, Rollout, RolloutSpec};

mod analysis;
mod anti_affinity;
mod bake;
mod blue_green;
mod canary_step;
mod experiment;
mod managed_route;
mod ping_pong;
mod pod_template;
mod problem;
mod routing;
mod selector;
mod session_affinity;
mod surge;
mod unsupported;
mod update_type;
mod watch;
mod workload;

pub use experiment::validate_experiment;
pub use problem::Problem;

/// Everything that is wrong with the spec of a Rollout, in the order in which clients of Argo Rollouts are told of it; empty
/// when it can work.
pub fn validate(rollout: &Rollout) -> Vec<Problem> {
    let spec = &rollout.spec;
    let mut problems = Vec::new();
    not_negative("spec.replicas", spec.replicas, &mut problems);
    if spec.workload_ref.is_some() {
        workload::reference(spec, &mut problems);
    } else {
        pods(spec, &mut problems);
    }
    numbers(spec, &mut problems);
    strategy(spec, &mut problems);
    unsupported::fields(spec, &mut problems);
    problems
}

/// The selector, and the template that it finds.
fn pods(spec: &RolloutSpec, problems: &mut Vec<Problem>) {
    let Some(selector) = &spec.selector else {
        problems.push(Problem::missing(
            "spec.selector",
            "Rollout has missing field '.spec.selector'; give the labels of the pods",
        ));
        return;
    };
    if selector_is_empty(selector) {
        problems.push(Problem::invalid(
            "spec.selector",
            selector,
            "empty selector is invalid for deployment; give the labels of the pods",
        ));
        return;
    }
    selector::expressions(selector, problems);
    let unmatched = "`selector` does not match template `labels`";
    let Some(template) = spec.template.as_ref() else {
        let message = "Rollout has missing field '.spec.template'; give the pods to run";
        let said = format!("spec.template.metadata.labels: Invalid value: null: {unmatched}");
        problems.push(Problem::missing("spec.template", message).said_as(said));
        return;
    };
    let labels = template.value().pointer("/metadata/labels");
    if !selector::finds(selector, labels) {
        problems.push(Problem::invalid("spec.template.metadata.labels", labels, unmatched));
    }
    pod_template::rule("spec.template", template.value(), problems);
}

fn selector_is_empty(selector: &LabelSelector) -> bool {
    selector.match_labels.as_ref().is_none_or(|labels| labels.is_empty())
        && selector.match_expressions.as_ref().is_none_or(Vec::is_empty)
}

fn not_negative(path: &str, value: Option<i32>, problems: &mut Vec<Problem>) {
    if let Some(value) = value.filter(|value| *value < 0) {
        problems.push(Problem::invalid(path, value, "must be greater than or equal to 0"));
    }
}

fn numbers(spec: &RolloutSpec, problems: &mut Vec<Problem>) {
    for (path, value) in [
        ("spec.minReadySeconds", Some(spec.min_ready_seconds)),
        ("spec.revisionHistoryLimit", spec.revision_history_limit),
        ("spec.progressDeadlineSeconds", spec.progress_deadline_seconds),
    ] {
        not_negative(path, value, problems);
    }
    let deadline = spec.progress_deadline_seconds.unwrap_or(600);
    if deadline <= spec.min_ready_seconds {
        problems.push(Problem::invalid(
            "spec.progressDeadlineSeconds",
            deadline,
            "must be greater than minReadySeconds",
        ));
    }
}

fn strategy(spec: &RolloutSpec, problems: &mut Vec<Problem>) {
    let missing =
        "Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'; give exactly one";
    let Some(strategy) = &spec.strategy else {
        problems.push(Problem::missing("spec.strategy", missing));
        return;
    };
    match (&strategy.canary, &strategy.blue_green) {
        (None, None) => problems.push(Problem::missing("spec.strategy", missing)),
        (Some(_), Some(_)) => problems.push(Problem::invalid(
            "spec.strategy",
            "blueGreen: true canary: true",
            "Multiple Strategies can not be listed; keep one of canary and blueGreen",
        )),
        (Some(canary), None) => canary_strategy(spec, canary, problems),
        (None, Some(strategy)) => blue_green::strategy(spec, strategy, problems),
    }
}

const CANARY: &str = "spec.strategy.canary";

fn canary_strategy(spec: &RolloutSpec, canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    surge::both_zero(canary, problems);
    routing::same_service(canary, problems);
    ping_pong::services(canary, problems);
    routing::services(canary, problems);
    ping_pong::root_service(canary, problems);
    routing::most(canary, problems);
    routing::needed(canary, problems);
    canary_step::all(spec, canary, problems);
    anti_affinity::rule(CANARY, canary.anti_affinity.as_ref(), problems);
    // What follows, clients of Argo Rollouts are not told.
    surge::shares(canary, problems);
    routing::least(canary, problems);
    ping_pong::beside(canary, problems);
    managed_route::names(canary, problems);
    session_affinity::fits(canary, problems);
    watch::after_promotion(canary, problems);
    update_type::fits(canary, problems);
    if let Some(background) = &canary.analysis {
        analysis::rule(&format!("{CANARY}.analysis"), &background.analysis, problems);
        let steps = canary.steps.as_ref().map_or(0, Vec::len);
        let start = background.starting_step.unwrap_or(0);
        if start < 0 || usize::try_from(start).is_ok_and(|start| start > 0 && start >= steps) {
            problems.push(Problem::invalid(
                format!("{CANARY}.analysis.startingStep"),
                start,
                format!("there are {steps} steps, counted from 0; name one of them"),
            ));
        }
    }
}

#[cfg(test)]
mod row_tests;
#[cfg(test)]
mod tests;
