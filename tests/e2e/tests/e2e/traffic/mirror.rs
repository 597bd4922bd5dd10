//! Copies of requests for the canary, whose answers nobody gets.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use serin_e2e::load::page;
use serin_e2e::way::Way;
use serin_e2e::{Scene, play};

use super::{begin, change, paused_at};

/// Requests that pods of `version` have counted themselves, over all of them.
async fn counted(scene: &Scene, version: &str) -> Result<u64> {
    let mut sum = 0;
    for pod in scene.cluster.list("v1", "Pod").await? {
        let env = &pod["spec"]["containers"][0]["env"];
        let so = env.as_array().is_some_and(|env| env.iter().any(|variable| variable["value"] == version));
        let (true, Some(address)) = (so, pod["status"]["podIP"].as_str()) else { continue };
        let text = page(address, 8080, "/metrics").await?;
        for line in text.lines().filter(|line| line.starts_with("http_requests_total{")) {
            let count = line.rsplit(' ').next().context("a line without value")?;
            sum += count.parse::<u64>().with_context(|| line.to_owned())?;
        }
    }
    Ok(sum)
}

/// Half of the requests are copied, from the step until the abort.
pub(crate) fn copies(way: Way) {
    play(&format!("mirror-{}", way.name), async |scene| {
        let steps = concat!(
            "      - setCanaryScale: {replicas: 2}\n",
            "      - setMirrorRoute: {name: staff, percentage: 50, match: [{path: {prefix: /}}]}\n",
            "      - pause: {}\n",
        );
        let load = begin(scene, way, &way.strategy("", steps)).await?;
        change(scene, "v2").await?;
        paused_at(scene, 2).await?;
        let (before, met) = (load.now().await?, counted(scene, "v2").await?);
        tokio::time::sleep(Duration::from_secs(12)).await;
        let (after, copied) = (load.now().await?, counted(scene, "v2").await? - met);
        let (answered, all) = after.since(&before, "v2");
        println!("{copied} of {all} requests were copied");
        ensure!(
            answered == 0,
            "the canary answered {answered} of {all} requests, and only copies were meant for it"
        );
        let share = copied as f64 / all as f64;
        // The two counters are not read at the same time.
        ensure!(
            (share - 0.5).abs() < 0.05,
            "{copied} of {all} requests were copied, {share:.3} instead of 0.5"
        );
        scene.cluster.merge_status("shop", json!({"abort": true})).await?;
        scene.cluster.until_phase("shop", "Degraded", 60).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let met = counted(scene, "v2").await?;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let more = counted(scene, "v2").await?.saturating_sub(met);
        ensure!(more == 0, "{more} requests were copied after the abort");
        load.nothing_lost().await
    });
}
