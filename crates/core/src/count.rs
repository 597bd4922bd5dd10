//! Decides which pods the status counts: those of all revisions, or with blue-green those behind the active Service.

use serin_api::label;

use crate::facts::Facts;
use crate::memory::Memory;
use crate::problem::selector_text;
use crate::world::ReplicaSet;

/// The revision whose pods are counted as ready and available, when it is only one.
fn active<'w>(facts: &Facts<'w>, memory: &Memory) -> Option<&'w ReplicaSet> {
    facts.blue_green?;
    facts.by_hash(&memory.status.blue_green.active_selector)
}

/// Available pods, as the status counts them.
pub(crate) fn available(facts: &Facts, memory: &Memory) -> i32 {
    match active(facts, memory) {
        Some(active) => active.pods.available,
        None => sum(facts, |set| set.pods.available),
    }
}

fn sum(facts: &Facts, count: fn(&ReplicaSet) -> i32) -> i32 {
    facts.replica_sets().fold(0_i32, |sum, set| sum.saturating_add(count(set)))
}

/// Brings the counts of the status up to date, and what an autoscaler reads.
pub(crate) fn observe(facts: &Facts, memory: &mut Memory) {
    let available = available(facts, memory);
    let active = active(facts, memory);
    let mut selector = facts.rollout.spec.selector.clone();
    if let (Some(selector), Some(active)) = (&mut selector, active) {
        let labels = selector.match_labels.get_or_insert_default();
        labels.insert(label::POD_TEMPLATE_HASH.to_owned(), active.hash.clone());
    }
    let status = &mut memory.status;
    status.replicas = sum(facts, |set| set.pods.current);
    status.updated_replicas = facts.new_pods().current;
    status.ready_replicas = active.map_or_else(|| sum(facts, |set| set.ready), |set| set.ready);
    status.available_replicas = available;
    status.hpa_replicas = active.map_or(status.replicas, |set| set.pods.current);
    status.selector = selector.as_ref().map(selector_text).unwrap_or_default();
}
