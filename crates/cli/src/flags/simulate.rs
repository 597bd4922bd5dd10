//! Arguments of `simulate`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serin_analysis::simulation::questions::Compared;
use serin_analysis::simulation::service::{HEAVY, MODERATE, NONE, Noise};

use super::{Format, duration};
use crate::verify::share;

pub(super) const EXAMPLES: &str = "\
Examples:
  # how often is a version aborted that has not changed?
  kubectl serin simulate --rps 100 --weight 10 --errors 0.5% --canary-errors 0.5% --rollouts 500
  # how soon is one aborted that fails one request of a hundred more?
  kubectl serin simulate --rps 100 --weight 10 --errors 0.5% --canary-errors 1.5% --count 20 -o json
  # and one whose requests take 1.3 times as long?
  kubectl serin simulate --compare latency --slower 1.3
  # the same with all that an AnalysisRun has compared, or with a table of windows (requests,errors,le=0.1,...,le=+Inf)
  kubectl get analysisrun shop-7d4b9c6f5-3-2 -o yaml > run.yaml && kubectl serin simulate --from run.yaml --worse +1pp
  kubectl serin simulate --from windows.csv --slower 1.3";

/// Arguments of `simulate`.
#[derive(Args, Clone, Debug)]
pub struct SimulateArguments {
    /// Requests a second, of all revisions.
    #[arg(long, default_value = "100", value_name = "NUMBER", value_parser = requests)]
    pub rps: f64,
    /// Percent of the traffic that the canary gets.
    #[arg(long, default_value_t = 10, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..=99))]
    pub weight: u32,
    /// Share of stable's requests that fails.
    #[arg(long, default_value = "0.5%", value_name = "SHARE", value_parser = share)]
    pub errors: f64,
    /// Share of the canary's requests that fails; default: as many as stable's.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub canary_errors: Option<f64>,
    /// How many points more of the canary's requests fail, such as +1pp.
    #[arg(long, value_name = "POINTS", value_parser = more, conflicts_with = "canary_errors")]
    pub worse: Option<f64>,
    /// The canary's requests take so many times as long.
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    pub slower: Option<f64>,
    /// A recorded service instead of a made-up one: an AnalysisRun that has judged windows, or a table that ends with .csv.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rps", "errors"])]
    pub from: Option<PathBuf>,
    /// What is compared; default: what is in the record, or errors, and with --slower both.
    #[arg(long, value_name = "WHAT")]
    pub compare: Option<ComparedWith>,
    /// Length of a window; an AnalysisRun knows its own.
    #[arg(long, default_value = "1m", value_name = "DURATION", value_parser = window)]
    pub interval: Duration,
    /// Windows until the planned end.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub count: u32,
    /// How much worse the error rate may be, in points; default: 0.5pp, or what the recorded comparison says.
    #[arg(long, value_name = "POINTS", value_parser = points)]
    pub limit: Option<f64>,
    /// How much slower the canary may be; default: 15%, or what the recorded comparison says.
    #[arg(long, value_name = "PERCENT", value_parser = slowdown)]
    pub latency_limit: Option<f64>,
    /// Questions in the rollout: they share the chance of a false abort; at least as many as are asked.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub metrics: u32,
    /// How much error rates and latencies move without any change; default: moderate. With --from, how much single pods do;
    /// default: as much as the AnalysisRun has measured.
    #[arg(long, value_name = "NOISE")]
    pub noise: Option<NoiseLevel>,
    /// Rollouts that are played.
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rollouts: u32,
    /// The same seed plays the same rollouts.
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seed: u64,
    /// Format; default: text.
    #[arg(short, long)]
    pub output: Option<Format>,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ComparedWith {
    /// Error rates: one question.
    Errors,
    /// Latencies: all of them, p95, p99.
    Latency,
    /// Errors and latencies.
    Both,
}

impl From<ComparedWith> for Compared {
    fn from(with: ComparedWith) -> Self {
        match with {
            ComparedWith::Errors => Self::Errors,
            ComparedWith::Latency => Self::Latency,
            ComparedWith::Both => Self::Both,
        }
    }
}

/// How much error rates and latencies move without any change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum NoiseLevel {
    /// Not at all: every request fails on its own.
    None,
    /// As in most services: pods differ, and one window in a hundred has a burst of errors.
    #[default]
    Moderate,
    /// Twice as much, with high bursts.
    Heavy,
}

impl NoiseLevel {
    /// The noise in numbers.
    pub fn noise(self) -> Noise {
        match self {
            Self::None => NONE,
            Self::Moderate => MODERATE,
            Self::Heavy => HEAVY,
        }
    }

    /// As it is written on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Moderate => "moderate",
            Self::Heavy => "heavy",
        }
    }
}

fn requests(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| *number > 0.0 && *number <= 1e6);
    number.ok_or_else(|| "give a number above 0 and at most 1000000, such as 100".to_owned())
}

fn window(text: &str) -> Result<Duration, String> {
    let length = duration(text)?;
    let good = length.subsec_nanos() == 0 && (1..=3600).contains(&length.as_secs());
    if good { Ok(length) } else { Err("give whole seconds from 1s to 1h, such as 1m".to_owned()) }
}

fn more(text: &str) -> Result<f64, String> {
    points(text.strip_prefix('+').unwrap_or(text))
}

fn factor(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (0.1..=100.0).contains(number));
    number.ok_or_else(|| "give a factor from 0.1 to 100, such as 1.3".to_owned())
}

fn slowdown(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let number = number.filter(|percent| *percent > 0.0 && *percent < 100.0);
    number
        .map(|percent| percent / 100.0)
        .ok_or_else(|| "give percent above 0% and below 100%, such as 15%".to_owned())
}

fn points(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("pp").or_else(|| text.strip_suffix('%'));
    let number = number.and_then(|number| number.trim().parse::<f64>().ok());
    let number = number.filter(|points| *points > 0.0 && *points < 100.0);
    number
        .map(|points| points / 100.0)
        .ok_or_else(|| "give points above 0pp and below 100pp, such as 0.5pp".to_owned())
}
