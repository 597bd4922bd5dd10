//! Says what a Rollout or an Experiment consists of: the picture behind `get`, as text and as JSON.

mod experiment;
mod experiment_text;
mod text;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde::Serialize;
use serin_api::{AnalysisPhase, AnalysisRun, PingPong, Rollout, label};
use serin_view::object::hash_of;
use serin_view::phase::{Standing, standing};
use serin_view::step::{self, Weight};
use serin_view::{pod, template};

use crate::moment::{age, seconds_between, span};
use crate::observed::{Observed, Revision};
use crate::run::{self, Counts};

pub use experiment::{ExperimentTree, experiment_tree};
pub use experiment_text::experiment_text;
pub use text::text;
pub(crate) use text::word;

/// A Rollout with everything that belongs to it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tree {
    name: String,
    namespace: String,
    age: String,
    status: Standing,
    strategy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<Step>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<Weight>,
    images: Vec<Image>,
    replicas: Replicas,
    revisions: Vec<Branch>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    done: usize,
    of: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Image {
    image: String,
    roles: Vec<&'static str>,
}

#[derive(Clone, Debug, Serialize)]
struct Replicas {
    desired: i32,
    current: i32,
    updated: i32,
    ready: i32,
    available: i32,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Branch {
    revision: Option<i64>,
    replica_sets: Vec<Set>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    experiments: Vec<ExperimentTree>,
    analysis_runs: Vec<Run>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Set {
    name: String,
    status: &'static str,
    age: String,
    roles: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scale_down: Option<String>,
    desired: i32,
    available: i32,
    pods: Vec<Leaf>,
}

#[derive(Clone, Debug, Serialize)]
struct Leaf {
    name: String,
    status: String,
    age: String,
    ready: usize,
    containers: usize,
    restarts: i32,
}

#[derive(Clone, Debug, Serialize)]
struct Run {
    name: String,
    role: String,
    phase: AnalysisPhase,
    message: String,
    age: String,
    counts: Counts,
    lines: Vec<String>,
}

/// Builds the picture.
pub fn tree(seen: &Observed) -> Tree {
    let rollout = &seen.rollout;
    let status = rollout.status.clone().unwrap_or_default();
    Tree {
        name: seen.name().to_owned(),
        namespace: seen.namespace().to_owned(),
        age: age(rollout.metadata.creation_timestamp.as_ref(), seen.now),
        status: standing(rollout),
        strategy: strategy(rollout),
        step: step::done(rollout).map(|done| Step {
            done,
            of: step::steps(rollout).len(),
            current: step::current(rollout).map(|(_, step)| step::describe(step)),
        }),
        weight: step::weight(rollout, &seen.replica_sets),
        images: images(seen),
        replicas: Replicas {
            desired: rollout.replicas(),
            current: status.replicas,
            updated: status.updated_replicas,
            ready: status.ready_replicas,
            available: status.available_replicas,
        },
        revisions: seen.revisions().iter().map(|revision| branch(seen, revision)).collect(),
        notes: seen.notes.clone(),
    }
}

/// The strategy in the words of the API.
pub fn strategy(rollout: &Rollout) -> &'static str {
    match rollout.spec.strategy.as_ref() {
        Some(strategy) if strategy.blue_green.is_some() => "BlueGreen",
        Some(strategy) if strategy.canary.is_some() => "Canary",
        _ => "none",
    }
}

fn branch(seen: &Observed, revision: &Revision<'_>) -> Branch {
    Branch {
        revision: revision.number,
        replica_sets: revision.sets.iter().map(|set| set_of_rollout(seen, set)).collect(),
        experiments: revision.experiments.iter().map(|seen| experiment_tree(seen)).collect(),
        analysis_runs: revision.runs.iter().map(|run| run_view(run, run::role(run), seen.now)).collect(),
    }
}

fn set_of_rollout(seen: &Observed, set: &ReplicaSet) -> Set {
    let roles = hash_of(set).map(|hash| roles(&seen.rollout, hash)).unwrap_or_default();
    Set { roles, ..set_view(set, seen.pods_of(set), seen.now) }
}

/// A ReplicaSet without roles.
fn set_view<'o>(set: &ReplicaSet, pods: impl Iterator<Item = &'o Pod>, now: Timestamp) -> Set {
    Set {
        name: set.name_any(),
        status: set_status(set),
        age: age(set.metadata.creation_timestamp.as_ref(), now),
        roles: Vec::new(),
        scale_down: scale_down(set, now),
        desired: desired(set),
        available: set.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0),
        pods: pods.map(|pod| leaf(pod, now)).collect(),
    }
}

