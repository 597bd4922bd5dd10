//! The stock plugin's `restart`: every pod is replaced once, and the plugin's own words say so.

use anyhow::ensure;
use serin_e2e::play;

use super::{begin, healthy_at};

#[test]
fn the_stock_plugin_restarts_all_pods() {
    play("plugin-restarts", async |scene| {
        let cluster = scene.cluster.clone();
        let plugin = begin(scene).await?;
        let before = cluster.pod_uids().await?;
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        plugin.does(&["restart", "shop"], "rollout 'shop' restarts in 0s").await?;
        cluster
            .until("shop", "restarted", 120, |found| {
                let asked = &found["spec"]["restartAt"];
                !asked.is_null() && found["status"]["restartedAt"] == *asked
            })
            .await?;
        healthy_at(&cluster, "1").await?;
        let after = cluster.pod_uids().await?;
        ensure!(after.len() == before.len(), "{before:?} {after:?}");
        ensure!(
            !after.iter().any(|uid| before.contains(uid)),
            "a pod was not replaced: {before:?} {after:?}"
        );
        Ok(())
    });
}
