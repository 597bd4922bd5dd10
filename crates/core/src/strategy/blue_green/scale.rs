//! Decides the sizes of a blue-green rollout: two full sets around the switch, and a delay before the old one goes.

use serin_api::BlueGreenStrategy;

use super::service::{left, left_by_both};
use super::{cut_over, fast};
use crate::brake;
use crate::facts::Facts;
use crate::gate::Gates;
use crate::memory::{INCONCLUSIVE_ANALYSIS, Memory};
use crate::scale::{SCALE_DOWN_DELAY_SECONDS, delayed, distinct_stable, keeping_deadline, serving, size};
use crate::strategy::{Deadline, Size};
use crate::time::after;
use crate::world::ReplicaSet;

/// Seconds within which every node and gateway follows the selector of a Service. Pods that have just lost it stay at
/// least so long, whatever the delays of the Rollout are.
const ENDPOINTS_SECONDS: i64 = 3;

/// All pods that the Rollout asks for are available.
pub(super) fn serves_all(facts: &Facts, set: &ReplicaSet) -> bool {
    set.pods.spec == facts.limits.replicas && set.pods.serving() >= facts.limits.replicas
}

/// The new revision can take all traffic.
pub(crate) fn saturated(facts: &Facts) -> bool {
    facts.new.is_some_and(|set| serves_all(facts, set))
}

/// Pods that the new revision should have now.
pub(super) fn wanted(facts: &Facts, strategy: &BlueGreenStrategy, memory: &Memory) -> i32 {
    let all = facts.limits.replicas;
    let Some(count) = strategy.preview_replica_count else { return all };
    let active = facts.by_hash(&memory.status.blue_green.active_selector);
    let full = active.is_none_or(|active| active.hash == facts.current_hash)
        || memory.fully_promoted()
        || memory.stable().is_empty()
        || fast(facts, memory);
    let paused = brake::paused(facts, memory) || !memory.pauses().is_empty();
    let checked = memory.status.blue_green.scale_up_preview_check_point && !paused;
    if full || checked { all } else { count.max(0) }
}

/// The new revision has exactly the pods that it should have before it is checked.
pub(crate) fn ready(facts: &Facts, strategy: &BlueGreenStrategy, memory: &Memory) -> bool {
    let wanted = wanted(facts, strategy, memory);
    facts.new.is_some_and(|set| set.pods.spec == wanted && set.pods.serving() == wanted)
}

/// Sizes of all ReplicaSets. Unlike those of a canary they do not wait for `spec.paused`.
pub(crate) fn sizes(
    facts: &Facts,
    strategy: &BlueGreenStrategy,
    memory: &mut Memory,
    gates: &mut Gates,
) -> Vec<Size> {
    let stable = distinct_stable(facts).map(|set| size(set, facts.limits.replicas, Deadline::Remove));
    let new = facts.new.map(|set| new_size(facts, strategy, memory, set, gates));
    let mut sizes: Vec<_> = stable.into_iter().chain(new).collect();
    sizes.extend(others(facts, strategy, memory, gates));
    sizes
}

fn new_size(
    facts: &Facts,
    strategy: &BlueGreenStrategy,
    memory: &mut Memory,
    set: &ReplicaSet,
    gates: &mut Gates,
) -> Size {
    if memory.aborted() && !memory.fully_promoted() {
        return aborted(facts, strategy, memory, set, gates);
    }
    // Until the switch is seen, the deadline is what remembers that the pods are those of a fast rollback.
    let remembers = facts.fast_rollback && !memory.fully_promoted() && !cut_over(facts, memory);
    let deadline = if remembers { Deadline::Keep } else { Deadline::Remove };
    size(set, not_too_few(facts, set, wanted(facts, strategy, memory), gates), deadline)
}

/// What was a canary before may be the most of what serves: it shrinks to a preview when enough pods are left.
fn not_too_few(facts: &Facts, set: &ReplicaSet, wanted: i32, gates: &mut Gates) -> i32 {
    let others = serving(facts.replica_sets()).saturating_sub(set.pods.serving());
    let left = others.saturating_add(set.pods.serving().min(wanted));
    if wanted >= set.pods.spec || left >= facts.limits.fewest() {
        return wanted;
    }
    let waits_for = format!("{} pods to be available without all of the preview", facts.limits.fewest());
    gates.wait_in_time(&waits_for, &format!("revision {} is scaled down to {wanted} pods", set.hash));
    set.pods.spec
}

