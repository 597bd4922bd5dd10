//! Latencies from a real Prometheus: a slower version is taken back by a preset alone, and the reasons say how much slower.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
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
