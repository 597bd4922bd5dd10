//! The schema that tells Kustomize how to merge lists of Rollouts and Experiments: by the name of a container, not by its
//! place. Kustomize knows no definitions of custom resources, and would replace whole lists.

use serde_json::{Map, Value, json};

use crate::{Experiment, Rollout};

/// Lists below a type, with the key by which their entries are matched and the type of the entries, if it has lists too.
/// As Kubernetes documents them for `io.k8s.api.core.v1`; lists that are not here are replaced as a whole.
const LISTS: &[(&str, &str, &str, Option<&str>)] = &[
    ("PodSpec", "containers", "name", Some("Container")),
    ("PodSpec", "initContainers", "name", Some("Container")),
    ("PodSpec", "ephemeralContainers", "name", Some("Container")),
    ("PodSpec", "volumes", "name", None),
    ("PodSpec", "imagePullSecrets", "name", None),
    ("PodSpec", "hostAliases", "ip", None),
    ("PodSpec", "topologySpreadConstraints", "topologyKey", None),
    ("PodSpec", "schedulingGates", "name", None),
    ("PodSpec", "resourceClaims", "name", None),
    ("Container", "env", "name", None),
    ("Container", "ports", "containerPort", None),
    ("Container", "volumeMounts", "mountPath", None),
    ("Container", "volumeDevices", "devicePath", None),
    ("ExperimentSpec", "templates", "name", Some("ExperimentTemplate")),
    ("ExperimentSpec", "analyses", "name", None),
];

/// The document for the field `openapi.path` of a `kustomization.yaml`.
pub fn openapi() -> Value {
    let mut definitions = Map::new();
    for (owner, list, key, entries) in LISTS {
        let entries = entries.map_or_else(|| json!({"type": "object"}), reference);
        let list_of = json!({
            "type": "array", "items": entries,
            "x-kubernetes-patch-merge-key": key, "x-kubernetes-patch-strategy": "merge",
        });
        property(&mut definitions, owner, list, list_of);
    }
    property(&mut definitions, "PodTemplateSpec", "spec", reference("PodSpec"));
    property(&mut definitions, "RolloutSpec", "template", reference("PodTemplateSpec"));
    property(&mut definitions, "ExperimentTemplate", "template", reference("PodTemplateSpec"));
    kind::<Rollout>(&mut definitions, "RolloutSpec");
    kind::<Experiment>(&mut definitions, "ExperimentSpec");
    json!({"definitions": definitions})
}

fn name(type_: &str) -> String {
    format!("io.argoproj.v1alpha1.{type_}")
}

fn reference(type_: &str) -> Value {
    json!({"$ref": format!("#/definitions/{}", name(type_))})
}

fn property(definitions: &mut Map<String, Value>, owner: &str, field: &str, schema: Value) {
    let definition =
        definitions.entry(name(owner)).or_insert_with(|| json!({"type": "object", "properties": {}}));
    definition["properties"][field] = schema;
}

fn kind<K: kube::Resource<DynamicType = ()>>(definitions: &mut Map<String, Value>, spec: &str) {
    let kind = K::kind(&()).into_owned();
    property(definitions, &kind, "spec", reference(spec));
    definitions[&name(&kind)]["x-kubernetes-group-version-kind"] =
        json!([{"group": K::group(&()), "kind": kind, "version": K::version(&())}]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_to_a_definition_and_every_kind_to_the_containers() {
        let schema = openapi();
        let follow =
            |schema: &Value| schema["$ref"].as_str().unwrap_or_default().trim_start_matches('#').to_owned();
        for (kind, way) in [
            ("Rollout", vec!["spec", "template", "spec"]),
            ("Experiment", vec!["spec", "templates", "template", "spec"]),
        ] {
            let mut at = format!("/definitions/{}", name(kind));
            assert_eq!(schema.pointer(&at).unwrap()["x-kubernetes-group-version-kind"][0]["kind"], kind);
            for field in way {
                let found = &schema.pointer(&at).unwrap()["properties"][field];
                at = follow(if found["items"].is_null() { found } else { &found["items"] });
                assert!(schema.pointer(&at).is_some(), "{kind}: {field} leads to {at:?}");
            }
            let containers = &schema.pointer(&at).unwrap()["properties"]["containers"];
            assert_eq!(containers["x-kubernetes-patch-merge-key"], "name", "{kind}");
        }
    }
}
