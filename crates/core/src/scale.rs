//! Decides the size of each ReplicaSet: up when capacity is asked for, down only with a drain permit.

use crate::brake;
use crate::capacity;
use crate::dynamic;
use crate::facts::Facts;
use crate::gate::Gates;
use crate::memory::Memory;
use crate::recreate;
use crate::replica::{Others, Pods, carrying, next_counts};
use crate::service::drained;
use crate::split::Split;
use crate::strategy::{Deadline, Size, blue_green};
use crate::time::after;
use crate::traffic;
use crate::weights;
use crate::world::ReplicaSet;

/// Seconds that pods without traffic are kept for a fast way back, unless the Rollout says otherwise.
pub(crate) const SCALE_DOWN_DELAY_SECONDS: i32 = 30;

/// Sizes of all ReplicaSets.
pub(crate) fn sizes(facts: &Facts, memory: &mut Memory, gates: &mut Gates) -> Vec<Size> {
    if let Some(strategy) = facts.blue_green {
        return blue_green::scale::sizes(facts, strategy, memory, gates);
    }
    if brake::paused(facts, memory) && !memory.aborted() {
        return Vec::new();
    }
    if facts.canary.recreates() {
        return recreate::sizes(facts, memory, gates);
    }
    if facts.routed() { routed(facts, memory, gates) } else { by_pods(facts, memory, gates) }
}

pub(crate) fn size(set: &ReplicaSet, replicas: i32, deadline: Deadline) -> Size {
    Size { uid: set.uid.clone(), replicas, deadline }
}

fn routed(facts: &Facts, memory: &mut Memory, gates: &mut Gates) -> Vec<Size> {
    let mut sizes = Vec::new();
    if let Some(stable) = distinct_stable(facts) {
        sizes.push(size(stable, stable_size(facts, memory, stable), Deadline::Remove));
    }
    if let Some(new) = facts.new {
        sizes.push(if memory.aborted() && !memory.fully_promoted() && !dynamic::drains(facts) {
            aborted_canary(facts, memory, new, gates)
        } else {
            size(new, canary_size(facts, memory), Deadline::Remove)
        });
    }
    let left = facts.replica_sets().fold(0_i32, |sum, set| {
        let size = sizes.iter().find(|size| size.uid == set.uid);
        sum.saturating_add(size.map_or(set.pods.serving(), |size| set.pods.serving().min(size.replicas)))
    });
    sizes.extend(routed_others(facts, memory, left, gates));
    sizes
}

pub(crate) fn distinct_stable<'w>(facts: &Facts<'w>) -> Option<&'w ReplicaSet> {
    facts.stable.filter(|stable| facts.new.is_none_or(|new| new.uid != stable.uid))
}

/// All pods; with `dynamicStableScale` what the step leaves, and never fewer than the traffic that stable may still get.
fn stable_size(facts: &Facts, memory: &Memory, stable: &ReplicaSet) -> i32 {
    let wanted = capacity::desired(facts, memory).stable;
    if wanted >= stable.pods.spec || !dynamic::is_on(facts) {
        return wanted;
    }
    let follows = weights::behind_stable(facts, memory) == Some(&stable.hash);
    match weights::in_force(facts, memory) {
        Ok(split) if follows => {
            let carried = carrying(facts.limits.replicas, split.stable(), facts.total);
            wanted.max(capacity::least_of_set(facts, carried)).min(stable.pods.spec)
        }
        _ => stable.pods.spec.max(wanted),
    }
}

/// What the step asks for, and never less than the traffic that the canary may still get.
fn canary_size(facts: &Facts, memory: &Memory) -> i32 {
    let wanted = capacity::desired(facts, memory).canary;
    let existing = facts.new_pods().spec;
    if memory.aborted() && wanted >= existing {
        return existing;
    }
    if wanted >= existing || memory.fully_promoted() || memory.stable().is_empty() {
        return wanted;
    }
    let Ok(split) = weights::in_force(facts, memory) else {
        return existing;
    };
    let carried = match traffic::reaches_canary(facts, memory) {
        true => carrying(facts.limits.replicas, split.canary, facts.total).max(split.uses_canary().into()),
        false => 0,
    };
    // A canary that the user sizes may have fewer pods than its traffic needs, and not none.
    let least = if capacity::explicit_scale(facts, memory).is_some() { carried.min(1) } else { carried };
    let least = least.saturating_add(carried_for_stable(facts, memory, &split));
    wanted.max(least.max(shared(facts, &split)).min(existing))
}

/// Pods that the share of stable needs while its Service still selects this revision: an undo that came before the Service
/// had followed the last promotion.
fn carried_for_stable(facts: &Facts, memory: &Memory, split: &Split) -> i32 {
    let selected = weights::behind_stable(facts, memory) == Some(&facts.current_hash);
    if selected { carrying(facts.limits.replicas, split.stable(), facts.total) } else { 0 }
}

