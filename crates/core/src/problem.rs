//! Says what is wrong with a spec or with what it names, in words that name the object, the field and the remedy.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serin_api::{PodMetadata, label};

use crate::facts::Facts;
use crate::seen::Seen;
use crate::workload;
use crate::world::{RouterRefusal, Service, World};
use crate::{ephemeral, extension};

mod analysis;

pub use analysis::of_analyses;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// For the condition `InvalidSpec`, in the words that clients of Argo Rollouts know.
    said: String,
    /// For people: where, what stands there, and what to do.
    told: String,
    /// Something is not there. Clients are told of that before anything that is there and wrong.
    missing: bool,
}

impl Problem {
    /// `remedy` is told to people, and not said in the condition.
    fn new(said: String, remedy: &str) -> Self {
        Self { told: format!("{said}; {remedy}"), said, missing: false }
    }

    fn of_missing(self) -> Self {
        Self { missing: true, ..self }
    }

    /// Clients know no words for it: said as it is told.
    fn unknown_to_clients(told: String) -> Self {
        Self { said: told.clone(), told, missing: false }
    }

    fn of_field(path: &str, value: &str, message: &str, remedy: &str) -> Self {
        Self::new(format!("{path}: Invalid value: \"{value}\": {message}"), remedy)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.told)
    }
}

/// What is wrong with the spec itself, first things first.
pub(crate) fn of_spec(world: &World) -> Vec<Problem> {
    let problems = serin_api::validate(&world.rollout);
    problems
        .iter()
        .map(|problem| Problem { said: problem.condition_text(), told: problem.to_string(), missing: false })
        .collect()
}

/// What the API server finds wrong with the pod template; it says so when the ReplicaSet is made of it.
pub(crate) fn of_refused_template(facts: &Facts) -> Option<Problem> {
    let name = format!("{}-{}", facts.name(), facts.current_hash);
    let refusals = facts.world.refusals.iter().filter(|_| facts.new.is_none());
    let mut refusals = refusals.filter(|refusal| refusal.kind == "ReplicaSet");
    let refusal = refusals.find(|refusal| !refusal.name_taken && refusal.names(&name))?;
    let (_, found) = refusal.message.split_once(" is invalid: ")?;
    // Several are a list in brackets.
    let found = found.trim_start_matches('[').trim_end_matches(']');
    let first = found.find(", spec.").map_or(found, |end| &found[..end]);
    let remedy = "correct the pod template, the rollout goes on by itself";
    first.starts_with("spec.template.").then(|| Problem::new(first.to_owned(), remedy))
}

/// The sentence of the InvalidSpec condition; it names the first problem.
pub(crate) fn sentence(world: &World, problems: &[Problem]) -> String {
    about(world, problems.first().map(|problem| problem.said.as_str()))
}

/// As [`sentence`], with the field as it is and the remedy.
pub(crate) fn full_sentence(world: &World, problems: &[Problem]) -> String {
    about(world, problems.first().map(|problem| problem.told.as_str()))
}

fn about(world: &World, first: Option<&str>) -> String {
    let name = world.rollout.metadata.name.as_deref().unwrap_or_default();
    let first = first.unwrap_or("it has no strategy that Serin knows");
    format!("The Rollout \"{name}\" is invalid: {first}")
}

/// What the spec names and is not there, or cannot be used, in the order in which clients are told of it.
pub(crate) fn of_references(facts: &Facts) -> Vec<Problem> {
    let mut problems: Vec<_> = workload::problem(facts.world).into_iter().collect();
    let blue_green = facts.blue_green;
    let ping_pong = facts.canary.ping_pong.as_ref();
    let (new, stable) = ephemeral::of_roles(&facts.rollout.spec);
    let (new, stable): (Vec<_>, Vec<_>) = (new.into_iter().collect(), stable.into_iter().collect());
    let either = [new.clone(), stable.clone()].concat();
    let active = blue_green.map(|strategy| strategy.active_service.as_str());
    let preview = blue_green.and_then(|strategy| strategy.preview_service.as_deref());
    let services = [
        ("canary.stableService", facts.canary.stable_service.as_deref(), &stable),
        ("canary.canaryService", facts.canary.canary_service.as_deref(), &new),
        ("canary.pingPong.pingService", ping_pong.map(|pair| pair.ping_service.as_str()), &either),
        ("canary.pingPong.pongService", ping_pong.map(|pair| pair.pong_service.as_str()), &either),
        ("blueGreen.activeService", active, &stable),
        ("blueGreen.previewService", preview, &new),
    ];
    for (field, name, roles) in services {
        if let Some(name) = name {
            problems.extend(of_service(facts, &format!("spec.strategy.{field}"), name, roles));
        }
    }
    let known = analysis::Known {
        rollout: facts.rollout,
        templates: &facts.world.templates,
        hash: &facts.current_hash,
    };
    problems.extend(analysis::problems(&known));
    problems.extend(extension::problems(facts).into_iter().map(Problem::unknown_to_clients));
    let refusals = facts.world.routers.iter().filter_map(|router| router.refusal.clone());
    problems.extend(refusals.map(|RouterRefusal { said, told, missing }| Problem { said, told, missing }));
    problems.sort_by_key(|problem| !problem.missing);
    problems
}

/// The object of a `workloadRef` is not there.
pub(crate) fn no_workload(said: String) -> Problem {
    Problem::new(said, APPEARS).of_missing()
}

/// What helps when something is not there.
const APPEARS: &str = "create it, the rollout goes on by itself";

/// What is wrong with a Service whose pods carry, beside the labels of the template, those of these roles.
fn of_service(facts: &Facts, path: &str, name: &str, roles: &[&PodMetadata]) -> Option<Problem> {
    match facts.service(name) {
        Some(Seen::Absent) | None => {
            let message = format!("service \"{name}\" not found");
            Some(Problem::of_field(path, name, &message, APPEARS).of_missing())
        }
        Some(Seen::Fresh(service) | Seen::Stale(service)) => {
            of_found_service(facts, path, (name, service), roles)
        }
        Some(Seen::Failed(_)) => None,
    }
}

fn of_found_service(
    facts: &Facts,
    path: &str,
    (name, service): (&str, &Service),
    roles: &[&PodMetadata],
) -> Option<Problem> {
    if let Some(other) = service.managed_by.as_deref().filter(|other| *other != facts.name()) {
        let message = format!("Service \"{name}\" is managed by another Rollout");
        let remedy = format!("that is \"{other}\": give each Rollout Services of its own");
        return Some(Problem::of_field(path, name, &message, &remedy));
    }
    let template = facts.rollout.spec.template.as_ref()?.value();
    let labels = template.pointer("/metadata/labels");
    let carried = |key: &str, value: &str| {
        let of_template = labels.and_then(|labels| labels.get(key)).and_then(serde_json::Value::as_str);
        let mut of_roles = roles.iter().filter_map(|role| role.labels.as_ref()?.get(key));
        of_template == Some(value) || of_roles.any(|of_role| of_role == value)
    };
    let strange =
        |(key, value): &(&String, &String)| key.as_str() != label::POD_TEMPLATE_HASH && !carried(key, value);
    let (key, _) = service.selector.iter().find(strange)?;
    let message = format!("Service \"{name}\" has unmatch label \"{key}\" in rollout");
    let remedy = "make its selector match spec.template.metadata.labels, or metadata of its role";
    Some(Problem::of_field(path, name, &message, remedy))
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
