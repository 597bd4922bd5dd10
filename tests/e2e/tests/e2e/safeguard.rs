//! What stops, slows or watches an update: Serin's own fields on a real cluster.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use serin_e2e::way::GATEWAY_API;
use serin_e2e::{Scene, manifest, play};

use crate::traffic::{begin, change, promoted};

const WATCH: &str = "      postPromotionAnalysis: {duration: 8s, templates: [{templateName: later}]}\n";

/// An analysis that measures nothing for an hour: the test says how it ends.
const LATER: &str = r#"apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: later}
spec:
  metrics:
  - name: errors
    initialDelay: 1h
    successCondition: result == 0
    provider: {prometheus: {address: "http://127.0.0.1:9", query: errors}}
"#;

/// The AnalysisRun of the watch measures, and all traffic is on the new revision. Returns the name of the run.
async fn watched(scene: &Scene, revision: &str) -> Result<String> {
    let so = |found: &Value| {
        found["status"]["canary"]["postPromotionAnalysisRunStatus"]["status"] == "Running"
            && found["status"]["canary"]["weights"]["canary"]["weight"] == 100
            && found["metadata"]["annotations"]["rollout.argoproj.io/revision"] == revision
    };
    let found = scene.cluster.until("shop", "watched after promotion", 120, so).await?;
    ensure!(found["status"]["phase"] == "Progressing", "{found}");
    ensure!(found["status"]["stableRS"] != found["status"]["currentPodHash"], "{found}");
    let name = found["status"]["canary"]["postPromotionAnalysisRunStatus"]["name"].as_str();
    name.map(str::to_owned).context("the run has no name")
}

#[test]
fn a_canary_is_watched_after_promotion_and_taken_back_without_a_lost_request() {
    play("watch", async |scene| {
        scene.cluster.apply(LATER).await?;
        let strategy = GATEWAY_API.strategy(WATCH, "      - setWeight: 50\n");
        let load = begin(scene, GATEWAY_API, &strategy).await?;
        change(scene, "v2").await?;
        watched(scene, "2").await?;
        promoted(scene, "2").await?;

        change(scene, "v3").await?;
        let run = watched(scene, "3").await?;
        let status = json!({"status": {"phase": "Failed", "message": "as the test says"}});
        scene.cluster.merge("argoproj.io/v1alpha1", "AnalysisRun", &run, status).await?;
        let back = |found: &Value| {
            found["status"]["phase"] == "Degraded"
                && found["status"]["canary"]["weights"]["canary"]["weight"] == 0
        };
        let found = scene.cluster.until("shop", "taken back", 30, back).await?;
        let message = found["status"]["message"].as_str().unwrap_or_default();
        let expected = "RolloutAborted: Rollout aborted update to revision 3: \
                        Canary post-promotion analysis phase error/failed: as the test says";
        ensure!(message == expected, "{message}");
        load.nothing_lost().await
    });
}

/// Everything that a dry run must not touch, as it is stored.
async fn untouched(scene: &Scene) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    for (api_version, kind) in [
        ("apps/v1", "ReplicaSet"),
        ("v1", "Service"),
        ("gateway.networking.k8s.io/v1", "HTTPRoute"),
        ("argoproj.io/v1alpha1", "AnalysisRun"),
    ] {
        for object in scene.cluster.list(api_version, kind).await? {
            found.push(json!([kind, object["metadata"]["name"], object["metadata"]["uid"], object["spec"]]));
        }
    }
    Ok(found)
}

