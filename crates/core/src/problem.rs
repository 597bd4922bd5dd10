//! Says what is wrong with a spec or with what it names, in words that name the object, the field and the remedy.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serin_api::{RolloutAnalysis, label};

use crate::analysis_spec::analyses;
use crate::extension;
use crate::facts::Facts;
use crate::seen::Seen;
use crate::workload;
use crate::world::{Service, World};

/// What is wrong with the spec itself, first things first.
pub(crate) fn of_spec(world: &World) -> Vec<String> {
    serin_api::validate(&world.rollout).iter().map(ToString::to_string).collect()
}

/// The sentence of the InvalidSpec condition; it names the first problem.
pub(crate) fn sentence(world: &World, problems: &[String]) -> String {
    let name = world.rollout.metadata.name.as_deref().unwrap_or_default();
    let first = problems.first().map_or("it has no strategy that Serin knows", String::as_str);
    format!("The Rollout \"{name}\" is invalid: {first}")
}

/// What the spec names and is not there, or cannot be used.
pub(crate) fn of_references(facts: &Facts) -> Vec<String> {
    let mut problems: Vec<_> = workload::problem(facts.world).into_iter().collect();
    let blue_green = facts.blue_green;
    let ping_pong = facts.canary.ping_pong.as_ref();
    let services = [
        ("canary.canaryService", facts.canary.canary_service.as_deref()),
        ("canary.stableService", facts.canary.stable_service.as_deref()),
        ("canary.pingPong.pingService", ping_pong.map(|pair| pair.ping_service.as_str())),
        ("canary.pingPong.pongService", ping_pong.map(|pair| pair.pong_service.as_str())),
        ("blueGreen.activeService", blue_green.map(|strategy| strategy.active_service.as_str())),
        ("blueGreen.previewService", blue_green.and_then(|strategy| strategy.preview_service.as_deref())),
    ];
    for (field, name) in services {
        if let Some(name) = name {
            problems.extend(of_service(facts, &format!("spec.strategy.{field}"), name));
        }
    }
    for (path, analysis) in analyses(facts.rollout) {
        problems.extend(of_templates(facts, &path, analysis));
    }
    for (index, step) in facts.steps.iter().enumerate() {
        let analyses = step.experiment.iter().flat_map(|experiment| experiment.analyses.iter().flatten());
        for (number, analysis) in analyses.enumerate() {
            let path = format!("spec.strategy.canary.steps[{index}].experiment.analyses[{number}]");
            let reference = (analysis.template_name.as_str(), analysis.cluster_scope);
            problems.extend(of_template(facts, &format!("{path}.templateName"), reference));
        }
    }
    problems.extend(extension::problems(facts));
    for router in &facts.world.routers {
        problems.extend(router.refusal.clone());
    }
    problems
}

fn invalid(path: &str, value: &str, message: &str) -> String {
    format!("{path}: Invalid value: \"{value}\": {message}")
}

fn of_service(facts: &Facts, path: &str, name: &str) -> Option<String> {
    match facts.service(name) {
        Some(Seen::Absent) | None => Some(invalid(
            path,
            name,
            &format!(
                "service \"{name}\" not found in namespace \"{}\"; create it, the rollout goes on by itself",
                facts.namespace()
            ),
        )),
        Some(Seen::Fresh(service) | Seen::Stale(service)) => of_found_service(facts, path, name, service),
        Some(Seen::Failed(_)) => None,
    }
}

fn of_found_service(facts: &Facts, path: &str, name: &str, service: &Service) -> Option<String> {
    if let Some(other) = service.managed_by.as_deref().filter(|other| *other != facts.name()) {
        return Some(invalid(
            path,
            name,
            &format!(
                "Service \"{name}\" is managed by another Rollout (\"{other}\"); give each Rollout Services of its own"
            ),
        ));
    }
    let template = facts.rollout.spec.template.as_ref()?.value();
    let labels = template.pointer("/metadata/labels");
    let unmatched = service.selector.iter().find(|(key, value)| {
        key.as_str() != label::POD_TEMPLATE_HASH
            && labels.and_then(|labels| labels.get(key.as_str())).and_then(serde_json::Value::as_str)
                != Some(value.as_str())
    });
    unmatched.map(|(key, _)| {
        invalid(
            path,
            name,
            &format!("Service \"{name}\" has unmatch label \"{key}\" in rollout; make its selector match spec.template.metadata.labels"),
        )
    })
}

fn of_templates(facts: &Facts, path: &str, analysis: &RolloutAnalysis) -> Vec<String> {
    let named = analysis.templates.iter().flatten().enumerate();
    let problems = named.filter_map(|(index, reference)| {
        let path = format!("{path}.templates[{index}].templateName");
        of_template(facts, &path, (&reference.template_name, reference.cluster_scope))
    });
    problems.collect()
}

fn of_template(facts: &Facts, path: &str, (name, cluster_scope): (&str, bool)) -> Option<String> {
    let mut known = facts.world.templates.iter();
    let known = known.find(|known| known.name == name && known.cluster_scope == cluster_scope);
    if !matches!(known.map(|known| &known.spec), None | Some(Seen::Absent)) {
        return None;
    }
    let (kind, place) = if cluster_scope {
        ("ClusterAnalysisTemplate", "in the cluster".to_owned())
    } else {
        ("AnalysisTemplate", format!("in namespace \"{}\"", facts.namespace()))
    };
    let message = format!("{kind} '{name}' not found {place}; create it, the rollout goes on by itself");
    Some(invalid(path, name, &message))
}

/// A selector in the form that the scale subresource serves to autoscalers.
pub(crate) fn selector_text(selector: &LabelSelector) -> String {
    let labels = selector.match_labels.iter().flatten().map(|(key, value)| format!("{key}={value}"));
    let expressions = selector.match_expressions.iter().flatten().map(|expression| {
        let values = expression.values.clone().unwrap_or_default().join(",");
        match expression.operator.as_str() {
            "In" => format!("{} in ({values})", expression.key),
            "NotIn" => format!("{} notin ({values})", expression.key),
            "Exists" => expression.key.clone(),
            _ => format!("!{}", expression.key),
        }
    });
    labels.chain(expressions).collect::<Vec<_>>().join(",")
}
