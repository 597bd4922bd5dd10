//! Decides which ReplicaSets without a controller are taken over: those that a Rollout of this selector has left behind, when
//! it was deleted with `--cascade=orphan` and applied again.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::facts::Facts;
use crate::replica_set::{key, owner_reference};
use crate::write::{Effect, Write};

/// A ReplicaSet that nobody controls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphan {
    /// Object name.
    pub name: String,
    /// Its version: the precondition of taking it over.
    pub version: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// It has owners that do not control it.
    pub owned: bool,
}

impl Orphan {
    /// A ReplicaSet as JSON; `None` when it has a controller, is being deleted, or is of an Experiment.
    pub fn of(object: &Value) -> Option<Self> {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        let controlled =
            owners.into_iter().flatten().any(|owner| owner.get("controller") == Some(&Value::Bool(true)));
        let of_experiment = object.pointer("/metadata/annotations/experiment.argoproj.io~1name").is_some();
        let leaves = object.pointer("/metadata/deletionTimestamp").is_some_and(|at| !at.is_null());
        let labels = object.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
        let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        let orphan = Self {
            name: text("/metadata/name"),
            version: text("/metadata/resourceVersion"),
            labels: labels.collect(),
            owned: owners.is_some(),
        };
        (!controlled && !leaves && !of_experiment).then_some(orphan)
    }
}

/// The writes that make the Rollout the controller of orphans with its labels. What it runs is known only when they are
/// seen.
pub(crate) fn adopt(facts: &Facts) -> Vec<Write> {
    let Some(selector) = &facts.rollout.spec.selector else { return Vec::new() };
    let ours = facts.world.orphans.iter().filter(|orphan| selects(selector, &orphan.labels));
    let writes = ours.map(|orphan| {
        let owner = owner_reference(facts);
        let mut patch =
            vec![json!({"op": "test", "path": "/metadata/resourceVersion", "value": orphan.version})];
        patch.push(match orphan.owned {
            true => json!({"op": "add", "path": "/metadata/ownerReferences/-", "value": owner}),
            false => json!({"op": "add", "path": "/metadata/ownerReferences", "value": [owner]}),
        });
        Write { object: key(facts, &orphan.name), effect: Effect::JsonPatch(patch) }
    });
    writes.collect()
}

fn selects(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let equal = selector.match_labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    equal
        && selector.match_expressions.iter().flatten().all(|expression| {
            let value = labels.get(&expression.key);
            let listed = value.is_some_and(|value| expression.values.iter().flatten().any(|it| it == value));
            match expression.operator.as_str() {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => value.is_some(),
                _ => value.is_none(),
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_orphan_is_what_nobody_controls_and_nobody_deletes() {
        for (name, metadata, expected) in [
            ("without owners", json!({}), Some(false)),
            (
                "with an owner that does not control it",
                json!({"ownerReferences": [{"uid": "u"}]}),
                Some(true),
            ),
            ("with a controller", json!({"ownerReferences": [{"uid": "u", "controller": true}]}), None),
            ("of an Experiment", json!({"annotations": {"experiment.argoproj.io/name": "e"}}), None),
            ("on its way out", json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}), None),
        ] {
            let found = Orphan::of(&json!({"metadata": metadata}));
            assert_eq!(found.map(|orphan| orphan.owned), expected, "{name}");
        }
    }

    #[test]
    fn all_of_a_selector_counts() {
        let labels = BTreeMap::from([("app".to_owned(), "shop".to_owned())]);
        for (selector, expected) in [
            (json!({"matchLabels": {"app": "shop"}}), true),
            (json!({"matchLabels": {"app": "cart"}}), false),
            (
                json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["shop", "cart"]}]}),
                true,
            ),
            (json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["cart"]}]}), false),
            (json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["shop"]}]}), false),
            (json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["cart"]}]}), true),
            (json!({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}), false),
            (json!({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}), true),
        ] {
            let selector_read = serde_json::from_value(selector.clone()).unwrap();
            assert_eq!(selects(&selector_read, &labels), expected, "{selector}");
        }
    }
}
