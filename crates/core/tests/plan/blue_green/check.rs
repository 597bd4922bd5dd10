//! Analyses before and after the switch: what each verdict leads to.

use serde_json::{Value, json};
use serin_api::AnalysisPhase;
use serin_testkit::scene::Scene;

use super::{at_rest, both, is_stable, pause, selected, told};
use crate::{condition, created, phase, pods, running, stored, verdict, waits_for};

fn checks() -> Value {
    json!({
        "templates": [{"templateName": "errors"}],
        "args": [
            {"name": "new", "valueFrom": {"podTemplateHashValue": "Latest"}},
            {"name": "old", "valueFrom": {"podTemplateHashValue": "Stable"}},
        ],
    })
}

/// An update to `v2` whose analysis in this field is on its way.
fn measuring(field: &str) -> Scene {
    let scene = at_rest(json!({})).template("errors").blue_green(json!({field: checks()})).rest();
    let scene = scene.update("v2").rest();
    verdict(scene, AnalysisPhase::Running, "").rest()
}

const PRE: &str = "prePromotionAnalysis";
const POST: &str = "postPromotionAnalysis";

#[test]
fn a_run_begins_in_its_time_and_is_named_and_labelled_as_clients_expect() {
    for (field, suffix, role, active) in
        [(PRE, "pre", "PrePromotion", "v1"), (POST, "post", "PostPromotion", "v2")]
    {
        let scene = at_rest(json!({})).template("errors").blue_green(json!({field: checks()})).rest();
        let (scene, plans) = scene.update("v2").settle();
        let hash = running(&scene, "v2").hash.clone();
        let runs: Vec<_> = plans.iter().flat_map(|plan| created(plan, "AnalysisRun")).collect();
        assert_eq!(runs.len(), 1, "{field}");
        let metadata = &runs[0]["metadata"];
        assert_eq!(metadata["name"], format!("shop-{hash}-2-{suffix}"));
        assert_eq!(metadata["labels"]["rollout-type"], role);
        assert_eq!(metadata["labels"]["rollouts-pod-template-hash"], hash.as_str());
        assert_eq!(selected(&scene), both(active, "v2"), "{field}");
        assert!(!is_stable(&scene, "v2"), "{field}");
    }
}

#[test]
fn a_run_is_not_begun_before_its_pods_are_there() {
    let scene = at_rest(json!({})).template("errors").blue_green(json!({PRE: checks()})).rest();
    let scene = scene.slow().update("v2").rest();
    assert!(scene.world.analysis_runs.is_empty());
    assert!(waits_for(&scene.plan(), "4 pods of revision"), "{:?}", scene.plan().status.gates);
    let small =
        at_rest(json!({"previewReplicaCount": 1})).template("errors").blue_green(json!({PRE: checks()}));
    let small = small.rest().update("v2").rest();
    assert_eq!(
        (small.world.analysis_runs.len(), pods(&small, ["v2"])),
        (1, [1]),
        "a small preview is enough"
    );
}

#[test]
fn success_goes_on() {
    for field in [PRE, POST] {
        let scene = verdict(measuring(field), AnalysisPhase::Successful, "").rest();
        assert!(is_stable(&scene, "v2"), "{field}");
        assert_eq!(phase(&stored(&scene)), "Healthy|", "{field}");
        let status = stored(&scene).blue_green;
        let runs = [status.pre_promotion_analysis_run_status, status.post_promotion_analysis_run_status];
        assert_eq!(runs.iter().flatten().count(), 1, "{field}: it stays in the status");
    }
}

#[test]
fn failure_and_error_abort_with_their_message() {
    for (field, which) in [(PRE, "pre"), (POST, "post")] {
        for verdict_ in [AnalysisPhase::Failed, AnalysisPhase::Error] {
            let (scene, plans) = verdict(measuring(field), verdict_, "too many errors").settle();
            let said = format!(
                "Rollout aborted update to revision 2: Blue/green {which}-promotion analysis phase error/failed: \
                 too many errors"
            );
            let status = stored(&scene);
            assert_eq!(
                condition(&status, "Progressing"),
                Some(format!("False|RolloutAborted|{said}")),
                "{field}"
            );
            assert_eq!(phase(&status), format!("Degraded|RolloutAborted: {said}"));
            assert_eq!(selected(&scene), both("v1", "v2"), "{field}: the active Service is with stable");
            assert!(is_stable(&scene, "v1"), "{field}");
            assert!(told(&plans)[0].starts_with(&format!("AnalysisRun{verdict_}: ")), "{:?}", told(&plans));
        }
    }
}

#[test]
fn inconclusive_waits_for_a_person_who_lets_it_measure_again() {
    for (field, active) in [(PRE, "v1"), (POST, "v2")] {
        let scene = verdict(measuring(field), AnalysisPhase::Inconclusive, "").rest();
        assert_eq!(pause(&scene).as_deref(), Some("InconclusiveAnalysisRun"), "{field}");
        assert_eq!(selected(&scene), both(active, "v2"), "{field}");
        assert!(waits_for(&scene.plan(), "a decision about an inconclusive analysis"), "{field}");
        let scene = scene.promote().rest();
        assert_eq!((scene.world.analysis_runs.len(), selected(&scene)), (2, both(active, "v2")), "{field}");
        let scene = verdict(scene, AnalysisPhase::Successful, "").rest();
        assert!(is_stable(&scene, "v2"), "{field}");
    }
}

#[test]
fn a_provider_that_does_not_answer_holds_and_is_named() {
    for field in [PRE, POST] {
        let scene = measuring(field);
        let scene =
            verdict(scene, AnalysisPhase::Running, "Prometheus does not answer").rest().wait(3600).rest();
        assert!(waits_for(&scene.plan(), "Prometheus does not answer"), "{field}");
        assert!(!is_stable(&scene, "v2") && !stored(&scene).abort, "{field}");
        assert!(phase(&stored(&scene)).starts_with("Progressing|"), "{field}: the deadline does not run");
    }
}

#[test]
fn the_pause_comes_after_the_analysis() {
    let fields = json!({PRE: checks(), "autoPromotionEnabled": false});
    let scene = at_rest(json!({})).template("errors").blue_green(fields).rest().update("v2").rest();
    assert_eq!(pause(&scene), None);
    let scene = verdict(scene, AnalysisPhase::Successful, "").rest();
    assert_eq!((pause(&scene).as_deref(), selected(&scene)), (Some("BlueGreenPause"), both("v1", "v2")));
    let scene = scene.promote().rest();
    assert!(is_stable(&scene, "v2") && scene.world.analysis_runs.len() == 1);
}

#[test]
fn an_abort_ends_the_run_and_a_retry_measures_anew() {
    for field in [PRE, POST] {
        let scene = measuring(field).abort().rest();
        assert!(scene.world.analysis_runs.iter().all(|run| run.terminating), "{field}");
        let scene = scene.retry().rest();
        let names: Vec<_> = scene.world.analysis_runs.iter().map(|run| run.name.as_str()).collect();
        assert_eq!(names.len(), 2, "{field}: {names:?}");
        assert!(names[1].ends_with(".1"), "{field}: {names:?}");
    }
}
