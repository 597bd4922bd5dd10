//! The verbs of `kubectl serin`, one file each: what they decide, and how they are performed.

pub mod abort;
mod adopt;
mod compare;
mod create;
mod drill;
mod explain;
mod get;
mod hold;
mod lint;
mod list;
mod list_experiments;
mod listed;
pub mod pause;
mod plan;
pub mod promote;
mod replay;
pub mod restart;
pub mod retry;
mod retry_experiment;
mod screen;
pub mod set_image;
mod simulate;
mod status;
mod terminate;
pub mod undo;
mod verify;
mod version;

use clap::CommandFactory;
use serin_api::Rollout;

use crate::change::Decision;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::flags::{Cli, Names, PromoteArguments, SetVerb, UndoArguments, Verb, plain_name};
use crate::paint::Paint;
use crate::perform::{each, on_rollout};
use crate::print;
use crate::record::{self, Overrule};
use promote::Reach;

/// Performs the command line.
///
/// # Errors
/// Whatever keeps the verb from what it is asked; the failure has the exit code.
pub async fn run(cli: Cli) -> Result<(), Failure> {
    let paint = print::paint(cli.no_color);
    match &cli.verb {
        Verb::Lint(arguments) => lint::run(arguments, paint).await,
        Verb::Verify(verb) => verify::run(verb, paint).await,
        Verb::Compare(arguments) => compare::run(&cli.connection, arguments, paint).await,
        Verb::Plan(arguments) => plan::run(&cli.connection, arguments, paint).await,
        Verb::Simulate(arguments) => simulate::run(arguments, paint),
        Verb::Replay(arguments) => replay::run(&cli.connection, arguments, paint).await,
        Verb::Dashboard(flags) => dashboard(flags, !cli.no_color).await,
        Verb::Version(arguments) => version::run(arguments),
        Verb::Completion { shell } => completion(*shell),
        verb => {
            let cluster = Cluster::connect(&cli.connection).await?;
            with_cluster(&cluster, verb, paint).await
        }
    }
}

/// Serves until it is ended.
async fn dashboard(flags: &serin_dashboard::flags::Flags, colours: bool) -> Result<(), Failure> {
    serin_dashboard::serve::log(colours);
    serin_dashboard::serve::run(flags.clone()).await.map_err(|error| Failure::new(format!("{error:#}")))
}

/// The verbs that cannot do without a cluster.
async fn with_cluster(cluster: &Cluster, verb: &Verb, paint: Paint) -> Result<(), Failure> {
    match verb {
        Verb::Get(arguments) => get::run(cluster, arguments, paint).await,
        Verb::List(arguments) => list::run(cluster, arguments, paint).await,
        Verb::Status(arguments) => status::run(cluster, arguments).await,
        Verb::Explain(arguments) => explain::run(cluster, arguments, paint).await,
        Verb::Adopt(arguments) => adopt::run(cluster, arguments, paint).await,
        Verb::Drill(arguments) => drill::run(cluster, arguments).await,
        Verb::Create(arguments) => create::run(cluster, arguments).await,
        Verb::Hold(arguments) => hold::hold(cluster, arguments).await,
        Verb::Release(arguments) => hold::release(cluster, arguments).await,
        Verb::Terminate(verb) => terminate::run(cluster, verb).await,
        changing => change(cluster, changing).await,
    }
}

/// The verbs that change something.
async fn change(cluster: &Cluster, verb: &Verb) -> Result<(), Failure> {
    let invocation = &cluster.invocation;
    match verb {
        Verb::Promote(arguments) => promotion(cluster, arguments).await,
        Verb::Abort(names) => {
            all(cluster, names, "abort", |rollout| abort::decide(rollout, invocation)).await
        }
        Verb::Retry(names) if names.experiments() => retry_experiment::run(cluster, names).await,
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
            on_rollout(cluster, name, "set the image of", decide).await.map(drop)
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
    each(&names, |name| async { on_rollout(cluster, name, verb, &decide).await.map(drop) }).await
}

async fn promotion(cluster: &Cluster, arguments: &PromoteArguments) -> Result<(), Failure> {
    let reach = reach(arguments);
    let overrule = match &arguments.reason {
        None => None,
        Some(reason) => Some(Overrule {
            by: record::user(cluster).await,
            at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            what: words(reach).to_owned(),
            reason: reason.trim().to_owned(),
            revision: String::new(),
        }),
    };
    let overrule = overrule.as_ref();
    let names = arguments.names.plain().map_err(Failure::new)?;
    each(&names, |name| async move {
        let decide = |rollout: &Rollout| {
            let decision = promote::decide(rollout, reach, &cluster.invocation);
            overrule.map_or(decision.clone(), |overrule| overrule.with(rollout, decision))
        };
        let acted = on_rollout(cluster, name, "promote", decide).await?;
        if let Some(overrule) = overrule.filter(|_| acted) {
            record::announce(cluster, name, overrule).await;
        }
        Ok(())
    })
    .await
}

fn words(reach: Reach) -> &'static str {
    match reach {
        Reach::Pause => "promote",
        Reach::Step => "promote --skip-current-step",
        Reach::Full => "promote --full",
    }
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
    on_rollout(cluster, name, "undo", decide).await.map(drop)
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
