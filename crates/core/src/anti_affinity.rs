//! Decides the rule that keeps pods of a new revision away from nodes of the stable one.

use serde_json::{Value, json};
use serin_api::{AntiAffinity, RolloutSpec, label};

use crate::facts::Facts;
use crate::memory::Memory;
use crate::template;

fn of_strategy(spec: &RolloutSpec) -> Option<&AntiAffinity> {
    let strategy = spec.strategy.as_ref()?;
    match (&strategy.canary, &strategy.blue_green) {
        (Some(canary), _) => canary.anti_affinity.as_ref(),
        (None, Some(blue_green)) => blue_green.anti_affinity.as_ref(),
        (None, None) => None,
    }
}

/// The affinity that the template of the new revision is to have: the user's own with the rule of this moment. The rule
/// names the hash of stable, so it goes when the revision itself becomes stable; pods that run are left alone.
pub(crate) fn wanted(facts: &Facts, memory: &Memory, found: &Value) -> Option<Value> {
    let stable = memory.stable();
    let rule =
        of_strategy(&facts.rollout.spec).filter(|_| !stable.is_empty() && stable != facts.current_hash);
    let mut template = found.clone();
    template::remove_anti_affinity(&mut template);
    if let Some(rule) = rule {
        let (list, entry) = entry(rule, stable, facts.namespace());
        let path = ["spec", "affinity", "podAntiAffinity", list];
        let pointer = format!("/{}", path.join("/"));
        let mut entries = template.pointer(&pointer).and_then(Value::as_array).cloned().unwrap_or_default();
        entries.push(entry);
        crate::replica_set::set_path(&mut template, &path, Value::Array(entries));
    }
    template.pointer("/spec/affinity").filter(|affinity| !is_empty(affinity)).cloned()
}

/// The operation that brings the affinity of a ReplicaSet up to date, if it is not.
pub(crate) fn operation(facts: &Facts, memory: &Memory, found: &Value) -> Option<Value> {
    let now = found.pointer("/spec/affinity").filter(|affinity| !is_empty(affinity));
    let wanted = wanted(facts, memory, found);
    if now == wanted.as_ref() {
        return None;
    }
    let path = "/spec/template/spec/affinity";
    Some(match wanted {
        Some(wanted) => json!({"op": "add", "path": path, "value": wanted}),
        None => json!({"op": "remove", "path": path}),
    })
}

fn entry(rule: &AntiAffinity, stable: &str, namespace: &str) -> (&'static str, Value) {
    let term = json!({
        "labelSelector": {
            "matchExpressions": [{"key": label::POD_TEMPLATE_HASH, "operator": "In", "values": [stable]}],
        },
        "namespaces": [namespace],
        "topologyKey": "kubernetes.io/hostname",
    });
    match &rule.preferred_during_scheduling_ignored_during_execution {
        Some(preferred) => (
            "preferredDuringSchedulingIgnoredDuringExecution",
            json!({"weight": preferred.weight, "podAffinityTerm": term}),
        ),
        None => ("requiredDuringSchedulingIgnoredDuringExecution", term),
    }
}

/// Objects and lists with nothing in them say the same as none.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Array(entries) => entries.is_empty(),
        Value::Null => true,
        _ => false,
    }
}
