//! The promises that every change must keep: a few minutes in all.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use serin_e2e::audit::Audit;
use serin_e2e::{Scene, manifest, play};

const STEPS: &str = "      steps:\n      - setWeight: 50\n      - pause: {}\n";

fn gateway_strategy(steps: &str) -> String {
    format!(
        "      canaryService: shop-canary\n      stableService: shop-stable\n      scaleDownDelaySeconds: 2\n      abortScaleDownDelaySeconds: 2\n      trafficRouting:\n        plugins:\n          argoproj-labs/gatewayAPI: {{httpRoute: shop}}\n{steps}"
    )
}

fn istio_strategy(steps: &str) -> String {
    format!(
        "      canaryService: shop-canary\n      stableService: shop-stable\n      scaleDownDelaySeconds: 2\n      abortScaleDownDelaySeconds: 2\n      trafficRouting:\n        istio:\n          virtualService: {{name: shop, routes: [primary]}}\n{steps}"
    )
}

/// Steps that wait for a person at 20 % and at 60 %.
const TWO_STOPS: &str =
    "      steps:\n      - setWeight: 20\n      - pause: {}\n      - setWeight: 60\n      - pause: {}\n";

async fn change_version(scene: &Scene, version: &str) -> Result<()> {
    scene.cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", manifest::version(version, &[])).await
}

async fn resume(scene: &Scene) -> Result<()> {
    scene.cluster.merge_status("shop", json!({"pauseConditions": null})).await
}

fn weights_of_route(route: &Value) -> Vec<(String, i64)> {
    let backends = route["spec"]["rules"][0]["backendRefs"].as_array().cloned().unwrap_or_default();
    backends
        .iter()
        .map(|backend| {
            (backend["name"].as_str().unwrap_or_default().to_owned(), backend["weight"].as_i64().unwrap_or(1))
        })
        .collect()
}

fn stable_and_canary(stable: i64, canary: i64) -> Vec<(String, i64)> {
    vec![("shop-stable".to_owned(), stable), ("shop-canary".to_owned(), canary)]
}

#[test]
fn a_good_version_is_promoted_by_the_number_of_pods_and_then_all_is_quiet() {
    play("promote", async |scene| {
        let cluster = scene.cluster.clone();
        cluster.apply(&manifest::rollout(scene.namespace(), "v1", 2, STEPS)).await?;
        let first = cluster.until_phase("shop", "Healthy", 60).await?;
        let stable = first["status"]["stableRS"].clone();
        ensure!(first["status"]["currentPodHash"] == stable, "the first version is stable at once");

        change_version(scene, "v2").await?;
        let paused = cluster.until_phase("shop", "Paused", 60).await?;
        ensure!(paused["status"]["message"] == "CanaryPauseStep", "{}", paused["status"]["message"]);
        ensure!(paused["status"]["currentStepIndex"] == 1);
        ensure!(paused["status"]["stableRS"] == stable, "stable stays stable during the canary");
        let sets = cluster.list("apps/v1", "ReplicaSet").await?;
        ensure!(sets.iter().all(|set| set["spec"]["replicas"] == 1), "half of the pods each");

        resume(scene).await?;
        let promoted = cluster.until_phase("shop", "Healthy", 60).await?;
        ensure!(promoted["status"]["stableRS"] != stable, "the second version is stable");
        let events = cluster.list("v1", "Event").await?;
        for reason in [
            "RolloutUpdated",
            "NewReplicaSetCreated",
            "ScalingReplicaSet",
            "RolloutStepCompleted",
            "RolloutPaused",
            "RolloutCompleted",
        ] {
            ensure!(events.iter().any(|event| event["reason"] == reason), "no event {reason}");
        }
        quiet(scene, Duration::from_secs(10)).await
    });
}

/// A settled rollout causes no write.
pub(crate) async fn quiet(scene: &Scene, length: Duration) -> Result<()> {
    tokio::time::sleep(Duration::from_secs(3)).await;
    let audit = Audit::begin()?;
    tokio::time::sleep(length).await;
    let writes = audit.writes(scene.namespace())?;
    ensure!(writes.is_empty(), "a settled rollout was written: {writes:?}");
    Ok(())
}

