//! What routers do beside weights, under real requests through a real gateway.

use anyhow::{Result, ensure};
use serde_json::Value;
use serin_e2e::way::{GATEWAY_API, TRAEFIK, Way};
use serin_e2e::{Scene, play};

use crate::traffic::{WAY_BACK, abort, begin, change, paused_at, promoted, split_is};

async fn selected(scene: &Scene, service: &str) -> Result<Value> {
    let service = scene.cluster.get("v1", "Service", service).await?;
    Ok(service["spec"]["selector"]["rollouts-pod-template-hash"].clone())
}

/// Three revisions, an abort between them, and no Service with traffic is ever pointed elsewhere.
#[test]
fn services_that_change_roles_lose_no_request() {
    play("ping-pong", async |scene| {
        let way = Way { services: false, ..GATEWAY_API };
        let pair = "      pingPong: {pingService: shop-stable, pongService: shop-canary}\n      \
                    scaleDownDelaySeconds: 3\n      abortScaleDownDelaySeconds: 3\n";
        let steps = "      - setWeight: 30\n      - pause: {}\n";
        let load = begin(scene, way, &way.strategy(pair, steps)).await?;
        for (version, revision, ping_pong, service) in
            [("v2", "2", "pong", "shop-canary"), ("v3", "3", "ping", "shop-stable")]
        {
            change(scene, version).await?;
            paused_at(scene, 1).await?;
            split_is(&load, version, 30).await?;
            let took = abort(scene, &load, version).await?;
            ensure!(took < WAY_BACK, "{version} got requests until {took:?} after the abort");
            scene.cluster.merge_status("shop", serde_json::json!({"abort": false})).await?;
            let paused = paused_at(scene, 1).await?;
            let current = paused["status"]["currentPodHash"].clone();
            ensure!(selected(scene, service).await? == current, "{service} is not that of {version}");
            scene.cluster.merge_status("shop", serde_json::json!({"pauseConditions": null})).await?;
            let done = promoted(scene, revision).await?;
            let stable = &done["status"]["canary"]["stablePingPong"];
            ensure!(stable == ping_pong, "{ping_pong} should be stable after {version}, and {stable} is");
            split_is(&load, version, 100).await?;
        }
        load.nothing_lost().await
    });
}

/// Pods of an experiment get their share of real requests, and stable gets it back.
fn experiment(way: Way) {
    play(&format!("experiment-{}", way.name), async |scene| {
        let steps = "      - experiment:\n          duration: 60s\n          templates:\n          \
                     - {name: trial, specRef: canary, weight: 20}\n      - pause: {}\n";
        let load = begin(scene, way, &way.strategy("", steps)).await?;
        change(scene, "v2").await?;
        let weighted = |found: &Value| {
            let weights = &found["status"]["canary"]["weights"];
            weights["additional"][0]["weight"] == 20 && weights["stable"]["weight"] == 80
        };
        scene.cluster.until("shop", "giving the experiment its share", 120, weighted).await?;
        split_is(&load, "v2", 20).await?;
        paused_at(scene, 1).await?;
        let left = |found: &Value| found["status"]["canary"]["weights"]["additional"].is_null();
        scene.cluster.until("shop", "taking the share of the experiment back", 30, left).await?;
        split_is(&load, "v1", 100).await?;
        load.nothing_lost().await
    });
}

#[test]
fn an_experiment_gets_its_share_with_the_gateway_api() {
    experiment(GATEWAY_API);
}

#[test]
fn an_experiment_gets_its_share_with_traefiks_own_kinds() {
    experiment(TRAEFIK);
}
