//! Arguments of `create` and `terminate`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::argument;

pub(super) const EXAMPLES: &str = "\
Examples:
  kubectl serin create -f rollout.yaml
  kubectl serin create analysisrun --from success-rate -a service=shop
  # a comparison needs the two revisions, by their pod template hashes
  kubectl serin create analysisrun --from shop-compared --canary 7d4b9c6f5 --stable 5c8f7b6d4";

/// Arguments of `create`.
#[derive(Args, Debug)]
pub struct CreateArguments {
    /// Files with Rollouts, Experiments, AnalysisTemplates or AnalysisRuns in YAML or JSON; - is the standard input.
    #[arg(short = 'f', long = "filename", num_args = 1.., value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Create from something else than a file.
    #[command(subcommand)]
    pub verb: Option<CreateVerb>,
}

/// What can be created from something else than a file.
#[derive(Debug, Subcommand)]
pub enum CreateVerb {
    /// Create an AnalysisRun from a template.
    #[command(alias = "ar", after_help = EXAMPLES)]
    Analysisrun(Box<CreateRunArguments>),
}

/// Arguments of `create analysisrun`.
#[derive(Args, Debug, Default)]
pub struct CreateRunArguments {
    /// The AnalysisTemplate, of the namespace in use.
    #[arg(long, value_name = "TEMPLATE", conflicts_with = "from_file")]
    pub from: Option<String>,
    /// A file with one AnalysisTemplate or ClusterAnalysisTemplate; - is the standard input.
    #[arg(long, value_name = "FILE")]
    pub from_file: Option<PathBuf>,
    /// The template is a ClusterAnalysisTemplate.
    #[arg(long, requires = "from")]
    pub global: bool,
    /// An argument of the template; may be given several times.
    #[arg(short = 'a', long = "argument", value_name = "NAME=VALUE", value_parser = argument)]
    pub args: Vec<(String, String)>,
    /// Name of the run; default: generated.
    #[arg(long)]
    pub name: Option<String>,
    /// Beginning of the generated name; default: the name of the template and a dash.
    #[arg(long, value_name = "START")]
    pub generate_name: Option<String>,
    /// The controller that is meant, where several share a cluster.
    #[arg(long, value_name = "ID")]
    pub instance_id: Option<String>,
    /// Pod template hash of the canary, for comparisons.
    #[arg(long, value_name = "HASH", requires = "stable")]
    pub canary: Option<String>,
    /// Pod template hash of stable, for comparisons.
    #[arg(long, value_name = "HASH", requires = "canary")]
    pub stable: Option<String>,
}

/// What can be terminated.
#[derive(Debug, Subcommand)]
pub enum TerminateVerb {
    /// End AnalysisRuns before their time.
    #[command(alias = "ar")]
    Analysisrun(Terminated),
    /// End Experiments before their time.
    #[command(alias = "exp")]
    Experiment(Terminated),
}

/// What is terminated, by name.
#[derive(Args, Debug)]
pub struct Terminated {
    /// Names.
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
}
