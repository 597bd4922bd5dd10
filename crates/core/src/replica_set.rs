//! Translates wanted sizes and revisions into writes of ReplicaSets.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use serin_api::label;

use crate::facts::Facts;
use crate::journal::Journal;
use crate::memory::Memory;
use crate::seen::ObjectKey;
use crate::strategy::{Deadline, Size};
use crate::time::api_time;
use crate::world::ReplicaSet;
use crate::write::{Effect, Write};
use crate::{anti_affinity, ephemeral, revision};

/// Annotations that belong to one object and are not copied from the Rollout to its ReplicaSets.
const NOT_COPIED: [&str; 10] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    label::REVISION,
    label::REVISION_HISTORY,
    label::DESIRED_REPLICAS,
    label::WORKLOAD_GENERATION,
    label::NOTIFIED,
    label::DRY_RUN,
    label::SCALE_DOWN_DEADLINE,
    label::EPHEMERAL_METADATA,
    label::PODS_BEHIND,
];

pub(crate) fn key(facts: &Facts, name: &str) -> ObjectKey {
    ObjectKey::new("apps", "v1", "ReplicaSet", facts.namespace(), name)
}

/// The ReplicaSet of the current template, without pods: a later plan gives it some.
pub(crate) fn create(facts: &Facts, memory: &Memory) -> Option<Write> {
    let template = facts.rollout.spec.template.as_ref()?.value();
    let selector = facts.rollout.spec.selector.as_ref()?;
    let name = format!("{}-{}", facts.name(), facts.current_hash);
    let mut labels = string_map(template.pointer("/metadata/labels"));
    labels.insert(label::POD_TEMPLATE_HASH.to_owned(), facts.current_hash.clone());
    let mut template = template.clone();
    set_path(&mut template, &["metadata", "labels", label::POD_TEMPLATE_HASH], json!(facts.current_hash));
    let mut annotations = annotations(facts, revision::number(facts));
    if let Some(injected) = ephemeral::inject(facts, memory, &mut template) {
        annotations.insert(label::EPHEMERAL_METADATA.to_owned(), injected);
    }
    if let Some(affinity) = anti_affinity::wanted(facts, memory, &template) {
        set_path(&mut template, &["spec", "affinity"], affinity);
    }
    let mut selector = serde_json::to_value(selector).unwrap_or_default();
    set_path(&mut selector, &["matchLabels", label::POD_TEMPLATE_HASH], json!(facts.current_hash));
    let object = json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": facts.namespace(),
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owner_reference(facts)],
        },
        "spec": {
            "replicas": 0,
            "minReadySeconds": facts.rollout.spec.min_ready_seconds,
            "selector": selector,
            "template": template,
        },
    });
    Some(Write { object: key(facts, &name), effect: Effect::Create(object) })
}

/// Marks an object as controlled by the Rollout.
pub(crate) fn owner_reference(facts: &Facts) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "name": facts.name(),
        "uid": facts.rollout.metadata.uid.clone().unwrap_or_default(),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

