//! Decides what an AnalysisRun measures: the templates that a Rollout names, put together, with their arguments filled in.

use std::collections::BTreeSet;

use serin_api::{
    AnalysisRunArgument, AnalysisRunSpec, AnalysisTemplateSpec, Argument, Experiment, Rollout,
    RolloutAnalysis, TemplateReference,
};

use crate::field_path;

/// Templates that a Rollout names, and those which they name, each once. `found` gives the spec
/// of a template that is known. The shell observes exactly these.
pub fn templates_named<'t>(
    rollout: &Rollout,
    found: impl Fn(&TemplateReference) -> Option<&'t AnalysisTemplateSpec>,
) -> Vec<TemplateReference> {
    let analyses = analyses(rollout).into_iter();
    let mut waiting: Vec<TemplateReference> =
        analyses.flat_map(|(_, analysis)| analysis.templates.iter().flatten().cloned()).collect();
    waiting.extend(templates_of_experiment_steps(rollout));
    let mut named = BTreeSet::new();
    while let Some(reference) = waiting.pop() {
        if !named.contains(&reference) {
            waiting.extend(found(&reference).and_then(|spec| spec.templates.clone()).into_iter().flatten());
            named.insert(reference);
        }
    }
    named.into_iter().collect()
}

/// Every analysis of a Rollout with the path of its field, in the order in which clients are told what is wrong with them.
pub(crate) fn analyses(rollout: &Rollout) -> Vec<(String, &RolloutAnalysis)> {
    let Some(strategy) = &rollout.spec.strategy else {
        return Vec::new();
    };
    let mut analyses = Vec::new();
    if let Some(canary) = &strategy.canary {
        let steps = canary.steps.iter().flatten().enumerate();
        analyses.extend(steps.filter_map(|(index, step)| {
            Some((format!("spec.strategy.canary.steps[{index}].analysis"), step.analysis.as_ref()?))
        }));
        let background = canary.analysis.iter();
        analyses
            .extend(background.map(|found| ("spec.strategy.canary.analysis".to_owned(), &found.analysis)));
        let watch = canary.post_promotion_analysis.iter();
        analyses.extend(
            watch.map(|found| ("spec.strategy.canary.postPromotionAnalysis".to_owned(), &found.analysis)),
        );
    }
    if let Some(blue_green) = &strategy.blue_green {
        for (field, analysis) in [
            ("prePromotionAnalysis", &blue_green.pre_promotion_analysis),
            ("postPromotionAnalysis", &blue_green.post_promotion_analysis),
        ] {
            let found = analysis.iter();
            analyses.extend(found.map(|found| (format!("spec.strategy.blueGreen.{field}"), found)));
        }
    }
    analyses
}

/// Templates that the experiment steps of a Rollout name themselves.
fn templates_of_experiment_steps(rollout: &Rollout) -> Vec<TemplateReference> {
    let canary = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
    let steps = canary.into_iter().flat_map(|canary| canary.steps.iter().flatten());
    let experiments = steps.filter_map(|step| step.experiment.as_ref());
    let analyses = experiments.flat_map(|experiment| experiment.analyses.iter().flatten());
    let named = analyses.map(|analysis| {
        let (template_name, cluster_scope) = (analysis.template_name.clone(), analysis.cluster_scope);
        TemplateReference { template_name, cluster_scope }
    });
    named.collect()
}

