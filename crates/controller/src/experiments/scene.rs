//! Says what a decision about one Experiment is made from: its World, put together from the caches.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;
use serin_api::{Experiment, label};
use serin_core::analysis_spec::templates_of_experiment;
use serin_core::experiment::{Service, World};
use serin_core::world::WriteRefusal;

use crate::cache::Kept;
use crate::caches::Caches;
use crate::object::{Name, controller_of};
use crate::observe::{runs, sets, templates};

/// Puts the World of one Experiment together.
pub(super) fn world(
    caches: &Caches,
    name: &Name,
    (uid, experiment): (&str, &Experiment),
    refusals: Vec<WriteRefusal>,
) -> World {
    World {
        now: Timestamp::now(),
        experiment: experiment.clone(),
        replica_sets: sets(caches, uid),
        services: services(caches, name, (uid, experiment)),
        templates: templates(caches, &name.namespace, &templates_of_experiment(experiment)),
        analysis_runs: runs(caches, uid),
        carrying: carrying(caches, name, experiment),
        refusals,
    }
}

/// Services that the Experiment controls, and those that have a name which it wants.
fn services(caches: &Caches, name: &Name, (uid, experiment): (&str, &Experiment)) -> Vec<Service> {
    let own = caches.services.by(uid).into_iter().map(|(name, kept)| service(&name, &kept, true));
    let wanted = experiment.spec.templates.iter().flatten().filter_map(|template| {
        let named = template.service.as_ref()?.name.clone().filter(|name| !name.is_empty());
        Some(named.unwrap_or_else(|| format!("{}-{}", name.name, template.name)))
    });
    let wanted: BTreeSet<_> = wanted.map(|service| Name::new(&name.namespace, &service)).collect();
    let mut found: Vec<_> = own.collect();
    for name in wanted.iter().filter(|name| caches.services.get(name).is_some()) {
        if !found.iter().any(|known| known.name == name.name)
            && let Some(kept) = caches.services.get(name)
        {
            found.push(service(name, &kept, false));
        }
    }
    found
}

fn service(name: &Name, kept: &Kept<Value>, own: bool) -> Service {
    let annotations = &kept.value["metadata"]["annotations"];
    let template = annotations[label::EXPERIMENT_TEMPLATE].as_str().unwrap_or_default();
    Service {
        name: name.name.clone(),
        uid: kept.uid.clone(),
        template: own.then(|| template.to_owned()),
        deleting: kept.deleting,
    }
}

/// Services of templates to which the Rollout that controls the Experiment may still send traffic, by its own status.
fn carrying(caches: &Caches, name: &Name, experiment: &Experiment) -> BTreeSet<String> {
    let owner = controller_of(&experiment.metadata, "Rollout");
    let rollout = owner.and_then(|owner| caches.rollouts.get(&Name::new(&name.namespace, &owner.name)));
    let rollout = rollout.filter(|kept| owner.is_some_and(|owner| owner.uid == kept.uid) && !kept.deleting);
    let Some(read) = rollout.as_ref().and_then(|kept| kept.value.as_ref().ok()) else {
        return BTreeSet::new();
    };
    let weights = read.rollout.status.as_ref().and_then(|status| status.canary.weights.as_ref());
    let additional = weights.and_then(|weights| weights.additional.as_ref());
    additional.into_iter().flatten().filter_map(|other| other.service_name.clone()).collect()
}