fn annotations(facts: &Facts, revision: i64) -> BTreeMap<String, String> {
    let mut annotations: BTreeMap<String, String> = facts
        .rollout
        .metadata
        .annotations
        .iter()
        .flatten()
        .filter(|(key, _)| !NOT_COPIED.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    annotations.insert(label::REVISION.to_owned(), revision.to_string());
    annotations.insert(label::DESIRED_REPLICAS.to_owned(), facts.limits.replicas.to_string());
    annotations
}

fn string_map(value: Option<&Value>) -> BTreeMap<String, String> {
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Sets a value below nested objects, making those that are missing.
pub(crate) fn set_path(value: &mut Value, path: &[&str], leaf: Value) {
    let Some((first, rest)) = path.split_first() else {
        *value = leaf;
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    if let Some(object) = value.as_object_mut() {
        set_path(object.entry((*first).to_owned()).or_insert(Value::Null), rest, leaf);
    }
}

/// The writes that bring ReplicaSets to their sizes, revision numbers and annotations.
pub(crate) fn updates(
    facts: &Facts,
    memory: &Memory,
    sizes: &[Size],
    writes: &mut Vec<Write>,
    journal: &mut Journal,
) {
    for set in facts.replica_sets() {
        let wanted = sizes.iter().find(|size| size.uid == set.uid);
        let mut changes = annotation_changes(facts, memory, set, wanted);
        let role = ephemeral::change(facts, memory, set);
        changes.extend(role.annotations.into_iter().map(|(key, value)| (key.to_owned(), value)));
        let mut template = role.template;
        if is_current(facts, set) {
            template.extend(anti_affinity::operation(facts, memory, &set.template));
        }
        let replicas = wanted.map_or(set.pods.spec, |size| size.replicas);
        let Some(write) = update(facts, set, replicas, (&changes, template)) else {
            continue;
        };
        if replicas != set.pods.spec {
            let direction = if replicas > set.pods.spec { "up" } else { "down" };
            let message = format!(
                "Scaled {direction} ReplicaSet {} (revision {}) from {} to {replicas}",
                set.name,
                shown_revision(facts, set),
                set.pods.spec,
            );
            journal.wrote(writes.len(), "ScalingReplicaSet", message);
        }
        writes.push(write);
    }
}

fn shown_revision(facts: &Facts, set: &ReplicaSet) -> i64 {
    match facts.new {
        Some(new) if new.uid == set.uid => revision::number(facts),
        _ => set.revision(),
    }
}

/// Annotation keys with their new value, `None` to remove.
type Changes = BTreeMap<String, Option<String>>;

fn annotation_changes(facts: &Facts, memory: &Memory, set: &ReplicaSet, wanted: Option<&Size>) -> Changes {
    let mut changes = Changes::new();
    let mut want = |key: &str, value: Option<String>| {
        if set.annotations.get(key) != value.as_ref() {
            changes.insert(key.to_owned(), value);
        }
    };
    let is_new = facts.new.is_some_and(|new| new.uid == set.uid);
    if is_new {
        let number = revision::number(facts);
        for (key, value) in annotations(facts, number) {
            want(&key, Some(value));
        }
        if set.revision() != number && set.revision() > 0 {
            want(label::REVISION_HISTORY, Some(history(set)));
        }
    } else if wanted.is_some_and(|size| {
        size.replicas > 0 && (set.hash == memory.stable() || size.replicas != set.pods.spec)
    }) {
        want(label::DESIRED_REPLICAS, Some(facts.limits.replicas.to_string()));
    }
    match wanted.map(|size| size.deadline) {
        Some(Deadline::Remove) => want(label::SCALE_DOWN_DEADLINE, None),
        Some(Deadline::Set(at)) => {
            want(label::SCALE_DOWN_DEADLINE, Some(api_time(at).0.to_string()));
        }
        Some(Deadline::Keep) | None => {}
    }
    changes
}

fn history(set: &ReplicaSet) -> String {
    let own = set.revision().to_string();
    match set.annotations.get(label::REVISION_HISTORY) {
        Some(known) if !known.is_empty() => format!("{known},{own}"),
        _ => own,
    }
}

fn update(
    facts: &Facts,
    set: &ReplicaSet,
    replicas: i32,
    (changes, template): (&Changes, Vec<Value>),
) -> Option<Write> {
    let mut patch = vec![json!({"op": "test", "path": "/metadata/uid", "value": set.uid})];
    let guards = patch.len();
    if replicas != set.pods.spec {
        patch.push(json!({"op": "test", "path": "/spec/replicas", "value": set.pods.spec}));
        if replicas < set.pods.spec {
            // Pods that became available since may be the ones that must stay. An absent count and null are the same.
            let seen = if set.pods.available == 0 { Value::Null } else { json!(set.pods.available) };
            patch.push(json!({"op": "test", "path": "/status/availableReplicas", "value": seen}));
        }
        patch.push(json!({"op": "replace", "path": "/spec/replicas", "value": replicas}));
    }
    if is_current(facts, set) && set.min_ready_seconds != facts.rollout.spec.min_ready_seconds {
        let value = facts.rollout.spec.min_ready_seconds;
        patch.push(json!({"op": "add", "path": "/spec/minReadySeconds", "value": value}));
    }
    if set.annotations.is_empty() && !changes.is_empty() {
        patch.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
    }
    for (key, value) in changes {
        let path = format!("/metadata/annotations/{}", pointer_escape(key));
        match value {
            Some(value) => patch.push(json!({"op": "add", "path": path, "value": value})),
            None => patch.push(json!({"op": "remove", "path": path})),
        }
    }
    patch.extend(template);
    (patch.len() > guards).then(|| Write { object: key(facts, &set.name), effect: Effect::JsonPatch(patch) })
}

fn is_current(facts: &Facts, set: &ReplicaSet) -> bool {
    facts.new.is_some_and(|new| new.uid == set.uid)
}

/// A key as one segment of a JSON pointer (RFC 6901).
pub(crate) fn pointer_escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Deletes the oldest ReplicaSets without pods beyond `revisionHistoryLimit`.
pub(crate) fn forget_history(facts: &Facts, writes: &mut Vec<Write>) {
    let limit = usize::try_from(facts.rollout.revision_history_limit()).unwrap_or(0);
    let excess = facts.others.len().saturating_sub(limit);
    let mut oldest: Vec<_> = facts.others.clone();
    oldest.sort_by_key(|set| (set.created, set.revision(), set.name.clone()));
    for set in oldest.into_iter().take(excess) {
        if set.pods.spec == 0 && set.pods.current == 0 {
            writes.push(Write {
                object: key(facts, &set.name),
                effect: Effect::Delete { uid: set.uid.clone() },
            });
        }
    }
}
