//! Says what a decision about one Rollout is made from: the World, put together from the caches.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use serde_json::{Value, json};
use serin_api::{AnalysisTemplateSpec, Rollout, TemplateReference};
use serin_core::brake::Brake;
use serin_core::extension::Extensions;
use serin_core::load_balancer::LoadBalancers;
use serin_core::orphan::Orphan;
use serin_core::seen::{ObjectKey, Seen};
use serin_core::split::{Backends, Effective};
use serin_core::workload::{Reference, Workload};
use serin_core::world::{self, RouterRefusal, RouterReport, Template, World};
use serin_traffic::{Objects, Router, service};
use tokio::time::Instant;

use crate::announce::reference;
use crate::cache::{Cache, Kept};
use crate::caches::{Caches, kind};
use crate::mark::Behind;
use crate::object::{Kind, Name};
use crate::sight::{ReadRollout, TemplateSight, orphan_word, template_key};
use crate::talk::Heard;

/// A Rollout with everything that is known around it.
#[derive(Debug)]
pub struct Scene {
    /// Its key.
    pub key: ObjectKey,
    /// How events name it.
    pub about: ObjectReference,
    /// Its version: the precondition of its next status.
    pub version: String,
    /// What the decision is made from.
    pub world: World,
    /// The routers of the Rollout.
    pub routers: Vec<Box<dyn Router>>,
    /// Services and routing objects as they were seen.
    pub objects: Objects,
    /// Something could not be read: look again soon, nothing may tell when it can.
    pub blind: bool,
}

/// Puts the World of one Rollout together.
pub fn scene(
    caches: &Caches,
    name: &Name,
    (kept, read): (&Kept<Result<ReadRollout, String>>, &ReadRollout),
    behind: &Behind,
    (heard, extensions, left): (Heard, Extensions, &[ObjectKey]),
) -> Scene {
    let rollout = &read.rollout;
    let Heard { objects: splits, refusals } = heard;
    let mut objects = look(caches, read, behind);
    objects.extend(splits);
    let (routers, problem) = routers(caches, rollout);
    let further = look_further(caches, &routers, &mut objects, behind);
    caches.follow(name, &further.iter().chain(left).cloned().collect::<Vec<_>>());
    let needed = read.services.iter().chain(&read.routes).chain(&read.extensions).chain(&further);
    let blind = needed.clone().any(|key| matches!(objects.get(key), None | Some(Seen::Failed(_))));
    let experiments = experiments(caches, &kept.uid);
    let routed = reports((rollout, &experiments), &routers, problem, &objects);
    let load_balancers = load_balancers(caches, rollout, &objects);
    let workload = read.workload.as_ref().map(|key| workload(caches, key, behind));
    let blind = blind || workload.as_ref().is_some_and(|it| matches!(it.seen, Seen::Failed(_)));
    let services = read.services.iter().filter_map(|key| Some((key, objects.get(key)?)));
    let world = World {
        now: Timestamp::now(),
        rollout: rollout.clone(),
        replica_sets: sets(caches, &kept.uid),
        services: services.map(|(key, seen)| (key.name.clone(), service::observe(seen))).collect(),
        routers: routed,
        templates: templates(caches, &name.namespace, &read.templates),
        analysis_runs: runs(caches, &kept.uid),
        experiments,
        refusals,
        pods: BTreeMap::new(),
        brakes: brakes(caches, &name.namespace),
        workload,
        extensions,
        orphans: orphans(caches, &name.namespace),
        load_balancers,
        leaving: !left.is_empty(),
    };
    Scene {
        key: kind::rollout().key(name),
        about: reference(&kind::rollout(), name, &kept.uid, &kept.version),
        version: kept.version.clone(),
        world,
        routers,
        objects,
        blind,
    }
}

