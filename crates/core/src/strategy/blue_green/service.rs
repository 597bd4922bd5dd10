//! Decides what the active and the preview Service select, and proves that a revision gets no traffic any more.

use serin_api::BlueGreenStrategy;

use super::{cut_over, halted, scale};
use crate::facts::Facts;
use crate::memory::Memory;
use crate::seen::Seen;
use crate::strategy::ServiceTarget;
use crate::time::Until;
use crate::world::ReplicaSet;

/// What the Services should select, as far as it may be done now.
pub(crate) fn targets(facts: &Facts, strategy: &BlueGreenStrategy, memory: &Memory) -> Vec<ServiceTarget> {
    let wanted = [
        (Some(strategy.active_service.as_str()), active(facts, strategy, memory)),
        (strategy.preview_service.as_deref(), preview(facts, memory)),
    ];
    let targets = wanted.into_iter().filter_map(|(name, hash)| {
        let (name, hash) = (name?, hash?);
        let service = facts.service(name)?.fresh()?;
        let selects = service.hash.as_deref() == Some(hash);
        let managed = service.managed_by.as_deref() == Some(facts.name());
        (!selects || !managed).then(|| ServiceTarget { service: name.to_owned(), hash: hash.to_owned() })
    });
    targets.collect()
}

/// The new revision when it may have the traffic, and stable after an abort. While an update is on its way, a Service
/// that selects none or another revision goes to stable first: pods that are not checked yet get no traffic.
fn active<'w>(facts: &Facts<'w>, strategy: &BlueGreenStrategy, memory: &Memory) -> Option<&'w str> {
    let back = |set: Option<&'w ReplicaSet>| {
        set.filter(|set| takes_over(facts, strategy, set)).map(|set| set.hash.as_str())
    };
    let stable = facts.by_hash(memory.stable());
    if memory.aborted() {
        return back(stable);
    }
    if halted(facts, memory) {
        return None;
    }
    if memory.stable().is_empty() || memory.fully_promoted() {
        return back(facts.new);
    }
    if memory.cutover || cut_over(facts, memory) {
        return facts.new.map(|set| set.hash.as_str());
    }
    match facts.selected(Some(&strategy.active_service)) {
        Some(hash) if hash == memory.stable() => Some(hash),
        _ => back(stable),
    }
}

/// All pods are available, or at least as many as where the traffic is now. A Service that selects no revision may reach
/// pods of others, so that it takes all; one of ours that has lost its revision, as many as must be available.
fn takes_over(facts: &Facts, strategy: &BlueGreenStrategy, set: &ReplicaSet) -> bool {
    if scale::serves_all(facts, set) {
        return true;
    }
    let known = facts.service(&strategy.active_service).and_then(Seen::last_known);
    let needed = match known.map(|service| (service.hash.as_deref(), service.managed_by.as_deref())) {
        Some((Some(hash), _)) => facts.by_hash(hash).map_or(0, |reached| reached.pods.serving()),
        Some((None, Some(by))) if by == facts.name() => facts.limits.fewest(),
        _ => facts.limits.replicas,
    };
    set.pods.serving() >= needed.max(1)
}

/// The newest revision at once, before it has pods, and also when it is aborted: a revision before it goes.
fn preview<'f>(facts: &'f Facts, memory: &Memory) -> Option<&'f str> {
    (memory.aborted() || !halted(facts, memory)).then_some(facts.current_hash.as_str())
}

/// The active Service does not select this revision, for certain.
///
/// # Errors
/// What is waited for.
pub(crate) fn left(facts: &Facts, strategy: &BlueGreenStrategy, hash: &str) -> Result<(), Until> {
    let name = strategy.active_service.as_str();
    crate::service::unselected(facts, name, hash)?;
    match facts.selected(Some(name)) {
        Some(_) => Ok(()),
        None => Err((format!("Service {name} to select a revision"), None)),
    }
}

/// As [`left`], and the preview Service does not select it either.
///
/// # Errors
/// What is waited for.
pub(crate) fn left_by_both(facts: &Facts, strategy: &BlueGreenStrategy, hash: &str) -> Result<(), Until> {
    left(facts, strategy, hash)?;
    strategy.preview_service.as_deref().map_or(Ok(()), |name| crate::service::unselected(facts, name, hash))
}
