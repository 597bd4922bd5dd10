//! Says what two weighted destinations in one rule of a routing object mean, and how to change exactly their weights.

use serde_json::Value;
use serin_core::split::{Backends, Destination, Split, Weight};

use crate::object;
use crate::patch::Patch;
use crate::refusal::Role;

/// One weighted destination.
#[derive(Debug)]
pub(crate) struct Slot {
    /// JSON pointer of the entry in the object.
    pub(crate) path: String,
    /// The field of the entry that is its weight.
    pub(crate) leaf: String,
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
            patch.put(&format!("{}/{}", self.path, self.leaf), self.written.as_ref(), Value::from(weight));
        }
    }
}

/// Tells what a Service stands for by its name.
pub(crate) trait PartOf {
    /// What the Service of this name stands for.
    fn part(&self, service: &str) -> Part;
}

impl PartOf for Backends {
    fn part(&self, service: &str) -> Part {
        match service {
            "" => Part::Other,
            name if name == self.canary_service => Part::Role(Role::Canary),
            name if name == self.stable_service => Part::Role(Role::Stable),
            name if self.experiments.iter().any(|known| known == name) => Part::Experiment(name.to_owned()),
            _ => Part::Other,
        }
    }
}

/// Weights of one rule, without where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// Of the canary.
    pub(crate) canary: u32,
    /// Of stable.
    pub(crate) stable: u32,
    /// Of everything else.
    pub(crate) others: u32,
}

impl Share {
    /// The share of the canary in parts of `total`; rounded so that a share is 0 or all only when it truly is.
    pub(crate) fn of(self, total: Weight) -> Weight {
        let Self { canary, stable, others } = self;
        if canary <= total.0 && stable == total.0.saturating_sub(canary).saturating_sub(others) {
            return Weight(canary);
        }
        let [canary, stable, others, total] = [canary, stable, others, total.0].map(u64::from);
        let sum = canary.saturating_add(stable).saturating_add(others);
        let share = canary.saturating_mul(total).checked_div(sum).unwrap_or(0);
        let most = if stable == 0 { total } else { total.saturating_sub(1) };
        let share = if canary == 0 { 0 } else { share.clamp(1, most.max(1)) };
        Weight(u32::try_from(share).unwrap_or(u32::MAX))
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
    /// Destinations of experiments, by Service; those of the Rollout's own experiments only.
    pub(crate) additional: Vec<(String, Slot)>,
    /// Weights of the user's further destinations: they stay as they are, out of the share of stable.
    pub(crate) others: u32,
}

/// What an entry of a rule stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Canary or stable.
    Role(Role),
    /// The Service of an experiment of the Rollout.
    Experiment(String),
    /// The user's own.
    Other,
}

