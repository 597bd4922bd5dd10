//! Decides how many pods each revision should have now, and whether it has them.

use serin_api::SetCanaryScale;

use crate::facts::Facts;
use crate::gate::Gates;
use crate::memory::Memory;
use crate::replica::{Counts, carrying, nearest};
use crate::split::Weight;
use crate::step;

/// The weight that the canary should have as far as pods are concerned.
pub(crate) fn desired_weight(facts: &Facts, memory: &Memory) -> Weight {
    if memory.promoting_fully() || memory.stable().is_empty() || memory.fully_promoted() {
        return facts.total;
    }
    if memory.aborted() {
        return Weight(0);
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
        let canary = match explicit_scale(facts, memory) {
            Some(SetCanaryScale { replicas: Some(count), .. }) => (*count).max(0),
            Some(SetCanaryScale { weight: Some(percent), .. }) => {
                carrying(replicas, Weight(u32::try_from(*percent).unwrap_or(0)), facts.total)
            }
            _ => carrying(replicas, weight, facts.total),
        };
        return Counts { canary, stable: replicas };
    }
    if memory.stable().is_empty() || memory.fully_promoted() || facts.stable.is_none() {
        return Counts { canary: replicas, stable: 0 };
    }
    nearest(&facts.limits, weight, facts.total)
}

/// The canary has the pods to carry what the current step asks for.
pub(crate) fn canary_ready(facts: &Facts, memory: &Memory) -> bool {
    facts.new_pods().serving() >= desired(facts, memory).canary
}

/// Every revision has exactly the pods that the current step asks for.
pub(crate) fn at_desired(facts: &Facts, memory: &Memory, gates: &mut Gates) -> bool {
    let wanted = desired(facts, memory);
    let new = facts.new_pods();
    if new.spec != wanted.canary || new.available != wanted.canary {
        gates.wait(
            &format!("{} canary pods to be available", wanted.canary),
            "traffic follows, then the step is done",
        );
        return false;
    }
    let stable = facts.stable_pods();
    if facts.stable.is_some() && (stable.spec != wanted.stable || stable.current != wanted.stable) {
        gates.wait(&format!("stable to have {} pods", wanted.stable), "the step is done");
        return false;
    }
    if !facts.routed() && facts.others.iter().any(|set| set.pods.available > 0) {
        gates.wait("pods of older revisions to go", "the step is done");
        return false;
    }
    true
}