/// The workload that a Rollout refers to.
fn workload(caches: &Caches, key: &ObjectKey, behind: &Behind) -> Reference {
    let cache = caches.routes(&Kind::of_key(key));
    let seen = cache.and_then(|cache| see(&cache, key, behind)).map(|(_, seen)| match seen {
        Seen::Fresh(object) => Seen::Fresh(Workload::read(&object)),
        Seen::Stale(object) => Seen::Stale(Workload::read(&object)),
        Seen::Absent => Seen::Absent,
        Seen::Failed(why) => Seen::Failed(why),
    });
    let seen = seen.unwrap_or_else(|| Seen::Failed("its kind has not been listed yet".to_owned()));
    Reference { object: key.clone(), seen }
}

/// The Services and routing objects that a Rollout names, as they are seen.
pub fn look(caches: &Caches, read: &ReadRollout, behind: &Behind) -> Objects {
    let mut objects = Objects::new();
    for key in &read.services {
        objects.extend(see(&caches.services, key, behind));
    }
    look_at_routes(caches, &read.routes, &mut objects, behind);
    objects
}

fn look_at_routes(caches: &Caches, keys: &[ObjectKey], objects: &mut Objects, behind: &Behind) {
    for key in keys {
        if let Some(cache) = caches.routes(&Kind::of_key(key)) {
            objects.extend(see(&cache, key, behind));
        }
    }
}

/// Objects that seen ones name in turn; chains are short, and a circle ends because nothing is looked at twice.
pub fn look_further(
    caches: &Caches,
    routers: &[Box<dyn Router>],
    objects: &mut Objects,
    behind: &Behind,
) -> Vec<ObjectKey> {
    let mut all = Vec::new();
    loop {
        let named = routers.iter().flat_map(|router| router.further(objects));
        let mut new: Vec<_> = named.filter(|key| !objects.contains_key(key) && !all.contains(key)).collect();
        new.sort();
        new.dedup();
        if new.is_empty() {
            return all;
        }
        look_at_routes(caches, &new, objects, behind);
        all.extend(new);
    }
}

/// One object with how much is known of it; nothing before its kind has been listed.
pub(crate) fn see(
    cache: &Cache<Value>,
    key: &ObjectKey,
    behind: &Behind,
) -> Option<(ObjectKey, Seen<Value>)> {
    if let Some(why) = cache.unreadable(Instant::now()) {
        return Some((key.clone(), Seen::Failed(why)));
    }
    if !cache.synced() {
        return None;
    }
    let seen = match (cache.get(&Name::of_key(key)), behind.objects.contains(key)) {
        (Some(kept), false) => Seen::Fresh(versioned(&kept)),
        (Some(kept), true) => Seen::Stale(versioned(&kept)),
        (None, false) => Seen::Absent,
        (None, true) => Seen::Failed("not seen since our last write".to_owned()),
    };
    Some((key.clone(), seen))
}

fn versioned(kept: &Kept<Value>) -> Value {
    let mut object = kept.value.clone();
    object["metadata"]["resourceVersion"] = json!(kept.version);
    object
}

/// The routers of a Rollout, or why there are none although it asks for some.
pub fn routers(caches: &Caches, rollout: &Rollout) -> (Vec<Box<dyn Router>>, Option<RouterRefusal>) {
    let versions = caches.versions.get().cloned().unwrap_or_default();
    match serin_traffic::routers(rollout, &versions) {
        Ok(routers) => (routers, None),
        Err(problems) => (Vec::new(), problems.first().map(RouterRefusal::from)),
    }
}

fn reports(
    (rollout, experiments): (&Rollout, &[world::Experiment]),
    routers: &[Box<dyn Router>],
    problem: Option<RouterRefusal>,
    objects: &Objects,
) -> Vec<RouterReport> {
    let Some(backends) = backends(rollout) else { return Vec::new() };
    let backends = backends.beside(experiments);
    let canary = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
    let steps = canary.and_then(|canary| canary.steps.as_deref()).unwrap_or_default();
    let reports =
        routers.iter().map(|router| serin_traffic::report(router.as_ref(), &backends, steps, objects));
    reports.chain(problem.map(unusable)).collect()
}

