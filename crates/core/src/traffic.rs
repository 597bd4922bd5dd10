//! Decides the split: capacity before traffic, and back to stable before anything else.

use crate::affinity;
use crate::brake;
use crate::capacity;
use crate::dynamic;
use crate::facts::{Change, Facts, Shown};
use crate::gate::Gates;
use crate::managed_route::{self, Routes};
use crate::memory::Memory;
use crate::replica::carrying;
use crate::split::{Effective, Split, Weight};
use crate::step;
use crate::trial;
use crate::weights;

/// The split for all routers; `None` leaves the routes alone because what they show cannot be judged, or canary and stable
/// are changing places: what they show is true of the new roles as well, once these are stored.
pub(crate) fn split(facts: &Facts, memory: &mut Memory, gates: &mut Gates) -> Option<Split> {
    if !facts.routed() || memory.stable().is_empty() || memory.roles_changed {
        return None;
    }
    let weight = wanted_weight(facts, memory, gates)?;
    let Routes { headers, mirrors } = managed_route::wished(facts, memory, gates);
    let additional = trial::destinations(facts, memory);
    let affinity = affinity::wished(facts, memory, weight);
    Some(Split { headers, mirrors, additional, affinity, ..Split::new(facts.total, weight) })
}

fn wanted_weight(facts: &Facts, memory: &mut Memory, gates: &mut Gates) -> Option<Weight> {
    let Some(shown) = facts.shown() else { return unread(facts, memory, gates) };
    match wish(facts, memory) {
        Wish::Stay => held(facts, memory, shown),
        Wish::Weight(target) if target > shown.least && halted(facts, memory) => held(facts, memory, shown),
        Wish::Weight(target) if target > shown.least => toward_canary(facts, memory, target, shown, gates),
        Wish::Weight(target) => toward_stable(facts, memory, target, shown, gates),
    }
}

/// No router can be read: what was recorded last bounds the way back, and nothing goes forward. Where nothing was recorded,
/// nothing has left stable, and routers whose objects say nothing yet are told so: they would wait for it for ever.
fn unread(facts: &Facts, memory: &mut Memory, gates: &mut Gates) -> Option<Weight> {
    let recorded = memory.status.canary.weights.as_ref().map(|weights| weights.canary.weight);
    let Some(known) = recorded else { return Some(Weight(0)) };
    let known = Weight(u32::try_from(known).unwrap_or(0));
    let (back, shown) = (memory.aborted() || memory.fully_promoted(), Shown { least: known, most: known });
    if back { toward_stable(facts, memory, Weight(0), shown, gates) } else { None }
}

/// Nothing goes forward while a person holds the rollout, or has to decide about an analysis.
pub(crate) fn halted(facts: &Facts, memory: &Memory) -> bool {
    brake::paused(facts, memory) || memory.undecided()
}

/// Every router keeps what it has. Routers that differ meet at the larger weight once the canary can carry it: part of
/// the traffic has gone there already.
fn held(facts: &Facts, memory: &Memory, shown: Shown) -> Option<Weight> {
    let carried = carrying(facts.limits.replicas, shown.most, facts.total);
    let ready = capacity::canary_ready(facts, memory) || facts.new_pods().serving() >= carried;
    let meet = ready && !memory.aborted() && !halted(facts, memory);
    (shown.least == shown.most || meet).then_some(shown.most)
}

enum Wish {
    Stay,
    Weight(Weight),
}

fn wish(facts: &Facts, memory: &Memory) -> Wish {
    if memory.fully_promoted() || memory.aborted() || !reaches_canary(facts, memory) {
        return Wish::Weight(Weight(0));
    }
    if facts.new_pods().serving() == 0 {
        return Wish::Weight(Weight(0));
    }
    if memory.promoting_fully() {
        return if dynamic::is_on(facts) { Wish::Weight(dynamic::weight_carried(facts)) } else { Wish::Stay };
    }
    Wish::Weight(step_weight(facts, memory))
}

/// The weight that the current step asks for; none while it wants the canary to have no pods.
pub(crate) fn step_weight(facts: &Facts, memory: &Memory) -> Weight {
    if capacity::desired(facts, memory).canary == 0 {
        return Weight(0);
    }
    match memory.step() {
        None if facts.canary.post_promotion_analysis.is_none() => Weight(0),
        Some(index) if index < facts.steps.len() => step::weight_within(facts.steps, index.saturating_add(1)),
        // What is watched after all steps, or without any, has all traffic.
        Some(_) | None => facts.total,
    }
}

/// More traffic for the canary: when its pods are ready for it, and when the last change is sure to have arrived.
fn toward_canary(
    facts: &Facts,
    memory: &mut Memory,
    target: Weight,
    shown: Shown,
    gates: &mut Gates,
) -> Option<Weight> {
    if let Some(Effective::Unknown(why)) = facts.effective() {
        gates.wait_in_time(&format!("the router: {why}"), "the weight moves");
        return held(facts, memory, shown);
    }
    let by_share = memory.promoting_fully() && dynamic::is_on(facts);
    if !by_share && !capacity::canary_ready(facts, memory) {
        return held(facts, memory, shown);
    }
    // A router that has moved already is followed by the others at once.
    if shown.most < target
        && let Err(until) = weights::settled(facts, memory, Change::Any)
    {
        until.into_iter().for_each(|until| memory.wake_after(facts.world.now, until));
        let then = format!("the weight moves to {target}");
        gates.settle("the data plane to follow the last change", until, &then);
        return held(facts, memory, shown);
    }
    Some(target)
}

