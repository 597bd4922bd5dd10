//! `get`: draws one Rollout or Experiment with everything that belongs to it, once or whenever it changes.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serin_api::{Experiment, Rollout};
use tokio::time::{Instant, sleep, sleep_until};

use super::{list, list_experiments};
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::flags::{Format, GetArguments};
use crate::observed::{Observed, ObservedExperiment};
use crate::paint::Paint;
use crate::print;
use crate::tree::{ExperimentTree, Tree, experiment_text, experiment_tree, text, tree};
use crate::watching::{Seen, Watching, Whole};

/// How often ages and countdowns are drawn anew on a terminal; nothing is asked for.
const TICK: Duration = Duration::from_secs(1);
/// How long changes that belong together are collected before they are drawn.
const PAUSE: Duration = Duration::from_millis(200);

/// Performs the verb.
///
/// # Errors
/// When the object cannot be read, or is deleted while it is watched.
pub(crate) async fn run(cluster: &Cluster, arguments: &GetArguments, paint: Paint) -> Result<(), Failure> {
    let (names, everywhere) = (&arguments.names, arguments.all_namespaces);
    match (names.experiments(), names.all() || everywhere) {
        (true, true) => list_experiments::all(cluster, everywhere, arguments.output, paint).await,
        (false, true) => list::all(cluster, everywhere, arguments.output, paint).await,
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

/// What can be drawn: an object with its parts, at a moment.
trait Drawn: Clone {
    type Tree: Serialize;
    fn tree(&self) -> Self::Tree;
    fn text(&self, paint: Paint) -> String;
    fn now(&self) -> Timestamp;
    /// As if it was seen at another moment.
    fn at(&self, now: Timestamp) -> Self;
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
    let mut screen = Screen {
        json: arguments.output.is_some(),
        terminal: print::to_terminal(),
        began: first.now(),
        last: String::new(),
    };
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

/// What was drawn last, so that nothing is drawn twice.
struct Screen {
    json: bool,
    terminal: bool,
    began: Timestamp,
    last: String,
}

impl Screen {
    fn draw(&mut self, seen: &impl Drawn, paint: Paint) -> Result<(), Failure> {
        let live = self.terminal && !self.json;
        let drawn = seen.text(paint);
        // Ages differ every second: elsewhere than on a terminal they are no news.
        let news = if live { drawn.clone() } else { seen.at(self.began).text(paint) };
        if news == self.last {
            return Ok(());
        }
        let first = self.last.is_empty();
        self.last = news;
        if self.json {
            return print::json_line(&seen.tree());
        }
        if live {
            let start = if first { "\x1b[2J\x1b[H" } else { "\x1b[H" };
            return print::text(&format!("{start}{}\x1b[J", drawn.replace('\n', "\x1b[K\n")));
        }
        print::text(&format!("{}{drawn}", if first { "" } else { "---\n" }))
    }
}
