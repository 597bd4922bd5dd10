//! The judge on a real Prometheus: what must be taken back, and what looks bad and says nothing.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use serin_e2e::receiver::Receiver;
use serin_e2e::{Scene, manifest, play};
use tokio::process::Command;

use crate::{full, notification};

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

/// Where the message about an abort is sent to.
const PORT: u16 = 18081;

/// The notes of the events of AnalysisRuns with this reason and type.
async fn told(scene: &Scene, reason: &str, severity: &str) -> Result<Vec<String>> {
    let events = scene.cluster.list("v1", "Event").await?;
    let wanted = events.into_iter().filter(|event| {
        event["involvedObject"]["kind"] == "AnalysisRun"
            && event["reason"] == reason
            && event["type"] == severity
    });
    Ok(wanted.map(|event| event["message"].as_str().unwrap_or_default().to_owned()).collect())
}

/// Everything that a person needs to know of a comparison stands in `text`.
fn complete(text: &str) -> Result<()> {
    for part in
        ["error-rate", "canary ", "stable ", "delta ", "limit +0.5pp", "window ", "breach ", "evidence "]
    {
        ensure!(text.contains(part), "'{part}' is missing: {text}");
    }
    Ok(())
}

#[test]
fn events_say_how_a_comparison_stands_and_the_message_of_an_abort_says_why() {
    play("told", async |scene| {
        let receiver = Receiver::start(PORT)?;
        let body = "{{.event.message}}{{range .analysisRuns}}{{range .status.metricResults}}{{if eq .phase \"Failed\"}} \
                    {{.name}}: {{.message}}{{end}}{{end}}{{end}}";
        let triggers = json!({"trigger.on-rollout-aborted": "- send: [told]\n"});
        notification::tell(scene, PORT, body, triggers).await?;
        let cluster = scene.cluster.clone();
        let load = full::begin(scene, &full::template(scene.namespace()), full::STRATEGY).await?;
        let subscription = "notifications.argoproj.io/subscribe.on-rollout-aborted.receiver";
        let subscribed = json!({"metadata": {"annotations": {subscription: ""}}});
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", subscribed).await?;
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", manifest::version("v2", &[])).await?;
        let second = |found: &Value| {
            found["status"]["phase"] == "Healthy"
                && found["metadata"]["annotations"]["rollout.argoproj.io/revision"] == "2"
        };
        cluster.until("shop", "promoted", 150, second).await?;
        for (reason, severity) in [("AnalysisCollecting", "Normal"), ("AnalysisWithinLimit", "Normal")] {
            let notes = told(scene, reason, severity).await?;
            complete(notes.first().with_context(|| format!("no event {reason}"))?)?;
        }
        ensure!(told(scene, "AnalysisSuspicious", "Warning").await?.is_empty(), "of a good version");

        let bad = manifest::version("v3", &[("ERROR_RATE", "0.10")]);
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", bad).await?;
        cluster.until_phase("shop", "Degraded", 120).await?;
        let notes = told(scene, "AnalysisSuspicious", "Warning").await?;
        complete(notes.first().context("no event AnalysisSuspicious")?)?;
        let messages = receiver.messages(1).await?;
        let body = messages[0]["body"].as_str().unwrap_or_default();
        complete(body)?;
        ensure!(body.contains("aborted update to revision 3") && body.contains("-> FAIL"), "{body}");
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

/// Tells every pod of a revision to misbehave.
async fn order(scene: &Scene, hash: &str, faults: &str) -> Result<()> {
    for pod in scene.cluster.list("v1", "Pod").await? {
        let Some(address) = pod["status"]["podIP"].as_str() else { continue };
        if pod["metadata"]["labels"]["rollouts-pod-template-hash"] == hash {
            let url = format!("http://{address}:8080/faults?{faults}");
            let sent = Command::new("curl").args(["-fsS", "-m", "5", "-X", "POST", &url]).status().await?;
            ensure!(sent.success(), "the pod at {address} does not take {faults}");
        }
    }
    Ok(())
}

/// The canary's hash, once the rollout is in its pause.
async fn paused(scene: &Scene) -> Result<String> {
    let paused = scene
        .cluster
        .until("shop", "at the pause", 60, |found| found["status"]["currentStepIndex"] == 1)
        .await?;
    Ok(paused["status"]["currentPodHash"].as_str().context("a hash")?.to_owned())
}

/// What the measurements of the newest run say, oldest first.
async fn looks(scene: &Scene) -> Result<Vec<(String, String)>> {
    let run = full::run_of(scene).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let measurements =
        run["status"]["metricResults"][0]["measurements"].as_array().cloned().unwrap_or_default();
    Ok(measurements.iter().map(|one| (text(&one["phase"]), text(&one["message"]))).collect())
}

#[test]
fn a_burst_of_errors_in_one_window_takes_nothing_back() {
    play("burst", async |scene| {
        let cluster = scene.cluster.clone();
        let long = full::STRATEGY.replace("duration: 40", "duration: 60");
        let load = full::begin(scene, &full::template(scene.namespace()), &long).await?;
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", manifest::version("v2", &[])).await?;
        let hash = paused(scene).await?;
        tokio::time::sleep(Duration::from_secs(12)).await;
        // Windows are those of the clock: the burst lies within one of them, with what is scraped of it.
        let now = jiff::Timestamp::now().as_millisecond();
        let until_next = 5000 - u64::try_from(now.rem_euclid(5000))?;
        tokio::time::sleep(Duration::from_millis(until_next + 300)).await;
        order(scene, &hash, "ERROR_RATE=0.5&FOR_S=3").await?;
        tokio::time::sleep(Duration::from_secs(15)).await;
        let seen = looks(scene).await?;
        let bad = seen.iter().filter(|(phase, _)| phase == "Failed").count();
        ensure!((1..=2).contains(&bad), "the burst is in {bad} windows: {seen:?}");
        let promoted = |found: &Value| {
            found["status"]["phase"] == "Healthy" && found["status"]["stableRS"] == hash.as_str()
        };
        cluster.until("shop", "promoted", 120, promoted).await?;
        let report = load.finish().await?;
        ensure!(
            report["counts"]["injected"].as_i64().is_some_and(|errors| errors > 50),
            "{}",
            report["counts"]
        );
        Ok(())
    });
}

#[test]
fn buckets_that_change_in_mid_canary_hold_and_are_said() {
    play("buckets", async |scene| {
        let load = full::begin(scene, &template(scene.namespace()), STRATEGY).await?;
        // Stable needs a past: at least a hundred requests in windows of 5 s.
        tokio::time::sleep(Duration::from_secs(15)).await;
        scene.cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", manifest::version("v2", &[])).await?;
        let hash = paused(scene).await?;
        tokio::time::sleep(Duration::from_secs(15)).await;
        order(scene, &hash, "BUCKETS=0.0007,0.007,0.07,0.7").await?;
        let mut said = String::new();
        for _ in 0..60 {
            said = looks(scene).await?.pop().unwrap_or_default().1;
            if said.contains("the ladders differ") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        for part in [
            "the ladders differ: the canary has the bucket bounds 0.0007 0.007 0.07 0.7 inf",
            "stable 0.001 0.0015",
        ] {
            ensure!(said.contains(part), "{said}");
        }
        // Longer than three windows: the requests of the canary are all beyond the bounds that stable has.
        tokio::time::sleep(Duration::from_secs(25)).await;
        let held = scene.cluster.rollout("shop").await?;
        ensure!(
            held["status"]["currentStepIndex"] == 1 && held["status"]["abort"].as_bool() != Some(true),
            "{}",
            held["status"]
        );
        ensure!(full::run_of(scene).await?["status"]["phase"] == "Running");
        load.finish().await.map(drop)
    });
}

/// The pods of the Rollout with native histograms only.
fn native(version: &str, latency: &str) -> Value {
    let mut patch = manifest::version(version, &[("LATENCY_MS", latency)]);
    let container = &mut patch["spec"]["template"]["spec"]["containers"][0];
    container["image"] = json!("local/serin-native:1");
    container["args"] = json!([]);
    patch
}

#[test]
fn a_slower_version_is_taken_back_by_its_native_histograms() {
    play("native", async |scene| {
        let cluster = scene.cluster.clone();
        let quick = STRATEGY.replace("duration: 120", "duration: 20");
        let load = full::begin(scene, &template(scene.namespace()), &quick).await?;
        let template = json!({"spec": {"strategy": {"canary": {"analysis": null}}}});
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", template).await?;
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", native("v2", "10")).await?;
        let second = |found: &Value| {
            found["status"]["phase"] == "Healthy"
                && found["metadata"]["annotations"]["rollout.argoproj.io/revision"] == "2"
        };
        cluster.until("shop", "on native histograms", 120, second).await?;
        tokio::time::sleep(Duration::from_secs(20)).await;
        let judged = json!({"spec": {"strategy": {"canary": {
            "analysis": {"startingStep": 1, "templates": [{"templateName": "compared"}]},
            "steps": [{"setWeight": 50}, {"pause": {"duration": 120}}],
        }}}});
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", judged).await?;
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", native("v3", "20")).await?;
        let aborted = cluster.until_phase("shop", "Degraded", 120).await?;
        let message = aborted["status"]["message"].as_str().unwrap_or_default();
        ensure!(message.contains("latency"), "{message}");
        let result = reasons(scene).await?;
        let line = result["message"].as_str().unwrap_or_default();
        ensure!(line.contains("canary slower in ") && line.contains("-> FAIL"), "{result}");
        let measurements = result["measurements"].as_array().context("measurements")?;
        let window =
            measurements.last().and_then(|last| last["metadata"]["window"].as_str()).context("a window")?;
        // Only an exponential ladder has powers of two to a quarter: 2^-6 is one of all schemas.
        ensure!(window.contains("0.015625"), "no exponential ladder: {window}");
        load.finish().await.map(drop)
    });
}

/// What `kubectl serin` prints, and whether it ends with one of these codes.
async fn serin(args: &[&str], codes: &[i32]) -> Result<String> {
    let output =
        Command::new(serin_e2e::controller::target_binary("kubectl-serin")).args(args).output().await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let code = output.status.code().unwrap_or(-1);
    ensure!(
        codes.contains(&code),
        "{args:?} ends with {code}: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(said)
}

#[test]
fn plan_lint_and_compare_read_the_live_service() {
    play("live", async |scene| {
        let namespace = scene.namespace().to_owned();
        let error_rate = full::template(&namespace);
        let both = template(&namespace)
            + &error_rate[error_rate.find("  - name: error-rate").context("the metric of the template")?..];
        let strategy = STRATEGY.replace("duration: 120", "duration: 60");
        let load = full::begin(scene, &both, &strategy).await?;
        let plan = async || -> Result<Value> {
            tokio::time::sleep(Duration::from_secs(35)).await;
            let said =
                serin(&["plan", "shop", "-n", &namespace, "--over", "50s", "-o", "json"], &[0]).await?;
            Ok(serde_json::from_str(&said)?)
        };
        // Answers of less than a millisecond are all in the first bucket.
        let blind = plan().await?["untestable"].to_string();
        ensure!(
            blind.contains("latency: p95 has no bucket bound near it") && blind.contains("p99 has"),
            "{blind}"
        );
        let usual = manifest::version("v1", &[("LATENCY_MS", "20")]);
        scene.cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", usual).await?;
        paused(scene).await?;
        serin(&["promote", "shop", "--full", "-n", &namespace], &[0]).await?;
        scene.cluster.until_phase("shop", "Healthy", 60).await?;
        let plan = plan().await?;
        let rps = plan["service"]["requestsPerSecond"].as_f64().unwrap_or(0.0);
        ensure!((80.0..120.0).contains(&rps), "100 requests a second are {rps}: {plan}");
        ensure!(plan["service"]["window"] == 5.0 && plan["service"]["metrics"] == 4, "{plan}");
        ensure!(plan["steps"][0]["weight"] == 50 && plan["steps"][0]["latencyShown"].is_f64(), "{plan}");
        let assumed = plan["assumed"].as_str().unwrap_or_default();
        ensure!(assumed.contains("those that Prometheus has counted, at p99"), "{plan}");

        let file = std::env::temp_dir().join(format!("serin-{namespace}.yaml"));
        std::fs::write(&file, &both)?;
        let file = file.to_string_lossy().into_owned();
        let lint = serin(&["lint", "-f", &file, "--prometheus", "http://127.0.0.1:9090"], &[0, 1]).await?;
        ensure!(!lint.contains("were not looked at"), "{lint}");
        let gone = serin(&["lint", "-f", &file, "--prometheus", "http://127.0.0.1:9"], &[0]).await?;
        ensure!(gone.contains("its buckets were not looked at: Prometheus cannot be asked"), "{gone}");

        scene.cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", manifest::version("v2", &[])).await?;
        paused(scene).await?;
        tokio::time::sleep(Duration::from_secs(25)).await;
        let compare = serin(&["compare", "shop", "-n", &namespace, "--windows", "3"], &[0]).await?;
        ensure!(compare.contains("error-rate: ") && compare.contains("latency: not worse"), "{compare}");
        load.finish().await.map(drop)
    });
}
