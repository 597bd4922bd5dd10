//! Arguments of `compare`.

use clap::Args;

use super::{Format, argument};

pub(super) const EXAMPLES: &str = "\
Examples:
  # by the analysis templates that the Rollout itself names
  kubectl serin compare shop
  # the last 20 minutes, by one template, from a Prometheus that is forwarded to this machine
  kubectl serin compare shop --template shop-compared --prometheus http://localhost:9090 --windows 20
  # without a cluster
  kubectl serin compare --prometheus http://localhost:9090 --requests 'http_requests_total{app=\"shop\"}' \\
    --canary 7d4b9c6f5 --stable 5c8f7b6d4 -o json

Exit codes:
  0  no significant regression
  1  the canary is worse than stable by more than the limit
  2  nothing is known, or wrong usage
  4  with --require-proof: not shown to be as good as stable";

/// Arguments of `compare`.
#[derive(Args, Debug)]
pub struct CompareArguments {
    /// The Rollout whose canary and stable are compared: NAME or rollout/NAME.
    #[arg(value_name = "ROLLOUT")]
    pub rollout: Option<String>,
    /// The AnalysisTemplate to compare by; default: all that the Rollout names. May be given several times.
    #[arg(long = "template", value_name = "NAME")]
    pub templates: Vec<String>,
    /// The templates are ClusterAnalysisTemplates.
    #[arg(long, requires = "templates")]
    pub global: bool,
    /// An argument of the templates; may be given several times.
    #[arg(short = 'a', long = "argument", value_name = "NAME=VALUE", value_parser = argument)]
    pub args: Vec<(String, String)>,
    /// Address of Prometheus, instead of the one in the templates.
    #[arg(long, value_name = "URL")]
    pub prometheus: Option<String>,
    /// Compare the error rate of this counter instead of templates: a name, or a selector.
    #[arg(long, value_name = "SELECTOR", conflicts_with = "templates", requires = "prometheus")]
    pub requests: Option<String>,
    /// Label matchers of failed requests; default: code=~"5..".
    #[arg(long, value_name = "MATCHERS", requires = "requests")]
    pub errors: Option<String>,
    /// How much worse the error rate may be; default: 0.5pp.
    #[arg(long, value_name = "POINTS", requires = "requests")]
    pub limit: Option<String>,
    /// Label that holds the pod template hash; default: rollouts_pod_template_hash.
    #[arg(long, value_name = "LABEL", requires = "requests")]
    pub revision_label: Option<String>,
    /// Pod template hash of the canary, instead of the Rollout's.
    #[arg(long, value_name = "HASH")]
    pub canary: Option<String>,
    /// Pod template hash of stable, instead of the Rollout's.
    #[arg(long, value_name = "HASH")]
    pub stable: Option<String>,
    /// How many of the last windows are judged, if the weight has not changed since; together at most an hour.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=720), value_name = "N")]
    pub windows: u32,
    /// Length of a window, instead of the metric's interval (1m without one).
    #[arg(long, value_name = "DURATION")]
    pub window: Option<String>,
    /// Undecided is not good enough.
    #[arg(long)]
    pub require_proof: bool,
    /// Format; default: text.
    #[arg(short, long)]
    pub output: Option<Format>,
}
