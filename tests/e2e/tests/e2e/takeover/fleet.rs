//! The Rollouts that are taken over.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};
use serin_e2e::manifest;

/// An AnalysisTemplate that measures `count` times, once a second, and is content.
pub(super) fn template(namespace: &str, count: u32) -> String {
    let provider = json!({"prometheus": {"address": "http://127.0.0.1:9090", "query": "vector(1)"}});
    let metric = json!({
        "name": "up", "interval": "1s", "count": count, "provider": provider,
        "successCondition": "result[0] >= {{args.least}}",
    });
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate",
        "metadata": {"name": "up", "namespace": namespace},
        "spec": {"args": [{"name": "least"}, {"name": "hash"}], "metrics": [metric]},
    })
    .to_string()
}

/// Every Rollout of `fleet.yaml`, with hardly any pods: what its revisions are called and where it stands must not
/// change.
pub(super) fn fleet(namespace: &str) -> Result<BTreeMap<String, Value>> {
    let fleet: BTreeMap<String, Value> = serde_yaml::from_str(include_str!("fleet.yaml"))?;
    Ok(fleet.into_iter().map(|(name, more)| (name.clone(), plain(namespace, &name, &more))).collect())
}

fn plain(namespace: &str, name: &str, more: &Value) -> Value {
    // Those of the Services and of the VirtualService.
    let app = if name == "routed" { "shop" } else { name };
    // Its protocol is defaulted before hashing by one and not by the other, so that templates must be compared.
    let ports = json!([{"containerPort": 8080}]);
    let mut container =
        json!({"name": "app", "image": "local/serin-demo:1", "args": ["serve"], "ports": ports});
    put(&mut container, &more["container"]);
    let mut pod = json!({"containers": [container]});
    put(&mut pod, &more["pod"]);
    let mut canary = json!({"steps": [{"setWeight": 50}, {"pause": {}}]});
    put(&mut canary, &more["canary"]);
    let metadata =
        json!({"creationTimestamp": null, "labels": {"app": app}, "annotations": {"note": "a & b"}});
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": {"name": name, "namespace": namespace, "annotations": {"team": "shop"}},
        "spec": {
            // Services are switched to pods, so that one has some.
            "replicas": i32::from(name == "routed"),
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": {"app": app}},
            "template": {"metadata": metadata, "spec": pod},
            "strategy": {"canary": canary},
        },
    })
}

/// Puts every field of `more` into `object`; null takes one away.
fn put(object: &mut Value, more: &Value) {
    let (Some(object), Some(more)) = (object.as_object_mut(), more.as_object()) else { return };
    for (key, value) in more {
        if value.is_null() {
            object.remove(key);
        } else {
            object.insert(key.clone(), value.clone());
        }
    }
}

/// Every Rollout of `midway.yaml`, with four pods.
pub(super) fn midways(namespace: &str) -> Result<BTreeMap<String, Value>> {
    let plans: BTreeMap<String, Value> = serde_yaml::from_str(include_str!("midway.yaml"))?;
    let rollout = |(name, plan): (String, Value)| {
        let mut rollout: Value = serde_yaml::from_str(&super::rollout(namespace, &name, "      {}"))?;
        rollout["spec"]["strategy"]["canary"] = plan;
        Ok((name, rollout))
    };
    plans.into_iter().map(rollout).collect()
}

/// The Rollout is where it is to be taken over.
pub(super) fn is_there(name: &str, found: &Value) -> bool {
    let status = &found["status"];
    let paused = status["phase"] == "Paused";
    match name {
        "measuring" => status["canary"]["currentStepAnalysisRunStatus"]["status"] == "Running",
        "watched" => paused && status["canary"]["currentBackgroundAnalysisRunStatus"]["status"] == "Running",
        "routed" => paused && status["canary"]["weights"]["canary"]["weight"] == 20,
        "stuck" => status["updatedReplicas"] == 1,
        _ => paused,
    }
}

/// The Services and the VirtualService of the routed one, whose pods have the label `app`.
pub(super) fn routes(namespace: &str, app: &str) -> String {
    let services = manifest::services(namespace).replace("app: shop", &format!("app: {app}"));
    format!("{services}---\n{}", manifest::virtual_service(namespace))
}
