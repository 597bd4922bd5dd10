//! Says what is known of one load balancer, and when to ask again.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use serin_core::seen::Seen;
use serin_traffic::elb::Known;
use tokio::time::Instant;

use crate::object::Name;

/// How long AWS is left alone that gave no answer, at first and at the longest.
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(60);

/// The last answers, and the question that is on its way.
#[derive(Debug, Default)]
pub(super) struct Answers {
    answer: Option<Value>,
    /// When the question was begun that `answer` answers.
    asked: Option<Instant>,
    known: Known,
    failure: Option<Failure>,
    underway: Option<Instant>,
    /// Rollouts to tell.
    waiting: BTreeSet<Name>,
}

#[derive(Debug)]
struct Failure {
    why: String,
    tries: u32,
    until: Instant,
}

impl Answers {
    /// Begins to ask for a Rollout when it is time to: when nothing is known `since` its last change, or `pause` is over.
    pub(super) fn begin(
        &mut self,
        name: &Name,
        (since, pause): (Instant, Option<Duration>),
        now: Instant,
    ) -> bool {
        let outdated = self.asked.is_none_or(|asked| asked < since);
        let due = outdated && self.failure.is_none() || self.due(pause).is_some_and(|at| at <= now);
        if self.underway.is_some() || due {
            self.waiting.insert(name.clone());
        }
        if self.underway.is_some() || !due {
            return false;
        }
        self.underway = Some(now);
        true
    }

    /// When to ask again, for somebody who waits so long between two answers.
    pub(super) fn due(&self, pause: Option<Duration>) -> Option<Instant> {
        if self.underway.is_some() {
            return None;
        }
        match &self.failure {
            Some(failure) => Some(failure.until),
            None => Some(self.asked? + pause?),
        }
    }

    /// Takes what came of the question; the Rollouts that wait for it.
    pub(super) fn end(&mut self, told: Result<(Value, Known), String>, now: Instant) -> BTreeSet<Name> {
        let began = self.underway.take();
        match told {
            Ok((answer, known)) => {
                (self.answer, self.asked, self.known, self.failure) = (Some(answer), began, known, None);
            }
            Err(why) => {
                let tries = self.failure.as_ref().map_or(0, |failure| failure.tries.saturating_add(1));
                let pause = FIRST.saturating_mul(1 << tries.min(8)).min(LONGEST);
                self.failure = Some(Failure { why, tries, until: now + pause });
            }
        }
        std::mem::take(&mut self.waiting)
    }

    /// What is known for somebody whose last change was seen at `since`; `None` before the first answer.
    pub(super) fn seen(&self, since: Instant) -> Option<Seen<Value>> {
        match (&self.answer, &self.failure) {
            (Some(answer), _) if self.asked >= Some(since) => Some(Seen::Fresh(answer.clone())),
            (_, Some(failure)) => Some(Seen::Failed(failure.why.clone())),
            (Some(answer), None) => Some(Seen::Stale(answer.clone())),
            (None, None) => None,
        }
    }

    /// Target groups that need not be asked about again.
    pub(super) fn known(&self) -> Known {
        self.known.clone()
    }
}
