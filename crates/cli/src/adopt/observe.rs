//! Puts the World of a Rollout together from the API server, as the controller does from its caches.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease as LeaseObject;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use serde::Deserialize;
use serde_json::Value;
use serin_api::{AnalysisRun, Experiment, Rollout};
use serin_core::analysis_spec::templates_named;
use serin_core::extension::Extensions;
use serin_core::plan;
use serin_core::seen::{ObjectKey, Seen};
use serin_core::workload::{Reference, Workload};
use serin_core::world::{self, Template, World};
use serin_core::write::Write;
use serin_traffic::{ApiVersions, Objects, Router, extension, service};
use serin_view::object::owned_by;

use super::Lease;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::templates;

/// The lease that Argo Rollouts and Serin share.
const LEASE: &str = "argo-rollouts-controller-lock";

/// One Rollout as the controller would see it.
pub(crate) struct Seeing {
    /// What `plan` is made from.
    pub(crate) world: World,
    /// What the routers and Services would be written.
    pub(crate) routes: Vec<Write>,
    /// What could not be read.
    pub(crate) notes: Vec<String>,
}

/// Observes one Rollout.
///
/// # Errors
/// When its ReplicaSets cannot be listed: without them nothing can be said.
pub(crate) async fn rollout(
    cluster: &Cluster,
    rollout: Rollout,
    extensions: Extensions,
) -> Result<Seeing, Failure> {
    let uid = rollout.metadata.uid.clone();
    let sets = cluster.api::<k8s_openapi::api::apps::v1::ReplicaSet>().list(&ListParams::default()).await;
    let sets = sets.map_err(|error| cluster.failure("list", "ReplicaSets", &error))?.items;
    let sets = sets.iter().filter(|set| owned_by(*set, uid.as_deref()));
    let replica_sets = sets
        .filter_map(|set| serde_json::to_value(set).ok())
        .map(|set| world::ReplicaSet::of(&set))
        .collect();
    let mut notes = Vec::new();
    let runs = match cluster.api::<AnalysisRun>().list(&ListParams::default()).await {
        Ok(list) => list.items,
        Err(error) => {
            notes.push(cluster.missing_parts("AnalysisRuns", &error));
            Vec::new()
        }
    };
    let experiments = match cluster.api::<Experiment>().list(&ListParams::default()).await {
        Ok(list) => list.items,
        Err(error) => {
            notes.push(cluster.missing_parts("Experiments", &error));
            Vec::new()
        }
    };
    let (routers, problem) = match serin_traffic::routers(&rollout, &ApiVersions::default()) {
        Ok(routers) => (routers, None),
        Err(problems) => (Vec::new(), problems.first().map(ToString::to_string)),
    };
    notes.extend(problem);
    let objects = objects(cluster, &rollout, &routers, &mut notes).await;
    let workload = match serin_core::workload::named(&rollout) {
        Some(key) => Some(workload(cluster, key).await),
        None => None,
    };
    let world = World {
        now: Timestamp::now(),
        services: service::needs(&rollout)
            .iter()
            .filter_map(|key| Some((key.name.clone(), service::observe(objects.get(key)?))))
            .collect(),
        routers: reports(&rollout, &routers, &objects),
        templates: named_templates(cluster, &rollout).await,
        analysis_runs: runs
            .iter()
            .filter(|run| owned_by(*run, uid.as_deref()))
            .map(world::AnalysisRun::from)
            .collect(),
        experiments: experiments
            .iter()
            .filter(|experiment| owned_by(*experiment, uid.as_deref()))
            .map(world::Experiment::from)
            .collect(),
        refusals: Vec::new(),
        pods: Default::default(),
        brakes: Vec::new(),
        workload,
        extensions,
        orphans: Vec::new(),
        load_balancers: None,
        leaving: false,
        replica_sets,
        rollout,
    };
    let routes = routes(&world, &routers, &objects);
    Ok(Seeing { world, routes, notes })
}

/// The writes of routers and Services that the first plan leads to.
fn routes(world: &World, routers: &[Box<dyn Router>], objects: &Objects) -> Vec<Write> {
    let plan = plan(world);
    let mut writes: Vec<_> =
        plan.services.iter().filter_map(|target| service::render(&world.rollout, target, objects)).collect();
    let backends = serin_traffic::backends(&world.rollout, &plan.canary_hash, &plan.stable_hash);
    if let (Some(split), Some(backends)) = (&plan.split, backends) {
        writes.extend(routers.iter().flat_map(|router| router.render(&backends, split, objects)));
    }
    writes
}

fn reports(rollout: &Rollout, routers: &[Box<dyn Router>], objects: &Objects) -> Vec<world::RouterReport> {
    let status = rollout.status.clone().unwrap_or_default();
    let stable = status.stable_rs.unwrap_or_default();
    let Some(backends) = serin_traffic::backends(rollout, &status.current_pod_hash, &stable) else {
        return Vec::new();
    };
    let steps = serin_view::step::steps(rollout);
    routers.iter().map(|router| serin_traffic::report(router.as_ref(), &backends, steps, objects)).collect()
}

