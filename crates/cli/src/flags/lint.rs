//! Arguments of `lint`.

use std::path::PathBuf;

use clap::Args;

use super::Format;

pub(super) const EXAMPLES: &str = "\
Examples:
  # in a pipeline: exit code 1 when something cannot work
  kubectl serin lint -f rollout.yaml -f analysis.yaml
  kubectl serin lint -f deploy/
  helm template . | kubectl serin lint -f -
  # can the buckets tell 15 % at p95 and p99? With a layout that is given, or the one that Prometheus has
  kubectl serin lint -f analysis.yaml --buckets 0.005,0.01,0.025,0.05,0.1,0.25,0.5,1 --p95 0.18 --p99 0.32
  kubectl serin lint -f analysis.yaml --prometheus http://localhost:9090

Exit codes:
  0  no problems; there may be warnings
  1  problems found
  2  wrong usage, or a file cannot be read";

/// Arguments of `lint`.
#[derive(Args, Debug)]
pub struct LintArguments {
    /// Files in YAML or JSON, or folders of them; - is the standard input.
    #[arg(short = 'f', long = "filename", required = true, num_args = 1.., value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Upper bounds of the buckets that latencies are counted in, in the unit of the histogram.
    #[arg(long, value_name = "BOUNDS", value_delimiter = ',', value_parser = bound)]
    pub buckets: Vec<f64>,
    /// The 95th percentile of stable's latencies, in the unit of the histogram.
    #[arg(long, value_name = "NUMBER", value_parser = bound, requires = "buckets")]
    pub p95: Option<f64>,
    /// The 99th percentile of stable's latencies, in the unit of the histogram.
    #[arg(long, value_name = "NUMBER", value_parser = bound, requires = "buckets")]
    pub p99: Option<f64>,
    /// Address of Prometheus, to look at the buckets of the last hour.
    #[arg(long, value_name = "URL", conflicts_with = "buckets")]
    pub prometheus: Option<String>,
    /// Format; default: text.
    #[arg(short, long)]
    pub output: Option<Format>,
}

fn bound(text: &str) -> Result<f64, String> {
    let number = match text.trim() {
        "+Inf" | "Inf" => Some(f64::INFINITY),
        text => text.parse::<f64>().ok(),
    };
    number.filter(|number| *number > 0.0).ok_or_else(|| "give a number above 0, such as 0.25".to_owned())
}
