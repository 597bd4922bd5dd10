//! A weight that has to bake, with requests counted by a real Prometheus.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use serin_e2e::{Scene, manifest, play};

use crate::full;

/// Requests to the canary that the newest AnalysisRun has counted.
async fn served(scene: &Scene) -> Result<i64> {
    let run = full::run_of(scene).await?;
    run["status"]["metricResults"][0]["evidence"]["served"].as_i64().context("nothing is counted")
}

#[test]
fn a_step_is_left_when_its_weight_has_seen_enough_requests() {
    play("bake", async |scene| {
        let steps = "      - setWeight: 50\n        bake: {duration: 5s, requests: 600}\n      - pause: {}\n";
        let strategy =
            full::STRATEGY.replace("      - setWeight: 50\n      - pause: {duration: 40}\n", steps);
        let strategy = strategy.replace("startingStep: 1", "startingStep: 0");
        let load = full::begin(scene, &full::template(scene.namespace()), &strategy).await?;
        let next = manifest::version("v2", &[]);
        scene.cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", next).await?;
        let short = |found: &Value| {
            let gates = found["status"]["gates"].as_array().cloned().unwrap_or_default();
            let waits = |gate: &Value| {
                gate["waitsFor"].as_str().unwrap_or_default().contains("600 requests to the canary")
            };
            found["status"]["canary"]["bake"]["step"] == 0 && gates.iter().any(waits)
        };
        scene.cluster.until("shop", "waiting for requests", 120, short).await?;
        let left = |found: &Value| found["status"]["currentStepIndex"] == 1;
        let found = scene.cluster.until("shop", "at the pause after the bake", 120, left).await?;
        ensure!(found["status"]["canary"]["bake"].is_null(), "{}", found["status"]);
        let counted = served(scene).await?;
        ensure!(counted >= 600, "the step was left after {counted} requests");
        load.finish().await.map(drop)
    });
}
