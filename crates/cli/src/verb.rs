//! The verbs of `kubectl serin`, one file each: what they decide, and how they are performed.

pub mod abort;
mod explain;
mod get;
mod lint;
mod list;
pub mod pause;
pub mod promote;
pub mod restart;
pub mod retry;
pub mod set_image;
mod status;
pub mod undo;
mod verify;
mod version;

use clap::CommandFactory;
use serin_api::Rollout;

use crate::change::Decision;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::flags::{Cli, Names, PromoteArguments, SetVerb, UndoArguments, Verb, plain_name};
use crate::perform::{each, on_rollout};
use crate::print;
use promote::Reach;

/// Performs the command line.
///
/// # Errors
/// Whatever keeps the verb from what it is asked; the failure has the exit code.
pub async fn run(cli: Cli) -> Result<(), Failure> {
    let paint = print::paint(cli.no_color);
    match &cli.verb {
        Verb::Lint(arguments) => return lint::run(arguments, paint),
        Verb::Verify(verb) => return verify::run(verb, paint).await,
        Verb::Version(arguments) => return version::run(arguments),
        Verb::Completion { shell } => return completion(*shell),
        _ => {}
    }
    let cluster = Cluster::connect(&cli.connection).await?;
    let cluster = &cluster;
    match &cli.verb {
        Verb::Get(arguments) => get::run(cluster, arguments, paint).await,
        Verb::List(arguments) => list::run(cluster, arguments, paint).await,
        Verb::Status(arguments) => status::run(cluster, arguments).await,
        Verb::Explain(arguments) => explain::run(cluster, arguments, paint).await,
        Verb::Lint(_) | Verb::Verify(_) | Verb::Version(_) | Verb::Completion { .. } => Ok(()),
        changing => change(cluster, changing).await,
    }
}

/// The verbs that change something.
async fn change(cluster: &Cluster, verb: &Verb) -> Result<(), Failure> {
    let invocation = &cluster.invocation;
    match verb {
        Verb::Promote(arguments) => {
            let reach = reach(arguments);
            all(cluster, &arguments.names, "promote", |rollout| promote::decide(rollout, reach, invocation))
                .await
        }
        Verb::Abort(names) => {
            all(cluster, names, "abort", |rollout| abort::decide(rollout, invocation)).await
        }
        Verb::Retry(names) => all(cluster, names, "retry", retry::decide).await,
        Verb::Pause(names) => {
            all(cluster, names, "pause", |rollout| pause::decide(rollout, invocation)).await
        }
        Verb::Restart(arguments) => {
            let (now, delay) = (jiff::Timestamp::now(), arguments.delay);
            all(cluster, &arguments.names, "restart", |rollout| restart::decide(rollout, now, delay)).await
        }
        Verb::Set(SetVerb::Image(arguments)) => {
            let name = plain_name(&arguments.name).map_err(Failure::new)?;
            let decide = |rollout: &Rollout| set_image::decide(rollout, &arguments.images);
            on_rollout(cluster, name, "set the image of", decide).await
        }
        Verb::Undo(arguments) => undo(cluster, arguments).await,
        _ => Ok(()),
    }
}

async fn all(
    cluster: &Cluster,
    names: &Names,
    verb: &str,
    decide: impl Fn(&Rollout) -> Decision,
) -> Result<(), Failure> {
    let names = names.plain().map_err(Failure::new)?;
    each(&names, |name| on_rollout(cluster, name, verb, &decide)).await
}

async fn undo(cluster: &Cluster, arguments: &UndoArguments) -> Result<(), Failure> {
    let name = arguments.names.one().map_err(Failure::new)?;
    let seen = cluster.observe(name).await?;
    if let Some(note) = seen.notes.iter().find(|note| note.starts_with("ReplicaSets")) {
        return Err(Failure::new(format!(
            "cannot undo {}: its revisions are not known; {note}",
            cluster.title(name)
        )));
    }
    let decide = |rollout: &Rollout| undo::decide(rollout, &seen.replica_sets, arguments.to_revision);
    on_rollout(cluster, name, "undo", decide).await
}

fn reach(arguments: &PromoteArguments) -> Reach {
    match (arguments.full, arguments.skip_current_step) {
        (true, _) => Reach::Full,
        (false, true) => Reach::Step,
        (false, false) => Reach::Pause,
    }
}

/// kubectl finds completions of a plugin in an executable `kubectl_complete-serin`; shells find this script by the name
/// of the plugin itself.
fn completion(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "kubectl-serin", &mut script);
    print::text(&String::from_utf8_lossy(&script))
}
