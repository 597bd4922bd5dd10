//! Translates an experiment step into the Experiment that it makes.

use serde_json::{Value, json};
use serin_api::{Argument, ExperimentStep, ExperimentStepTemplate, label};

use crate::analysis_spec;
use crate::facts::Facts;
use crate::memory::Memory;
use crate::replica_set::{owner_reference, set_path};
use crate::revision;
use crate::world::ReplicaSet;

/// The Experiment of a step.
///
/// # Errors
/// What is missing, as something to wait for.
pub(super) fn of(facts: &Facts, memory: &Memory, step: &ExperimentStep, name: &str) -> Result<Value, String> {
    let templates = step.templates.iter().flatten().map(|asked| template(facts, asked));
    let templates: Vec<_> = templates.collect::<Result<_, _>>()?;
    let analyses = analyses(facts, memory, step)?;
    let mut labels = facts.rollout.metadata.labels.clone().unwrap_or_default();
    labels.insert(label::POD_TEMPLATE_HASH.to_owned(), facts.current_hash.clone());
    let mut spec = json!({"templates": templates});
    let optional = [
        ("duration", json!(step.duration)),
        ("progressDeadlineSeconds", json!(facts.rollout.spec.progress_deadline_seconds)),
        ("scaleDownDelaySeconds", json!(step.scale_down_delay_seconds)),
        ("dryRun", json!(step.dry_run)),
        ("analysisRunMetadata", json!(step.analysis_run_metadata)),
        ("analyses", if analyses.is_empty() { Value::Null } else { json!(analyses) }),
    ];
    for (field, value) in optional.into_iter().filter(|(_, value)| !value.is_null()) {
        set_path(&mut spec, &[field], value);
    }
    Ok(json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Experiment",
        "metadata": {
            "name": name,
            "namespace": facts.namespace(),
            "labels": labels,
            "annotations": {label::REVISION: revision::number(facts).to_string()},
            "ownerReferences": [owner_reference(facts)],
        },
        "spec": spec,
    }))
}

/// The revision that a template refers to, once it has a ReplicaSet.
fn revision_of<'w>(facts: &Facts<'w>, spec_ref: &str) -> Result<&'w ReplicaSet, String> {
    let found = if spec_ref == "canary" { facts.new } else { facts.stable };
    found.ok_or_else(|| format!("the ReplicaSet of the {spec_ref} revision"))
}

fn template(facts: &Facts, asked: &ExperimentStepTemplate) -> Result<Value, String> {
    let set = revision_of(facts, &asked.spec_ref)?;
    let mut pods = set.template.clone();
    let own = asked.selector.is_some();
    let mut selector = match &asked.selector {
        Some(selector) => json!(selector),
        None => json!(facts.rollout.spec.selector),
    };
    if !own {
        set_path(&mut selector, &["matchLabels", label::POD_TEMPLATE_HASH], json!(set.hash));
    }
    let metadata = asked.metadata.clone().unwrap_or_default();
    for (key, value) in metadata.labels.into_iter().flatten() {
        set_path(&mut pods, &["metadata", "labels", &key], json!(value));
        set_path(&mut selector, &["matchLabels", &key], json!(value));
    }
    for (key, value) in metadata.annotations.into_iter().flatten() {
        set_path(&mut pods, &["metadata", "annotations", &key], json!(value));
    }
    let mut made = json!({
        "name": asked.name,
        "selector": selector,
        "template": pods,
        "minReadySeconds": set.min_ready_seconds,
    });
    if let Some(replicas) = asked.replicas {
        set_path(&mut made, &["replicas"], json!(replicas));
    }
    if asked.weight.is_some() || asked.service.is_some() {
        set_path(&mut made, &["service"], json!(asked.service.clone().unwrap_or_default()));
    }
    Ok(made)
}

fn analyses(facts: &Facts, memory: &Memory, step: &ExperimentStep) -> Result<Vec<Value>, String> {
    let made = step.analyses.iter().flatten().map(|analysis| {
        let args =
            analysis.args.iter().flatten().map(|arg| {
                analysis_spec::argument(arg, facts.rollout, (&facts.current_hash, memory.stable()))
            });
        let args: Vec<Argument> = args.collect::<Result<_, _>>()?;
        let mut made = json!({"name": analysis.name, "templateName": analysis.template_name});
        let optional = [
            ("clusterScope", json!(analysis.cluster_scope), analysis.cluster_scope),
            ("requiredForCompletion", json!(true), analysis.required_for_completion),
            ("args", json!(args), !args.is_empty()),
        ];
        for (field, value, _) in optional.into_iter().filter(|(_, _, set)| *set) {
            set_path(&mut made, &[field], value);
        }
        Ok(made)
    });
    made.collect()
}
