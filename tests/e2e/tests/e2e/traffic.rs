//! Real requests through a real gateway: none is lost in a whole canary, in an abort, and when a third version arrives.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use serin_e2e::load::Load;
use serin_e2e::{Scene, manifest, play};

const STRATEGY: &str = "      canaryService: shop-canary\n      stableService: shop-stable\n      scaleDownDelaySeconds: 3\n      abortScaleDownDelaySeconds: 3\n      trafficRouting:\n        plugins:\n          argoproj-labs/gatewayAPI: {httpRoute: shop}\n      steps:\n      - setWeight: 10\n      - pause: {duration: 5}\n      - setWeight: 50\n      - pause: {duration: 5}\n";

async fn begin(scene: &Scene, rps: u32) -> Result<Load> {
    let namespace = scene.namespace();
    scene.cluster.apply(&manifest::services(namespace)).await?;
    scene.cluster.apply(&manifest::http_route(namespace)).await?;
    scene.cluster.apply(&manifest::rollout(namespace, "v1", 3, STRATEGY)).await?;
    scene.cluster.until_phase("shop", "Healthy", 90).await?;
    Load::start(namespace, &format!("{namespace}.example"), rps).await
}

async fn change(scene: &Scene, version: &str) -> Result<()> {
    scene.cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", manifest::version(version, &[])).await
}

async fn promoted(scene: &Scene, revision: &str) -> Result<Value> {
    let so = |found: &Value| {
        found["status"]["phase"] == "Healthy"
            && found["status"]["stableRS"] == found["status"]["currentPodHash"]
            && found["metadata"]["annotations"]["rollout.argoproj.io/revision"] == revision
    };
    scene.cluster.until("shop", &format!("promoted to revision {revision}"), 150, so).await
}

async fn nothing_lost(load: Load) -> Result<()> {
    let report = load.finish().await?;
    ensure!(report["counts"]["sent"].as_i64() > Some(1000), "{report}");
    ensure!(
        report["counts"]["failed"] == 0,
        "requests failed that were not injected: {} {}",
        report["counts"],
        report["firstFailures"]
    );
    Ok(())
}

#[test]
fn no_request_is_lost_in_a_whole_canary_at_200_requests_per_second() {
    play("canary-traffic", async |scene| {
        let load = begin(scene, 200).await?;
        change(scene, "v2").await?;
        promoted(scene, "2").await?;
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
        nothing_lost(load).await
    });
}

#[test]
fn no_request_is_lost_when_a_third_version_arrives_and_when_it_is_aborted() {
    play("third-traffic", async |scene| {
        let load = begin(scene, 200).await?;
        change(scene, "v2").await?;
        scene
            .cluster
            .until("shop", "at 50 %", 90, |found| {
                found["status"]["canary"]["weights"]["canary"]["weight"] == 50
            })
            .await?;
        change(scene, "v3").await?;
        scene
            .cluster
            .until("shop", "at 10 % of v3", 90, |found| found["status"]["currentStepIndex"] == 1)
            .await?;
        scene.cluster.merge_status("shop", json!({"abort": true})).await?;
        scene.cluster.until_phase("shop", "Degraded", 60).await?;
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
        nothing_lost(load).await
    });
}

#[test]
fn no_request_is_lost_in_a_full_promotion_and_in_scaling() {
    play("full-traffic", async |scene| {
        let load = begin(scene, 200).await?;
        change(scene, "v2").await?;
        scene.cluster.until("shop", "at 10 %", 90, |found| found["status"]["currentStepIndex"] == 1).await?;
        scene
            .cluster
            .merge("argoproj.io/v1alpha1", "Rollout", "shop", json!({"spec": {"replicas": 5}}))
            .await?;
        scene.cluster.merge_status("shop", json!({"promoteFull": true})).await?;
        promoted(scene, "2").await?;
        scene
            .cluster
            .merge("argoproj.io/v1alpha1", "Rollout", "shop", json!({"spec": {"replicas": 2}}))
            .await?;
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
        nothing_lost(load).await
    });
}
