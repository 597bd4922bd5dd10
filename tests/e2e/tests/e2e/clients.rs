//! What users already have keeps working: the stock `kubectl argo rollouts` drives Serin, and Argo CD judges its
//! health.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use serin_e2e::{Cluster, Scene, manifest, play};
use tokio::process::Command;

use self::health::{Watched, health};
pub(crate) use self::plugin::{Plugin, stock};

mod health;
mod plugin;
mod restart;

const ROLLOUT: (&str, &str) = ("argoproj.io/v1alpha1", "Rollout");

/// Steps that wait for a person at a quarter and at a half of four pods.
const STEPS: &str =
    "      steps:\n      - setWeight: 25\n      - pause: {}\n      - setWeight: 50\n      - pause: {}\n";

/// The image that is like the first one and has another name.
async fn second_image() -> Result<()> {
    let program = std::env::var("SERIN_CLUSTER").context("SERIN_CLUSTER is not set")?;
    let app = std::env::var("SERIN_DEMO_APP").context("SERIN_DEMO_APP is not set")?;
    let output = Command::new(program).args(["image", "local/serin-demo:2", &app]).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

async fn begin(scene: &Scene) -> Result<Plugin> {
    scene.cluster.apply(&manifest::rollout(scene.namespace(), "v1", 4, STEPS)).await?;
    scene.cluster.until_phase("shop", "Healthy", 60).await?;
    Ok(Plugin::of(scene))
}

async fn at_step(cluster: &Cluster, revision: &str, step: i64) -> Result<Value> {
    cluster
        .until("shop", &format!("paused at step {step} of revision {revision}"), 60, |found| {
            found["status"]["currentStepIndex"] == step
                && found["status"]["phase"] == "Paused"
                && found["metadata"]["annotations"]["rollout.argoproj.io/revision"] == revision
        })
        .await
}

async fn healthy_at(cluster: &Cluster, revision: &str) -> Result<Value> {
    cluster
        .until("shop", &format!("healthy at revision {revision}"), 90, |found| {
            found["status"]["phase"] == "Healthy"
                && found["metadata"]["annotations"]["rollout.argoproj.io/revision"] == revision
                && found["status"]["replicas"] == 4
        })
        .await
}

#[test]
fn the_stock_plugin_shows_every_stage_of_a_canary() {
    play("plugin-shows", async |scene| {
        let cluster = scene.cluster.clone();
        second_image().await?;
        let plugin = begin(scene).await?;
        let first = plugin.shows("shop").await?;
        first.has(&[
            ("Status", "✔ Healthy"),
            ("Strategy", "Canary"),
            ("Step", "4/4"),
            ("SetWeight", "100"),
            ("ActualWeight", "100"),
            ("Images", "local/serin-demo:1 (stable)"),
        ])?;
        first.counts([4, 4, 4, 4, 4])?;
        first.tree(&[
            &["⟳ shop", "Rollout", "✔ Healthy"],
            &["# revision:1"],
            &["⧉ shop-", "ReplicaSet", "✔ Healthy", "stable"],
            &["□ shop-", "Pod", "✔ Running", "ready:1/1"],
        ])?;
        let said = plugin.run(&["status", "shop"]).await?;
        ensure!(said.code == Some(0) && said.out.trim() == "Healthy", "{}", said.everything());

        plugin
            .does(&["set", "image", "shop", "shop=local/serin-demo:2"], "rollout \"shop\" image updated")
            .await?;
        at_step(&cluster, "2", 1).await?;
        let paused = plugin.shows("shop").await?;
        paused.has(&[
            ("Status", "॥ Paused"),
            ("Message", "CanaryPauseStep"),
            ("Step", "1/4"),
            ("SetWeight", "25"),
            ("ActualWeight", "25"),
            ("Images", "local/serin-demo:1 (stable)"),
        ])?;
        ensure!(paused.text.contains("local/serin-demo:2 (canary)"), "{}", paused.text);
        paused.counts([4, 4, 1, 4, 4])?;
        paused.tree(&[
            &["⟳ shop", "Rollout", "॥ Paused"],
            &["# revision:2"],
            &["⧉ shop-", "ReplicaSet", "✔ Healthy", "canary"],
            &["□ shop-", "Pod", "✔ Running"],
            &["# revision:1"],
            &["⧉ shop-", "ReplicaSet", "✔ Healthy", "stable"],
        ])?;
        now(&plugin, "Paused - CanaryPauseStep").await?;
        listed(&plugin, ["shop", "Canary", "Paused", "1/4", "25", "4/4", "4", "1", "4"]).await?;

        plugin.does(&["promote", "shop", "--full"], "rollout 'shop' fully promoted").await?;
        healthy_at(&cluster, "2").await?;
        let promoted = plugin.shows("shop").await?;
        promoted.has(&[
            ("Status", "✔ Healthy"),
            ("Step", "4/4"),
            ("SetWeight", "100"),
            ("ActualWeight", "100"),
            ("Images", "local/serin-demo:2 (stable)"),
        ])?;
        promoted.counts([4, 4, 4, 4, 4])?;
        promoted.tree(&[
            &["# revision:2"],
            &["⧉ shop-", "✔ Healthy", "stable"],
            &["# revision:1"],
            &["⧉ shop-", "• ScaledDown"],
        ])?;
        listed(&plugin, ["shop", "Canary", "Healthy", "4/4", "100", "4/4", "4", "4", "4"]).await
    });
}

/// `status` without waiting; with waiting it ends only when the rollout is healthy or degraded.
async fn now(plugin: &Plugin, wanted: &str) -> Result<()> {
    let said = plugin.run(&["status", "shop", "--watch=false"]).await?;
    ensure!(said.code == Some(0) && said.out.trim() == wanted, "{}", said.everything());
    Ok(())
}

/// `list rollouts`: name, strategy, status, step, set weight, ready, desired, up to date, available.
async fn listed(plugin: &Plugin, wanted: [&str; 9]) -> Result<()> {
    let text = plugin.does(&["list", "rollouts"], "SET-WEIGHT").await?;
    let words: Vec<&str> = text.lines().nth(1).unwrap_or_default().split_whitespace().collect();
    ensure!(words == wanted, "listed {words:?}, not {wanted:?}");
    Ok(())
}

#[test]
fn the_stock_plugin_promotes_aborts_retries_pauses_and_undoes() {
    play("plugin-drives", async |scene| {
        let cluster = scene.cluster.clone();
        second_image().await?;
        let plugin = begin(scene).await?;
        plugin.does(&["set", "image", "shop", "*=local/serin-demo:2"], "image updated").await?;
        at_step(&cluster, "2", 1).await?;

        plugin.does(&["promote", "shop"], "rollout 'shop' promoted").await?;
        at_step(&cluster, "2", 3).await?;
        plugin.shows("shop").await?.counts([4, 4, 2, 4, 4])?;

        plugin.does(&["abort", "shop"], "rollout 'shop' aborted").await?;
        let message = "RolloutAborted: Rollout aborted update to revision 2";
        cluster
            .until("shop", "back at stable", 60, |found| {
                found["status"]["phase"] == "Degraded"
                    && found["status"]["updatedReplicas"].as_i64().unwrap_or(0) == 0
            })
            .await?;
        let aborted = plugin.shows("shop").await?;
        aborted.has(&[
            ("Status", "✖ Degraded"),
            ("Message", message),
            ("Step", "0/4"),
            ("SetWeight", "0"),
            ("ActualWeight", "0"),
        ])?;
        let said = plugin.run(&["status", "shop"]).await?;
        ensure!(
            said.code == Some(1)
                && said.out.contains(&format!("Degraded - {message}"))
                && said.err.contains(&format!("The rollout is in a degraded state with message: {message}")),
            "{}",
            said.everything()
        );

        plugin.does(&["retry", "rollout", "shop"], "rollout 'shop' retried").await?;
        at_step(&cluster, "2", 1).await?;

        plugin.does(&["pause", "shop"], "rollout 'shop' paused").await?;
        cluster
            .until("shop", "paused by a person", 20, |found| found["status"]["message"] == "manually paused")
            .await?;
        now(&plugin, "Paused - manually paused").await?;

        // Takes both pauses away: that of the person and that of the step.
        plugin.does(&["promote", "shop"], "rollout 'shop' promoted").await?;
        at_step(&cluster, "2", 3).await?;
        plugin.does(&["promote", "shop"], "rollout 'shop' promoted").await?;
        let said = plugin.run(&["status", "shop", "--timeout", "90s"]).await?;
        ensure!(said.code == Some(0) && said.out.lines().last() == Some("Healthy"), "{}", said.everything());

        plugin.does(&["undo", "shop"], "rollout 'shop' undo").await?;
        at_step(&cluster, "3", 1).await?;
        let undone = plugin.shows("shop").await?;
        undone.tree(&[
            &["# revision:3"],
            &["⧉ shop-", "canary"],
            &["# revision:2"],
            &["⧉ shop-", "stable"],
        ])?;
        ensure!(undone.text.contains("local/serin-demo:1 (canary)"), "{}", undone.text);
        ensure!(
            !undone.text.contains("# revision:1"),
            "a revision that is used again has one number:\n{}",
            undone.text
        );
        plugin.does(&["undo", "shop", "--to-revision", "2"], "rollout 'shop' undo").await?;
        healthy_at(&cluster, "4").await?;
        let sets = cluster.list("apps/v1", "ReplicaSet").await?;
        ensure!(sets.len() == 2, "{} ReplicaSets, one for each version is right", sets.len());
        let said = plugin.run(&["undo", "shop", "--to-revision", "77"]).await?;
        ensure!(
            said.code == Some(1) && said.err.contains("unable to find specified revision 77 in history"),
            "{}",
            said.everything()
        );
        Ok(())
    });
}

#[test]
fn the_stock_plugin_tells_of_a_version_whose_image_cannot_be_pulled() {
    play("plugin-no-image", async |scene| {
        let cluster = scene.cluster.clone();
        let hasty = manifest::rollout(scene.namespace(), "v1", 4, STEPS)
            .replace("progressDeadlineSeconds: 60", "progressDeadlineSeconds: 12");
        cluster.apply(&hasty).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        let plugin = Plugin::of(scene);
        plugin.does(&["set", "image", "shop", "shop=local/absent:1"], "image updated").await?;
        let said = plugin.run(&["status", "shop", "--timeout", "4s"]).await?;
        ensure!(
            said.code == Some(1)
                && said.out.contains("Progressing - more replicas need to be updated")
                && said.err.contains("Rollout status watch exceeded timeout"),
            "{}",
            said.everything()
        );
        let said = plugin.run(&["status", "shop", "--timeout", "60s"]).await?;
        ensure!(
            said.code == Some(1)
                && said.out.contains("Degraded - ProgressDeadlineExceeded: ReplicaSet \"shop-"),
            "{}",
            said.everything()
        );
        let shown = plugin.shows("shop").await?;
        shown.has(&[
            ("Status", "✖ Degraded"),
            ("Step", "0/4"),
            ("SetWeight", "25"),
            ("ActualWeight", "0"),
        ])?;
        shown.counts([4, 4, 1, 3, 3])?;
        shown.tree(&[
            &["# revision:2"],
            &["⧉ shop-", "◌ Progressing", "canary"],
            &["□ shop-", "⚠", "Pull", "ready:0/1"],
            &["# revision:1"],
            &["⧉ shop-", "✔ Healthy", "stable"],
        ])?;
        plugin.does(&["undo", "shop"], "rollout 'shop' undo").await?;
        healthy_at(&cluster, "3").await?;
        Ok(())
    });
}

/// An AnalysisTemplate that measures once a second, `count` times or for ever.
fn template(namespace: &str, name: &str, count: Option<u32>) -> String {
    let provider = json!({"prometheus": {"address": "http://127.0.0.1:9090", "query": "vector(1)"}});
    let mut metric = json!({
        "name": "up", "interval": "1s", "provider": provider, "successCondition": "result[0] >= {{args.least}}",
    });
    if let Some(count) = count {
        metric["count"] = json!(count);
    }
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"args": [{"name": "least"}], "metrics": [metric]},
    })
    .to_string()
}

