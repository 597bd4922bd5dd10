//! Decides what experiment steps of a canary do: an Experiment is made, watched, given traffic, and ended.

use serde_json::Value;
use serin_api::{AnalysisPhase, ExperimentStep, ExperimentStepTemplate, label};

use crate::analysis::measured;
use crate::brake;
use crate::facts::Facts;
use crate::gate::Gates;
use crate::memory::{INCONCLUSIVE_EXPERIMENT, Memory};
use crate::revision;
use crate::seen::ObjectKey;
use crate::split::{Destination, Weight};
use crate::world::Experiment;
use crate::write::{Effect, Write};

mod object;

const ABORT_PREFIX: &str = "Experiment analysis phase is error/failed";

/// The experiment step that is the current one, with its index.
fn step<'w>(facts: &Facts<'w>, memory: &Memory) -> Option<(usize, &'w ExperimentStep)> {
    let index = memory.step()?;
    Some((index, facts.steps.get(index)?.experiment.as_ref()?))
}

/// The Experiment of the current step, once it is seen.
fn current<'w>(facts: &Facts<'w>, memory: &Memory) -> Option<&'w Experiment> {
    step(facts, memory)?;
    let name = recorded(memory)?;
    facts.world.experiments.iter().find(|experiment| experiment.name == name)
}

/// Name of the Experiment that the status speaks of.
fn recorded(memory: &Memory) -> Option<&str> {
    Some(memory.status.canary.current_experiment.as_str()).filter(|name| !name.is_empty())
}

/// What the Experiment says of the revision. One that a person has ended before it was measured says nothing.
fn verdict(experiment: &Experiment) -> AnalysisPhase {
    let cut_short = experiment.terminating && experiment.unmeasured;
    match experiment.phase {
        AnalysisPhase::Successful if cut_short => AnalysisPhase::Inconclusive,
        phase => phase,
    }
}

/// Reads the phase of the Experiment into the memory: a failed one aborts, an inconclusive one pauses.
pub(crate) fn hear(facts: &Facts, memory: &mut Memory) {
    let wanted = measured(facts, memory) && step(facts, memory).is_some();
    let Some(experiment) = current(facts, memory).filter(|_| wanted) else {
        return;
    };
    match verdict(experiment) {
        AnalysisPhase::Failed | AnalysisPhase::Error => memory.abort(match experiment.message.as_str() {
            "" => ABORT_PREFIX.to_owned(),
            message => format!("{ABORT_PREFIX}: {message}"),
        }),
        AnalysisPhase::Inconclusive if memory.resumed() => {
            memory.status.controller_pause = false;
            memory.status.canary.current_experiment.clear();
        }
        AnalysisPhase::Inconclusive => memory.pause(INCONCLUSIVE_EXPERIMENT, facts.world.now),
        _ => {}
    }
}

/// Whether the Experiment of the current step has been successful.
pub(crate) fn done(facts: &Facts, memory: &Memory, gates: &mut Gates) -> bool {
    match current(facts, memory) {
        Some(experiment) if verdict(experiment) == AnalysisPhase::Successful => return true,
        Some(experiment) => {
            let waits_for = format!("Experiment {} ({})", experiment.name, experiment.phase);
            let until = experiment.until.filter(|until| *until > facts.world.now);
            gates.wait_until(&waits_for, until, "success goes on, failure takes back");
        }
        None => gates.wait("the Experiment of this step to start", "it measures"),
    }
    false
}

/// Starts the Experiment that is wanted, ends those that are not, and forgets old ones.
pub(crate) fn experiments(facts: &Facts, memory: &mut Memory, gates: &mut Gates, writes: &mut Vec<Write>) {
    if measured(facts, memory) && step(facts, memory).is_some() {
        ensure(facts, memory, gates, writes);
    } else {
        memory.status.canary.current_experiment.clear();
    }
    terminate_unwanted(facts, memory, writes);
    forget_history(facts, memory, writes);
}

fn ensure(facts: &Facts, memory: &mut Memory, gates: &mut Gates, writes: &mut Vec<Write>) {
    let recorded = recorded(memory).map(str::to_owned);
    let Some((index, step)) = step(facts, memory).filter(|_| current(facts, memory).is_none()) else {
        return;
    };
    let halted = brake::paused(facts, memory) || !memory.pauses().is_empty();
    if recorded.is_none() && halted {
        return;
    }
    let base = format!("{}-{}-{}-{index}", facts.name(), facts.current_hash, revision::number(facts));
    let taken = recorded.as_deref().is_some_and(|name| name_taken(facts, name));
    let known = recorded.filter(|_| !taken);
    let anew = known.is_none();
    let name = known.unwrap_or_else(|| free_name(facts, &base));
    match object::of(facts, memory, step, &name) {
        Ok(object) => {
            memory.status.canary.current_experiment.clone_from(&name);
            if anew {
                let message = format!("Created Experiment '{name}'");
                memory.journal.wrote(writes.len(), "ExperimentCreated", message);
            }
            writes.push(Write { object: key(facts, &name), effect: Effect::Create(object) });
        }
        Err(problem) => gates.wait(&problem, "the experiment starts when it is mended"),
    }
}