#[test]
fn a_dry_run_tells_what_it_would_do_and_does_it_when_it_ends() {
    play("dry-run", async |scene| {
        let steps = "      - setWeight: 50\n      - pause: {}\n";
        let strategy = GATEWAY_API.strategy("      abortScaleDownDelaySeconds: 3\n", steps);
        let load = begin(scene, GATEWAY_API, &strategy).await?;
        let annotation = |value: Value| json!({"metadata": {"annotations": {"serin.dev/dry-run": value}}});
        scene.cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", annotation(json!("true"))).await?;
        let so = |found: &Value| found["status"]["message"] == "dry run";
        scene.cluster.until("shop", "dry", 30, so).await?;
        let before = untouched(scene).await?;

        change(scene, "v2").await?;
        let so = |found: &Value| {
            let next = found["status"]["dryRun"]["next"].as_array();
            next.is_some_and(|next| next.iter().any(|line| line.to_string().contains("create ReplicaSet")))
        };
        let decided = scene.cluster.until("shop", "decided dry", 30, so).await?;
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        ensure!(untouched(scene).await? == before, "something was written");
        let later = scene.cluster.rollout("shop").await?;
        let version = |found: &Value| found["metadata"]["resourceVersion"].clone();
        ensure!(version(&later) == version(&decided), "a settled dry run writes: {later}");
        let events = scene.cluster.list("v1", "Event").await?;
        let told = |reason: &str| {
            let said = |event: &&Value| {
                event["reason"] == reason
                    && event["message"].as_str().unwrap_or_default().starts_with("Dry run: ")
            };
            events.iter().filter(said).count()
        };
        ensure!(told("NewReplicaSetCreated") == 1 && told("RolloutUpdated") == 1, "{events:?}");

        scene.cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", annotation(Value::Null)).await?;
        let found = crate::traffic::paused_at(scene, 1).await?;
        ensure!(found["status"]["dryRun"].is_null(), "{found}");
        load.nothing_lost().await
    });
}

/// Uids of all pods that have not ended, those on their way out included: one whose containers have stopped may still be
/// listed for a moment.
async fn every_pod(scene: &Scene) -> Result<Vec<String>> {
    let pods = scene.cluster.list("v1", "Pod").await?;
    let runs =
        pods.iter().filter(|pod| pod["status"]["phase"] != "Failed" && pod["status"]["phase"] != "Succeeded");
    Ok(runs.map(|pod| pod["metadata"]["uid"].to_string()).collect())
}

