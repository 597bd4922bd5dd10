//! Arguments of `replay`.

use std::path::PathBuf;

use clap::Args;

use super::Format;

pub(super) const EXAMPLES: &str = "\
Examples:
  kubectl serin replay shop-7d4b9c6f5-3-2
  kubectl get analysisrun shop-7d4b9c6f5-3-2 -o yaml > run.yaml && kubectl serin replay -f run.yaml

Exit codes:
  0  the same evidence, bit for bit
  1  other evidence than the stored one
  2  there is nothing to replay, or it cannot be read";

/// Arguments of `replay`.
#[derive(Args, Debug)]
pub struct ReplayArguments {
    /// The AnalysisRun.
    #[arg(value_name = "NAME", conflicts_with = "file")]
    pub name: Option<String>,
    /// A file with it in YAML or JSON; - is the standard input.
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// This metric only.
    #[arg(long, value_name = "NAME")]
    pub metric: Option<String>,
    /// Format; default: text.
    #[arg(short, long)]
    pub output: Option<Format>,
}