/// Less traffic for the canary: as soon as stable can carry it within `maxUnavailable`; else as much as the ready pods of
/// stable carry. A canary without ready pods keeps nothing in any case.
fn toward_stable(
    facts: &Facts,
    memory: &mut Memory,
    target: Weight,
    shown: Shown,
    gates: &mut Gates,
) -> Option<Weight> {
    if shown.most == target {
        return Some(target);
    }
    let carrier = weights::behind_canary(facts, memory).map(str::to_owned);
    let carrier = carrier.as_deref();
    if !stable_side_stands(facts, memory, (shown, carrier), gates) {
        return held(facts, memory, shown);
    }
    let stable = facts.by_hash(memory.stable()).map_or(0, |set| set.pods.serving());
    let carrier_serves =
        carrier.is_none_or(|hash| facts.by_hash(hash).is_some_and(|set| set.pods.serving() > 0));
    if dynamic::is_on(facts) && carrier_serves && (memory.aborted() || memory.fully_promoted()) {
        return step_by_step(facts, memory, shown, (stable, carrier), gates);
    }
    let rest = Weight(facts.total.0.saturating_sub(target.0));
    let enough = carrying(facts.limits.fewest().max(1), rest, facts.total).min(facts.limits.replicas);
    if stable >= enough || !carrier_serves {
        return Some(target);
    }
    gates.wait_in_time(
        &format!("{enough} stable pods to be available for {rest} of {} parts of the traffic", facts.total),
        "the rest of it leaves the canary",
    );
    Some(beyond(facts, stable).max(target).min(shown.least))
}

/// Weight on stable reaches stable for certain. Traffic of another revision does not wait for the data plane.
fn stable_side_stands(
    facts: &Facts,
    memory: &mut Memory,
    (shown, carrier): (Shown, Option<&str>),
    gates: &mut Gates,
) -> bool {
    if !stable_service_follows(facts, memory) {
        gates.wait_in_time("the stable Service to select the stable revision", "traffic moves to it");
        return false;
    }
    // With stable on both sides nothing is urgent, and the endpoints have to have changed. A router that has moved
    // already is followed by the others.
    if carrier == Some(memory.stable())
        && shown.least == shown.most
        && let Err(until) = weights::settled(facts, memory, Change::Any)
    {
        until.into_iter().for_each(|until| memory.wake_after(facts.world.now, until));
        let then = "traffic leaves the canary Service";
        gates.settle("the data plane to follow the stable Service", until, then);
        return false;
    }
    true
}

/// The way back to a stable that has given pods away: after an abort as they come, in an undo when all are there.
fn step_by_step(
    facts: &Facts,
    memory: &Memory,
    shown: Shown,
    (stable, carrier): (i32, Option<&str>),
    gates: &mut Gates,
) -> Option<Weight> {
    let all = stable >= facts.limits.replicas;
    if !all {
        let waits_for = format!("{} stable pods to be available", facts.limits.replicas);
        gates.wait_in_time(&waits_for, "the rest of the traffic leaves the canary");
    }
    if memory.aborted() {
        return Some(dynamic::weight_kept(facts, memory, shown.least));
    }
    if all || carrier == Some(memory.stable()) { Some(Weight(0)) } else { held(facts, memory, shown) }
}

/// What so many pods of stable cannot carry.
fn beyond(facts: &Facts, stable: i32) -> Weight {
    let total = i64::from(facts.total.0);
    let carried = total.saturating_mul(i64::from(stable)).checked_div(i64::from(facts.limits.replicas));
    Weight(u32::try_from(total.saturating_sub(carried.unwrap_or(total))).unwrap_or(0))
}

/// The Service (or subset) with the weight of stable selects the stable revision, so that weight on it is weight on stable.
fn stable_service_follows(facts: &Facts, memory: &Memory) -> bool {
    if facts.by_subsets() {
        return weights::behind_stable(facts, memory).is_none_or(|hash| hash == memory.stable());
    }
    let Some(service) = facts.services.stable else {
        return true;
    };
    match facts.service(service).map(crate::seen::Seen::last_known) {
        Some(Some(service)) => service.hash.as_deref() == Some(memory.stable()),
        // It cannot be read. Nothing of ours points it elsewhere while an attempt is on its way.
        _ => memory.aborted(),
    }
}

/// Weight on the canary is that of another revision still: of one before, which the canary has to be rid of first.
pub(crate) fn is_of_another(facts: &Facts, memory: &Memory) -> bool {
    let carries = facts.routed() && facts.shown().is_some_and(|shown| shown.most.0 > 0);
    carries && !reaches_canary(facts, memory)
}

/// Weight on the canary reaches the canary, and not a revision before it.
pub(crate) fn reaches_canary(facts: &Facts, memory: &Memory) -> bool {
    let named = facts.by_subsets() || facts.services.canary.is_some();
    !named || weights::behind_canary(facts, memory) == Some(&facts.current_hash)
}
