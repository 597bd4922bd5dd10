//! Traffic through the active Service of blue-green, while its selector is switched forth and back.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use serin_e2e::load::{Load, TRAEFIK, Target};
use serin_e2e::{Scene, manifest, play};

use super::{RPS, WAY_BACK, abort, change, promoted, split_is};

async fn begin(scene: &Scene, more: &str) -> Result<Load> {
    let namespace = scene.namespace();
    scene.cluster.apply(&manifest::blue_green_services(namespace)).await?;
    scene.cluster.apply(&manifest::http_route_to_active(namespace)).await?;
    let services = "      activeService: shop-active\n      previewService: shop-preview\n";
    let strategy = format!("{services}      scaleDownDelaySeconds: 12\n{more}");
    scene.cluster.apply(&manifest::blue_green(namespace, "v1", 3, &strategy)).await?;
    scene.cluster.until_phase("shop", "Healthy", 120).await?;
    let host = format!("{namespace}.example");
    Load::begin(Target { name: namespace, port: TRAEFIK, host: &host, header: None, rps: RPS }).await
}

/// The second version is promoted by itself, and the first one goes after its delay.
#[test]
fn no_request_is_lost_when_blue_green_switches_and_switches_back() {
    play("blue-green-traffic", async |scene| {
        let load = begin(scene, "").await?;
        change(scene, "v2").await?;
        promoted(scene, "2").await?;
        split_is(&load, "v2", 100).await?;
        // By now the first version is gone: all of it comes up again before the selector goes back.
        change(scene, "v1").await?;
        promoted(scene, "3").await?;
        split_is(&load, "v1", 100).await?;
        tokio::time::sleep(Duration::from_secs(8)).await;
        load.nothing_lost().await
    });
}

/// Aborted after the switch, while its post-promotion analysis runs: the old pods are still there.
#[test]
fn an_abort_after_the_switch_takes_traffic_back_within_two_seconds() {
    play("blue-green-abort", async |scene| {
        let later = r#"apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: later}
spec:
  metrics:
  - name: errors
    initialDelay: 1h
    successCondition: result == 0
    provider: {prometheus: {address: "http://127.0.0.1:9", query: errors}}
"#;
        scene.cluster.apply(later).await?;
        let load =
            begin(scene, "      postPromotionAnalysis: {templates: [{templateName: later}]}\n").await?;
        change(scene, "v2").await?;
        let analysed = |found: &serde_json::Value| {
            found["status"]["blueGreen"]["postPromotionAnalysisRunStatus"]["status"] == "Running"
        };
        scene.cluster.until("shop", "in its post-promotion analysis", 120, analysed).await?;
        split_is(&load, "v2", 100).await?;
        let took = abort(scene, &load, "v2").await?;
        println!("from abort to the last request of the new version: {took:?}");
        split_is(&load, "v1", 100).await?;
        scene.cluster.until_phase("shop", "Degraded", 60).await?;
        load.nothing_lost().await?;
        ensure!(took < WAY_BACK, "from abort to the last request of the new version: {took:?}");
        scene.cluster.merge_status("shop", json!({"abort": false})).await
    });
}
