//! `get rollout`: draws one Rollout with everything that belongs to it, once or whenever it changes.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep, sleep_until};

use super::list;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::flags::{Format, GetArguments};
use crate::observed::Observed;
use crate::paint::Paint;
use crate::print;
use crate::tree::{text, tree};
use crate::watching::{Seen, Watching};

/// How often ages and countdowns are drawn anew on a terminal; nothing is asked for.
const TICK: Duration = Duration::from_secs(1);
/// How long changes that belong together are collected before they are drawn.
const PAUSE: Duration = Duration::from_millis(200);

/// Performs the verb.
///
/// # Errors
/// When the Rollout cannot be read, or is deleted while it is watched.
pub(crate) async fn run(cluster: &Cluster, arguments: &GetArguments, paint: Paint) -> Result<(), Failure> {
    if arguments.names.all() || arguments.all_namespaces {
        return list::all(cluster, arguments.all_namespaces, arguments.output, paint).await;
    }
    let name = arguments.names.one().map_err(Failure::new)?;
    let seen = cluster.observe(name).await?;
    if arguments.watch {
        return watch(cluster, &seen, arguments, paint).await;
    }
    match arguments.output {
        Some(Format::Json) => print::json(&tree(&seen)),
        None => print::text(&text(&tree(&seen), paint)),
    }
}

async fn watch(
    cluster: &Cluster,
    first: &Observed,
    arguments: &GetArguments,
    paint: Paint,
) -> Result<(), Failure> {
    let mut screen = Screen {
        json: arguments.output.is_some(),
        terminal: print::to_terminal(),
        began: first.now,
        last: String::new(),
    };
    screen.draw(first, paint)?;
    let mut watching = Watching::begin(cluster, &first.rollout);
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
            Some(Seen::There(seen)) => screen.draw(&seen, paint)?,
            Some(Seen::Gone) => {
                let title = cluster.title(first.name());
                return Err(Failure::new(format!("{title} was deleted")));
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
    fn draw(&mut self, seen: &Observed, paint: Paint) -> Result<(), Failure> {
        let live = self.terminal && !self.json;
        let drawn = text(&tree(seen), paint);
        // Ages differ every second: elsewhere than on a terminal they are no news.
        let news = if live {
            drawn.clone()
        } else {
            text(&tree(&Observed { now: self.began, ..seen.clone() }), paint)
        };
        if news == self.last {
            return Ok(());
        }
        let first = self.last.is_empty();
        self.last = news;
        if self.json {
            return print::json_line(&tree(seen));
        }
        if live {
            let start = if first { "\x1b[2J\x1b[H" } else { "\x1b[H" };
            return print::text(&format!("{start}{}\x1b[J", drawn.replace('\n', "\x1b[K\n")));
        }
        print::text(&format!("{}{drawn}", if first { "" } else { "---\n" }))
    }
}
