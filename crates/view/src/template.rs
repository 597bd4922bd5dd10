//! Reads and restores pod templates as raw JSON, so that no field of a newer Kubernetes is ever lost.

use serde_json::{Map, Value};
use serin_api::label;

/// The lists of containers of a pod.
pub const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// The images of the main containers, each once.
pub fn images(template: &Value) -> Vec<String> {
    let containers = template.pointer("/spec/containers").and_then(Value::as_array);
    let mut images = Vec::new();
    for container in containers.into_iter().flatten() {
        if let Some(image) = container.get("image").and_then(Value::as_str)
            && !images.iter().any(|known| known == image)
        {
            images.push(image.to_owned());
        }
    }
    images
}

/// The template of a ReplicaSet as the user wrote it: without what controllers inject, that is the hash label, the
/// ephemeral metadata that `injected` records (annotation of the ReplicaSet), and anti-affinity between revisions.
///
/// The stock client writes these back into the spec on undo, where they outlive their revision.
pub fn as_written(template: &Value, injected: Option<&str>) -> Value {
    let mut template = template.clone();
    if let Some(metadata) = template.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|_, value| !value.is_null());
    }
    remove_keys(&mut template, "labels", [label::POD_TEMPLATE_HASH]);
    let injected = injected.and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or_default();
    for part in ["labels", "annotations"] {
        let keys = injected.get(part).and_then(Value::as_object).into_iter().flatten();
        remove_keys(&mut template, part, keys.map(|(key, _)| key.as_str()));
    }
    remove_anti_affinity(&mut template);
    template
}

fn remove_keys<'k>(template: &mut Value, part: &str, keys: impl IntoIterator<Item = &'k str>) {
    let Some(metadata) = template.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let Some(entries) = metadata.get_mut(part).and_then(Value::as_object_mut) else { return };
    keys.into_iter().for_each(|key| drop(entries.remove(key)));
    if entries.is_empty() {
        metadata.remove(part);
    }
}

/// Terms that name the hash label; then the objects that held nothing else.
fn remove_anti_affinity(template: &mut Value) {
    let Some(spec) = template.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let Some(affinity) = spec.get_mut("affinity").and_then(Value::as_object_mut) else { return };
    let Some(apart) = affinity.get_mut("podAntiAffinity").and_then(Value::as_object_mut) else { return };
    let mut removed = false;
    for kind in ["required", "preferred"] {
        let name = format!("{kind}DuringSchedulingIgnoredDuringExecution");
        let Some(terms) = apart.get_mut(&name).and_then(Value::as_array_mut) else { continue };
        let before = terms.len();
        terms.retain(|term| !names_hash(term.get("podAffinityTerm").unwrap_or(term)));
        removed |= terms.len() < before;
        if removed && terms.is_empty() {
            apart.remove(&name);
        }
    }
    if removed && apart.is_empty() {
        affinity.remove("podAntiAffinity");
        if affinity.is_empty() {
            spec.remove("affinity");
        }
    }
}

fn names_hash(term: &Value) -> bool {
    let expressions = term.pointer("/labelSelector/matchExpressions").and_then(Value::as_array);
    let keys = expressions.into_iter().flatten().filter_map(|expression| expression.get("key")?.as_str());
    keys.into_iter().any(|key| key == label::POD_TEMPLATE_HASH)
}

/// One container with the JSON pointer to it, below the template.
pub struct Container<'t> {
    /// Pointer such as `/spec/containers/0`.
    pub pointer: String,
    /// Its fields.
    pub fields: &'t Map<String, Value>,
}

impl Container<'_> {
    /// A text field, empty when it is absent.
    pub fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_str).unwrap_or_default()
    }
}

/// All containers of a template: main, init and ephemeral ones.
pub fn containers(template: &Value) -> Vec<Container<'_>> {
    let mut found = Vec::new();
    for list in CONTAINERS {
        let entries = template.pointer(&format!("/spec/{list}")).and_then(Value::as_array);
        for (index, entry) in entries.into_iter().flatten().enumerate() {
            if let Some(fields) = entry.as_object() {
                found.push(Container { pointer: format!("/spec/{list}/{index}"), fields });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn between(hash: &str) -> Value {
        json!({
            "labelSelector": {"matchExpressions": [{"key": label::POD_TEMPLATE_HASH, "operator": "In", "values": [hash]}]},
            "topologyKey": "kubernetes.io/hostname",
        })
    }

    #[test]
    fn what_controllers_inject_is_taken_out_again() {
        let written =
            json!({"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{"name": "shop"}]}});
        let stored = json!({
            "metadata": {
                "creationTimestamp": null,
                "labels": {"app": "shop", "rollouts-pod-template-hash": "aaa", "role": "canary"},
                "annotations": {"team": "red"},
            },
            "spec": {
                "containers": [{"name": "shop"}],
                "affinity": {"podAntiAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": [between("bbb")],
                    "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": between("bbb")}],
                }},
            },
        });
        let injected = r#"{"labels": {"role": "canary"}, "annotations": {"team": "red"}}"#;
        assert_eq!(as_written(&stored, Some(injected)), written);
    }

    #[test]
    fn what_the_user_wrote_stays() {
        let own = json!({"labelSelector": {"matchLabels": {"app": "shop"}}, "topologyKey": "zone"});
        let stored = json!({
            "metadata": {"labels": {"app": "shop"}, "annotations": {"team": "red"}},
            "spec": {"affinity": {"nodeAffinity": {}, "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [own, between("aaa")],
                "preferredDuringSchedulingIgnoredDuringExecution": [],
            }}},
        });
        let mut expected = stored.clone();
        expected["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] =
            json!([own]);
        expected["spec"]["affinity"]["podAntiAffinity"]
            .as_object_mut()
            .unwrap()
            .remove("preferredDuringSchedulingIgnoredDuringExecution");
        assert_eq!(as_written(&stored, None), expected);
        let plain = json!({"spec": {"affinity": {"podAntiAffinity": {}}}});
        assert_eq!(as_written(&plain, Some("no JSON")), plain);
    }

    #[test]
    fn containers_of_every_kind_are_found_with_their_place() {
        let template = json!({"spec": {
            "initContainers": [{"name": "migrate", "image": "m:1"}],
            "containers": [{"name": "shop", "image": "shop:1"}, {"name": "proxy", "image": "shop:1"}],
        }});
        let found: Vec<_> = containers(&template)
            .iter()
            .map(|container| format!("{} {}", container.pointer, container.text("name")))
            .collect();
        assert_eq!(
            found,
            ["/spec/containers/0 shop", "/spec/containers/1 proxy", "/spec/initContainers/0 migrate"]
        );
        assert_eq!(images(&template), ["shop:1"]);
    }
}
