//! Performs writes on a World as the API server does: defaults are filled in, preconditions are checked.

use jiff::Timestamp;
use serde_json::{Value, json};
use serin_api::{AnalysisPhase, label};
use serin_core::pod::Pod;
use serin_core::replica::Pods;
use serin_core::seen::Seen;
use serin_core::world::{AnalysisRun, Experiment, ReplicaSet, Trial, World};
use serin_core::write::{Effect, Write};

use crate::json_patch;

/// Why a write was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is an object of that name.
    Exists,
    /// There is no such object.
    Missing,
    /// A precondition does not hold.
    Precondition(String),
    /// The patch has no precondition at all: the shell does not send it.
    Unguarded,
}

/// Does one write. `number` makes the uid of a created object.
///
/// # Errors
/// Why not.
pub fn perform(world: &mut World, write: &Write, number: u64) -> Result<(), Refusal> {
    if let Effect::JsonPatch(operations) = &write.effect
        && !operations.iter().any(|operation| operation["op"] == "test")
    {
        return Err(Refusal::Unguarded);
    }
    match write.object.kind.as_str() {
        "ReplicaSet" => replica_set(&mut world.replica_sets, write, (world.now, number)),
        "AnalysisRun" => analysis_run(&mut world.analysis_runs, write, (world.now, number)),
        "Experiment" => experiment(&mut world.experiments, write, (world.now, number)),
        "Rollout" => rollout(world, write),
        "Pod" => pod(world, write),
        other => Err(Refusal::Precondition(format!("no such kind here: {other}"))),
    }
}

pub(crate) fn replica_set(
    sets: &mut Vec<ReplicaSet>,
    write: &Write,
    (now, number): (Timestamp, u64),
) -> Result<(), Refusal> {
    let name = &write.object.name;
    let found = sets.iter().position(|set| set.name == *name);
    match (&write.effect, found) {
        (Effect::Create(_), Some(_)) => Err(Refusal::Exists),
        (Effect::Create(object), None) => {
            sets.push(created_set(object, now, number));
            Ok(())
        }
        (_, None) => Err(Refusal::Missing),
        (Effect::Delete { uid }, Some(index)) => {
            precondition(&sets[index].uid, uid)?;
            sets.remove(index);
            Ok(())
        }
        (Effect::JsonPatch(operations), Some(index)) => patch_set(&mut sets[index], operations),
        (Effect::Apply(_) | Effect::Evict { .. }, Some(_)) => {
            Err(Refusal::Precondition("not done to this kind".to_owned()))
        }
    }
}

pub(crate) fn precondition(found: &str, wanted: &str) -> Result<(), Refusal> {
    if found == wanted { Ok(()) } else { Err(Refusal::Precondition(format!("uid is {found}"))) }
}

fn created_set(object: &Value, now: Timestamp, number: u64) -> ReplicaSet {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let count = |path: &str| {
        let count = object.pointer(path).and_then(Value::as_i64).unwrap_or(0);
        i32::try_from(count).unwrap_or(i32::MAX)
    };
    ReplicaSet {
        name: text("/metadata/name"),
        uid: format!("uid-{number}"),
        hash: text(&format!("/metadata/labels/{}", label::POD_TEMPLATE_HASH)),
        created: whole_seconds(now),
        annotations: strings(object.pointer("/metadata/annotations")),
        template: defaulted(object.pointer("/spec/template").cloned().unwrap_or_default()),
        pods: Pods { spec: count("/spec/replicas"), ..Pods::default() },
        ready: 0,
        min_ready_seconds: count("/spec/minReadySeconds"),
        failure: None,
        deleting: false,
        observed: true,
    }
}

fn whole_seconds(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}

