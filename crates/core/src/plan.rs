//! Decides: one World in, one Plan out. Total and deterministic; bad specs, absent metrics and failed writes are inputs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serin_api::{RolloutStatus, label};

use crate::facts::Facts;
use crate::gate::{Deadline, Gates};
use crate::journal::Event;
use crate::memory::{self, Memory};
use crate::problem::{self, Problem};
use crate::seen::ObjectKey;
use crate::split::Split;
use crate::strategy::{ServiceTarget, Size, blue_green, canary};
use crate::workload::{self, Resolved};
use crate::world::World;
use crate::write::{Effect, Write};
use crate::{
    analysis, brake, condition, count, dry_run, duration, ephemeral, extension, finalizer, load_balancer,
    orphan, parting, phase, replica_set, restart, revision, safety, scale, service, strategy, traffic, trial,
    weights,
};

/// What happens when the API server takes what it has refused.
const THEN_AGAIN: &str = "it is tried again";

/// What is to be stored, written and said, and when to look again.
///
/// # Guarantees
/// Any subset of `writes`, `services` and `split`, in any order, interrupted anywhere, is safe: what must come later
/// appears only in a later plan, after the earlier effect was observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The status to be stored first, guarded by the resourceVersion of the Rollout in the World.
    pub status: RolloutStatus,
    /// Writes of objects.
    pub writes: Vec<Write>,
    /// What Services are to select.
    pub services: Vec<ServiceTarget>,
    /// The split for every router; `None` leaves the routes alone.
    pub split: Option<Split>,
    /// Hash that weight on the canary means, for routers which address pods by label.
    pub canary_hash: String,
    /// Hash that weight on stable means.
    pub stable_hash: String,
    /// When to plan again although nothing is observed to change.
    pub wake: Option<Timestamp>,
    /// What to tell, in order, after the status is stored.
    pub events: Vec<Event>,
}

/// Decides what to do next with one Rollout.
pub fn plan(world: &World) -> Plan {
    if world.rollout.metadata.deletion_timestamp.is_some() {
        return Plan { status: world.rollout.status.clone().unwrap_or_default(), ..Plan::default() };
    }
    let mut plan = real(world);
    if dry_run::is_on(&world.rollout) {
        return dry_run::instead(world, plan);
    }
    plan.writes.extend(finalizer::follow(&world.rollout));
    plan.status.dry_run = None;
    plan
}

/// Decides what is to be done, whether it is written or not.
fn real(world: &World) -> Plan {
    match workload::resolve(world) {
        None => of_template(world),
        Some(Resolved::World(resolved)) => {
            let mut plan = of_template(&resolved);
            workload::conclude(world, &mut plan);
            plan
        }
        Some(Resolved::Missing(problem)) => invalid(world, &[problem]),
        Some(Resolved::Unknown(waits_for)) => unknown(world, &waits_for),
    }
}

/// Decides for a Rollout with a pod template.
fn of_template(world: &World) -> Plan {
    let problems = problem::of_spec(world);
    match Facts::gather(world) {
        Some(facts) if problems.is_empty() => decide(&facts),
        Some(facts) if facts.status().abort => abort_in_spite_of(&facts, &problems),
        _ => invalid(world, &problems),
    }
}

/// How much of what is wished may be done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Everything.
    Whole,
    /// Something that the spec names is missing: pods follow `spec.replicas`, nothing else moves.
    Capacity,
    /// The spec cannot work: traffic goes back to stable, the workload is left as it is.
    Traffic,
}

fn decide(facts: &Facts) -> Plan {
    let adopted = orphan::adopt(facts);
    if !adopted.is_empty() {
        let waits_for = "the ReplicaSets that another Rollout of this selector has left to be taken over";
        return Plan { writes: adopted, ..unknown(facts.world, waits_for) };
    }
    let mut memory = memory::fold(facts);
    let mut gates = Gates::begin(facts.world.now, memory.status.gates.take().unwrap_or_default());
    extension::hear(facts, &mut memory);
    analysis::hear(facts, &mut memory);
    trial::hear(facts, &mut memory);
    safety::heed_deadline(facts, &mut memory);
    brake::heed(facts, &mut memory);
    let missing = problem::of_references(facts);
    let aborted = safety::overrule(facts, &mut memory);
    if !aborted && !missing.is_empty() {
        if facts.replica_sets().next().is_none() && extension::problems(facts).is_empty() {
            return invalid(facts.world, &missing);
        }
        say_invalid(facts.world, &mut memory, &missing);
        missing
            .iter()
            .for_each(|problem| gates.wait_in_time(&problem.to_string(), "the rollout goes on by itself"));
        extension::await_configuration(facts, &mut memory);
        return act(facts, memory, gates, Scope::Capacity);
    }
    match problem::of_refused_template(facts).filter(|_| !aborted) {
        Some(problem) => drop(say_invalid(facts.world, &mut memory, &[problem])),
        None => condition::valid(&mut memory),
    }
    if aborted {
        safety::gate_of_abort(&mut gates);
    } else if brake::holds_update(&memory) {
        return hold(facts, memory, gates);
    } else if let Some(strategy) = facts.blue_green {
        blue_green::advance(facts, strategy, &mut memory, &mut gates);
    } else {
        canary::advance(facts, &mut memory, &mut gates);
    }
    extension::follow(facts, &mut memory, &mut gates);
    act(facts, memory, gates, Scope::Whole)
}

