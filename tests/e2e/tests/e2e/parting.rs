//! Routes go back to stable when a Rollout leaves them while no controller runs, and before it is deleted, if it asks for it.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use serin_e2e::{Scene, manifest, play};

const ADMISSION: &str = "admissionregistration.k8s.io/v1";
const ROUTE: &str = "gateway.networking.k8s.io/v1";
const STEPS: &str = "      canaryService: shop-canary\n      stableService: shop-stable\n      trafficRouting:\n        plugins:\n          argoproj-labs/gatewayAPI: {httpRoute: shop}\n      steps:\n      - setWeight: 25\n      - pause: {}\n";

/// Two versions, a quarter of the traffic on the second one.
async fn begin(scene: &Scene) -> Result<()> {
    let cluster = &scene.cluster;
    cluster.apply(&manifest::services(scene.namespace())).await?;
    cluster.apply(&manifest::http_route(scene.namespace())).await?;
    cluster.apply(&manifest::rollout(scene.namespace(), "v1", 2, STEPS)).await?;
    cluster.until_phase("shop", "Healthy", 60).await?;
    rollout(scene, manifest::version("v2", &[])).await?;
    let so = |found: &Value| found["status"]["pauseConditions"][0]["reason"] == "CanaryPauseStep";
    cluster.until("shop", "paused at its first weight", 90, so).await?;
    ensure!(weights(&route(scene).await?) == json!([75, 25]), "{}", route(scene).await?["spec"]);
    Ok(())
}

async fn rollout(scene: &Scene, patch: Value) -> Result<()> {
    scene.cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", patch).await
}

async fn route(scene: &Scene) -> Result<Value> {
    scene.cluster.get(ROUTE, "HTTPRoute", "shop").await
}

/// Weights of stable and canary.
fn weights(route: &Value) -> Value {
    let backends = &route["spec"]["rules"][0]["backendRefs"];
    json!([backends[0]["weight"], backends[1]["weight"]])
}

#[test]
fn a_route_that_was_left_while_no_controller_ran_goes_back_to_stable() {
    play("left-route", async |scene| {
        begin(scene).await?;
        scene.controller.kill().await?;
        rollout(scene, json!({"spec": {"strategy": {"canary": {"trafficRouting": null}}}})).await?;
        scene.controller.resume().await?;
        let back = |found: &Value| weights(found) == json!([100, 0]);
        scene.cluster.until_object((ROUTE, "HTTPRoute", "shop"), "back at stable", 60, back).await?;
        let forgotten = |found: &Value| found["status"]["canary"]["routed"].is_null();
        scene.cluster.until("shop", "done with the route", 60, forgotten).await?;
        Ok(())
    });
}

#[test]
fn a_deletion_waits_until_the_routes_are_handed_back_and_no_longer_than_it_may() {
    play("hand-back", async |scene| {
        begin(scene).await?;
        let ask = |value: Value| json!({"metadata": {"annotations": {"serin.dev/hand-back": value}}});
        let has = |found: &Value| found["metadata"]["finalizers"] == json!(["serin.dev/hand-back"]);
        rollout(scene, ask(json!("5s"))).await?;
        scene.cluster.until("shop", "with the finalizer", 30, has).await?;
        rollout(scene, ask(Value::Null)).await?;
        scene
            .cluster
            .until("shop", "without the finalizer", 30, |found| found["metadata"]["finalizers"].is_null())
            .await?;
        rollout(scene, ask(json!("60s"))).await?;
        scene.cluster.until("shop", "with the finalizer again", 30, has).await?;
        // Deleted while nobody can do anything: it waits, and goes once a controller is there.
        scene.controller.kill().await?;
        scene.cluster.delete("argoproj.io/v1alpha1", "Rollout", "shop").await?;
        ensure!(scene.cluster.rollout("shop").await?["metadata"]["deletionTimestamp"].is_string());
        scene.controller.resume().await?;
        let back = |found: &Value| weights(found) == json!([100, 0]);
        scene.cluster.until_object((ROUTE, "HTTPRoute", "shop"), "back at stable", 60, back).await?;
        gone(scene, 50).await?;
        let told = scene.cluster.list("v1", "Event").await?;
        ensure!(
            told.iter().any(|event| event["reason"] == "RoutesHandedBack"),
            "it is told that routes are handed back"
        );
        Ok(())
    });
}

/// A route that must not change holds a deletion for the time that was given, and no longer.
#[test]
fn a_deletion_does_not_wait_for_a_route_that_cannot_be_handed_back() {
    play("hand-back-in-vain", async |scene| {
        begin(scene).await?;
        rollout(scene, json!({"metadata": {"annotations": {"serin.dev/hand-back": "5s"}}})).await?;
        let has = |found: &Value| found["metadata"]["finalizers"] == json!(["serin.dev/hand-back"]);
        scene.cluster.until("shop", "with the finalizer", 30, has).await?;
        let (policy, binding) = no_route_may_change(scene.namespace());
        scene.cluster.apply(&policy.to_string()).await?;
        scene.cluster.apply(&binding.to_string()).await?;
        let outcome = in_vain(scene).await;
        for kind in ["ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"] {
            scene.cluster.delete(ADMISSION, kind, scene.namespace()).await?;
        }
        outcome?;
        let message = told(scene, "RoutesNotHandedBack").await?;
        ensure!(message.contains("within 5 s") && message.contains("HTTPRoute"), "{message}");
        Ok(())
    });
}

async fn in_vain(scene: &Scene) -> Result<()> {
    let touch = || {
        scene.cluster.merge(ROUTE, "HTTPRoute", "shop", json!({"metadata": {"labels": {"touched": "yes"}}}))
    };
    let mut tries = 0..150;
    while touch().await.is_ok() {
        ensure!(tries.next().is_some(), "routes may still be changed after 30 s");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    scene.cluster.delete("argoproj.io/v1alpha1", "Rollout", "shop").await?;
    gone(scene, 30).await
}

/// A policy, and its binding, that refuse every change of an HTTPRoute in a namespace.
fn no_route_may_change(namespace: &str) -> (Value, Value) {
    let rule = json!({
        "apiGroups": ["gateway.networking.k8s.io"], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": ["httproutes"],
    });
    let policy = json!({
        "apiVersion": ADMISSION, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": namespace},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": "false", "message": "no route may change"}],
        },
    });
    let here = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}});
    let binding = json!({
        "apiVersion": ADMISSION, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": namespace},
        "spec": {"policyName": namespace, "validationActions": ["Deny"], "matchResources": here},
    });
    (policy, binding)
}

/// The message of the event with this reason: events are sent beside the work.
async fn told(scene: &Scene, reason: &str) -> Result<String> {
    for _ in 0..50 {
        let events = scene.cluster.list("v1", "Event").await?;
        if let Some(event) = events.iter().find(|event| event["reason"] == reason) {
            return Ok(event["message"].as_str().unwrap_or_default().to_owned());
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    anyhow::bail!("no event {reason} within 10 s")
}

async fn gone(scene: &Scene, seconds: u64) -> Result<()> {
    for _ in 0..seconds * 5 {
        if scene.cluster.rollout("shop").await.is_err() {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    anyhow::bail!("the Rollout is still there after {seconds} s")
}
