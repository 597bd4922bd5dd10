//! What is wrong with an Experiment, and with the experiment step of a canary.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;

use super::{Problem, not_negative, routing, selector_is_empty};
use crate::{
    CanaryStrategy, Experiment, ExperimentSpec, ExperimentStep, ExperimentStepTemplate, ExperimentTemplate,
    RolloutSpec, go_duration, label,
};

/// Everything that is wrong with the spec of an Experiment, in the order of its fields; empty when it can work.
pub fn validate_experiment(experiment: &Experiment) -> Vec<Problem> {
    let (spec, mut problems) = (&experiment.spec, Vec::new());
    let name = experiment.metadata.name.as_deref().unwrap_or_default();
    templates(name, spec, &mut problems);
    duration("spec.duration", spec.duration.as_deref(), &mut problems);
    let numbers = [
        ("spec.progressDeadlineSeconds", spec.progress_deadline_seconds),
        ("spec.scaleDownDelaySeconds", spec.scale_down_delay_seconds),
    ];
    numbers.into_iter().for_each(|(path, value)| not_negative(path, value, &mut problems));
    let names = spec.analyses.iter().flatten().map(|analysis| (&analysis.name, &analysis.template_name));
    analyses("spec.analyses", names, &mut problems);
    problems
}

fn templates(experiment: &str, spec: &ExperimentSpec, problems: &mut Vec<Problem>) {
    if spec.templates.as_ref().is_none_or(Vec::is_empty) {
        problems.push(Problem::missing("spec.templates", "an experiment needs at least one template"));
    }
    let mut names = BTreeSet::new();
    for (index, template) in spec.templates.iter().flatten().enumerate() {
        let path = format!("spec.templates[{index}]");
        if template.name.is_empty() {
            let message =
                format!("Experiment {experiment} has empty template name at index {index}; give it a name");
            problems.push(Problem::missing(&format!("{path}.name"), &message));
        } else if !names.insert(&template.name) {
            let message = format!(
                "Experiment {experiment} has repeated template name '{}' in templates; rename one of them",
                template.name
            );
            problems.push(Problem::invalid(format!("{path}.name"), &template.name, message));
        }
        one_template(&path, index, template, spec.deadline_seconds(), problems);
    }
}

fn one_template(
    path: &str,
    index: usize,
    template: &ExperimentTemplate,
    deadline: i32,
    problems: &mut Vec<Problem>,
) {
    not_negative(&format!("{path}.replicas"), template.replicas, problems);
    let ready = template.min_ready_seconds.unwrap_or(0);
    not_negative(&format!("{path}.minReadySeconds"), template.min_ready_seconds, problems);
    if ready > deadline {
        let message = format!(
            "MinReadySeconds cannot be longer than ProgressDeadlineSeconds. Check template index {index}"
        );
        problems.push(Problem::invalid(format!("{path}.minReadySeconds"), ready, message));
    }
    let pods = template.template.as_ref().map(|template| template.value());
    selector(path, index, template.selector.as_ref(), pods, problems);
    let Some(pods) = pods else {
        problems.push(Problem::missing(&format!("{path}.template"), "give the pods to run"));
        return;
    };
    let containers = pods.pointer("/spec/containers").and_then(Value::as_array);
    if containers.is_none_or(Vec::is_empty) {
        let field = format!("{path}.template.spec.containers");
        problems.push(Problem::missing(&field, "a pod needs at least one container"));
    } else if template.service.is_some() && !declares_ports(pods) {
        let message = "a Service needs ports, and no container declares any; add ports to a container";
        problems.push(Problem::missing(&format!("{path}.template.spec.containers[0].ports"), message));
    }
}

/// Whether a container of a pod template declares ports.
fn declares_ports(pods: &Value) -> bool {
    let containers = pods.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    containers.filter_map(|container| container.get("ports")?.as_array()).any(|ports| !ports.is_empty())
}

fn selector(
    path: &str,
    index: usize,
    selector: Option<&LabelSelector>,
    pods: Option<&Value>,
    problems: &mut Vec<Problem>,
) {
    let Some(selector) = selector else {
        let message = format!(
            "Experiment has missing field '.Spec.Templates[{index}].Selector'; give the labels of the pods"
        );
        problems.push(Problem::missing(&format!("{path}.selector"), &message));
        return;
    };
    if selector_is_empty(selector) {
        let message = format!(
            "This experiment is selecting all pods at index {index}. A non-empty selector is required."
        );
        problems.push(Problem::invalid(format!("{path}.selector"), selector, message));
        return;
    }
    let labels = pods.and_then(|pods| pods.pointer("/metadata/labels"));
    let unmatched = selector.match_labels.iter().flatten().any(|(key, value)| {
        key != label::POD_TEMPLATE_HASH
            && labels.and_then(|labels| labels.get(key)).and_then(Value::as_str) != Some(value)
    });
    if unmatched && pods.is_some() {
        let message = "`selector` does not match template `labels`";
        problems.push(Problem::invalid(format!("{path}.template.metadata.labels"), labels, message));
    }
}

