//! Evidence from a real Prometheus: good versions pass, bad ones are taken back, and an outage of it decides nothing.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use serin_e2e::load::Load;
use serin_e2e::{Scene, manifest, play};
use tokio::process::Command;

use crate::fast::quiet;

/// Half of the traffic for 40 s, judged from the first step on.
pub(crate) const STRATEGY: &str = "      canaryService: shop-canary\n      stableService: shop-stable\n      scaleDownDelaySeconds: 2\n      abortScaleDownDelaySeconds: 2\n      trafficRouting:\n        plugins:\n          argoproj-labs/gatewayAPI: {httpRoute: shop}\n      analysis:\n        startingStep: 1\n        templates: [{templateName: compared}]\n      steps:\n      - setWeight: 50\n      - pause: {duration: 40}\n";

/// Error rates of canary and stable in windows of 5 s.
pub(crate) fn template(namespace: &str) -> String {
    format!(
        r#"apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: compared, namespace: {namespace}}}
spec:
  metrics:
  - name: error-rate
    interval: 5s
    provider: {{prometheus: {{address: "http://127.0.0.1:9090"}}}}
    comparison:
      errorRate: {{requests: http_requests_total, errors: 'code=~"5.."', limit: 0.5pp}}
      consecutiveWindows: 3
      ingestionDelay: 2s
"#
    )
}

/// Starts or stops the Prometheus of the testbed.
pub(crate) async fn prometheus(action: &[&str]) -> Result<()> {
    let program =
        std::env::var("SERIN_CLUSTER").context("SERIN_CLUSTER is not set: run the tests with `./dev e2e`")?;
    let status = Command::new(program).args(["addon", "prometheus"]).args(action).status().await?;
    ensure!(status.success(), "cluster addon prometheus {action:?} failed");
    Ok(())
}

/// A Rollout behind the gateway that has a template's analysis, a fresh Prometheus, and 100 requests a second.
pub(crate) async fn begin(scene: &Scene, template: &str, strategy: &str) -> Result<Load> {
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/prometheus.yml");
    prometheus(&["start", config]).await?;
    let namespace = scene.namespace();
    scene.cluster.apply(&manifest::services(namespace)).await?;
    scene.cluster.apply(&manifest::http_route(namespace)).await?;
    scene.cluster.apply(template).await?;
    scene.cluster.apply(&manifest::rollout(namespace, "v1", 2, strategy)).await?;
    scene.cluster.until_phase("shop", "Healthy", 60).await?;
    Load::start(namespace, &format!("{namespace}.example"), 100).await
}

/// The newest AnalysisRun.
pub(crate) async fn run_of(scene: &Scene) -> Result<Value> {
    let runs = scene.cluster.list("argoproj.io/v1alpha1", "AnalysisRun").await?;
    let newest =
        runs.into_iter().max_by_key(|run| run["metadata"]["creationTimestamp"].as_str().map(str::to_owned));
    newest.context("no AnalysisRun")
}

/// Requests that failed and were not injected.
fn failed(report: &Value) -> i64 {
    report["counts"]["failed"].as_i64().unwrap_or(-1)
}

#[test]
fn a_good_version_is_promoted_on_evidence_and_a_bad_one_is_taken_back() {
    play("evidence", async |scene| {
        let load = begin(scene, &template(scene.namespace()), STRATEGY).await?;
        let cluster = scene.cluster.clone();
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", manifest::version("v2", &[])).await?;
        let good = cluster
            .until("shop", "promoted", 150, |found| {
                found["status"]["phase"] == "Healthy"
                    && found["status"]["stableRS"] == found["status"]["currentPodHash"]
                    && found["metadata"]["annotations"]["rollout.argoproj.io/revision"] == "2"
            })
            .await?;

        let bad = manifest::version("v3", &[("ERROR_RATE", "0.10")]);
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", bad).await?;
        let aborted = cluster.until_phase("shop", "Degraded", 120).await?;
        let message = aborted["status"]["message"].as_str().unwrap_or_default();
        for part in ["RolloutAborted", "error-rate", "Failed"] {
            ensure!(message.contains(part), "{message}");
        }
        ensure!(aborted["status"]["stableRS"] == good["status"]["stableRS"]);
        let route = ("gateway.networking.k8s.io/v1", "HTTPRoute", "shop");
        cluster
            .until_object(route, "back at stable", 10, |route| {
                route["spec"]["rules"][0]["backendRefs"][1]["weight"] == 0
            })
            .await?;
        cluster
            .until("shop", "without pods of the bad version", 40, |found| {
                found["status"]["updatedReplicas"].as_i64().unwrap_or(0) == 0
            })
            .await?;
        let report = load.finish().await?;
        ensure!(
            failed(&report) == 0,
            "requests failed that were not injected: {} {}",
            report["counts"],
            report["firstFailures"]
        );
        quiet(scene, Duration::from_secs(60)).await
    });
}

#[test]
fn an_outage_of_prometheus_holds_the_rollout_and_never_aborts_it() {
    play("held", async |scene| {
        let load = begin(scene, &template(scene.namespace()), STRATEGY).await?;
        let cluster = scene.cluster.clone();
        let analysis_step = json!({"spec": {"strategy": {"canary": {
            "analysis": null,
            "steps": [{"setWeight": 50}, {"analysis": {"templates": [{"templateName": "counted"}]}}],
        }}}});
        let counted = template(scene.namespace())
            .replace("name: compared", "name: counted")
            .replace("interval: 5s", "interval: 5s\n    count: 6");
        cluster.apply(&counted).await?;
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", analysis_step).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        prometheus(&["stop"]).await?;
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", manifest::version("v2", &[])).await?;
        cluster
            .until("shop", "at the analysis step", 60, |found| found["status"]["currentStepIndex"] == 1)
            .await?;
        tokio::time::sleep(Duration::from_secs(75)).await;
        let held = cluster.rollout("shop").await?;
        ensure!(
            held["status"]["phase"] == "Progressing" && held["status"]["abort"].as_bool() != Some(true),
            "{}",
            held["status"]
        );
        let run = run_of(scene).await?;
        ensure!(run["status"]["phase"] == "Running", "{}", run["status"]);
        let said = run["status"]["metricResults"][0]["message"].as_str().unwrap_or_default();
        ensure!(said.contains("unreachable") && said.contains("127.0.0.1:9090"), "{said}");

        let config = concat!(env!("CARGO_MANIFEST_DIR"), "/prometheus.yml");
        prometheus(&["start", config]).await?;
        cluster
            .until("shop", "promoted", 180, |found| {
                found["status"]["phase"] == "Healthy"
                    && found["status"]["stableRS"] == found["status"]["currentPodHash"]
            })
            .await?;
        let report = load.finish().await?;
        ensure!(
            failed(&report) == 0,
            "requests failed that were not injected: {} {}",
            report["counts"],
            report["firstFailures"]
        );
        Ok(())
    });
}
