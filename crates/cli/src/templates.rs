//! Reads AnalysisTemplates of the cluster, with those that they name, and puts them together as a Rollout would.

use std::collections::BTreeMap;

use kube::Api;
use serin_analysis::run::secrets_needed;
use serin_analysis::secret::{SecretText, Secrets};
use serin_api::{
    AnalysisRun, AnalysisRunArgument, AnalysisRunSpec, AnalysisTemplate, AnalysisTemplateSpec, Argument,
    ClusterAnalysisTemplate, Rollout, RolloutAnalysis, TemplateReference,
};
use serin_core::analysis_spec::{argument, for_rollout};
use serin_core::seen::Seen;

use crate::cluster::Cluster;
use crate::failure::Failure;

/// Templates by their references.
pub(crate) type Templates = BTreeMap<TemplateReference, AnalysisTemplateSpec>;

/// Reads the named templates, and those which they name.
///
/// # Errors
/// One that is not there or cannot be read, by its name.
pub(crate) async fn read(cluster: &Cluster, wanted: &[TemplateReference]) -> Result<Templates, Failure> {
    let mut waiting = wanted.to_vec();
    let mut found = Templates::new();
    while let Some(reference) = waiting.pop() {
        if found.contains_key(&reference) {
            continue;
        }
        let name = &reference.template_name;
        let spec = if reference.cluster_scope {
            let api: Api<ClusterAnalysisTemplate> = Api::all(cluster.client());
            api.get(name).await.map(|template| template.spec.template).map_err(|error| {
                cluster.failure("read", &format!("ClusterAnalysisTemplate \"{name}\""), &error)
            })?
        } else {
            let title = format!("AnalysisTemplate \"{name}\" in namespace \"{}\"", cluster.namespace());
            let api = cluster.api::<AnalysisTemplate>();
            api.get(name)
                .await
                .map(|template| template.spec)
                .map_err(|error| cluster.failure("read", &title, &error))?
        };
        waiting.extend(spec.templates.iter().flatten().cloned());
        found.insert(reference, spec);
    }
    Ok(found)
}

/// One template, as `plan` reads it.
pub(crate) async fn one(cluster: &Cluster, reference: &TemplateReference) -> Seen<AnalysisTemplateSpec> {
    let name = &reference.template_name;
    let found = if reference.cluster_scope {
        let api: Api<ClusterAnalysisTemplate> = Api::all(cluster.client());
        api.get_opt(name).await.map(|found| found.map(|template| template.spec.template))
    } else {
        cluster.api::<AnalysisTemplate>().get_opt(name).await.map(|found| found.map(|template| template.spec))
    };
    match found {
        Ok(found) => found.map_or(Seen::Absent, Seen::Fresh),
        Err(error) => Seen::Failed(cluster.failure("read", &format!("template \"{name}\""), &error).message),
    }
}

/// The spec of a run of these templates.
///
/// # Errors
/// What does not fit together, by template, metric or argument.
pub(crate) fn spec(
    named: &[TemplateReference],
    templates: &Templates,
    args: &[Argument],
) -> Result<AnalysisRunSpec, String> {
    let analysis = RolloutAnalysis { templates: Some(named.to_vec()), ..RolloutAnalysis::default() };
    for_rollout(&analysis, args, |reference| {
        templates.get(reference).cloned().ok_or_else(|| "does not exist".to_owned())
    })
}

/// Everything that the strategy of a Rollout measures by: its templates, each once, and their arguments with values.
///
/// # Errors
/// An argument that names a field which the Rollout does not have.
pub(crate) fn of_rollout(
    rollout: &Rollout,
    arms: (&str, &str),
) -> Result<(Vec<TemplateReference>, Vec<Argument>), String> {
    let (mut named, mut args) = (Vec::new(), Vec::<Argument>::new());
    for analysis in analyses(rollout) {
        for reference in analysis.templates.iter().flatten() {
            if !named.contains(reference) {
                named.push(reference.clone());
            }
        }
        for arg in analysis.args.iter().flatten() {
            let arg: &AnalysisRunArgument = arg;
            if !args.iter().any(|known| known.name == arg.name) {
                args.push(argument(arg, rollout, arms)?);
            }
        }
    }
    Ok((named, args))
}

fn analyses(rollout: &Rollout) -> Vec<&RolloutAnalysis> {
    let Some(strategy) = &rollout.spec.strategy else { return Vec::new() };
    let canary = strategy.canary.iter().flat_map(|canary| {
        let background = canary.analysis.iter().map(|background| &background.analysis);
        let watch = canary.post_promotion_analysis.iter().map(|watch| &watch.analysis);
        background.chain(watch).chain(canary.steps.iter().flatten().filter_map(|step| step.analysis.as_ref()))
    });
    let blue_green = strategy.blue_green.iter().flat_map(|blue_green| {
        blue_green.pre_promotion_analysis.iter().chain(&blue_green.post_promotion_analysis)
    });
    canary.chain(blue_green).collect()
}

/// The secrets that a run names.
pub(crate) async fn secrets(cluster: &Cluster, run: &AnalysisRun) -> Secrets {
    let mut secrets = Secrets::new();
    for (name, key) in secrets_needed(run) {
        let read = cluster.api::<k8s_openapi::api::core::v1::Secret>().get(&name).await;
        let seen = match read {
            Err(error) => {
                Seen::Failed(cluster.failure("read", &format!("secret \"{name}\""), &error).message)
            }
            Ok(secret) => {
                match secret.data.unwrap_or_default().get(&key).map(|data| String::from_utf8(data.0.clone()))
                {
                    Some(Ok(text)) => Seen::Fresh(SecretText::new(text)),
                    Some(Err(_)) => Seen::Failed(format!("its key {key} is no text")),
                    None => Seen::Absent,
                }
            }
        };
        secrets.insert((name, key), seen);
    }
    secrets
}
