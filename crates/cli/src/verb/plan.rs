//! `plan`: says how long the steps of a rollout must last, from numbers that are given or measured.

mod measured;

use serin_api::Rollout;
use serin_view::step;

use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::flags::{Connection, PlanArguments};
use crate::forecast::{Forecast, Known, Service, Stay, Wanted, stays, text};
use crate::measured::{Counter, measure};
use crate::paint::Paint;
use crate::print;
use measured::Measured;

/// Requests of which one fails, when nobody says or measures it.
const ERROR_RATE: f64 = 0.005;

/// Performs the verb. A cluster is asked only when a Rollout is named, and Prometheus only for what is not given.
///
/// # Errors
/// Traffic that is neither given nor can be measured.
pub(crate) async fn run(
    connection: &Connection,
    arguments: &PlanArguments,
    paint: Paint,
) -> Result<(), Failure> {
    let mut measured = Measured::default();
    let mut rollout = None;
    if let Some(name) = &arguments.rollout {
        let cluster = Cluster::connect(connection).await?;
        let name = crate::flags::plain_name(name).map_err(Failure::new)?;
        let found = cluster.rollout(name).await?;
        measured = measured::of_rollout(&cluster, &found, arguments).await?;
        rollout = Some(found);
    }
    if let Some(requests) = &arguments.requests {
        let counter = Counter {
            prometheus: arguments.prometheus.clone().unwrap_or_default(),
            requests: requests.clone(),
            errors: arguments.errors.clone(),
        };
        let (rps, rate) = measure(&counter, arguments.over).await?;
        (measured.rps, measured.error_rate) = (Some(rps), Some(rate));
    }
    let stays = weights(rollout.as_ref(), arguments)?;
    let forecast = forecast(measured, rollout.as_ref(), arguments, stays)?;
    match arguments.output {
        Some(_) => print::json(&forecast),
        None => print::text(&text(&forecast, paint)),
    }
}

/// What is given goes before what is measured, and that before what is usual.
fn forecast(
    measured: Measured,
    rollout: Option<&Rollout>,
    arguments: &PlanArguments,
    stays: Vec<Stay>,
) -> Result<Forecast, Failure> {
    let replicas = rollout.map(|rollout| u32::try_from(rollout.replicas()).unwrap_or(0));
    let requests_per_second = arguments.rps.or(measured.rps).ok_or_else(|| no_traffic(&measured.known))?;
    let service = Service {
        requests_per_second,
        error_rate: arguments.error_rate.or(measured.error_rate).unwrap_or(ERROR_RATE),
        pods: arguments.pods.or(replicas.filter(|pods| *pods > 0)).unwrap_or(10),
        window: arguments.window.map(|window| window.as_secs_f64()).or(measured.window).unwrap_or(60.0),
        metrics: arguments.metrics.or(measured.metrics).unwrap_or(4),
        latency_spread: arguments.latency_spread,
        conversion: arguments.conversion.or(measured.conversion),
    };
    let usual = Wanted::default();
    let wanted = Wanted {
        see_errors: arguments.see_errors,
        see_slowdown: arguments.see_slowdown,
        error_limit: arguments.error_limit.or(measured.error_limit).unwrap_or(usual.error_limit),
        latency_limit: arguments.latency_limit.or(measured.latency_limit).unwrap_or(usual.latency_limit),
        business_limit: arguments.business_limit.or(measured.business_limit).unwrap_or(usual.business_limit),
    };
    Ok(Forecast::of(service, wanted, &measured.known, stays))
}

fn no_traffic(known: &Known) -> Failure {
    let tried = known.blind.iter().map(|why| format!("; {why}")).collect::<String>();
    Failure::new(format!(
        "how much traffic is there? Give --rps, or --prometheus and --requests, or a Rollout whose templates compare something{tried}"
    ))
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