#[test]
fn the_stock_plugin_creates_and_terminates_analysis_runs_and_shows_those_of_a_rollout() {
    play("plugin-analysis", async |scene| {
        let cluster = scene.cluster.clone();
        for (name, count) in [("thrice", Some(3)), ("endless", None)] {
            cluster.apply(&template(scene.namespace(), name, count)).await?;
        }
        let plugin = Plugin::of(scene);
        let from = |name| ["create", "analysisrun", "--from", name, "--name", name, "-a", "least=1"];
        plugin.does(&from("thrice"), "analysisrun.argoproj.io/thrice created").await?;
        let run = |name| ("argoproj.io/v1alpha1", "AnalysisRun", name);
        let done = cluster
            .until_object(run("thrice"), "successful", 30, |run| run["status"]["phase"] == "Successful")
            .await?;
        ensure!(done["status"]["metricResults"][0]["successful"] == 3, "{}", done["status"]);

        plugin.does(&from("endless"), "created").await?;
        cluster
            .until_object(run("endless"), "measured", 30, |run| {
                run["status"]["metricResults"][0]["successful"].as_i64() > Some(0)
            })
            .await?;
        plugin.does(&["terminate", "analysisrun", "endless"], "analysisRun 'endless' terminated").await?;
        let ended = cluster
            .until_object(run("endless"), "ended", 20, |run| !run["status"]["completedAt"].is_null())
            .await?;
        ensure!(ended["status"]["phase"] == "Successful", "{}", ended["status"]);

        let analysis = "{templates: [{templateName: thrice}], args: [{name: least, value: '1'}]}";
        let step = format!("      steps: [{{setWeight: 25}}, {{analysis: {analysis}}}, {{pause: {{}}}}]\n");
        cluster.apply(&manifest::rollout(scene.namespace(), "v1", 4, &step)).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        cluster.merge(ROLLOUT.0, ROLLOUT.1, "shop", manifest::version("v2", &[])).await?;
        at_step(&cluster, "2", 2).await?;
        let shown = plugin.shows("shop").await?;
        shown.has(&[("Step", "2/3"), ("SetWeight", "25")])?;
        shown.tree(&[
            &["# revision:2"],
            &["⧉ shop-", "canary"],
            &["α shop-", "-2-1", "AnalysisRun", "✔ Successful", "✔ 3"],
            &["# revision:1"],
        ])
    });
}

