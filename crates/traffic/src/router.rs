//! Says what a router is: a pure translation between a Split and one kind of routing object.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde_json::Value;
use serin_api::CanaryStep;
use serin_core::seen::{ObjectKey, Seen};
use serin_core::split::{Backends, Effective, Split};
use serin_core::world::RouterReport;
use serin_core::write::Write;

use crate::capability::{self, Capabilities};
use crate::refusal::Refusal;

/// What was observed of the objects that routers need. A key that is not in it has not been looked for yet.
pub type Objects = BTreeMap<ObjectKey, Seen<Value>>;

/// Translates a Split to and from the routing objects of one Rollout.
///
/// # Laws
/// For every set of objects that is observed fresh and refused by nothing:
/// - `render` after its writes were applied is empty;
/// - `effective` after they were applied is the wish or pending;
/// - nothing but the weights, and what this router itself added, is changed by them;
/// - applied to an object that somebody changed meanwhile, they fail or lead to the same end as rendering again.
///
/// - after the writes of `release`, asked for and applied until there are none, everything goes to stable and nothing of
///   what this router added is left.
///
/// Objects that are stale or failed are never written and never read as done. Absent ones are created when they are the
/// router's own, and are never read as traffic on the canary.
pub trait Router: Debug + Send + Sync {
    /// Its name for people: the kind and name of its objects.
    fn name(&self) -> String;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// The objects that the shell must watch or fetch for the other methods.
    fn needs(&self) -> Vec<ObjectKey>;

    /// Objects that those of `needs` and these name in turn, as far as they have been seen: ask until there are no new.
    fn further(&self, seen: &Objects) -> Vec<ObjectKey>;

    /// What is missing or cannot be used, first things first.
    fn refusal(&self, backends: &Backends, seen: &Objects) -> Option<Refusal>;

    /// The weights in force as far as the objects tell. `headers` and `mirrors` of the split are the names of managed
    /// routes by which requests reach the canary whatever the weights; their matches are left out, for whether those
    /// are as wished is told by `render` being empty. `reached` is set where pods are addressed by label.
    fn effective(&self, backends: &Backends, seen: &Objects) -> Effective;

    /// The writes that make the objects say `want`; empty when they do. Each object is rendered by itself, so that one
    /// which is missing never keeps the others from going back to stable.
    fn render(&self, backends: &Backends, want: &Split, seen: &Objects) -> Vec<Write>;

    /// The writes that take back what this router added, for a Rollout that is deleted or does not name its objects any
    /// more: rules of managed routes, labels, hashes, objects of its own. The weights are left at stable. `backends` are
    /// those from when the objects were named; ask again after each look until it is empty.
    fn release(&self, backends: &Backends, seen: &Objects) -> Vec<Write>;
}

/// What `plan` is told of a router; `steps` are those of the Rollout.
pub fn report(
    router: &dyn Router,
    backends: &Backends,
    steps: &[CanaryStep],
    seen: &Objects,
) -> RouterReport {
    let capabilities = router.capabilities();
    let Capabilities { confirms, propagation_seconds, .. } = capabilities;
    RouterReport {
        name: router.name(),
        effective: managed_names(router.effective(backends, seen), &backends.managed_routes),
        refusal: router.refusal(backends, seen).map(|refusal| refusal.report()),
        propagation_seconds,
        confirms,
        managed: capability::managed(steps, &capabilities),
    }
}

/// Rules that stand for one managed route, `staff` and `staff-1`, are told by its name.
fn managed_names(effective: Effective, managed: &[String]) -> Effective {
    let rename = |split: &mut Split| {
        let headers = split.headers.iter_mut().map(|route| &mut route.name);
        for name in headers.chain(split.mirrors.iter_mut().map(|route| &mut route.name)) {
            *name = managed_name(name, managed).to_owned();
        }
        split.headers.dedup_by(|one, other| one.name == other.name);
        split.mirrors.dedup_by(|one, other| one.name == other.name);
    };
    let mut effective = effective;
    if let Effective::Pending(split) | Effective::Applied(split) = &mut effective {
        rename(split);
    }
    effective
}

fn managed_name<'n>(name: &'n str, managed: &'n [String]) -> &'n str {
    let numbered = |managed: &&String| {
        let index = name.strip_prefix(managed.as_str()).and_then(|rest| rest.strip_prefix('-'));
        index.is_some_and(|index| index.parse::<u32>().is_ok())
    };
    if managed.iter().any(|managed| managed == name) {
        return name;
    }
    managed.iter().find(numbered).map_or(name, String::as_str)
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
