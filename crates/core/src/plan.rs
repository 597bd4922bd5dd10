//! Decides: one World in, one Plan out. Total and deterministic; bad specs, absent metrics and failed writes are inputs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serin_api::{RolloutStatus, TrafficWeights, WeightDestination, label};

use crate::facts::Facts;
use crate::gate::Gates;
use crate::journal::Event;
use crate::memory::{self, Memory};
use crate::problem;
use crate::seen::ObjectKey;
use crate::split::{Effective, Split};
use crate::strategy::{ServiceTarget, Size, canary};
use crate::time::api_time;
use crate::world::World;
use crate::write::{Effect, Write};
use crate::{analysis, condition, replica_set, revision, safety, scale, traffic};

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
    let problems = problem::of_spec(world);
    let Some(facts) = Facts::gather(world).filter(|_| problems.is_empty()) else {
        return invalid(world, &problems);
    };
    let mut memory = memory::fold(&facts);
    let mut gates = Gates::begin(world.now, memory.status.gates.take().unwrap_or_default());
    analysis::hear(&facts, &mut memory);
    let missing = problem::of_references(&facts);
    let aborted = safety::overrule(&facts, &mut memory);
    if !aborted && !missing.is_empty() {
        return hold_for_references(&facts, memory, gates, &missing);
    }
    condition::valid(&mut memory);
    if aborted {
        safety::gate_of_abort(&mut gates);
    } else {
        canary::advance(&facts, &mut memory, &mut gates);
    }
    act(&facts, memory, gates)
}

/// Turns what is remembered into wishes, and wishes into writes that are safe now.
fn act(facts: &Facts, mut memory: Memory, mut gates: Gates) -> Plan {
    observe_counts(facts, &mut memory);
    observe_weights(facts, &mut memory);
    let mut writes = Vec::new();
    begin_revision(facts, &mut memory, &mut writes);
    let split = traffic::split(facts, &memory, &mut gates);
    let services = traffic::services(facts, &memory);
    let sizes = scale::sizes(facts, &mut memory, &mut gates);
    update_sets(facts, &mut memory, &sizes, &mut writes);
    writes.extend(analysis::runs(facts, &mut memory, &mut gates));
    replica_set::forget_history(facts, &mut writes);
    condition::update(facts, &mut memory);
    let (canary_hash, stable_hash) = (facts.current_hash.clone(), memory.stable().to_owned());
    let mut plan = conclude(facts, memory, gates);
    (plan.writes, plan.services, plan.split) = (writes, services, split);
    (plan.canary_hash, plan.stable_hash) = (canary_hash, stable_hash);
    plan
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
        memory.journal.note("RolloutUpdated", format!("Rollout updated to revision {number}"));
        writes.push(annotate_revision(facts, &number));
    }
    if facts.rollout.spec.replicas.is_none() {
        let patch = vec![json!({"op": "add", "path": "/spec/replicas", "value": 1})];
        writes.push(Write { object: rollout_key(facts), effect: Effect::JsonPatch(patch) });
    }
    if facts.new.is_none()
        && let Some(create) = replica_set::create(facts)
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
    let mut patch = Vec::new();
    if facts.rollout.metadata.annotations.is_none() {
        patch.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
    }
    let path = format!("/metadata/annotations/{}", replica_set::pointer_escape(label::REVISION));
    patch.push(json!({"op": "add", "path": path, "value": number}));
    Write { object: rollout_key(facts), effect: Effect::JsonPatch(patch) }
}

fn observe_counts(facts: &Facts, memory: &mut Memory) {
    let sum = |count: fn(&crate::world::ReplicaSet) -> i32| {
        facts.replica_sets().fold(0_i32, |sum, set| sum.saturating_add(count(set)))
    };
    let status = &mut memory.status;
    status.replicas = sum(|set| set.pods.current);
    status.updated_replicas = facts.new_pods().current;
    status.ready_replicas = sum(|set| set.ready);
    status.available_replicas = sum(|set| set.pods.available);
    status.hpa_replicas = status.replicas;
    status.selector = facts.rollout.spec.selector.as_ref().map(problem::selector_text).unwrap_or_default();
}

