//! Decides which pods are to be replaced when a restart is asked for: by eviction, so that disruption budgets hold, and
//! never more at once than may be unavailable.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::brake;
use crate::facts::Facts;
use crate::gate::Gates;
use crate::memory::Memory;
use crate::pod::{self, Pod};
use crate::seen::ObjectKey;
use crate::strategy::Size;
use crate::time::after;
use crate::world::{ReplicaSet, World};
use crate::write::{Effect, Write};

/// Seconds after which pods that could not be replaced are looked at again.
const AGAIN_SECONDS: i64 = 30;

/// The moment of a restart that is to be done now: pods that were created before it are replaced.
pub(crate) fn due(world: &World) -> Option<&Time> {
    let restarted = world.rollout.status.as_ref().and_then(|status| status.restarted_at.as_ref());
    let asked = world.rollout.spec.restart_at.as_ref()?;
    (restarted != Some(asked) && world.now > asked.0).then_some(asked)
}

/// A restart that is asked for later: a new template does not make it unneeded.
pub(crate) fn in_future(world: &World) -> bool {
    world.rollout.spec.restart_at.as_ref().is_some_and(|asked| asked.0 >= world.now)
}

/// Evicts old pods, stable ones first, and notes when none is left.
pub(crate) fn go_on(
    facts: &Facts,
    memory: &mut Memory,
    sizes: &[Size],
    gates: &mut Gates,
    writes: &mut Vec<Write>,
) {
    let Some(asked) = facts.rollout.spec.restart_at.clone() else { return };
    if memory.status.restarted_at.as_ref() == Some(&asked) {
        return;
    }
    if memory.status.brake.is_some() {
        return brake::gate(memory, gates);
    }
    let now = facts.world.now;
    if asked.0 >= now {
        gates.until(
            "the moment of spec.restartAt",
            now,
            asked.0,
            "older pods are replaced, one after the other",
        );
        return memory.wake_at(after(asked.0, 1));
    }
    let mut old = Vec::new();
    for set in in_order(facts) {
        match pod::listed(facts, set) {
            Ok(pods) => {
                let moments = pods.iter().filter_map(|pod| pod.available_at(set.min_ready_seconds));
                moments.for_each(|at| memory.wake_after(now, at));
                old.extend(pods.iter().filter(|pod| pod.created < asked.0));
            }
            Err(why) => {
                gates.wait(
                    &format!("the pods of ReplicaSet {} to be listed: {why}", set.name),
                    "the restart goes on",
                );
                return memory.wake_at(after(now, AGAIN_SECONDS));
            }
        }
    }
    if old.is_empty() {
        memory.status.restarted_at = Some(asked);
        return;
    }
    let waits_for = format!("{} pods from before {} to be replaced", old.len(), asked.0);
    gates.wait(&waits_for, "the restart is complete");
    let resized = sizes
        .iter()
        .any(|size| facts.replica_sets().any(|set| set.uid == size.uid && set.pods.spec != size.replicas));
    let leaving = old.iter().any(|pod| pod.deleting);
    let chosen = if resized { Vec::new() } else { chosen(facts, old, gates) };
    if leaving || !chosen.is_empty() {
        // Nobody tells when a pod is gone at last.
        memory.wake_at(after(now, AGAIN_SECONDS));
    }
    writes.extend(chosen.into_iter().map(|pod| evict(facts, pod)));
}

/// ReplicaSets in the order in which their pods are replaced: stable, new, then older ones.
fn in_order<'w>(facts: &Facts<'w>) -> Vec<&'w ReplicaSet> {
    let mut sets: Vec<_> = facts.replica_sets().collect();
    sets.sort_by_key(|set| facts.stable.is_none_or(|stable| stable.uid != set.uid));
    sets
}

/// The pods that may go now. Those that do not serve anyway cost nothing; of the others as many as may be unavailable, at
/// least one. One whose eviction was refused lets others go first.
fn chosen<'w>(facts: &Facts, old: Vec<&'w Pod>, gates: &mut Gates) -> Vec<&'w Pod> {
    let sum = |count: fn(&ReplicaSet) -> i32| {
        facts.replica_sets().fold(0_i32, |sum, set| sum.saturating_add(count(set)))
    };
    let pods = sum(|set| set.pods.spec).max(facts.limits.replicas);
    let least = pods.saturating_sub(facts.limits.max_unavailable.max(1));
    // Pods that are to go are not relied upon, though they still answer.
    let available = sum(|set| set.pods.serving());
    let mut spare = available.saturating_sub(least).max(0);
    if spare == 0 {
        let waits_for = format!("more than {least} pods to be available, {available} are");
        gates.wait_in_time(&waits_for, "the next old pod is replaced");
    }
    let refused = |pod: &Pod| facts.world.refusals.iter().any(|refusal| refusal.names(&pod.name));
    let mut candidates: Vec<_> = old.into_iter().filter(|pod| !pod.deleting).collect();
    candidates.sort_by_key(|pod| refused(pod));
    candidates.retain(|pod| {
        let goes = !pod.ready || spare > 0;
        if pod.ready && goes {
            spare = spare.saturating_sub(1);
        }
        goes
    });
    candidates
}

fn evict(facts: &Facts, pod: &Pod) -> Write {
    let object = ObjectKey::new("", "v1", "Pod", facts.namespace(), &pod.name);
    // A pod that does not serve costs nothing; it may have become ready meanwhile.
    let resource_version = pod.resource_version.clone().filter(|_| !pod.ready);
    Write { object, effect: Effect::Evict { uid: pod.uid.clone(), resource_version } }
}
