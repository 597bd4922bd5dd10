//! The example of docs/extensions.md as a step and as a router of a Rollout, on real pods and over real HTTP.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use serin_e2e::cluster::observed_phase;
use serin_e2e::{Scene, manifest, play};
use tokio::process::{Child, Command};

const PORT: &str = "18078";
const API: &str = "argoproj.io/v1alpha1";

const STRATEGY: &str = r#"      canaryService: shop-canary
      stableService: shop-stable
      abortScaleDownDelaySeconds: 3
      trafficRouting:
        managedRoutes: [{name: staff}]
        plugins:
          acme/router: {gateway: eu}
      steps:
      - setHeaderRoute: {name: staff, match: [{headerName: x-staff, headerValue: {exact: "yes"}}]}
      - setWeight: 20
      - plugin: {name: acme/gate, config: {door: front}}
      - pause: {}
"#;

fn extension() -> Result<Child> {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/extension.py");
    let python =
        Command::new("python3").args([program, PORT]).stdin(Stdio::null()).kill_on_drop(true).spawn();
    python.context("start the extension")
}

/// Asks the extension something, as a person at its door.
async fn ask(path: &str, body: Option<&str>) -> Result<Value> {
    let url = format!("http://127.0.0.1:{PORT}{path}");
    let data = body.map(|body| ["--data", body]);
    let asked = Command::new("curl").args(["-sSf", &url]).args(data.into_iter().flatten()).output().await?;
    ensure!(asked.status.success(), "{url}: {}", String::from_utf8_lossy(&asked.stderr));
    Ok(serde_json::from_slice(&asked.stdout)?)
}

/// Questions that it was asked with this path, the last one at the end.
async fn asked(path: &str) -> Result<Vec<Value>> {
    let calls = ask("/", None).await?;
    let calls = calls.as_array().into_iter().flatten().filter(|call| call["path"] == path);
    Ok(calls.map(|call| call["question"].clone()).collect())
}

async fn split() -> Result<Value> {
    Ok(asked("/v1/traffic/apply").await?.pop().context("it was told a split")?["split"].clone())
}

async fn configure(scene: &mut Scene) -> Result<()> {
    let entry = |name: &str| format!("- name: {name}\n  url: http://127.0.0.1:{PORT}\n  timeout: 2s\n");
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argo-rollouts-config"},
        "data": {"extensions": entry("acme/gate") + &entry("acme/router")},
    });
    scene.cluster.apply(&map.to_string()).await?;
    // Otherwise it is read within a minute.
    scene.controller.kill().await?;
    scene.controller.resume().await
}

fn waits_for(rollout: &Value, text: &str) -> bool {
    let gates = rollout["status"]["gates"].as_array().into_iter().flatten();
    gates.filter_map(|gate| gate["waitsFor"].as_str()).any(|waits| waits.contains(text))
}

fn rests(rollout: &Value) -> bool {
    rollout["status"]["canary"]["weights"]["canary"]["weight"] == 0
}

fn at_step(rollout: &Value, index: i64) -> bool {
    rollout["status"]["currentStepIndex"] == index
}

#[test]
fn an_extension_performs_steps_splits_traffic_and_is_waited_for_while_it_is_down() {
    play("extension", async |scene| {
        configure(scene).await?;
        let cluster = scene.cluster.clone();
        let namespace = scene.namespace().to_owned();
        cluster.apply(&manifest::services(&namespace)).await?;
        let serving = extension()?;
        cluster.apply(&manifest::rollout(&namespace, "v1", 2, STRATEGY)).await?;
        cluster.until_phase("shop", "Healthy", 120).await?;
        cluster.until("shop", "known to the router", 60, rests).await?;

        cluster.merge(API, "Rollout", "shop", manifest::version("v2", &[])).await?;
        let knocked =
            cluster.until("shop", "at the door", 120, |found| waits_for(found, "front is shut")).await?;
        ensure!(at_step(&knocked, 2), "{}", knocked["status"]);
        let told = split().await?;
        ensure!(told["canary"]["weight"] == 20 && told["stable"]["weight"] == 80, "{told}");
        let header = json!([{"name": "x-staff", "value": {"exact": "yes"}}]);
        ensure!(told["headerRoutes"] == json!([{"name": "staff", "match": header}]), "{told}");
        let record = &knocked["status"]["canary"]["stepPluginStatuses"][0];
        ensure!(record["phase"] == "Running" && record["operation"] == "Run", "{record}");

        drop(serving);
        let down = "to perform the step: error sending request";
        let held =
            cluster.until("shop", "waiting for the extension", 60, |found| waits_for(found, down)).await?;
        ensure!(at_step(&held, 2) && held["status"]["abort"].is_null(), "{}", held["status"]);
        // What it forgets while it is down, it is told again.
        let _serving = extension()?;
        cluster.until("shop", "at the door again", 90, |found| waits_for(found, "front is shut")).await?;
        let questions = asked("/v1/step/run").await?;
        let knocks = &questions.first().context("a question")?["state"]["knocks"];
        ensure!(knocks.as_i64() >= Some(1), "the rollout remembers for it: {questions:?}");
        ensure!(split().await?["canary"]["weight"] == 20, "the split is back");

        ask("/doors/front", Some("open")).await?;
        cluster.until("shop", "through the door", 60, |found| at_step(found, 3)).await?;
        cluster.merge_status("shop", json!({"abort": true})).await?;
        let taken_back = |found: &Value| {
            let records = found["status"]["canary"]["stepPluginStatuses"].as_array();
            let ended = |record: &Value| record["operation"] == "Abort" && record["phase"] == "Successful";
            records.is_some_and(|records| records.iter().any(ended))
        };
        cluster.until("shop", "taken back", 60, taken_back).await?;
        cluster.until("shop", "back on stable", 60, rests).await?;
        let told = split().await?;
        ensure!(told["canary"]["weight"] == 0 && told["headerRoutes"] == json!([]), "{told}");
        Ok(())
    });
}

#[test]
fn an_extension_that_is_not_configured_is_refused_by_name() {
    play("extension-unknown", async |scene| {
        let cluster = scene.cluster.clone();
        cluster.apply(&manifest::services(scene.namespace())).await?;
        cluster.apply(&manifest::rollout(scene.namespace(), "v1", 1, STRATEGY)).await?;
        let refused = |found: &Value| {
            let message = found["status"]["message"].as_str().unwrap_or_default();
            observed_phase(found) == "Degraded"
                && message.contains("the extension \"acme/gate\" is not configured; name it with its url")
        };
        cluster.until("shop", "refused", 60, refused).await.map(drop)
    });
}
