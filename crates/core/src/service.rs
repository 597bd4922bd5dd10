//! Decides what Services select, and proves that a revision gets no traffic any more.

use crate::capacity;
use crate::dynamic;
use crate::facts::{Change, Facts};
use crate::journal::Journal;
use crate::memory::Memory;
use crate::replica::carrying;
use crate::seen::Seen;
use crate::split::{Effective, Weight};
use crate::strategy::{ServiceTarget, blue_green};
use crate::time::Until;
use crate::weights;
use crate::world::ReplicaSet;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Canary,
    Stable,
}

/// What the Services should select. A Service is pointed at a revision only when that has ready pods for the traffic
/// which the Service carries; the canary Service goes to a new revision only while it carries nothing. With `pingPong` no
/// Service with traffic is pointed elsewhere, and none before the roles that were changed are stored.
pub(crate) fn targets(facts: &Facts, memory: &Memory) -> Vec<ServiceTarget> {
    if memory.roles_changed {
        return Vec::new();
    }
    if let Some(strategy) = facts.blue_green {
        return blue_green::service::targets(facts, strategy, memory);
    }
    let wanted = [
        (Role::Stable, facts.services.stable, stable_role(facts, memory)),
        (Role::Canary, facts.services.canary, canary_role(facts, memory)),
    ];
    let targets = wanted.into_iter().filter_map(|(role, name, set)| {
        let (name, set) = (name?, set?);
        let service = facts.service(name)?.fresh()?;
        let selects = service.hash.as_deref() == Some(set.hash.as_str());
        let managed = service.managed_by.as_deref() == Some(facts.name());
        if selects && managed {
            return None;
        }
        let adopted = service.managed_by.is_none() && facts.limits.replicas > 0;
        let may = selects || (!adopted || set.fully_available()) && may_select(facts, memory, role, set);
        may.then(|| ServiceTarget { service: name.to_owned(), hash: set.hash.clone() })
    });
    targets.collect()
}

/// Tells of Services that come to select another revision.
pub(crate) fn tell(facts: &Facts, targets: &[ServiceTarget], journal: &mut Journal) {
    for ServiceTarget { service, hash } in targets {
        let selected = facts.selected(Some(service)).unwrap_or_default();
        if selected != hash {
            let message = format!("Switched selector for service '{service}' from '{selected}' to '{hash}'");
            journal.switched(service, message);
        }
    }
}

/// The stable Service follows stable. Without a router it follows the pods: when all of them are to be of the new
/// revision, it goes there before stable has lost its last one.
fn stable_role<'w>(facts: &Facts<'w>, memory: &Memory) -> Option<&'w ReplicaSet> {
    let stable = facts.by_hash(memory.stable());
    let leaving = !facts.routed()
        && !memory.aborted()
        && !memory.stable().is_empty()
        && capacity::desired_weight(facts, memory) == facts.total;
    let ready = facts.new_pods().serving() >= facts.limits.fewest().max(1.min(facts.limits.replicas));
    if leaving && ready { facts.new } else { stable }
}

/// The canary Service follows the new revision, after an abort stable. Without a router it is with stable while the canary
/// is to have no pods, and leaves a superseded revision for stable, whose pods are there already.
fn canary_role<'w>(facts: &Facts<'w>, memory: &Memory) -> Option<&'w ReplicaSet> {
    let stable = facts.by_hash(memory.stable());
    if memory.aborted() {
        return stable;
    }
    if facts.routed() {
        return facts.new;
    }
    let selected = facts.selected(facts.services.canary);
    let superseded = selected.is_some_and(|hash| hash != facts.current_hash && hash != memory.stable());
    let without = capacity::desired(facts, memory).canary == 0 && facts.limits.replicas > 0;
    if without || superseded && facts.new_pods().serving() == 0 { stable } else { facts.new }
}

