//! The same traffic while versions come one upon the other, start slowly, or die under load.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use serin_e2e::way::GATEWAY_API;
use serin_e2e::{Scene, manifest, play};

use super::{RPS, SOON, TWO_WEIGHTS, begin, change, paused_at, promoted, split_is};

const QUICK: &str = "      - setWeight: 20\n      - pause: {duration: 2}\n      - setWeight: 60\n      - pause: {duration: 2}\n";

/// What `kubectl rollout restart` does: the same version with another annotation is a new revision.
async fn restart(scene: &Scene, number: u32) -> Result<()> {
    let at = json!({"kubectl.kubernetes.io/restartedAt": format!("{number}")});
    let patch = json!({"spec": {"template": {"metadata": {"annotations": at}}}});
    scene.cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", patch).await
}

#[test]
fn no_request_is_lost_when_restarts_come_one_upon_the_other() {
    play("churn-traffic", async |scene| {
        let load = begin(scene, GATEWAY_API, &GATEWAY_API.strategy(SOON, QUICK)).await?;
        for number in 1..=6 {
            restart(scene, number).await?;
            tokio::time::sleep(Duration::from_secs(7)).await;
        }
        promoted(scene, "7").await?;
        tokio::time::sleep(Duration::from_secs(8)).await;
        load.nothing_lost().await
    });
}

#[test]
fn no_request_is_lost_with_a_version_that_starts_slowly() {
    play("slow-traffic", async |scene| {
        let load = begin(scene, GATEWAY_API, &GATEWAY_API.strategy(SOON, QUICK)).await?;
        let slow = manifest::version("v2", &[("START_DELAY_S", "12")]);
        scene.cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", slow).await?;
        promoted(scene, "2").await?;
        split_is(&load, "v2", 100).await?;
        load.nothing_lost().await
    });
}

/// Requests that a dying pod takes with it are lost to its fault. Serin answers for the rest: nothing beyond the share of
/// the canary fails, traffic leaves it, and after the abort nothing fails any more.
#[test]
fn a_version_that_dies_under_load_costs_no_more_than_its_share() {
    play("dying-traffic", async |scene| {
        let load = begin(scene, GATEWAY_API, &GATEWAY_API.strategy(SOON, TWO_WEIGHTS)).await?;
        let dying = manifest::version("v2", &[("CRASH_AFTER_S", "18")]);
        scene.cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", dying).await?;
        paused_at(scene, 1).await?;
        scene
            .cluster
            .until("shop", "without canary pods that answer", 60, |found| {
                found["status"]["canary"]["weights"]["canary"]["weight"] == 0
            })
            .await?;
        scene.cluster.merge_status("shop", json!({"abort": true})).await?;
        tokio::time::sleep(Duration::from_secs(10)).await;
        let before = load.now().await?;
        tokio::time::sleep(Duration::from_secs(10)).await;
        let after = load.now().await?;
        ensure!(after.failed == before.failed, "requests fail after the abort: {before:?} {after:?}");
        let report = load.finish().await?;
        println!("requests: {}", report["counts"]);
        let most = u64::from(RPS) * 15 / 100;
        for second in report["seconds"].as_array().into_iter().flatten() {
            let failed = second["failed"].as_u64().unwrap_or(u64::MAX);
            ensure!(failed <= most, "{failed} of {RPS} requests failed in one second: {second}");
        }
        change(scene, "v3").await?;
        promoted(scene, "3").await?;
        Ok(())
    });
}