/// Pods of the canary that serve for stable: a Service that selects no revision yet reaches the pods of all, and together
/// they must be enough.
fn shared(facts: &Facts, split: &Split) -> i32 {
    let carriers = [(facts.services.canary, split.canary), (facts.services.stable, split.stable())];
    let reaches_all = carriers.into_iter().any(|(name, weight)| {
        let service = name.and_then(|name| facts.service(name)).and_then(|seen| seen.last_known());
        weight.0 > 0 && service.is_some_and(|service| service.hash.is_none())
    });
    if !reaches_all {
        return 0;
    }
    let others = serving(facts.replica_sets()).saturating_sub(facts.new_pods().serving());
    facts.limits.fewest().saturating_sub(others).max(0)
}

/// After an abort the canary keeps its pods until its traffic is observed gone and the delay, from the abort on, has passed.
fn aborted_canary(facts: &Facts, memory: &mut Memory, new: &ReplicaSet, gates: &mut Gates) -> Size {
    let delay = facts.canary.abort_scale_down_delay_seconds.unwrap_or(SCALE_DOWN_DELAY_SECONDS);
    if new.pods.spec == 0 || delay == 0 {
        return size(new, new.pods.spec, Deadline::Keep);
    }
    if let Err((waits_for, until)) = drained(facts, memory, &new.hash) {
        until.into_iter().for_each(|until| memory.wake_after(facts.world.now, until));
        gates.wait_until(&waits_for, until, "the canary is scaled down after its delay");
        return until_drained(facts, new, i64::from(delay));
    }
    let size = keeping_deadline(delayed(facts, memory, (new, i64::from(delay)), gates));
    let least = memory.split.as_ref().map_or(0, |split| shared(facts, split)).min(new.pods.spec);
    if size.replicas >= least {
        return size;
    }
    gates.wait("enough pods of stable to be available", "the canary is scaled down");
    Size { replicas: least, deadline: Deadline::Keep, ..size }
}

/// The deadline of an aborted revision stays on it when it has passed, for clients that show it.
pub(crate) fn keeping_deadline(size: Size) -> Size {
    let deadline = if size.deadline == Deadline::Remove { Deadline::Keep } else { size.deadline };
    Size { deadline, ..size }
}

/// Holds a ReplicaSet at its size until `delay` seconds after its traffic has gone.
pub(crate) fn delayed(
    facts: &Facts,
    memory: &mut Memory,
    (set, delay): (&ReplicaSet, i64),
    gates: &mut Gates,
) -> Size {
    let now = facts.world.now;
    let (deadline, kept) = match set.scale_down_deadline() {
        Some(deadline) if deadline <= now => return size(set, 0, Deadline::Remove),
        None if delay == 0 => return size(set, 0, Deadline::Keep),
        Some(deadline) => (deadline, Deadline::Keep),
        None => {
            let deadline = after(now, delay);
            (deadline, Deadline::Set(deadline))
        }
    };
    memory.wake_at(deadline);
    let waits_for = format!("the pods of revision {} to have been kept for a fast way back", set.hash);
    gates.until(&waits_for, now, deadline, &format!("revision {} is scaled down", set.hash));
    size(set, set.pods.spec, kept)
}

/// Keeps the pods of a revision that traffic may still reach. Its delay begins all the same: clients look for the deadline
/// right after a promotion or an abort, and the pods go when both have passed.
fn until_drained(facts: &Facts, set: &ReplicaSet, delay: i64) -> Size {
    let begins = set.scale_down_deadline().is_none() && delay > 0;
    let deadline = if begins { Deadline::Set(after(facts.world.now, delay)) } else { Deadline::Keep };
    size(set, set.pods.spec, deadline)
}

pub(crate) fn serving<'w>(sets: impl Iterator<Item = &'w ReplicaSet>) -> i32 {
    sets.fold(0, |sum, set| sum.saturating_add(set.pods.serving()))
}

/// Older revisions go when nothing reaches them and enough pods are left without them; `left` serve when the sizes of
/// stable and canary are as wanted.
fn routed_others(facts: &Facts, memory: &mut Memory, mut left: i32, gates: &mut Gates) -> Vec<Size> {
    let delay = facts.canary.scale_down_delay_seconds.unwrap_or(SCALE_DOWN_DELAY_SECONDS);
    let most_delayed = facts.canary.scale_down_delay_revision_limit.unwrap_or(i32::MAX);
    let mut delayed_sets = 0_i32;
    let mut sizes = Vec::new();
    for set in facts.others.iter().filter(|set| set.pods.spec > 0) {
        let was_stable = memory.fully_promoted() || set.scale_down_deadline().is_some();
        let was_stable = was_stable && !dynamic::is_on(facts);
        if let Err((waits_for, until)) = drained(facts, memory, &set.hash) {
            until.into_iter().for_each(|until| memory.wake_after(facts.world.now, until));
            gates.wait_until(&waits_for, until, &format!("revision {} is scaled down", set.hash));
            if was_stable && delayed_sets < most_delayed {
                delayed_sets = delayed_sets.saturating_add(1);
                sizes.push(until_drained(facts, set, i64::from(delay)));
            }
            continue;
        }
        let without = left.saturating_sub(set.pods.serving());
        if without < facts.limits.fewest() && set.pods.serving() > 0 {
            gates.wait_in_time(
                "enough pods of stable and canary to be available",
                "older revisions are scaled down",
            );
            continue;
        }
        let size = if was_stable && delayed_sets < most_delayed {
            delayed_sets = delayed_sets.saturating_add(1);
            delayed(facts, memory, (set, i64::from(delay.max(0))), gates)
        } else {
            size(set, 0, Deadline::Remove)
        };
        if size.replicas == 0 {
            left = without;
        }
        sizes.push(size);
    }
    sizes
}

