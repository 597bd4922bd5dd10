//! Draws what is watched, anew whenever it changes.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::failure::Failure;
use crate::flags::Format;
use crate::paint::Paint;
use crate::print;

/// How often ages and countdowns are drawn anew on a terminal; nothing is asked for.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// How long changes that belong together are collected before they are drawn.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// What can be drawn: at a moment.
pub(super) trait Drawn {
    /// For machines.
    type Tree: Serialize;
    /// For machines.
    fn tree(&self) -> Self::Tree;
    /// For people.
    fn text(&self, paint: Paint) -> String;
    /// When it was seen.
    fn now(&self) -> Timestamp;
    /// As if it was seen at another moment.
    fn at(&self, now: Timestamp) -> Self;
}

/// What was drawn last, so that nothing is drawn twice.
pub(super) struct Screen {
    json: bool,
    /// Somebody looks at it.
    pub(super) terminal: bool,
    began: Timestamp,
    last: String,
}

impl Screen {
    /// Nothing is drawn yet.
    pub(super) fn new(format: Option<Format>, began: Timestamp) -> Self {
        Self { json: format.is_some(), terminal: print::to_terminal(), began, last: String::new() }
    }

    /// Draws it if it is not what is drawn already.
    ///
    /// # Errors
    /// Output that cannot be written.
    pub(super) fn draw(&mut self, seen: &impl Drawn, paint: Paint) -> Result<(), Failure> {
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
