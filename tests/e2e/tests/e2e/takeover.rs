//! A namespace that Argo Rollouts' controller has run goes on under Serin from where it was, and back again: no pod is
//! restarted, no ReplicaSet is made, and the two never act together.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use serin_e2e::audit::{Audit, Entry};
use serin_e2e::{Cluster, manifest, play};

use self::stage::{Stage, Who, agent, is_lease, none, until_leads};
use crate::clients::Plugin;

mod fleet;
mod stage;

const ROLLOUT: (&str, &str) = ("argoproj.io/v1alpha1", "Rollout");
const STEPS: &str =
    "      steps:\n      - setWeight: 25\n      - pause: {}\n      - setWeight: 50\n      - pause: {}\n";
/// The Rollout of the manifest with another name, labels and container to match.
fn rollout(namespace: &str, name: &str, strategy: &str) -> String {
    manifest::rollout(namespace, "v1", 4, strategy).replace("shop", name)
}

async fn change(cluster: &Cluster, name: &str, version: &str) -> Result<()> {
    let patch = manifest::version(version, &[]).to_string().replace("shop", name);
    cluster.merge(ROLLOUT.0, ROLLOUT.1, name, serde_json::from_str(&patch)?).await
}

fn updated(found: &Value) -> i64 {
    found["status"]["updatedReplicas"].as_i64().unwrap_or_default()
}

/// At a pause step, for a moment already: Argo Rollouts' controller may overlook what is changed while it stores the
/// pause.
async fn paused(cluster: &Cluster, name: &str, step: i64, updated_pods: i64) -> Result<()> {
    cluster
        .until(name, &format!("paused at step {step} with {updated_pods} new pods"), 60, |found| {
            found["status"]["phase"] == "Paused"
                && found["status"]["currentStepIndex"] == step
                && updated(found) == updated_pods
                && found["status"]["replicas"] == 4
                && found["status"]["availableReplicas"] == 4
        })
        .await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(())
}

async fn back_at_stable(cluster: &Cluster, name: &str) -> Result<Value> {
    cluster
        .until(name, "aborted, with all pods of stable", 60, |found| {
            found["status"]["phase"] == "Degraded"
                && updated(found) == 0
                && found["status"]["replicas"] == 4
                && found["status"]["availableReplicas"] == 4
        })
        .await
}

fn healthy(found: &Value) -> bool {
    found["status"]["phase"] == "Healthy" && found["status"]["stableRS"] == found["status"]["currentPodHash"]
}

async fn promoted(cluster: &Cluster, name: &str) -> Result<()> {
    let done = cluster.until(name, "promoted", 90, healthy).await?;
    for count in ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"] {
        ensure!(done["status"][count] == 4, "{count} is {}", done["status"][count]);
    }
    Ok(())
}

/// One Rollout settled, one in mid-canary, one aborted, and every one has two ReplicaSets.
async fn three_rollouts(cluster: &Cluster, plugin: &Plugin) -> Result<()> {
    let names = ["settled", "midway", "aborted"];
    for name in names {
        cluster.apply(&rollout(&cluster.namespace, name, STEPS)).await?;
    }
    for name in names {
        cluster.until_phase(name, "Healthy", 90).await?;
        change(cluster, name, "v2").await?;
        paused(cluster, name, 1, 1).await?;
    }
    plugin.does(&["promote", "settled", "--full"], "fully promoted").await?;
    plugin.does(&["abort", "aborted"], "aborted").await?;
    promoted(cluster, "settled").await?;
    back_at_stable(cluster, "aborted").await?;
    Ok(())
}

