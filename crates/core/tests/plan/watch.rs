//! The watch after promotion: a canary with all traffic is measured before it becomes stable, and taken back at once.

use serde_json::{Value, json};
use serin_api::{AnalysisPhase, RolloutStatus};
use serin_testkit::scene::{Scene, base};

use crate::{condition, created, phase, pods, reasons, running, stored, verdict, waits_for, weight};

const FOR_TEN_MINUTES: &str = "10m";

/// A canary with these steps and this watch, at rest with `v1`.
fn at_rest(steps: &Value, duration: &Value) -> Scene {
    let watch = json!({"templates": [{"templateName": "errors"}], "duration": duration});
    let scene = base().template("errors").routed();
    scene.canary(json!({"postPromotionAnalysis": watch, "steps": steps})).rest()
}

/// `v2` has all traffic, and is measured.
fn watched(duration: &Value) -> Scene {
    let scene = at_rest(&json!([{"setWeight": 50}]), duration).wait(60).update("v2").rest();
    verdict(scene, AnalysisPhase::Running, "").rest()
}

fn is_stable(scene: &Scene, version: &str) -> bool {
    stored(scene).stable_rs.as_deref() == Some(running(scene, version).hash.as_str())
}

fn shown(status: &RolloutStatus) -> i32 {
    status.canary.weights.as_ref().map_or(0, |weights| weights.canary.weight)
}

#[test]
fn the_run_begins_when_all_traffic_is_there_and_stable_keeps_its_pods() {
    for (name, steps) in [
        ("after the last step", json!([{"setWeight": 50}])),
        ("when that is 100", json!([{"setWeight": 100}])),
        ("without steps", Value::Null),
    ] {
        let (scene, plans) = at_rest(&steps, &json!(FOR_TEN_MINUTES)).update("v2").settle();
        let began = plans.iter().position(|plan| !created(plan, "AnalysisRun").is_empty());
        let plan = &plans[began.unwrap_or_else(|| panic!("{name}: no run"))];
        assert_eq!(shown(&plan.status), 100, "{name}: all traffic first");
        let run = &created(plan, "AnalysisRun")[0];
        let hash = running(&scene, "v2").hash.clone();
        assert_eq!(run["metadata"]["name"], format!("shop-{hash}-2-post"), "{name}");
        assert_eq!(run["metadata"]["labels"]["rollout-type"], "PostPromotion", "{name}");
        assert!(is_stable(&scene, "v1"), "{name}: it is watched first");
        assert_eq!(pods(&scene, ["v1", "v2"]), [4, 4], "{name}");
        assert_eq!(phase(&stored(&scene)), "Progressing|waiting for analysis to complete", "{name}");
    }
}

#[test]
fn a_run_is_not_begun_before_all_pods_are_there() {
    let scene = at_rest(&json!([{"setWeight": 50}]), &Value::Null).slow().update("v2").rest();
    assert!(scene.world.analysis_runs.is_empty(), "{:?}", stored(&scene).gates);
}

#[test]
fn the_watch_lasts_for_its_time() {
    for (name, said, message, seconds, stable) in [
        ("not before", AnalysisPhase::Running, "", 590, false),
        ("then what was not bad is good", AnalysisPhase::Running, "", 601, true),
        ("also when the run has succeeded early", AnalysisPhase::Successful, "", 590, false),
        ("and then it is over", AnalysisPhase::Successful, "", 601, true),
        ("what cannot be measured is not good", AnalysisPhase::Running, "no answer", 9999, false),
    ] {
        let scene = verdict(watched(&json!(FOR_TEN_MINUTES)), said, message).wait(seconds).rest();
        assert_eq!(is_stable(&scene, "v2"), stable, "{name}");
        assert!(!stored(&scene).abort, "{name}");
        let is = phase(&stored(&scene));
        assert_eq!(
            is.as_str(),
            if stable { "Healthy|" } else { "Progressing|waiting for analysis to complete" }
        );
        let gates = stored(&scene).gates.unwrap_or_default();
        let over = gates.iter().all(|gate| gate.then == "revision v1 is scaled down");
        assert_eq!(over, stable, "{name}: {gates:?}");
        if seconds < 600 {
            let until = gates[0].until.clone().map(|until| until.0.as_second());
            let began = scene.world.analysis_runs[0].created.as_second();
            assert_eq!(until, Some(began + 600), "{name}: it says until when");
        }
        if !message.is_empty() {
            assert!(waits_for(&scene.plan(), message), "{name}: {gates:?}");
        }
    }
}

