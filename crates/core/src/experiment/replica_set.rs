//! Translates what an Experiment wants of pods into writes of its ReplicaSets.

use serde_json::{Value, json};
use serin_api::{ExperimentTemplate, ExperimentTemplateStatus, label};

use super::Memory;
use super::facts::{Facts, template_of};
use crate::replica_set::set_path;
use crate::template;
use crate::time::{after, api_time};
use crate::world::ReplicaSet;
use crate::write::{Effect, Write};

/// The ReplicaSet of a template, without pods: a later plan gives it some.
///
/// # Errors
/// Why the API server refuses it.
pub(super) fn create(
    facts: &Facts,
    memory: &mut Memory,
    template: &ExperimentTemplate,
    status: &mut ExperimentTemplateStatus,
) -> Result<(), String> {
    if facts.wanted(&template.name) == 0 && (facts.ending || template.replicas() > 0) {
        return Ok(());
    }
    let name = facts.set_name(&template.name);
    let refusal = facts.refusal("ReplicaSet", &name);
    if let Some(refusal) = refusal.filter(|refusal| !refusal.name_taken) {
        let message = format!("Failed to create new replica set \"{name}\": {}", refusal.message);
        memory.journal.warn("ReplicaSetCreateError", message);
        return Err(format!(
            "Failed to create ReplicaSet for template '{}': {}",
            template.name, refusal.message
        ));
    }
    if refusal.is_some() {
        // What is there may be what an Experiment of this name has left, and go soon.
        status.collision_count.get_or_insert(1);
        let waits_for = format!("ReplicaSet {name}, which belongs to somebody else, to go");
        memory.gates.wait(
            &waits_for,
            "one for the template is made; give the experiment or the template another name",
        );
    }
    status.last_transition_time.get_or_insert(api_time(facts.world.now));
    if let Some(object) = object(facts, template, &name, status.collision_count) {
        let key = facts.key("apps", "v1", "ReplicaSet", &name);
        memory.writes.push(Write { object: key, effect: Effect::Create(object) });
    }
    Ok(())
}

fn object(
    facts: &Facts,
    template: &ExperimentTemplate,
    name: &str,
    collisions: Option<i32>,
) -> Option<Value> {
    let mut pods = template.template.as_ref()?.value().clone();
    if let Some(labels) = pods.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(label::POD_TEMPLATE_HASH);
    }
    let hash = template::hash(&pods, collisions);
    set_path(&mut pods, &["metadata", "labels", label::POD_TEMPLATE_HASH], json!(hash));
    let mut selector = serde_json::to_value(template.selector.as_ref()?).unwrap_or_default();
    set_path(&mut selector, &["matchLabels", label::POD_TEMPLATE_HASH], json!(hash));
    let mut labels = pods.pointer("/metadata/labels").and_then(Value::as_object).cloned().unwrap_or_default();
    let own = facts.experiment.metadata.labels.as_ref();
    if let Some(instance) = own.and_then(|labels| labels.get(label::INSTANCE_ID)) {
        labels.insert(label::INSTANCE_ID.to_owned(), json!(instance));
    }
    Some(json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": facts.namespace(),
            "labels": labels,
            "annotations": facts.annotations(&template.name),
            "ownerReferences": [facts.owner_reference()],
        },
        "spec": {
            "replicas": 0,
            "minReadySeconds": template.min_ready_seconds.unwrap_or(0),
            "selector": selector,
            "template": pods,
        },
    }))
}

/// Gives the ReplicaSet of a template the pods that it is to have; those that are not wanted go in [`wind_down`].
///
/// # Errors
/// Why the API server refuses it.
pub(super) fn scale_up(
    facts: &Facts,
    memory: &mut Memory,
    set: &ReplicaSet,
    wanted: i32,
    status: &mut ExperimentTemplateStatus,
) -> Result<(), String> {
    if wanted == 0 || wanted == set.pods.spec {
        return Ok(());
    }
    if let Some(refusal) = facts.refusal("ReplicaSet", &set.name) {
        return Err(format!(
            "Unable to scale ReplicaSet for template '{}' to desired replica count '{wanted}': {}",
            status.name, refusal.message
        ));
    }
    status.last_transition_time = Some(api_time(facts.world.now));
    write_size(facts, memory, set, wanted);
    Ok(())
}

/// Takes the pods that are not wanted any more, once their traffic has gone and they were kept for their time.
pub(super) fn wind_down(facts: &Facts, memory: &mut Memory) {
    for set in facts.world.replica_sets.iter().filter(|set| !set.deleting && set.pods.spec > 0) {
        let template = template_of(set).unwrap_or_default();
        if facts.wanted(template) == 0 {
            release(facts, memory, set, template);
        }
    }
}

fn release(facts: &Facts, memory: &mut Memory, set: &ReplicaSet, template: &str) {
    let (now, delay) = (facts.world.now, facts.delay_seconds());
    if facts.carries(template) {
        let waits_for = format!("the traffic to leave template '{template}'");
        return memory.gates.wait(&waits_for, "its pods are kept for their time, and go");
    }
    let deadline = match set.scale_down_deadline() {
        _ if delay == 0 => now,
        Some(deadline) => deadline,
        None => {
            let deadline = api_time(after(now, delay)).0;
            write_deadline(facts, memory, set, &deadline.to_string());
            deadline
        }
    };
    if deadline <= now {
        return write_size(facts, memory, set, 0);
    }
    memory.wake_after(now, deadline);
    let waits_for = format!("the pods of template '{template}' to have been kept for {delay} s");
    memory.gates.until(&waits_for, now, deadline, "they go");
}

fn write_deadline(facts: &Facts, memory: &mut Memory, set: &ReplicaSet, deadline: &str) {
    let mut patch = vec![json!({"op": "test", "path": "/metadata/uid", "value": set.uid})];
    if set.annotations.is_empty() {
        patch.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
    }
    let path = format!("/metadata/annotations/{}", label::SCALE_DOWN_DEADLINE);
    patch.push(json!({"op": "add", "path": path, "value": deadline}));
    push(facts, memory, set, patch);
}

/// A new size ends the deadline that the set may have.
fn write_size(facts: &Facts, memory: &mut Memory, set: &ReplicaSet, replicas: i32) {
    let mut patch = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": set.uid}),
        json!({"op": "test", "path": "/spec/replicas", "value": set.pods.spec}),
        json!({"op": "replace", "path": "/spec/replicas", "value": replicas}),
    ];
    if replicas > 0 && set.annotations.contains_key(label::SCALE_DOWN_DEADLINE) {
        let path = format!("/metadata/annotations/{}", label::SCALE_DOWN_DEADLINE);
        patch.push(json!({"op": "remove", "path": path}));
    }
    let direction = if replicas > set.pods.spec { "up" } else { "down" };
    let message = format!("Scaled {direction} ReplicaSet {} from {} to {replicas}", set.name, set.pods.spec);
    memory.journal.wrote(memory.writes.len(), "ScalingReplicaSet", message);
    push(facts, memory, set, patch);
}

fn push(facts: &Facts, memory: &mut Memory, set: &ReplicaSet, patch: Vec<Value>) {
    let object = facts.key("apps", "v1", "ReplicaSet", &set.name);
    memory.writes.push(Write { object, effect: Effect::JsonPatch(patch) });
}