/// What AWS says of the load balancers of a Rollout, where it is asked.
fn load_balancers(caches: &Caches, rollout: &Rollout, objects: &Objects) -> Option<LoadBalancers> {
    serin_traffic::load_balancers(rollout, caches.versions.get()?, &backends(rollout)?, objects)
}

/// The backends as the stored status has them.
pub fn backends(rollout: &Rollout) -> Option<Backends> {
    let status = rollout.status.clone().unwrap_or_default();
    let stable = status.stable_rs.unwrap_or_default();
    serin_traffic::backends(rollout, &status.current_pod_hash, &stable)
}

/// The report in place of routers that cannot be made of the spec.
fn unusable(why: RouterRefusal) -> RouterReport {
    RouterReport {
        name: "trafficRouting".to_owned(),
        effective: Effective::Unknown(why.told.clone()),
        refusal: Some(why),
        propagation_seconds: 0,
        confirms: false,
        managed: Vec::new(),
    }
}

pub(crate) fn sets(caches: &Caches, uid: &str) -> Vec<world::ReplicaSet> {
    caches.sets.by(uid).into_iter().map(|(_, kept)| kept.value.set()).collect()
}

/// ReplicaSets of a namespace that nobody controls.
pub(crate) fn orphans(caches: &Caches, namespace: &str) -> Vec<Orphan> {
    let found = caches.sets.by(&orphan_word(namespace));
    found.iter().filter_map(|(_, kept)| kept.value.orphan.clone()).collect()
}

pub(crate) fn runs(caches: &Caches, uid: &str) -> Vec<world::AnalysisRun> {
    let runs = caches.runs.by(uid);
    runs.iter().filter_map(|(_, kept)| kept.value.as_ref().ok()).map(world::AnalysisRun::from).collect()
}

fn experiments(caches: &Caches, uid: &str) -> Vec<world::Experiment> {
    let experiments = caches.experiments.by(uid);
    let read = experiments.iter().filter_map(|(_, kept)| kept.value.as_ref().ok());
    read.map(world::Experiment::from).collect()
}

/// The brakes of a namespace.
fn brakes(caches: &Caches, namespace: &str) -> Vec<Brake> {
    caches.brakes.by(namespace).into_iter().filter_map(|(_, kept)| kept.value.brake.clone()).collect()
}

/// The templates that the Rollout names, and those that these name in turn.
pub(crate) fn templates(caches: &Caches, namespace: &str, named: &[TemplateReference]) -> Vec<Template> {
    let mut found = BTreeMap::new();
    let mut open: Vec<_> = named.to_vec();
    while let Some(reference) = open.pop() {
        if found.contains_key(&reference) {
            continue;
        }
        let spec = template(caches, namespace, &reference);
        open.extend(spec.last_known().iter().flat_map(|spec| spec.templates.iter().flatten().cloned()));
        found.insert(reference, spec);
    }
    let templates = found.into_iter().map(|(reference, spec)| Template {
        name: reference.template_name,
        cluster_scope: reference.cluster_scope,
        spec,
    });
    templates.collect()
}

fn template(caches: &Caches, namespace: &str, reference: &TemplateReference) -> Seen<AnalysisTemplateSpec> {
    let cache: &Cache<TemplateSight> =
        if reference.cluster_scope { &caches.cluster_templates } else { &caches.templates };
    if let Some(why) = cache.unreadable(Instant::now()) {
        return Seen::Failed(why);
    }
    if !cache.synced() {
        return Seen::Failed("cluster-scoped templates are not read with --namespaced".to_owned());
    }
    let key = template_key(reference, namespace);
    match cache.get(&Name::of_key(&key)).as_ref().map(|kept| &kept.value) {
        Some(Ok(spec)) => Seen::Fresh(spec.clone()),
        Some(Err(why)) => Seen::Failed(format!("{key} cannot be read: {why}")),
        None => Seen::Absent,
    }
}

#[cfg(test)]
mod tests;