/// The Services and routing objects that the Rollout names, and those that these name in turn.
async fn objects(
    cluster: &Cluster,
    rollout: &Rollout,
    routers: &[Box<dyn Router>],
    notes: &mut Vec<String>,
) -> Objects {
    let mut objects = Objects::new();
    let mut wanted = service::needs(rollout);
    wanted.extend(routers.iter().flat_map(|router| router.needs()));
    while let Some(key) = wanted.pop() {
        if objects.contains_key(&key) {
            continue;
        }
        let seen = object(cluster, &key).await;
        if let Seen::Failed(why) = &seen {
            notes.push(format!("{} {} cannot be read: {why}", key.kind, key.name));
        }
        objects.insert(key, seen);
        wanted.extend(routers.iter().flat_map(|router| router.further(&objects)));
    }
    objects
}

async fn object(cluster: &Cluster, key: &ObjectKey) -> Seen<Value> {
    if extension::named(key).is_some() {
        return Seen::Failed("extensions are asked by the controller only".to_owned());
    }
    let kind = GroupVersionKind::gvk(&key.group, &key.version, &key.kind);
    let resource = match kube::discovery::pinned_kind(&cluster.client(), &kind).await {
        Ok((resource, _)) => resource,
        Err(error) => return Seen::Failed(format!("the cluster does not know its kind: {error}")),
    };
    let api: Api<DynamicObject> = if key.namespace.is_empty() {
        Api::all_with(cluster.client(), &resource)
    } else {
        Api::namespaced_with(cluster.client(), &key.namespace, &resource)
    };
    match api.get_opt(&key.name).await.map(|found| found.map(serde_json::to_value)) {
        Ok(Some(Ok(object))) => Seen::Fresh(object),
        Ok(Some(Err(why))) => Seen::Failed(why.to_string()),
        Ok(None) => Seen::Absent,
        Err(error) => Seen::Failed(error.to_string()),
    }
}

/// The workload that a Rollout refers to.
async fn workload(cluster: &Cluster, key: ObjectKey) -> Reference {
    let seen = match object(cluster, &key).await {
        Seen::Fresh(found) | Seen::Stale(found) => Seen::Fresh(Workload::read(&found)),
        Seen::Absent => Seen::Absent,
        Seen::Failed(why) => Seen::Failed(why),
    };
    Reference { object: key, seen }
}

async fn named_templates(cluster: &Cluster, rollout: &Rollout) -> Vec<Template> {
    let mut found = BTreeMap::new();
    loop {
        let named = templates_named(rollout, |reference| match found.get(reference) {
            Some(Seen::Fresh(spec)) => Some(spec),
            _ => None,
        });
        let Some(missing) = named.into_iter().find(|reference| !found.contains_key(reference)) else {
            break;
        };
        let seen = templates::one(cluster, &missing).await;
        found.insert(missing, seen);
    }
    let template = |(reference, spec): (serin_api::TemplateReference, _)| Template {
        name: reference.template_name,
        cluster_scope: reference.cluster_scope,
        spec,
    };
    found.into_iter().map(template).collect()
}

/// The ConfigMap of the controller, and the key in it that names extensions.
const CONFIG_MAP: &str = "argo-rollouts-config";
const EXTENSIONS: &str = "extensions";
/// Where the controller is installed unless it is known better.
const HOME: &str = "argo-rollouts";

/// One extension as it is configured, as far as it matters here.
#[derive(Deserialize)]
struct Configured {
    name: String,
}

/// The extensions that are configured in the namespace of the controller; nothing is known where that cannot be read.
pub(crate) async fn extensions(cluster: &Cluster, namespace: Option<&str>, leases: &[Lease]) -> Extensions {
    let led = leases.first().and_then(|lease| Some(lease.lease.split_once('/')?.0));
    let api: Api<ConfigMap> = Api::namespaced(cluster.client(), namespace.or(led).unwrap_or(HOME));
    let names = |map: Option<ConfigMap>| {
        let text = map.and_then(|map| map.data?.remove(EXTENSIONS)).unwrap_or_else(|| "[]".to_owned());
        let configured: Option<Vec<Configured>> = serde_yaml::from_str(&text).ok();
        configured.map(|all| all.into_iter().map(|one| one.name).collect())
    };
    Extensions { configured: api.get_opt(CONFIG_MAP).await.ok().and_then(names), told: Vec::new() }
}

/// The leases of controllers: in `namespace`, or wherever they can be found.
pub(crate) async fn leases(cluster: &Cluster, namespace: Option<&str>) -> Vec<Lease> {
    let api: Api<LeaseObject> = match namespace {
        Some(namespace) => Api::namespaced(cluster.client(), namespace),
        None => Api::all(cluster.client()),
    };
    let params = ListParams::default().fields(&format!("metadata.name={LEASE}"));
    let found = api.list(&params).await.map(|list| list.items).unwrap_or_default();
    let now = Timestamp::now();
    found.iter().map(|lease| of_lease(lease, now)).collect()
}

fn of_lease(object: &LeaseObject, now: Timestamp) -> Lease {
    let spec = object.spec.clone().unwrap_or_default();
    let renewed = spec.renew_time.map(|at| at.0.as_second());
    let lasts = i64::from(spec.lease_duration_seconds.unwrap_or(0));
    Lease {
        lease: format!("{}/{LEASE}", object.metadata.namespace.as_deref().unwrap_or_default()),
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        alive: renewed.is_some_and(|renewed| renewed.saturating_add(lasts) > now.as_second()),
    }
}