pub(crate) fn strings(value: Option<&Value>) -> std::collections::BTreeMap<String, String> {
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// What the API server adds to a pod template; enough of it to tell a stored template from a written one.
pub(crate) fn defaulted(mut template: Value) -> Value {
    let fill = |object: &mut Value, fields: Value| {
        for (key, value) in fields.as_object().into_iter().flatten() {
            if object.get(key).is_none() {
                object[key] = value.clone();
            }
        }
    };
    fill(
        &mut template["spec"],
        json!({"dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler",
               "securityContext": {}, "terminationGracePeriodSeconds": 30}),
    );
    for container in template["spec"]["containers"].as_array_mut().into_iter().flatten() {
        fill(
            container,
            json!({"imagePullPolicy": "IfNotPresent", "resources": {},
                   "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}),
        );
    }
    template
}

fn patch_set(set: &mut ReplicaSet, operations: &[Value]) -> Result<(), Refusal> {
    let mut object = json!({
        "metadata": {"uid": set.uid},
        "spec": {
            "replicas": set.pods.spec, "minReadySeconds": set.min_ready_seconds, "template": set.template,
        },
        "status": {},
    });
    if !set.annotations.is_empty() {
        object["metadata"]["annotations"] = json!(set.annotations);
    }
    if set.pods.available > 0 {
        object["status"]["availableReplicas"] = json!(set.pods.available);
    }
    json_patch::apply(&mut object, operations).map_err(Refusal::Precondition)?;
    let number = |path: &str| object.pointer(path).and_then(Value::as_i64).unwrap_or(0);
    set.pods.spec = i32::try_from(number("/spec/replicas")).unwrap_or(0);
    set.template = object["spec"]["template"].clone();
    set.min_ready_seconds = i32::try_from(number("/spec/minReadySeconds")).unwrap_or(0);
    set.annotations = strings(object.pointer("/metadata/annotations"));
    Ok(())
}

pub(crate) fn analysis_run(
    runs: &mut Vec<AnalysisRun>,
    write: &Write,
    (now, number): (Timestamp, u64),
) -> Result<(), Refusal> {
    let name = &write.object.name;
    let found = runs.iter().position(|run| run.name == *name);
    match (&write.effect, found) {
        (Effect::Create(_), Some(_)) => Err(Refusal::Exists),
        (Effect::Create(object), None) => {
            runs.push(AnalysisRun {
                name: name.clone(),
                uid: format!("uid-{number}"),
                labels: strings(object.pointer("/metadata/labels")),
                created: whole_seconds(now),
                terminating: false,
                phase: AnalysisPhase::Unset,
                message: String::new(),
                served: None,
                gives_up: None,
            });
            Ok(())
        }
        (_, None) => Err(Refusal::Missing),
        (Effect::Delete { uid }, Some(index)) => {
            precondition(&runs[index].uid, uid)?;
            runs.remove(index);
            Ok(())
        }
        (Effect::JsonPatch(operations), Some(index)) => {
            let run = &mut runs[index];
            let mut object = json!({"metadata": {"uid": run.uid}, "spec": {"terminate": run.terminating}});
            json_patch::apply(&mut object, operations).map_err(Refusal::Precondition)?;
            run.terminating = object["spec"]["terminate"] == true;
            Ok(())
        }
        (Effect::Apply(_) | Effect::Evict { .. }, Some(_)) => {
            Err(Refusal::Precondition("not done to this kind".to_owned()))
        }
    }
}

fn pod(world: &mut World, write: &Write) -> Result<(), Refusal> {
    let lists = world.pods.values_mut().filter_map(|seen| match seen {
        Seen::Fresh(pods) => Some(pods),
        _ => None,
    });
    match &write.effect {
        Effect::Evict { uid, .. } => {
            lists.for_each(|pods| pods.retain(|pod| pod.uid != *uid));
            Ok(())
        }
        Effect::JsonPatch(operations) => {
            let found = lists.flatten().find(|pod| pod.name == write.object.name);
            patch_pod(found.ok_or(Refusal::Missing)?, operations)
        }
        _ => Err(Refusal::Precondition("a pod is only evicted or patched".to_owned())),
    }
}

/// Does a JSON patch of the labels and annotations of a pod; a map without entries is not there.
///
/// # Errors
/// Which precondition does not hold, or which path is not there.
pub(crate) fn patch_pod(pod: &mut Pod, operations: &[Value]) -> Result<(), Refusal> {
    let mut object = json!({"metadata": {"uid": pod.uid}});
    for (part, entries) in [("labels", &pod.labels), ("annotations", &pod.annotations)] {
        if !entries.is_empty() {
            object["metadata"][part] = json!(entries);
        }
    }
    json_patch::apply(&mut object, operations).map_err(Refusal::Precondition)?;
    pod.labels = strings(object.pointer("/metadata/labels"));
    pod.annotations = strings(object.pointer("/metadata/annotations"));
    Ok(())
}

fn experiment(
    experiments: &mut Vec<Experiment>,
    write: &Write,
    (now, number): (Timestamp, u64),
) -> Result<(), Refusal> {
    let found = experiments.iter().position(|experiment| experiment.name == write.object.name);
    match (&write.effect, found) {
        (Effect::Create(_), Some(_)) => Err(Refusal::Exists),
        (Effect::Create(object), None) => {
            experiments.push(created_experiment(object, now, number));
            Ok(())
        }
        (_, None) => Err(Refusal::Missing),
        (Effect::Delete { uid }, Some(index)) => {
            precondition(&experiments[index].uid, uid)?;
            experiments.remove(index);
            Ok(())
        }
        (Effect::JsonPatch(operations), Some(index)) => {
            let known = &mut experiments[index];
            let mut object =
                json!({"metadata": {"uid": known.uid}, "spec": {"terminate": known.terminating}});
            json_patch::apply(&mut object, operations).map_err(Refusal::Precondition)?;
            known.terminating = object["spec"]["terminate"] == true;
            Ok(())
        }
        (Effect::Apply(_) | Effect::Evict { .. }, Some(_)) => {
            Err(Refusal::Precondition("not done to this kind".to_owned()))
        }
    }
}

/// An Experiment that nobody has looked at; its templates get their Services with their pods.
fn created_experiment(object: &Value, now: Timestamp, number: u64) -> Experiment {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let name = text("/metadata/name");
    let templates = object.pointer("/spec/templates").and_then(Value::as_array).into_iter().flatten();
    let trial = |template: &Value| {
        let service = template.get("service").map(|service| {
            let own = format!("{name}-{}", template["name"].as_str().unwrap_or_default());
            service["name"].as_str().map_or(own, str::to_owned)
        });
        Trial {
            name: template["name"].as_str().unwrap_or_default().to_owned(),
            running: false,
            hash: service.as_ref().map(|service| format!("hash-of-{service}")),
            service,
            pods: 0,
        }
    };
    Experiment {
        templates: templates.map(trial).collect(),
        name: name.clone(),
        uid: format!("uid-{number}"),
        labels: strings(object.pointer("/metadata/labels")),
        created: whole_seconds(now),
        terminating: false,
        deleting: false,
        phase: AnalysisPhase::Unset,
        message: String::new(),
        unmeasured: object.pointer("/spec/analyses").is_some(),
        until: None,
    }
}

fn rollout(world: &mut World, write: &Write) -> Result<(), Refusal> {
    let Effect::JsonPatch(operations) = &write.effect else {
        return Err(Refusal::Precondition("a Rollout is only patched".to_owned()));
    };
    let mut object = serde_json::to_value(&world.rollout).unwrap_or_default();
    json_patch::apply(&mut object, operations).map_err(Refusal::Precondition)?;
    let changed: serin_api::Rollout =
        serde_json::from_value(object).map_err(|error| Refusal::Precondition(error.to_string()))?;
    let spec_changed = changed.spec != world.rollout.spec;
    world.rollout = changed;
    if spec_changed {
        world.rollout.metadata.generation =
            world.rollout.metadata.generation.map(|generation| generation + 1);
    }
    Ok(())
}
