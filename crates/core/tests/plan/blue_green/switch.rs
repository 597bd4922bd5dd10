//! A live Rollout changes its strategy, or comes from another controller in the middle of an update.

use serde_json::json;
use serin_core::seen::Seen;
use serin_testkit::scene::{ACTIVE_SERVICE, CANARY_SERVICE, PREVIEW_SERVICE, STABLE_SERVICE, Scene, base};

use super::{at_rest, behind, both, is_stable, pause, selected, waiting};
use crate::{phase, pods, running, stored, waits_for};

/// The strategy becomes blue-green, and its active Service is the stable one of the canary.
fn to_blue_green(scene: Scene) -> Scene {
    let strategy = json!({"activeService": STABLE_SERVICE, "previewService": CANARY_SERVICE, "autoPromotionEnabled": false});
    scene.spec(json!({"strategy": {"canary": null, "blueGreen": strategy}}))
}

/// The strategy becomes a canary with the same Services.
fn to_canary(scene: Scene) -> Scene {
    let strategy = json!({
        "stableService": ACTIVE_SERVICE, "canaryService": PREVIEW_SERVICE,
        "steps": [{"setWeight": 25}, {"pause": {}}],
    });
    scene.spec(json!({"strategy": {"blueGreen": null, "canary": strategy}}))
}

#[test]
fn a_rollout_at_rest_changes_its_strategy_and_nothing_else() {
    let (scene, plans) =
        to_blue_green(base().services().steps(json!([{"setWeight": 25}, {"pause": {}}]))).settle();
    assert!(plans.iter().all(|plan| plan.services.is_empty() && plan.writes.is_empty()), "{plans:#?}");
    let status = stored(&scene);
    assert_eq!((phase(&status).as_str(), status.blue_green.active_selector.as_str()), ("Healthy|", "v1"));
    assert_eq!((status.current_step_hash, status.current_step_index), (None, None));
    let (scene, plans) = to_canary(at_rest(json!({}))).settle();
    assert!(plans.iter().all(|plan| plan.services.is_empty() && plan.writes.is_empty()), "{plans:#?}");
    let status = stored(&scene);
    assert_eq!((phase(&status).as_str(), status.current_step_index), ("Healthy|", Some(2)));
    assert_eq!(status.blue_green, serin_api::BlueGreenStatus::default());
}

#[test]
fn a_canary_on_its_way_becomes_a_preview_that_waits_for_a_person() {
    let canary = base().services().steps(json!([{"setWeight": 25}, {"pause": {}}])).update("v2").rest();
    assert_eq!(pause(&canary).as_deref(), Some("CanaryPauseStep"));
    let scene = to_blue_green(canary).rest();
    assert_eq!(behind(&scene, STABLE_SERVICE), "v1");
    assert_eq!(behind(&scene, CANARY_SERVICE), "v2");
    assert_eq!((pods(&scene, ["v1", "v2"]), pause(&scene).as_deref()), ([4, 4], Some("BlueGreenPause")));
    assert!(is_stable(&scene, "v1"));
}

#[test]
fn a_preview_becomes_a_canary_at_its_first_step() {
    let scene = to_canary(waiting(json!({}))).rest();
    assert_eq!(selected(&scene), both("v1", "v2"));
    assert_eq!(pods(&scene, ["v1", "v2"]), [3, 1]);
    let status = stored(&scene);
    assert_eq!((status.current_step_index, pause(&scene).as_deref()), (Some(1), Some("CanaryPauseStep")));
}

#[test]
fn an_active_service_that_selects_all_pods_goes_to_stable_first() {
    let scene = waiting(json!({})).edit(|world| {
        if let Some(Seen::Fresh(service)) = world.services.get_mut(ACTIVE_SERVICE) {
            (service.hash, service.managed_by) = (None, None);
        }
    });
    assert_eq!(selected(&scene.rest()), both("v1", "v2"), "pods that wait for a person get no traffic");
}

/// What Argo Rollouts leaves in the middle of an update: its status, no field of Serin's.
#[test]
fn an_update_in_the_middle_is_taken_over_where_it_is() {
    let scene = waiting(json!({}));
    let hash = running(&scene, "v2").hash.clone();
    let since = "2026-01-01T00:00:00Z";
    let taken = |status: serde_json::Value| {
        let status = serde_json::from_value(status).unwrap_or_else(|error| panic!("{error}"));
        scene.clone().status(|stored| *stored = status)
    };
    let paused = taken(json!({
        "currentPodHash": hash, "stableRS": "v1", "observedGeneration": "5", "controllerPause": true,
        "pauseConditions": [{"reason": "BlueGreenPause", "startTime": since}],
        "blueGreen": {"activeSelector": "v1", "previewSelector": hash}, "canary": {},
    }));
    let (paused, plans) = paused.settle();
    assert!(plans.iter().all(|plan| plan.services.is_empty() && plan.writes.is_empty()), "{plans:#?}");
    assert_eq!((pause(&paused).as_deref(), selected(&paused)), (Some("BlueGreenPause"), both("v1", "v2")));
    assert_eq!(selected(&paused.promote().rest()), both("v2", "v2"));
    let aborted = taken(json!({
        "currentPodHash": hash, "stableRS": "v1", "observedGeneration": "5", "abort": true, "abortedAt": since,
        "blueGreen": {"activeSelector": "v1", "previewSelector": hash}, "canary": {},
    }));
    let aborted = aborted.rest();
    assert!(stored(&aborted).abort && selected(&aborted) == both("v1", "v2"));
}

#[test]
fn a_missing_service_is_named_and_holds_the_switch() {
    for (service, field) in [(ACTIVE_SERVICE, "activeService"), (PREVIEW_SERVICE, "previewService")] {
        let scene = waiting(json!({})).edit(|world| drop(world.services.remove(service))).promote().rest();
        let said = phase(&stored(&scene));
        let expected = format!(
            "Degraded|InvalidSpec: The Rollout \"shop\" is invalid: spec.strategy.blueGreen.{field}: Invalid value: \
             \"{service}\": service \"{service}\" not found"
        );
        assert!(said.starts_with(&expected), "{said}");
        assert!(waits_for(&scene.plan(), "not found"));
        assert!(is_stable(&scene, "v1"), "{service}");
        assert_eq!(pods(&scene, ["v1", "v2"]), [4, 4], "{service}");
    }
}

#[test]
fn pods_carry_the_metadata_of_their_role_and_keep_off_the_nodes_of_stable_ones() {
    let role = |role: &str| json!({"labels": {"role": role}});
    let fields = json!({
        "activeMetadata": role("active"), "previewMetadata": role("preview"),
        "antiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}, "autoPromotionEnabled": false,
    });
    let (scene, plans) = at_rest(json!({})).blue_green(fields).rest().update("v2").settle();
    let created = crate::created(&plans[0], "ReplicaSet");
    assert_eq!(created[0]["spec"]["template"]["metadata"]["labels"]["role"], "preview");
    let rule = "/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/0";
    assert!(running(&scene, "v2").template.pointer(rule).is_some(), "{}", running(&scene, "v2").template);
    let labels =
        |scene: &Scene, version: &str| running(scene, version).template["metadata"]["labels"]["role"].clone();
    assert_eq!((labels(&scene, "v1"), labels(&scene, "v2")), (json!("active"), json!("preview")));
    let scene = scene.promote().rest();
    assert_eq!((labels(&scene, "v1"), labels(&scene, "v2")), (json!(null), json!("active")));
    assert!(running(&scene, "v2").template.pointer(rule).is_none());
}