/// The one in mid-canary is promoted and the aborted one tried again, by the stock plugin.
async fn all_go_on(cluster: &Cluster, plugin: &Plugin) -> Result<()> {
    plugin.shows("midway").await?.has(&[
        ("Status", "॥ Paused"),
        ("Step", "1/4"),
        ("SetWeight", "25"),
        ("ActualWeight", "25"),
    ])?;
    plugin.does(&["promote", "midway"], "promoted").await?;
    paused(cluster, "midway", 3, 2).await?;
    plugin.does(&["promote", "midway"], "promoted").await?;
    promoted(cluster, "midway").await?;

    plugin.does(&["retry", "rollout", "aborted"], "retried").await?;
    paused(cluster, "aborted", 1, 1).await?;
    plugin.does(&["promote", "aborted", "--full"], "fully promoted").await?;
    promoted(cluster, "aborted").await?;

    // And a new version of the settled one begins as ever.
    change(cluster, "settled", "v3").await?;
    paused(cluster, "settled", 1, 1).await?;
    let sets = cluster.list("apps/v1", "ReplicaSet").await?;
    ensure!(sets.len() == 7, "{} ReplicaSets, one for each of 7 versions is right", sets.len());
    Ok(())
}

#[test]
fn serin_goes_on_where_argo_rollouts_was() {
    play("takeover", async |scene| {
        let mut stage = Stage::begin(scene).await?;
        let cluster = stage.cluster();
        three_rollouts(&cluster, &stage.plugin).await?;
        let handover = stage.hand_over(Who::Serin).await?;
        handover.changes_nothing(&cluster).await?;
        all_go_on(&cluster, &stage.plugin).await
    });
}

#[test]
fn argo_rollouts_goes_on_where_serin_was() {
    play("return", async |scene| {
        let mut stage = Stage::begin(scene).await?;
        let cluster = stage.cluster();
        stage.argo.stop().await?;
        stage.scene.controller.resume().await?;
        three_rollouts(&cluster, &stage.plugin).await?;
        let handover = stage.hand_over(Who::Argo).await?;
        handover.changes_nothing(&cluster).await?;
        all_go_on(&cluster, &stage.plugin).await
    });
}

#[test]
fn the_two_never_act_together() {
    play("both-run", async |scene| {
        let mut stage = Stage::begin(scene).await?;
        let cluster = stage.cluster();
        cluster.apply(&rollout(&cluster.namespace, "shop", STEPS)).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        let audit = Audit::begin()?;
        stage.scene.controller.resume().await?;
        change(&cluster, "shop", "v2").await?;
        paused(&cluster, "shop", 1, 1).await?;
        tokio::time::sleep(Duration::from_secs(5)).await;

        stage.argo.stop().await?;
        until_leads(&cluster, &audit, Who::Serin).await?;
        stage.plugin.does(&["promote", "shop"], "promoted").await?;
        paused(&cluster, "shop", 3, 2).await?;
        stage.argo.resume().await?;
        stage.plugin.does(&["promote", "shop"], "promoted").await?;
        promoted(&cluster, "shop").await?;
        tokio::time::sleep(Duration::from_secs(5)).await;

        let since = Audit::begin()?;
        stage.scene.controller.stop().await?;
        until_leads(&cluster, &since, Who::Argo).await?;
        change(&cluster, "shop", "v3").await?;
        paused(&cluster, "shop", 1, 1).await?;
        turns(audit.entries(&cluster.namespace)?)
    });
}

/// Argo wrote, then Serin, then Argo again, and each only after it had the lease.
fn turns(mut entries: Vec<Entry>) -> Result<()> {
    entries.sort_by(|a, b| a.time.cmp(&b.time));
    let mut turns: Vec<(Who, Vec<String>)> = Vec::new();
    let mut holder = Who::Argo;
    for entry in entries.iter().filter(|entry| entry.status < 300) {
        let Some(who) = [Who::Argo, Who::Serin].into_iter().find(|who| entry.agent.starts_with(agent(*who)))
        else {
            continue;
        };
        if is_lease(entry) {
            holder = who;
            continue;
        }
        ensure!(
            who == holder,
            "{who:?} wrote `{}` at {}, and the lease was that of {holder:?}",
            entry.what,
            entry.time
        );
        match turns.last_mut() {
            Some((last, writes)) if *last == who => writes.push(entry.what.clone()),
            _ => turns.push((who, vec![entry.what.clone()])),
        }
    }
    let order: Vec<Who> = turns.iter().map(|(who, _)| *who).collect();
    ensure!(order == [Who::Argo, Who::Serin, Who::Argo], "{turns:#?}");
    Ok(())
}

