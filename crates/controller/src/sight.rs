//! Says what is kept of each kind in memory: what a decision reads, and nothing else.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use serin_api::{AnalysisRun, AnalysisTemplateSpec, Experiment, Rollout, TemplateReference, label};
use serin_core::analysis_spec::{templates_named, templates_of_experiment};
use serin_core::brake::Brake;
use serin_core::orphan::Orphan;
use serin_core::seen::ObjectKey;
use serin_core::world;
use serin_traffic::{ApiVersions, service};

use crate::cache::Sight;
use crate::object::{Kind, Raw, owner_of};

/// What is kept of a Rollout, or why it cannot be read.
pub type RolloutSight = Result<ReadRollout, String>;
/// What is kept of an AnalysisRun, or why it cannot be read.
pub type RunSight = Result<AnalysisRun, String>;
/// What is kept of an Experiment, or why it cannot be read.
pub type ExperimentSight = Result<Experiment, String>;
/// What is kept of a template, or why it cannot be read.
pub type TemplateSight = Result<AnalysisTemplateSpec, String>;

/// A Rollout with the objects that it names.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadRollout {
    /// The Rollout.
    pub rollout: Rollout,
    /// Services that it names.
    pub services: Vec<ObjectKey>,
    /// Routing objects that its routers need.
    pub routes: Vec<ObjectKey>,
    /// What stands for the splits of extensions: no objects of the cluster.
    pub extensions: Vec<ObjectKey>,
    /// Workload that it refers to.
    pub workload: Option<ObjectKey>,
    /// Templates that it names itself.
    pub templates: Vec<TemplateReference>,
}

/// What is kept of a ReplicaSet.
#[derive(Clone, Debug, PartialEq)]
pub struct SetSight {
    /// The Rollout or Experiment that controls it.
    pub owner: Option<Owner>,
    /// It, when nobody controls it.
    pub orphan: Option<Orphan>,
    // Of orphans only.
    namespace: String,
    set: world::ReplicaSet,
    // As text: a tree of the same template takes several times the memory, and most sets are history.
    template: Box<str>,
}

/// The Rollout or Experiment that controls an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

impl Owner {
    /// The owner that controls an object, when it is of our API group.
    pub fn of(meta: &ObjectMeta) -> Option<Self> {
        let owner = owner_of(meta)?;
        Some(Self { kind: owner.kind.clone(), name: owner.name.clone(), uid: owner.uid.clone() })
    }
}

impl SetSight {
    /// The ReplicaSet as `plan` reads it.
    pub fn set(&self) -> world::ReplicaSet {
        let template = serde_json::from_str(&self.template).unwrap_or_default();
        world::ReplicaSet { template, ..self.set.clone() }
    }
}

/// An index word for an object that is named.
pub fn word(key: &ObjectKey) -> String {
    format!("{}/{}/{}/{}", key.group, key.kind, key.namespace, key.name)
}

/// An index word for a kind of which some object is named.
pub fn kind_word(kind: &Kind) -> String {
    format!("{kind} of any name")
}

/// The key of a template.
pub fn template_key(reference: &TemplateReference, namespace: &str) -> ObjectKey {
    let name = &reference.template_name;
    if reference.cluster_scope {
        ObjectKey::new("argoproj.io", "v1alpha1", "ClusterAnalysisTemplate", "", name)
    } else {
        ObjectKey::new("argoproj.io", "v1alpha1", "AnalysisTemplate", namespace, name)
    }
}

/// Versions of API groups of routing objects, once they are known.
pub type Versions = Arc<OnceLock<ApiVersions>>;

/// Rollouts, found by what they name.
pub fn rollouts(versions: Versions) -> Sight<RolloutSight> {
    let read = move |raw| read_rollout(raw, &versions.get().cloned().unwrap_or_default());
    Sight::new(read, |sight| sight.as_ref().map(named).unwrap_or_default())
}

fn read_rollout(raw: Raw, versions: &ApiVersions) -> RolloutSight {
    Ok(ReadRollout::of(read(raw)?, versions))
}

impl ReadRollout {
    /// What a Rollout names.
    pub fn of(rollout: Rollout, versions: &ApiVersions) -> Self {
        // A spec that no router can serve names no routes; `observe` says why.
        let routers = serin_traffic::routers(&rollout, versions).unwrap_or_default();
        let mut routes: Vec<_> = routers.iter().flat_map(|router| router.needs()).collect();
        routes.sort();
        routes.dedup();
        let (extensions, routes) =
            routes.into_iter().partition(|key| serin_traffic::extension::named(key).is_some());
        let services = service::needs(&rollout);
        let templates = templates_named(&rollout, |_| None);
        let workload = serin_core::workload::named(&rollout);
        Self { rollout, services, routes, extensions, workload, templates }
    }
}

