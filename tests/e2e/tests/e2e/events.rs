//! The events of a Rollout, all of them and in their order, as clients of Argo Rollouts know them.

use anyhow::{Result, ensure};
use serde_json::json;
use serin_e2e::{Scene, manifest, play};

const STEPS: &str = "      steps:\n      - setWeight: 50\n      - pause: {}\n";

/// Reasons of the Rollout's events in the order in which they were told: names end in the time in nanoseconds.
async fn reasons(scene: &Scene) -> Result<Vec<String>> {
    let events = scene.cluster.list("v1", "Event").await?;
    let mut about: Vec<_> = events
        .iter()
        .filter(|event| {
            event["involvedObject"]["kind"] == "Rollout" && event["involvedObject"]["name"] == "shop"
        })
        .map(|event| (event["metadata"]["name"].as_str().unwrap_or_default(), event))
        .collect();
    about.sort_by_key(|(name, _)| *name);
    let text = |event: &serde_json::Value| event["reason"].as_str().unwrap_or_default().to_owned();
    Ok(about.into_iter().map(|(_, event)| text(event)).collect())
}

/// What was told since `seen` events; waits a little, because events are sent beside the work.
pub(crate) async fn told(scene: &Scene, seen: &mut usize, expected: &[&str]) -> Result<()> {
    let mut now = Vec::new();
    for _ in 0..25 {
        now = reasons(scene).await?.split_off(*seen);
        if now == expected {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    ensure!(now == expected, "events are\n  {now:?}, not\n  {expected:?}");
    *seen += now.len();
    Ok(())
}

#[test]
fn a_canary_by_pods_tells_its_events_in_the_order_of_argo_rollouts() {
    play("events-canary", async |scene| {
        let cluster = scene.cluster.clone();
        let mut seen = 0;
        cluster.apply(&manifest::rollout(scene.namespace(), "v1", 1, STEPS)).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        let initial = [
            "RolloutAddedToInformer",
            "RolloutUpdated",
            "NewReplicaSetCreated",
            "RolloutNotCompleted",
            "ScalingReplicaSet",
            "RolloutCompleted",
        ];
        told(scene, &mut seen, &initial).await?;

        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", manifest::version("v2", &[])).await?;
        cluster.until_phase("shop", "Paused", 60).await?;
        let update = [
            "RolloutUpdated",
            "NewReplicaSetCreated",
            "RolloutNotCompleted",
            "ScalingReplicaSet",
            "RolloutStepCompleted",
            "RolloutPaused",
        ];
        told(scene, &mut seen, &update).await?;

        cluster.merge_status("shop", json!({"abort": true})).await?;
        cluster.until_phase("shop", "Degraded", 60).await?;
        told(scene, &mut seen, &["ScalingReplicaSet", "RolloutAborted"]).await?;

        // What is said again in the same words counts in the event that said it first: only what is new is listed.
        cluster.merge_status("shop", json!({"abort": false})).await?;
        cluster.until_phase("shop", "Paused", 60).await?;
        cluster.merge_status("shop", json!({"pauseConditions": null})).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        let end = ["RolloutStepCompleted", "ScalingReplicaSet", "RolloutCompleted"];
        told(scene, &mut seen, &end).await
    });
}
