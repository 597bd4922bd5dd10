//! Says what is wrong between objects and the analysis templates that stand in the same files.

use std::collections::BTreeMap;

use serde_json::Value;
use serin_analysis::validate;
use serin_api::{
    AnalysisRunSpec, AnalysisTemplateSpec, Argument, BlueGreenStrategy, Metric, Rollout, RolloutAnalysis,
    TemplateReference, go_duration,
};
use serin_core::analysis_spec::{argument, for_rollout, templates_named};
use serin_core::of_analyses;
use serin_core::seen::Seen;
use serin_core::world::Template;

use super::{Finding, metric};
use crate::forecast::stays;

/// Stands for a pod template hash that only the controller knows.
const HASH: &str = "hash";

/// The templates of some files, by reference and namespace.
pub struct Templates(BTreeMap<(TemplateReference, String), AnalysisTemplateSpec>);

impl Templates {
    /// Those that can be read; what is wrong with the others is said elsewhere.
    pub fn of<'o>(objects: impl IntoIterator<Item = &'o Value>) -> Self {
        let one = |object: &Value| {
            let kind = object.get("kind")?.as_str()?;
            let cluster_scope = kind == "ClusterAnalysisTemplate";
            if !cluster_scope && kind != "AnalysisTemplate" {
                return None;
            }
            let template_name = object.pointer("/metadata/name")?.as_str()?.to_owned();
            let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
            let spec = serde_json::from_value(object.get("spec")?.clone()).ok()?;
            let namespace = if cluster_scope { "" } else { namespace };
            Some(((TemplateReference { template_name, cluster_scope }, namespace.to_owned()), spec))
        };
        Self(objects.into_iter().filter_map(one).collect())
    }

    fn get(&self, reference: &TemplateReference, namespace: &str) -> Option<&AnalysisTemplateSpec> {
        let namespace = if reference.cluster_scope { "" } else { namespace };
        self.0.get(&(reference.clone(), namespace.to_owned()))
    }
}

/// What is wrong with the analyses of a Rollout, and which templates of other objects are missing, as far as the files have
/// them.
pub fn check(object: &Value, templates: &Templates) -> Vec<Finding> {
    let Some(rollout) = rollout(object) else { return absent(object, templates) };
    let mut findings: Vec<_> =
        of_analyses(&rollout, &known(&rollout, templates)).into_iter().map(Finding::problem).collect();
    findings.extend(trials(&rollout, templates));
    for Place { path, weight, analysis } in places(&rollout) {
        let Some(run) = run_of(&rollout, analysis, templates, &path, &mut findings) else { continue };
        findings.extend(too_much(&run, &path));
        findings.extend(match weight {
            None => too_short(&rollout, &run, &path),
            Some(weight) => compares_nothing(&run, weight, &path),
        });
    }
    findings
}

/// The templates that a Rollout names, as the plan would know them; those that are not in the files cannot be read.
fn known(rollout: &Rollout, templates: &Templates) -> Vec<Template> {
    let namespace = rollout.metadata.namespace.as_deref().unwrap_or_default();
    let named = templates_named(rollout, |reference| templates.get(reference, namespace));
    let known = named.into_iter().map(|reference| {
        let spec = match templates.get(&reference, namespace) {
            Some(spec) => Seen::Fresh(spec.clone()),
            None => Seen::Failed("it is not in these files".to_owned()),
        };
        Template { name: reference.template_name, cluster_scope: reference.cluster_scope, spec }
    });
    known.collect()
}

/// Templates of experiment steps that are not in the files.
fn trials(rollout: &Rollout, templates: &Templates) -> Vec<Finding> {
    let namespace = rollout.metadata.namespace.as_deref().unwrap_or_default();
    let mut findings = Vec::new();
    for (index, step) in serin_view::step::steps(rollout).iter().enumerate() {
        let analyses = step.experiment.iter().flat_map(|experiment| experiment.analyses.iter().flatten());
        for (number, analysis) in analyses.enumerate() {
            let (template_name, cluster_scope) = (analysis.template_name.clone(), analysis.cluster_scope);
            let reference = TemplateReference { template_name, cluster_scope };
            if templates.get(&reference, namespace).is_none() {
                let path =
                    format!("spec.strategy.canary.steps[{index}].experiment.analyses[{number}].templateName");
                findings.push(not_here(&path, &reference));
            }
        }
    }
    findings
}

