//! Says whether the caches have seen what this process wrote: nobody acts on what is older than his own last write.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serin_core::seen::ObjectKey;
use tokio::time::Instant;

use crate::object::{Name, reached};

/// What a cache must show of an object that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This version or a newer one.
    Version(String),
    /// Not the object of this uid any more, or that it is being deleted.
    Gone(String),
}

/// What a cache shows of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `metadata.resourceVersion`.
    pub version: String,
    /// `metadata.uid`.
    pub uid: String,
    /// Being deleted.
    pub deleting: bool,
}

impl Reach {
    fn met(&self, shown: Option<&Shown>) -> bool {
        match (self, shown) {
            (Self::Version(written), Some(shown)) => reached(&shown.version, written),
            (Self::Version(_), None) => false,
            (Self::Gone(uid), Some(shown)) => shown.uid != *uid || shown.deleting,
            (Self::Gone(_), None) => true,
        }
    }
}

/// After this time a write that no cache has shown is taken as seen. An event can be lost, and a version may not be
/// comparable; acting on an older state is safe then, because every write has its own precondition, only wasteful.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
struct Mark {
    reach: Reach,
    expires: Instant,
}

/// Objects whose cache is older than our last write to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    /// Which.
    pub objects: BTreeSet<ObjectKey>,
    /// When the first of them is not waited for any more.
    pub until: Option<Instant>,
}

/// The last write of this process to each object, by the object that the writes were decided for.
#[derive(Debug, Default)]
pub struct Marks(Mutex<HashMap<Name, BTreeMap<ObjectKey, Mark>>>);

impl Marks {
    fn with<R>(&self, work: impl FnOnce(&mut HashMap<Name, BTreeMap<ObjectKey, Mark>>) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes a write that was decided for `owner`.
    pub fn note(&self, owner: &Name, object: ObjectKey, reach: Reach, now: Instant) {
        let mark = Mark { reach, expires: now + PATIENCE };
        self.with(|marks| marks.entry(owner.clone()).or_default().insert(object, mark));
    }

    /// What is behind of the writes decided for `owner`; `shown` looks an object up in its cache.
    pub fn behind(&self, owner: &Name, now: Instant, shown: impl Fn(&ObjectKey) -> Option<Shown>) -> Behind {
        self.with(|marks| {
            let Some(own) = marks.get_mut(owner) else { return Behind::default() };
            own.retain(|object, mark| keep_waiting(object, mark, now, shown(object).as_ref()));
            let behind = Behind {
                objects: own.keys().cloned().collect(),
                until: own.values().map(|mark| mark.expires).min(),
            };
            if own.is_empty() {
                marks.remove(owner);
            }
            behind
        })
    }

    /// The owner is gone.
    pub fn forget(&self, owner: &Name) {
        self.with(|marks| marks.remove(owner));
    }
}

fn keep_waiting(object: &ObjectKey, mark: &Mark, now: Instant, shown: Option<&Shown>) -> bool {
    if mark.reach.met(shown) {
        return false;
    }
    if mark.expires <= now {
        tracing::warn!(%object, "the watch has not shown our last write for {} s", PATIENCE.as_secs());
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new("apps", "v1", "ReplicaSet", "n", name)
    }

    fn shown(version: &str, uid: &str, deleting: bool) -> Option<Shown> {
        Some(Shown { version: version.to_owned(), uid: uid.to_owned(), deleting })
    }

    #[tokio::test(start_paused = true)]
    async fn a_cache_is_behind_until_it_shows_the_write() {
        let version = || Reach::Version("10".to_owned());
        let gone = || Reach::Gone("u".to_owned());
        for (case, reach, seen, behind) in [
            ("older", version(), shown("9", "u", false), true),
            ("the write itself", version(), shown("10", "u", false), false),
            ("newer", version(), shown("11", "u", false), false),
            ("created, not seen yet", version(), None, true),
            ("cannot be compared", version(), shown("x9", "u", false), true),
            ("deleted, still there", gone(), shown("9", "u", false), true),
            ("deleted, on its way", gone(), shown("9", "u", true), false),
            ("deleted, gone", gone(), None, false),
            ("deleted, made anew", gone(), shown("12", "w", false), false),
        ] {
            let (marks, owner) = (Marks::default(), Name::new("n", "r"));
            marks.note(&owner, key("a"), reach, Instant::now());
            let found = marks.behind(&owner, Instant::now(), |_| seen.clone());
            assert_eq!(!found.objects.is_empty(), behind, "{case}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_lost_event_ends() {
        let (marks, owner) = (Marks::default(), Name::new("n", "r"));
        marks.note(&owner, key("a"), Reach::Version("10".to_owned()), Instant::now());
        let behind = marks.behind(&owner, Instant::now(), |_| None);
        assert_eq!(behind.until, Some(Instant::now() + PATIENCE));
        tokio::time::advance(PATIENCE).await;
        assert_eq!(marks.behind(&owner, Instant::now(), |_| None), Behind::default());
    }
}
