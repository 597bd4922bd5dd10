//! Says what a router is: a pure translation between a Split and one kind of routing object.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde_json::Value;
use serin_core::seen::{ObjectKey, Seen};
use serin_core::split::{Backends, Effective, Split};
use serin_core::world::RouterReport;
use serin_core::write::Write;

use crate::refusal::Refusal;

/// What was observed of the objects that routers need. A key that is not in it has not been looked for yet.
pub type Objects = BTreeMap<ObjectKey, Seen<Value>>;

/// What a router can do, as data, so that a spec which asks for more is refused before anything runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Routes by request header.
    pub headers: bool,
    /// Mirrors requests.
    pub mirrors: bool,
    /// Weights may sum to another total than 100.
    pub max_weight: bool,
    /// Weighted experiment templates get traffic.
    pub additional: bool,
    /// The status of its objects says that the data plane follows, so that nothing need be waited for.
    pub confirms: bool,
    /// Seconds until the data plane follows a change for certain, counted from when `effective` shows it as applied.
    pub propagation_seconds: i64,
}

/// Translates a Split to and from the routing objects of one Rollout.
///
/// # Laws
/// For every set of objects that is observed fresh and refused by nothing:
/// - `render` after its writes were applied is empty;
/// - `effective` after they were applied is the wish or pending;
/// - nothing but the weights, and what this router itself added, is changed by them;
/// - applied to an object that somebody changed meanwhile, they fail or lead to the same end as rendering again.
///
/// Objects that are stale, absent or failed are never written and never read as done.
pub trait Router: Debug + Send + Sync {
    /// Its name for people: the kind and name of its objects.
    fn name(&self) -> String;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// The objects that the shell must watch or fetch for the other methods.
    fn needs(&self) -> Vec<ObjectKey>;

    /// What is missing or cannot be used, first things first.
    fn refusal(&self, backends: &Backends, seen: &Objects) -> Option<Refusal>;

    /// The weights in force as far as the objects tell. `headers` and `mirrors` of the split are the names of managed
    /// routes by which requests reach the canary whatever the weights; their matches are left out, for whether those
    /// are as wished is told by `render` being empty. `reached` is set where pods are addressed by label.
    fn effective(&self, backends: &Backends, seen: &Objects) -> Effective;

    /// The writes that make the objects say `want`; empty when they do. Each object is rendered by itself, so that one
    /// which is missing never keeps the others from going back to stable.
    fn render(&self, backends: &Backends, want: &Split, seen: &Objects) -> Vec<Write>;
}

/// What `plan` is told of a router.
pub fn report(router: &dyn Router, backends: &Backends, seen: &Objects) -> RouterReport {
    let Capabilities { confirms, propagation_seconds, .. } = router.capabilities();
    RouterReport {
        name: router.name(),
        effective: router.effective(backends, seen),
        refusal: router.refusal(backends, seen).map(|refusal| refusal.to_string()),
        propagation_seconds,
        confirms,
    }
}

/// How one object may be read.
pub(crate) enum Sight<'o> {
    /// As it is now.
    Fresh(&'o Value),
    /// As it was before our last write to it.
    Stale(&'o Value),
    /// Not there.
    Absent,
    /// Not known, and why.
    Unknown(String),
}

impl<'o> Sight<'o> {
    /// Looks one object up.
    pub(crate) fn of(seen: &'o Objects, key: &ObjectKey) -> Self {
        match seen.get(key) {
            Some(Seen::Fresh(object)) => Self::Fresh(object),
            Some(Seen::Stale(object)) => Self::Stale(object),
            Some(Seen::Absent) => Self::Absent,
            Some(Seen::Failed(why)) => Self::Unknown(format!("{key} cannot be read: {why}")),
            None => Self::Unknown(format!("{key} has not been read yet")),
        }
    }

    /// The object, fresh or stale.
    pub(crate) fn object(&self) -> Option<&'o Value> {
        match self {
            Self::Fresh(object) | Self::Stale(object) => Some(object),
            Self::Absent | Self::Unknown(_) => None,
        }
    }
}
