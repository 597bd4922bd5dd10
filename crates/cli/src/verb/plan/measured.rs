//! Measures what the comparisons of a Rollout would see: traffic, errors, conversions, latencies, and how pods differ.

use serin_analysis::argument::Arguments;
use serin_analysis::comparison::questions;
use serin_analysis::secret::Secrets;
use serin_api::{AnalysisRun, AnalysisRunSpec, Arms, Metric, Rollout};
use serin_core::seen::Seen;

use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::flags::PlanArguments;
use crate::forecast::{Known, Noise, Tail};
use crate::survey::{self, Found};
use crate::{services, templates};

/// What was measured; the first comparison of each kind speaks for its kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Measured {
    pub(super) rps: Option<f64>,
    pub(super) error_rate: Option<f64>,
    pub(super) conversion: Option<f64>,
    pub(super) window: Option<f64>,
    pub(super) metrics: Option<u32>,
    pub(super) error_limit: Option<f64>,
    pub(super) latency_limit: Option<f64>,
    pub(super) business_limit: Option<f64>,
    pub(super) known: Known,
}

/// Asks for every comparison in the templates of a Rollout. A metric that cannot be asked for is one that cannot be tested now.
///
/// # Errors
/// Templates that cannot be read or put together.
pub(super) async fn of_rollout(
    cluster: &Cluster,
    rollout: &Rollout,
    arguments: &PlanArguments,
) -> Result<Measured, Failure> {
    let arms = arms(rollout);
    let (named, args) = templates::of_rollout(rollout, (&arms.canary, &arms.stable)).map_err(Failure::new)?;
    if named.is_empty() {
        return Ok(Measured::default());
    }
    let found = templates::read(cluster, &named).await?;
    let spec = templates::spec(&named, &found, &args).map_err(Failure::new)?;
    let run = AnalysisRun { metadata: Default::default(), spec, status: None };
    let secrets = templates::secrets(cluster, &run).await;
    let compared = filled(&run.spec, &secrets).map_err(Failure::new)?;
    let asked: u32 = compared.iter().filter_map(|metric| metric.comparison.as_ref()).map(questions).sum();
    let mut measured = Measured { metrics: Some(asked).filter(|asked| *asked > 0), ..Measured::default() };
    let whole = 1.0 - canary_share(rollout);
    for metric in &compared {
        let windows = windows(metric, arguments);
        let found = survey::ask(metric, Some(&arms), windows, arguments.prometheus.as_deref()).await?;
        match found {
            Ok(Some(found)) => measured.take(metric, found, whole),
            Ok(None) => measured.blind(metric, "Prometheus has no requests of stable for it, or too few"),
            Err(why) => measured.blind(metric, &why),
        }
    }
    Ok(measured)
}

/// Stable as it is; a canary, if there is one. The name of the other one matters to nobody.
fn arms(rollout: &Rollout) -> Arms {
    let status = rollout.status.clone().unwrap_or_default();
    let stable = status.stable_rs.unwrap_or_default();
    let canary = if status.current_pod_hash == stable { "none".to_owned() } else { status.current_pod_hash };
    Arms { canary, stable, ..services::of(Some(rollout)) }
}

/// Share of the traffic that an update has taken from stable, as the status says.
fn canary_share(rollout: &Rollout) -> f64 {
    let weights = rollout.status.as_ref().and_then(|status| status.canary.weights.as_ref());
    weights.map_or(0.0, |weights| f64::from(weights.canary.weight).clamp(0.0, 99.0) / 100.0)
}

/// The comparisons, with arguments and secrets filled in.
fn filled(spec: &AnalysisRunSpec, secrets: &Secrets) -> Result<Vec<Metric>, String> {
    let known = Arguments::of(spec.args.as_deref().unwrap_or_default()).map_err(|why| why.to_string())?;
    let text = |name: &str, key: &str| {
        let found = secrets.get(&(name.to_owned(), key.to_owned())).and_then(Seen::last_known);
        found.map(|text| text.expose().to_owned()).unwrap_or_default()
    };
    let compared = spec.metrics.iter().flatten().filter(|metric| metric.comparison.is_some());
    compared.map(|metric| known.fill(metric, text).map_err(|why| why.to_string())).collect()
}

/// Windows in the time that is looked back on.
fn windows(metric: &Metric, arguments: &PlanArguments) -> u32 {
    let window = metric.interval.as_deref().and_then(serin_api::go_duration);
    let window = window.filter(|window| !window.is_zero()).unwrap_or(std::time::Duration::from_secs(60));
    let count = (arguments.over.as_secs_f64() / window.as_secs_f64()).clamp(10.0, 1000.0);
    count as u32
}

impl Measured {
    fn blind(&mut self, metric: &Metric, why: &str) {
        self.known.blind.push(format!("{}: {why}", metric.name));
    }

    fn take(&mut self, metric: &Metric, found: Found, whole: f64) {
        let Found { stable, settings, window, .. } = found;
        let Some(comparison) = &metric.comparison else { return };
        let noise = Noise {
            measured: stable.noise.map(|(rho, _)| rho),
            tau: stable.noise.map_or(0.0, |(_, tau)| tau),
        };
        self.window.get_or_insert(window);
        (self.known.consecutive, self.known.alpha, self.known.kappa) =
            (settings.consecutive, settings.alpha, settings.kappa);
        let rps = stable.tally.trials / stable.seconds / whole;
        if comparison.error_rate.is_some() && self.error_rate.is_none() {
            (self.rps, self.error_rate) = (Some(rps), stable.tally.rate());
            (self.error_limit, self.known.errors) = (Some(settings.limit), noise);
        } else if comparison.business_rate.is_some() && self.conversion.is_none() {
            self.conversion = stable.tally.rate();
            (self.business_limit, self.known.business) = (Some(settings.limit), noise);
        } else if let Some((seen, quantiles)) = stable.latency {
            self.rps.get_or_insert(rps);
            for lost in quantiles.iter().filter(|quantile| quantile.bound.is_none()) {
                let name = (lost.quantile * 1e6).round() / 1e4;
                self.blind(
                    metric,
                    &format!("p{name} has no bucket bound near it; lint --prometheus says more"),
                );
            }
            let best = quantiles.iter().rev().find(|quantile| quantile.bound.is_some()).or(quantiles.last());
            if let (Some(best), None) = (best, &self.known.latency) {
                let tail = Tail { seen, quantile: best.quantile, bound: best.bound, noise };
                (self.latency_limit, self.known.latency) = (Some(settings.limit), Some(tail));
            }
        } else if comparison.mean.is_some() {
            self.blind(metric, "how soon a mean is decided is not foretold");
        }
    }
}
