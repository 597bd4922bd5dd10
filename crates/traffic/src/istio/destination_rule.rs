//! Translates revisions to and from the subsets of a DestinationRule; subsets of the user's own are left alone.

use serde_json::Value;
use serin_api::{IstioDestinationRule, label};
use serin_core::seen::ObjectKey;
use serin_core::split::{Backends, Reached};
use serin_core::write::Write;

use super::GROUP;
use crate::object;
use crate::patch::Patch;
use crate::refusal::{Cause, Refusal, Role};
use crate::router::Sight;

/// A DestinationRule and the names of the two subsets in it.
#[derive(Clone, Debug)]
pub(crate) struct DestinationRule {
    pub(crate) key: ObjectKey,
    path: String,
    canary: String,
    stable: String,
}

impl DestinationRule {
    pub(super) fn new(spec: &IstioDestinationRule, path: String, namespace: &str, version: &str) -> Self {
        // additionalSubsetNames needs no memory here: whatever is neither canary nor stable stays as it is.
        let IstioDestinationRule { name, canary_subset_name, stable_subset_name, additional_subset_names: _ } =
            spec;
        Self {
            key: ObjectKey::new(GROUP, version, "DestinationRule", namespace, name),
            path,
            canary: canary_subset_name.clone(),
            stable: stable_subset_name.clone(),
        }
    }

    /// Names of the subsets of canary and stable.
    pub(super) fn subsets(&self) -> (&str, &str) {
        (&self.canary, &self.stable)
    }

    fn subset(&self, role: Role) -> &str {
        match role {
            Role::Canary => &self.canary,
            Role::Stable => &self.stable,
        }
    }

    fn find<'o>(&self, object: &'o Value, role: Role) -> Option<(usize, &'o Value)> {
        let subsets = object::list(object, "/spec/subsets").iter().enumerate();
        subsets.into_iter().find(|(_, subset)| object::text(subset, "name") == Some(self.subset(role)))
    }

    /// The subset of this role selects the revision of this role. An empty hash of the canary says that there is no
    /// canary to send traffic to; an empty hash of stable that there is no stable revision yet.
    pub(super) fn follows(&self, object: &Value, role: Role, backends: &Backends) -> bool {
        let wanted = hash(role, backends);
        match self.find(object, role) {
            Some(_) if wanted.is_empty() => role == Role::Stable,
            Some((_, subset)) => selected(subset) == Some(wanted),
            None => false,
        }
    }

    /// The revisions that the subsets select.
    pub(super) fn reached(&self, object: &Value) -> Reached {
        let hash = |role| {
            self.find(object, role).and_then(|(_, subset)| selected(subset)).unwrap_or_default().to_owned()
        };
        Reached { canary: hash(Role::Canary), stable: hash(Role::Stable) }
    }

    /// What is missing or cannot be used.
    pub(super) fn refusal(&self, sight: &Sight, backends: &Backends) -> Option<Refusal> {
        let refuse = |field: &str, value: &str, cause| {
            Some(Refusal { path: format!("{}.{field}", self.path), value: value.to_owned(), cause })
        };
        let object = match sight {
            Sight::Fresh(object) | Sight::Stale(object) => object,
            Sight::Absent => {
                return refuse("name", &self.key.name, Cause::Missing { object: self.key.clone() });
            }
            Sight::Unknown(_) => return None,
        };
        if let Some(other) =
            object::annotation(object, label::MANAGED_BY).filter(|by| *by != backends.rollout)
        {
            let (object, other) = (self.key.clone(), other.to_owned());
            let cause = Cause::ManagedByOther { object, other, annotation: label::MANAGED_BY };
            return refuse("name", &self.key.name, cause);
        }
        [(Role::Canary, "canarySubsetName"), (Role::Stable, "stableSubsetName")].into_iter().find_map(
            |(role, field)| {
                let subset = self.subset(role).to_owned();
                match self.find(object, role) {
                    Some(_) => None,
                    None => refuse(
                        field,
                        self.subset(role),
                        Cause::SubsetMissing { object: self.key.clone(), role, subset },
                    ),
                }
            },
        )
    }

    /// Makes the subsets select their revisions, the canary's only when it has no traffic.
    pub(super) fn render(&self, object: &Value, backends: &Backends, canary_unused: bool) -> Option<Write> {
        let managed_by = object::annotation(object, label::MANAGED_BY);
        if managed_by.is_some_and(|by| by != backends.rollout) {
            return None;
        }
        let mut patch = Patch::default();
        patch.put_entry(object, "/metadata/annotations", label::MANAGED_BY, &backends.rollout);
        self.select(&mut patch, object, Role::Stable, backends);
        if canary_unused {
            self.select(&mut patch, object, Role::Canary, backends);
        }
        patch.into_write(&self.key)
    }

    /// Takes off what was written; `None` when there is nothing. Without this the subsets would go on selecting a
    /// revision whose pods may be gone.
    pub(super) fn release(&self, object: &Value, backends: &Backends) -> Option<Write> {
        if object::annotation(object, label::MANAGED_BY) != Some(&backends.rollout) {
            return None;
        }
        let mut patch = Patch::default();
        for role in [Role::Stable, Role::Canary] {
            if let Some((index, subset)) = self.find(object, role)
                && let Some(hash) = selected(subset)
            {
                let path = format!("/spec/subsets/{index}");
                patch.test(&format!("{path}/name"), &Value::from(self.subset(role)));
                patch.drop_entry(object, &format!("{path}/labels"), label::POD_TEMPLATE_HASH, hash);
            }
        }
        patch.drop_entry(object, "/metadata/annotations", label::MANAGED_BY, &backends.rollout);
        patch.into_write(&self.key)
    }

    fn select(&self, patch: &mut Patch, object: &Value, role: Role, backends: &Backends) {
        let wanted = hash(role, backends);
        let Some((index, subset)) = self.find(object, role) else { return };
        if wanted.is_empty() || selected(subset) == Some(wanted) {
            return;
        }
        let path = format!("/spec/subsets/{index}");
        patch.test(&format!("{path}/name"), &Value::from(self.subset(role)));
        patch.put_entry(object, &format!("{path}/labels"), label::POD_TEMPLATE_HASH, wanted);
    }
}

fn hash(role: Role, backends: &Backends) -> &str {
    match role {
        Role::Canary => &backends.canary_hash,
        Role::Stable => &backends.stable_hash,
    }
}

fn selected(subset: &Value) -> Option<&str> {
    subset.get("labels")?.get(label::POD_TEMPLATE_HASH)?.as_str()
}
