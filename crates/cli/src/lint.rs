//! Says what is wrong with manifests, without a cluster: by the schemas of the API, by validation, field by field.

mod brake;
mod buckets;
mod compared;
mod manifest;
mod metric;
mod promql;
mod schema;
mod template;
mod together;

use serde::Serialize;
use serde_json::Value;
use serin_api::{
    AnalysisRun, AnalysisTemplate, AnalysisTemplateSpec, Argument, ClusterAnalysisTemplate, Experiment,
    Metric, Problem, Rollout, validate, validate_experiment,
};
use serin_traffic::ApiVersions;

pub use buckets::{Given, of_given, of_stable};
pub use compared::{Compared, latencies};
pub use manifest::{Document, documents};
pub use together::{Templates, check as check_together};

/// The group and version that is checked.
const API: &str = "argoproj.io/v1alpha1";

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// It cannot work.
    Problem,
    /// It is probably not what was meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Path of the field, what is wrong, and the remedy.
    pub message: String,
}

impl Finding {
    fn problem(message: impl Into<String>) -> Self {
        Self { severity: Severity::Problem, message: message.into() }
    }

    fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, message: message.into() }
    }
}

/// What is wrong with one object; `None` for kinds of other APIs.
pub fn check(object: &Value) -> Option<Vec<Finding>> {
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
    let (api, kind) = (text("apiVersion"), text("kind"));
    if api.is_empty() || kind.is_empty() {
        return Some(vec![Finding::problem("apiVersion and kind must be given")]);
    }
    if (api, kind) == ("v1", "ConfigMap") {
        return brake::check(object);
    }
    if !api.starts_with("argoproj.io/") {
        return None;
    }
    let schema = schema::of_kind(kind)?;
    if api != API {
        return Some(vec![Finding::problem(format!("apiVersion: Invalid value: \"{api}\": write {API}"))]);
    }
    let mut findings = Vec::new();
    if object.pointer("/metadata/name").or(object.pointer("/metadata/generateName")).is_none() {
        findings.push(Finding::problem("metadata.name: Required value: give the object a name"));
    }
    schema::walk(&schema, object, "", &mut findings);
    if findings.iter().all(|finding| finding.severity == Severity::Warning) {
        findings.extend(content(kind, object));
    }
    Some(findings)
}

/// What schemas cannot say.
fn content(kind: &str, object: &Value) -> Vec<Finding> {
    match kind {
        "Rollout" => decoded(object, rollout),
        "AnalysisTemplate" => decoded(object, |found: AnalysisTemplate| template_metrics(&found.spec)),
        "ClusterAnalysisTemplate" => {
            decoded(object, |found: ClusterAnalysisTemplate| template_metrics(&found.spec.template))
        }
        "AnalysisRun" => decoded(object, |run: AnalysisRun| metrics(run.spec.metrics, run.spec.args)),
        _ => decoded(object, experiment),
    }
}

fn template_metrics(spec: &AnalysisTemplateSpec) -> Vec<Finding> {
    metrics(spec.metrics.clone(), spec.args.clone())
}

fn metrics(metrics: Option<Vec<Metric>>, arguments: Option<Vec<Argument>>) -> Vec<Finding> {
    metric::check(&metrics.unwrap_or_default(), &arguments.unwrap_or_default())
}

fn decoded<K: serde::de::DeserializeOwned>(
    object: &Value,
    check: impl Fn(K) -> Vec<Finding>,
) -> Vec<Finding> {
    match serde_json::from_value::<K>(object.clone()) {
        Ok(found) => check(found),
        Err(why) => vec![Finding::problem(why.to_string())],
    }
}

fn told(problems: &[Problem]) -> Vec<Finding> {
    problems.iter().map(|problem| Finding::problem(problem.to_string())).collect()
}

/// By the rules of the controller, and, when it can be read so far, by those of the routers that it names.
fn rollout(rollout: Rollout) -> Vec<Finding> {
    let mut findings = told(&validate(&rollout));
    if findings.is_empty()
        && let Err(problems) = serin_traffic::routers(&rollout, &ApiVersions::default())
    {
        findings = told(&problems);
    }
    if let Some(template) = &rollout.spec.template {
        findings.extend(template::check(template.value(), "spec.template"));
    }
    findings
}

fn experiment(experiment: Experiment) -> Vec<Finding> {
    let mut findings = told(&validate_experiment(&experiment));
    for (index, template) in experiment.spec.templates.iter().flatten().enumerate() {
        if let Some(pods) = &template.template {
            findings.extend(template::check(pods.value(), &format!("spec.templates[{index}].template")));
        }
    }
    findings
}

#[cfg(test)]
mod room_tests;
#[cfg(test)]
mod row_tests;
#[cfg(test)]
mod tests;