#[test]
fn an_endless_run_is_ended_with_the_watch() {
    let scene = watched(&json!(FOR_TEN_MINUTES)).wait(601).rest();
    assert!(scene.world.analysis_runs[0].terminating);
    assert_eq!(scene.world.analysis_runs.len(), 1, "and no other one begins");
    let recorded = stored(&scene).canary.post_promotion_analysis_run_status;
    assert_eq!(recorded.map(|run| run.name), Some(scene.world.analysis_runs[0].name.clone()));
}

#[test]
fn without_a_duration_the_run_decides() {
    let scene = watched(&Value::Null).wait(9999).rest();
    assert!(!is_stable(&scene, "v2"));
    assert!(waits_for(&scene.plan(), "to succeed after promotion"));
    assert!(is_stable(&verdict(scene, AnalysisPhase::Successful, "").rest(), "v2"));
}

#[test]
fn failure_and_error_take_all_traffic_back_at_once() {
    for said in [AnalysisPhase::Failed, AnalysisPhase::Error] {
        let scene = verdict(watched(&json!(FOR_TEN_MINUTES)), said, "too many errors");
        assert_eq!(weight(&scene.plan()), Some(0), "{said}: in the first plan");
        let (scene, plans) = scene.settle();
        let text = "Rollout aborted update to revision 2: Canary post-promotion analysis phase error/failed: too many errors";
        let status = stored(&scene);
        assert_eq!(condition(&status, "Progressing"), Some(format!("False|RolloutAborted|{text}")), "{said}");
        assert_eq!(phase(&status), format!("Degraded|RolloutAborted: {text}"), "{said}");
        assert!(reasons(&plans).starts_with(&[format!("AnalysisRun{said}")]), "{:?}", reasons(&plans));
        assert_eq!((shown(&status), is_stable(&scene, "v1")), (0, true), "{said}");
        assert_eq!(pods(&scene, ["v1", "v2"]), [4, 4], "{said}: the new pods stay for their delay");
        assert_eq!(pods(&scene.wait(31).rest(), ["v1", "v2"]), [4, 0], "{said}");
    }
}

#[test]
fn people_are_heard_during_the_watch() {
    let scene = || watched(&json!(FOR_TEN_MINUTES));
    assert!(is_stable(&scene().promote_full().rest(), "v2"), "a full promotion ends it");
    let aborted = scene().abort().rest();
    assert_eq!((shown(&stored(&aborted)), aborted.world.analysis_runs[0].terminating), (0, true));
    let again = aborted.retry().rest();
    assert_eq!(again.world.analysis_runs.len(), 2, "a retry is watched anew");
    let held = scene().paused(true).wait(9999).rest();
    assert!(!is_stable(&held, "v2"), "spec.paused holds it");
    assert!(is_stable(&held.paused(false).rest(), "v2"));
    let undecided = verdict(scene(), AnalysisPhase::Inconclusive, "").rest();
    assert_eq!(phase(&stored(&undecided)), "Paused|InconclusiveAnalysisRun");
    let measured = undecided.wait(9999).promote().rest();
    assert_eq!((measured.world.analysis_runs.len(), is_stable(&measured, "v2")), (2, false), "measured anew");
}

#[test]
fn a_third_revision_ends_the_watch_of_the_second() {
    let scene = watched(&json!(FOR_TEN_MINUTES)).update("v3").rest();
    assert!(scene.world.analysis_runs[0].terminating);
    assert_eq!(scene.world.analysis_runs.len(), 2, "and is watched itself");
    assert!(is_stable(&scene, "v1"));
    let scene = verdict(scene, AnalysisPhase::Successful, "");
    assert!(is_stable(&scene.wait(9999).rest(), "v1"), "the old run says nothing of the third");
}

#[test]
fn nothing_is_watched_that_was_good_before() {
    let stable = verdict(watched(&Value::Null), AnalysisPhase::Successful, "").rest();
    let runs = stable.world.analysis_runs.len();
    let back = stable.clone().spec(json!({"rollbackWindow": {"revisions": 3}})).update("v1").rest();
    assert!(is_stable(&back, "v1"), "within the rollback window");
    assert_eq!(back.world.analysis_runs.len(), runs);
    let undone = watched(&Value::Null).update("v1").rest();
    assert!(is_stable(&undone, "v1"), "an undo of the update");
    assert_eq!(shown(&stored(&undone)), 0);
}

#[test]
fn the_deadline_does_not_run_during_the_watch() {
    let scene = watched(&json!("1h")).wait(3000).rest();
    assert!(phase(&stored(&scene)).starts_with("Progressing|"), "{}", phase(&stored(&scene)));
}