/// A brake holds the update: it stays where it is. A full promotion that was asked for is done when the brake is released.
fn hold(facts: &Facts, mut memory: Memory, mut gates: Gates) -> Plan {
    let asked = std::mem::take(&mut memory.status.promote_full);
    brake::gate(&memory, &mut gates);
    let mut plan = act(facts, memory, gates, Scope::Whole);
    plan.status.promote_full = asked;
    plan
}

/// A spec that cannot work does not stand in the way of an abort.
fn abort_in_spite_of(facts: &Facts, problems: &[Problem]) -> Plan {
    let mut memory = Memory::unfolded(facts.world);
    if !safety::overrule(facts, &mut memory) || memory.fully_promoted() {
        return invalid(facts.world, problems);
    }
    let mut gates = Gates::begin(facts.world.now, memory.status.gates.take().unwrap_or_default());
    let told = say_invalid(facts.world, &mut memory, problems);
    gates.hold(&format!("a change of the spec: {told}"), "the rollout goes on by itself");
    act(facts, memory, gates, Scope::Traffic)
}

/// Turns what is remembered into wishes, and wishes into writes that are safe now.
fn act(facts: &Facts, mut memory: Memory, mut gates: Gates, scope: Scope) -> Plan {
    count::observe(facts, &mut memory);
    weights::observe(facts, &mut memory);
    load_balancer::tell(facts, &mut memory, &mut gates);
    let mut plan = Plan::default();
    if scope == Scope::Whole {
        begin_revision(facts, &mut memory, &mut plan.writes);
    }
    if scope != Scope::Capacity {
        plan.split = traffic::split(facts, &mut memory, &mut gates);
        plan.services = service::targets(facts, &memory);
        service::tell(facts, &plan.services, &mut memory.journal);
    }
    memory.split.clone_from(&plan.split);
    memory.services.clone_from(&plan.services);
    weights::note_rest(facts, &mut memory);
    if scope != Scope::Traffic {
        let sizes = scale::sizes(facts, &mut memory, &mut gates);
        update_sets(facts, &mut memory, &sizes, &mut plan.writes);
        restart::go_on(facts, &mut memory, &sizes, &mut gates, &mut plan.writes);
        ephemeral::follow(facts, &memory, &mut gates, &mut plan.writes);
    }
    if scope == Scope::Whole {
        plan.writes.extend(analysis::runs(facts, &mut memory, &mut gates));
        trial::experiments(facts, &mut memory, &mut gates, &mut plan.writes);
        replica_set::forget_history(facts, &mut plan.writes);
    }
    condition::update(facts, &mut memory);
    duration::follow(facts, &mut memory);
    plan.canary_hash = weights::asked_of_canary(facts, &memory);
    plan.stable_hash = weights::asked_of_stable(facts, &memory);
    conclude(facts, memory, gates, plan)
}

fn update_sets(facts: &Facts, memory: &mut Memory, sizes: &[Size], writes: &mut Vec<Write>) {
    let mut journal = std::mem::take(&mut memory.journal);
    replica_set::updates(facts, memory, sizes, writes, &mut journal);
    memory.journal = journal;
}

/// Creates the ReplicaSet of a new template, and numbers the revision.
fn begin_revision(facts: &Facts, memory: &mut Memory, writes: &mut Vec<Write>) {
    let number = revision::number(facts).to_string();
    let annotations = facts.rollout.metadata.annotations.as_ref();
    let known = annotations.and_then(|annotations| annotations.get(label::REVISION));
    if known != Some(&number) {
        memory.journal.wrote(writes.len(), "RolloutUpdated", format!("Rollout updated to revision {number}"));
        writes.push(annotate_revision(facts, &number));
    }
    if facts.rollout.spec.replicas.is_none() {
        // An absent field and null are the same to the API server, as in kube's finalizer patches.
        let patch = vec![
            json!({"op": "test", "path": "/spec/replicas", "value": null}),
            json!({"op": "add", "path": "/spec/replicas", "value": 1}),
        ];
        writes.push(Write { object: rollout_key(facts), effect: Effect::JsonPatch(patch) });
    }
    if facts.new.is_none()
        && let Some(create) = replica_set::create(facts, memory)
    {
        let message = format!("Created ReplicaSet {} (revision {number})", create.object.name);
        memory.journal.wrote(writes.len(), "NewReplicaSetCreated", message);
        writes.push(create);
    }
}

fn rollout_key(facts: &Facts) -> ObjectKey {
    ObjectKey::new("argoproj.io", "v1alpha1", "Rollout", facts.namespace(), facts.name())
}

