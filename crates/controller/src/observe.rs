//! Says what a decision about one Rollout is made from: the World, put together from the caches.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use serde_json::{Value, json};
use serin_api::{AnalysisRun, AnalysisTemplateSpec, Rollout, TemplateReference};
use serin_core::seen::{ObjectKey, Seen};
use serin_core::split::Effective;
use serin_core::world::{self, RouterReport, Template, World, WriteRefusal};
use serin_traffic::{Objects, Router, service};
use tokio::time::Instant;

use crate::announce::reference;
use crate::cache::{Cache, Kept};
use crate::caches::{Caches, kind};
use crate::mark::Behind;
use crate::object::{Kind, Name};
use crate::sight::{ReadRollout, TemplateSight, template_key};

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
    refusals: Vec<WriteRefusal>,
) -> Scene {
    let (now, rollout) = (Instant::now(), &read.rollout);
    let mut objects = Objects::new();
    for key in &read.services {
        objects.extend(see(&caches.services, key, &behind.objects, now));
    }
    for key in &read.routes {
        if let Some(cache) = caches.routes(&Kind::of_key(key)) {
            objects.extend(see(&cache, key, &behind.objects, now));
        }
    }
    let needed = read.services.iter().chain(&read.routes);
    let blind = needed.clone().any(|key| matches!(objects.get(key), None | Some(Seen::Failed(_))));
    let (routers, routed) = routers(caches, rollout, &objects);
    let services = read.services.iter().filter_map(|key| Some((key, objects.get(key)?)));
    let world = World {
        now: Timestamp::now(),
        rollout: rollout.clone(),
        replica_sets: sets(caches, &kept.uid),
        services: services.map(|(key, seen)| (key.name.clone(), service::observe(seen))).collect(),
        routers: routed,
        templates: templates(caches, &name.namespace, &read.templates),
        analysis_runs: runs(caches, &kept.uid),
        refusals,
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

/// One object with how much is known of it; nothing before its kind has been listed.
fn see(
    cache: &Cache<Value>,
    key: &ObjectKey,
    behind: &BTreeSet<ObjectKey>,
    now: Instant,
) -> Option<(ObjectKey, Seen<Value>)> {
    if let Some(why) = cache.unreadable(now) {
        return Some((key.clone(), Seen::Failed(why)));
    }
    if !cache.synced() {
        return None;
    }
    let seen = match (cache.get(&Name::of_key(key)), behind.contains(key)) {
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

fn routers(
    caches: &Caches,
    rollout: &Rollout,
    objects: &Objects,
) -> (Vec<Box<dyn Router>>, Vec<RouterReport>) {
    let versions = caches.versions.get().cloned().unwrap_or_default();
    let routers = match serin_traffic::routers(rollout, &versions) {
        Ok(routers) => routers,
        Err(problems) => {
            let why = problems.first().map(ToString::to_string).unwrap_or_default();
            return (Vec::new(), vec![unusable(why)]);
        }
    };
    let status = rollout.status.clone().unwrap_or_default();
    let stable = status.stable_rs.unwrap_or_default();
    let Some(backends) = serin_traffic::backends(rollout, &status.current_pod_hash, &stable) else {
        return (Vec::new(), Vec::new());
    };
    let reports =
        routers.iter().map(|router| serin_traffic::report(router.as_ref(), &backends, objects)).collect();
    (routers, reports)
}

/// The report in place of routers that cannot be made of the spec.
fn unusable(why: String) -> RouterReport {
    RouterReport {
        name: "trafficRouting".to_owned(),
        effective: Effective::Unknown(why.clone()),
        refusal: Some(why),
        propagation_seconds: 0,
        confirms: false,
    }
}

fn sets(caches: &Caches, uid: &str) -> Vec<world::ReplicaSet> {
    caches.sets.by(uid).into_iter().map(|(_, kept)| kept.value.set()).collect()
}

fn runs(caches: &Caches, uid: &str) -> Vec<world::AnalysisRun> {
    let runs = caches.runs.by(uid);
    runs.iter().filter_map(|(_, kept)| kept.value.as_ref().ok()).map(run).collect()
}

/// An AnalysisRun as `plan` reads it.
pub fn run(run: &AnalysisRun) -> world::AnalysisRun {
    let status = run.status.as_ref();
    world::AnalysisRun {
        name: run.metadata.name.clone().unwrap_or_default(),
        uid: run.metadata.uid.clone().unwrap_or_default(),
        labels: run.metadata.labels.clone().unwrap_or_default(),
        created: run.metadata.creation_timestamp.as_ref().map(|time| time.0).unwrap_or_default(),
        terminating: run.spec.terminate,
        phase: status.map(|status| status.phase).unwrap_or_default(),
        message: status.map(|status| status.message.clone()).unwrap_or_default(),
    }
}

/// The templates that the Rollout names, and those that these name in turn.
fn templates(caches: &Caches, namespace: &str, named: &[TemplateReference]) -> Vec<Template> {
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
