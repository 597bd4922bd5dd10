//! Arguments of `adopt`.

use clap::Args;

use super::Format;

pub(super) const EXAMPLES: &str = "\
Examples:
  kubectl serin adopt --check -A
  kubectl serin adopt --check shop -n web -o json

Exit codes:
  0  every Rollout can be taken over as it runs
  1  some need mending first: fields that Serin refuses, or a ReplicaSet that would be created
  2  the cluster could not be asked";

/// Arguments of `adopt`.
#[derive(Args, Debug)]
pub struct AdoptArguments {
    /// One Rollout; default: all of the namespace.
    #[arg(value_name = "ROLLOUT")]
    pub name: Option<String>,
    /// Say what would happen, and write nothing.
    #[arg(long)]
    pub check: bool,
    /// Those of all namespaces.
    #[arg(short = 'A', long, conflicts_with = "name")]
    pub all_namespaces: bool,
    /// Where the lease of the controllers is; default: it is looked for everywhere.
    #[arg(long, value_name = "NAMESPACE")]
    pub controller_namespace: Option<String>,
    /// Format; default: text.
    #[arg(short, long)]
    pub output: Option<Format>,
}
