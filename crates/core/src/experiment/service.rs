//! Decides the Services of templates: one as soon as there is a ReplicaSet, gone with the pods.

use serde_json::{Value, json};
use serin_api::{ExperimentTemplate, ExperimentTemplateStatus, label};

use super::Memory;
use super::facts::Facts;
use crate::world::ReplicaSet;
use crate::write::{Effect, Write};

/// Makes the Service of a template that asks for one, and notes it once it is there.
///
/// # Errors
/// Why it cannot be made.
pub(super) fn ensure(
    facts: &Facts,
    memory: &mut Memory,
    template: &ExperimentTemplate,
    set: &ReplicaSet,
    status: &mut ExperimentTemplateStatus,
) -> Result<(), String> {
    let found = facts.service_of(&template.name);
    status.service_name = found.map(|service| service.name.clone());
    status.pod_template_hash = found.map(|_| set.hash.clone());
    let Some(named) = template.service.as_ref() else { return Ok(()) };
    if found.is_some() || facts.wanted(&template.name) == 0 {
        return Ok(());
    }
    let name = named.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| set.name.clone());
    let failed =
        |why: &str| Err(format!("Failed to create Service {name} for template '{}': {why}", template.name));
    let taken = facts.world.services.iter().find(|service| service.name == name);
    if taken.is_some_and(|service| service.deleting) {
        memory.gates.wait(&format!("Service {name} of before to go"), "it is made anew");
        return Ok(());
    }
    let refusal = facts.refusal("Service", &name);
    if taken.is_some() || refusal.is_some_and(|refusal| refusal.name_taken) {
        let owner = format!("is not owned by experiment template {}", template.name);
        return failed(&format!("service {name} already exists and {owner}; give it another name"));
    }
    if let Some(refusal) = refusal {
        return failed(&refusal.message);
    }
    let labels = template.selector.as_ref().and_then(|selector| selector.match_labels.clone());
    let mut selector = labels.unwrap_or_default();
    selector.insert(label::POD_TEMPLATE_HASH.to_owned(), set.hash.clone());
    let object = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": facts.namespace(),
            "annotations": facts.annotations(&template.name),
            "ownerReferences": [facts.owner_reference()],
        },
        "spec": {"selector": selector, "ports": ports(&set.template)},
    });
    memory
        .writes
        .push(Write { object: facts.key("", "v1", "Service", &name), effect: Effect::Create(object) });
    Ok(())
}

/// A port of the Service for each one that a container declares.
fn ports(pods: &Value) -> Vec<Value> {
    let containers = pods.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    let declared = containers.filter_map(|container| container.get("ports")?.as_array()).flatten();
    declared
        .map(|port| {
            let number = port.get("containerPort").cloned().unwrap_or_default();
            let protocol = port.get("protocol").cloned().unwrap_or_else(|| json!("TCP"));
            let mut made = json!({"protocol": protocol, "port": number, "targetPort": number});
            if let Some(name) = port.get("name")
                && let Some(fields) = made.as_object_mut()
            {
                fields.insert("name".to_owned(), name.clone());
            }
            made
        })
        .collect()
}

/// Deletes the Services whose pods are gone, or whose template asks for none any more.
pub(super) fn remove(facts: &Facts, memory: &mut Memory) {
    let owned = facts.world.services.iter().filter(|service| !service.deleting);
    for (service, template) in owned.filter_map(|service| Some((service, service.template.as_deref()?))) {
        let set = facts.set_of(template);
        let empty = set.is_none_or(|set| set.pods.spec == 0 && set.pods.available == 0);
        let asked = facts.templates.iter().any(|known| known.name == template && known.service.is_some());
        let over = facts.wanted(template) == 0 && empty;
        if (over || !asked && !facts.templates.is_empty()) && !facts.carries(template) {
            let object = facts.key("", "v1", "Service", &service.name);
            memory.writes.push(Write { object, effect: Effect::Delete { uid: service.uid.clone() } });
        }
    }
}
