//! The way back: abort, retry, rollbacks fast and slow, and a third revision.

use serde_json::json;
use serin_api::AnalysisPhase;
use serin_testkit::scene::{ACTIVE_SERVICE, Scene};

use super::{at_rest, both, is_stable, pause, selected, told, waiting};
use crate::{condition, phase, pods, reasons, running, stored, verdict, waits_for};

/// `v2` has the active Service, and is measured before it becomes stable.
fn switched() -> Scene {
    let checks = json!({"templates": [{"templateName": "errors"}]});
    let scene = at_rest(json!({})).template("errors").blue_green(json!({"postPromotionAnalysis": checks}));
    scene.rest().update("v2").rest()
}

#[test]
fn an_abort_before_the_switch_leaves_traffic_and_takes_the_pods_after_a_delay() {
    for (name, fields, seconds) in [
        ("by default", json!({}), 30),
        ("as asked", json!({"abortScaleDownDelaySeconds": 5}), 5),
        ("1 is too short to be safe", json!({"abortScaleDownDelaySeconds": 1}), 3),
    ] {
        let (scene, plans) = waiting(fields).abort().settle();
        assert_eq!(reasons(&plans), ["RolloutAborted"], "{name}");
        assert_eq!(selected(&scene), both("v1", "v2"), "{name}");
        assert_eq!(pause(&scene), None, "{name}");
        assert_eq!(pods(&scene.clone().wait(seconds - 1).rest(), ["v1", "v2"]), [4, 4], "{name}");
        let gone = scene.wait(seconds).rest();
        assert_eq!(pods(&gone, ["v1", "v2"]), [4, 0], "{name}");
        assert_eq!(
            phase(&stored(&gone)),
            "Degraded|RolloutAborted: Rollout aborted update to revision 2",
            "{name}"
        );
    }
    let kept = waiting(json!({"abortScaleDownDelaySeconds": 0})).abort().rest().wait(9999).rest();
    assert_eq!(pods(&kept, ["v1", "v2"]), [4, 4], "0 keeps them for good");
}

#[test]
fn an_abort_after_the_switch_goes_back_also_when_the_new_pods_are_broken() {
    for available in [4, 1, 0] {
        let scene = switched().edit(|world| {
            let set = world.replica_sets.last_mut().unwrap_or_else(|| panic!("no ReplicaSet"));
            (set.pods.available, set.ready) = (available, available);
        });
        let scene = scene.slow().abort().rest();
        assert_eq!(selected(&scene), both("v1", "v2"), "{available} new pods are available");
        assert_eq!(pods(&scene, ["v1", "v2"]), [4, 4], "the new ones stay for the delay");
    }
}

#[test]
fn an_abort_waits_for_a_stable_that_is_worse() {
    let ill = |available: i32| switched().edit(|world| world.replica_sets[0].pods.available = available);
    let scene = ill(3).slow().abort().rest();
    assert_eq!(selected(&scene), both("v2", "v2"), "4 pods of the new one serve");
    assert_eq!(pods(&scene.clone().wait(60).rest(), ["v2"]), [4], "and are not taken");
    assert!(waits_for(&scene.plan(), "stop selecting"), "{:?}", scene.plan().status.gates);
    let both_ill = ill(1).edit(|world| world.replica_sets[1].pods.available = 1).slow().abort().rest();
    assert_eq!(selected(&both_ill), both("v1", "v2"), "no pod is lost by it");
}

#[test]
fn a_failed_look_after_the_switch_goes_back_and_tells_so() {
    let scene = verdict(switched(), AnalysisPhase::Running, "").rest();
    let (scene, plans) = verdict(scene, AnalysisPhase::Failed, "").settle();
    assert_eq!(reasons(&plans), ["AnalysisRunFailed", "RolloutAborted", "SwitchService"]);
    let back = format!(
        "SwitchService: Switched selector for service 'shop-active' from '{}' to 'v1'",
        running(&scene, "v2").hash
    );
    assert!(told(&plans).contains(&back), "{:?}", told(&plans));
}

#[test]
fn a_retry_begins_again_with_its_pause() {
    let scene = waiting(json!({})).abort().rest().wait(60).rest();
    assert_eq!(pods(&scene, ["v2"]), [0]);
    let scene = scene.retry();
    let said = condition(&scene.plan().status, "Progressing");
    assert_eq!(said.as_deref(), Some("Unknown|RolloutRetry|Retrying Rollout after abort"));
    let scene = scene.rest();
    assert_eq!((pods(&scene, ["v2"]), pause(&scene).as_deref()), ([4], Some("BlueGreenPause")));
    assert_eq!(selected(&scene.promote().rest()), both("v2", "v2"));
}

#[test]
fn a_retry_of_a_checked_preview_is_checked_again() {
    let scene = waiting(json!({"previewReplicaCount": 1})).slow().promote().rest();
    assert!(stored(&scene).blue_green.scale_up_preview_check_point);
    let mut scene = scene.abort().rest().retry();
    scene.prompt = true;
    let scene = scene.rest();
    assert_eq!((pause(&scene).as_deref(), selected(&scene)), (Some("BlueGreenPause"), both("v1", "v2")));
}

#[test]
fn a_third_revision_takes_the_place_of_the_preview() {
    let scene = waiting(json!({})).update("v3").rest();
    assert_eq!(selected(&scene), both("v1", "v3"));
    assert_eq!(
        (pods(&scene, ["v1", "v2", "v3"]), pause(&scene).as_deref()),
        ([4, 4, 4], Some("BlueGreenPause"))
    );
    assert_eq!(pods(&scene.clone().wait(30).rest(), ["v1", "v2", "v3"]), [4, 0, 4]);
    let scene = scene.promote().rest();
    assert!(is_stable(&scene, "v3"));
}