fn may_select(facts: &Facts, memory: &Memory, role: Role, set: &ReplicaSet) -> bool {
    let one = 1.min(facts.limits.replicas);
    if !facts.routed() {
        return set.pods.serving() >= one;
    }
    let fewest = facts.limits.fewest().max(one);
    match role {
        Role::Stable => {
            let least = facts.shown().map_or(Weight(0), |shown| shown.least);
            let rest = Weight(facts.total.0.saturating_sub(least.0));
            set.pods.serving() >= carrying(fewest, rest, facts.total).max(one)
        }
        // Stable takes the traffic of the canary Service over at once, unless its pods are still to come step by step.
        Role::Canary if set.hash == memory.stable() && !facts.ping_pong() => {
            let by_steps = dynamic::is_on(facts) && set.pods.serving() < facts.limits.replicas;
            set.pods.serving() >= fewest && (!by_steps || idle(facts))
        }
        Role::Canary => {
            idle(facts) && weights::settled(facts, memory, Change::Any).is_ok() && set.pods.serving() >= one
        }
    }
}

/// Every router shows that the canary gets nothing.
fn idle(facts: &Facts) -> bool {
    matches!(facts.effective(), Some(Effective::Applied(split)) if !split.uses_canary())
}

/// The stable Service selects the stable revision, as far as it is known.
pub(crate) fn stable_follows(facts: &Facts, stable: &str) -> bool {
    let name = facts.services.stable;
    name.is_none_or(|name| match facts.service(name).map(Seen::last_known) {
        Some(Some(service)) => service.hash.as_deref() == Some(stable),
        _ => false,
    })
}

/// Proof that no traffic can reach a revision; only [`drained`] makes one.
pub(crate) struct DrainPermit(());

/// A permit to take the last capacity from `hash`: no Service of the Rollout that carries traffic selects it, and every
/// router says so and has had time to make it true.
///
/// # Errors
/// What is waited for, for people, and until when, if that is known.
pub(crate) fn drained(facts: &Facts, memory: &Memory, hash: &str) -> Result<DrainPermit, Until> {
    if !facts.routed() {
        for name in [facts.services.canary, facts.services.stable].into_iter().flatten() {
            unselected(facts, name, hash)?;
        }
        return Ok(DrainPermit(()));
    }
    let split = weights::in_force(facts, memory)?;
    if facts.by_subsets() {
        let carried = [
            (weights::behind_canary(facts, memory), split.canary, split.uses_canary()),
            (weights::behind_stable(facts, memory), split.stable(), split.stable().0 > 0),
        ];
        // A subset that selects no revision reaches the pods of all of them.
        let reaches = |carrier: Option<&str>| carrier.is_none_or(|carrier| carrier == hash);
        return match carried.into_iter().find(|(carrier, _, used)| *used && reaches(*carrier)) {
            Some((_, Weight(0), _)) => {
                Err((format!("header and mirror routes to leave revision {hash}"), None))
            }
            Some((_, weight, _)) => Err((format!("weight {weight} to leave revision {hash}"), None)),
            None => Ok(DrainPermit(())),
        };
    }
    let carriers =
        [(facts.services.canary, split.uses_canary()), (facts.services.stable, split.stable().0 > 0)];
    for (name, used) in carriers {
        if let Some(name) = name.filter(|_| used) {
            unselected(facts, name, hash)?;
        }
    }
    Ok(DrainPermit(()))
}

/// The Service does not select this revision, for certain.
///
/// # Errors
/// What is waited for.
pub(crate) fn unselected(facts: &Facts, name: &str, hash: &str) -> Result<(), Until> {
    let wait = |text: String| Err((text, None));
    match facts.service(name) {
        Some(Seen::Fresh(service)) if service.hash.as_deref() == Some(hash) => {
            wait(format!("Service {name} to stop selecting revision {hash}"))
        }
        Some(Seen::Fresh(_)) => Ok(()),
        Some(Seen::Stale(_)) => wait(format!("Service {name} to be seen as it was written")),
        Some(Seen::Absent | Seen::Failed(_)) | None => wait(format!("Service {name} to be readable")),
    }
}
