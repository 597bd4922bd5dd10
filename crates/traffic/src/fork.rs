//! Says what two weighted destinations in one rule of a routing object mean, and how to change exactly their weights.

use std::collections::BTreeSet;

use serde_json::Value;
use serin_core::seen::ObjectKey;
use serin_core::split::{Effective, HeaderRoute, MirrorRoute, Reached, Split, Weight};

use crate::object;
use crate::patch::Patch;
use crate::refusal::{Cause, Role};
use crate::router::Sight;

/// One weighted destination.
#[derive(Debug)]
pub(crate) struct Slot {
    /// JSON pointer of the entry in the object.
    pub(crate) path: String,
    /// What tells this entry from others, below `path`: the patch fails when it is not there any more.
    pub(crate) identity: Vec<(&'static str, Value)>,
    /// The weight as it is written, if it is.
    pub(crate) written: Option<Value>,
    /// What the data plane takes an absent or unreadable weight for.
    pub(crate) otherwise: u32,
}

impl Slot {
    /// The weight that the data plane sees.
    pub(crate) fn weight(&self) -> u32 {
        self.written.as_ref().and_then(object::count).unwrap_or(self.otherwise)
    }

    fn pin(&self, patch: &mut Patch) {
        for (field, value) in &self.identity {
            patch.test(&format!("{}/{field}", self.path), value);
        }
    }

    fn set(&self, patch: &mut Patch, weight: u32) {
        if self.weight() != weight {
            patch.put(&format!("{}/weight", self.path), self.written.as_ref(), Value::from(weight));
        }
    }
}

/// Canary and stable side by side in one rule.
#[derive(Debug)]
pub(crate) struct Fork {
    /// JSON pointer of the rule in the object.
    pub(crate) rule: String,
    /// What tells this rule from others: pointers into the object and the values seen there.
    pub(crate) guards: Vec<(String, Value)>,
    /// The destination of the canary.
    pub(crate) canary: Slot,
    /// The destination of stable.
    pub(crate) stable: Slot,
    /// Weights of the user's further destinations: they stay as they are, out of the share of stable.
    pub(crate) others: u32,
}

/// Why the entries of a rule are not a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Odd {
    /// No entry for this role.
    Missing(Role),
    /// More than one, so that the weight of this role is not one number.
    Twice(Role),
}

impl Fork {
    /// Sorts the entries of a rule by what they stand for.
    ///
    /// # Errors
    /// A role has no entry, or several.
    pub(crate) fn sort(
        rule: String,
        guards: Vec<(String, Value)>,
        entries: impl IntoIterator<Item = (Option<Role>, Slot)>,
    ) -> Result<Self, Odd> {
        let (mut canary, mut stable, mut others, mut twice) = (None, None, 0_u32, None);
        for (role, slot) in entries {
            let Some(role) = role else {
                others = others.saturating_add(slot.weight());
                continue;
            };
            let place = match role {
                Role::Canary => &mut canary,
                Role::Stable => &mut stable,
            };
            if place.replace(slot).is_some() {
                twice = Some(role);
            }
        }
        let canary = canary.ok_or(Odd::Missing(Role::Canary))?;
        let stable = stable.ok_or(Odd::Missing(Role::Stable))?;
        if let Some(role) = twice {
            return Err(Odd::Twice(role));
        }
        Ok(Self { rule, guards, canary, stable, others })
    }

    /// Changes the weights to give `canary` parts of `total` to the canary and what is left to stable.
    pub(crate) fn render(&self, patch: &mut Patch, total: Weight, canary: Weight) {
        let stable = self.stable_of(total, canary);
        if (self.canary.weight(), self.stable.weight()) == (canary.0, stable) {
            return;
        }
        for (path, value) in &self.guards {
            patch.test(path, value);
        }
        self.canary.pin(patch);
        self.stable.pin(patch);
        self.canary.set(patch, canary.0);
        self.stable.set(patch, stable);
    }

    /// The share of the canary in parts of `total`; rounded so that a share is 0 or all only when it truly is.
    pub(crate) fn read(&self, total: Weight) -> Weight {
        let (canary, stable) = (self.canary.weight(), self.stable.weight());
        if canary <= total.0 && stable == self.stable_of(total, Weight(canary)) {
            return Weight(canary);
        }
        let [canary, stable, others, total] = [canary, stable, self.others, total.0].map(u64::from);
        let sum = canary.saturating_add(stable).saturating_add(others);
        let share = canary.saturating_mul(total).checked_div(sum).unwrap_or(0);
        let most = if stable == 0 { total } else { total.saturating_sub(1) };
        let share = if canary == 0 { 0 } else { share.clamp(1, most.max(1)) };
        Weight(u32::try_from(share).unwrap_or(u32::MAX))
    }

    /// What `canary` and the user's further destinations leave of `total`.
    pub(crate) fn stable_of(&self, total: Weight, canary: Weight) -> u32 {
        total.0.saturating_sub(canary.0).saturating_sub(self.others)
    }
}

/// The forks of one object, the routes that steps added to it, and what is wrong with it. What is right is still rendered, so that a mistake in one rule
/// never keeps the others from going back to stable.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) forks: Vec<Fork>,
    /// Names of managed routes that are in place and send requests to the canary.
    pub(crate) headers: Vec<String>,
    /// Names of managed routes that are in place and copy requests to the canary.
    pub(crate) mirrors: Vec<String>,
    pub(crate) wrong: Option<Cause>,
}

