//! Users who stay: with the canary for as long as it is one, with stable until the weight moves, with nobody after an abort.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use serin_e2e::load::{self, Load};
use serin_e2e::way::{GATEWAY_API, Way};
use serin_e2e::{Scene, play};

use super::{WAY_BACK, abort, begin, change, paused_at, send, split_is};

const STEPS: &str = "      - setWeight: 20\n      - pause: {}\n      - setWeight: 50\n      - pause: {}\n";

/// The cookies that a new user of canary and of stable gets, as `name=value`.
async fn met(scene: &Scene, way: Way) -> Result<(String, String)> {
    let host = format!("{}.example", scene.namespace());
    let (mut canary, mut stable) = (None, None);
    for _ in 0..200 {
        // A machine that is busy with other tests answers late at times.
        let Ok(answer) = load::answer(way.port, &host).await else { continue };
        let header = |name: &str| {
            let lines = answer.lines().filter_map(|line| line.split_once(": "));
            let mut values =
                lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value);
            values.next().map(str::to_owned)
        };
        let version = header("x-version").with_context(|| format!("no version in {answer}"))?;
        let cookie = header("set-cookie").with_context(|| format!("no cookie in {answer}"))?;
        ensure!(cookie.contains("Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"), "{cookie}");
        let pair = cookie.split(';').next().unwrap_or_default().to_owned();
        match version.as_str() {
            "v2" => canary = Some(pair),
            _ => stable = Some(pair),
        }
        if let (Some(canary), Some(stable)) = (&canary, &stable) {
            return Ok((canary.clone(), stable.clone()));
        }
    }
    anyhow::bail!("of 200 new users all were sent to one side: canary {canary:?}, stable {stable:?}")
}

/// Requests of a user with another cookie beside this one.
async fn user(scene: &Scene, way: Way, cookie: &str, rps: u32) -> Result<Load> {
    send(scene, way, Some(&format!("Cookie: theme=dark; {cookie}; lang=en")), rps).await
}

pub(crate) fn users_stay(way: Way) {
    play(&format!("affinity-{}", way.name), async |scene| {
        let strategy = way.strategy("      abortScaleDownDelaySeconds: 600\n", STEPS);
        let affinity = "trafficRouting:\n        sessionAffinity: {maxAge: 1h}\n";
        let load = begin(scene, way, &strategy.replace("trafficRouting:\n", affinity)).await?;
        change(scene, "v2").await?;
        let hash =
            paused_at(scene, 1).await?["status"]["currentPodHash"].as_str().unwrap_or_default().to_owned();
        split_is(&load, "v2", 20).await?;
        let (of_canary, of_stable) = met(scene, way).await?;
        let expected = (format!("serin-canary=canary.{hash}"), format!("serin-canary=stable.{hash}.20"));
        ensure!((&of_canary, &of_stable) == (&expected.0, &expected.1), "{of_canary} and {of_stable}");
        let ada = user(scene, way, &of_canary, 50).await?;
        let eve = user(scene, way, &of_stable, 51).await?;
        let old = user(scene, way, "serin-canary=canary.7d9f8b5c6d", 52).await?;
        split_is(&ada, "v2", 100).await?;
        split_is(&eve, "v1", 100).await?;
        split_is(&old, "v2", 20).await?;
        for (who, users, other) in [("canary", &ada, "v1"), ("stable", &eve, "v2")] {
            let versions = users.now().await?.versions;
            ensure!(!versions.contains_key(other), "a user of {who} was sent elsewhere: {versions:?}");
        }
        scene.cluster.merge_status("shop", json!({"pauseConditions": null})).await?;
        paused_at(scene, 3).await?;
        split_is(&load, "v2", 50).await?;
        split_is(&eve, "v2", 50).await?;
        let versions = ada.now().await?.versions;
        ensure!(!versions.contains_key("v1"), "a user of the canary was sent back: {versions:?}");
        let took = abort(scene, &ada, "v2").await?;
        println!("from abort to the last request of a user of the canary to it: {took:?}");
        ensure!(took < WAY_BACK, "a user of the canary was led to it for {took:?} after the abort");
        split_is(&ada, "v1", 100).await?;
        for users in [load, ada, eve, old] {
            users.nothing_lost().await?;
        }
        Ok(())
    });
}

#[test]
fn users_stay_with_the_canary_until_the_abort() {
    users_stay(GATEWAY_API);
}
