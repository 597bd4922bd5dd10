//! Says which existing ReplicaSet is taken for the current template, and by which rule; for people who ask beforehand.

use serde::Serialize;

use crate::facts::find_new;
use crate::workload::{self, Resolved};
use crate::world::World;
use crate::{collision, step};

/// What becomes of the current template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Adoption {
    /// A ReplicaSet has the hash that Serin computes, the one of Argo Rollouts.
    ByHash {
        /// Its name.
        name: String,
    },
    /// A ReplicaSet with another hash has the same template, defaults and injected fields aside.
    ByTemplate {
        /// Its name.
        name: String,
        /// The hash that it has.
        hash: String,
        /// The hash that Serin computes.
        computed: String,
    },
    /// None runs it: one is created.
    Created {
        /// The hash that it gets.
        hash: String,
    },
    /// There is no template to look for.
    NoTemplate,
}

/// Finds the ReplicaSet of the current template exactly as `plan` does.
pub fn adoption(world: &World) -> Adoption {
    match workload::resolve(world) {
        None => of_template(world),
        Some(Resolved::World(resolved)) => of_template(&resolved),
        Some(Resolved::Missing(_) | Resolved::Unknown(_)) => Adoption::NoTemplate,
    }
}

fn of_template(world: &World) -> Adoption {
    let Some(template) = world.rollout.spec.template.as_ref().map(serin_api::RawTemplate::value) else {
        return Adoption::NoTemplate;
    };
    let (hash, _) = collision::free_hash(world, template);
    match find_new(world, template, &hash) {
        Some(set) if set.hash == hash => Adoption::ByHash { name: set.name.clone() },
        Some(set) => Adoption::ByTemplate { name: set.name.clone(), hash: set.hash.clone(), computed: hash },
        None => Adoption::Created { hash },
    }
}

/// Whether the steps have the hash that the status remembers, so that an update goes on at its step; `None` without
/// steps or before a controller has looked.
pub fn steps_known(world: &World) -> Option<bool> {
    let canary = world.rollout.spec.strategy.as_ref()?.canary.as_ref()?;
    let steps = canary.steps.as_deref().filter(|steps| !steps.is_empty())?;
    let known = world.rollout.status.as_ref()?.current_step_hash.as_ref()?;
    Some(*known == step::hash(steps))
}
