//! Blue-green on a real cluster: what the Services select, how many pods there are and what is told, forward and back.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use serin_e2e::load::Load;
use serin_e2e::{Scene, manifest, play};

use crate::events::told;

const SERVICES: &str = "      activeService: shop-active\n      previewService: shop-preview\n";
const HASH: &str = "rollouts-pod-template-hash";

/// A first version with these fields of the strategy, once it is Healthy.
async fn begin(scene: &Scene, replicas: i32, fields: &str) -> Result<()> {
    let namespace = scene.namespace();
    scene.cluster.apply(&manifest::blue_green_services(namespace)).await?;
    let strategy = format!("{SERVICES}{fields}");
    scene.cluster.apply(&manifest::blue_green(namespace, "v1", replicas, &strategy)).await?;
    scene.cluster.until_phase("shop", "Healthy", 60).await.map(drop)
}

async fn change(scene: &Scene, version: &str) -> Result<()> {
    scene.cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", manifest::version(version, &[])).await
}

/// Revisions of the pods that the Services select: active, preview.
async fn selected(scene: &Scene) -> Result<[String; 2]> {
    let mut selected = [String::new(), String::new()];
    for (hash, service) in selected.iter_mut().zip(["shop-active", "shop-preview"]) {
        let found = scene.cluster.get("v1", "Service", service).await?;
        *hash = found["spec"]["selector"][HASH].as_str().unwrap_or_default().to_owned();
        let by = &found["metadata"]["annotations"]["argo-rollouts.argoproj.io/managed-by-rollouts"];
        ensure!(by == "shop", "{service} is not marked: {found}");
    }
    Ok(selected)
}

/// Pods that the ReplicaSet of this revision asks for.
async fn size(scene: &Scene, hash: &str) -> Result<i64> {
    let set = scene.cluster.get("apps/v1", "ReplicaSet", &format!("shop-{hash}")).await?;
    set["spec"]["replicas"].as_i64().context("no replicas")
}

fn text<'f>(rollout: &'f Value, field: &str) -> &'f str {
    rollout["status"][field].as_str().unwrap_or_default()
}

/// Waits until the current revision is stable and Healthy; returns its hash.
async fn promoted(scene: &Scene, revision: &str) -> Result<String> {
    let so = |found: &Value| {
        found["status"]["phase"] == "Healthy"
            && found["status"]["stableRS"] == found["status"]["currentPodHash"]
            && found["metadata"]["annotations"]["rollout.argoproj.io/revision"] == revision
    };
    let found = scene.cluster.until("shop", &format!("promoted to revision {revision}"), 90, so).await?;
    Ok(text(&found, "currentPodHash").to_owned())
}

/// An analysis that measures nothing for an hour: the test says how it ends.
fn template(namespace: &str) -> String {
    format!(
        r#"apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: later, namespace: {namespace}}}
spec:
  metrics:
  - name: errors
    initialDelay: 1h
    successCondition: result == 0
    provider: {{prometheus: {{address: "http://127.0.0.1:9", query: errors}}}}
"#
    )
}

/// The run of this field of the status ends in this phase.
async fn decide(scene: &Scene, field: &str, phase: &str) -> Result<()> {
    let begun = |found: &Value| found["status"]["blueGreen"][field]["status"] == "Running";
    let found = scene.cluster.until("shop", &format!("running {field}"), 60, begun).await?;
    let name = found["status"]["blueGreen"][field]["name"].as_str().unwrap_or_default().to_owned();
    let status = json!({"status": {"phase": phase, "message": "as the test says"}});
    scene.cluster.merge("argoproj.io/v1alpha1", "AnalysisRun", &name, status).await
}

#[test]
fn a_person_promotes_a_small_preview() {
    play("blue-green", async |scene| {
        let mut seen = 0;
        begin(scene, 2, "      autoPromotionEnabled: false\n      previewReplicaCount: 1\n      scaleDownDelaySeconds: 4\n").await?;
        let v1 = promoted(scene, "1").await?;
        ensure!(selected(scene).await? == [v1.clone(), v1.clone()]);
        let initial = [
            "RolloutAddedToInformer",
            "RolloutUpdated",
            "NewReplicaSetCreated",
            "SwitchService",
            "ScalingReplicaSet",
            "RolloutCompleted",
            "SwitchService",
        ];
        told(scene, &mut seen, &initial).await?;

        change(scene, "v2").await?;
        let paused = scene.cluster.until_phase("shop", "Paused", 60).await?;
        let v2 = text(&paused, "currentPodHash").to_owned();
        ensure!(text(&paused, "message") == "BlueGreenPause", "{paused}");
        ensure!(selected(scene).await? == [v1.clone(), v2.clone()]);
        ensure!((size(scene, &v1).await?, size(scene, &v2).await?) == (2, 1));
        let update = [
            "RolloutUpdated",
            "NewReplicaSetCreated",
            "SwitchService",
            "RolloutNotCompleted",
            "ScalingReplicaSet",
            "RolloutPaused",
        ];
        told(scene, &mut seen, &update).await?;

        scene.cluster.merge_status("shop", json!({"pauseConditions": null})).await?;
        promoted(scene, "2").await?;
        ensure!(selected(scene).await? == [v2.clone(), v2.clone()]);
        let end = ["ScalingReplicaSet", "SwitchService", "RolloutCompleted"];
        told(scene, &mut seen, &end).await?;
        ensure!(
            (size(scene, &v1).await?, size(scene, &v2).await?) == (2, 2),
            "the old pods stay for a while"
        );
        let key = format!("shop-{v1}");
        let gone = |set: &Value| set["spec"]["replicas"] == 0;
        scene.cluster.until_object(("apps/v1", "ReplicaSet", &key), "without pods", 20, gone).await.map(drop)
    });
}