fn duration(path: &str, text: Option<&str>, problems: &mut Vec<Problem>) {
    if let Some(text) = text.filter(|text| !text.is_empty() && go_duration(text).is_none()) {
        problems.push(Problem::invalid(path, text, "give a duration such as 30s, 5m or 1h30m"));
    }
}

fn analyses<'s>(
    path: &str,
    names: impl Iterator<Item = (&'s String, &'s String)>,
    problems: &mut Vec<Problem>,
) {
    let mut known = BTreeSet::new();
    for (index, (name, template)) in names.enumerate() {
        let at = |field: &str| format!("{path}[{index}].{field}");
        if name.is_empty() {
            problems.push(Problem::missing(&at("name"), "an analysis needs a name"));
        } else if !known.insert(name) {
            problems.push(Problem::invalid(
                at("name"),
                name,
                "two analyses have this name; rename one of them",
            ));
        }
        if template.is_empty() {
            problems.push(Problem::missing(&at("templateName"), "name an AnalysisTemplate"));
        }
    }
}

/// What is wrong with an experiment step at `path`; `weight` is that of the canary while it runs.
pub(super) fn step(
    (spec, canary): (&RolloutSpec, &CanaryStrategy),
    path: &str,
    step: &ExperimentStep,
    (weight, most): (i32, i32),
    problems: &mut Vec<Problem>,
) {
    let at = |field: &str| format!("{path}.{field}");
    if step.templates.as_ref().is_none_or(Vec::is_empty) {
        problems.push(Problem::missing(&at("templates"), "an experiment needs at least one template"));
    }
    let mut names = BTreeSet::new();
    for (index, template) in step.templates.iter().flatten().enumerate() {
        let path = format!("{path}.templates[{index}]");
        if template.name.is_empty() {
            problems.push(Problem::missing(&format!("{path}.name"), "a template needs a name"));
        } else if !names.insert(&template.name) {
            let message = "two templates have this name; rename one of them";
            problems.push(Problem::invalid(format!("{path}.name"), &template.name, message));
        }
        step_template(spec, canary, &path, template, problems);
    }
    weights(path, step, (weight, most), problems);
    duration(&at("duration"), step.duration.as_deref(), problems);
    not_negative(&at("scaleDownDelaySeconds"), step.scale_down_delay_seconds, problems);
    let names = step.analyses.iter().flatten().map(|analysis| (&analysis.name, &analysis.template_name));
    analyses(&at("analyses"), names, problems);
}

fn step_template(
    spec: &RolloutSpec,
    canary: &CanaryStrategy,
    path: &str,
    template: &ExperimentStepTemplate,
    problems: &mut Vec<Problem>,
) {
    if !["canary", "stable"].contains(&template.spec_ref.as_str()) {
        let message = "Invalid template step SpecRef: must be canary or stable";
        problems.push(Problem::invalid(format!("{path}.specRef"), &template.spec_ref, message));
    }
    not_negative(&format!("{path}.replicas"), template.replicas, problems);
    let message = match &canary.traffic_routing {
        None => "Experiment template weight cannot be set unless TrafficRouting is enabled; leave it out",
        Some(routing) if !routing::may_experiment(routing) => {
            "Experiment template weight is only available for TrafficRouting with SMI, ALB, Istio and Plugins at this time; \
             of others, Traefik and APISIX have it"
        }
        Some(_) => "",
    };
    if template.weight.is_some() && !message.is_empty() {
        problems.push(Problem::invalid(format!("{path}.weight"), template.weight, message));
    }
    not_negative(&format!("{path}.weight"), template.weight, problems);
    let pods = spec.template.as_ref().map(|template| template.value());
    if (template.weight.is_some() || template.service.is_some())
        && pods.is_some_and(|pods| !declares_ports(pods))
    {
        let message = "it gets a Service, which needs ports; add ports to a container of spec.template";
        problems.push(Problem::invalid(path, &template.name, message));
    }
}

/// Canary and templates together get no more than there is.
fn weights(path: &str, step: &ExperimentStep, (weight, most): (i32, i32), problems: &mut Vec<Problem>) {
    let templates = step.templates.iter().flatten().filter_map(|template| template.weight);
    let asked = templates.fold(0_i32, i32::saturating_add);
    if weight.saturating_add(asked) > most {
        let message = format!(
            "the templates ask for {asked} parts of the traffic and the canary has {weight}, of {most} in all; lower them"
        );
        problems.push(Problem::invalid(format!("{path}.templates"), asked, message));
    }
}