/// A Rollout with one fault, and what is said of it.
const FAULTS: [(&str, &str, &str); 4] = [
    ("setWeight: 50", "setWeight: 500", "SetWeight needs to be between 0 and 100"),
    ("setWeight: 50", "setCanaryScale: {replicas: 2}", "SetCanaryScale requires TrafficRouting to be set"),
    ("Seconds: 60", "Seconds: 0", "must be greater than minReadySeconds"),
    ("labels: {app: shop}", "labels: {app: other}", "`selector` does not match template `labels`"),
];

#[test]
fn the_stock_plugin_finds_the_faults_that_serin_finds_and_none_in_our_examples() {
    play("plugin-lint", async |scene| {
        let plugin = Plugin::of(scene);
        let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples");
        for example in std::fs::read_dir(examples)? {
            let path = example?.path();
            let (stock, ours) = both_lint(&plugin, &path).await?;
            ensure!(stock.0 && ours.0, "{}: {stock:?} {ours:?}", path.display());
        }
        let path = std::env::temp_dir().join("serin-e2e-lint.yaml");
        let good = manifest::rollout(scene.namespace(), "v1", 4, STEPS);
        std::fs::write(&path, &good)?;
        let (stock, ours) = both_lint(&plugin, &path).await?;
        ensure!(stock.0 && ours.0, "{stock:?} {ours:?}");
        for (part, fault, message) in FAULTS {
            std::fs::write(&path, good.replace(part, fault))?;
            for (fine, said) in <[_; 2]>::from(both_lint(&plugin, &path).await?) {
                ensure!(!fine && said.contains(message), "{fault}: fine {fine}, {said}");
            }
        }
        Ok(())
    });
}

