//! Reads and restores pod templates as raw JSON, so that no field of a newer Kubernetes is ever lost.

use serde_json::Value;
use serin_api::label;

/// One container of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// JSON pointer to it, below the template: `/spec/containers/0`.
    pub pointer: String,
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
}

/// All containers of a template: main, init and ephemeral ones.
pub fn containers(template: &Value) -> Vec<Container> {
    let mut found = Vec::new();
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        let entries = template.pointer(&format!("/spec/{list}")).and_then(Value::as_array);
        for (index, entry) in entries.into_iter().flatten().enumerate() {
            let text = |field| entry.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
            found.push(Container {
                pointer: format!("/spec/{list}/{index}"),
                name: text("name"),
                image: text("image"),
            });
        }
    }
    found
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
    let mut keys = expressions.into_iter().flatten().filter_map(|expression| expression.get("key")?.as_str());
    keys.any(|key| key == label::POD_TEMPLATE_HASH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_controllers_inject_is_taken_out_again_and_what_the_user_wrote_stays() {
        let between = json!({
            "labelSelector": {"matchExpressions": [{"key": label::POD_TEMPLATE_HASH, "operator": "In", "values": ["bbb"]}]},
            "topologyKey": "kubernetes.io/hostname",
        });
        let own = json!({"labelSelector": {"matchLabels": {"app": "shop"}}, "topologyKey": "zone"});
        let stored = |required: Value| {
            json!({
                "metadata": {
                    "creationTimestamp": null,
                    "labels": {"app": "shop", "rollouts-pod-template-hash": "aaa", "role": "canary"},
                    "annotations": {"team": "red"},
                },
                "spec": {"containers": [{"name": "shop"}], "affinity": {"podAntiAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": required,
                    "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": between}],
                }}},
            })
        };
        let injected = Some(r#"{"labels": {"role": "canary"}, "annotations": {"team": "red"}}"#);
        let plain =
            json!({"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{"name": "shop"}]}});
        assert_eq!(as_written(&stored(json!([between])), injected), plain);
        let kept = json!({
            "metadata": {"labels": {"app": "shop", "role": "canary"}, "annotations": {"team": "red"}},
            "spec": {"containers": [{"name": "shop"}], "affinity": {"podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [own],
            }}},
        });
        assert_eq!(as_written(&stored(json!([own, between])), Some("no JSON")), kept);
    }

    #[test]
    fn containers_of_every_kind_are_found_with_their_place() {
        let template = json!({"spec": {
            "initContainers": [{"name": "migrate", "image": "m:1"}],
            "containers": [{"name": "shop", "image": "shop:1"}, {"name": "proxy"}],
        }});
        let found: Vec<_> = containers(&template)
            .iter()
            .map(|container| format!("{} {} {}", container.pointer, container.name, container.image))
            .collect();
        assert_eq!(
            found,
            [
                "/spec/containers/0 shop shop:1",
                "/spec/containers/1 proxy ",
                "/spec/initContainers/0 migrate m:1"
            ]
        );
    }
}
