//! What is wrong with a reference to another workload.

use super::Problem;
use crate::RolloutSpec;

/// Of `spec.workloadRef`, and of a template beside it.
pub(super) fn reference(spec: &RolloutSpec, problems: &mut Vec<Problem>) {
    let Some(reference) = &spec.workload_ref else { return };
    let (group, kind) = reference.group_and_kind();
    if !matches!((group, kind), ("apps", "Deployment" | "ReplicaSet") | (_, "PodTemplate")) {
        problems.push(Problem::invalid(
            "spec.workloadRef",
            reference,
            format!(
                "workload of type {group}/{kind} is not supported; name a Deployment or ReplicaSet of apps/v1, or a \
                 PodTemplate of v1"
            ),
        ));
    }
    if reference.name.as_deref().unwrap_or_default().is_empty() {
        problems
            .push(Problem::missing("spec.workloadRef.name", "name the workload that has the pod template"));
    }
    if reference.scale_down().is_none() {
        problems.push(Problem::invalid(
            "spec.workloadRef.scaleDown",
            &reference.scale_down,
            "supported values: \"never\", \"onsuccess\", \"progressively\"",
        ));
    }
    // Clients in Go write an empty template; one with labels was meant.
    let metadata = spec.template.as_ref().and_then(|template| template.value().get("metadata"));
    let has = |part: &str| {
        let entries = metadata.and_then(|metadata| metadata.get(part)).and_then(serde_json::Value::as_object);
        entries.is_some_and(|entries| !entries.is_empty())
    };
    if has("labels") || has("annotations") {
        problems.push(Problem::invalid(
            "spec.template.metadata",
            metadata,
            "template must be empty for workload reference rollout; remove spec.template or spec.workloadRef",
        ));
    }
}
