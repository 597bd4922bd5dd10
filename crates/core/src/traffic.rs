//! Decides the split: capacity before traffic, and back to stable before anything else.

use jiff::Timestamp;

use crate::capacity;
use crate::facts::Facts;
use crate::gate::Gates;
use crate::memory::Memory;
use crate::replica::carrying;
use crate::split::{Effective, Split, Weight};
use crate::step;
use crate::strategy::ServiceTarget;
use crate::time::after;
use crate::world::ReplicaSet;

/// The split for all routers; `None` leaves the routes alone because what they show cannot be judged.
pub(crate) fn split(facts: &Facts, memory: &Memory, gates: &mut Gates) -> Option<Split> {
    if !facts.routed() {
        return None;
    }
    let weight = wanted_weight(facts, memory, gates)?;
    Some(Split::new(facts.total, weight))
}

fn wanted_weight(facts: &Facts, memory: &Memory, gates: &mut Gates) -> Option<Weight> {
    let shown = facts.shown_split().map(|split| split.canary);
    if memory.fully_promoted() || memory.stable().is_empty() {
        return if stable_service_follows(facts, memory) { Some(Weight(0)) } else { shown };
    }
    if memory.aborted() {
        return Some(abort_weight(facts, shown, gates));
    }
    if facts.new_pods().available == 0 || !canary_service_follows(facts) {
        return Some(Weight(0));
    }
    if memory.promoting_fully() {
        return shown;
    }
    let Some(index) = memory.step() else {
        return Some(Weight(0));
    };
    let wish = if !capacity::canary_ready(facts, memory) {
        step::weight_within(facts.steps, index)
    } else if index < facts.steps.len() {
        step::weight_within(facts.steps, index.saturating_add(1))
    } else {
        facts.total
    };
    Some(carried_by_stable(facts, wish, shown, gates))
}

/// The rest of the traffic needs ready pods of stable; without them the split stays as it is.
fn carried_by_stable(facts: &Facts, wish: Weight, shown: Option<Weight>, gates: &mut Gates) -> Weight {
    let rest = Weight(facts.total.0.saturating_sub(wish.0));
    let needed = carrying(facts.limits.replicas, rest, facts.total);
    if facts.stable_pods().available >= needed {
        return wish;
    }
    gates.wait(
        &format!("{needed} stable pods to be available for {rest} of {} parts of the traffic", facts.total),
        "the weight moves",
    );
    shown.unwrap_or(Weight(0))
}

/// Back to stable at once when stable can carry it within `maxUnavailable`; else as much as its ready pods carry, the
/// rest as they come. A canary without ready pods gets nothing in any case.
fn abort_weight(facts: &Facts, shown: Option<Weight>, gates: &mut Gates) -> Weight {
    let stable = facts.stable_pods().available;
    let enough = facts.limits.fewest().max(1);
    if stable >= enough || facts.new_pods().available == 0 || facts.limits.replicas == 0 {
        return Weight(0);
    }
    let total = i64::from(facts.total.0);
    let carried =
        total.saturating_mul(i64::from(stable)).checked_div(i64::from(facts.limits.replicas)).unwrap_or(0);
    let rest = Weight(u32::try_from(total.saturating_sub(carried)).unwrap_or(0));
    gates.wait(
        &format!("{enough} stable pods to be available to take all traffic back"),
        "the canary gets no traffic",
    );
    rest.min(shown.unwrap_or(rest))
}

/// The Service with the weight of stable selects the stable revision, so that weight on it is weight on stable.
fn stable_service_follows(facts: &Facts, memory: &Memory) -> bool {
    let Some(service) = facts.canary.stable_service.as_deref() else {
        return true;
    };
    !memory.stable().is_empty() && facts.selected(Some(service)) == Some(memory.stable())
}

/// The canary Service selects the canary: weight on it would else go to another revision.
fn canary_service_follows(facts: &Facts) -> bool {
    match facts.canary.canary_service.as_deref() {
        None => true,
        Some(service) => facts.selected(Some(service)) == Some(facts.current_hash.as_str()),
    }
}

/// What the Services should select. A Service is pointed at a revision only when that has ready pods for the traffic
/// which the Service carries.
pub(crate) fn services(facts: &Facts, memory: &Memory) -> Vec<ServiceTarget> {
    let shown = facts.shown_split();
    let canary_weight = shown.as_ref().map(|split| split.canary);
    let stable_weight = shown.as_ref().map(Split::stable);
    let stable_role = facts.replica_sets().find(|set| set.hash == memory.stable());
    let canary_role = if memory.aborted() { stable_role } else { facts.new };
    let wanted = [
        (facts.canary.stable_service.as_deref(), stable_role, stable_weight),
        (facts.canary.canary_service.as_deref(), canary_role, canary_weight),
    ];
    wanted.into_iter().filter_map(|(service, set, weight)| target(facts, service?, set?, weight)).collect()
}

fn target(facts: &Facts, name: &str, set: &ReplicaSet, weight: Option<Weight>) -> Option<ServiceTarget> {
    let service = facts.service(name)?.fresh()?;
    if service.hash.as_deref() == Some(set.hash.as_str())
        && service.managed_by.as_deref() == Some(facts.name())
    {
        return None;
    }
    let ready = if service.managed_by.is_none() && service.hash.as_deref() != Some(set.hash.as_str()) {
        set.fully_available()
    } else {
        let needed = match weight {
            Some(weight) if facts.routed() => carrying(facts.limits.replicas, weight, facts.total).max(1),
            _ => 1,
        };
        set.pods.available >= needed
    };
    ready.then(|| ServiceTarget { service: name.to_owned(), hash: set.hash.clone() })
}

/// The moment from which a split that nobody confirms may be taken as followed by the data plane.
pub(crate) fn settled_at(facts: &Facts, memory: &Memory) -> Timestamp {
    let bound = facts.propagation_seconds();
    let applied = memory.status.canary.weights.as_ref().and_then(|weights| weights.applied_at.as_ref());
    match applied {
        _ if bound == 0 => Timestamp::MIN,
        Some(applied) => after(applied.0, bound),
        None => after(facts.world.now, bound),
    }
}

/// Proof that no traffic can reach a revision; only [`drained`] makes one.
pub(crate) struct DrainPermit(());

/// A permit to take capacity from `hash`: every router says that it gets nothing, and has had time to make it true.
pub(crate) fn drained(facts: &Facts, memory: &Memory, hash: &str) -> Result<DrainPermit, String> {
    if !facts.routed() {
        return Ok(DrainPermit(()));
    }
    let split = match facts.effective() {
        Some(Effective::Applied(split)) => split,
        Some(Effective::Pending(_)) => return Err("the router to confirm the split".to_owned()),
        Some(Effective::Unknown(why)) => return Err(format!("the router: {why}")),
        None => return Err("a report of the router".to_owned()),
    };
    let carriers = [
        (facts.canary.canary_service.as_deref(), split.canary),
        (facts.canary.stable_service.as_deref(), split.stable()),
    ];
    for (service, weight) in carriers {
        let Some(name) = service else { continue };
        let selected = facts.service(name).and_then(|seen| seen.fresh());
        let Some(selected) = selected else {
            return Err(format!("Service {name} to be readable"));
        };
        if weight.0 > 0 && selected.hash.as_deref() == Some(hash) {
            return Err(format!("Service {name} (weight {weight}) to stop selecting revision {hash}"));
        }
    }
    let settled = settled_at(facts, memory);
    if facts.world.now < settled {
        return Err("the data plane to follow the new weight".to_owned());
    }
    Ok(DrainPermit(()))
}
