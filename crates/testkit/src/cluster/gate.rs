//! Judges what a rollout says it waits for: something, with an outcome, and until a moment only if something happens then.

use serin_api::{Gate, RolloutStatus};
use serin_core::Plan;
use serin_core::world::World;

use super::Cluster;
use crate::scene::BEGINNING;

/// Milliseconds within which something has to follow from a moment that was told: a request without an answer, the time
/// of a lagging watch, and the next plan.
const PATIENCE: i64 = 60_000;

impl Cluster {
    /// Every gate of a plan is whole, and none is closed until a moment that has passed. The moments alone are nothing new.
    pub(super) fn judge_gates(&mut self, world: &World, decided: &Plan) {
        let now = world.now.as_second();
        let mut found = Vec::new();
        for gate in decided.status.gates.iter().flatten() {
            if gate.waits_for.is_empty() || gate.then.is_empty() || gate.since.is_none() {
                found.push(format!("a gate does not say what it waits for and what then: {gate:?}"));
            }
            // The API cuts moments to whole seconds.
            if gate.until.as_ref().is_some_and(|until| until.0.as_second() + 1 < now) {
                found.push(format!(
                    "a gate is closed until a moment that has passed: {gate:?} at {}",
                    world.now
                ));
            }
        }
        let before = world.rollout.status.clone().unwrap_or_default();
        let quiet = decided.writes.is_empty() && decided.services.is_empty();
        if quiet && moves(&before, &decided.status) && timeless(&before) == timeless(&decided.status) {
            found.push(format!(
                "only the moments of gates move: {:?} to {:?}",
                before.gates, decided.status.gates
            ));
        }
        found.into_iter().for_each(|text| self.violation(text));
    }

    /// After every event: a moment that has come has changed something. Faults may delay that, so they are waited for.
    pub(super) fn judge_moments(&mut self) {
        let Some(fair) = self.laws.fair_since else { return };
        let latest = |gate: &&Gate| until(gate).is_some_and(|until| self.now > until.max(fair) + PATIENCE);
        let status = self.truth.world.rollout.status.as_ref();
        let overdue = status.and_then(|status| status.gates.iter().flatten().find(latest)).cloned();
        if let Some(gate) = overdue {
            self.violation(format!("a gate is overdue: {gate:?}"));
        }
    }

    /// Nothing happens any more, so nobody may be told to wait for a moment.
    pub(super) fn judge_last_moments(&mut self, status: &RolloutStatus) {
        if let Some(gate) = status.gates.iter().flatten().find(|gate| gate.until.is_some()).cloned() {
            self.violation(format!("it is at rest, and a gate is closed until a moment: {gate:?}"));
        }
    }
}

/// Until when a gate is closed, in milliseconds of the simulation.
fn until(gate: &Gate) -> Option<i64> {
    Some(gate.until.as_ref()?.0.as_millisecond() - BEGINNING.as_millisecond())
}

/// A moment that was told is another one now; one that nobody knew before may be told.
fn moves(before: &RolloutStatus, after: &RolloutStatus) -> bool {
    let gates = |status: &RolloutStatus| status.gates.clone().unwrap_or_default();
    gates(before).iter().zip(gates(after)).any(|(before, after)| {
        before.until.is_some() && before.until != after.until || before.since != after.since
    })
}

/// The status without the moments of its gates.
fn timeless(status: &RolloutStatus) -> RolloutStatus {
    let gates = status.gates.iter().flatten().map(|gate| Gate { until: None, since: None, ..gate.clone() });
    RolloutStatus { gates: Some(gates.collect()), ..status.clone() }
}