#[test]
fn recreated_pods_start_when_the_last_old_one_has_ended() {
    play("recreate", async |scene| {
        let strategy = "      updateType: Recreate\n";
        scene.cluster.apply(&manifest::rollout(scene.namespace(), "v1", 2, strategy)).await?;
        scene.cluster.until_phase("shop", "Healthy", 120).await?;
        let old = every_pod(scene).await?;
        change(scene, "v2").await?;
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(120);
        loop {
            ensure!(tokio::time::Instant::now() < deadline, "no new pod within 120 s");
            let now = every_pod(scene).await?;
            if now.iter().any(|uid| !old.contains(uid)) {
                ensure!(
                    now.iter().all(|uid| !old.contains(uid)),
                    "old and new pods run beside each other: {now:?}"
                );
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        promoted(scene, "2").await.map(drop)
    });
}

/// A ConfigMap that holds or aborts what this selector says.
fn brake(action: &str, selector: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: freeze, labels: {{serin.dev/brake: {action}}}}}\n\
         data: {{by: ann, at: \"2026-11-24T14:10:00Z\", reason: incident 42, selector: \"{selector}\"}}\n"
    )
}

#[test]
fn a_brake_of_the_namespace_holds_and_aborts_and_is_released() {
    play("brake", async |scene| {
        let strategy = "      steps:\n      - setWeight: 50\n      - pause: {duration: 1}\n";
        scene.cluster.apply(&manifest::rollout(scene.namespace(), "v1", 2, strategy)).await?;
        scene.cluster.until_phase("shop", "Healthy", 120).await?;
        scene.cluster.apply(&brake("hold", "")).await?;
        let noted = |found: &Value| found["status"]["brake"]["by"] == "ann";
        let found = scene.cluster.until("shop", "told of the brake", 30, noted).await?;
        ensure!(found["status"]["phase"] == "Healthy", "{found}");
        change(scene, "v2").await?;
        let held = scene.cluster.until_phase("shop", "Paused", 30).await?;
        let said = "ConfigMap freeze holds updates, set by ann at 2026-11-24T14:10:00Z: incident 42";
        ensure!(held["status"]["message"] == said, "{held}");
        scene.cluster.merge_status("shop", json!({"promoteFull": true})).await?;
        tokio::time::sleep(std::time::Duration::from_secs(4)).await;
        let held = scene.cluster.rollout("shop").await?;
        ensure!(held["status"]["updatedReplicas"].as_i64().unwrap_or(0) == 0, "{held}");
        scene.cluster.merge_status("shop", json!({"promoteFull": null})).await?;

        scene.cluster.apply(&brake("abort", "app!=nobody")).await?;
        let aborted = scene.cluster.until_phase("shop", "Degraded", 30).await?;
        let message = aborted["status"]["message"].as_str().unwrap_or_default();
        ensure!(message.contains("ConfigMap freeze aborts updates, set by ann"), "{message}");
        scene.cluster.delete("v1", "ConfigMap", "freeze").await?;
        let free = |found: &Value| found["status"]["brake"].is_null();
        scene.cluster.until("shop", "released", 30, free).await?;
        scene.cluster.merge_status("shop", json!({"abort": false})).await?;
        promoted(scene, "2").await?;
        for reason in ["BrakeSet", "BrakeReleased"] {
            let events = scene.cluster.list("v1", "Event").await?;
            ensure!(events.iter().any(|event| event["reason"] == reason), "no event {reason}: {events:?}");
        }
        Ok(())
    });
}

/// What `kubectl serin` prints, if it ends well.
async fn serin(scene: &Scene, arguments: &[&str]) -> Result<String> {
    let program = serin_e2e::controller::target_binary("kubectl-serin");
    let output = tokio::process::Command::new(program)
        .args(["-n", scene.namespace()])
        .args(arguments)
        .output()
        .await?;
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{arguments:?}: {said}");
    Ok(said)
}

#[test]
fn a_person_holds_a_label_by_a_verb_takes_updates_back_and_lets_go() {
    play("hold", async |scene| {
        let strategy = "      steps:\n      - setWeight: 50\n      - pause: {duration: 1}\n";
        scene.cluster.apply(&manifest::rollout(scene.namespace(), "v1", 2, strategy)).await?;
        let team = json!({"metadata": {"labels": {"team": "web"}}});
        scene.cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", team).await?;
        scene.cluster.until_phase("shop", "Healthy", 120).await?;
        serin(scene, &["hold", "-l", "team=other", "--reason", "not this one", "--name", "other"]).await?;
        serin(scene, &["hold", "-l", "team=web", "--reason", "incident 42"]).await?;
        change(scene, "v2").await?;
        let held = scene.cluster.until_phase("shop", "Paused", 30).await?;
        let message = held["status"]["message"].as_str().unwrap_or_default();
        ensure!(message.starts_with("ConfigMap serin-hold holds updates, set by "), "{message}");
        ensure!(message.ends_with(": incident 42"), "{message}");
        let explained = serin(scene, &["explain", "shop"]).await?;
        ensure!(explained.contains("serin-hold") && explained.contains("incident 42"), "{explained}");

        let worse =
            ["hold", "-l", "team=web", "--abort", "--name", "back", "--reason", "worse than we thought"];
        serin(scene, &worse).await?;
        let aborted = scene.cluster.until_phase("shop", "Degraded", 30).await?;
        let message = aborted["status"]["message"].as_str().unwrap_or_default();
        ensure!(message.contains("back aborts updates") && message.contains("worse than"), "{message}");

        serin(scene, &["release", "back"]).await?;
        serin(scene, &["release"]).await?;
        let free = |found: &Value| found["status"]["brake"].is_null();
        scene.cluster.until("shop", "released", 30, free).await?;
        serin(scene, &["retry", "shop"]).await?;
        promoted(scene, "2").await.map(drop)
    });
}