#[test]
fn templates_and_steps_of_every_kind_are_taken_over_as_they_are() {
    play("fleet", async |scene| {
        let mut stage = Stage::begin(scene).await?;
        let cluster = stage.cluster();
        cluster.apply(&fleet::routes(&cluster.namespace, "shop")).await?;
        cluster.apply(&fleet::template(&cluster.namespace, 2)).await?;
        let fleet = fleet::fleet(&cluster.namespace)?;
        for rollout in fleet.values() {
            cluster.apply(&rollout.to_string()).await?;
        }
        for name in fleet.keys() {
            cluster.until_phase(name, "Healthy", 60).await?;
        }
        let mut faults = stage.hand_over(Who::Serin).await?.faults(&cluster).await?;
        faults.extend(stage.hand_over(Who::Argo).await?.faults(&cluster).await?);
        none(faults)
    });
}

async fn names_of_runs(cluster: &Cluster) -> Result<Vec<String>> {
    let runs = cluster.list("argoproj.io/v1alpha1", "AnalysisRun").await?;
    let mut names: Vec<String> =
        runs.iter().map(|run| run["metadata"]["name"].as_str().unwrap_or_default().to_owned()).collect();
    names.sort();
    Ok(names)
}

/// A fault when an analysis did not go on but began anew.
async fn other_runs(cluster: &Cluster, before: &[String]) -> Result<Option<String>> {
    let now = names_of_runs(cluster).await?;
    Ok((now != before).then(|| format!("the AnalysisRuns were {before:?} and are {now:?}")))
}

/// Begins a second version of every Rollout of `midway.yaml`.
async fn midway_everywhere(cluster: &Cluster, plugin: &Plugin) -> Result<()> {
    let rollouts = fleet::midways(&cluster.namespace)?;
    for rollout in rollouts.values() {
        cluster.apply(&rollout.to_string()).await?;
    }
    for name in rollouts.keys() {
        cluster.until_phase(name, "Healthy", 120).await?;
    }
    for name in rollouts.keys() {
        if name == "stuck" {
            plugin.does(&["set", "image", name, "stuck=local/absent:1"], "updated").await?;
        } else {
            change(cluster, name, "v2").await?;
        }
    }
    for name in rollouts.keys() {
        cluster.until(name, "where it is to be taken over", 60, |found| fleet::is_there(name, found)).await?;
    }
    Ok(())
}

/// At a timed pause, in an analysis, with traffic by weight, paused by a person, and aborted in all these ways.
#[test]
fn rollouts_in_the_middle_of_everything_go_on_where_they_were() {
    play("midway", async |scene| {
        let mut stage = Stage::begin(scene).await?;
        let cluster = stage.cluster();
        cluster.apply(&fleet::routes(&cluster.namespace, "routed")).await?;
        cluster.apply(&fleet::template(&cluster.namespace, 500)).await?;
        midway_everywhere(&cluster, &stage.plugin).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        stage.plugin.does(&["pause", "by-hand"], "paused").await?;
        for name in ["given-up", "stuck"] {
            stage.plugin.does(&["abort", name], "aborted").await?;
            back_at_stable(&cluster, name).await?;
        }
        let runs = names_of_runs(&cluster).await?;
        ensure!(runs.len() == 2, "{runs:?}");

        let mut faults = stage.hand_over(Who::Serin).await?.faults(&cluster).await?;
        faults.extend(other_runs(&cluster, &runs).await?);
        cluster.until("timed", "promoted when its time is up", 120, healthy).await?;
        faults.extend(stage.hand_over(Who::Argo).await?.faults(&cluster).await?);
        faults.extend(other_runs(&cluster, &runs).await?);
        none(faults)?;

        stage.hand_over(Who::Serin).await?;
        for name in ["watched", "by-hand", "routed"] {
            stage.plugin.does(&["promote", name, "--full"], "promoted").await?;
            cluster.until(name, "promoted", 90, healthy).await?;
        }
        Ok(())
    });
}