fn key(facts: &Facts, name: &str) -> ObjectKey {
    ObjectKey::new("argoproj.io", "v1alpha1", "Experiment", facts.namespace(), name)
}

fn name_taken(facts: &Facts, name: &str) -> bool {
    let mut refusals = facts.world.refusals.iter();
    refusals.any(|refusal| refusal.kind == "Experiment" && refusal.name_taken && refusal.names(name))
}

/// `base`, or the first of `base-1`, `base-2` … that no Experiment has: a retried step begins anew.
fn free_name(facts: &Facts, base: &str) -> String {
    let taken = |name: &str| {
        facts.world.experiments.iter().any(|known| known.name == name) || name_taken(facts, name)
    };
    let most = facts.world.experiments.len().saturating_add(facts.world.refusals.len());
    let numbered = (1..=most).map(|number| format!("{base}-{number}"));
    let mut names = std::iter::once(base.to_owned()).chain(numbered);
    names.find(|name| !taken(name)).unwrap_or_else(|| base.to_owned())
}

fn terminate_unwanted(facts: &Facts, memory: &Memory, writes: &mut Vec<Write>) {
    let wanted = recorded(memory);
    for experiment in &facts.world.experiments {
        let over = experiment.phase.completed() || experiment.terminating || experiment.deleting;
        if over || wanted == Some(&experiment.name) {
            continue;
        }
        let patch = vec![
            serde_json::json!({"op": "test", "path": "/metadata/uid", "value": experiment.uid}),
            serde_json::json!({"op": "add", "path": "/spec/terminate", "value": true}),
        ];
        writes.push(Write { object: key(facts, &experiment.name), effect: Effect::JsonPatch(patch) });
    }
}

/// Experiments kept after they completed, unless the Rollout says otherwise.
const KEPT: i32 = 5;

/// An Experiment takes its pods and Services with it, so it stays until it has none and no traffic can reach them.
fn forget_history(facts: &Facts, memory: &Memory, writes: &mut Vec<Write>) {
    let limits = facts.rollout.spec.analysis.as_ref();
    let keep = |limit: Option<i32>| usize::try_from(limit.unwrap_or(KEPT)).unwrap_or(0);
    let mut room_successful = keep(limits.and_then(|limits| limits.successful_run_history_limit));
    let mut room_other = keep(limits.and_then(|limits| limits.unsuccessful_run_history_limit));
    let current = recorded(memory);
    let over = |experiment: &&Experiment| {
        experiment.phase.completed() && !experiment.deleting && current != Some(experiment.name.as_str())
    };
    let mut ended: Vec<_> = facts.world.experiments.iter().filter(over).collect();
    ended.sort_by(|a, b| (b.created, &b.name).cmp(&(a.created, &a.name)));
    for experiment in ended {
        let room = match experiment.phase {
            AnalysisPhase::Successful => &mut room_successful,
            _ => &mut room_other,
        };
        let hash = experiment.labels.get(label::POD_TEMPLATE_HASH);
        let lives = hash.is_some_and(|hash| facts.replica_sets().any(|set| set.hash == *hash));
        if *room > 0 && lives {
            *room = room.saturating_sub(1);
        } else if experiment.templates.iter().all(|template| template.pods == 0) {
            let effect = Effect::Delete { uid: experiment.uid.clone() };
            writes.push(Write { object: key(facts, &experiment.name), effect });
        }
    }
}

/// The port that a gateway sends requests to: the one named `http`, else the first one that the pods declare.
fn port(facts: &Facts, asked: &ExperimentStepTemplate) -> Option<u16> {
    let of_stable = facts.stable.filter(|_| asked.spec_ref == "stable").map(|set| &set.template);
    let pods = of_stable.or_else(|| facts.rollout.spec.template.as_ref().map(|template| template.value()))?;
    let containers = pods.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    let ports: Vec<_> =
        containers.filter_map(|container| container.get("ports")?.as_array()).flatten().collect();
    let http = ports.iter().find(|port| port.get("name").and_then(Value::as_str) == Some("http"));
    http.or(ports.first())?.get("containerPort")?.as_u64().and_then(|port| u16::try_from(port).ok())
}

/// Shares of the templates of the running Experiment. Nothing goes to one whose pods are not all available.
pub(crate) fn destinations(facts: &Facts, memory: &Memory) -> Vec<Destination> {
    let wanted = measured(facts, memory) && facts.routed();
    let Some(experiment) = current(facts, memory).filter(|_| wanted) else {
        return Vec::new();
    };
    let running = experiment.phase == AnalysisPhase::Running && !experiment.terminating;
    let Some((_, step)) = step(facts, memory).filter(|_| running) else {
        return Vec::new();
    };
    let destination = |template: &crate::world::Trial| {
        let asked = step.templates.iter().flatten().find(|asked| asked.name == template.name)?;
        let weight = u32::try_from(asked.weight?).ok()?;
        let (service, hash) = (template.service.clone()?, template.hash.clone()?);
        Some(Destination { service, hash, weight: Weight(weight), port: port(facts, asked) })
    };
    experiment.templates.iter().filter(|template| template.running).filter_map(destination).collect()
}
