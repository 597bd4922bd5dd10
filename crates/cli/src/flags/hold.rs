//! The flags of `hold` and `release`.

use clap::Args;

/// Name of the ConfigMap, unless another one is given.
const NAME: &str = "serin-hold";

/// What is held, and why.
#[derive(Args, Debug)]
pub struct HoldArguments {
    /// Every Rollout of the namespace.
    #[arg(long, required_unless_present = "selector", conflicts_with = "selector")]
    pub all: bool,
    /// Rollouts with these labels: `team=shop,tier!=test`.
    #[arg(short = 'l', long, value_name = "LABELS")]
    pub selector: Option<String>,
    /// Take updates back instead of holding them; a first revision is held.
    #[arg(long)]
    pub abort: bool,
    /// Why; recorded with who and when.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Name of the ConfigMap that holds: several may.
    #[arg(long, value_name = "NAME", default_value = NAME)]
    pub name: String,
}

/// Which hold is ended.
#[derive(Args, Debug)]
pub struct ReleaseArguments {
    /// Name of the ConfigMap.
    #[arg(value_name = "NAME", default_value = NAME)]
    pub name: String,
}
