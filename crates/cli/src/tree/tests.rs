use serde_json::json;

use super::*;
use crate::observed::{ObservedExperiment, Parts};
use crate::paint::Paint;
use crate::sample::{experiment, now, observed, of_experiment, pod, replica_set, rollout, run, updating};

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[test]
fn an_update_at_an_analysis_step_is_drawn_from_the_newest_revision_down() {
    let back_off = json!([{
        "name": "shop", "image": "", "imageID": "", "ready": false, "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    }]);
    let seen = observed(
        updating(2, json!({})),
        vec![
            replica_set(
                "aaa",
                2,
                "shop:v1",
                2,
                json!({"metadata": {"creationTimestamp": "2026-11-24T10:00:00Z"}}),
            ),
            replica_set("bbb", 3, "shop:v2", 2, json!({"status": {"availableReplicas": 1}})),
            replica_set(
                "zzz",
                1,
                "shop:v0",
                0,
                json!({"metadata": {"creationTimestamp": "2026-11-20T10:00:00Z"}}),
            ),
        ],
        vec![
            pod("aaa", "x1", json!({})),
            pod("bbb", "y1", json!({})),
            pod("bbb", "y2", json!({"status": {"containerStatuses": back_off}})),
        ],
        vec![run(json!({}))],
    );
    let expected = "\
Name:            shop
Namespace:       web
Status:          ◌ Progressing
Message:         more replicas need to be updated
Strategy:        Canary
  Step:          2/4 done, now: analysis
  Set weight:    20
  Actual weight: 20   ████░░░░░░░░░░░░░░░░  confirmed by the router
Images:          shop:v2 (canary)
                 shop:v1 (stable)
Replicas:
  Desired:       4
  Current:       5
  Updated:       1
  Ready:         5
  Available:     5

NAME                    KIND         STATUS              AGE    INFO
⟳ shop                  Rollout      ◌ Progressing       4h10m
├──# revision:3
│  ├──⧉ shop-bbb        ReplicaSet   ◌ Progressing       5m     canary
│  │  ├──□ shop-bbb-y1  Pod          ✔ Running           4m50s  ready 1/1
│  │  └──□ shop-bbb-y2  Pod          ✖ CrashLoopBackOff  4m50s  ready 0/1, restarts 3
│  └──α shop-bbb-3-2    AnalysisRun  ◌ Running           3m     step 3, ✔ 2
│         errors: 0.004 (successful when result[0] < 0.01)
├──# revision:2
│  └──⧉ shop-aaa        ReplicaSet   ✔ Healthy           4h10m  stable
│     └──□ shop-aaa-x1  Pod          ✔ Running           4m50s  ready 1/1
└──# revision:1
   └──⧉ shop-zzz        ReplicaSet   • ScaledDown        4d4h
";
    assert_eq!(lines(&text(&tree(&seen), Paint::PLAIN)), lines(expected));
}

#[test]
fn an_aborted_update_shows_why_and_when_its_pods_go() {
    let message = "RolloutAborted: Rollout aborted update to revision 3: Metric \"errors\" assessed Failed";
    let seen = observed(
        updating(
            0,
            json!({"status": {
                "abort": true, "phase": "Degraded", "message": message,
                "canary": {"weights": {"canary": {"weight": 0}, "verified": null}},
            }}),
        ),
        vec![replica_set(
            "bbb",
            3,
            "shop:v2",
            1,
            json!({"metadata": {"annotations": {"scale-down-deadline": "2026-11-24T14:10:24Z"}}}),
        )],
        vec![],
        vec![run(json!({"status": {
            "phase": "Failed", "message": "Metric \"errors\" assessed Failed due to failed (1) > failureLimit (0)",
            "metricResults": [{"name": "errors", "phase": "Failed", "successful": 3, "failed": 1,
                "measurements": [{"phase": "Failed", "value": "[0.031]"}]}],
        }}))],
    );
    let drawn = text(&tree(&seen), Paint::PLAIN);
    let expected = "\
Name:            shop
Namespace:       web
Status:          ✖ Degraded
Message:         RolloutAborted: Rollout aborted update to revision 3: Metric \"errors\" assessed Failed
Strategy:        Canary
  Step:          0/4 done, now: setWeight: 20
  Set weight:    0
  Actual weight: 0    ░░░░░░░░░░░░░░░░░░░░  as the routing objects say
Images:          shop:v2 (canary)
Replicas:
  Desired:       4
  Current:       5
  Updated:       1
  Ready:         5
  Available:     5

NAME                  KIND         STATUS      AGE    INFO
⟳ shop                Rollout      ✖ Degraded  4h10m
└──# revision:3
   ├──⧉ shop-bbb      ReplicaSet   ✔ Healthy   5m     canary, scaled down in 24s
   └──α shop-bbb-3-2  AnalysisRun  ✖ Failed    3m     step 3, ✔ 3, ✖ 1
          Metric \"errors\" assessed Failed due to failed (1) > failureLimit (0)
          errors: 0.031 (successful when result[0] < 0.01)
";
    assert_eq!(lines(&drawn), lines(expected));
}

#[test]
fn what_could_not_be_read_is_said_below_the_tree() {
    let mut seen = observed(rollout(json!({})), vec![], vec![], vec![]);
    seen.notes.push("pods are not shown: you may not list them".to_owned());
    let expected = "\
NAME    KIND     STATUS     AGE    INFO
⟳ shop  Rollout  ✔ Healthy  4h10m

note: pods are not shown: you may not list them
";
    let drawn = text(&tree(&seen), Paint::PLAIN);
    assert!(drawn.ends_with(&format!("\n\n{expected}")), "{drawn}");
    assert!(drawn.contains("  Step:          4/4\n"), "{drawn}");
    assert!(drawn.contains("  Actual weight: 100  ████████████████████\n"), "{drawn}");
    assert!(drawn.contains("Images:          shop:v1\n"), "{drawn}");
}

#[test]
fn as_json_the_tree_has_the_names_of_the_api() {
    let seen = observed(
        updating(1, json!({})),
        vec![replica_set("bbb", 3, "shop:v2", 1, json!({}))],
        vec![pod("bbb", "y1", json!({}))],
        vec![],
    );
    let json = serde_json::to_value(tree(&seen)).unwrap();
    assert_eq!(
        json["status"],
        json!({"phase": "Progressing", "message": "more replicas need to be updated"})
    );
    assert_eq!(json["step"], json!({"done": 1, "of": 4, "current": "pause: 5m"}));
    assert_eq!(json["weight"], json!({"asked": 20, "observed": 20, "of": 100, "source": "confirmed"}));
    assert_eq!(
        json["revisions"][0]["replicaSets"][0]["pods"][0],
        json!({"name": "shop-bbb-y1", "status": "Running", "age": "4m50s", "ready": 1, "containers": 1, "restarts": 0})
    );
}

/// An Experiment with one ReplicaSet, its pod, a run, and what belongs to others.
fn trial(change: serde_json::Value) -> ObservedExperiment {
    let parts = Parts {
        replica_sets: vec![
            replica_set("xxx", 0, "shop:v1", 1, of_experiment("trial-baseline")),
            replica_set("bbb", 3, "shop:v2", 1, json!({})),
        ],
        pods: vec![pod("xxx", "1", json!({})), pod("bbb", "1", json!({}))],
        runs: vec![run(of_experiment("trial-errors")), run(json!({}))],
        now: now(),
        ..Parts::default()
    };
    ObservedExperiment::of(experiment(change), &parts)
}

#[test]
fn an_experiment_is_drawn_with_its_templates_and_runs() {
    let gates =
        json!([{"waitsFor": "pods of template canary", "until": "2026-11-24T14:15:00Z", "then": "it runs"}]);
    let message = json!([
        {"name": "baseline", "status": "Running", "replicas": 1, "availableReplicas": 1, "serviceName": "trial-baseline"},
        {"name": "canary", "status": "Error", "message": "quota exceeded"},
    ]);
    let seen = trial(json!({"status": {"gates": gates, "message": "it waits", "templateStatuses": message}}));
    let expected = "\
Name:            trial
Namespace:       web
Status:          ◌ Running
Message:         it waits
Duration:        20m
Remaining:       11m
Waits for:       pods of template canary, until 14:15:00 UTC; it runs
Templates:       baseline: Running, 1/1 available, service trial-baseline
                 canary: Error, 0/2 available

NAME                 KIND         STATUS     AGE    INFO
Σ trial              Experiment   ◌ Running  10m    11m left
├──⧉ trial-baseline  ReplicaSet   ✔ Healthy  5m     template baseline: Running
│  └──□ shop-xxx-1   Pod          ✔ Running  4m50s  ready 1/1
├──⧉ canary          Template     ✖ Error           no ReplicaSet
│      quota exceeded
└──α trial-errors    AnalysisRun  ◌ Running  3m     analysis errors, ✔ 2
       errors: 0.004 (successful when result[0] < 0.01)
";
    assert_eq!(lines(&experiment_text(&experiment_tree(&seen), Paint::PLAIN)), lines(expected));
    let json = serde_json::to_value(experiment_tree(&seen)).unwrap();
    assert_eq!(json["templates"][0]["replicaSet"]["pods"][0]["name"], "shop-xxx-1");
    assert_eq!(json["templates"][1]["replicaSet"], json!(null));
    assert_eq!((&json["phase"], &json["remaining"]), (&json!("Running"), &json!("11m")));
}

#[test]
fn pods_of_a_template_that_is_gone_are_shown_and_so_is_an_experiment_nobody_has_looked_at() {
    let seen = trial(json!({"spec": {"duration": null, "templates": []}, "status": null}));
    let drawn = experiment_text(&experiment_tree(&seen), Paint::PLAIN);
    assert!(drawn.contains("Status:          ◌ Pending\n\nNAME "), "{drawn}");
    assert!(drawn.contains("├──⧉ trial-baseline  ReplicaSet   ✔ Healthy  5m\n│  └──□ shop-xxx-1"), "{drawn}");
}

#[test]
fn the_experiments_of_a_rollout_hang_below_their_revision() {
    let mut seen = observed(
        updating(1, json!({})),
        vec![replica_set("aaa", 2, "shop:v1", 4, json!({})), replica_set("bbb", 3, "shop:v2", 1, json!({}))],
        vec![],
        vec![run(json!({}))],
    );
    let change = json!({"spec": {"templates": [{"name": "baseline"}]}, "status": {"message": "it waits"}});
    seen.experiments.push(trial(change));
    let drawn = text(&tree(&seen), Paint::PLAIN);
    let expected = "\
├──# revision:3
│  ├──⧉ shop-bbb           ReplicaSet   ✔ Healthy      5m     canary
│  ├──Σ trial              Experiment   ◌ Running      10m    11m left
│  │  │   it waits
│  │  ├──⧉ trial-baseline  ReplicaSet   ✔ Healthy      5m     template baseline: Running
│  │  │  └──□ shop-xxx-1   Pod          ✔ Running      4m50s  ready 1/1
│  │  └──α trial-errors    AnalysisRun  ◌ Running      3m     analysis errors, ✔ 2
│  │         errors: 0.004 (successful when result[0] < 0.01)
│  └──α shop-bbb-3-2       AnalysisRun  ◌ Running      3m     step 3, ✔ 2
│         errors: 0.004 (successful when result[0] < 0.01)
└──# revision:2
";
    assert!(drawn.contains(expected), "{drawn}");
}

#[test]
fn services_that_change_roles_are_told_with_the_revision_behind_them() {
    for (stable, expected) in [
        ("ping", ["stable,ping", "canary,pong"]),
        ("pong", ["stable,pong", "canary,ping"]),
        ("", ["stable,pong", "canary,ping"]),
    ] {
        let pair = json!({"pingService": "a", "pongService": "b"});
        let mut rollout = updating(2, json!({"status": {"canary": {"stablePingPong": stable}}}));
        let canary = rollout.spec.strategy.as_mut().and_then(|strategy| strategy.canary.as_mut());
        canary.unwrap().ping_pong = serde_json::from_value(pair).unwrap();
        let told = ["aaa", "bbb"].map(|hash| roles(&rollout, hash).join(","));
        assert_eq!(told, expected, "{stable:?}");
    }
}
