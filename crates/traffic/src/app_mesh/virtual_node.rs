//! Translates revisions to and from the pod selectors of the two VirtualNodes.
//!
//! Which node a pod belongs to is decided when it starts, so a selector follows its revision at once and not, like the
//! subsets of Istio, when its weight is gone: pods of the canary that start before would never be in the mesh. Two nodes
//! must not select the same pods, so that placeholders stand where there is no revision.

use serde_json::{Value, json};
use serin_api::label;
use serin_core::seen::ObjectKey;
use serin_core::split::Backends;
use serin_core::write::Write;

use crate::object;
use crate::patch::Patch;
use crate::refusal::{Cause, Role};
use crate::router::Sight;

const SELECTOR: &str = "/spec/podSelector";
const LABELS: &str = "/spec/podSelector/matchLabels";
/// What the canary node selects while there is no canary beside stable.
const NO_CANARY: &str = "canary-hash";
/// What the stable node selects before there is a stable revision.
const NO_STABLE: &str = "stable-hash";

/// The VirtualNode of one role.
#[derive(Clone, Debug)]
pub(super) struct VirtualNode {
    pub(super) key: ObjectKey,
    pub(super) role: Role,
    /// The field of the Rollout that names it.
    pub(super) path: String,
}

impl VirtualNode {
    /// The hash that it should select.
    fn wanted<'b>(&self, backends: &'b Backends) -> &'b str {
        let Backends { canary_hash, stable_hash, .. } = backends;
        match self.role {
            Role::Stable if stable_hash.is_empty() => NO_STABLE,
            Role::Stable => stable_hash,
            Role::Canary if canary_hash.is_empty() || canary_hash == stable_hash => NO_CANARY,
            Role::Canary => canary_hash,
        }
    }

    /// It selects the revision of its role.
    pub(super) fn follows(&self, object: &Value, backends: &Backends) -> bool {
        selected(object) == Some(self.wanted(backends))
    }

    pub(super) fn refusal(&self, sight: &Sight, backends: &Backends) -> Option<Cause> {
        let object = match sight {
            Sight::Absent => return Some(Cause::Missing { object: self.key.clone() }),
            sight => sight.object()?,
        };
        let other = object::annotation(object, label::MANAGED_BY).filter(|by| *by != backends.rollout)?;
        let (object, other) = (self.key.clone(), other.to_owned());
        Some(Cause::ManagedByOther { object, other, annotation: label::MANAGED_BY })
    }

    /// Makes it select the revision of its role.
    pub(super) fn render(&self, object: &Value, backends: &Backends) -> Option<Write> {
        if object::annotation(object, label::MANAGED_BY).is_some_and(|by| by != backends.rollout) {
            return None;
        }
        let mut patch = Patch::default();
        let hash = self.wanted(backends);
        if object.pointer(SELECTOR).is_some_and(Value::is_object) {
            patch.put_entry(object, LABELS, label::POD_TEMPLATE_HASH, hash);
        } else {
            patch.test_version(object);
            patch.insert(SELECTOR, json!({"matchLabels": {label::POD_TEMPLATE_HASH: hash}}));
        }
        patch.put_entry(object, "/metadata/annotations", label::MANAGED_BY, &backends.rollout);
        patch.into_write(&self.key)
    }

    /// Takes off what was written. The canary node keeps its placeholder: without it both nodes select the same pods.
    pub(super) fn release(&self, object: &Value, backends: &Backends) -> Option<Write> {
        if object::annotation(object, label::MANAGED_BY) != Some(&backends.rollout) {
            return None;
        }
        let mut patch = Patch::default();
        if let Some(hash) = selected(object) {
            match self.role {
                Role::Stable => patch.drop_entry(object, LABELS, label::POD_TEMPLATE_HASH, hash),
                Role::Canary => patch.put_entry(object, LABELS, label::POD_TEMPLATE_HASH, NO_CANARY),
            }
        }
        patch.drop_entry(object, "/metadata/annotations", label::MANAGED_BY, &backends.rollout);
        patch.into_write(&self.key)
    }
}

fn selected(object: &Value) -> Option<&str> {
    object.pointer(LABELS)?.get(label::POD_TEMPLATE_HASH)?.as_str()
}
