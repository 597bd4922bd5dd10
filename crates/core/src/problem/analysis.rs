//! Says what is wrong with the analyses of a Rollout before they run: templates that are not there, arguments without a
//! value, metrics that never end a step.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serin_api::{
    AnalysisTemplateSpec, Argument, CanaryStep, Metric, Rollout, RolloutAnalysis, TemplateReference,
};

use super::{APPEARS, Problem};
use crate::analysis_spec::{self, analyses};
use crate::seen::Seen;
use crate::world::Template;

/// What is wrong with the analyses of a Rollout whose `templates` are known, for people and with the remedy: as the plan
/// would tell it. A template that could not be read is not judged.
pub fn of_analyses(rollout: &Rollout, templates: &[Template]) -> Vec<String> {
    let known = Known { rollout, templates, hash: "" };
    problems(&known).iter().map(ToString::to_string).collect()
}

/// What is known of a Rollout and of the templates that it names.
#[derive(Clone, Copy)]
pub(super) struct Known<'w> {
    pub(super) rollout: &'w Rollout,
    pub(super) templates: &'w [Template],
    /// Hash of the current revision.
    pub(super) hash: &'w str,
}

/// Of every analysis of the Rollout, and of its experiment steps.
pub(super) fn problems(known: &Known) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, analysis) in analyses(known.rollout) {
        let endless =
            ["canary.analysis", "canary.postPromotionAnalysis"].map(|field| format!("spec.strategy.{field}"));
        let endless = endless.contains(&path);
        problems.extend(of_analysis(known, &format!("{path}.templates"), analysis, endless));
    }
    for (index, step) in steps(known.rollout).enumerate() {
        let analyses = step.experiment.iter().flat_map(|experiment| experiment.analyses.iter().flatten());
        for (number, analysis) in analyses.enumerate() {
            let path = format!("spec.strategy.canary.steps[{index}].experiment.analyses[{number}]");
            let reference = TemplateReference {
                template_name: analysis.template_name.clone(),
                cluster_scope: analysis.cluster_scope,
            };
            problems.extend(not_found(known, &format!("{path}.templateName"), &reference));
        }
    }
    problems
}

/// `endless`: it may measure until the rollout, or the watch after it, is done.
fn of_analysis(known: &Known, path: &str, analysis: &RolloutAnalysis, endless: bool) -> Vec<Problem> {
    let named: Vec<_> = analysis.templates.iter().flatten().collect();
    let missing: Vec<_> = named.iter().filter_map(|reference| not_found(known, path, reference)).collect();
    if !missing.is_empty() {
        return missing;
    }
    let all = with_nested(known, &named);
    let missing: Vec<_> =
        all.iter().filter_map(|reference| not_found(known, "spec.templates", reference)).collect();
    if !missing.is_empty() {
        return missing;
    }
    let mut problems: Vec<_> = not_put_together(known, path, analysis).into_iter().collect();
    let ends = all.iter().filter(|_| !endless);
    problems.extend(ends.filter_map(|reference| runs_for_ever(known, path, reference)));
    problems
}

/// Templates and those that they name in turn, each once, in the order in which their metrics come.
fn with_nested(known: &Known, named: &[&TemplateReference]) -> Vec<TemplateReference> {
    let mut all: Vec<TemplateReference> = Vec::new();
    let mut waiting: Vec<TemplateReference> = named.iter().rev().map(|named| (*named).clone()).collect();
    while let Some(reference) = waiting.pop() {
        if !all.contains(&reference) {
            let nested = spec(known, &reference).and_then(|spec| spec.templates.as_ref());
            waiting.extend(nested.into_iter().flatten().rev().cloned());
            all.push(reference);
        }
    }
    all
}

fn steps(rollout: &Rollout) -> impl Iterator<Item = &CanaryStep> {
    let canary = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
    canary.into_iter().flat_map(|canary| canary.steps.iter().flatten())
}

fn spec<'w>(known: &Known<'w>, reference: &TemplateReference) -> Option<&'w AnalysisTemplateSpec> {
    let named = |template: &&Template| {
        template.name == reference.template_name && template.cluster_scope == reference.cluster_scope
    };
    known.templates.iter().find(named)?.spec.last_known()
}

fn kind(reference: &TemplateReference) -> &'static str {
    if reference.cluster_scope { "ClusterAnalysisTemplate" } else { "AnalysisTemplate" }
}

fn not_found(known: &Known, path: &str, reference: &TemplateReference) -> Option<Problem> {
    let name = &reference.template_name;
    let mut templates = known.templates.iter();
    let found = templates
        .find(|template| template.name == *name && template.cluster_scope == reference.cluster_scope);
    if !matches!(found.map(|found| &found.spec), None | Some(Seen::Absent)) {
        return None;
    }
    let message = format!("{} '{name}' not found", kind(reference));
    Some(Problem::of_field(path, name, &message, APPEARS).of_missing())
}

/// A step, and what comes before or after a promotion, waits for the end of its run.
fn runs_for_ever(known: &Known, path: &str, reference: &TemplateReference) -> Option<Problem> {
    let metrics = spec(known, reference)?.metrics.iter().flatten();
    let endless = metrics.into_iter().find(|metric| is_endless(metric))?;
    let count = match &endless.count {
        Some(IntOrString::Int(count)) => count.to_string(),
        Some(IntOrString::String(count)) => count.clone(),
        None => "<nil>".to_owned(),
    };
    let name = &reference.template_name;
    let message = format!(
        "{} {name} has metric {} which runs indefinitely. Invalid value for count: {count}",
        kind(reference),
        endless.name
    );
    Some(Problem::of_field(path, name, &message, "give the metric a count"))
}

/// A comparison ends by itself, on its evidence.
fn is_endless(metric: &Metric) -> bool {
    let uncounted = match &metric.count {
        None | Some(IntOrString::Int(0)) => true,
        Some(IntOrString::Int(_)) => false,
        // An argument may give it.
        Some(IntOrString::String(count)) => !count.contains("{{") && count.parse().unwrap_or(0_i64) == 0,
    };
    uncounted && metric.interval.is_some() && metric.comparison.is_none()
}

/// The templates do not fit together, or an argument has no value. Values that only the run will know are taken as given.
fn not_put_together(known: &Known, path: &str, analysis: &RolloutAnalysis) -> Option<Problem> {
    let args = analysis.args.iter().flatten().map(|arg| {
        let value = analysis_spec::argument(arg, known.rollout, (known.hash, ""));
        let unknown = Argument { name: arg.name.clone(), value: Some(String::new()), value_from: None };
        value.unwrap_or(unknown)
    });
    let args: Vec<_> = args.collect();
    let named: Vec<_> =
        analysis.templates.iter().flatten().map(|named| named.template_name.as_str()).collect();
    let put_together = analysis_spec::for_rollout(analysis, &args, |reference| {
        spec(known, reference).cloned().ok_or_else(|| "cannot be read".to_owned())
    });
    let unread = analysis.templates.iter().flatten().any(|reference| spec(known, reference).is_none());
    let error = put_together.err().filter(|_| !unread)?;
    let (message, remedy) = error.split_once("; ").unwrap_or((&error, "mend the templates"));
    Some(Problem::of_field(path, &format!("templateNames: [{}]", named.join(" ")), message, remedy))
}
