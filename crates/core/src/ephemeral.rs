//! Decides which labels and annotations pods carry for the role that their revision has at the moment: they change in
//! place, on the ReplicaSet for pods to come and on the pods that live, and restart nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use serin_api::{PodMetadata, RolloutSpec, label};

use crate::facts::Facts;
use crate::gate::Gates;
use crate::memory::Memory;
use crate::pod::{self, Pod};
use crate::replica_set::pointer_escape;
use crate::seen::ObjectKey;
use crate::world::ReplicaSet;
use crate::write::{Effect, Write};

/// What was injected, as Argo Rollouts records it on the ReplicaSet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Injected {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

impl Injected {
    fn of(metadata: &PodMetadata) -> Self {
        Self {
            labels: metadata.labels.clone().unwrap_or_default(),
            annotations: metadata.annotations.clone().unwrap_or_default(),
        }
    }

    fn read(text: Option<&String>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// The text for an annotation, `None` when there is nothing.
    fn text(&self) -> Option<String> {
        (*self != Self::default()).then(|| serde_json::to_string(self).unwrap_or_default())
    }

    fn parts(&self) -> [(&'static str, &BTreeMap<String, String>); 2] {
        [("labels", &self.labels), ("annotations", &self.annotations)]
    }

    fn part(&self, name: &str) -> &BTreeMap<String, String> {
        if name == "labels" { &self.labels } else { &self.annotations }
    }
}

/// The metadata of the new revision on its way, and of the one that has the traffic.
pub(crate) fn of_roles(spec: &RolloutSpec) -> (Option<&PodMetadata>, Option<&PodMetadata>) {
    let Some(strategy) = &spec.strategy else { return (None, None) };
    match (&strategy.canary, &strategy.blue_green) {
        (Some(canary), _) => (canary.canary_metadata.as_ref(), canary.stable_metadata.as_ref()),
        (None, Some(blue_green)) => {
            (blue_green.preview_metadata.as_ref(), blue_green.active_metadata.as_ref())
        }
        (None, None) => (None, None),
    }
}

/// What the pods of the revision with this hash are to carry.
fn wanted(facts: &Facts, memory: &Memory, hash: &str) -> Injected {
    let (new, stable) = of_roles(&facts.rollout.spec);
    let is_new = hash == facts.current_hash;
    let metadata = match memory.stable() {
        "" if is_new => stable,
        known if known == hash => stable,
        _ if is_new => new,
        _ => None,
    };
    metadata.map(Injected::of).unwrap_or_default()
}

/// Puts the metadata of its role into a template that is about to be created; returns the record for the ReplicaSet.
pub(crate) fn inject(facts: &Facts, memory: &Memory, template: &mut Value) -> Option<String> {
    let wanted = wanted(facts, memory, &facts.current_hash);
    for (part, entries) in wanted.parts().into_iter().filter(|(_, entries)| !entries.is_empty()) {
        for (key, value) in entries {
            crate::replica_set::set_path(template, &["metadata", part, key.as_str()], json!(value));
        }
    }
    wanted.text()
}

/// What a ReplicaSet lacks: annotations with their new value (`None` to remove), and operations on its pod template.
#[derive(Default)]
pub(crate) struct Change {
    pub(crate) annotations: BTreeMap<&'static str, Option<String>>,
    pub(crate) template: Vec<Value>,
}

/// The change of one ReplicaSet. While [`label::PODS_BEHIND`] is on it, its living pods are looked at, too.
pub(crate) fn change(facts: &Facts, memory: &Memory, set: &ReplicaSet) -> Change {
    let mut change = Change::default();
    let wanted = wanted(facts, memory, &set.hash);
    let recorded = Injected::read(set.annotations.get(label::EPHEMERAL_METADATA));
    let behind = set.annotations.get(label::PODS_BEHIND);
    if wanted == recorded {
        let all_carry = pod::listed(facts, set)
            .is_ok_and(|pods| pods.iter().all(|pod| pod_patch(facts, set, pod).is_none()));
        if behind.is_some() && all_carry && set.observed {
            change.annotations.insert(label::PODS_BEHIND, None);
        }
        return change;
    }
    let metadata = set.template.get("metadata").cloned().unwrap_or_default();
    let own = |part: &str, key: &str| of_template(facts, set, part, key);
    change.template = operations("/spec/template/metadata", &metadata, (&wanted, &recorded), own);
    change.annotations.insert(label::EPHEMERAL_METADATA, wanted.text());
    if set.pods.spec > 0 || set.pods.current > 0 {
        let mut before = Injected::read(behind);
        before.labels.extend(recorded.labels);
        before.annotations.extend(recorded.annotations);
        change.annotations.insert(label::PODS_BEHIND, Some(before.text().unwrap_or_else(|| "{}".to_owned())));
    }
    change
}

/// Patches living pods of ReplicaSets whose metadata has changed.
pub(crate) fn follow(facts: &Facts, memory: &Memory, gates: &mut Gates, writes: &mut Vec<Write>) {
    for set in facts.replica_sets().filter(|set| set.annotations.contains_key(label::PODS_BEHIND)) {
        if wanted(facts, memory, &set.hash) != Injected::read(set.annotations.get(label::EPHEMERAL_METADATA))
        {
            continue;
        }
        match pod::listed(facts, set) {
            Ok(pods) => writes.extend(pods.iter().filter_map(|pod| pod_patch(facts, set, pod))),
            Err(why) => gates.wait(
                &format!("the pods of ReplicaSet {} to be listed: {why}", set.name),
                "they get the labels and annotations of their role",
            ),
        }
    }
}

fn pod_patch(facts: &Facts, set: &ReplicaSet, pod: &Pod) -> Option<Write> {
    let wanted = Injected::read(set.annotations.get(label::EPHEMERAL_METADATA));
    let before = Injected::read(set.annotations.get(label::PODS_BEHIND));
    let parts = [("labels", &pod.labels), ("annotations", &pod.annotations)];
    let parts = parts.into_iter().filter(|(_, entries)| !entries.is_empty());
    let metadata: Value = parts.map(|(part, entries)| (part.to_owned(), json!(entries))).collect();
    let own = |part: &str, key: &str| of_template(facts, set, part, key);
    let changes = operations("/metadata", &metadata, (&wanted, &before), own);
    if pod.deleting || changes.is_empty() {
        return None;
    }
    let mut patch = vec![json!({"op": "test", "path": "/metadata/uid", "value": pod.uid})];
    patch.extend(changes);
    let object = ObjectKey::new("", "v1", "Pod", facts.namespace(), &pod.name);
    Some(Write { object, effect: Effect::JsonPatch(patch) })
}

/// What the user's own template says of a key, for the revision that runs it: an injected value may have covered it.
fn of_template(facts: &Facts, set: &ReplicaSet, part: &str, key: &str) -> Option<String> {
    let template = facts.rollout.spec.template.as_ref()?.value();
    let value = template.get("metadata")?.get(part)?.get(key)?.as_str()?;
    (set.hash == facts.current_hash).then(|| value.to_owned())
}

/// JSON patch operations that bring `metadata` from what was injected before to what is wanted.
fn operations(
    path: &str,
    metadata: &Value,
    (wanted, before): (&Injected, &Injected),
    own: impl Fn(&str, &str) -> Option<String>,
) -> Vec<Value> {
    let mut operations = Vec::new();
    for (part, entries) in wanted.parts() {
        let found = metadata.get(part).and_then(Value::as_object);
        let keys: BTreeSet<_> = entries.keys().chain(before.part(part).keys()).collect();
        let mut changes = Vec::new();
        for key in keys {
            let now = found.and_then(|found| found.get(key)).and_then(Value::as_str);
            let value = entries.get(key).cloned().or_else(|| own(part, key));
            let path = format!("{path}/{part}/{}", pointer_escape(key));
            match value {
                Some(value) if now != Some(value.as_str()) => {
                    changes.push(json!({"op": "add", "path": path, "value": value}));
                }
                None if now.is_some() => changes.push(json!({"op": "remove", "path": path})),
                _ => {}
            }
        }
        if found.is_none() && !changes.is_empty() {
            operations.push(json!({"op": "add", "path": format!("{path}/{part}"), "value": {}}));
        }
        operations.append(&mut changes);
    }
    operations
}
