//! Decides how many pods each revision should have now, and whether it has them.

use serin_api::SetCanaryScale;

use crate::dynamic;
use crate::facts::Facts;
use crate::gate::Gates;
use crate::memory::Memory;
use crate::replica::{Counts, carrying, nearest};
use crate::split::Weight;
use crate::step;
use crate::traffic;

/// The weight that the canary should have as far as pods are concerned.
pub(crate) fn desired_weight(facts: &Facts, memory: &Memory) -> Weight {
    if memory.promoting_fully() || memory.stable().is_empty() || memory.fully_promoted() {
        return facts.total;
    }
    if memory.aborted() {
        return if dynamic::is_on(facts) { dynamic::weight_of_pods(facts, memory) } else { Weight(0) };
    }
    match memory.step() {
        Some(index) if index < facts.steps.len() => step::weight_within(facts.steps, index.saturating_add(1)),
        _ => facts.total,
    }
}

/// The `setCanaryScale` in force. An abort ends it, unless the canary is to be kept for good after an abort.
pub(crate) fn explicit_scale<'w>(facts: &Facts<'w>, memory: &Memory) -> Option<&'w SetCanaryScale> {
    if !facts.routed() || memory.promoting_fully() || memory.fully_promoted() || memory.stable().is_empty() {
        return None;
    }
    if memory.aborted() && facts.canary.abort_scale_down_delay_seconds != Some(0) {
        return None;
    }
    let index = memory.step().filter(|index| *index < facts.steps.len())?;
    step::canary_scale_at(facts.steps, index)
}

/// Pods of canary and stable when everything asked for has happened.
pub(crate) fn desired(facts: &Facts, memory: &Memory) -> Counts {
    let replicas = facts.limits.replicas;
    let weight = desired_weight(facts, memory);
    if facts.routed() {
        return desired_by_traffic(facts, memory, weight);
    }
    if memory.stable().is_empty() || memory.fully_promoted() || facts.stable.is_none() {
        return Counts { canary: replicas, stable: 0 };
    }
    nearest(&facts.limits, weight, facts.total)
}

/// The canary has what its traffic needs, stable all pods, or with `dynamicStableScale` what the rest of the traffic needs.
fn desired_by_traffic(facts: &Facts, memory: &Memory, weight: Weight) -> Counts {
    let replicas = facts.limits.replicas;
    let least = |pods: i32| least_of_set(facts, pods);
    let (canary, weight) = match explicit_scale(facts, memory) {
        Some(SetCanaryScale { replicas: Some(count), .. }) => {
            let count = (*count).max(0);
            (if dynamic::is_on(facts) { least(count) } else { count }, Weight(0))
        }
        Some(SetCanaryScale { weight: Some(percent), .. }) => {
            let weight = Weight(u32::try_from(*percent).unwrap_or(0));
            (least(carrying(replicas, weight, facts.total)), weight)
        }
        _ => (least(carrying(replicas, weight, facts.total)), weight),
    };
    if !dynamic::is_on(facts) {
        return Counts { canary, stable: replicas };
    }
    // Before the canary can get any, stable takes back what a superseded revision still has.
    let weight = if traffic::reaches_canary(facts, memory) { weight } else { Weight(0) };
    let rest = Weight(facts.total.0.saturating_sub(weight.0));
    Counts { canary, stable: least(carrying(replicas, rest, facts.total)) }
}

/// `minPodsPerReplicaSet`: a ReplicaSet that has pods at all has no fewer.
pub(crate) fn least_of_set(facts: &Facts, pods: i32) -> i32 {
    let least = facts.canary.min_pods_per_replica_set.filter(|_| facts.routed()).unwrap_or(0);
    if pods == 0 { 0 } else { pods.max(least.min(facts.limits.replicas)) }
}

/// What `replicaProgressThreshold` asks for, when it is set.
fn threshold_met(facts: &Facts, available: i32, wanted: i32) -> Option<bool> {
    let threshold =
        facts.canary.replica_progress_threshold.as_ref().filter(|threshold| threshold.value >= 0)?;
    let (available, value) = (i64::from(available), i64::from(threshold.value));
    let needed = if threshold.type_ == "Pods" {
        value.saturating_mul(100)
    } else {
        i64::from(wanted).saturating_mul(value)
    };
    Some(wanted == 0 || available.saturating_mul(100) >= needed)
}

/// So many available pods are enough to go on as if all `wanted` were there.
pub(crate) fn enough(facts: &Facts, available: i32, wanted: i32) -> bool {
    available >= wanted || threshold_met(facts, available, wanted) == Some(true)
}

/// The canary has the pods to carry what the current step asks for.
pub(crate) fn canary_ready(facts: &Facts, memory: &Memory) -> bool {
    let wanted = desired(facts, memory).canary;
    enough(facts, facts.new_pods().serving(), wanted)
}

/// Every revision has exactly the pods that the current step asks for.
pub(crate) fn at_desired(facts: &Facts, memory: &Memory, gates: &mut Gates) -> bool {
    let wanted = desired(facts, memory);
    let new = facts.new_pods();
    let exact = new.spec == wanted.canary && new.available == wanted.canary;
    if !threshold_met(facts, new.available, wanted.canary).unwrap_or(exact) {
        gates.wait_in_time(
            &format!("{} canary pods to be available", wanted.canary),
            "traffic follows, then the step is done",
        );
        return false;
    }
    if dynamic::is_on(facts) {
        return true;
    }
    let stable = facts.stable_pods();
    if facts.stable.is_some() && (stable.spec != wanted.stable || stable.current != wanted.stable) {
        gates.wait_in_time(&format!("stable to have {} pods", wanted.stable), "the step is done");
        return false;
    }
    if !facts.routed() && facts.others.iter().any(|set| set.pods.available > 0) {
        gates.wait_in_time("pods of older revisions to go", "the step is done");
        return false;
    }
    true
}
