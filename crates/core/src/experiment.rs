//! Decides an Experiment: ReplicaSets that run beside each other for a time and are measured. One World in, one Plan out.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serin_api::{AnalysisPhase, ExperimentStatus};

use crate::gate::{Deadline, Gates};
use crate::journal::{Event, Journal};
use crate::write::Write;

mod analysis;
mod condition;
mod facts;
mod phase;
mod replica_set;
mod service;
mod template;
mod world;

use facts::Facts;
pub use world::{Service, World};

/// What is to be stored, written and said, and when to look again.
///
/// # Guarantees
/// As of [`crate::Plan`]: the status first; any subset of the writes in any order is safe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The status to be stored first, guarded by the resourceVersion of the Experiment in the World.
    pub status: ExperimentStatus,
    /// Writes of objects.
    pub writes: Vec<Write>,
    /// When to plan again although nothing is observed to change.
    pub wake: Option<Timestamp>,
    /// What to tell of the Experiment, in order, after the status is stored.
    pub events: Vec<Event>,
    /// What to tell of the Rollout that controls it, after the status is stored.
    pub owner_events: Vec<Event>,
}

/// The status on its way from what was read to what will be stored, with what is to be written and told.
struct Memory {
    status: ExperimentStatus,
    journal: Journal,
    owner_journal: Journal,
    writes: Vec<Write>,
    gates: Gates,
    wake: Option<Timestamp>,
}

impl Memory {
    fn of(world: &World) -> Self {
        let mut status = world.experiment.status.clone().unwrap_or_default();
        let gates = Gates::begin(world.now, status.gates.take().unwrap_or_default());
        let (journal, owner_journal) = (Journal::default(), Journal::default());
        Self { status, journal, owner_journal, writes: Vec::new(), gates, wake: None }
    }

    /// Looks again at this moment, unless it is past: waking at once would only spin.
    fn wake_after(&mut self, now: Timestamp, at: Timestamp) {
        if at > now {
            self.wake = Some(self.wake.map_or(at, |known| known.min(at)));
        }
    }
}

/// Decides what to do next with one Experiment.
pub fn plan(world: &World) -> Plan {
    if world.experiment.metadata.deletion_timestamp.is_some() {
        return Plan { status: world.experiment.status.clone().unwrap_or_default(), ..Plan::default() };
    }
    let mut memory = Memory::of(world);
    let problems = serin_api::validate_experiment(&world.experiment);
    let before = memory.status.phase;
    match problems.first() {
        Some(problem) => condition::invalid(world, &mut memory, &problem.to_string()),
        None => condition::valid(&mut memory),
    }
    let facts = Facts::gather(world, &memory.status, problems.is_empty());
    template::statuses(&facts, &mut memory);
    replica_set::wind_down(&facts, &mut memory);
    service::remove(&facts, &mut memory);
    analysis::runs(&facts, &mut memory);
    phase::assess(&facts, &mut memory);
    condition::update(&facts, &mut memory);
    phase::tell(before, &mut memory);
    conclude(&facts, memory)
}

fn conclude(facts: &Facts, mut memory: Memory) -> Plan {
    for refusal in &facts.world.refusals {
        let waits_for = format!("the API server to accept {}: {}", refusal.object, refusal.message);
        memory.gates.wait(&waits_for, "it is tried again");
    }
    if matches!(memory.status.phase, AnalysisPhase::Unset | AnalysisPhase::Pending) {
        memory.gates.wait_at_least("the pods of the templates", "the experiment runs");
    }
    let closed = memory.gates.finish(Deadline::Open);
    memory.status.gates = (!closed.is_empty()).then_some(closed);
    Plan {
        status: memory.status,
        writes: memory.writes,
        wake: memory.wake,
        events: memory.journal.events,
        owner_events: memory.owner_journal.events,
    }
}
