//! Decides the way back when stable has given its pods to the canary (`dynamicStableScale`): stable grows, and the canary
//! gives traffic and pods back one step after the other as the pods of stable come.

use crate::capacity::least_of_set;
use crate::facts::Facts;
use crate::memory::Memory;
use crate::replica::carrying;
use crate::split::Weight;

/// Stable shrinks while the canary grows.
pub(crate) fn is_on(facts: &Facts) -> bool {
    facts.routed() && facts.canary.dynamic_stable_scale
}

/// An aborted canary goes with its traffic, and not after a delay of its own.
pub(crate) fn drains(facts: &Facts) -> bool {
    is_on(facts) && facts.canary.abort_scale_down_delay_seconds.is_none()
}

/// The weight that an aborted canary is sized for: the last `setWeight` that needs fewer pods than stable lacks, and than
/// the canary still has.
pub(crate) fn weight_of_pods(facts: &Facts, memory: &Memory) -> Weight {
    let replicas = facts.limits.replicas;
    let lacking = replicas.saturating_sub(stable_serving(facts, memory));
    let pods = if drains(facts) { lacking.max(facts.new_pods().serving()) } else { lacking };
    let weights = facts.steps.iter().rev().filter_map(|step| step.set_weight);
    let mut weights = weights.map(|weight| Weight(u32::try_from(weight).unwrap_or(0)));
    let sized = |weight: Weight| least_of_set(facts, carrying(replicas, weight, facts.total));
    weights.find(|weight| sized(*weight) < pods).unwrap_or(Weight(0))
}

/// The weight that an aborted canary keeps of its `current` one, until more of stable is there.
pub(crate) fn weight_kept(facts: &Facts, memory: &Memory, current: Weight) -> Weight {
    let total = i64::from(facts.total.0);
    let ready = i64::from(stable_serving(facts, memory));
    let share = total.saturating_mul(ready).checked_div(i64::from(facts.limits.replicas)).unwrap_or(total);
    let rest = Weight(u32::try_from(total.saturating_sub(share)).unwrap_or(0));
    match weight_of_pods(facts, memory) {
        Weight(0) => rest.min(current),
        wanted if rest > wanted => current,
        wanted => wanted.min(current),
    }
}

/// The weight that the canary may have in a full promotion: what its ready pods carry.
pub(crate) fn weight_carried(facts: &Facts) -> Weight {
    let total = i64::from(facts.total.0);
    let product = total.saturating_mul(i64::from(facts.new_pods().serving()));
    let share = product.checked_div(i64::from(facts.limits.replicas)).unwrap_or(0);
    Weight(u32::try_from(share).unwrap_or(u32::MAX)).min(facts.total)
}

fn stable_serving(facts: &Facts, memory: &Memory) -> i32 {
    facts.by_hash(memory.stable()).map_or(0, |set| set.pods.serving())
}