/// Templates that an Experiment or another template names, and that the files do not have.
fn absent(object: &Value, templates: &Templates) -> Vec<Finding> {
    let list = match object.get("kind").and_then(Value::as_str) {
        Some("AnalysisTemplate" | "ClusterAnalysisTemplate") => "templates",
        Some("Experiment") => "analyses",
        _ => return Vec::new(),
    };
    let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
    let named = object.pointer(&format!("/spec/{list}")).and_then(Value::as_array).into_iter().flatten();
    let read = |one: &Value| serde_json::from_value::<TemplateReference>(one.clone()).ok();
    let missing = named.enumerate().filter_map(|(index, one)| {
        let reference = read(one).filter(|reference| templates.get(reference, namespace).is_none())?;
        Some(not_here(&format!("spec.{list}[{index}]"), &reference))
    });
    missing.collect()
}

fn not_here(path: &str, TemplateReference { template_name, cluster_scope }: &TemplateReference) -> Finding {
    let kind = if *cluster_scope { "ClusterAnalysisTemplate" } else { "AnalysisTemplate" };
    Finding::warning(format!(
        "{path}: {kind} '{template_name}' is not in these files, so that the analysis was not checked"
    ))
}

/// The runs that the controller would make of a Rollout, each with its place; what cannot be made is left out.
pub(super) fn runs(object: &Value, templates: &Templates) -> Vec<(String, AnalysisRunSpec)> {
    let Some(rollout) = rollout(object) else { return Vec::new() };
    let one = |Place { path, analysis, .. }: Place| {
        Some((path.clone(), run_of(&rollout, analysis, templates, &path, &mut Vec::new())?))
    };
    places(&rollout).into_iter().filter_map(one).collect()
}

fn rollout(object: &Value) -> Option<Rollout> {
    let is_rollout = object.get("kind").and_then(Value::as_str) == Some("Rollout");
    serde_json::from_value(object.clone()).ok().filter(|_| is_rollout)
}

/// An analysis of a Rollout.
struct Place<'r> {
    path: String,
    /// Weight of its step; `None` beside the steps.
    weight: Option<i32>,
    analysis: &'r RolloutAnalysis,
}

fn places(rollout: &Rollout) -> Vec<Place<'_>> {
    let Some(strategy) = &rollout.spec.strategy else { return Vec::new() };
    let Some(canary) = &strategy.canary else {
        return strategy.blue_green.iter().flat_map(of_blue_green).collect();
    };
    let beside =
        |analysis| Place { path: "spec.strategy.canary.analysis".to_owned(), weight: None, analysis };
    let mut places: Vec<_> = canary.analysis.iter().map(|background| beside(&background.analysis)).collect();
    let mut weight = 0;
    for (index, step) in canary.steps.iter().flatten().enumerate() {
        weight = step.set_weight.unwrap_or(weight);
        if let Some(analysis) = &step.analysis {
            let path = format!("spec.strategy.canary.steps[{index}].analysis");
            places.push(Place { path, weight: Some(weight), analysis });
        }
    }
    places
}

fn of_blue_green(strategy: &BlueGreenStrategy) -> Vec<Place<'_>> {
    let places = [
        ("prePromotionAnalysis", &strategy.pre_promotion_analysis),
        ("postPromotionAnalysis", &strategy.post_promotion_analysis),
    ];
    let place = |(name, analysis)| {
        let path = format!("spec.strategy.blueGreen.{name}");
        Option::as_ref(analysis).map(|analysis| Place { path, weight: None, analysis })
    };
    places.into_iter().filter_map(place).collect()
}