fn annotate_revision(facts: &Facts, number: &str) -> Write {
    let uid = facts.rollout.metadata.uid.as_deref().unwrap_or_default();
    let mut patch = vec![json!({"op": "test", "path": "/metadata/uid", "value": uid})];
    if facts.rollout.metadata.annotations.is_none() {
        patch.push(json!({"op": "test", "path": "/metadata/annotations", "value": null}));
        patch.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
    }
    let path = format!("/metadata/annotations/{}", replica_set::pointer_escape(label::REVISION));
    patch.push(json!({"op": "add", "path": path, "value": number}));
    Write { object: rollout_key(facts), effect: Effect::JsonPatch(patch) }
}

fn conclude(facts: &Facts, mut memory: Memory, mut gates: Gates, plan: Plan) -> Plan {
    memory.status.observed_generation =
        facts.rollout.metadata.generation.map(|generation| generation.to_string()).unwrap_or_default();
    let (phase, message) = phase::phase(facts, &memory.status);
    for refusal in facts.world.refusals.iter().filter(|refusal| !refusal.name_taken) {
        let message = &refusal.message;
        let accept = || format!("the API server to accept {}: {message}", refusal.object);
        match refusal.kind.as_str() {
            "Extension" => {
                let waits_for = format!("{} to split traffic as it was told: {message}", refusal.object);
                gates.wait_in_time(&waits_for, THEN_AGAIN);
            }
            // A restart takes the time that disruption budgets give it.
            "Pod" => gates.wait(&accept(), THEN_AGAIN),
            _ => gates.wait_in_time(&accept(), THEN_AGAIN),
        }
    }
    if phase != "Healthy" && facts.rollout.spec.paused && gates.is_empty() {
        strategy::gate_of_spec(&mut gates);
    }
    if phase != "Healthy" {
        let (_, standing) = phase::standing(facts, &memory.status);
        gates.wait_at_least(if standing.is_empty() { &message } else { &standing }, "the rollout goes on");
    }
    (memory.status.phase, memory.status.message) = (Some(phase), Some(message));
    let closed = gates.finish(condition::deadline(facts, &memory));
    memory.status.gates = (!closed.is_empty()).then_some(closed);
    parting::remember(facts.world, &mut memory.status);
    let mut events = memory.journal.events;
    events.sort_by_key(|event| rank(facts, event));
    Plan { status: memory.status, wake: memory.wake, events, ..plan }
}

/// Clients and the tests of the API know one order of the events of an update; within a rank they keep their own.
fn rank(facts: &Facts, event: &Event) -> u8 {
    let preview = facts.blue_green.and_then(|strategy| strategy.preview_service.as_ref());
    let active = facts.blue_green.and_then(|strategy| facts.selected(Some(&strategy.active_service)));
    let resumes_late = active == Some(&facts.current_hash) || facts.status().promote_full;
    match event.reason.as_str() {
        "RolloutUpdated" => 0,
        "NewReplicaSetCreated" | "SkipSteps" => 1,
        "SwitchService" => {
            if event.service.as_ref() == preview {
                1
            } else {
                4
            }
        }
        "TrafficWeightUpdated" if event.message.starts_with(weights::AT_FIRST) => 7,
        "RolloutNotCompleted" | "TrafficWeightUpdated" => 2,
        "RolloutResumed" if resumes_late => 6,
        "RolloutAborted" if event.says_cause() => 3,
        "AnalysisRunSuccessful" if facts.blue_green.is_some() => 5,
        "ScalingReplicaSet" => 4,
        "RolloutAborted" | "RolloutPaused" | "RolloutCompleted" => 5,
        _ => 3,
    }
}

/// Nothing is decided before it is known what the Rollout refers to.
fn unknown(world: &World, waits_for: &str) -> Plan {
    let mut status = world.rollout.status.clone().unwrap_or_default();
    let mut gates = Gates::begin(world.now, status.gates.take().unwrap_or_default());
    gates.wait(waits_for, "the rollout goes on");
    status.gates = Some(gates.finish(Deadline::Open));
    Plan { status, ..Plan::default() }
}

/// Says in the condition and in an event that the spec cannot work; the sentence with the remedy, for people.
fn say_invalid(world: &World, memory: &mut Memory, problems: &[Problem]) -> String {
    let told = problem::full_sentence(world, problems);
    condition::invalid(memory, world.now, &problem::sentence(world, problems), &told);
    told
}

/// A spec that cannot work is said so; the running workload stays as it is.
fn invalid(world: &World, problems: &[Problem]) -> Plan {
    let mut memory = Memory::unfolded(world);
    let told = say_invalid(world, &mut memory, problems);
    memory.status.observed_generation =
        world.rollout.metadata.generation.map(|generation| generation.to_string()).unwrap_or_default();
    memory.status.phase = Some("Degraded".to_owned());
    memory.status.message = Some(format!("InvalidSpec: {}", problem::sentence(world, problems)));
    let mut gates = Gates::begin(world.now, memory.status.gates.take().unwrap_or_default());
    gates.hold(&format!("a change of the spec: {told}"), "the rollout goes on by itself");
    memory.status.gates = Some(gates.finish(Deadline::Open));
    Plan { status: memory.status, events: memory.journal.events, ..Plan::default() }
}
