//! Arguments of `drill`.

use std::time::Duration;

use clap::Args;

use super::{Format, duration};

pub(super) const EXAMPLES: &str = "\
Examples:
  kubectl serin drill shop
  kubectl serin drill shop --within 30s --max-weight 5 -o json

Exit codes:
  0  all traffic was back in time
  1  it was not
  2  refused, or the cluster could not be asked";

/// Arguments of `drill`.
#[derive(Args, Debug)]
pub struct DrillArguments {
    /// The Rollout: NAME or rollout/NAME. It must be settled.
    #[arg(value_name = "ROLLOUT")]
    pub name: String,
    /// How long traffic may take to come back after the abort.
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub within: Duration,
    /// Largest share of traffic, in percent, that the first step may give to the copy.
    #[arg(long, default_value_t = 25, value_name = "PERCENT", value_parser = clap::value_parser!(i32).range(1..=100))]
    pub max_weight: i32,
    /// How long it may take until the copy has traffic.
    #[arg(long, default_value = "5m", value_parser = duration)]
    pub patience: Duration,
    /// Format; default: text.
    #[arg(short, long)]
    pub output: Option<Format>,
}