/// After an abort the new pods stay until the active Service has left them and the delay has passed.
fn aborted(
    facts: &Facts,
    strategy: &BlueGreenStrategy,
    memory: &mut Memory,
    set: &ReplicaSet,
    gates: &mut Gates,
) -> Size {
    let delay = strategy.abort_scale_down_delay_seconds.unwrap_or(SCALE_DOWN_DELAY_SECONDS);
    if set.pods.spec == 0 || delay == 0 {
        return size(set, set.pods.spec, Deadline::Keep);
    }
    if let Err((waits_for, _)) = left(facts, strategy, &set.hash) {
        gates.wait(&waits_for, &format!("revision {} is scaled down", set.hash));
        return size(set, set.pods.spec, Deadline::Keep);
    }
    keeping_deadline(delayed(facts, memory, (set, i64::from(delay).max(ENDPOINTS_SECONDS)), gates))
}

/// Older revisions go when no Service selects them, enough pods are left without them and their delay has passed, newest
/// revision first. After a strategy that shared the traffic by pods they may be the most of what serves.
fn others(facts: &Facts, strategy: &BlueGreenStrategy, memory: &mut Memory, gates: &mut Gates) -> Vec<Size> {
    if memory.paused_for(INCONCLUSIVE_ANALYSIS) {
        return Vec::new();
    }
    let delay = strategy.scale_down_delay_seconds.unwrap_or(SCALE_DOWN_DELAY_SECONDS);
    let delay = i64::from(delay).max(ENDPOINTS_SECONDS);
    let most = strategy.scale_down_delay_revision_limit.unwrap_or(i32::MAX);
    let mut kept = 0_i32;
    let mut left = serving(facts.replica_sets());
    let mut sizes = Vec::new();
    for set in facts.others.iter().filter(|set| set.pods.spec > 0) {
        if let Err((waits_for, _)) = left_by_both(facts, strategy, &set.hash) {
            gates.wait(&waits_for, &format!("revision {} is scaled down", set.hash));
            continue;
        }
        kept = kept.saturating_add(1);
        let size = if kept <= most {
            follow_replicas(facts, set, delayed(facts, memory, (set, delay), gates))
        } else {
            beyond_limit(facts, memory, set, gates)
        };
        let without = left.saturating_sub(set.pods.serving());
        if size.replicas == 0 && without < facts.limits.fewest() && set.pods.serving() > 0 {
            let waits_for = format!("{} pods of other revisions to be available", facts.limits.fewest());
            gates.wait_in_time(&waits_for, &format!("revision {} is scaled down", set.hash));
            continue;
        }
        if size.replicas == 0 {
            left = without;
        }
        sizes.push(size);
    }
    sizes
}

/// A revision that is kept for a rollback has as many pods as a rollback needs; one that never had all stays as it is.
fn follow_replicas(facts: &Facts, set: &ReplicaSet, kept: Size) -> Size {
    let asked = set.annotations.get(serin_api::label::DESIRED_REPLICAS);
    let was_full = asked.is_some_and(|asked| *asked == set.pods.spec.to_string());
    let follows = was_full && kept.replicas > 0 && kept.deadline == Deadline::Keep;
    if follows { Size { replicas: facts.limits.replicas, ..kept } } else { kept }
}

/// One more than may be kept: it goes as soon as it has surely no traffic any more.
fn beyond_limit(facts: &Facts, memory: &mut Memory, set: &ReplicaSet, gates: &mut Gates) -> Size {
    let soon = after(facts.world.now, ENDPOINTS_SECONDS);
    match set.scale_down_deadline() {
        Some(deadline) if deadline > soon => size(set, 0, Deadline::Remove),
        _ => delayed(facts, memory, (set, ENDPOINTS_SECONDS), gates),
    }
}
