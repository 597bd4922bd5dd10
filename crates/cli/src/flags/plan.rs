//! Arguments of `plan`.

use std::time::Duration;

use clap::Args;

use super::{Format, duration};
use crate::verify::share;

pub(super) const EXAMPLES: &str = "\
Examples:
  # with numbers
  kubectl serin plan --rps 100 --error-rate 0.5% --pods 10 --weights 5,10,25,50
  # the steps of a Rollout, with the traffic that its Prometheus has seen in the last hour
  kubectl serin plan shop --prometheus http://localhost:9090
  # without templates
  kubectl serin plan shop --prometheus http://localhost:9090 --requests 'http_requests_total{app=\"shop\"}'";

/// Arguments of `plan`.
#[derive(Args, Debug)]
pub struct PlanArguments {
    /// The Rollout whose steps, pods and counters are taken: NAME or rollout/NAME.
    #[arg(value_name = "ROLLOUT")]
    pub rollout: Option<String>,
    /// Requests a second, of all revisions; default: measured.
    #[arg(long, value_name = "NUMBER", value_parser = positive)]
    pub rps: Option<f64>,
    /// Share of requests that fails today; default: measured, else 0.5%.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub error_rate: Option<f64>,
    /// Pods in all; default: the Rollout's replicas, else 10.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub pods: Option<u32>,
    /// Weights in percent, with commas; default: those of the Rollout's steps, else 5,10,25,50.
    #[arg(long, value_name = "WEIGHTS", value_delimiter = ',', value_parser = clap::value_parser!(i32).range(1..=99))]
    pub weights: Vec<i32>,
    /// Length of a window; default: the interval of the Rollout's comparison, else 1m.
    #[arg(long, value_parser = duration)]
    pub window: Option<Duration>,
    /// Metrics that are compared in one rollout, which share the chance of a false abort; default: those of the Rollout, else 4.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub metrics: Option<u32>,
    /// Errors more than stable's that are to be seen.
    #[arg(long, default_value = "1%", value_name = "SHARE", value_parser = share)]
    pub see_errors: f64,
    /// Slowdown that is to be seen; one at the limit itself (15%) is seen about every second time only.
    #[arg(long, default_value = "30%", value_name = "SHARE", value_parser = share)]
    pub see_slowdown: f64,
    /// Limit of the error rate; default: that of the Rollout's comparison, else 0.5%.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub error_limit: Option<f64>,
    /// Limit of latencies; default: that of the Rollout's comparison, else 15%.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub latency_limit: Option<f64>,
    /// Limit of business rates; default: that of the Rollout's comparison, else 2%.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub business_limit: Option<f64>,
    /// Share of requests that convert: adds a business rate; default: measured, if the Rollout compares one.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub conversion: Option<f64>,
    /// How much latencies spread when they are not measured: the standard deviation of their logarithm (0.3 narrow, 0.6 usual, 1 wide).
    #[arg(long, default_value_t = 0.6, value_name = "NUMBER", value_parser = positive)]
    pub latency_spread: f64,
    /// Address of Prometheus, to measure what is not given.
    #[arg(long, value_name = "URL")]
    pub prometheus: Option<String>,
    /// Counter of requests to measure: a name, or a selector; default: the one that the Rollout's templates compare.
    #[arg(long, value_name = "SELECTOR", requires = "prometheus")]
    pub requests: Option<String>,
    /// Label matchers of failed requests.
    #[arg(long, value_name = "MATCHERS", default_value = "code=~\"5..\"")]
    pub errors: String,
    /// How far back it is measured.
    #[arg(long, default_value = "1h", value_parser = duration)]
    pub over: Duration,
    /// Format; default: text.
    #[arg(short, long)]
    pub output: Option<Format>,
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| *number > 0.0 && number.is_finite());
    number.ok_or_else(|| "expected a number above 0".to_owned())
}
