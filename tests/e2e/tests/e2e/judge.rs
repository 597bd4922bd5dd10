//! The judge on a real Prometheus: what must be taken back, and what looks bad and says nothing.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use serin_e2e::{Scene, manifest, play};

use crate::full;

const STRATEGY: &str = "      canaryService: shop-canary\n      stableService: shop-stable\n      trafficRouting:\n        plugins:\n          argoproj-labs/gatewayAPI: {httpRoute: shop}\n      analysis:\n        startingStep: 1\n        templates: [{templateName: compared}]\n      steps:\n      - setWeight: 50\n      - pause: {duration: 120}\n";

fn template(namespace: &str) -> String {
    format!(
        r#"apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: compared, namespace: {namespace}}}
spec:
  metrics:
  - name: latency
    interval: 5s
    provider: {{prometheus: {{address: "http://127.0.0.1:9090"}}}}
    comparison: {{preset: http, latency: {{}}, ingestionDelay: 2s}}
"#
    )
}

async fn reasons(scene: &Scene) -> Result<Value> {
    let runs = scene.cluster.list("argoproj.io/v1alpha1", "AnalysisRun").await?;
    let failed = runs.into_iter().find(|run| run["status"]["phase"] == "Failed").context("no failed run")?;
    Ok(failed["status"]["metricResults"][0].clone())
}

#[test]
fn a_slower_version_is_taken_back_and_the_reasons_say_so() {
    play("latency", async |scene| {
        let load = full::begin(scene, &template(scene.namespace()), STRATEGY).await?;
        let slow = manifest::version("v2", &[("LATENCY_MS", "60")]);
        scene.cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", slow).await?;
        let aborted = scene.cluster.until_phase("shop", "Degraded", 120).await?;
        let message = aborted["status"]["message"].as_str().unwrap_or_default();
        ensure!(message.contains("latency"), "{message}");
        let result = reasons(scene).await?;
        let line = result["message"].as_str().unwrap_or_default();
        ensure!(line.contains("canary slower in ") && line.contains("-> FAIL"), "{result}");
        ensure!(result["metadata"]["buckets"].as_str().is_some(), "{result}");
        load.finish().await.map(drop)
    });
}

#[test]
fn an_error_rate_that_is_one_point_higher_for_good_is_taken_back() {
    play("one-point", async |scene| {
        let long = full::STRATEGY.replace("duration: 40", "duration: 600");
        let load = full::begin(scene, &full::template(scene.namespace()), &long).await?;
        let worse = manifest::version("v2", &[("ERROR_RATE", "0.01")]);
        scene.cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", worse).await?;
        let aborted = scene.cluster.until_phase("shop", "Degraded", 400).await?;
        let message = aborted["status"]["message"].as_str().unwrap_or_default();
        ensure!(message.contains("RolloutAborted") && message.contains("error-rate"), "{message}");
        load.finish().await.map(drop)
    });
}

#[test]
fn counters_that_begin_again_are_no_errors() {
    play("resets", async |scene| {
        let cluster = scene.cluster.clone();
        let load = full::begin(scene, &full::template(scene.namespace()), full::STRATEGY).await?;
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", manifest::version("v2", &[])).await?;
        let paused =
            cluster.until("shop", "at 50 %", 60, |found| found["status"]["currentStepIndex"] == 1).await?;
        let hash = paused["status"]["currentPodHash"].as_str().context("a hash")?.to_owned();
        tokio::time::sleep(Duration::from_secs(12)).await;
        full::prometheus(&["stop"]).await?;
        full::prometheus(&["start", concat!(env!("CARGO_MANIFEST_DIR"), "/prometheus.yml")]).await?;
        for pod in cluster.list("v1", "Pod").await? {
            if pod["metadata"]["labels"]["rollouts-pod-template-hash"] == hash.as_str() {
                cluster.delete("v1", "Pod", pod["metadata"]["name"].as_str().unwrap_or_default()).await?;
            }
        }
        let promoted = |found: &Value| {
            found["status"]["phase"] == "Healthy" && found["status"]["stableRS"] == hash.as_str()
        };
        cluster.until("shop", "promoted", 180, promoted).await?;
        load.finish().await.map(drop)
    });
}

#[test]
fn a_metric_that_is_not_there_any_more_holds_and_is_named() {
    play("renamed", async |scene| {
        let cluster = scene.cluster.clone();
        let load = full::begin(scene, &full::template(scene.namespace()), full::STRATEGY).await?;
        let renamed = json!({"spec": {"metrics": [{
            "name": "error-rate", "interval": "5s", "provider": {"prometheus": {"address": "http://127.0.0.1:9090"}},
            "comparison": {"errorRate": {"requests": "requests_of_before", "errors": "code=~\"5..\""}, "ingestionDelay": "2s"},
        }]}});
        cluster.merge("argoproj.io/v1alpha1", "AnalysisTemplate", "compared", renamed).await?;
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", manifest::version("v2", &[])).await?;
        cluster.until("shop", "at the pause", 60, |found| found["status"]["currentStepIndex"] == 1).await?;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let held = cluster.rollout("shop").await?;
        ensure!(held["status"]["currentStepIndex"] == 1, "it went on without data: {}", held["status"]);
        ensure!(held["status"]["abort"].as_bool() != Some(true), "{}", held["status"]);
        let run = full::run_of(scene).await?;
        ensure!(run["status"]["phase"] == "Running", "{}", run["status"]);
        let said = run["status"]["metricResults"][0]["message"].as_str().unwrap_or_default();
        ensure!(said.contains("requests_of_before"), "the reason does not name the metric: {said}");
        load.finish().await.map(drop)
    });
}
