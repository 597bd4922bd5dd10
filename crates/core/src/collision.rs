//! Decides the hash of a new revision when the name that it leads to is taken by an object of somebody else.

use serde_json::Value;

use crate::template;
use crate::world::World;

/// The hash of the template and the count of collisions that leads to a free name.
///
/// The count is kept in `status.collisionCount` and is part of every later hash, as in Argo Rollouts and Deployments. A
/// name counts as taken when the API server has refused to create a ReplicaSet of that name because of a stranger.
pub(crate) fn free_hash(world: &World, template: &Value) -> (String, Option<i32>) {
    let rollout = &world.rollout;
    let mut collisions = rollout.status.as_ref().and_then(|status| status.collision_count);
    let mut hash = template::hash(template, collisions);
    for _ in &world.refusals {
        let name = format!("{}-{hash}", rollout.metadata.name.as_deref().unwrap_or_default());
        let ours = world.replica_sets.iter().any(|set| set.name == name);
        if ours || !world.refusals.iter().any(|refusal| refusal.name_taken && refusal.names(&name)) {
            break;
        }
        collisions = Some(collisions.unwrap_or(0).saturating_add(1));
        hash = template::hash(template, collisions);
    }
    (hash, collisions)
}
