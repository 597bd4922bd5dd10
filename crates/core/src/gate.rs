//! Says what a rollout waits for, since when, until when, and what happens then: the text behind `explain`.

use jiff::Timestamp;
use serin_api::Gate;

use crate::time::api_time;

/// How long an attempt may stand still, and what becomes of it then: `progressDeadlineSeconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    /// As long as it takes: nothing happens by the clock.
    Open,
    /// Until this moment.
    At(Timestamp, Late),
    /// It is over.
    Passed(Late),
}

/// What becomes of an attempt that stands still for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    /// It is Degraded, and goes on as soon as it can.
    Told,
    /// It is taken back: `progressDeadlineAbort`.
    Aborted,
}

impl Deadline {
    fn until(self) -> Option<Timestamp> {
        match self {
            Self::At(until, _) => Some(until),
            Self::Open | Self::Passed(_) => None,
        }
    }

    /// What happens when the wait is over, and what when it is not over in time.
    fn then(self, then: &str) -> String {
        let late = match self {
            Self::Open => return then.to_owned(),
            Self::At(_, Late::Told) => "if not in time, the rollout is Degraded, and goes on when it happens",
            Self::At(_, Late::Aborted) => "if not in time, the update is aborted",
            Self::Passed(Late::Told) => "the rollout is Degraded until then",
            Self::Passed(Late::Aborted) => "it is too late for that, and the update is aborted",
        };
        format!("{then}; {late}")
    }
}

/// One closed gate on its way into the status.
struct Closed {
    gate: Gate,
    /// It has to open within the progress deadline.
    in_time: bool,
}

/// The gates that are closed in one plan, in the order in which they were met.
pub(crate) struct Gates {
    now: Timestamp,
    known: Vec<Gate>,
    closed: Vec<Closed>,
}

impl Gates {
    /// Starts from the gates of the stored status, so that an unchanged gate keeps the moment it closed.
    pub(crate) fn begin(now: Timestamp, known: Vec<Gate>) -> Self {
        Self { now, known, closed: Vec::new() }
    }

    /// Something that the cluster will do, and that nothing happens without.
    pub(crate) fn wait(&mut self, waits_for: &str, then: &str) {
        self.close(waits_for, (None, None), then, false);
    }

    /// Something that the cluster has to do for the attempt to go on: pods that become available, a router or a Service
    /// that follows. It has the time of the progress deadline, which [`Self::finish`] is told.
    pub(crate) fn wait_in_time(&mut self, waits_for: &str, then: &str) {
        self.close(waits_for, (None, None), then, true);
    }

    /// As [`Self::wait_in_time`], for something that has happened by `until`, when that is known.
    pub(crate) fn settle(&mut self, waits_for: &str, until: Option<Timestamp>, then: &str) {
        self.close(waits_for, (None, until), then, until.is_none());
    }

    /// As [`Self::wait`], for something that has happened by `until` at the latest, when that is known.
    pub(crate) fn wait_until(&mut self, waits_for: &str, until: Option<Timestamp>, then: &str) {
        self.close(waits_for, (None, until), then, false);
    }

    /// Something that a person must do.
    pub(crate) fn hold(&mut self, waits_for: &str, then: &str) {
        self.close(waits_for, (None, None), then, false);
    }

    /// As [`Self::hold`], with a moment known from elsewhere.
    pub(crate) fn hold_since(&mut self, waits_for: &str, since: Timestamp, then: &str) {
        self.close(waits_for, (Some(since), None), then, false);
    }

    /// Something that ends by the clock.
    pub(crate) fn until(&mut self, waits_for: &str, since: Timestamp, until: Timestamp, then: &str) {
        self.close(waits_for, (Some(since), Some(until)), then, false);
    }

    /// As [`Self::wait_in_time`], when nothing better has been said.
    pub(crate) fn wait_at_least(&mut self, waits_for: &str, then: &str) {
        if self.is_empty() {
            self.wait_in_time(waits_for, then);
        }
    }

    /// Nothing is waited for so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.closed.is_empty()
    }

    /// The gates for the status. `deadline` is that of what has to happen in time.
    pub(crate) fn finish(self, deadline: Deadline) -> Vec<Gate> {
        let finished = self.closed.into_iter().map(|Closed { gate, in_time }| match in_time {
            false => gate,
            true => Gate { until: deadline.until().map(api_time), then: deadline.then(&gate.then), ..gate },
        });
        finished.collect()
    }

    fn close(
        &mut self,
        waits_for: &str,
        (since, until): (Option<Timestamp>, Option<Timestamp>),
        then: &str,
        in_time: bool,
    ) {
        if self.closed.iter().any(|closed| closed.gate.waits_for == waits_for) {
            return;
        }
        let before = self.known.iter().find(|gate| gate.waits_for == waits_for);
        let since =
            before.and_then(|gate| gate.since.clone()).unwrap_or_else(|| api_time(since.unwrap_or(self.now)));
        let gate = Gate {
            waits_for: waits_for.to_owned(),
            since: Some(since),
            until: until.map(api_time),
            then: then.to_owned(),
        };
        self.closed.push(Closed { gate, in_time });
    }
}
