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
    definition
}
