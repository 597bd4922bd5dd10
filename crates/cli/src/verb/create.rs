//! `create`: makes objects of the API from files, and AnalysisRuns from templates (compat 5.1).

use std::path::Path;

use kube::Api;
use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};
use serin_api::{Argument, Arms, TemplateReference, label};

use crate::cluster::{Cluster, MANAGER};
use crate::failure::Failure;
use crate::flags::{CreateArguments, CreateRunArguments, CreateVerb};
use crate::{lint, print, templates};

/// Kinds that can be created, with their plurals.
const KINDS: [(&str, &str); 5] = [
    ("Rollout", "rollouts"),
    ("Experiment", "experiments"),
    ("AnalysisTemplate", "analysistemplates"),
    ("ClusterAnalysisTemplate", "clusteranalysistemplates"),
    ("AnalysisRun", "analysisruns"),
];

/// Performs the verb.
///
/// # Errors
/// A file that cannot be read, and what the API server refuses, by object.
pub(crate) async fn run(cluster: &Cluster, arguments: &CreateArguments) -> Result<(), Failure> {
    match &arguments.verb {
        Some(CreateVerb::Analysisrun(arguments)) => analysis_run(cluster, arguments).await,
        None if arguments.files.is_empty() => {
            Err(Failure::new("nothing to create: give -f FILE, or `create analysisrun --from TEMPLATE`"))
        }
        None => {
            for file in &arguments.files {
                from_file(cluster, file).await?;
            }
            Ok(())
        }
    }
}

async fn from_file(cluster: &Cluster, file: &Path) -> Result<(), Failure> {
    let name = file.display();
    let documents = crate::verb::lint::read(file).and_then(|text| {
        lint::documents(&text).map_err(|why| Failure::new(format!("cannot read {name}: {why}")))
    })?;
    if documents.is_empty() {
        return Err(Failure::new(format!("cannot create anything from {name}: it has no objects")));
    }
    for document in documents {
        create(cluster, document.object).await?;
    }
    Ok(())
}

async fn create(cluster: &Cluster, object: Value) -> Result<(), Failure> {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    let Some((_, plural)) = KINDS.into_iter().find(|(known, _)| *known == kind) else {
        let kinds: Vec<_> = KINDS.iter().map(|(kind, _)| *kind).collect();
        return Err(Failure::new(format!(
            "cannot create a {kind}: only {}; `kubectl create` creates others",
            kinds.join(", ")
        )));
    };
    let object: DynamicObject = serde_json::from_value(object)
        .map_err(|why| Failure::new(format!("cannot create a {kind}: {why}")))?;
    let resource =
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", &kind), plural);
    let namespace = object.metadata.namespace.clone().unwrap_or_else(|| cluster.namespace().to_owned());
    let api: Api<DynamicObject> = if kind == "ClusterAnalysisTemplate" {
        Api::all_with(cluster.client(), &resource)
    } else {
        Api::namespaced_with(cluster.client(), &namespace, &resource)
    };
    let named = object.metadata.name.clone().or(object.metadata.generate_name.clone()).unwrap_or_default();
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    let made = api.create(&params, &object).await.map_err(|error| {
        cluster.failure("create", &format!("{kind} \"{named}\" in namespace \"{namespace}\""), &error)
    })?;
    print::line(&format!(
        "{}.argoproj.io/{} created",
        kind.to_lowercase(),
        made.metadata.name.unwrap_or_default()
    ))
}

async fn analysis_run(cluster: &Cluster, arguments: &CreateRunArguments) -> Result<(), Failure> {
    let (template, named, found) = match (&arguments.from, &arguments.from_file) {
        (Some(name), _) => {
            let named = [TemplateReference { template_name: name.clone(), cluster_scope: arguments.global }];
            let found = templates::read(cluster, &named).await?;
            (name.clone(), named, found)
        }
        (None, Some(file)) => from_template_file(cluster, file).await?,
        (None, None) => {
            return Err(Failure::new("what is measured? Give --from TEMPLATE or --from-file FILE"));
        }
    };
    let args: Vec<_> = arguments
        .args
        .iter()
        .map(|(name, value)| Argument { name: name.clone(), value: Some(value.clone()), value_from: None })
        .collect();
    let mut spec = templates::spec(&named, &found, &args).map_err(|why| {
        Failure::new(format!("cannot create an AnalysisRun: {why}; -a NAME=VALUE gives an argument"))
    })?;
    if let (Some(canary), Some(stable)) = (&arguments.canary, &arguments.stable) {
        spec.arms = Some(Arms { canary: canary.clone(), stable: stable.clone(), ..Arms::default() });
    }
    create(cluster, run_object(&template, arguments, &json!(spec))).await
}

fn run_object(template: &str, arguments: &CreateRunArguments, spec: &Value) -> Value {
    let mut metadata = match (&arguments.name, &arguments.generate_name) {
        (Some(name), _) => json!({"name": name}),
        (None, Some(start)) => json!({"generateName": start}),
        (None, None) => json!({"generateName": format!("{template}-")}),
    };
    if let Some(instance) = &arguments.instance_id {
        metadata["labels"] = json!({label::INSTANCE_ID: instance});
    }
    json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun", "metadata": metadata, "spec": spec})
}

/// The template of a file; those that it names are read from the cluster.
async fn from_template_file(
    cluster: &Cluster,
    file: &Path,
) -> Result<(String, [TemplateReference; 1], templates::Templates), Failure> {
    let name = file.display();
    let wrong = |why: String| Failure::new(format!("cannot read a template from {name}: {why}"));
    let text = crate::verb::lint::read(file)?;
    let mut documents = lint::documents(&text).map_err(wrong)?.into_iter();
    let (Some(document), None) = (documents.next(), documents.next()) else {
        return Err(wrong("it must have exactly one object".to_owned()));
    };
    let kind = document.object.get("kind").and_then(Value::as_str).unwrap_or_default();
    if !matches!(kind, "AnalysisTemplate" | "ClusterAnalysisTemplate") {
        return Err(wrong(format!("it has a {kind}, not an AnalysisTemplate or a ClusterAnalysisTemplate")));
    }
    let template = document.object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("analysis");
    let spec: serin_api::AnalysisTemplateSpec =
        serde_json::from_value(document.object.get("spec").cloned().unwrap_or_default())
            .map_err(|why| wrong(why.to_string()))?;
    let nested: Vec<_> = spec.templates.iter().flatten().cloned().collect();
    let mut found = templates::read(cluster, &nested).await?;
    let reference = TemplateReference {
        template_name: template.to_owned(),
        cluster_scope: kind == "ClusterAnalysisTemplate",
    };
    found.insert(reference.clone(), spec);
    Ok((template.to_owned(), [reference], found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_as_asked_or_after_its_template() {
        let named = |name: Option<&str>, generate: Option<&str>, instance: Option<&str>| {
            let arguments = CreateRunArguments {
                name: name.map(str::to_owned),
                generate_name: generate.map(str::to_owned),
                instance_id: instance.map(str::to_owned),
                ..CreateRunArguments::default()
            };
            run_object("errors", &arguments, &json!({}))["metadata"].clone()
        };
        assert_eq!(named(None, None, None), json!({"generateName": "errors-"}));
        assert_eq!(named(None, Some("by-hand-"), None), json!({"generateName": "by-hand-"}));
        assert_eq!(named(Some("one"), Some("x-"), None), json!({"name": "one"}));
        assert_eq!(
            named(Some("one"), None, Some("blue")),
            json!({"name": "one", "labels": {"argo-rollouts.argoproj.io/controller-instance-id": "blue"}})
        );
    }
}
