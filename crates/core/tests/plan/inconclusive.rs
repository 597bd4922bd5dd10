//! An analysis that could not decide: a person does, once, and what they go on from is measured anew.

use serde_json::json;
use serin_api::AnalysisPhase;
use serin_testkit::scene::{Scene, base};

use crate::{phase, reasons, stored, verdict};

fn background() -> Scene {
    let steps = json!([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]);
    let analysis = json!({"templates": [{"templateName": "errors"}]});
    base().template("errors").canary(json!({"analysis": analysis, "steps": steps})).rest().update("v2").rest()
}

#[test]
fn one_promotion_ends_the_pause_step_and_measures_anew() {
    let (undecided, plans) = verdict(background(), AnalysisPhase::Inconclusive, "").settle();
    assert!(!reasons(&plans).contains(&"RolloutPaused".to_owned()), "it is paused already");
    let pauses = stored(&undecided).pause_conditions.unwrap_or_default();
    let pauses: Vec<_> = pauses.iter().map(|pause| pause.reason.as_str()).collect();
    assert_eq!(pauses, ["CanaryPauseStep", "InconclusiveAnalysisRun"]);
    let promoted = undecided.promote().rest();
    assert_eq!(phase(&stored(&promoted)), "Paused|CanaryPauseStep", "that of the next pause step");
    assert_eq!(stored(&promoted).current_step_index, Some(3));
    assert_eq!(promoted.world.analysis_runs.len(), 2, "one more run");
}

#[test]
fn a_promotion_answers_one_run_and_not_the_next() {
    let spec_paused = background().paused(true).rest();
    let at_weight = background().promote().slow().act().0;
    assert_eq!(stored(&at_weight).current_step_index, Some(2), "pods of the next weight are awaited");
    for (name, scene) in [("while the spec is paused", spec_paused), ("between pauses", at_weight)] {
        let once = verdict(scene, AnalysisPhase::Inconclusive, "").act().0.promote().act().0.listed();
        let again = verdict(once, AnalysisPhase::Inconclusive, "").act().0;
        let pauses = stored(&again).pause_conditions.unwrap_or_default();
        let waits = pauses.iter().any(|pause| pause.reason == "InconclusiveAnalysisRun");
        assert!(waits, "{name}: {pauses:?}");
    }
}

#[test]
fn the_status_of_a_stable_revision_shows_no_run() {
    let scene = background();
    assert!(stored(&scene).canary.current_background_analysis_run_status.is_some());
    let aborted = scene.clone().abort().rest();
    assert!(stored(&aborted).canary.current_background_analysis_run_status.is_some(), "what was aborted");
    let stable = scene.promote_full().rest();
    assert_eq!(stored(&stable).canary.current_background_analysis_run_status, None);
}
