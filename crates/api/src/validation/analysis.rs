//! What is wrong with an analysis of a Rollout, wherever it stands.

use super::Problem;
use super::problem::condition_path;
use crate::{AnalysisRunArgument, CanaryStep, RolloutAnalysis, label};

/// An analysis beside the steps. Clients are told of a field that it cannot read when its templates are put together.
pub(super) fn rule(path: &str, analysis: &RolloutAnalysis, problems: &mut Vec<Problem>) {
    for (index, arg) in analysis.args.iter().flatten().enumerate() {
        if let Some(field) = unreadable(arg) {
            let names = analysis.templates.iter().flatten().map(|template| template.template_name.as_str());
            let names = names.collect::<Vec<_>>().join(" ");
            let said = format!(
                "{path}.templates: Invalid value: \"templateNames: [{names}]\": args.{} was not resolved",
                arg.name
            );
            problems.push(not_of_metadata(&format!("{path}.args[{index}]"), field).said_as(said));
        }
    }
    rule_of_step(path, analysis, problems);
}

/// An analysis step; what its arguments read is said by [`fields_of_step`].
pub(super) fn rule_of_step(path: &str, analysis: &RolloutAnalysis, problems: &mut Vec<Problem>) {
    if analysis.templates.as_ref().is_none_or(Vec::is_empty) {
        problems
            .push(Problem::missing(&format!("{path}.templates"), "an analysis needs at least one template"));
    }
    for (index, arg) in analysis.args.iter().flatten().enumerate() {
        let path = format!("{path}.args[{index}]");
        if let Some(from) = &arg.value_from
            && let Some(which) = &from.pod_template_hash_value
            && !matches!(which.as_str(), "Stable" | "Latest")
        {
            problems.push(Problem::invalid(
                format!("{path}.valueFrom.podTemplateHashValue"),
                which,
                "supported values: \"Stable\", \"Latest\"",
            ));
        }
    }
    let metadata = analysis.analysis_run_metadata.as_ref();
    if metadata
        .and_then(|metadata| metadata.labels.as_ref())
        .is_some_and(|labels| labels.contains_key(label::POD_TEMPLATE_HASH))
    {
        problems.push(Problem::invalid(
            format!("{path}.analysisRunMetadata.labels"),
            label::POD_TEMPLATE_HASH,
            "this label is written by the controller; choose another key",
        ));
    }
}

/// Fields of metadata that arguments of an analysis or of an experiment's analyses read.
pub(super) fn fields_of_step(path: &str, step: &CanaryStep, problems: &mut Vec<Problem>) {
    let own = step.analysis.iter().map(|analysis| ("analysis".to_owned(), &analysis.args));
    let trials = step.experiment.iter().flat_map(|experiment| experiment.analyses.iter().flatten());
    let trials =
        trials.enumerate().map(|(at, analysis)| (format!("experiment.analyses[{at}]"), &analysis.args));
    for (field, args) in own.chain(trials) {
        for (index, arg) in args.iter().flatten().enumerate() {
            let Some(wrong) = unreadable(arg) else { continue };
            let problem = not_of_metadata(&format!("{path}.{field}.args[{index}]"), wrong);
            let all = serde_json::to_string(args).unwrap_or_default();
            let at = condition_path(path);
            problems.push(problem.said_as(format!("{at}.analyses: Invalid value: {all}: {DOWNWARD}")));
        }
    }
}

const DOWNWARD: &str = "Analyses arguments must refer to valid object metadata supported by downwardAPI";

fn not_of_metadata(path: &str, field: &str) -> Problem {
    let remedy = "read metadata.name, metadata.namespace, metadata.uid, metadata.labels['key'] or metadata.annotations['key']";
    Problem::invalid(format!("{path}.valueFrom.fieldRef.fieldPath"), field, format!("{DOWNWARD}; {remedy}"))
}

/// The field that an argument reads, when it is one of metadata that the downward API has not. Other paths lead anywhere
/// in the Rollout, and what is not there is told when the run is made.
fn unreadable(arg: &AnalysisRunArgument) -> Option<&str> {
    let path = arg.value_from.as_ref()?.field_ref.as_ref()?.field_path.as_str();
    let known = match path.strip_prefix("metadata")? {
        ".name" | ".namespace" | ".uid" | ".labels" | ".annotations" => true,
        rest => [".labels['", ".annotations['"]
            .iter()
            .find_map(|start| rest.strip_prefix(start)?.strip_suffix("']"))
            .is_some_and(is_label_key),
    };
    (!known).then_some(path)
}

/// A qualified name of Kubernetes: a domain that may be left out, and a name of at most 63 characters.
fn is_label_key(key: &str) -> bool {
    let (domain, name) = key.split_once('/').map_or((None, key), |(domain, name)| (Some(domain), name));
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let named = name.len() <= 63 && edge(name.as_bytes().first()) && edge(name.as_bytes().last());
    named
        && name.bytes().all(inner)
        && domain.is_none_or(|domain| !domain.is_empty() && domain.bytes().all(inner))
}
