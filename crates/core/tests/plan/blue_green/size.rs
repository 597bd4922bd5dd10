//! Sizes: a small preview, and how long old pods stay.

use serde_json::{Value, json};
use serin_api::label;
use serin_testkit::scene::{ACTIVE_SERVICE, Scene};

use super::{at_rest, both, selected, waiting};
use crate::{pods, running, stored};

fn deadline(scene: &Scene, version: &str) -> Option<i64> {
    let deadline = running(scene, version).scale_down_deadline()?;
    Some(deadline.as_second() - scene.world.now.as_second())
}

#[test]
fn a_small_preview_grows_when_it_is_checked_and_before_it_gets_traffic() {
    let scene = waiting(json!({"previewReplicaCount": 1}));
    assert_eq!((pods(&scene, ["v1", "v2"]), selected(&scene)), ([4, 1], both("v1", "v2")));
    let scene = scene.slow().promote().rest();
    assert_eq!((pods(&scene, ["v1", "v2"]), selected(&scene)), ([4, 4], both("v1", "v2")));
    assert!(stored(&scene).blue_green.scale_up_preview_check_point);
    assert!(!stored(&scene).controller_pause, "the check point is the memory from here on");
    let mut scene = scene;
    scene.prompt = true;
    let scene = scene.rest();
    assert_eq!(selected(&scene), both("v2", "v2"));
    assert!(!stored(&scene).blue_green.scale_up_preview_check_point);
    assert_eq!(pods(&scene.rest(), ["v2"]), [4]);
}

#[test]
fn a_small_preview_is_full_at_once_when_nothing_is_to_be_checked() {
    for (name, scene) in [
        ("the first revision", at_rest(json!({"previewReplicaCount": 1}))),
        ("promote --full", waiting(json!({"previewReplicaCount": 1})).promote_full().rest()),
    ] {
        let (active, _) = selected(&scene);
        assert_eq!(pods(&scene, [active.as_str()]), [4], "{name}");
    }
    let paused = waiting(json!({"previewReplicaCount": 1})).paused(true).promote().rest();
    assert_eq!(pods(&paused, ["v2"]), [1], "spec.paused holds the pods of a preview that is not checked");
}

#[test]
fn old_pods_stay_for_their_delay_and_no_shorter_than_endpoints_take() {
    for (name, fields, seconds) in [
        ("by default", json!({}), 30),
        ("as asked", json!({"scaleDownDelaySeconds": 60}), 60),
        ("0 is as soon as it is safe", json!({"scaleDownDelaySeconds": 0}), 3),
        ("1 is too short to be safe", json!({"scaleDownDelaySeconds": 1}), 3),
    ] {
        let scene = at_rest(fields).update("v2").rest();
        assert_eq!(deadline(&scene, "v1"), Some(seconds), "{name}");
        let early = scene.wait(seconds - 1).rest();
        assert_eq!(pods(&early, ["v1", "v2"]), [4, 4], "{name}");
        assert_eq!(early.plan().wake, running(&early, "v1").scale_down_deadline(), "{name}");
        let late = early.wait(1).rest();
        assert_eq!(pods(&late, ["v1", "v2"]), [0, 4], "{name}");
        assert!(!running(&late, "v1").annotations.contains_key(label::SCALE_DOWN_DEADLINE), "{name}");
    }
}

#[test]
fn only_so_many_old_revisions_are_kept() {
    for (limit, early, late) in [
        (Value::Null, [4, 4, 4], [4, 4, 4]),
        (json!(2), [4, 4, 4], [4, 4, 4]),
        (json!(1), [0, 4, 4], [0, 4, 4]),
        (json!(0), [0, 4, 4], [0, 0, 4]),
    ] {
        let scene = at_rest(json!({"scaleDownDelayRevisionLimit": limit})).update("v2").rest();
        let scene = scene.wait(10).rest().update("v3").rest();
        assert_eq!(
            pods(&scene, ["v1", "v2", "v3"]),
            early,
            "{limit}: the one before stays until endpoints follow"
        );
        assert_eq!(pods(&scene.wait(3).rest(), ["v1", "v2", "v3"]), late, "{limit}");
    }
}

#[test]
fn what_a_rollback_needs_follows_the_replicas_and_a_superseded_preview_does_not() {
    let kept = at_rest(json!({})).update("v2").rest().replicas(6).rest();
    assert_eq!(pods(&kept, ["v1", "v2"]), [6, 6]);
    let superseded = waiting(json!({"previewReplicaCount": 1})).update("v3").rest().replicas(6).rest();
    assert_eq!(pods(&superseded, ["v1", "v2", "v3"]), [6, 1, 1]);
    assert_eq!(deadline(&superseded, "v2"), Some(30));
}

#[test]
fn pods_that_a_service_may_still_reach_are_not_taken() {
    let promoted = |selected: Option<&str>| {
        let scene = at_rest(json!({"scaleDownDelaySeconds": 3})).update("v2").rest();
        let old = running(&scene, "v1").hash.clone();
        let scene = match selected {
            Some(_) => scene.selects(ACTIVE_SERVICE, &old),
            None => crate::unreadable(scene, ACTIVE_SERVICE),
        };
        scene.wait(100)
    };
    assert_eq!(pods(&promoted(Some("v1")).act().0, ["v1"]), [4], "it selects them again");
    assert_eq!(pods(&promoted(None).act().0, ["v1"]), [4], "it cannot be read");
}

#[test]
fn an_inconclusive_analysis_keeps_old_pods() {
    let scene = at_rest(json!({})).update("v2").rest().status(|status| {
        let pause = json!([{"reason": "InconclusiveAnalysisRun", "startTime": "2026-01-01T00:00:00Z"}]);
        status.pause_conditions = serde_json::from_value(pause).unwrap_or_default();
        status.controller_pause = true;
    });
    assert_eq!(pods(&scene.wait(60).act().0, ["v1"]), [4]);
}