impl Found {
    /// Keeps the first thing that is wrong.
    pub(crate) fn complain(&mut self, cause: Cause) {
        self.wrong.get_or_insert(cause);
    }
}

/// What the rules of all objects of one router show together.
#[derive(Debug)]
pub(crate) struct Reading {
    total: Weight,
    canary: Option<Weight>,
    headers: BTreeSet<String>,
    mirrors: BTreeSet<String>,
    reached: Option<Reached>,
    pending: bool,
    unknown: Option<String>,
}

impl Reading {
    /// Nothing read yet.
    pub(crate) fn of(total: Weight) -> Self {
        let (headers, mirrors) = (BTreeSet::new(), BTreeSet::new());
        Self { total, canary: None, headers, mirrors, reached: None, pending: false, unknown: None }
    }

    /// Adds what one object shows.
    pub(crate) fn look(&mut self, key: &ObjectKey, sight: &Sight, find: impl FnOnce(&Value) -> Found) {
        let object = match sight {
            Sight::Fresh(object) => object,
            Sight::Stale(object) => {
                self.wait();
                object
            }
            Sight::Absent => return self.doubt(format!("{key} not found")),
            Sight::Unknown(why) => return self.doubt(why.clone()),
        };
        let Found { forks, headers, mirrors, wrong } = find(object);
        forks.iter().for_each(|fork| self.add(fork));
        self.headers.extend(headers);
        self.mirrors.extend(mirrors);
        if let Some(cause) = wrong {
            self.doubt(cause.to_string());
        }
    }

    /// Adds what one rule shows. Rules that differ are read as the most canary of them, not confirmed.
    pub(crate) fn add(&mut self, fork: &Fork) {
        let share = fork.read(self.total);
        self.pending |= self.canary.is_some_and(|known| known != share);
        self.canary = Some(self.canary.map_or(share, |known| known.max(share)));
    }

    /// The data plane has not confirmed what the object says.
    pub(crate) fn wait(&mut self) {
        self.pending = true;
    }

    /// The revisions that the weights reach, where Services do not say so.
    pub(crate) fn reach(&mut self, reached: Reached) {
        self.reached = Some(reached);
    }

    /// Something cannot be known; the first reason is kept.
    pub(crate) fn doubt(&mut self, why: String) {
        self.unknown.get_or_insert(why);
    }

    /// The share of the canary over all rules, also when not confirmed.
    pub(crate) fn canary(&self) -> Option<Weight> {
        self.canary
    }

    /// The report of these readings; a reading that nothing was added to is unknown.
    pub(crate) fn effective(self) -> Effective {
        let canary = match (self.unknown, self.canary) {
            (Some(why), _) => return Effective::Unknown(why),
            (None, None) => return Effective::Unknown("no rule has both destinations".to_owned()),
            (None, Some(canary)) => canary,
        };
        let mut split = Split::new(self.total, canary);
        split.headers =
            self.headers.into_iter().map(|name| HeaderRoute { name, matches: Vec::new() }).collect();
        let mirrors = self.mirrors.into_iter();
        split.mirrors =
            mirrors.map(|name| MirrorRoute { name, matches: Vec::new(), percentage: 100 }).collect();
        split.reached = self.reached;
        if self.pending { Effective::Pending(split) } else { Effective::Applied(split) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slot(path: &str, weight: u32) -> Slot {
        Slot { path: path.to_owned(), identity: Vec::new(), written: Some(Value::from(weight)), otherwise: 0 }
    }

    fn fork(canary: u32, stable: u32, others: u32) -> Fork {
        Fork {
            rule: String::new(),
            guards: Vec::new(),
            canary: slot("/c", canary),
            stable: slot("/s", stable),
            others,
        }
    }

    #[test]
    fn shares_are_read_without_rounding_to_none_or_all() {
        for (case, (canary, stable, others), expected) in [
            ("as written by us", (20, 80, 0), 20),
            ("as written by a person", (0, 1, 0), 0),
            ("one to one", (1, 1, 0), 50),
            ("very little is not nothing", (1, 10_000, 0), 1),
            ("nearly all is not all", (10_000, 1, 0), 99),
            ("all", (7, 0, 0), 100),
            ("no traffic at all", (0, 0, 0), 0),
            ("beside the user's own", (20, 70, 10), 20),
            ("all beside the user's own", (100, 0, 10), 100),
        ] {
            assert_eq!(fork(canary, stable, others).read(Weight(100)), Weight(expected), "{case}");
        }
    }

    #[test]
    fn rules_that_differ_are_pending_at_the_most_canary() {
        let mut reading = Reading::of(Weight(100));
        reading.add(&fork(20, 80, 0));
        reading.add(&fork(0, 100, 0));
        assert_eq!(reading.effective(), Effective::Pending(Split::new(Weight(100), Weight(20))));
    }

    proptest! {
        #[test]
        fn a_share_is_none_or_all_only_when_it_is(canary: u32, stable: u32, others: u32, total in 2_u32..1_000_000) {
            let share = fork(canary, stable, others).read(Weight(total)).0;
            prop_assert!(share <= total);
            prop_assert_eq!(share == 0, canary == 0);
            prop_assert!(share < total || stable == 0);
        }
    }
}
