//! `compare`: judges canary against stable now, and ends with a code that a pipeline can act upon.

use jiff::Timestamp;
use serin_analysis::secret::Secrets;
use serin_api::{AnalysisRunSpec, Argument, Arms, Rollout, TemplateReference};

use crate::asking::ask_all;
use crate::cluster::Cluster;
use crate::compare::{Asked, Outcome, Question, Weight, only_comparisons, report, run_in_the_past, text};
use crate::failure::{BAD, FAILED, Failure, UNFINISHED};
use crate::flags::{CompareArguments, Connection};
use crate::paint::Paint;
use crate::{print, services, templates};

/// Performs the verb. A cluster is asked only when a Rollout or a template is named.
///
/// # Errors
/// A significant regression, with exit code 1; nothing known, with 2; and with `--require-proof` also undecided, with 4.
pub(crate) async fn run(
    connection: &Connection,
    arguments: &CompareArguments,
    paint: Paint,
) -> Result<(), Failure> {
    let now = Timestamp::now();
    let found = find(connection, arguments).await?;
    let Found { mut spec, arms, cluster, weight } = found;
    let others = only_comparisons(&mut spec);
    let asked = Asked {
        arms,
        windows: arguments.windows,
        window: arguments.window.clone(),
        prometheus: arguments.prometheus.clone(),
    };
    let metrics = spec.metrics.iter().flatten().count();
    if metrics == 0 {
        return Err(Failure::new(no_comparison(&others)));
    }
    let mut past = run_in_the_past(spec, &asked, &weight, now).map_err(Failure::new)?;
    if past.refused.len() < metrics {
        let secrets = match &cluster {
            Some(cluster) => templates::secrets(cluster, &past.run).await,
            None => Secrets::new(),
        };
        ask_all(&mut past.run, &secrets, arguments.prometheus.as_deref(), now).await?;
    }
    if !others.is_empty() {
        past.notes.push(format!("{} compare nothing and were left out", others.join(", ")));
    }
    let report = report(&past);
    match arguments.output {
        Some(_) => print::json(&report)?,
        None => print::text(&text(&report, paint))?,
    }
    match report.outcome {
        Outcome::Worse => Err(Failure::with_code(BAD, "")),
        Outcome::Unknown => Err(Failure::with_code(FAILED, "")),
        Outcome::Undecided if arguments.require_proof => Err(Failure::with_code(UNFINISHED, "")),
        Outcome::Undecided | Outcome::NotWorse => Ok(()),
    }
}

fn no_comparison(others: &[String]) -> String {
    let found = match others {
        [] => "there is no metric".to_owned(),
        others => format!("there is only {}", others.join(", ")),
    };
    format!(
        "nothing to compare: {found}; name a template whose metric has `comparison`, or give --prometheus and --requests"
    )
}

/// What is compared.
struct Found {
    spec: AnalysisRunSpec,
    arms: Arms,
    cluster: Option<Cluster>,
    weight: Weight,
}

async fn find(connection: &Connection, arguments: &CompareArguments) -> Result<Found, Failure> {
    let asks_cluster = arguments.rollout.is_some() || !arguments.templates.is_empty();
    let cluster = if asks_cluster { Some(Cluster::connect(connection).await?) } else { None };
    let rollout = match (&cluster, &arguments.rollout) {
        (Some(cluster), Some(name)) => {
            let name = crate::flags::plain_name(name).map_err(Failure::new)?;
            Some(cluster.rollout(name).await?)
        }
        _ => None,
    };
    let arms = arms(arguments, rollout.as_ref()).map_err(Failure::new)?;
    let spec = match (&arguments.requests, &cluster) {
        (Some(requests), _) => Question {
            prometheus: arguments.prometheus.clone().unwrap_or_default(),
            requests: requests.clone(),
            errors: arguments.errors.clone(),
            limit: arguments.limit.clone(),
            revision_label: arguments.revision_label.clone(),
        }
        .spec(),
        (None, Some(cluster)) => of_templates(cluster, arguments, rollout.as_ref(), &arms).await?,
        (None, None) => {
            return Err(Failure::new(
                "what is compared? Name a Rollout or a --template whose metrics have `comparison`, or give --prometheus and --requests",
            ));
        }
    };
    Ok(Found { spec, arms, cluster, weight: Weight::of(rollout.as_ref()) })
}

fn arms(arguments: &CompareArguments, rollout: Option<&Rollout>) -> Result<Arms, String> {
    let status = rollout.and_then(|rollout| rollout.status.clone()).unwrap_or_default();
    let canary = arguments.canary.clone().unwrap_or(status.current_pod_hash);
    let stable = arguments.stable.clone().or(status.stable_rs).unwrap_or_default();
    if canary.is_empty() || stable.is_empty() {
        return Err("which two revisions? Name a Rollout, or give --canary and --stable with their pod template hashes".to_owned());
    }
    if canary == stable {
        return Err(format!(
            "there is one revision only ({stable}): nothing to compare; begin an update, or give --canary and --stable"
        ));
    }
    Ok(Arms { canary, stable, ..services::of(rollout) })
}

async fn of_templates(
    cluster: &Cluster,
    arguments: &CompareArguments,
    rollout: Option<&Rollout>,
    arms: &Arms,
) -> Result<AnalysisRunSpec, Failure> {
    let (mut named, mut args) = match rollout {
        Some(rollout) => {
            templates::of_rollout(rollout, (&arms.canary, &arms.stable)).map_err(Failure::new)?
        }
        None => Default::default(),
    };
    if !arguments.templates.is_empty() {
        named = arguments
            .templates
            .iter()
            .map(|name| TemplateReference { template_name: name.clone(), cluster_scope: arguments.global })
            .collect();
    }
    args.retain(|known| !arguments.args.iter().any(|(name, _)| *name == known.name));
    args.extend(arguments.args.iter().map(|(name, value)| Argument {
        name: name.clone(),
        value: Some(value.clone()),
        value_from: None,
    }));
    let found = templates::read(cluster, &named).await?;
    templates::spec(&named, &found, &args).map_err(Failure::new)
}
