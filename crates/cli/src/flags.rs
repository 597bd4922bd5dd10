//! The command line: verbs, flags and their help.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::verb::set_image::NewImage;

mod adopt;
mod compare;
mod create;
mod drill;
mod get;
mod hold;
mod lint;
mod names;
mod plan;
mod replay;
mod simulate;
mod verify;

pub use adopt::AdoptArguments;
pub use compare::CompareArguments;
pub use create::{CreateArguments, CreateRunArguments, CreateVerb, TerminateVerb, Terminated};
pub use drill::DrillArguments;
pub use get::{GetArguments, ListArguments};
pub use hold::{HoldArguments, ReleaseArguments};
pub use lint::LintArguments;
pub use names::{Names, plain_name};
pub use plan::PlanArguments;
pub use replay::ReplayArguments;
pub use simulate::{NoiseLevel, SimulateArguments};
pub use verify::{HttpArguments, VerifyVerb};

/// Exit codes, shown below the help.
const EXIT_CODES: &str = "\
Exit codes:
  0  done, or so already; status: Healthy
  1  status: Degraded; lint: problems found; verify: a limit was broken; compare: worse; replay: not the same
  2  refused, wrong usage, or the cluster could not be asked
  3  status: timed out
  4  status --watch=false: Progressing or Paused";

/// See, promote, abort and explain rollouts.
#[derive(Debug, Parser)]
#[command(name = "kubectl-serin", bin_name = "kubectl serin", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// How the cluster is reached.
    #[command(flatten)]
    pub connection: Connection,
    /// No colours. They are also off when NO_COLOR is set, and when the output is no terminal.
    #[arg(long, global = true)]
    pub no_color: bool,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// How the cluster is reached.
#[derive(Args, Clone, Debug, Default)]
pub struct Connection {
    /// Namespace; default: the one of the context.
    #[arg(short, long, global = true)]
    pub namespace: Option<String>,
    /// Context in the kubeconfig; default: the current one.
    #[arg(long, global = true)]
    pub context: Option<String>,
    /// File with clusters and users; default: $KUBECONFIG, then ~/.kube/config, then the pod's service account.
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show one Rollout or Experiment with everything that belongs to it; of the word rollouts or experiments alone a list.
    #[command(after_help = get::EXAMPLES)]
    Get(GetArguments),
    /// Show the Rollouts or the Experiments of a namespace, one a line.
    #[command(alias = "ls")]
    List(ListArguments),
    /// Print the phase of a Rollout until it is Healthy or Degraded; for pipelines.
    #[command(after_help = EXIT_CODES)]
    Status(StatusArguments),
    /// Say why a Rollout is where it is: what it waits for, the evidence, what comes next, what you can do.
    Explain(ExplainArguments),
    /// End the pause that a Rollout waits at.
    Promote(PromoteArguments),
    /// Take the update back: all traffic goes to stable.
    Abort(Names),
    /// Start an aborted update again at its first step, or an Experiment that is over: retry experiment NAME.
    Retry(Names),
    /// Put the pod template of an earlier revision back: stable's when an update is on its way or aborted, else the
    /// one before.
    Undo(UndoArguments),
    /// Hold a Rollout where it is until it is promoted.
    Pause(Names),
    /// Hold, or abort, every update of the namespace or of what a selector says, also of Rollouts made later.
    Hold(HoldArguments),
    /// End a hold of the namespace: updates go on from where they are.
    Release(ReleaseArguments),
    /// Replace the pods one after the other, without a new revision.
    Restart(RestartArguments),
    /// Change a field.
    #[command(subcommand)]
    Set(SetVerb),
    /// Check manifests without a cluster: validation, unknown fields, types, PromQL, bucket layouts.
    #[command(after_help = lint::EXAMPLES)]
    Lint(LintArguments),
    /// Create Rollouts, Experiments, AnalysisTemplates and AnalysisRuns.
    #[command(args_conflicts_with_subcommands = true, after_help = create::EXAMPLES)]
    Create(CreateArguments),
    /// End an AnalysisRun or an Experiment before its time.
    #[command(subcommand)]
    Terminate(TerminateVerb),
    /// Judge canary against stable over the windows that have just passed; for pipelines.
    #[command(after_help = compare::EXAMPLES)]
    Compare(Box<CompareArguments>),
    /// Say how long each step must last before its verdict can be expected, and what cannot be tested at all.
    #[command(after_help = plan::EXAMPLES)]
    Plan(Box<PlanArguments>),
    /// Play rollouts of a made-up service before the real judge: how many are aborted, promoted, undecided?
    #[command(after_help = simulate::EXAMPLES)]
    Simulate(SimulateArguments),
    /// Practise a rollback with a copy of the stable version: how long does traffic take to come back?
    #[command(after_help = drill::EXAMPLES)]
    Drill(DrillArguments),
    /// Say beforehand what a takeover from Argo Rollouts would do.
    #[command(after_help = adopt::EXAMPLES)]
    Adopt(AdoptArguments),
    /// Judge the windows in the status of an AnalysisRun once more: is the verdict the same?
    #[command(after_help = replay::EXAMPLES)]
    Replay(ReplayArguments),
    /// Check a service from outside, without a Rollout; for pipelines.
    #[command(subcommand)]
    Verify(VerifyVerb),
    /// Show rollouts in a browser.
    ///
    /// It only shows, unless it is started with --allow-actions. Without --auth it serves this machine alone, and whoever
    /// reaches it there acts with the rights of the kubeconfig in use; it refuses to listen anywhere else. docs/dashboard.md
    /// says how to offer it to a team.
    Dashboard(Box<serin_dashboard::flags::Flags>),
    /// Print the version.
    Version(VersionArguments),
    /// Print a completion script, for example: kubectl serin completion bash.
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Formats of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For machines.
    Json,
}

