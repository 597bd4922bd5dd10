//! What is wrong with a Rollout, field by field: the same words in the controller, in `lint` and in the CLI.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::{CanaryStep, CanaryStrategy, Rollout, RolloutAnalysis, RolloutSpec, label};

mod anti_affinity;
mod bake;
mod blue_green;
mod experiment;
mod managed_route;
mod ping_pong;
mod problem;
mod selector;
mod session_affinity;
mod unsupported;
mod update_type;
mod watch;
mod workload;

pub use experiment::validate_experiment;
pub use problem::Problem;

/// Everything that is wrong with the spec of a Rollout, in the order of its fields; empty when it can work.
pub fn validate(rollout: &Rollout) -> Vec<Problem> {
    let spec = &rollout.spec;
    let mut problems = Vec::new();
    workload(spec, &mut problems);
    numbers(spec, &mut problems);
    strategy(spec, &mut problems);
    unsupported::fields(spec, &mut problems);
    problems
}

fn workload(spec: &RolloutSpec, problems: &mut Vec<Problem>) {
    if spec.workload_ref.is_some() {
        return workload::reference(spec, problems);
    }
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
    let Some(template) = spec.template.as_ref() else {
        problems.push(Problem::missing(
            "spec.template",
            "Rollout has missing field '.spec.template'; give the pods to run",
        ));
        return;
    };
    let labels = template.value().pointer("/metadata/labels");
    let unmatched = selector.match_labels.iter().flatten().any(|(key, value)| {
        labels.and_then(|labels| labels.get(key)).and_then(serde_json::Value::as_str) != Some(value)
    });
    if unmatched {
        problems.push(Problem::invalid(
            "spec.template.metadata.labels",
            labels,
            "`selector` does not match template `labels`",
        ));
    }
    let containers = template.value().pointer("/spec/containers").and_then(serde_json::Value::as_array);
    if containers.is_none_or(Vec::is_empty) {
        problems
            .push(Problem::missing("spec.template.spec.containers", "a pod needs at least one container"));
    }
    let restart = template.value().pointer("/spec/restartPolicy").and_then(serde_json::Value::as_str);
    if let Some(policy) = restart.filter(|policy| *policy != "Always") {
        problems.push(Problem::invalid(
            "spec.template.spec.restartPolicy",
            policy,
            "supported values: \"Always\"",
        ));
    }
}

fn selector_is_empty(selector: &LabelSelector) -> bool {
    selector.match_labels.as_ref().is_none_or(|labels| labels.is_empty())
        && selector.match_expressions.as_ref().is_none_or(Vec::is_empty)
}

fn numbers(spec: &RolloutSpec, problems: &mut Vec<Problem>) {
    for (path, value) in [
        ("spec.replicas", spec.replicas),
        ("spec.minReadySeconds", Some(spec.min_ready_seconds)),
        ("spec.revisionHistoryLimit", spec.revision_history_limit),
        ("spec.progressDeadlineSeconds", spec.progress_deadline_seconds),
    ] {
        if let Some(value) = value.filter(|value| *value < 0) {
            problems.push(Problem::invalid(path, value, "must be greater than or equal to 0"));
        }
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
            "canary, blueGreen",
            "Multiple Strategies can not be listed; keep one of canary and blueGreen",
        )),
        (Some(canary), None) => canary_strategy(spec, canary, problems),
        (None, Some(strategy)) => blue_green::strategy(spec, strategy, problems),
    }
}

const CANARY: &str = "spec.strategy.canary";