fn named(sight: &ReadRollout) -> Vec<String> {
    let namespace = sight.rollout.metadata.namespace.as_deref().unwrap_or_default();
    let templates = sight.templates.iter().map(|reference| template_key(reference, namespace));
    let keys = sight.services.iter().chain(&sight.routes).chain(&sight.workload).cloned().chain(templates);
    let kinds = sight.routes.iter().chain(&sight.workload).map(|key| kind_word(&Kind::of_key(key)));
    let mut words: Vec<_> = keys.map(|key| word(&key)).chain(kinds).collect();
    words.sort();
    words.dedup();
    words
}

/// ReplicaSets, found by the uid of the Rollout or Experiment that controls them, and by their namespace when nobody does.
pub fn sets() -> Sight<SetSight> {
    Sight::new(read_set, |sight| {
        let owner = sight.owner.iter().map(|owner| owner.uid.clone());
        owner.chain(sight.orphan.iter().map(|_| orphan_word(&sight.namespace))).collect()
    })
}

/// The index word of the orphans of a namespace.
pub fn orphan_word(namespace: &str) -> String {
    format!("orphans of {namespace}")
}

fn read_set(raw: Raw) -> SetSight {
    let owner = Owner::of(raw.meta());
    let mut set = world::ReplicaSet::of(&raw.json);
    let template = std::mem::take(&mut set.template).to_string();
    let orphan = Orphan::of(&raw.json);
    let namespace = raw.meta().namespace.clone().filter(|_| orphan.is_some()).unwrap_or_default();
    SetSight { owner, orphan, namespace, set, template: template.into_boxed_str() }
}

/// Jobs of AnalysisRuns, found by the uid of their run: who they are, and how far.
pub fn jobs() -> Sight<Value> {
    let uid = |job: &Value| {
        let labels = job.pointer("/metadata/labels");
        labels.and_then(|labels| labels.get(serin_analysis::run::RUN_UID)?.as_str()).map(str::to_owned)
    };
    Sight::new(read_job, move |job| uid(job).into_iter().collect())
}

fn read_job(raw: Raw) -> Value {
    let meta = raw.meta();
    let owner = meta.owner_references.iter().flatten().find(|owner| owner.kind == "AnalysisRun");
    let status = raw.json.pointer("/status").cloned().unwrap_or_default();
    json!({
        "metadata": {
            "name": meta.name, "uid": meta.uid, "labels": meta.labels,
            "deletionTimestamp": meta.deletion_timestamp, "run": owner.map(|owner| &owner.name),
        },
        "status": {"conditions": status.get("conditions"), "active": status.get("active")},
    })
}

/// Name of the run that a Job measures for.
pub fn run_of(job: &Value) -> Option<&str> {
    job.pointer("/metadata/run")?.as_str()
}

/// A ConfigMap that holds or aborts updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrakeSight {
    /// Its namespace.
    pub namespace: String,
    /// What it says; `None` when it has lost its label.
    pub brake: Option<Brake>,
}

/// Brakes: found by their namespace.
pub fn brakes() -> Sight<BrakeSight> {
    Sight::new(read_brake, |brake: &BrakeSight| vec![brake.namespace.clone()])
}

fn read_brake(raw: Raw) -> BrakeSight {
    let meta = raw.meta();
    let data = raw.json.get("data").and_then(Value::as_object).into_iter().flatten();
    let data = data.filter_map(|(key, text)| Some((key.clone(), text.as_str()?.to_owned()))).collect();
    let (name, labels) = (meta.name.clone().unwrap_or_default(), meta.labels.clone().unwrap_or_default());
    BrakeSight {
        namespace: meta.namespace.clone().unwrap_or_default(),
        brake: Brake::read(&name, &labels, &data),
    }
}

/// Services: the selector, and whose they are; found by the uid of the Experiment that controls them, and by the Rollout
/// that they say writes them.
pub fn services() -> Sight<Value> {
    Sight::new(read_service, |service: &Value| {
        let owner = service.pointer("/owner/uid").and_then(Value::as_str).map(str::to_owned);
        let writer =
            service.pointer("/metadata/annotations").and_then(|map| map.get(label::MANAGED_BY)?.as_str());
        owner.into_iter().chain(writer.map(written_by)).collect()
    })
}

/// An index word for Services that a Rollout of this name writes.
pub fn written_by(rollout: &str) -> String {
    format!("written by {rollout}")
}