#[test]
fn a_third_revision_after_the_switch_goes_by_stable() {
    let scene = switched().update("v3").slow().rest();
    assert_eq!(selected(&scene), both("v1", "v3"), "what was not found good does not keep the traffic");
}

#[test]
fn a_superseded_preview_does_not_outlive_an_abort() {
    let scene = waiting(json!({})).paused(true).rest().update("v3").rest();
    assert_eq!(selected(&scene), both("v1", "v2"), "a paused spec holds the preview Service");
    let scene = scene.abort().rest().wait(30).rest();
    assert_eq!((selected(&scene), pods(&scene, ["v1", "v2", "v3"])), (both("v1", "v3"), [4, 0, 0]));
}

#[test]
fn a_new_revision_forgets_the_abort() {
    let scene = waiting(json!({})).abort().rest().update("v3").rest();
    assert!(!stored(&scene).abort);
    assert_eq!(pause(&scene).as_deref(), Some("BlueGreenPause"));
}

#[test]
fn an_undo_in_mid_update_is_over_at_once() {
    let (scene, plans) = waiting(json!({})).update("v1").settle();
    assert_eq!((selected(&scene), phase(&stored(&scene))), (both("v1", "v1"), "Healthy|".to_owned()));
    assert_eq!(reasons(&plans)[..2], ["RolloutUpdated", "SwitchService"]);
    assert_eq!(pods(&scene.wait(30).rest(), ["v1", "v2"]), [4, 0]);
}

#[test]
fn a_rollback_is_fast_while_the_old_pods_are_kept() {
    let checks = json!({"templates": [{"templateName": "errors"}]});
    let slow = json!({
        "autoPromotionEnabled": false, "prePromotionAnalysis": checks, "postPromotionAnalysis": checks,
    });
    let promoted = at_rest(json!({})).template("errors").update("v2").rest().blue_green(slow).rest();
    for (name, scene, fast) in [
        ("within the delay", promoted.clone().wait(29), true),
        ("after it", promoted.clone().wait(31).rest(), false),
    ] {
        let (scene, plans) = scene.update("v1").settle();
        assert_eq!((selected(&scene).0 == "v1", is_stable(&scene, "v1")), (fast, fast), "{name}");
        let completed = told(&plans).pop().unwrap_or_default();
        assert_eq!(completed.ends_with(": Fast rollback"), fast, "{name}: {completed}");
        assert_eq!(scene.world.analysis_runs.is_empty(), fast, "{name}");
        assert!(running(&scene, "v1").scale_down_deadline().is_none(), "{name}");
    }
}

#[test]
fn a_fast_rollback_waits_for_all_its_pods() {
    let scene = at_rest(json!({"autoPromotionEnabled": true})).update("v2").rest();
    let scene = scene.blue_green(json!({"autoPromotionEnabled": false, "previewReplicaCount": 1})).rest();
    let scene = scene.set("v1", |set| (set.pods.available, set.ready) = (3, 3)).slow().update("v1").rest();
    assert_eq!((selected(&scene), pods(&scene, ["v1"])), (both("v2", "v1"), [4]), "one pod is missing");
    let mut scene = scene.wait(29);
    scene.prompt = true;
    assert_eq!(selected(&scene.rest()), both("v1", "v1"));
}

#[test]
fn a_rollback_within_the_window_needs_no_pods_that_were_kept() {
    let window = json!({"rollbackWindow": {"revisions": 1}});
    let scene = at_rest(json!({})).spec(window).update("v2").rest().wait(60).rest();
    assert_eq!(pods(&scene, ["v1", "v2"]), [0, 4]);
    let scene = scene.blue_green(json!({"autoPromotionEnabled": false})).rest();
    let (scene, plans) = scene.update("v1").settle();
    assert!(is_stable(&scene, "v1"));
    let completed = told(&plans).pop().unwrap_or_default();
    assert!(completed.ends_with(": Rollback within window"), "{completed}");
}

#[test]
fn a_rollback_can_be_aborted() {
    let scene = at_rest(json!({})).update("v2").rest().slow();
    let scene =
        scene.set("v1", |set| (set.pods.available, set.ready) = (3, 3)).update("v1").rest().abort().rest();
    assert_eq!(selected(&scene), both("v2", "v1"));
    assert!(is_stable(&scene, "v2") && stored(&scene).abort);
}

#[test]
fn a_late_update_is_told_and_aborted_when_asked_for() {
    for abort in [false, true] {
        let spec = json!({"progressDeadlineSeconds": 60, "progressDeadlineAbort": abort});
        let scene = at_rest(json!({})).spec(spec).rest().slow().update("v2").rest().wait(62).rest();
        let said = phase(&stored(&scene));
        let expected =
            if abort { "Degraded|RolloutAborted: " } else { "Degraded|ProgressDeadlineExceeded: " };
        assert!(said.starts_with(expected), "{said}");
        assert_eq!(selected(&scene).0, "v1");
    }
    let paused = waiting(json!({})).spec(json!({"progressDeadlineSeconds": 60})).rest().wait(9999).rest();
    assert_eq!(phase(&stored(&paused)), "Paused|BlueGreenPause", "a pause is not late");
}

#[test]
fn a_service_that_strays_is_brought_back() {
    for (name, strayed, expected) in [
        ("at rest", at_rest(json!({})).selects(ACTIVE_SERVICE, "stranger"), "v1"),
        ("in mid-update", waiting(json!({})).selects(ACTIVE_SERVICE, "stranger"), "v1"),
    ] {
        assert_eq!(selected(&strayed.rest()).0, expected, "{name}");
    }
}