/// The run that the controller would make; a template that the files do not have becomes a finding.
fn run_of(
    rollout: &Rollout,
    analysis: &RolloutAnalysis,
    templates: &Templates,
    path: &str,
    findings: &mut Vec<Finding>,
) -> Option<AnalysisRunSpec> {
    let namespace = rollout.metadata.namespace.as_deref().unwrap_or_default();
    let missing = first_missing(analysis, templates, namespace);
    if let Some(reference) = missing {
        findings.push(not_here(path, &reference));
        return None;
    }
    let args: Vec<Argument> =
        analysis.args.iter().flatten().filter_map(|arg| argument(arg, rollout, (HASH, HASH)).ok()).collect();
    let made = for_rollout(analysis, &args, |reference| {
        templates.get(reference, namespace).cloned().ok_or_else(|| "does not exist".to_owned())
    });
    // What keeps it from being made is told by the rules of the plan.
    let run = made.ok()?;
    findings.extend(broken_by_values(&run, path));
    Some(run)
}

/// Queries that can be read, but not with the values which this Rollout gives; the others are said with their template.
fn broken_by_values(run: &AnalysisRunSpec, path: &str) -> Vec<Finding> {
    let given = run.args.as_deref().unwrap_or_default();
    let one = |metric: &Metric| {
        let found = metric::query(metric, given).filter(|_| metric::query(metric, &[]).is_none())?;
        Some(Finding { message: format!("{path}: metric {}: {}", metric.name, found.message), ..found })
    };
    run.metrics.iter().flatten().filter_map(one).collect()
}

fn first_missing(
    analysis: &RolloutAnalysis,
    templates: &Templates,
    namespace: &str,
) -> Option<TemplateReference> {
    let mut waiting: Vec<_> = analysis.templates.iter().flatten().cloned().collect();
    let mut seen = Vec::new();
    while let Some(reference) = waiting.pop() {
        if seen.contains(&reference) {
            continue;
        }
        let Some(spec) = templates.get(&reference, namespace) else { return Some(reference) };
        waiting.extend(spec.templates.iter().flatten().cloned());
        seen.push(reference);
    }
    None
}

/// Templates that fit by themselves, but not together in one run.
fn too_much(run: &AnalysisRunSpec, path: &str) -> Option<Finding> {
    let why = validate::fits(run.metrics.as_deref().unwrap_or_default()).err()?;
    Some(Finding::problem(format!("{path}: {why}")))
}

fn compared(run: &AnalysisRunSpec) -> impl Iterator<Item = &Metric> {
    run.metrics.iter().flatten().filter(|metric| metric.comparison.is_some())
}

/// A step at a weight that leaves one of the two without requests.
fn compares_nothing(run: &AnalysisRunSpec, weight: i32, path: &str) -> Vec<Finding> {
    let idle = match weight {
        0 => "the canary",
        100 => "stable",
        _ => return Vec::new(),
    };
    let line = |metric: &Metric| {
        Finding::warning(format!(
            "{path}: {} can never be judged: {idle} gets no traffic at weight {weight}; put the step behind a setWeight between 1 and 99",
            metric.name
        ))
    };
    compared(run).map(line).collect()
}

/// Steps that are over before a comparison beside them has seen enough windows to fail.
fn too_short(rollout: &Rollout, run: &AnalysisRunSpec, path: &str) -> Vec<Finding> {
    let steps = serin_view::step::steps(rollout);
    let stays = stays(steps);
    let has_analysis = steps.iter().any(|step| step.analysis.is_some());
    if stays.is_empty() || has_analysis || stays.iter().any(|stay| stay.open) {
        return Vec::new();
    }
    let lasts: f64 = stays.iter().map(|stay| stay.seconds).sum();
    let line = |metric: &Metric| {
        let interval = metric.interval.as_deref().and_then(go_duration)?.as_secs_f64();
        let windows = metric.comparison.as_ref()?.consecutive_windows.unwrap_or(3);
        let needed = interval * f64::from(windows);
        (lasts < needed).then(|| {
            Finding::warning(format!(
                "{path}: {} can never fail: the pauses between weight 1 and 99 last {lasts} s, and {windows} windows of {} need {needed} s; pause longer, or measure more often",
                metric.name,
                metric.interval.as_deref().unwrap_or_default()
            ))
        })
    };
    compared(run).filter_map(line).collect()
}
