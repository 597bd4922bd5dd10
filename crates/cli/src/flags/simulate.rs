//! Arguments of `simulate`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serin_analysis::simulation::service::{HEAVY, MODERATE, NONE, Noise};

use super::{Format, duration};
use crate::verify::share;

pub(super) const EXAMPLES: &str = "\
Examples:
  # how often is a version aborted that has not changed?
  kubectl serin simulate --rps 100 --weight 10 --errors 0.5% --canary-errors 0.5% --rollouts 500
  # how soon is one aborted that fails one request of a hundred more?
  kubectl serin simulate --rps 100 --weight 10 --errors 0.5% --canary-errors 1.5% --count 20 -o json";

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
    /// Length of a window.
    #[arg(long, default_value = "1m", value_name = "DURATION", value_parser = window)]
    pub interval: Duration,
    /// Windows until the planned end.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub count: u32,
    /// How much worse the error rate may be, in points.
    #[arg(long, default_value = "0.5pp", value_name = "POINTS", value_parser = points)]
    pub limit: f64,
    /// Comparisons in the rollout: they share the chance of a false abort.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub metrics: u32,
    /// How much error rates move without any change.
    #[arg(long, default_value = "moderate", value_name = "NOISE")]
    pub noise: NoiseLevel,
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

/// How much error rates move without any change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NoiseLevel {
    /// Not at all: every request fails on its own.
    None,
    /// As in most services: pods differ, and one window in a hundred has a burst of errors.
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

fn points(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("pp").or_else(|| text.strip_suffix('%'));
    let number = number.and_then(|number| number.trim().parse::<f64>().ok());
    let number = number.filter(|points| *points > 0.0 && *points < 100.0);
    number
        .map(|points| points / 100.0)
        .ok_or_else(|| "give points above 0pp and below 100pp, such as 0.5pp".to_owned())
}