impl From<Option<Role>> for Part {
    fn from(role: Option<Role>) -> Self {
        role.map_or(Self::Other, Self::Role)
    }
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
        entries: impl IntoIterator<Item = (Part, Slot)>,
    ) -> Result<Self, Odd> {
        let (mut canary, mut stable, mut others, mut twice) = (None, None, 0_u32, None);
        let mut additional = Vec::new();
        for (part, slot) in entries {
            let role = match part {
                Part::Role(role) => role,
                Part::Experiment(service) => {
                    additional.push((service, slot));
                    continue;
                }
                Part::Other => {
                    others = others.saturating_add(slot.weight());
                    continue;
                }
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
        Ok(Self { rule, guards, canary, stable, additional, others })
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

    /// As [`Self::render`], with the destinations of experiments: `entry` makes one of that of the canary. Those that are
    /// not wanted any more are taken out.
    pub(crate) fn render_all(
        &self,
        patch: &mut Patch,
        (object, want): (&Value, &Split),
        entry: impl Fn(&Value, &Destination) -> Option<Value>,
    ) {
        let stable = self.stable_with(want);
        let trials = self.wishes(want);
        let same = (self.canary.weight(), self.stable.weight()) == (want.canary.0, stable);
        let kept = trials.iter().all(|(slot, weight)| *weight == Some(slot.weight()));
        let new: Vec<_> = self.unknown(want).collect();
        if same && kept && new.is_empty() {
            return;
        }
        self.guards.iter().for_each(|(path, value)| patch.test(path, value));
        let slots = trials.iter().map(|(slot, _)| *slot);
        [&self.canary, &self.stable].into_iter().chain(slots).for_each(|slot| slot.pin(patch));
        self.canary.set(patch, want.canary.0);
        self.stable.set(patch, stable);
        // Places in a list are counted before the patch: weights first, then what goes, from the end.
        for (slot, weight) in &trials {
            weight.iter().for_each(|weight| slot.set(patch, *weight));
        }
        for (slot, _) in trials.iter().rev().filter(|(_, weight)| weight.is_none()) {
            patch.remove(&slot.path);
        }
        let canary = object.pointer(&self.canary.path).unwrap_or(&Value::Null);
        if !new.is_empty() {
            patch.test(&self.canary.path, canary);
        }
        let list = self.canary.path.rsplit_once('/').map_or("", |(list, _)| list);
        let entries = new.into_iter().filter_map(|other| entry(canary, other));
        entries.for_each(|entry| patch.insert(&format!("{list}/-"), entry));
    }

    /// The patch applies only while the rule and its two destinations are where they were seen.
    pub(crate) fn pin(&self, patch: &mut Patch) {
        self.guards.iter().for_each(|(path, value)| patch.test(path, value));
        [&self.canary, &self.stable].into_iter().for_each(|slot| slot.pin(patch));
    }

    /// The entries of `list` as they are after [`Self::render_all`].
    pub(crate) fn entries(
        &self,
        list: &[Value],
        want: &Split,
        entry: impl Fn(&Value, &Destination) -> Option<Value>,
    ) -> Vec<Value> {
        let mut weights =
            vec![(&self.canary, Some(want.canary.0)), (&self.stable, Some(self.stable_with(want)))];
        weights.extend(self.wishes(want));
        let index =
            |slot: &Slot| slot.path.rsplit_once('/').and_then(|(_, index)| index.parse::<usize>().ok());
        let given = list.iter().enumerate().filter_map(|(place, given)| {
            match weights.iter().find(|(slot, _)| index(slot) == Some(place)) {
                None => Some(given.clone()),
                Some((slot, weight)) => {
                    let mut entry = given.as_object()?.clone();
                    entry.insert(slot.leaf.clone(), Value::from((*weight)?));
                    Some(Value::Object(entry))
                }
            }
        });
        let canary = index(&self.canary).and_then(|index| list.get(index)).unwrap_or(&Value::Null);
        given.chain(self.unknown(want).filter_map(|other| entry(canary, other))).collect()
    }

    /// What each destination of an experiment should get; nothing for one that should go, or is there twice.
    fn wishes(&self, want: &Split) -> Vec<(&Slot, Option<u32>)> {
        let additional = self.additional.iter().enumerate().map(|(place, (service, slot))| {
            let first = self.additional.iter().position(|(known, _)| known == service) == Some(place);
            let wanted = want.additional.iter().find(|other| other.service == *service).filter(|_| first);
            (slot, wanted.map(|other| other.weight.0))
        });
        additional.collect()
    }

    /// Destinations that are wanted and not there.
    fn unknown<'w>(&self, want: &'w Split) -> impl Iterator<Item = &'w Destination> {
        let known = |service: &str| self.additional.iter().any(|(known, _)| known == service);
        want.additional.iter().filter(move |other| !known(&other.service))
    }

    /// What everything else leaves of the total.
    fn stable_with(&self, want: &Split) -> u32 {
        want.stable().0.saturating_sub(self.others)
    }

    /// The weights as the data plane sees them.
    pub(crate) fn share(&self) -> Share {
        let additional = self.additional.iter().map(|(_, slot)| slot.weight());
        let others = additional.fold(self.others, u32::saturating_add);
        Share { canary: self.canary.weight(), stable: self.stable.weight(), others }
    }

    /// Weights of experiments, by Service.
    pub(crate) fn trials(&self) -> impl Iterator<Item = (String, Weight)> + '_ {
        self.additional.iter().map(|(service, slot)| (service.clone(), Weight(slot.weight())))
    }

    /// What `canary` and the user's further destinations leave of `total`.
    pub(crate) fn stable_of(&self, total: Weight, canary: Weight) -> u32 {
        total.0.saturating_sub(canary.0).saturating_sub(self.others)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
            assert_eq!(Share { canary, stable, others }.of(Weight(100)), Weight(expected), "{case}");
        }
    }

    proptest! {
        #[test]
        fn a_share_is_none_or_all_only_when_it_is(canary: u32, stable: u32, others: u32, total in 2_u32..1_000_000) {
            let share = Share { canary, stable, others }.of(Weight(total)).0;
            prop_assert!(share <= total);
            prop_assert_eq!(share == 0, canary == 0);
            prop_assert!(share < total || stable == 0);
        }
    }
}