fn canary_strategy(spec: &RolloutSpec, canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    if canary.canary_service.is_some() && canary.canary_service == canary.stable_service {
        problems.push(Problem::invalid(
            format!("{CANARY}.stableService"),
            &canary.stable_service,
            "This rollout uses the same service for the stable and canary services, but two different services are required.",
        ));
    }
    anti_affinity::rule(CANARY, canary.anti_affinity.as_ref(), problems);
    surge(canary, problems);
    routing(canary, problems);
    let most = canary.traffic_routing.as_ref().and_then(|routing| routing.max_traffic_weight).unwrap_or(100);
    let mut weight = 0;
    for (index, step) in canary.steps.iter().flatten().enumerate() {
        let path = format!("{CANARY}.steps[{index}]");
        canary_step(canary, &path, step, most, problems);
        bake::step(canary, &path, (index, step), problems);
        weight = step.set_weight.unwrap_or(weight);
        if let Some(step) = &step.experiment {
            experiment::step((spec, canary), &format!("{path}.experiment"), step, (weight, most), problems);
        }
    }
    managed_route::names(canary, problems);
    session_affinity::fits(canary, problems);
    watch::after_promotion(canary, problems);
    ping_pong::services(canary, problems);
    update_type::fits(canary, problems);
    if let Some(background) = &canary.analysis {
        analysis(&format!("{CANARY}.analysis"), &background.analysis, problems);
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

fn is_zero(value: Option<&IntOrString>) -> bool {
    match value {
        Some(IntOrString::Int(value)) => *value == 0,
        Some(IntOrString::String(text)) => text.trim_end_matches('%').trim() == "0",
        None => false,
    }
}

/// Neither a number of pods nor a percentage.
fn not_a_share(value: Option<&IntOrString>) -> bool {
    match value {
        Some(IntOrString::Int(value)) => *value < 0,
        Some(IntOrString::String(text)) => text.trim_end_matches('%').trim().parse::<u32>().is_err(),
        None => false,
    }
}

fn surge(canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    for (field, value) in [("maxSurge", &canary.max_surge), ("maxUnavailable", &canary.max_unavailable)] {
        if not_a_share(value.as_ref()) {
            problems.push(Problem::invalid(
                format!("{CANARY}.{field}"),
                value,
                "give a number of pods, or a percentage such as 25%",
            ));
        }
    }
    if is_zero(canary.max_surge.as_ref()) && is_zero(canary.max_unavailable.as_ref()) {
        problems.push(Problem::invalid(
            format!("{CANARY}.maxSurge"),
            &canary.max_surge,
            "MaxSurge and MaxUnavailable both can not be zero",
        ));
    }
}

fn routing(canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    let Some(routing) = &canary.traffic_routing else {
        let delay = canary.scale_down_delay_seconds.map(|seconds| seconds.to_string());
        for (field, set) in [
            ("scaleDownDelaySeconds", delay),
            ("dynamicStableScale", canary.dynamic_stable_scale.then(|| true.to_string())),
        ] {
            if let Some(value) = set {
                problems.push(Problem::Invalid {
                    path: format!("{CANARY}.{field}"),
                    value,
                    message: format!("Canary {field} can only be used with traffic routing"),
                });
            }
        }
        return;
    };
    if canary.dynamic_stable_scale && canary.scale_down_delay_seconds.is_some() {
        problems.push(Problem::invalid(
            format!("{CANARY}.dynamicStableScale"),
            true,
            "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds; remove one of them",
        ));
    }
    let subsets = routing.istio.as_ref().is_some_and(|istio| istio.destination_rule.is_some());
    if !subsets && canary.ping_pong.is_none() {
        let stable = canary.stable_service.as_deref().unwrap_or_default();
        if stable.is_empty() || canary.canary_service.as_deref().unwrap_or_default().is_empty() {
            problems.push(Problem::invalid(
                format!("{CANARY}.stableService"),
                stable,
                "Canary service and Stable service must to be set to use Traffic Routing; name canaryService and stableService",
            ));
        }
    }
    if routing.max_traffic_weight.is_some_and(|most| most < 1) {
        problems.push(Problem::invalid(
            format!("{CANARY}.trafficRouting.maxTrafficWeight"),
            routing.max_traffic_weight,
            "must be at least 1; leave it out for 100",
        ));
    }
}

fn canary_step(
    canary: &CanaryStrategy,
    path: &str,
    step: &CanaryStep,
    most: i32,
    problems: &mut Vec<Problem>,
) {
    let kinds = [
        step.set_weight.is_some(),
        step.pause.is_some(),
        step.set_canary_scale.is_some(),
        step.experiment.is_some(),
        step.analysis.is_some(),
        step.set_header_route.is_some(),
        step.set_mirror_route.is_some(),
        step.plugin.is_some(),
    ];
    if kinds.iter().filter(|set| **set).count() != 1 {
        let message = "Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause; split it into several steps";
        problems.push(Problem::invalid(path, step, message));
    }
    if step.plugin.as_ref().is_some_and(|plugin| plugin.name.is_empty()) {
        let message = "name the extension that performs the step, as it is configured";
        problems.push(Problem::invalid(format!("{path}.plugin.name"), "", message));
    }
    if let Some(weight) = step.set_weight.filter(|weight| !(0..=most).contains(weight)) {
        problems.push(Problem::invalid(
            format!("{path}.setWeight"),
            weight,
            format!("SetWeight needs to be between 0 and {most}"),
        ));
    }
    if let Some(pause) = &step.pause
        && let Some(duration) = pause.duration_seconds()
        && !duration.is_ok_and(|seconds| seconds >= 0)
    {
        let message = "Duration needs to be greater than 0; write seconds, or text such as 30s or 5m";
        problems.push(Problem::invalid(format!("{path}.pause.duration"), &pause.duration, message));
    }
    if let Some(scale) = &step.set_canary_scale {
        if canary.traffic_routing.is_none() {
            problems.push(Problem::missing(
                &format!("{CANARY}.trafficRouting"),
                "SetCanaryScale requires TrafficRouting to be set; name the router, or take the step away",
            ));
        }
        let given = [scale.weight.is_some(), scale.replicas.is_some(), scale.match_traffic_weight];
        if given.iter().filter(|given| **given).count() != 1 {
            problems.push(Problem::invalid(
                format!("{path}.setCanaryScale"),
                scale,
                "give exactly one of weight, replicas and matchTrafficWeight",
            ));
        }
    }
    managed_route::step(canary, path, step, problems);
    if let Some(step) = &step.analysis {
        analysis(&format!("{path}.analysis"), step, problems);
    }
}

fn analysis(path: &str, analysis: &RolloutAnalysis, problems: &mut Vec<Problem>) {
    if analysis.templates.as_ref().is_none_or(Vec::is_empty) {
        problems
            .push(Problem::missing(&format!("{path}.templates"), "an analysis needs at least one template"));
    }
    for (index, arg) in analysis.args.iter().flatten().enumerate() {
        let path = format!("{path}.args[{index}]");
        if let Some(from) = &arg.value_from
            && let Some(which) = &from.pod_template_hash_value
            && !matches!(which.as_str(), "Stable" | "Latest")
        {
            problems.push(Problem::invalid(
                format!("{path}.valueFrom.podTemplateHashValue"),
                which,
                "supported values: \"Stable\", \"Latest\"",
            ));
        }
    }
    let metadata = analysis.analysis_run_metadata.as_ref();
    if metadata
        .and_then(|metadata| metadata.labels.as_ref())
        .is_some_and(|labels| labels.contains_key(label::POD_TEMPLATE_HASH))
    {
        problems.push(Problem::invalid(
            format!("{path}.analysisRunMetadata.labels"),
            label::POD_TEMPLATE_HASH,
            "this label is written by the controller; choose another key",
        ));
    }
}

#[cfg(test)]
mod tests;