fn desired(set: &ReplicaSet) -> i32 {
    set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
}

fn set_status(set: &ReplicaSet) -> &'static str {
    let status = set.status.clone().unwrap_or_default();
    let failing = |condition: &k8s_openapi::api::apps::v1::ReplicaSetCondition| {
        condition.type_ == "ReplicaFailure" && condition.status == "True"
    };
    if status.conditions.iter().flatten().any(failing) {
        return "ReplicaFailure";
    }
    let (desired, available) = (desired(set), status.available_replicas.unwrap_or(0));
    if set.metadata.generation > status.observed_generation || status.replicas != desired {
        return "Progressing";
    }
    match (desired, available) {
        (0, _) => "ScaledDown",
        (desired, available) if available < desired => "Progressing",
        _ => "Healthy",
    }
}

/// The roles of a revision now, by its hash.
fn roles(rollout: &Rollout, hash: &str) -> Vec<&'static str> {
    let Some(status) = &rollout.status else { return Vec::new() };
    let stable = status.stable_rs.as_deref() == Some(hash);
    let current = status.current_pod_hash == hash;
    if strategy(rollout) == "BlueGreen" {
        let roles = [
            ("stable", stable),
            ("active", status.blue_green.active_selector == hash),
            ("preview", !stable && status.blue_green.preview_selector == hash),
        ];
        return roles.iter().filter(|(_, holds)| *holds).map(|(role, _)| *role).collect();
    }
    let ping = status.canary.stable_ping_pong == PingPong::PING;
    let canary = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
    let pair = canary.is_some_and(|canary| canary.ping_pong.is_some());
    let service = |ping: bool| pair.then_some(if ping { PingPong::PING } else { PingPong::PONG });
    match (stable, current) {
        (true, _) => ["stable"].into_iter().chain(service(ping)).collect(),
        (false, true) => ["canary"].into_iter().chain(service(!ping)).collect(),
        (false, false) => Vec::new(),
    }
}

fn scale_down(set: &ReplicaSet, now: Timestamp) -> Option<String> {
    let deadline = set.annotations().get(label::SCALE_DOWN_DEADLINE).filter(|_| desired(set) > 0)?;
    let deadline = deadline.parse::<Timestamp>().ok()?;
    Some(match seconds_between(now, deadline) {
        left if left > 0 => format!("scaled down in {}", span(left)),
        _ => "scale-down is due".to_owned(),
    })
}

fn leaf(pod: &Pod, now: Timestamp) -> Leaf {
    let (ready, containers) = pod::readiness(pod);
    Leaf {
        name: pod.name_any(),
        status: pod::word(pod),
        age: age(pod.metadata.creation_timestamp.as_ref(), now),
        ready,
        containers,
        restarts: pod::restarts(pod),
    }
}

fn run_view(run: &AnalysisRun, role: String, now: Timestamp) -> Run {
    let phase = run::phase(run);
    Run {
        name: run.name_any(),
        role,
        phase,
        message: run.status.as_ref().map(|status| status.message.clone()).unwrap_or_default(),
        age: age(run.metadata.creation_timestamp.as_ref(), now),
        counts: run::counts(run),
        lines: if phase == AnalysisPhase::Successful { Vec::new() } else { run::last_lines(run) },
    }
}

/// The images of the revisions that have pods, or of the spec when none has.
fn images(seen: &Observed) -> Vec<Image> {
    let mut images: Vec<Image> = Vec::new();
    let mut add =
        |image: String, roles: &[&'static str]| match images.iter_mut().find(|known| known.image == image) {
            Some(known) => known
                .roles
                .extend(roles.iter().filter(|role| !known.roles.contains(role)).collect::<Vec<_>>()),
            None => images.push(Image { image, roles: roles.to_vec() }),
        };
    for set in seen.revisions().iter().flat_map(|revision| &revision.sets) {
        if desired(set) > 0 {
            let roles = hash_of(*set).map(|hash| roles(&seen.rollout, hash)).unwrap_or_default();
            let template = serde_json::to_value(set.spec.as_ref().and_then(|spec| spec.template.clone()));
            template::images(&template.unwrap_or_default()).into_iter().for_each(|image| add(image, &roles));
        }
    }
    if images.is_empty()
        && let Some(template) = &seen.rollout.spec.template
    {
        let images = template::images(template.value());
        return images.into_iter().map(|image| Image { image, roles: Vec::new() }).collect();
    }
    images
}

#[cfg(test)]
mod tests;