/// Traffic follows pods: sizes move within surge and unavailability, older revisions leave first.
fn by_pods(facts: &Facts, memory: &Memory, gates: &mut Gates) -> Vec<Size> {
    let stable = distinct_stable(facts);
    let successor = if memory.aborted() { stable.map(|set| set.pods) } else { facts.new.map(|set| set.pods) };
    let mut kept = |set: &ReplicaSet, replicas: i32| {
        size(set, selected_keep_one(facts, memory, (set, replicas), successor, gates), Deadline::Remove)
    };
    let others: Vec<_> =
        others_by_pods(facts).into_iter().map(|(set, replicas)| (set, kept(set, replicas))).collect();
    let pods = others.iter().fold(0_i32, |sum, (set, _)| sum.saturating_add(set.pods.spec));
    let leave = others
        .iter()
        .any(|(set, size)| (set.pods.spec, size.replicas) != (1, 1) || drains(facts, memory, set));
    let next = next_counts(
        &facts.limits,
        capacity::desired(facts, memory),
        facts.new.map(|set| set.pods),
        stable.map(|set| set.pods),
        Others { pods, serving: serving(facts.others.iter().copied()), leave },
    );
    let mut sizes: Vec<_> = stable.map(|set| kept(set, next.stable)).into_iter().collect();
    sizes.extend(facts.new.map(|set| kept(set, next.canary)));
    sizes.extend(others.into_iter().map(|(_, size)| size));
    one_at_a_time(facts, &mut sizes);
    sizes
}

/// Stable, canary and older revisions take turns, so that each reckons with what the one before it did: clients know how
/// many events of scaling an update has. One that the API server refuses does not hold up the others.
fn one_at_a_time(facts: &Facts, sizes: &mut [Size]) {
    let mut moved = false;
    for size in sizes {
        let Some(set) = facts.replica_sets().find(|set| set.uid == size.uid) else { continue };
        if size.replicas == set.pods.spec {
            continue;
        }
        if moved {
            size.replicas = set.pods.spec;
        }
        moved = moved || !facts.world.refusals.iter().any(|refusal| refusal.names(&set.name));
    }
}

fn drains(facts: &Facts, memory: &Memory, set: &ReplicaSet) -> bool {
    drained(facts, memory, &set.hash).is_ok()
}

/// The last pod behind a Service of the Rollout stays until the Service selects another revision, unless it is the only
/// pod there is and may be, so that the first one of the next revision needs its place.
fn selected_keep_one(
    facts: &Facts,
    memory: &Memory,
    (set, replicas): (&ReplicaSet, i32),
    successor: Option<Pods>,
    gates: &mut Gates,
) -> i32 {
    if replicas > 0 || set.pods.spec == 0 || facts.limits.replicas == 0 {
        return replicas;
    }
    let comes = memory.services.iter().any(|target| target.hash == set.hash);
    let (waits_for, until) = match drained(facts, memory, &set.hash) {
        Ok(_) if comes => return 1,
        Ok(_) => return replicas,
        Err(waits_for) => waits_for,
    };
    let all = facts.replica_sets().fold(0_i32, |sum, set| sum.saturating_add(set.pods.spec));
    let alone = all == set.pods.spec && successor.is_none_or(|pods| pods.spec == 0);
    let crowded = alone && all >= facts.limits.most();
    let named = [facts.services.canary, facts.services.stable].into_iter().flatten();
    let seen = named.into_iter().all(|name| facts.service(name).is_some_and(|seen| seen.fresh().is_some()));
    let leaving =
        memory.services.iter().any(|target| facts.selected(Some(&target.service)) == Some(&set.hash));
    if crowded && seen && !leaving {
        return replicas;
    }
    gates.wait_until(&waits_for, until, &format!("the last pod of revision {} goes", set.hash));
    1
}

/// Unavailable pods of older revisions go first, then as many as availability allows, newest revision first.
fn others_by_pods<'w>(facts: &Facts<'w>) -> Vec<(&'w ReplicaSet, i32)> {
    let mut spare = serving(facts.replica_sets()).saturating_sub(facts.limits.fewest()).max(0);
    let mut sizes = Vec::new();
    for set in facts.others.iter().copied().filter(|set| set.pods.spec > 0) {
        let healthy = set.pods.serving();
        let cut = spare.min(healthy);
        spare = spare.saturating_sub(cut);
        sizes.push((set, healthy.saturating_sub(cut)));
    }
    sizes
}
