//! Says what a rollout waits for, since when, until when, and what happens then: the text behind `explain`.

use jiff::Timestamp;
use serin_api::Gate;

use crate::time::api_time;

/// The gates that are closed in one plan, in the order in which they were met.
pub(crate) struct Gates {
    now: Timestamp,
    known: Vec<Gate>,
    closed: Vec<Gate>,
}

impl Gates {
    /// Starts from the gates of the stored status, so that an unchanged gate keeps the moment it closed.
    pub(crate) fn begin(now: Timestamp, known: Vec<Gate>) -> Self {
        Self { now, known, closed: Vec::new() }
    }

    /// Something that the cluster will do.
    pub(crate) fn wait(&mut self, waits_for: &str, then: &str) {
        self.close(waits_for, None, None, then);
    }

    /// As [`Self::wait`], for something that has happened by `until` at the latest, when that is known.
    pub(crate) fn wait_until(&mut self, waits_for: &str, until: Option<Timestamp>, then: &str) {
        self.close(waits_for, None, until, then);
    }

    /// Something that a person must do.
    pub(crate) fn hold(&mut self, waits_for: &str, then: &str) {
        self.close(waits_for, None, None, then);
    }

    /// As [`Self::hold`], with a moment known from elsewhere.
    pub(crate) fn hold_since(&mut self, waits_for: &str, since: Timestamp, then: &str) {
        self.close(waits_for, Some(since), None, then);
    }

    /// Something that ends by the clock.
    pub(crate) fn until(&mut self, waits_for: &str, since: Timestamp, until: Timestamp, then: &str) {
        self.close(waits_for, Some(since), Some(until), then);
    }

    /// As [`Self::wait`], when nothing better has been said.
    pub(crate) fn wait_at_least(&mut self, waits_for: &str, then: &str) {
        if self.closed.is_empty() {
            self.wait(waits_for, then);
        }
    }

    pub(crate) fn finish(self) -> Vec<Gate> {
        self.closed
    }

    fn close(&mut self, waits_for: &str, since: Option<Timestamp>, until: Option<Timestamp>, then: &str) {
        if self.closed.iter().any(|gate| gate.waits_for == waits_for) {
            return;
        }
        let before = self.known.iter().find(|gate| gate.waits_for == waits_for);
        let since =
            before.and_then(|gate| gate.since.clone()).unwrap_or_else(|| api_time(since.unwrap_or(self.now)));
        self.closed.push(Gate {
            waits_for: waits_for.to_owned(),
            since: Some(since),
            until: until.map(api_time),
            then: then.to_owned(),
        });
    }
}
