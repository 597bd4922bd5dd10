//! Says when single pods are to be looked at, and what they tell that their ReplicaSet does not tell yet.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serin_api::label;

use crate::facts::Facts;
use crate::seen::Seen;
use crate::time::after;
use crate::world::{ReplicaSet, World};
use crate::{recreate, restart};

/// One pod of a ReplicaSet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pod {
    /// Object name.
    pub name: String,
    /// Object uid: the precondition of every write.
    pub uid: String,
    /// `metadata.resourceVersion`: what this says of the pod was true of this version.
    #[serde(default)]
    pub resource_version: Option<String>,
    /// When the API server created it.
    pub created: Timestamp,
    /// Its condition Ready is True.
    pub ready: bool,
    /// Since when it is ready; unknown counts as long enough.
    #[serde(default)]
    pub ready_since: Option<Timestamp>,
    /// Being deleted.
    pub deleting: bool,
    /// All of its containers have ended for good: it only waits to be cleaned up.
    #[serde(default)]
    pub ended: bool,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

impl Pod {
    /// Ready and staying; available from this moment on, when it is known: after `minReadySeconds`.
    pub(crate) fn available_at(&self, min_ready_seconds: i32) -> Option<Timestamp> {
        let since = self.ready_since.filter(|_| min_ready_seconds > 0);
        let at = since.map_or(Timestamp::MIN, |since| after(since, i64::from(min_ready_seconds)));
        (self.ready && !self.deleting).then_some(at)
    }
}

/// The ReplicaSets whose pods `plan` would look at. Listing pods is work for the API server, so it is done only while
/// something is to be done with the pods themselves.
pub fn needed(world: &World) -> Vec<&ReplicaSet> {
    if recreate::looks(world) {
        return world.replica_sets.iter().collect();
    }
    let restarts = restart::due(world).is_some();
    let sets = world.replica_sets.iter().filter(|set| set.pods.spec > 0 || set.pods.current > 0);
    sets.filter(|set| restarts || set.annotations.contains_key(label::PODS_BEHIND)).collect()
}

/// The pods of a ReplicaSet, or why they are not known.
pub(crate) fn listed<'w>(facts: &Facts<'w>, set: &ReplicaSet) -> Result<&'w [Pod], &'w str> {
    match facts.world.pods.get(&set.uid) {
        Some(Seen::Fresh(pods)) => Ok(pods),
        Some(Seen::Failed(why)) => Err(why),
        None if set.pods.spec == 0 && set.pods.current == 0 => Ok(&[]),
        None | Some(Seen::Absent | Seen::Stale(_)) => Err("not done yet"),
    }
}

/// Why the pods of a ReplicaSet are not known.
pub(crate) fn unlisted<'w>(world: &'w World, set: &ReplicaSet) -> &'w str {
    match world.pods.get(&set.uid) {
        Some(Seen::Failed(why)) => why,
        _ => "not done yet",
    }
}

/// Puts listed pods, by the uid of their ReplicaSet, into the World. A list is newer than the counts of a ReplicaSet: pods
/// that are gone, on their way out, or not ready for `minReadySeconds`, are not counted as available, so that nobody relies on
/// a pod in the place of one that was taken a moment ago.
pub fn show(world: &mut World, listed: BTreeMap<String, Seen<Vec<Pod>>>) {
    for set in &mut world.replica_sets {
        if let Some(Seen::Fresh(pods)) = listed.get(&set.uid) {
            let moments = pods.iter().filter_map(|pod| pod.available_at(set.min_ready_seconds));
            let available = moments.filter(|at| *at <= world.now).count();
            set.pods.available = set.pods.available.min(i32::try_from(available).unwrap_or(i32::MAX));
        }
    }
    world.pods = listed;
}
