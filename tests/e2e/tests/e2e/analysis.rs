//! AnalysisRuns that a Job or an extension measures, on real pods and over real HTTP.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use serin_e2e::{Scene, play};
use tokio::process::{Child, Command};

const API: &str = "argoproj.io/v1alpha1";

fn run(name: &str, metric: Value) -> String {
    json!({
        "apiVersion": API, "kind": "AnalysisRun", "metadata": {"name": name}, "spec": {"metrics": [metric]},
    })
    .to_string()
}

/// Waits until the run is over, and returns it.
async fn ended(scene: &Scene, name: &str, seconds: u64) -> Result<Value> {
    let mut last = Value::Null;
    for _ in 0..seconds * 5 {
        last = scene.cluster.get(API, "AnalysisRun", name).await?;
        if last["status"]["completedAt"].is_string() {
            return Ok(last);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    anyhow::bail!("AnalysisRun {name} is not over after {seconds} s: {}", last["status"])
}

fn job(args: &[&str], image: &str) -> Value {
    json!({"name": "check", "provider": {"job": {"spec": {"backoffLimit": 0, "template": {"spec": {
        "restartPolicy": "Never",
        "containers": [{"name": "check", "image": image, "imagePullPolicy": "IfNotPresent", "args": args}],
    }}}}}})
}

#[test]
fn a_job_measures_by_its_exit_code_and_goes_with_its_run() {
    play("analysis-job", async |scene| {
        let cluster = scene.cluster.clone();
        const DEMO: &str = "local/serin-demo:1";
        for (name, args, image, phase) in [
            ("good", vec!["load", "-h"], DEMO, "Successful"),
            ("bad", vec!["nonsense"], DEMO, "Failed"),
            ("no-image", vec![], "Not A Name:1", "Inconclusive"),
        ] {
            cluster.apply(&run(name, job(&args, image))).await?;
            let over = ended(scene, name, 90).await?;
            ensure!(over["status"]["phase"] == phase, "{name}: {}", over["status"]);
            let measurement = &over["status"]["metricResults"][0]["measurements"][0];
            let uid = over["metadata"]["uid"].as_str().context("a uid")?;
            ensure!(measurement["metadata"]["job-name"] == format!("{uid}.check.1"), "{name}: {measurement}");
            ensure!(measurement["metadata"]["job-namespace"] == scene.namespace(), "{name}: {measurement}");
        }
        let jobs = cluster.list("batch/v1", "Job").await?;
        let owners: Vec<_> = jobs.iter().map(|job| &job["metadata"]["ownerReferences"][0]["name"]).collect();
        ensure!(owners.contains(&&json!("good")) && owners.contains(&&json!("bad")), "owners are {owners:?}");
        cluster.delete(API, "AnalysisRun", "good").await?;
        for _ in 0..150 {
            let jobs = cluster.list("batch/v1", "Job").await?;
            if jobs.iter().all(|job| job["metadata"]["ownerReferences"][0]["name"] != "good") {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        anyhow::bail!("the Job of a deleted run is still there")
    });
}

/// The example of docs/extensions.md, served on a port of this machine.
fn extension(port: &str) -> Result<Child> {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/extension.py");
    let python =
        Command::new("python3").args([program, port]).stdin(Stdio::null()).kill_on_drop(true).spawn();
    python.context("start the extension")
}

#[test]
fn an_extension_measures_and_is_waited_for_while_it_is_down() {
    play("analysis-extension", async |scene| {
        const PORT: &str = "18077";
        let cluster = scene.cluster.clone();
        let text = format!("- name: acme/guard\n  url: http://127.0.0.1:{PORT}\n  timeout: 2s\n");
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argo-rollouts-config"},
            "data": {"extensions": text},
        });
        cluster.apply(&map.to_string()).await?;
        // Otherwise it is read within a minute.
        scene.controller.kill().await?;
        scene.controller.resume().await?;
        let metric = |name: &str, config: Value| json!({"name": "m", "successCondition": "result.good > 5", "provider": {"plugin": {name: config}}});

        cluster.apply(&run("early", metric("acme/guard", json!({"good": 9})))).await?;
        let mut held = Value::Null;
        for _ in 0..100 {
            held = cluster.get(API, "AnalysisRun", "early").await?;
            if held["status"]["message"].as_str().is_some_and(|text| text.contains("the analysis holds")) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let message = held["status"]["message"].as_str().unwrap_or_default();
        let place = format!("extension acme/guard at http://127.0.0.1:{PORT} is unreachable");
        ensure!(message.contains(&place), "{}", held["status"]);

        let _extension = extension(PORT)?;
        let over = ended(scene, "early", 60).await?;
        ensure!(over["status"]["phase"] == "Successful", "{}", over["status"]);
        let last = over["status"]["metricResults"][0]["measurements"].as_array().and_then(|all| all.last());
        let last = last.context("a measurement")?;
        ensure!(last["value"] == "{\"good\":9,\"key\":\"acme/guard\"}", "{last}");
        ensure!(last["metadata"]["state"] == "begun", "{last}");

        for (name, metric, phase, message) in [
            (
                "low",
                metric("acme/guard", json!({"good": 1})),
                "Failed",
                "assessed Failed due to failed (1) > failureLimit (0)",
            ),
            (
                "unknown",
                metric("acme/other", json!({})),
                "Error",
                "the extension \"acme/other\" is not configured",
            ),
        ] {
            cluster.apply(&run(name, metric)).await?;
            let over = ended(scene, name, 60).await?;
            let status = &over["status"];
            ensure!(status["phase"] == phase, "{name}: {status}");
            ensure!(
                status["message"].as_str().is_some_and(|text| text.contains(message)),
                "{name}: {status}"
            );
        }
        Ok(())
    });
}
