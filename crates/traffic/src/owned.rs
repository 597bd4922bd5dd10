//! Makes the objects that Serin owns, and says whose an object of such a name is.
//!
//! They are created with the Rollout as their owner, so that they go with it. Afterwards they are patched value by value
//! like objects of users, not applied: an apply takes away only what an apply brought, and what Argo Rollouts wrote under
//! the same field manager it brought by updates.

use serde_json::{Map, Value, json};
use serin_core::seen::ObjectKey;
use serin_core::split::{Backends, Owner};
use serin_core::write::{Effect, Write};

use crate::object;
use crate::patch::Patch;
use crate::refusal::Cause;

const OWNERS: &str = "/metadata/ownerReferences";

/// Whose an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// This Rollout's.
    Ours,
    /// No controller's.
    Nobody,
    /// That of another object, named for people.
    Other(String),
}

/// Whose `object` is.
pub(crate) fn holder(object: &Value, backends: &Backends) -> Holder {
    let references = object::list(object, OWNERS).iter();
    let controls = |reference: &&Value| reference.get("controller").and_then(Value::as_bool) == Some(true);
    let Some(controller) = references.into_iter().find(controls) else {
        return Holder::Nobody;
    };
    let say = |field| object::text(controller, field).unwrap_or_default();
    if backends.owner.as_ref().is_some_and(|owner| owner.uid == say("uid")) {
        return Holder::Ours;
    }
    Holder::Other(format!("{} {} (uid {})", say("kind"), say("name"), say("uid")))
}

/// Refuses an object that is not ours.
pub(crate) fn refuse(key: &ObjectKey, object: &Value, backends: &Backends) -> Option<Cause> {
    let owner = match holder(object, backends) {
        Holder::Ours => return None,
        Holder::Nobody => "nobody".to_owned(),
        Holder::Other(owner) => owner,
    };
    Some(Cause::NotOwned { object: key.clone(), owner })
}

fn reference(owner: &Owner) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "name": owner.name,
        "uid": owner.uid,
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// Creates the object of `key`; nothing without an owner to take it along.
pub(crate) fn create(
    key: &ObjectKey,
    annotations: Map<String, Value>,
    spec: Value,
    backends: &Backends,
) -> Option<Write> {
    let owner = backends.owner.as_ref()?;
    let mut metadata = Map::from_iter([
        ("name".to_owned(), json!(key.name)),
        ("namespace".to_owned(), json!(key.namespace)),
        ("ownerReferences".to_owned(), json!([reference(owner)])),
    ]);
    if !annotations.is_empty() {
        metadata.insert("annotations".to_owned(), Value::Object(annotations));
    }
    let version = format!("{}/{}", key.group, key.version);
    let content = json!({"apiVersion": version, "kind": key.kind, "metadata": metadata, "spec": spec});
    Some(Write { object: key.clone(), effect: Effect::Create(content) })
}

/// Begins a patch that applies only while the object is ours, which it becomes when it is nobody's.
pub(crate) fn patch(object: &Value, backends: &Backends) -> Patch {
    let mut patch = Patch::default();
    let references = object.pointer(OWNERS);
    match &backends.owner {
        Some(owner) if holder(object, backends) == Holder::Nobody => {
            patch.test_version(object);
            match references {
                Some(_) => patch.insert(&format!("{OWNERS}/-"), reference(owner)),
                None => patch.insert(OWNERS, json!([reference(owner)])),
            }
        }
        _ => references.into_iter().for_each(|seen| patch.test(OWNERS, seen)),
    }
    patch
}

/// Deletes the object while it is the one that was seen.
pub(crate) fn delete(key: &ObjectKey, object: &Value) -> Option<Write> {
    let uid = object.pointer("/metadata/uid")?.as_str()?.to_owned();
    Some(Write { object: key.clone(), effect: Effect::Delete { uid } })
}