/// Records the weights in force as observed, not as wished, and since when they are.
fn observe_weights(facts: &Facts, memory: &mut Memory) {
    if !facts.routed() {
        memory.status.canary.weights = None;
        return;
    }
    let confirmed = facts.world.routers.iter().all(|router| router.confirms);
    let (split, verified) = match facts.effective() {
        Some(Effective::Applied(split)) => (split, confirmed.then_some(true)),
        Some(Effective::Pending(split)) => (split, Some(false)),
        Some(Effective::Unknown(_)) | None => return,
    };
    let before = memory.status.canary.weights.take();
    let destination = |weight: u32, service: Option<&str>, role: &str| WeightDestination {
        weight: i32::try_from(weight).unwrap_or(i32::MAX),
        service_name: service.map(str::to_owned),
        pod_template_hash: Some(facts.selected(service).unwrap_or(role).to_owned()),
    };
    let canary_service = facts.canary.canary_service.as_deref();
    let stable_service = facts.canary.stable_service.as_deref();
    let canary = destination(split.canary.0, canary_service, &facts.current_hash);
    let stable = destination(split.stable().0, stable_service, memory.stable());
    let same = before.as_ref().is_some_and(|known| known.canary == canary && known.stable == stable);
    let applied_at = before.as_ref().filter(|_| same).and_then(|known| known.applied_at.clone());
    let known_weight = before.as_ref().map(|known| known.canary.weight);
    if known_weight != Some(canary.weight) {
        let text = match known_weight {
            Some(from) => format!("Traffic weight updated from {from} to {}", canary.weight),
            None => format!("Traffic weight updated to {}", canary.weight),
        };
        memory.journal.note("TrafficWeightUpdated", text);
    }
    memory.status.canary.weights = Some(TrafficWeights {
        canary,
        stable,
        additional: None,
        verified,
        applied_at: applied_at.or_else(|| Some(api_time(facts.world.now))),
    });
}

fn conclude(facts: &Facts, mut memory: Memory, gates: Gates) -> Plan {
    memory.status.observed_generation =
        facts.rollout.metadata.generation.map(|generation| generation.to_string()).unwrap_or_default();
    let (phase, message) = condition::phase(facts, &memory.status);
    (memory.status.phase, memory.status.message) = (Some(phase), Some(message));
    let closed = gates.finish();
    memory.status.gates = (!closed.is_empty()).then_some(closed);
    let mut events = memory.journal.events;
    events.sort_by_key(rank);
    Plan { status: memory.status, wake: memory.wake, events, ..Plan::default() }
}

/// Clients and the tests of the API know one order of the events of an update; within a rank they keep their own.
fn rank(event: &Event) -> u8 {
    match event.reason.as_str() {
        "RolloutUpdated" | "SkipSteps" => 0,
        "NewReplicaSetCreated" => 1,
        "RolloutNotCompleted" => 2,
        "ScalingReplicaSet" => 4,
        "RolloutAborted" | "RolloutPaused" | "RolloutCompleted" => 5,
        _ => 3,
    }
}

/// A spec that cannot work is said so; the running workload stays as it is.
fn invalid(world: &World, problems: &[String]) -> Plan {
    let mut memory = Memory::unfolded(world);
    let text = problem::sentence(world, problems);
    condition::invalid(&mut memory, world.now, &text);
    memory.status.observed_generation =
        world.rollout.metadata.generation.map(|generation| generation.to_string()).unwrap_or_default();
    memory.status.phase = Some("Degraded".to_owned());
    memory.status.message = Some(format!("InvalidSpec: {text}"));
    let mut gates = Gates::begin(world.now, memory.status.gates.take().unwrap_or_default());
    gates.hold(&format!("a change of the spec: {text}"), "the rollout goes on by itself");
    memory.status.gates = Some(gates.finish());
    Plan { status: memory.status, events: memory.journal.events, ..Plan::default() }
}

/// Something that the spec names is not there: everything stays as it is until it appears.
fn hold_for_references(facts: &Facts, mut memory: Memory, mut gates: Gates, missing: &[String]) -> Plan {
    observe_counts(facts, &mut memory);
    let text = problem::sentence(facts.world, missing);
    condition::invalid(&mut memory, facts.world.now, &text);
    for problem in missing {
        gates.wait(problem, "the rollout goes on by itself");
    }
    conclude(facts, memory, gates)
}
