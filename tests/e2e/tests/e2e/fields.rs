//! Fields of strategies that no other test is about, each with what is good of it and what is bad, on real pods.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use serin_e2e::way::GATEWAY_API;
use serin_e2e::{Scene, manifest, play};

use crate::traffic::{change, paused_at, promoted};

const ROLLOUT: (&str, &str) = ("argoproj.io/v1alpha1", "Rollout");
const STEPS: &str = "      steps:\n      - setWeight: 50\n      - pause: {}\n";

/// A first version with this canary strategy, further fields of the spec, and that many pods.
async fn begin(scene: &Scene, replicas: i32, strategy: &str, spec: Value) -> Result<()> {
    let mut rollout: Value =
        serde_yaml::from_str(&manifest::rollout(scene.namespace(), "v1", replicas, strategy))?;
    for (field, value) in spec.as_object().context("fields")? {
        rollout["spec"][field] = value.clone();
    }
    scene.cluster.apply(&rollout.to_string()).await?;
    scene.cluster.until_phase("shop", "Healthy", 60).await.map(drop)
}

/// A version whose container differs by these fields.
async fn change_with(scene: &Scene, version: &str, container: Value) -> Result<()> {
    let mut patch = manifest::version(version, &[]);
    for (field, value) in container.as_object().context("fields")? {
        patch["spec"]["template"]["spec"]["containers"][0][field] = value.clone();
    }
    scene.cluster.merge(ROLLOUT.0, ROLLOUT.1, "shop", patch).await
}

/// A probe that nobody answers well.
fn failing_probe() -> Value {
    json!({"readinessProbe": {"httpGet": {"path": "/nowhere", "port": "http"}, "periodSeconds": 1}})
}

async fn resume(scene: &Scene) -> Result<()> {
    scene.cluster.merge_status("shop", json!({"pauseConditions": null})).await
}

/// Pods that the ReplicaSets ask for, by revision.
async fn sizes(scene: &Scene) -> Result<Vec<(String, i64)>> {
    let sets = scene.cluster.list("apps/v1", "ReplicaSet").await?;
    let size = |set: &Value| {
        let revision = set["metadata"]["annotations"]["rollout.argoproj.io/revision"].as_str();
        (revision.unwrap_or_default().to_owned(), set["spec"]["replicas"].as_i64().unwrap_or(-1))
    };
    let mut sizes: Vec<_> = sets.iter().map(size).collect();
    sizes.sort();
    Ok(sizes)
}

