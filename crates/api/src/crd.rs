//! The CustomResourceDefinitions, made from the types.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Value, json};

use crate::{AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate, Experiment, Rollout};

/// The five definitions, each as the JSON to be applied.
///
/// AnalysisRun and Experiment have no status subresource: their clients write the status of the main resource.
pub fn all() -> Vec<Value> {
    vec![
        definition(Rollout::crd(), true),
        definition(AnalysisTemplate::crd(), true),
        definition(ClusterAnalysisTemplate::crd(), true),
        definition(AnalysisRun::crd(), false),
        definition(Experiment::crd(), false),
    ]
}

fn definition(crd: CustomResourceDefinition, status_subresource: bool) -> Value {
    let mut definition = serde_json::to_value(crd).unwrap_or_default();
    if !status_subresource && let Some(subresources) = definition.pointer_mut("/spec/versions/0/subresources")
    {
        *subresources = json!({});
    }
    if let Some(schema) = definition.pointer_mut("/spec/versions/0/schema/openAPIV3Schema") {
        without_defaults(schema);
    }
    definition
}

/// Takes the defaults that serde knows out of a schema: the API server would write them into users' objects, where GitOps
/// tools would find a difference to what is in Git.
fn without_defaults(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    schema.remove("default");
    for (key, value) in schema {
        match key.as_str() {
            "properties" => {
                value.as_object_mut().into_iter().flatten().for_each(|(_, field)| without_defaults(field))
            }
            "items" | "additionalProperties" => without_defaults(value),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_definition_makes_the_api_server_write_defaults() {
        for definition in all() {
            let text = definition.to_string();
            assert!(!text.contains("\"default\":"), "{}", definition["metadata"]["name"]);
        }
    }

    /// Fields that are required, by the name of the field that holds them.
    fn required<'s>(name: &'s str, schema: &'s Value, found: &mut Vec<(&'s str, &'s str)>) {
        let Some(schema) = schema.as_object() else { return };
        for (key, value) in schema {
            match key.as_str() {
                "required" => found
                    .extend(value.as_array().unwrap().iter().map(|field| (name, field.as_str().unwrap()))),
                "properties" => {
                    value.as_object().unwrap().iter().for_each(|(name, field)| required(name, field, found))
                }
                "items" | "additionalProperties" => required(name, value, found),
                _ => {}
            }
        }
    }

    #[test]
    fn nothing_is_required_but_what_every_client_has_always_written() {
        for definition in all() {
            let schema = definition.pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap();
            let mut found = Vec::new();
            required("", schema, &mut found);
            found.retain(|(holder, field)| {
                !(matches!(*holder, "conditions" | "pauseConditions" | "matchExpressions")
                    || (*holder, *field) == ("", "spec"))
            });
            assert_eq!(found, [], "{}", definition["metadata"]["name"]);
        }
    }

    #[test]
    fn only_rollouts_have_a_status_subresource() {
        for definition in all() {
            let kind = definition["spec"]["names"]["kind"].as_str().unwrap();
            let status = definition.pointer("/spec/versions/0/subresources/status").is_some();
            assert_eq!(status, kind == "Rollout", "{kind}");
        }
    }
}
