//! Arguments of `get` and `list`.

use clap::Args;

use super::{Format, Names};

pub(super) const EXAMPLES: &str = "\
What is drawn:
  A Rollout with its revisions (#), newest first, and below each one what belongs to it:
  ⧉ a ReplicaSet with its pods (□)
  Σ an Experiment with the ReplicaSets of its templates and its AnalysisRuns, and how long it still goes on
  α an AnalysisRun: what it judges (the step, the background, before or after the promotion, or an analysis of an
    Experiment), and how many measurements were ✔ successful, ✖ failed, ? inconclusive and ⚠ in error; below
    it the last value of each metric, with its condition
  An Experiment alone is drawn as in the tree of its Rollout. AnalysisRuns have no drawing of their own:
  `kubectl get analysisrun NAME -o yaml` shows each measurement, and `kubectl serin explain ROLLOUT` the evidence.

Examples:
  kubectl serin get rollout shop -w
  kubectl serin get experiment compare -w
  kubectl serin get rollouts -A";

/// Arguments of `get`.
#[derive(Args, Debug)]
pub struct GetArguments {
    /// The Rollout: NAME, rollout NAME or rollout/NAME; an Experiment: experiment NAME. Only `rollouts` or
    /// `experiments`: a list.
    #[command(flatten)]
    pub names: Names,
    /// List those of all namespaces.
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Draw it again whenever something changes.
    #[arg(short, long)]
    pub watch: bool,
    /// End watching after this many seconds; 0: never.
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    pub timeout_seconds: u64,
    /// Format; default: text.
    #[arg(short, long)]
    pub output: Option<Format>,
}

/// Arguments of `list`.
#[derive(Args, Debug)]
pub struct ListArguments {
    /// What to list: rollouts or experiments.
    #[arg(value_parser = ["rollouts", "rollout", "ro", "experiments", "experiment", "exp"], default_value = "rollouts", hide_possible_values = true)]
    pub what: String,
    /// Of all namespaces.
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Draw the list again whenever something changes.
    #[arg(short, long)]
    pub watch: bool,
    /// End watching after this many seconds; 0: never.
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    pub timeout_seconds: u64,
    /// Format; default: text.
    #[arg(short, long)]
    pub output: Option<Format>,
}

impl ListArguments {
    /// Experiments are to be listed.
    pub fn experiments(&self) -> bool {
        super::names::is_experiment(&self.what)
    }
}
