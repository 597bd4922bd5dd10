//! The controller is killed without warning at every step, and the rollout ends as it would have.

use std::collections::BTreeSet;

use anyhow::ensure;
use serde_json::{Value, json};
use serin_e2e::{manifest, play};

const STEPS: &str = "      canaryService: shop-canary\n      stableService: shop-stable\n      scaleDownDelaySeconds: 2\n      trafficRouting:\n        plugins:\n          argoproj-labs/gatewayAPI: {httpRoute: shop}\n      steps:\n      - setWeight: 25\n      - pause: {duration: 2}\n      - setWeight: 50\n      - pause: {}\n      - setWeight: 75\n      - pause: {duration: 2}\n";

/// The status is about the second revision: the first has done all its steps, too.
fn second_revision(rollout: &Value) -> bool {
    rollout["metadata"]["annotations"]["rollout.argoproj.io/revision"] == "2"
}

#[test]
fn a_controller_killed_at_each_step_goes_on_from_the_api_server_alone() {
    play("failover", async |scene| {
        let cluster = scene.cluster.clone();
        cluster.apply(&manifest::services(scene.namespace())).await?;
        cluster.apply(&manifest::http_route(scene.namespace())).await?;
        cluster.apply(&manifest::rollout(scene.namespace(), "v1", 2, STEPS)).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        let first: BTreeSet<String> = cluster.pod_uids().await?.into_iter().collect();
        let patch = manifest::version("v2", &[]);
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", patch).await?;

        let mut made = first.clone();
        for step in 1..=6 {
            cluster
                .until("shop", &format!("at step {step}"), 90, |found| {
                    second_revision(found) && found["status"]["currentStepIndex"].as_i64() >= Some(step)
                })
                .await?;
            scene.controller.kill().await?;
            if step == 3 {
                cluster.merge_status("shop", json!({"pauseConditions": null})).await?;
            }
            made.extend(cluster.pod_uids().await?);
            scene.controller.resume().await?;
        }
        let done = cluster.until_phase("shop", "Healthy", 120).await?;
        ensure!(done["status"]["stableRS"] == done["status"]["currentPodHash"]);
        made.extend(cluster.pod_uids().await?);
        ensure!(made.len() <= first.len() + 2, "{} pods were made in all, 4 are needed", made.len());
        let sets = cluster.list("apps/v1", "ReplicaSet").await?;
        ensure!(sets.len() == 2, "{} ReplicaSets, one for each version is right", sets.len());
        Ok(())
    });
}