#[test]
fn weights_of_an_http_route_follow_the_steps_and_a_users_edit_is_kept() {
    play("http-route", async |scene| {
        let cluster = scene.cluster.clone();
        cluster.apply(&manifest::services(scene.namespace())).await?;
        cluster.apply(&manifest::http_route(scene.namespace())).await?;
        cluster.apply(&manifest::rollout(scene.namespace(), "v1", 2, &gateway_strategy(TWO_STOPS))).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        let key = ("gateway.networking.k8s.io/v1", "HTTPRoute", "shop");

        change_version(scene, "v2").await?;
        cluster.until("shop", "paused at 20 %", 60, |found| found["status"]["currentStepIndex"] == 1).await?;
        ensure!(weights_of_route(&cluster.get(key.0, key.1, key.2).await?) == stable_and_canary(80, 20));

        let timeouts = json!([{"op": "add", "path": "/spec/rules/0/timeouts", "value": {"request": "7s"}}]);
        cluster.json_patch(key.0, key.1, key.2, timeouts).await?;
        resume(scene).await?;
        cluster.until("shop", "paused at 60 %", 60, |found| found["status"]["currentStepIndex"] == 3).await?;
        let route = cluster.get(key.0, key.1, key.2).await?;
        ensure!(weights_of_route(&route) == stable_and_canary(40, 60));
        ensure!(route["spec"]["rules"][0]["timeouts"]["request"] == "7s", "the user's edit is kept");

        cluster.merge_status("shop", json!({"abort": true})).await?;
        let back = cluster
            .until_object(key, "back at stable", 20, |route| {
                weights_of_route(route) == stable_and_canary(100, 0)
            })
            .await?;
        ensure!(back["spec"]["rules"][0]["timeouts"]["request"] == "7s");
        let degraded = cluster.until_phase("shop", "Degraded", 20).await?;
        let message = degraded["status"]["message"].as_str().unwrap_or_default();
        ensure!(message == "RolloutAborted: Rollout aborted update to revision 2", "{message}");
        Ok(())
    });
}

#[test]
fn weights_of_a_virtual_service_follow_the_steps() {
    play("virtual-service", async |scene| {
        let cluster = scene.cluster.clone();
        cluster.apply(&manifest::services(scene.namespace())).await?;
        cluster.apply(&manifest::virtual_service(scene.namespace())).await?;
        cluster.apply(&manifest::rollout(scene.namespace(), "v1", 2, &istio_strategy(TWO_STOPS))).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        let key = ("networking.istio.io/v1", "VirtualService", "shop");
        let weights = |object: &Value| -> Vec<i64> {
            let routes = object["spec"]["http"][0]["route"].as_array().cloned().unwrap_or_default();
            routes.iter().map(|route| route["weight"].as_i64().unwrap_or(-1)).collect()
        };
        change_version(scene, "v2").await?;
        cluster.until("shop", "paused at 20 %", 60, |found| found["status"]["currentStepIndex"] == 1).await?;
        ensure!(weights(&cluster.get(key.0, key.1, key.2).await?) == [80, 20]);
        let retries = json!([{"op": "add", "path": "/spec/http/0/retries", "value": {"attempts": 2}}]);
        cluster.json_patch(key.0, key.1, key.2, retries).await?;
        resume(scene).await?;
        cluster.until("shop", "paused at 60 %", 60, |found| found["status"]["currentStepIndex"] == 3).await?;
        ensure!(weights(&cluster.get(key.0, key.1, key.2).await?) == [40, 60]);
        resume(scene).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        let after =
            cluster.until_object(key, "back at stable", 20, |object| weights(object) == [100, 0]).await?;
        ensure!(after["spec"]["http"][0]["retries"]["attempts"] == 2, "the user's edit is kept");
        Ok(())
    });
}