async fn sizes_are(scene: &Scene, wanted: &[(&str, i64)]) -> Result<()> {
    let wanted: Vec<_> = wanted.iter().map(|(revision, size)| ((*revision).to_owned(), *size)).collect();
    let mut found = Vec::new();
    for _ in 0..150 {
        found = sizes(scene).await?;
        if found == wanted {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    anyhow::bail!("ReplicaSets are {found:?}, not {wanted:?}")
}

#[test]
fn a_version_that_fails_its_probe_is_late_and_heals_or_is_taken_back() {
    play("deadline", async |scene| {
        begin(scene, 2, STEPS, json!({"progressDeadlineSeconds": 8})).await?;
        change_with(scene, "v2", failing_probe()).await?;
        let late = scene.cluster.until_phase("shop", "Degraded", 60).await?;
        let message = late["status"]["message"].as_str().unwrap_or_default();
        ensure!(message.starts_with("ProgressDeadlineExceeded: ReplicaSet \"shop-"), "{message}");
        ensure!(message.ends_with("\" has timed out progressing."), "{message}");
        ensure!(late["status"]["abort"].is_null() && late["status"]["availableReplicas"] == 2, "{late}");
        change(scene, "v3").await?;
        paused_at(scene, 1).await?;
        resume(scene).await?;
        promoted(scene, "3").await?;

        let abort = json!({"spec": {"progressDeadlineAbort": true}});
        scene.cluster.merge(ROLLOUT.0, ROLLOUT.1, "shop", abort).await?;
        change_with(scene, "v4", json!({"image": "local/nowhere:1"})).await?;
        let back = |found: &Value| {
            found["status"]["abort"] == true
                && found["status"]["phase"] == "Degraded"
                && found["status"]["availableReplicas"] == 2
        };
        scene.cluster.until("shop", "taken back with all pods of stable", 60, back).await?;
        sizes_are(scene, &[("1", 0), ("2", 0), ("3", 2), ("4", 0)]).await
    });
}

#[test]
fn a_rollback_within_the_window_skips_the_steps_and_one_beyond_it_does_not() {
    play("window", async |scene| {
        begin(scene, 1, STEPS, json!({"rollbackWindow": {"revisions": 1}})).await?;
        for (version, revision) in [("v2", "2"), ("v3", "3")] {
            // Revisions are told apart by the second in which their ReplicaSets were made.
            tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
            change(scene, version).await?;
            paused_at(scene, 1).await?;
            resume(scene).await?;
            promoted(scene, revision).await?;
        }
        change(scene, "v2").await?;
        let done = promoted(scene, "4").await?;
        ensure!(done["status"]["currentStepIndex"] == 2, "{done}");
        let events = scene.cluster.list("v1", "Event").await?;
        let told = |text: &str| {
            events.iter().any(|event| event["message"].as_str().is_some_and(|said| said.contains(text)))
        };
        ensure!(told("Rollback within window"), "{events:?}");
        // Forward is no rollback, and from there the first revision is one too far back.
        change(scene, "v3").await?;
        paused_at(scene, 1).await?;
        resume(scene).await?;
        promoted(scene, "5").await?;
        change(scene, "v1").await?;
        paused_at(scene, 1).await.map(drop)
    });
}

/// Two pods that want the same port of the only node: one of them never runs.
#[test]
fn a_threshold_lets_a_step_pass_with_fewer_pods() {
    play("threshold", async |scene| {
        let port = json!({"ports": [{"name": "http", "containerPort": 8080, "hostPort": 18977}]});
        begin(scene, 4, STEPS, json!({"progressDeadlineSeconds": 600})).await?;
        change_with(scene, "v2", port).await?;
        let one = |found: &Value| {
            found["status"]["availableReplicas"] == 3 && found["status"]["updatedReplicas"] == 2
        };
        scene.cluster.until("shop", "one pod of the canary short", 60, one).await?;
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        let waits = scene.cluster.rollout("shop").await?;
        ensure!(waits["status"]["currentStepIndex"] == 0, "{waits}");
        let gate = waits["status"]["gates"][0]["waitsFor"].as_str().unwrap_or_default();
        ensure!(gate == "2 canary pods to be available", "{gate}");
        let threshold = json!({"replicaProgressThreshold": {"type": "Percent", "value": 50}});
        let threshold = json!({"spec": {"strategy": {"canary": threshold}}});
        scene.cluster.merge(ROLLOUT.0, ROLLOUT.1, "shop", threshold).await?;
        paused_at(scene, 1).await.map(drop)
    });
}

#[test]
fn stable_gives_pods_away_and_gets_them_back_and_a_canary_has_its_fewest() {
    play("dynamic", async |scene| {
        scene.cluster.apply(&manifest::services(scene.namespace())).await?;
        scene.cluster.apply(&manifest::http_route(scene.namespace())).await?;
        let steps = "      - setWeight: 10\n      - pause: {}\n      - setWeight: 50\n      - pause: {}\n";
        let fields = "      dynamicStableScale: true\n      minPodsPerReplicaSet: 2\n";
        begin(scene, 4, &GATEWAY_API.strategy(fields, steps), json!({})).await?;
        change(scene, "v2").await?;
        paused_at(scene, 1).await?;
        sizes_are(scene, &[("1", 4), ("2", 2)]).await?;
        resume(scene).await?;
        paused_at(scene, 3).await?;
        sizes_are(scene, &[("1", 2), ("2", 2)]).await?;
        scene.cluster.merge_status("shop", json!({"abort": true})).await?;
        let back = |found: &Value| {
            found["status"]["phase"] == "Degraded"
                && found["status"]["canary"]["weights"]["canary"]["weight"] == 0
        };
        scene.cluster.until("shop", "back on stable", 60, back).await?;
        sizes_are(scene, &[("1", 4), ("2", 0)]).await
    });
}

#[test]
fn of_older_versions_only_as_many_keep_their_pods_as_the_limit_says() {
    play("limit", async |scene| {
        scene.cluster.apply(&manifest::blue_green_services(scene.namespace())).await?;
        let strategy = "      activeService: shop-active\n      scaleDownDelaySeconds: 600\n      \
                        scaleDownDelayRevisionLimit: 1\n";
        scene.cluster.apply(&manifest::blue_green(scene.namespace(), "v1", 1, strategy)).await?;
        scene.cluster.until_phase("shop", "Healthy", 60).await?;
        for (version, revision) in [("v2", "2"), ("v3", "3")] {
            change(scene, version).await?;
            promoted(scene, revision).await?;
        }
        sizes_are(scene, &[("1", 0), ("2", 1), ("3", 1)]).await
    });
}

#[test]
fn a_live_rollout_turns_from_canary_to_blue_green_and_back() {
    play("turn", async |scene| {
        scene.cluster.apply(&manifest::blue_green_services(scene.namespace())).await?;
        begin(scene, 4, STEPS, json!({})).await?;
        let stable = scene.cluster.rollout("shop").await?["status"]["stableRS"].clone();
        change(scene, "v2").await?;
        let canary = paused_at(scene, 1).await?["status"]["currentPodHash"].clone();
        let to = async |strategy: Value| {
            let patch = json!({"spec": {"strategy": strategy}});
            scene.cluster.merge(ROLLOUT.0, ROLLOUT.1, "shop", patch).await
        };
        let services = json!({"activeService": "shop-active", "previewService": "shop-preview", "autoPromotionEnabled": false, "scaleDownDelaySeconds": 2});
        to(json!({"canary": null, "blueGreen": services})).await?;
        let asks = |found: &Value| {
            let blue_green = &found["status"]["blueGreen"];
            found["status"]["message"] == "BlueGreenPause"
                && blue_green["activeSelector"] == stable
                && blue_green["previewSelector"] == canary
        };
        scene.cluster.until("shop", "asking for the promotion of its preview", 60, asks).await?;
        sizes_are(scene, &[("1", 4), ("2", 4)]).await?;
        resume(scene).await?;
        let done = promoted(scene, "2").await?;
        ensure!(done["status"]["blueGreen"]["activeSelector"] == canary, "{done}");
        sizes_are(scene, &[("1", 0), ("2", 4)]).await?;

        let pods = scene.cluster.pod_uids().await?;
        to(json!({"blueGreen": null, "canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}})).await?;
        let settled = |found: &Value| {
            found["status"]["phase"] == "Healthy"
                && found["status"]["currentStepIndex"] == 2
                && found["status"]["observedGeneration"].as_str()
                    == Some(&found["metadata"]["generation"].to_string())
        };
        scene.cluster.until("shop", "at rest as a canary", 30, settled).await?;
        ensure!(scene.cluster.pod_uids().await? == pods, "a change of the strategy restarts nothing");
        change(scene, "v3").await?;
        paused_at(scene, 1).await?;
        sizes_are(scene, &[("1", 0), ("2", 2), ("3", 2)]).await
    });
}