/// Arguments of `status`.
#[derive(Args, Debug)]
pub struct StatusArguments {
    /// The Rollout: NAME, rollout NAME or rollout/NAME.
    #[command(flatten)]
    pub names: Names,
    /// Wait until it is Healthy or Degraded. With =false: print the phase once.
    #[arg(short, long, default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    pub watch: bool,
    /// How long to wait, for example 90s, 5m or 1h; 0: for ever.
    #[arg(short, long, default_value = "0", value_parser = duration)]
    pub timeout: Duration,
    /// Format, one object a line; default: text.
    #[arg(short, long)]
    pub output: Option<Format>,
}

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub struct ExplainArguments {
    /// The Rollout: NAME, rollout NAME or rollout/NAME.
    #[command(flatten)]
    pub names: Names,
    /// Format; default: text.
    #[arg(short, long)]
    pub output: Option<Format>,
}

/// Arguments of `promote`.
#[derive(Args, Debug)]
pub struct PromoteArguments {
    /// The Rollouts.
    #[command(flatten)]
    pub names: Names,
    /// Skip all remaining steps, pauses and analyses.
    #[arg(long, conflicts_with = "skip_current_step")]
    pub full: bool,
    /// Skip the current step, also when it waits for something else than a person.
    #[arg(short = 'c', long)]
    pub skip_current_step: bool,
    /// Why; recorded with who and when in the annotation serin.dev/override of the Rollout, and as an event.
    #[arg(long, value_name = "TEXT", value_parser = said)]
    pub reason: Option<String>,
}

/// Arguments of `undo`.
#[derive(Args, Debug)]
pub struct UndoArguments {
    /// The Rollout: NAME, rollout NAME or rollout/NAME.
    #[command(flatten)]
    pub names: Names,
    /// The revision to go back to; 0: decided by the state.
    #[arg(long, value_name = "N")]
    pub to_revision: Option<i64>,
}

/// Arguments of `restart`.
#[derive(Args, Debug)]
pub struct RestartArguments {
    /// The Rollouts.
    #[command(flatten)]
    pub names: Names,
    /// How long from now, for example 10m.
    #[arg(long = "in", default_value = "0", value_parser = duration, value_name = "DURATION")]
    pub delay: Duration,
}

/// Fields that can be set.
#[derive(Debug, Subcommand)]
pub enum SetVerb {
    /// Give containers new images.
    Image(ImageArguments),
}

/// Arguments of `set image`.
#[derive(Args, Debug)]
pub struct ImageArguments {
    /// The Rollout: NAME or rollout/NAME.
    pub name: String,
    /// CONTAINER=IMAGE; *=IMAGE for all containers.
    #[arg(required = true, value_name = "CONTAINER=IMAGE")]
    pub images: Vec<NewImage>,
}

/// Arguments of `version`.
#[derive(Args, Debug)]
pub struct VersionArguments {
    /// The number only.
    #[arg(long)]
    pub short: bool,
    /// Format; default: text.
    #[arg(short, long)]
    pub output: Option<Format>,
}

fn said(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("say why, in a few words".to_owned()) } else { Ok(text.to_owned()) }
}

/// NAME=VALUE.
fn argument(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, for example service=shop".to_owned()),
    }
}

/// Digits are seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u64>().ok().map(Duration::from_secs);
    seconds
        .or_else(|| serin_api::go_duration(text))
        .ok_or_else(|| "expected a duration such as 90s, 5m or 1h".to_owned())
}

#[cfg(test)]
mod tests;
