//! `plan`: says how long the steps of a rollout must last, from numbers that are given or measured.

use serin_analysis::argument::Arguments;
use serin_api::{Metric, Rollout};
use serin_view::step;

use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::flags::{Connection, PlanArguments};
use crate::forecast::{Forecast, Service, Stay, Wanted, stays, text};
use crate::measured::{Counter, measure};
use crate::paint::Paint;
use crate::{print, templates};

/// Performs the verb. A cluster is asked only when a Rollout is named, and Prometheus only for what is not given.
///
/// # Errors
/// Traffic that is neither given nor can be measured.
pub(crate) async fn run(
    connection: &Connection,
    arguments: &PlanArguments,
    paint: Paint,
) -> Result<(), Failure> {
    let (rollout, cluster) = match &arguments.rollout {
        Some(name) => {
            let cluster = Cluster::connect(connection).await?;
            let name = crate::flags::plain_name(name).map_err(Failure::new)?;
            (Some(cluster.rollout(name).await?), Some(cluster))
        }
        None => (None, None),
    };
    let (rps, error_rate) = traffic(cluster.as_ref(), rollout.as_ref(), arguments).await?;
    let replicas = rollout.as_ref().map(|rollout| u32::try_from(rollout.replicas()).unwrap_or(0));
    let service = Service {
        requests_per_second: rps,
        error_rate,
        pods: arguments.pods.or(replicas.filter(|pods| *pods > 0)).unwrap_or(10),
        window: arguments.window.as_secs_f64(),
        metrics: arguments.metrics,
        latency_spread: arguments.latency_spread,
        conversion: arguments.conversion,
    };
    let wanted = Wanted {
        see_errors: arguments.see_errors,
        see_slowdown: arguments.see_slowdown,
        error_limit: arguments.error_limit,
        latency_limit: arguments.latency_limit,
        business_limit: arguments.business_limit,
    };
    let forecast = Forecast::of(service, wanted, weights(rollout.as_ref(), arguments)?);
    match arguments.output {
        Some(_) => print::json(&forecast),
        None => print::text(&text(&forecast, paint)),
    }
}

fn weights(rollout: Option<&Rollout>, arguments: &PlanArguments) -> Result<Vec<Stay>, Failure> {
    let plain = |weights: &[i32]| {
        weights.iter().map(|weight| Stay { step: None, weight: *weight, seconds: 0.0, open: false }).collect()
    };
    match rollout {
        _ if !arguments.weights.is_empty() => Ok(plain(&arguments.weights)),
        None => Ok(plain(&[5, 10, 25, 50])),
        Some(rollout) => {
            let stays = stays(step::steps(rollout));
            if stays.is_empty() {
                let name = rollout.metadata.name.as_deref().unwrap_or_default();
                return Err(Failure::new(format!(
                    "rollout \"{name}\" has no step with a weight between 0 and 100, so nothing is compared in it; give --weights"
                )));
            }
            Ok(stays)
        }
    }
}

async fn traffic(
    cluster: Option<&Cluster>,
    rollout: Option<&Rollout>,
    arguments: &PlanArguments,
) -> Result<(f64, f64), Failure> {
    if let (Some(rps), Some(rate)) = (arguments.rps, arguments.error_rate) {
        return Ok((rps, rate));
    }
    let counter = match (&arguments.requests, cluster, rollout) {
        (Some(requests), _, _) => Some(Counter {
            prometheus: arguments.prometheus.clone().unwrap_or_default(),
            requests: requests.clone(),
            errors: arguments.errors.clone(),
        }),
        (None, Some(cluster), Some(rollout)) => of_templates(cluster, rollout, arguments).await?,
        _ => None,
    };
    match (counter, arguments.rps) {
        (Some(counter), rps) => {
            let (measured, rate) = measure(&counter, arguments.over).await?;
            Ok((rps.unwrap_or(measured), arguments.error_rate.unwrap_or(rate)))
        }
        (None, Some(rps)) => Ok((rps, arguments.error_rate.unwrap_or(0.005))),
        (None, None) => Err(Failure::new(
            "how much traffic is there? Give --rps, or --prometheus and --requests to measure it",
        )),
    }
}

/// The first counter that a template of the Rollout compares.
async fn of_templates(
    cluster: &Cluster,
    rollout: &Rollout,
    arguments: &PlanArguments,
) -> Result<Option<Counter>, Failure> {
    let (named, args) = templates::of_rollout(rollout, ("", "")).map_err(Failure::new)?;
    let found = templates::read(cluster, &named).await?;
    let spec = templates::spec(&named, &found, &args).map_err(Failure::new)?;
    let args = Arguments::of(spec.args.as_deref().unwrap_or_default());
    let args = args.map_err(|why| Failure::new(why.to_string()))?;
    // A secret is no part of a selector that could be measured by.
    let filled = |metric: &Metric| args.fill(metric, |_, _| String::new()).ok();
    let counter = spec.metrics.iter().flatten().filter_map(filled).find_map(|metric| {
        let compared = metric.comparison.as_ref()?.error_rate.as_ref()?;
        let own = metric.provider.prometheus.as_ref().and_then(|prometheus| prometheus.address.clone());
        Some(Counter {
            prometheus: arguments.prometheus.clone().or(own)?,
            requests: compared.requests.clone(),
            errors: compared.errors.clone().unwrap_or_else(|| arguments.errors.clone()),
        })
    });
    Ok(counter)
}
