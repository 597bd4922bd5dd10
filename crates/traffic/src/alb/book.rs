//! Keeps, in an annotation of an Ingress, which of its annotations each Rollout wrote.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::object;
use crate::patch::Patch;

/// The annotation: a map from the name of a Rollout to keys of annotations.
pub(super) const MANAGED: &str = "rollouts.argoproj.io/managed-alb-annotations";

/// What is written in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Book(BTreeMap<String, Vec<String>>);

impl Book {
    /// The book of an Ingress; one that cannot be read is empty.
    pub(super) fn of(object: &Value) -> Self {
        let text = object::annotation(object, MANAGED);
        Self(text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
    }

    /// The keys that a Rollout wrote.
    pub(super) fn of_rollout(&self, rollout: &str) -> &[String] {
        self.0.get(rollout).map_or(&[], Vec::as_slice)
    }

    /// Another Rollout that wrote one of `keys`.
    pub(super) fn other(&self, rollout: &str, keys: &[String]) -> Option<&str> {
        let others = self.0.iter().filter(|(name, _)| *name != rollout);
        others
            .into_iter()
            .find_map(|(name, written)| keys.iter().any(|key| written.contains(key)).then_some(name.as_str()))
    }

    /// Writes that `rollout` wrote `keys`, in the order in which it did; without keys it is struck out.
    pub(super) fn write(mut self, patch: &mut Patch, object: &Value, rollout: &str, keys: &[String]) {
        let known = self.of_rollout(rollout);
        let kept = known.iter().filter(|key| keys.contains(key));
        let new = keys.iter().filter(|key| !known.contains(key));
        let list: Vec<String> = kept.chain(new).cloned().collect();
        if list.is_empty() {
            self.0.remove(rollout);
        } else {
            self.0.insert(rollout.to_owned(), list);
        }
        match (object::annotation(object, MANAGED), self.0.is_empty()) {
            (Some(seen), true) => patch.drop_entry(object, "/metadata/annotations", MANAGED, seen),
            (None, true) => {}
            (_, false) => {
                let text = serde_json::to_string(&self.0).unwrap_or_default();
                let entry = BTreeMap::from([(MANAGED.to_owned(), text)]);
                patch.put_entries(object, "/metadata/annotations", &entry);
            }
        }
    }
}
