//! What stops, slows or watches an update: Serin's own fields on a real cluster.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use serin_e2e::way::GATEWAY_API;
use serin_e2e::{Scene, play};

use crate::traffic::{begin, change, promoted};

const WATCH: &str = "      postPromotionAnalysis: {duration: 8s, templates: [{templateName: later}]}\n";

/// An analysis that measures nothing for an hour: the test says how it ends.
const LATER: &str = r#"apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: later}
spec:
  metrics:
  - name: errors
    initialDelay: 1h
    successCondition: result == 0
    provider: {prometheus: {address: "http://127.0.0.1:9", query: errors}}
"#;

/// The AnalysisRun of the watch measures, and all traffic is on the new revision. Returns the name of the run.
async fn watched(scene: &Scene, revision: &str) -> Result<String> {
    let so = |found: &Value| {
        found["status"]["canary"]["postPromotionAnalysisRunStatus"]["status"] == "Running"
            && found["status"]["canary"]["weights"]["canary"]["weight"] == 100
            && found["metadata"]["annotations"]["rollout.argoproj.io/revision"] == revision
    };
    let found = scene.cluster.until("shop", "watched after promotion", 120, so).await?;
    ensure!(found["status"]["phase"] == "Progressing", "{found}");
    ensure!(found["status"]["stableRS"] != found["status"]["currentPodHash"], "{found}");
    let name = found["status"]["canary"]["postPromotionAnalysisRunStatus"]["name"].as_str();
    name.map(str::to_owned).context("the run has no name")
}

#[test]
fn a_canary_is_watched_after_promotion_and_taken_back_without_a_lost_request() {
    play("watch", async |scene| {
        scene.cluster.apply(LATER).await?;
        let strategy = GATEWAY_API.strategy(WATCH, "      - setWeight: 50\n");
        let load = begin(scene, GATEWAY_API, &strategy).await?;
        change(scene, "v2").await?;
        watched(scene, "2").await?;
        promoted(scene, "2").await?;

        change(scene, "v3").await?;
        let run = watched(scene, "3").await?;
        let status = json!({"status": {"phase": "Failed", "message": "as the test says"}});
        scene.cluster.merge("argoproj.io/v1alpha1", "AnalysisRun", &run, status).await?;
        let back = |found: &Value| {
            found["status"]["phase"] == "Degraded"
                && found["status"]["canary"]["weights"]["canary"]["weight"] == 0
        };
        let found = scene.cluster.until("shop", "taken back", 30, back).await?;
        let message = found["status"]["message"].as_str().unwrap_or_default();
        let expected = "RolloutAborted: Rollout aborted update to revision 3: \
                        Canary post-promotion analysis phase error/failed: as the test says";
        ensure!(message == expected, "{message}");
        load.nothing_lost().await
    });
}
