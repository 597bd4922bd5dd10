//! Translates the revision that a Service should select to and from its selector.

use serde_json::Value;
use serin_api::{Rollout, label};
use serin_core::seen::{ObjectKey, Seen};
use serin_core::strategy::ServiceTarget;
use serin_core::world::Service;
use serin_core::write::Write;

use crate::object;
use crate::patch::Patch;
use crate::router::{Objects, Sight};

/// The key of a Service.
pub fn key(namespace: &str, name: &str) -> ObjectKey {
    ObjectKey::new("", "v1", "Service", namespace, name)
}

/// The Services that a Rollout names, each once.
pub fn needs(rollout: &Rollout) -> Vec<ObjectKey> {
    let namespace = rollout.metadata.namespace.as_deref().unwrap_or_default();
    let mut names = Vec::new();
    if let Some(canary) = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref()) {
        names.extend([canary.canary_service.as_deref(), canary.stable_service.as_deref()]);
        let pair = canary.ping_pong.iter();
        names.extend(
            pair.flat_map(|pair| [Some(pair.ping_service.as_str()), Some(pair.pong_service.as_str())]),
        );
    }
    if let Some(strategy) = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.blue_green.as_ref()) {
        names.extend([Some(strategy.active_service.as_str()), strategy.preview_service.as_deref()]);
    }
    let mut needed: Vec<_> = names
        .into_iter()
        .flatten()
        .filter(|name| !name.is_empty())
        .map(|name| key(namespace, name))
        .collect();
    needed.sort();
    needed.dedup();
    needed
}

/// What `plan` looks at of a Service.
pub fn observe(seen: &Seen<Value>) -> Seen<Service> {
    match seen {
        Seen::Fresh(object) => Seen::Fresh(service(object)),
        Seen::Stale(object) => Seen::Stale(service(object)),
        Seen::Absent => Seen::Absent,
        Seen::Failed(why) => Seen::Failed(why.clone()),
    }
}

fn service(object: &Value) -> Service {
    let selector = object.pointer("/spec/selector").and_then(Value::as_object).into_iter().flatten();
    let selector: std::collections::BTreeMap<_, _> =
        selector.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
    Service {
        hash: selector.get(label::POD_TEMPLATE_HASH).cloned(),
        managed_by: object::annotation(object, label::MANAGED_BY).map(str::to_owned),
        selector,
    }
}

/// Makes a Service select the revision of `target`; `None` when it does, when it cannot be seen, and when another
/// Rollout writes it.
///
/// Only the hash in `spec.selector` and the managed-by annotation are touched.
pub fn render(rollout: &Rollout, target: &ServiceTarget, seen: &Objects) -> Option<Write> {
    let name = rollout.metadata.name.as_deref()?;
    let key = key(rollout.metadata.namespace.as_deref().unwrap_or_default(), &target.service);
    let Sight::Fresh(object) = Sight::of(seen, &key) else {
        return None;
    };
    if object::annotation(object, label::MANAGED_BY).is_some_and(|by| by != name) {
        return None;
    }
    let mut patch = Patch::default();
    patch.put_entry(object, "/spec/selector", label::POD_TEMPLATE_HASH, &target.hash);
    patch.put_entry(object, "/metadata/annotations", label::MANAGED_BY, name);
    patch.into_write(&key)
}

/// Takes the hash and the annotation off a Service that `rollout` does not name any more, so that it selects all pods
/// again; `None` when that Rollout does not write it.
pub fn release(key: &ObjectKey, rollout: &str, object: &Value) -> Option<Write> {
    if object::annotation(object, label::MANAGED_BY) != Some(rollout) {
        return None;
    }
    let mut patch = Patch::default();
    let hash = object.pointer("/spec/selector").and_then(|selector| selector.get(label::POD_TEMPLATE_HASH));
    if let Some(hash) = hash.and_then(Value::as_str) {
        patch.drop_entry(object, "/spec/selector", label::POD_TEMPLATE_HASH, hash);
    }
    patch.drop_entry(object, "/metadata/annotations", label::MANAGED_BY, rollout);
    patch.into_write(key)
}
