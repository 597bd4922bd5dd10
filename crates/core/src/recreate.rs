//! Decides the sizes of a rollout that recreates its pods: all older pods are gone before the first new one starts.

use crate::facts::Facts;
use crate::gate::Gates;
use crate::memory::Memory;
use crate::pod;
use crate::scale::size;
use crate::strategy::{Deadline, Size};
use crate::time::after;
use crate::world::{ReplicaSet, World};

/// Seconds after which pods on their way out are looked at again: no watch shows when they are gone.
const AGAIN_SECONDS: i64 = 2;

/// Sizes of all ReplicaSets. Older pods stay until the new ReplicaSet is there: one that cannot be created costs nothing.
pub(crate) fn sizes(facts: &Facts, memory: &mut Memory, gates: &mut Gates) -> Vec<Size> {
    let back = memory.aborted() && !memory.fully_promoted();
    let target = if back { facts.by_hash(memory.stable()) } else { facts.new };
    let Some(target) = target else { return Vec::new() };
    let older: Vec<_> = facts.replica_sets().filter(|set| set.uid != target.uid).collect();
    let mut sizes: Vec<_> = older.iter().map(|set| size(set, 0, Deadline::Remove)).collect();
    let all = facts.limits.replicas;
    let replicas = match left(facts, &older) {
        Left::None => all,
        // Pods that run already, of a strategy before this one, stay; none is added.
        _ if target.pods.spec >= all || memory.fully_promoted() && target.pods.current > 0 => all,
        Left::Pods(count) => {
            wait(memory, gates, facts, (&format!("{count} pods of older revisions to be gone"), target));
            target.pods.spec
        }
        Left::Unknown(why) => {
            wait(memory, gates, facts, (&format!("the pods of older revisions to be listed: {why}"), target));
            target.pods.spec
        }
    };
    sizes.push(size(target, replicas, Deadline::Remove));
    sizes
}

fn wait(memory: &mut Memory, gates: &mut Gates, facts: &Facts, (waits_for, target): (&str, &ReplicaSet)) {
    gates.wait_in_time(
        waits_for,
        &format!("the {} pods of revision {} start", facts.limits.replicas, target.hash),
    );
    memory.wake_at(after(facts.world.now, AGAIN_SECONDS));
}

enum Left {
    None,
    Pods(i32),
    Unknown(String),
}

/// Pods of these ReplicaSets that have not ended: those that are counted, else those on their way out.
fn left(facts: &Facts, older: &[&ReplicaSet]) -> Left {
    let counted =
        older.iter().fold(0_i32, |sum, set| sum.saturating_add(set.pods.current.max(set.pods.spec)));
    if counted > 0 {
        return Left::Pods(counted);
    }
    let mut leaving = 0_i32;
    for set in older.iter().filter(|_| looks(facts.world)) {
        match facts.world.pods.get(&set.uid).map(|seen| seen.fresh()) {
            Some(Some(pods)) => {
                let alive = pods.iter().filter(|pod| !pod.ended).count();
                leaving = leaving.saturating_add(i32::try_from(alive).unwrap_or(i32::MAX));
            }
            _ => {
                let why = pod::unlisted(facts.world, set);
                return Left::Unknown(format!("ReplicaSet {}: {why}", set.name));
            }
        }
    }
    if leaving > 0 { Left::Pods(leaving) } else { Left::None }
}

/// Pods are to be listed: those of older revisions are not counted any more and may still run, and others are to start.
pub(crate) fn looks(world: &World) -> bool {
    let canary = world.rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
    let asked = world.replica_sets.iter().fold(0_i32, |sum, set| sum.saturating_add(set.pods.spec));
    let with_pods = world.replica_sets.iter().filter(|set| set.pods.current > 0).count();
    canary.is_some_and(|canary| canary.recreates())
        && world.replica_sets.len() > 1
        && asked < world.rollout.replicas()
        && with_pods <= 1
}