#[test]
fn a_failed_analysis_before_the_switch_aborts_and_one_after_it_goes_back() {
    play("blue-green-analysis", async |scene| {
        scene.cluster.apply(&template(scene.namespace())).await?;
        let analysis = "{templates: [{templateName: later}]}";
        let fields = format!(
            "      prePromotionAnalysis: {analysis}\n      postPromotionAnalysis: {analysis}\n      abortScaleDownDelaySeconds: 3\n"
        );
        begin(scene, 1, &fields).await?;
        let v1 = promoted(scene, "1").await?;

        change(scene, "v2").await?;
        decide(scene, "prePromotionAnalysisRunStatus", "Failed").await?;
        let aborted = scene.cluster.until_phase("shop", "Degraded", 60).await?;
        let said = "RolloutAborted: Rollout aborted update to revision 2: Blue/green pre-promotion analysis phase error/failed";
        ensure!(text(&aborted, "message").starts_with(said), "{aborted}");
        ensure!(selected(scene).await?[0] == v1, "the active Service has not moved");

        change(scene, "v3").await?;
        decide(scene, "prePromotionAnalysisRunStatus", "Successful").await?;
        let switched = |found: &Value| found["status"]["blueGreen"]["activeSelector"] != v1.as_str();
        let found = scene.cluster.until("shop", "switched", 60, switched).await?;
        ensure!(text(&found, "stableRS") == v1, "it is not stable before the analysis agrees");
        decide(scene, "postPromotionAnalysisRunStatus", "Failed").await?;
        let back = |found: &Value| {
            found["status"]["phase"] == "Degraded"
                && found["status"]["blueGreen"]["activeSelector"] == v1.as_str()
        };
        let found = scene.cluster.until("shop", "back on the first revision", 60, back).await?;
        ensure!(selected(scene).await?[0] == v1, "{found}");
        let key = format!("shop-{}", text(&found, "currentPodHash"));
        let gone = |set: &Value| set["spec"]["replicas"] == 0;
        scene.cluster.until_object(("apps/v1", "ReplicaSet", &key), "without pods", 30, gone).await.map(drop)
    });
}

#[test]
fn no_request_is_lost_in_an_update_a_fast_rollback_and_an_abort() {
    play("blue-green-traffic", async |scene| {
        let namespace = scene.namespace();
        begin(scene, 2, "      autoPromotionSeconds: 3\n      scaleDownDelaySeconds: 20\n      abortScaleDownDelaySeconds: 2\n").await?;
        let route = manifest::http_route(namespace)
            .replace("shop-stable", "shop-active")
            .replace("shop-canary", "shop-preview");
        scene.cluster.apply(&route).await?;
        let v1 = promoted(scene, "1").await?;
        let load = Load::start(namespace, &format!("{namespace}.example"), 200).await?;

        change(scene, "v2").await?;
        let v2 = promoted(scene, "2").await?;
        ensure!(v1 != v2);
        // The old pods are still there, so that neither pods nor a pause are waited for.
        let before = scene.cluster.pod_uids().await?;
        change(scene, "v1").await?;
        ensure!(promoted(scene, "3").await? == v1);
        ensure!(scene.cluster.pod_uids().await? == before, "a fast rollback starts no pods");

        change(scene, "v3").await?;
        scene.cluster.until_phase("shop", "Paused", 60).await?;
        scene.cluster.merge_status("shop", json!({"abort": true})).await?;
        scene.cluster.until_phase("shop", "Degraded", 60).await?;
        tokio::time::sleep(std::time::Duration::from_secs(25)).await;
        ensure!(size(scene, &v2).await? == 0, "the delay of the old pods has passed");
        let report = load.finish().await?;
        ensure!(report["counts"]["sent"].as_i64() > Some(1000), "{report}");
        ensure!(
            report["counts"]["failed"] == 0,
            "requests failed: {} {}",
            report["counts"],
            report["firstFailures"]
        );
        Ok(())
    });
}