#[test]
fn a_spec_that_cannot_work_is_said_with_field_and_remedy_and_recovers() {
    play("invalid", async |scene| {
        let cluster = scene.cluster.clone();
        cluster.apply(&manifest::rollout(scene.namespace(), "v1", 1, STEPS)).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        let pods = cluster.pod_uids().await?;
        let bad = json!({"spec": {"strategy": {"canary": {"steps": [{"setWeight": 500}]}}}});
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", bad).await?;
        let degraded = cluster.until_phase("shop", "Degraded", 20).await?;
        let message = degraded["status"]["message"].as_str().unwrap_or_default();
        // The path that clients of Argo Rollouts know, which has no strategy in it.
        for part in ["InvalidSpec", "spec.strategy.steps[0].setWeight", "500", "between 0 and 100"] {
            ensure!(message.contains(part), "{message}");
        }
        ensure!(cluster.pod_uids().await? == pods, "the running workload stays as it is");
        let good = json!({"spec": {"strategy": {"canary": {"steps": [{"setWeight": 50}]}}}});
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", good).await?;
        cluster.until_phase("shop", "Healthy", 20).await?;
        ensure!(cluster.pod_uids().await? == pods);
        // What only the API server knows of pod templates, it says when the ReplicaSet is made.
        let environment = |value: &str| manifest::version("v1", &[(value, "x")]);
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", environment("A=B")).await?;
        let degraded = cluster.until_phase("shop", "Degraded", 20).await?;
        let message = degraded["status"]["message"].as_str().unwrap_or_default();
        let said = "InvalidSpec: The Rollout \"shop\" is invalid: spec.template.spec.containers[0].env[1].name: Invalid value: \"A=B\"";
        ensure!(message.starts_with(said), "{message}");
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", manifest::version("v1", &[])).await?;
        cluster.until_phase("shop", "Healthy", 20).await?;
        ensure!(cluster.pod_uids().await? == pods);
        // Fields of our own are checked by the API server; those of Argo's API are taken as its API server takes them.
        let step = |step: Value| json!({"spec": {"strategy": {"canary": {"steps": [step]}}}});
        let selector = json!({"spec": {"selector": {"matchLabels": {"app": "other"}}}});
        for (bad, why) in [
            (step(json!({"setWeight": 50, "bake": {}})), "give duration, requests or both"),
            (step(json!({"setWeight": 50, "bake": {"requests": 0}})), "greater than or equal to 1"),
            (
                json!({"spec": {"strategy": {"canary": {"updateType": "Fast"}}}}),
                "give RollingUpdate or Recreate",
            ),
            (selector, ".spec.selector is immutable"),
        ] {
            refused(cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", bad).await, why)?;
        }
        let comparison = |given: &str| {
            template(scene.namespace()).replace(
                "provider: {prometheus: {address: 'http://127.0.0.1:9090', query: vector(1)}}",
                &format!("comparison: {given}"),
            )
        };
        cluster.apply(&comparison("{errorRate: {requests: a}, consecutiveWindows: 3}")).await?;
        for (bad, why) in [
            ("{}", "give exactly one of errorRate"),
            ("{preset: http, errorRate: {}, latency: {}}", "give exactly one of errorRate"),
            ("{errorRate: {requests: a}, consecutiveWindows: 0}", "greater than or equal to 1"),
            ("{errorRate: {requests: a}, warmup: -1}", "greater than or equal to 0"),
        ] {
            refused(cluster.apply(&comparison(bad)).await, why)?;
        }
        Ok(())
    });
}

fn refused(written: Result<()>, why: &str) -> Result<()> {
    let message = written.err().map(|error| format!("{error:#}")).unwrap_or_default();
    ensure!(message.contains(why), "expected to be refused with '{why}': {message}");
    Ok(())
}

#[test]
fn what_the_spec_names_and_is_missing_is_said_and_waited_for() {
    play("missing", async |scene| {
        let cluster = scene.cluster.clone();
        let strategy = gateway_strategy(
            "      steps: [{setWeight: 50}, {analysis: {templates: [{templateName: absent}]}}]\n",
        );
        cluster.apply(&manifest::rollout(scene.namespace(), "v1", 1, &strategy)).await?;
        for (part, cure) in [
            ("shop-stable", manifest::services(scene.namespace())),
            ("absent", template(scene.namespace())),
            ("httproute", manifest::http_route(scene.namespace())),
        ] {
            cluster
                .until("shop", &format!("waiting for {part}"), 30, |found| {
                    let message = found["status"]["message"].as_str().unwrap_or_default().to_lowercase();
                    let gates = found["status"]["gates"].to_string().to_lowercase();
                    message.contains("invalidspec") && message.contains(part) && gates.contains(part)
                })
                .await?;
            cluster.apply(&cure).await?;
        }
        cluster.until_phase("shop", "Healthy", 60).await?;
        Ok(())
    });
}

fn template(namespace: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {{name: absent, namespace: {namespace}}}\nspec:\n  metrics:\n  - name: up\n    successCondition: result[0] >= 0\n    provider: {{prometheus: {{address: 'http://127.0.0.1:9090', query: vector(1)}}}}\n"
    )
}

#[test]
fn one_malformed_object_does_not_stop_the_others() {
    play("malformed", async |scene| {
        let cluster = scene.cluster.clone();
        let broken = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
            "metadata": {"name": "broken", "namespace": scene.namespace()},
            "spec": {"selector": {"matchLabels": {"app": "x"}}, "template": {"spec": {"containers": "none"}}},
        });
        cluster.apply(&broken.to_string()).await?;
        cluster.apply(&manifest::rollout(scene.namespace(), "v1", 1, STEPS)).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        cluster
            .until("broken", "said to be invalid", 20, |found| {
                found["status"]["message"].as_str().is_some_and(|message| message.contains("InvalidSpec"))
            })
            .await?;
        // The API server takes the last second of the year 9999, and no calendar of ours goes that far.
        cluster.merge_status("shop", json!({"abortedAt": "9999-12-31T23:59:59Z"})).await?;
        let unread = cluster.until_phase("shop", "Degraded", 20).await?;
        let message = unread["status"]["message"].as_str().unwrap_or_default();
        ensure!(message.contains("cannot be read: ") && message.contains("status.abortedAt: "), "{message}");
        cluster.merge_status("shop", json!({"abortedAt": null})).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        Ok(())
    });
}
