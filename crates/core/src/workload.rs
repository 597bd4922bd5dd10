//! Decides where the pod template comes from when `workloadRef` names another workload, and how that workload gives up its
//! own pods as the Rollout takes over.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use serin_api::{RawTemplate, label};

use crate::plan::Plan;
use crate::problem::{Problem, no_workload};
use crate::replica_set::pointer_escape;
use crate::seen::{ObjectKey, Seen};
use crate::world::World;
use crate::write::{Effect, Write};

mod handover;

/// The workload that `spec.workloadRef` names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// Deployment, ReplicaSet or PodTemplate in the namespace of the Rollout.
    pub object: ObjectKey,
    /// What is known of it.
    pub seen: Seen<Workload>,
}

/// What is read of a referenced workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Object uid: the precondition of every write.
    pub uid: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// Its pod template as the API server has it.
    pub template: Value,
    /// Its selector; a PodTemplate has none.
    pub selector: Option<LabelSelector>,
    /// Pods that it asks for itself; a PodTemplate asks for none.
    pub replicas: Option<i32>,
    /// How far it has given up its pods: value of [`label::HANDOVER`].
    pub handover: Option<String>,
    /// It has annotations.
    pub annotated: bool,
}

impl Workload {
    /// Reads an object of one of the three kinds.
    pub fn read(object: &Value) -> Self {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let number = |path: &str| object.pointer(path).and_then(Value::as_i64);
        let selector = object.pointer("/spec/selector").cloned();
        let template = object.pointer("/spec/template").or_else(|| object.get("template"));
        let handover = format!("/metadata/annotations/{}", pointer_escape(label::HANDOVER));
        Self {
            uid: text("/metadata/uid").unwrap_or_default(),
            generation: number("/metadata/generation").unwrap_or(0),
            template: template.cloned().unwrap_or_default(),
            selector: selector.and_then(|selector| serde_json::from_value(selector).ok()),
            replicas: number("/spec/replicas").and_then(|count| i32::try_from(count).ok()),
            handover: text(&handover),
            annotated: object.pointer("/metadata/annotations").is_some_and(Value::is_object),
        }
    }
}

/// The object of a `workloadRef` that can be followed; validation says what is wrong with others.
pub fn named(rollout: &serin_api::Rollout) -> Option<ObjectKey> {
    let reference = rollout.spec.workload_ref.as_ref()?;
    let (group, kind) = reference.group_and_kind();
    let group = match (group, kind) {
        ("apps", "Deployment" | "ReplicaSet") => "apps",
        (_, "PodTemplate") => "",
        _ => return None,
    };
    let namespace = rollout.metadata.namespace.as_deref().unwrap_or_default();
    Some(ObjectKey::new(group, "v1", kind, namespace, reference.name.as_deref()?))
}

/// What is to be decided from.
pub(crate) enum Resolved {
    /// The World with the template of the workload in it.
    World(Box<World>),
    /// There is no template to work with: why.
    Missing(Problem),
    /// It is not known yet: what is waited for.
    Unknown(String),
}

/// The World with the pod template that the Rollout refers to; `None` when the Rollout has its own, or a reference that
/// validation refuses. While the workload is missing or cannot be read, the last known template stays in force.
pub(crate) fn resolve(world: &World) -> Option<Resolved> {
    world.rollout.spec.workload_ref.as_ref()?;
    if !serin_api::validate(&world.rollout).is_empty() {
        return None;
    }
    let Some(reference) = &world.workload else {
        return Some(Resolved::Unknown("the workload of spec.workloadRef to be looked up".to_owned()));
    };
    let mut resolved = world.clone();
    let spec = &mut resolved.rollout.spec;
    spec.workload_ref = None;
    let given = spec.selector.take().filter(|selector| !is_empty(selector));
    match &reference.seen {
        Seen::Fresh(workload) | Seen::Stale(workload) => {
            spec.selector = given.or_else(|| workload.selector.clone());
            spec.template = Some(RawTemplate::new(workload.template.clone()));
            return Some(Resolved::World(Box::new(resolved)));
        }
        Seen::Absent | Seen::Failed(_) => {}
    }
    let Some((template, selector)) = last_known(world) else {
        return Some(match &reference.seen {
            Seen::Failed(why) => Resolved::Unknown(format!("{} to be read: {why}", reference.object)),
            _ => Resolved::Missing(missing(reference)),
        });
    };
    spec.selector = Some(given.unwrap_or(selector));
    spec.template = Some(RawTemplate::new(template));
    Some(Resolved::World(Box::new(resolved)))
}

fn is_empty(selector: &LabelSelector) -> bool {
    selector.match_labels.as_ref().is_none_or(|labels| labels.is_empty())
        && selector.match_expressions.as_ref().is_none_or(Vec::is_empty)
}

/// Template and labels of the current revision, from its ReplicaSet.
fn last_known(world: &World) -> Option<(Value, LabelSelector)> {
    let hash = &world.rollout.status.as_ref()?.current_pod_hash;
    let set = world.replica_sets.iter().find(|set| set.hash == *hash)?;
    let mut template = set.template.clone();
    let labels = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut)?;
    labels.remove(label::POD_TEMPLATE_HASH);
    let entries = labels.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    let selector = LabelSelector { match_labels: Some(entries.collect()), ..LabelSelector::default() };
    Some((template, selector))
}

/// What is wrong with the reference, when its object is not there.
pub(crate) fn problem(world: &World) -> Option<Problem> {
    let reference = world.workload.as_ref()?;
    matches!(reference.seen, Seen::Absent).then(|| missing(reference))
}

fn missing(reference: &Reference) -> Problem {
    let ObjectKey { group, kind, namespace, name, .. } = &reference.object;
    let plural = format!("{}s", kind.to_lowercase());
    let resource = if group.is_empty() { plural } else { format!("{plural}.{group}") };
    no_workload(format!("{resource} \"{namespace}/{name}\" not found"))
}

/// Adds to a plan what concerns the workload: which generation of it was looked at, and the pods that it is to give up.
/// `world` is the one before [`resolve`].
pub(crate) fn conclude(world: &World, plan: &mut Plan) {
    let Some(Reference { object, seen }) = &world.workload else { return };
    let (Seen::Fresh(workload) | Seen::Stale(workload)) = seen else { return };
    let generation = workload.generation.to_string();
    let annotations = world.rollout.metadata.annotations.as_ref();
    // Only one write of a plan can make the map of annotations.
    let waits = annotations.is_none() && plan.writes.iter().any(|write| write.object.kind == "Rollout");
    let known = annotations.and_then(|annotations| annotations.get(label::WORKLOAD_GENERATION));
    if known != Some(&generation) && !waits {
        plan.writes.push(annotate(world, &generation));
    }
    plan.status.workload_observed_generation = generation;
    if matches!(seen, Seen::Fresh(_)) {
        plan.writes.extend(handover::write(world, (object, workload), plan));
    }
}

fn annotate(world: &World, generation: &str) -> Write {
    let meta = &world.rollout.metadata;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut patch = vec![json!({"op": "test", "path": "/metadata/uid", "value": text(&meta.uid)})];
    if meta.annotations.is_none() {
        patch.push(json!({"op": "test", "path": "/metadata/annotations", "value": null}));
        patch.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
    }
    let path = format!("/metadata/annotations/{}", pointer_escape(label::WORKLOAD_GENERATION));
    patch.push(json!({"op": "add", "path": path, "value": generation}));
    let object =
        ObjectKey::new("argoproj.io", "v1alpha1", "Rollout", &text(&meta.namespace), &text(&meta.name));
    Write { object, effect: Effect::JsonPatch(patch) }
}
