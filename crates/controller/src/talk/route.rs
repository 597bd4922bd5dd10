//! Says what is known of the split that one extension has in force for one Rollout, and when to ask again.

use std::time::Duration;

use serde_json::Value;
use serin_core::seen::{ObjectKey, Seen};
use serin_core::world::WriteRefusal;
use tokio::time::Instant;

/// An answer counts for this long: a Rollout that is looked at often does not ask each time.
pub(super) const FRESH: Duration = Duration::from_secs(5);
/// How long an extension is left alone that did not do as it was told, at first and at the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Underway {
    #[default]
    Nothing,
    Reading,
    Telling,
}

/// What went wrong with the last thing that was told.
#[derive(Debug)]
struct Trouble {
    why: String,
    tries: u32,
    until: Instant,
}

/// The split of one extension for one Rollout.
#[derive(Debug, Default)]
pub(super) struct Route {
    seen: Option<Seen<Value>>,
    read_at: Option<Instant>,
    underway: Underway,
    /// Counts what was told: an answer that was asked for before it does not count.
    turn: u64,
    trouble: Option<Trouble>,
}

impl Route {
    /// Begins to read when it is time to; the turn that the answer belongs to.
    pub(super) fn read(&mut self, now: Instant) -> Option<u64> {
        let fresh = self.read_at.is_some_and(|at| now < at + FRESH);
        if fresh || self.underway != Underway::Nothing {
            return None;
        }
        self.underway = Underway::Reading;
        Some(self.turn)
    }

    /// Takes an answer to a reading; whether it is news.
    pub(super) fn heard(&mut self, turn: u64, read: Result<Value, String>, now: Instant) -> bool {
        if turn != self.turn || self.underway != Underway::Reading {
            return false;
        }
        self.underway = Underway::Nothing;
        self.read_at = Some(now);
        let seen = Some(read.map_or_else(Seen::Failed, Seen::Fresh));
        let news = self.seen != seen;
        self.seen = seen;
        news
    }

    /// Whether it may be told something now; then what was read of it is stale.
    pub(super) fn begin_telling(&mut self, now: Instant) -> bool {
        let left_alone = self.trouble.as_ref().is_some_and(|trouble| now < trouble.until);
        if self.underway == Underway::Telling || left_alone {
            return false;
        }
        self.underway = Underway::Telling;
        self.turn += 1;
        self.seen = self.seen.take().map(|seen| match seen {
            Seen::Fresh(object) | Seen::Stale(object) => Seen::Stale(object),
            other => other,
        });
        true
    }

    /// Takes what came of telling: it is read again whatever that was.
    pub(super) fn told(&mut self, done: Result<(), String>, now: Instant) {
        self.underway = Underway::Nothing;
        self.read_at = None;
        self.trouble = done.err().map(|why| {
            let tries = self.trouble.as_ref().map_or(0, |trouble| trouble.tries.saturating_add(1));
            let pause = FIRST.saturating_mul(1 << tries.min(8)).min(LONGEST);
            Trouble { why, tries, until: now + pause }
        });
    }

    /// How much is known of its split.
    pub(super) fn seen(&self) -> Seen<Value> {
        self.seen.clone().unwrap_or_else(|| Seen::Failed("it has not answered yet".to_owned()))
    }

    /// What it did not do just now, and why; what it is not told any more is forgotten.
    pub(super) fn refusal(&self, key: &ObjectKey, now: Instant) -> Option<WriteRefusal> {
        let trouble = self.trouble.as_ref().filter(|trouble| now < trouble.until + LONGEST)?;
        Some(WriteRefusal {
            kind: key.kind.clone(),
            object: format!("extension \"{}\"", key.name),
            message: trouble.why.clone(),
            name_taken: false,
        })
    }

    /// Something is on its way, or what was told has not been read back.
    pub(super) fn busy(&self) -> bool {
        self.underway != Underway::Nothing || self.read_at.is_none()
    }

    /// When it may be told again what it did not do.
    pub(super) fn left_alone_until(&self, now: Instant) -> Option<Instant> {
        self.trouble.as_ref().map(|trouble| trouble.until).filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_read_before_something_was_told_does_not_count() {
        let mut route = Route::default();
        assert!(matches!(route.seen(), Seen::Failed(_)) && route.busy());
        let turn = route.read(Instant::now()).unwrap();
        assert!(route.heard(turn, Ok(json!(1)), Instant::now()), "the first answer is news");
        assert_eq!((route.seen(), route.busy()), (Seen::Fresh(json!(1)), false));
        assert_eq!(route.read(Instant::now()), None, "it was read just now");
        tokio::time::advance(FRESH).await;
        let turn = route.read(Instant::now()).unwrap();
        assert!(route.begin_telling(Instant::now()));
        assert_eq!(route.seen(), Seen::Stale(json!(1)));
        assert!(!route.heard(turn, Ok(json!(1)), Instant::now()), "it may be older than what was told");
        assert!(!route.begin_telling(Instant::now()), "one thing at a time");
        assert_eq!(route.read(Instant::now()), None);
        route.told(Ok(()), Instant::now());
        assert_eq!((route.seen(), route.busy()), (Seen::Stale(json!(1)), true));
        let turn = route.read(Instant::now()).expect("it is read back at once");
        assert!(route.heard(turn, Ok(json!(2)), Instant::now()));
        assert_eq!(route.seen(), Seen::Fresh(json!(2)));
        tokio::time::advance(FRESH).await;
        let turn = route.read(Instant::now()).unwrap();
        assert!(!route.heard(turn, Ok(json!(2)), Instant::now()), "nothing new");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_do_as_told_is_left_alone_for_longer_and_longer() {
        let key = ObjectKey::new("g", "v1", "Extension", "shop", "acme/router");
        let mut route = Route::default();
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            assert!(route.begin_telling(Instant::now()), "{pause}");
            route.told(Err("status 500".to_owned()), Instant::now());
            let refusal = route.refusal(&key, Instant::now()).unwrap();
            let (object, message) = (refusal.object.as_str(), refusal.message.as_str());
            assert_eq!((object, message), ("extension \"acme/router\"", "status 500"));
            assert_eq!(
                route.left_alone_until(Instant::now()),
                Some(Instant::now() + Duration::from_secs(pause))
            );
            tokio::time::advance(Duration::from_millis(pause * 1000 - 1)).await;
            assert!(!route.begin_telling(Instant::now()), "{pause}");
            tokio::time::advance(Duration::from_millis(1)).await;
            assert_eq!(route.left_alone_until(Instant::now()), None);
        }
        assert!(route.begin_telling(Instant::now()));
        route.told(Ok(()), Instant::now());
        assert!(route.refusal(&key, Instant::now()).is_none());
        assert!(route.begin_telling(Instant::now()));
        route.told(Err("status 500".to_owned()), Instant::now());
        tokio::time::advance(FIRST + LONGEST).await;
        assert!(route.refusal(&key, Instant::now()).is_none(), "it was not told again");
    }
}
