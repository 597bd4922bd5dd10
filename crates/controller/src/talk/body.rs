//! Says what an extension is told about traffic.

use serde_json::{Value, json};
use serin_api::Rollout;
use serin_core::extension::{PROTOCOL, rollout_told};
use serin_core::seen::ObjectKey;

/// The body of `traffic/read`.
pub(super) fn read(rollout: &Rollout, key: &ObjectKey) -> Value {
    let strategy = rollout.spec.strategy.as_ref();
    let routing = strategy.and_then(|strategy| strategy.canary.as_ref()?.traffic_routing.as_ref());
    let config = routing.and_then(|routing| routing.plugins.as_ref()?.get(&key.name));
    let status = rollout.status.as_ref();
    let canary = status.map(|status| status.current_pod_hash.as_str()).unwrap_or_default();
    let stable = status.and_then(|status| status.stable_rs.as_deref()).unwrap_or_default();
    json!({
        "protocol": PROTOCOL, "name": key.name, "config": config,
        "rollout": rollout_told(rollout, (canary, stable)),
    })
}

/// The body of `traffic/apply`.
pub(super) fn apply(rollout: &Rollout, key: &ObjectKey, split: &Value) -> Value {
    let mut body = read(rollout, key);
    body["split"] = split.clone();
    body
}
