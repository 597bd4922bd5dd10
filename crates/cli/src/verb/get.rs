//! `get`: draws one Rollout or Experiment with everything that belongs to it, once or whenever it changes.

use std::time::Duration;

use jiff::Timestamp;
use serin_api::{Experiment, Rollout};
use tokio::time::{Instant, sleep, sleep_until};

use super::listed::{self, Listing};
use super::screen::{Drawn, PAUSE, Screen, TICK};
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::flags::{Format, GetArguments};
use crate::observed::{Observed, ObservedExperiment};
use crate::paint::Paint;
use crate::print;
use crate::tree::{ExperimentTree, Tree, experiment_text, experiment_tree, text, tree};
use crate::watching::{Seen, Watching, Whole};

/// Performs the verb.
///
/// # Errors
/// When the object cannot be read, or is deleted while it is watched.
pub(crate) async fn run(cluster: &Cluster, arguments: &GetArguments, paint: Paint) -> Result<(), Failure> {
    let (names, everywhere) = (&arguments.names, arguments.all_namespaces);
    let listing = Listing {
        everywhere,
        watch: arguments.watch,
        timeout: Duration::from_secs(arguments.timeout_seconds),
        format: arguments.output,
    };
    match (names.experiments(), names.all() || everywhere) {
        (true, true) => listed::run::<Experiment>(cluster, listing, paint).await,
        (false, true) => listed::run::<Rollout>(cluster, listing, paint).await,
        (true, false) => {
            let name = names.one_experiment().map_err(Failure::new)?;
            let seen = cluster.observe_experiment(name).await?;
            show::<Experiment>(cluster, name, &seen, arguments, paint).await
        }
        (false, false) => {
            let name = names.one().map_err(Failure::new)?;
            let seen = cluster.observe(name).await?;
            show::<Rollout>(cluster, name, &seen, arguments, paint).await
        }
    }
}

impl Drawn for Observed {
    type Tree = Tree;

    fn tree(&self) -> Tree {
        tree(self)
    }

    fn text(&self, paint: Paint) -> String {
        text(&tree(self), paint)
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn at(&self, now: Timestamp) -> Self {
        // Each Experiment tells the moment for itself.
        let experiments = self.experiments.iter().map(|experiment| experiment.at(now)).collect();
        Self { now, experiments, ..self.clone() }
    }
}

impl Drawn for ObservedExperiment {
    type Tree = ExperimentTree;

    fn tree(&self) -> ExperimentTree {
        experiment_tree(self)
    }

    fn text(&self, paint: Paint) -> String {
        experiment_text(&experiment_tree(self), paint)
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn at(&self, now: Timestamp) -> Self {
        Self { now, ..self.clone() }
    }
}

async fn show<K>(
    cluster: &Cluster,
    name: &str,
    seen: &K::Picture,
    arguments: &GetArguments,
    paint: Paint,
) -> Result<(), Failure>
where
    K: Whole,
    K::Picture: Drawn,
{
    if arguments.watch {
        return watch::<K>(cluster, name, seen, arguments, paint).await;
    }
    match arguments.output {
        Some(Format::Json) => print::json(&seen.tree()),
        None => print::text(&seen.text(paint)),
    }
}

async fn watch<K>(
    cluster: &Cluster,
    name: &str,
    first: &K::Picture,
    arguments: &GetArguments,
    paint: Paint,
) -> Result<(), Failure>
where
    K: Whole,
    K::Picture: Drawn,
{
    let mut screen = Screen::new(arguments.output, first.now());
    screen.draw(first, paint)?;
    let mut watching = Watching::<K>::begin(cluster, name, K::scope(first));
    let end = (arguments.timeout_seconds > 0)
        .then(|| Instant::now() + Duration::from_secs(arguments.timeout_seconds));
    loop {
        let tick = Instant::now() + TICK;
        tokio::select! {
            () = watching.changed() => {
                sleep(PAUSE).await;
                watching.catch_up();
            }
            () = sleep_until(tick), if screen.terminal => {}
            () = sleep_until(end.unwrap_or(tick)), if end.is_some() => return Ok(()),
        }
        match watching.seen() {
            None => {}
            // An Experiment has come, or the selector is another: parts are to be looked for elsewhere.
            Some(Seen::There(seen)) if K::scope(&seen) != watching.scope => {
                watching = Watching::begin(cluster, name, K::scope(&seen));
            }
            Some(Seen::There(seen)) => screen.draw(&*seen, paint)?,
            Some(Seen::Gone) => {
                return Err(Failure::new(format!("{} was deleted", cluster.title_of::<K>(name))));
            }
        }
    }
}