/// Whether the stock plugin and `kubectl serin` find a file to be fine, and what they said.
async fn both_lint(plugin: &Plugin, path: &Path) -> Result<((bool, String), (bool, String))> {
    let file = path.to_string_lossy();
    let stock = plugin.run(&["lint", "-f", &file]).await?;
    let serin = serin_e2e::controller::target_binary("kubectl-serin");
    let ours = Command::new(serin).args(["lint", "-f", &file]).output().await?;
    let said = format!("{}{}", String::from_utf8_lossy(&ours.stdout), String::from_utf8_lossy(&ours.stderr));
    Ok(((stock.code == Some(0), stock.everything()), (ours.status.success(), said)))
}

#[test]
fn argo_cd_judges_every_state_right_and_its_actions_work() {
    play("argo-cd", async |scene| {
        let cluster = scene.cluster.clone();
        let watched = Watched::begin(&cluster);
        let until = async |wanted: &str, message: &str| -> Result<()> {
            cluster
                .until("shop", &format!("{wanted}: {message}"), 60, |found| {
                    let (health, said) = health(found);
                    health == wanted && said.contains(message)
                })
                .await?;
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok(())
        };
        let shown = |wanted: &[&str]| -> Result<()> {
            let seen = watched.healths();
            ensure!(seen == wanted, "Argo CD showed {seen:?}, not {wanted:?}");
            Ok(())
        };
        cluster.apply(&manifest::rollout(scene.namespace(), "v1", 4, STEPS)).await?;
        until("Healthy", "").await?;
        shown(&["Progressing", "Healthy"])?;

        // Never healthy between the change and the promotion: a sync would end too early.
        cluster.merge(ROLLOUT.0, ROLLOUT.1, "shop", manifest::version("v2", &[])).await?;
        until("Suspended", "CanaryPauseStep").await?;
        shown(&["Healthy", "Progressing", "Suspended"])?;

        // Action resume: the pause conditions are taken away, and spec.paused is false.
        cluster.merge(ROLLOUT.0, ROLLOUT.1, "shop", json!({"spec": {"paused": false}})).await?;
        cluster.merge_status("shop", json!({"pauseConditions": null})).await?;
        at_step(&cluster, "2", 3).await?;
        let seen = watched.healths();
        ensure!(
            seen.len() >= 3
                && seen.iter().all(|health| ["Suspended", "Progressing"].contains(&health.as_str())),
            "{seen:?}"
        );

        // Action abort; action retry takes the field away, where the plugin writes false.
        cluster.merge_status("shop", json!({"abort": true})).await?;
        until("Degraded", "RolloutAborted: Rollout aborted update to revision 2").await?;
        shown(&["Suspended", "Degraded"])?;
        cluster.merge_status("shop", json!({"abort": null})).await?;
        at_step(&cluster, "2", 1).await?;
        shown(&["Degraded", "Progressing", "Suspended"])?;

        // Action skip-current-step: the next step, and the pause conditions are taken away.
        let step =
            cluster.rollout("shop").await?["status"]["currentStepIndex"].as_i64().context("no step index")?;
        cluster.merge_status("shop", json!({"currentStepIndex": step + 1, "pauseConditions": null})).await?;
        at_step(&cluster, "2", 3).await?;
        watched.take();

        let bad = json!({"spec": {"strategy": {"canary": {"maxSurge": 0, "maxUnavailable": 0}}}});
        cluster.merge(ROLLOUT.0, ROLLOUT.1, "shop", bad).await?;
        until("Degraded", "MaxSurge and MaxUnavailable both can not be zero").await?;
        let good = json!({"spec": {"strategy": {"canary": {"maxSurge": null, "maxUnavailable": null}}}});
        cluster.merge(ROLLOUT.0, ROLLOUT.1, "shop", good).await?;
        until("Suspended", "CanaryPauseStep").await?;
        shown(&["Suspended", "Progressing", "Degraded", "Progressing", "Suspended"])?;

        // Action promote-full.
        cluster.merge_status("shop", json!({"promoteFull": true})).await?;
        until("Healthy", "").await?;
        shown(&["Suspended", "Progressing", "Healthy"])?;

        // Scaling is progress, too, and a rollout without pods is healthy.
        for replicas in [6, 0] {
            cluster.merge(ROLLOUT.0, ROLLOUT.1, "shop", json!({"spec": {"replicas": replicas}})).await?;
            cluster
                .until("shop", &format!("healthy with {replicas} pods"), 60, |found| {
                    health(found).0 == "Healthy"
                        && found["status"]["replicas"].as_i64().unwrap_or(0) == replicas
                })
                .await?;
            ensure!(!watched.healths().contains(&"Degraded".to_owned()));
        }
        Ok(())
    });
}