/// Templates that the analyses of an Experiment name themselves, each once.
pub fn templates_of_experiment(experiment: &Experiment) -> Vec<TemplateReference> {
    let named = experiment.spec.analyses.iter().flatten().map(|analysis| {
        let (template_name, cluster_scope) = (analysis.template_name.clone(), analysis.cluster_scope);
        TemplateReference { template_name, cluster_scope }
    });
    named.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The spec of the run for `analysis`, with `args` as resolved by the caller.
///
/// # Errors
/// One sentence that names the template, metric or argument, and the remedy.
pub fn for_rollout(
    analysis: &RolloutAnalysis,
    args: &[Argument],
    lookup: impl Fn(&TemplateReference) -> Result<AnalysisTemplateSpec, String>,
) -> Result<AnalysisRunSpec, String> {
    let templates = flatten(analysis, lookup)?;
    let mut spec = AnalysisRunSpec::default();
    let (mut metrics, mut declared) = (Vec::new(), Vec::<Argument>::new());
    let mut dry_run = analysis.dry_run.clone().unwrap_or_default();
    let mut retention = analysis.measurement_retention.clone().unwrap_or_default();
    for (name, template) in &templates {
        metrics.extend(template.metrics.iter().flatten().cloned());
        dry_run.extend(template.dry_run.iter().flatten().cloned());
        retention.extend(template.measurement_retention.iter().flatten().cloned());
        for argument in template.args.iter().flatten() {
            declare(&mut declared, argument, name)?;
        }
    }
    let mut names = BTreeSet::new();
    for metric in &metrics {
        if !names.insert(metric.name.as_str()) {
            return Err(format!("two metrics have the same name '{}'; rename one of them", metric.name));
        }
    }
    let resolved: Vec<Argument> =
        declared.iter().map(|declared| fill_in(declared, args)).collect::<Result<_, _>>()?;
    spec.metrics = (!metrics.is_empty()).then_some(metrics);
    spec.args = (!resolved.is_empty()).then_some(resolved);
    spec.dry_run = (!dry_run.is_empty()).then_some(dry_run);
    spec.measurement_retention = (!retention.is_empty()).then_some(retention);
    Ok(spec)
}

/// An argument of an analysis with its value: as written, the hash of a revision, or a field of the Rollout.
///
/// # Errors
/// One sentence when the Rollout has no such field.
pub fn argument(
    arg: &AnalysisRunArgument,
    rollout: &Rollout,
    (canary, stable): (&str, &str),
) -> Result<Argument, String> {
    let value = match (&arg.value, &arg.value_from) {
        (Some(value), _) => Some(value.clone()),
        (None, Some(from)) => match (from.pod_template_hash_value.as_deref(), &from.field_ref) {
            (Some("Stable"), _) => Some(stable.to_owned()),
            (Some(_), _) => Some(canary.to_owned()),
            (None, Some(field)) => {
                let rollout = serde_json::to_value(rollout).unwrap_or_default();
                Some(field_path::read(&rollout, &field.field_path).ok_or_else(|| {
                    format!("argument {}: the Rollout has no field {}", arg.name, field.field_path)
                })?)
            }
            (None, None) => None,
        },
        (None, None) => None,
    };
    Ok(Argument { name: arg.name.clone(), value, value_from: None })
}

/// Every template once, nested ones after the one that names them; a template that names itself does no harm.
fn flatten(
    analysis: &RolloutAnalysis,
    lookup: impl Fn(&TemplateReference) -> Result<AnalysisTemplateSpec, String>,
) -> Result<Vec<(String, AnalysisTemplateSpec)>, String> {
    let mut waiting: Vec<TemplateReference> = analysis.templates.iter().flatten().rev().cloned().collect();
    let mut seen = BTreeSet::new();
    let mut flat = Vec::new();
    while let Some(reference) = waiting.pop() {
        if !seen.insert(reference.clone()) {
            continue;
        }
        let kind = if reference.cluster_scope { "ClusterAnalysisTemplate" } else { "AnalysisTemplate" };
        let name = format!("{kind} '{}'", reference.template_name);
        let spec = lookup(&reference).map_err(|why| format!("{name} {why}"))?;
        waiting.extend(spec.templates.iter().flatten().rev().cloned());
        flat.push((name, spec));
    }
    Ok(flat)
}

/// Declarations of one argument by several templates must agree; one with a value completes one without.
fn declare(declared: &mut Vec<Argument>, argument: &Argument, template: &str) -> Result<(), String> {
    let Some(known) = declared.iter_mut().find(|known| known.name == argument.name) else {
        declared.push(argument.clone());
        return Ok(());
    };
    let gives_value = |argument: &Argument| argument.value.is_some() || argument.value_from.is_some();
    match (gives_value(known), gives_value(argument)) {
        (_, false) => Ok(()),
        (false, true) => {
            *known = argument.clone();
            Ok(())
        }
        (true, true) if known == argument => Ok(()),
        (true, true) => Err(format!(
            "argument '{}' has another value in {template} than in a template before it; give it one value",
            argument.name
        )),
    }
}

fn fill_in(declared: &Argument, args: &[Argument]) -> Result<Argument, String> {
    let given = args.iter().find(|given| given.name == declared.name);
    if let Some(value) = given.and_then(|given| given.value.clone()) {
        return Ok(Argument { name: declared.name.clone(), value: Some(value), value_from: None });
    }
    if let Some(secret) = given.filter(|given| given.value_from.is_some()) {
        return Ok(secret.clone());
    }
    if declared.value.is_none() && declared.value_from.is_none() {
        let name = &declared.name;
        return Err(format!("args.{name} was not resolved; give it a value under args of the analysis"));
    }
    Ok(declared.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lookup(reference: &TemplateReference) -> Result<AnalysisTemplateSpec, String> {
        let spec = match reference.template_name.as_str() {
            "errors" => json!({"metrics": [{"name": "errors"}], "args": [{"name": "service"}]}),
            "latency" => {
                json!({"metrics": [{"name": "latency"}], "args": [{"name": "service", "value": "shop"}]})
            }
            "both" => json!({"templates": [{"templateName": "errors"}, {"templateName": "both"}]}),
            "again" => {
                json!({"metrics": [{"name": "errors"}], "args": [{"name": "service", "value": "other"}]})
            }
            _ => return Err("not found".to_owned()),
        };
        serde_json::from_value(spec).map_err(|error| error.to_string())
    }

    fn run(templates: &[&str], args: &[(&str, &str)]) -> Result<AnalysisRunSpec, String> {
        let names: Vec<_> = templates.iter().map(|name| json!({"templateName": name})).collect();
        let analysis: RolloutAnalysis = serde_json::from_value(json!({"templates": names})).unwrap();
        let args: Vec<_> = args
            .iter()
            .map(|(name, value)| Argument {
                name: (*name).to_owned(),
                value: Some((*value).to_owned()),
                value_from: None,
            })
            .collect();
        for_rollout(&analysis, &args, lookup)
    }

    #[test]
    fn templates_are_put_together_and_arguments_filled_in() {
        let spec = run(&["both", "latency"], &[("service", "web"), ("undeclared", "x")]).unwrap();
        let metrics: Vec<_> = spec.metrics.unwrap().into_iter().map(|metric| metric.name).collect();
        assert_eq!(metrics, ["errors", "latency"]);
        let args = spec.args.unwrap();
        assert_eq!((args.len(), args[0].value.as_deref()), (1, Some("web")));
    }

    #[test]
    fn what_does_not_fit_is_said() {
        for (templates, args, expected) in [
            (vec!["errors"], vec![], "args.service was not resolved"),
            (vec!["errors", "again"], vec![("service", "x")], "two metrics have the same name 'errors'"),
            (vec!["latency", "again"], vec![], "argument 'service' has another value"),
            (vec!["nothing"], vec![], "AnalysisTemplate 'nothing' not found"),
        ] {
            let error = run(&templates, &args).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
