//! Decides the size of each ReplicaSet: up when capacity is asked for, down only with a drain permit.

use crate::capacity;
use crate::facts::Facts;
use crate::gate::Gates;
use crate::memory::{INCONCLUSIVE_ANALYSIS, Memory};
use crate::replica::{carrying, next_counts};
use crate::strategy::{Deadline, Size};
use crate::time::after;
use crate::traffic;
use crate::world::ReplicaSet;

/// Seconds that pods without traffic are kept for a fast way back, unless the Rollout says otherwise.
const SCALE_DOWN_DELAY_SECONDS: i32 = 30;

/// Sizes of all ReplicaSets.
pub(crate) fn sizes(facts: &Facts, memory: &mut Memory, gates: &mut Gates) -> Vec<Size> {
    let halted = !memory.aborted() && (facts.rollout.spec.paused || memory.paused_for(INCONCLUSIVE_ANALYSIS));
    if halted {
        return Vec::new();
    }
    if facts.routed() { routed(facts, memory, gates) } else { by_pods(facts, memory) }
}

fn size(set: &ReplicaSet, replicas: i32, deadline: Deadline) -> Size {
    Size { uid: set.uid.clone(), replicas, deadline }
}

fn routed(facts: &Facts, memory: &mut Memory, gates: &mut Gates) -> Vec<Size> {
    let mut sizes = Vec::new();
    if let Some(stable) = distinct_stable(facts) {
        sizes.push(size(stable, facts.limits.replicas, Deadline::Remove));
    }
    if let Some(new) = facts.new {
        sizes.push(if memory.aborted() && !memory.fully_promoted() {
            aborted_canary(facts, memory, new, gates)
        } else {
            size(new, canary_size(facts, memory), Deadline::Remove)
        });
    }
    sizes.extend(routed_others(facts, memory, gates));
    sizes
}

fn distinct_stable<'w>(facts: &Facts<'w>) -> Option<&'w ReplicaSet> {
    facts.stable.filter(|stable| facts.new.is_none_or(|new| new.uid != stable.uid))
}

/// What the step asks for, and never less than the traffic that the canary still gets.
fn canary_size(facts: &Facts, memory: &Memory) -> i32 {
    let wanted = capacity::desired(facts, memory).canary;
    if capacity::explicit_scale(facts, memory).is_some() {
        return wanted;
    }
    let shown =
        facts.shown_split().map_or(0, |split| carrying(facts.limits.replicas, split.canary, facts.total));
    let existing = facts.new_pods().spec;
    wanted.max(shown.min(existing))
}

/// After an abort the canary keeps its pods until its traffic is observed gone and the delay has passed.
fn aborted_canary(facts: &Facts, memory: &mut Memory, new: &ReplicaSet, gates: &mut Gates) -> Size {
    let delay = facts.canary.abort_scale_down_delay_seconds.unwrap_or(SCALE_DOWN_DELAY_SECONDS);
    if new.pods.spec == 0 {
        return size(new, 0, Deadline::Keep);
    }
    if delay == 0 {
        return size(new, new.pods.spec, Deadline::Keep);
    }
    if let Err(waits_for) = traffic::drained(facts, memory, &new.hash) {
        memory.wake_at(traffic::settled_at(facts, memory).max(facts.world.now));
        gates.wait(&waits_for, "the canary is scaled down after its delay");
        return size(new, new.pods.spec, Deadline::Keep);
    }
    delayed(facts, memory, new, i64::from(delay))
}

/// Holds a ReplicaSet at its size until `delay` seconds after its traffic has gone.
fn delayed(facts: &Facts, memory: &mut Memory, set: &ReplicaSet, delay: i64) -> Size {
    let now = facts.world.now;
    match set.scale_down_deadline() {
        Some(deadline) if deadline <= now => size(set, 0, Deadline::Remove),
        Some(deadline) => {
            memory.wake_at(deadline);
            size(set, set.pods.spec, Deadline::Keep)
        }
        None if delay == 0 => size(set, 0, Deadline::Keep),
        None => {
            let deadline = after(now, delay);
            memory.wake_at(deadline);
            size(set, set.pods.spec, Deadline::Set(deadline))
        }
    }
}

fn routed_others(facts: &Facts, memory: &mut Memory, gates: &mut Gates) -> Vec<Size> {
    let available: i32 = facts.replica_sets().fold(0, |sum, set| sum.saturating_add(set.pods.available));
    let mut spare = available.saturating_sub(facts.limits.fewest());
    let delay = facts.canary.scale_down_delay_seconds.unwrap_or(SCALE_DOWN_DELAY_SECONDS);
    let most_delayed = facts.canary.scale_down_delay_revision_limit.unwrap_or(i32::MAX);
    let mut delayed_sets = 0_i32;
    let mut sizes = Vec::new();
    for set in facts.others.iter().filter(|set| set.pods.spec > 0) {
        if let Err(waits_for) = traffic::drained(facts, memory, &set.hash) {
            memory.wake_at(traffic::settled_at(facts, memory).max(facts.world.now));
            gates.wait(&waits_for, &format!("revision {} is scaled down", set.hash));
            continue;
        }
        if spare < set.pods.available.min(1) {
            gates.wait("enough pods of stable and canary to be available", "older revisions are scaled down");
            continue;
        }
        let was_stable = memory.fully_promoted() || set.scale_down_deadline().is_some();
        let size = if was_stable && delayed_sets < most_delayed {
            delayed_sets = delayed_sets.saturating_add(1);
            delayed(facts, memory, set, i64::from(delay.max(0)))
        } else {
            size(set, 0, Deadline::Remove)
        };
        if size.replicas == 0 {
            spare = spare.saturating_sub(set.pods.available);
        }
        sizes.push(size);
    }
    sizes
}

/// Traffic follows pods: sizes move within surge and unavailability, older revisions leave first.
fn by_pods(facts: &Facts, memory: &Memory) -> Vec<Size> {
    let wish = capacity::desired(facts, memory);
    let others_total: i32 = facts.others.iter().fold(0, |sum, set| sum.saturating_add(set.pods.spec));
    let stable = distinct_stable(facts);
    let next = next_counts(
        &facts.limits,
        wish,
        facts.new.map(|set| set.pods),
        stable.map(|set| set.pods),
        others_total,
    );
    let mut sizes = Vec::new();
    sizes.extend(stable.map(|set| size(set, next.stable, Deadline::Remove)));
    sizes.extend(facts.new.map(|set| size(set, next.canary, Deadline::Remove)));
    sizes.extend(others_by_pods(facts));
    sizes
}

/// Unavailable pods of older revisions go first, then as many as availability allows, newest revision first.
fn others_by_pods(facts: &Facts) -> Vec<Size> {
    let available: i32 = facts.replica_sets().fold(0, |sum, set| sum.saturating_add(set.pods.available));
    let mut spare = available.saturating_sub(facts.limits.fewest()).max(0);
    let mut sizes = Vec::new();
    for set in facts.others.iter().filter(|set| set.pods.spec > 0) {
        let healthy = set.pods.spec.min(set.pods.available);
        let cut = spare.min(healthy);
        spare = spare.saturating_sub(cut);
        sizes.push(size(set, healthy.saturating_sub(cut), Deadline::Remove));
    }
    sizes
}