fn read_service(raw: Raw) -> Value {
    let meta = raw.meta();
    let mut service = json!({"metadata": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid}});
    if let Some(annotations) = &meta.annotations {
        // The map stays even when nothing in it is kept: a patch must know whether it is there.
        let read = [label::MANAGED_BY, label::EXPERIMENT_NAME, label::EXPERIMENT_TEMPLATE];
        let kept: BTreeMap<_, _> =
            annotations.iter().filter(|(key, _)| read.contains(&key.as_str())).collect();
        service["metadata"]["annotations"] = json!(kept);
    }
    if let Some(selector) = raw.json.pointer("/spec/selector") {
        service["spec"] = json!({"selector": selector});
    }
    if let Some(owner) = Owner::of(meta).filter(|owner| owner.kind == "Experiment") {
        service["owner"] = json!({"uid": owner.uid, "name": owner.name});
    }
    service
}

/// Experiments, found by the uid of their Rollout and by the templates that they name.
pub fn experiments() -> Sight<ExperimentSight> {
    Sight::new(read, |sight: &ExperimentSight| {
        let Ok(experiment) = sight else { return Vec::new() };
        let namespace = experiment.metadata.namespace.as_deref().unwrap_or_default();
        let templates = templates_of_experiment(experiment);
        let templates = templates.iter().map(|reference| word(&template_key(reference, namespace)));
        templates.chain(owner_of(&experiment.metadata).map(|owner| owner.uid.clone())).collect()
    })
}

/// AnalysisRuns, found by the uid of the Rollout or Experiment that controls them.
pub fn runs() -> Sight<RunSight> {
    Sight::new(read_run, |sight| {
        let owner = sight.as_ref().ok().and_then(|run| owner_of(&run.metadata));
        owner.map(|owner| owner.uid.clone()).into_iter().collect()
    })
}

fn read_run(raw: Raw) -> RunSight {
    let mut run: AnalysisRun = read(raw)?;
    if let Some(status) = run.status.as_mut().filter(|status| status.phase.completed()) {
        // A run that is over is only counted and deleted; its measurements are the bulk of it.
        for result in &mut status.metric_results {
            result.measurements = Vec::new();
            result.evidence = None;
        }
    }
    Ok(run)
}

/// Templates of a namespace or of the cluster, found by the templates that they name in turn.
pub fn templates() -> Sight<TemplateSight> {
    Sight::new(
        |raw| {
            let spec = raw.json.get("spec").cloned().unwrap_or_default();
            decode(spec)
        },
        |sight: &TemplateSight| {
            let nested = sight.iter().flat_map(|spec| spec.templates.iter().flatten());
            nested.map(nested_word).collect()
        },
    )
}

/// An index word for a template that another one names.
pub fn nested_word(reference: &TemplateReference) -> String {
    let place = if reference.cluster_scope { "cluster" } else { "namespace" };
    format!("{} of the {place}", reference.template_name)
}

/// The kinds that a `workloadRef` may name: template, selector and size, and nothing of their status.
pub fn workloads() -> Sight<Value> {
    Sight::new(read_workload, |_| Vec::new())
}

fn read_workload(raw: Raw) -> Value {
    let meta = raw.meta();
    let mut metadata = json!({"uid": meta.uid, "generation": meta.generation});
    if let Some(annotations) = &meta.annotations {
        let kept: BTreeMap<_, _> = annotations.iter().filter(|(key, _)| *key == label::HANDOVER).collect();
        metadata["annotations"] = json!(kept);
    }
    let part = |path: &str| raw.json.pointer(path).cloned();
    json!({
        "metadata": metadata,
        "spec": {
            "replicas": part("/spec/replicas"), "selector": part("/spec/selector"),
            "template": part("/spec/template").or_else(|| part("/template")),
        },
    })
}

/// Whether a kind is one that a `workloadRef` may name.
pub fn is_workload(kind: &Kind) -> bool {
    matches!(kind.kind.as_str(), "Deployment" | "ReplicaSet" | "PodTemplate")
}

/// Routing objects, whole: routers read them as they are.
pub fn routes() -> Sight<Value> {
    Sight::new(
        |raw| {
            let mut object = raw.json;
            if let Some(annotations) =
                object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut)
            {
                annotations.remove(label::LAST_APPLIED);
            }
            object
        },
        |_| Vec::new(),
    )
}

fn read<T: DeserializeOwned>(raw: Raw) -> Result<T, String> {
    let mut json = raw.json;
    if let Some(annotations) = json.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove(label::LAST_APPLIED);
    }
    decode(json)
}

/// Reads JSON into a type; the path of the field is in front of what is wrong with it.
fn decode<T: DeserializeOwned>(json: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(json).map_err(|error| error.to_string())
}
