//! The way forward: pods, checks, pause, switch, promotion, and what is told of it.

use serde_json::{Value, json};
use serin_core::seen::Seen;
use serin_testkit::scene::{ACTIVE_SERVICE, PREVIEW_SERVICE, Scene, fresh};

use super::{at_rest, both, is_stable, pause, selected, told, waiting};
use crate::{condition, phase, pods, reasons, running, stored, waits_for};

/// A Rollout that no controller has seen, whose Services select all pods.
fn first() -> Scene {
    fresh().blue_green(json!({"previewService": PREVIEW_SERVICE})).edit(|world| {
        for service in world.services.values_mut() {
            if let Seen::Fresh(service) = service {
                (service.hash, service.managed_by) = (None, None);
                service.selector.remove("rollouts-pod-template-hash");
            }
        }
    })
}

#[test]
fn the_first_revision_is_promoted_at_once_and_gets_the_service_when_all_its_pods_are_there() {
    let (scene, plans) = first().slow().settle();
    let hash = running(&scene, "v1").hash.clone();
    assert_eq!(
        told(&plans),
        [
            "RolloutUpdated: Rollout updated to revision 1".to_owned(),
            format!("NewReplicaSetCreated: Created ReplicaSet shop-{hash} (revision 1)"),
            format!("SwitchService: Switched selector for service 'shop-preview' from '' to '{hash}'"),
            format!("ScalingReplicaSet: Scaled up ReplicaSet shop-{hash} (revision 1) from 0 to 4"),
            format!("RolloutCompleted: Rollout completed update to revision 1 ({hash}): Initial deploy"),
        ]
    );
    assert_eq!(selected(&scene), both("", "v1"), "no pod is available");
    assert_eq!(phase(&stored(&scene)), "Progressing|updated replicas are still becoming available");
    let with = |available: i32| {
        scene.clone().edit(|world| {
            let set = &mut world.replica_sets[0];
            (set.pods.available, set.ready) = (available, available);
        })
    };
    assert_eq!(selected(&with(3).rest()), both("", "v1"), "one pod is missing");
    let (scene, plans) = with(4).settle();
    assert_eq!(
        told(&plans),
        [format!("SwitchService: Switched selector for service 'shop-active' from '' to '{hash}'")]
    );
    assert_eq!(phase(&stored(&scene)), "Healthy|");
    assert!(is_stable(&scene, "v1"));
}

#[test]
fn an_update_without_a_preview_tells_what_clients_wait_for() {
    let (scene, plans) = at_rest(json!({"previewService": null})).update("v2").settle();
    let hash = running(&scene, "v2").hash.clone();
    assert_eq!(
        told(&plans),
        [
            "RolloutUpdated: Rollout updated to revision 2".to_owned(),
            format!("NewReplicaSetCreated: Created ReplicaSet shop-{hash} (revision 2)"),
            format!("RolloutNotCompleted: Rollout not completed, started update to revision 2 ({hash})"),
            format!("ScalingReplicaSet: Scaled up ReplicaSet shop-{hash} (revision 2) from 0 to 4"),
            format!("SwitchService: Switched selector for service 'shop-active' from 'v1' to '{hash}'"),
            format!(
                "RolloutCompleted: Rollout completed update to revision 2 ({hash}): Completed blue-green update"
            ),
        ]
    );
    assert_eq!(pods(&scene, ["v1", "v2"]), [4, 4], "the old pods stay for their delay");
    assert_eq!(selected(&scene), both("v2", "v1"), "a Service that is not named is left alone");
}

#[test]
fn the_preview_switches_before_it_has_pods_and_the_active_service_when_it_has_all() {
    let (scene, plan) = at_rest(json!({})).slow().update("v2").act();
    assert_eq!(reasons([&plan])[1..3], ["NewReplicaSetCreated", "SwitchService"]);
    assert_eq!(selected(&scene), both("v1", "v2"));
    for available in 0..4 {
        let scene = scene.clone().rest().pods("v2", 4, 0).edit(|world| {
            let set = world.replica_sets.last_mut().unwrap_or_else(|| panic!("no ReplicaSet"));
            set.pods.spec = 4;
            (set.pods.current, set.pods.available, set.ready) = (4, available, available);
        });
        assert_eq!(selected(&scene.rest()), both("v1", "v2"), "{available} of 4 pods");
    }
}

#[test]
fn every_setting_stops_where_it_says() {
    for (name, fields, expected, paused, active) in [
        ("nothing set", json!({}), "Healthy|", None, "v2"),
        ("by itself after no time", json!({"autoPromotionSeconds": 0}), "Healthy|", None, "v2"),
        (
            "by itself after a time",
            json!({"autoPromotionSeconds": 30}),
            "Paused|BlueGreenPause",
            Some("BlueGreenPause"),
            "v1",
        ),
        (
            "by a person",
            json!({"autoPromotionEnabled": false}),
            "Paused|BlueGreenPause",
            Some("BlueGreenPause"),
            "v1",
        ),
        (
            "by a person, whatever the seconds say",
            json!({"autoPromotionEnabled": false, "autoPromotionSeconds": 30}),
            "Paused|BlueGreenPause",
            Some("BlueGreenPause"),
            "v1",
        ),
    ] {
        let scene = at_rest(fields).update("v2").rest();
        assert_eq!(phase(&stored(&scene)), expected, "{name}");
        assert_eq!((pause(&scene).as_deref(), selected(&scene)), (paused, both(active, "v2")), "{name}");
        assert_eq!(pods(&scene, ["v1", "v2"]), [4, 4], "{name}");
    }
}

#[test]
fn a_pause_ends_by_its_time() {
    let scene = at_rest(json!({"autoPromotionSeconds": 30})).update("v2").rest();
    let early = scene.clone().wait(29).rest();
    assert_eq!((pause(&early).as_deref(), selected(&early)), (Some("BlueGreenPause"), both("v1", "v2")));
    let wake = early.plan().wake.map(|wake| wake.as_second());
    assert_eq!(wake, Some(early.world.now.as_second() + 1), "it looks again when the pause ends");
    let (late, plans) = early.wait(1).settle();
    assert_eq!(reasons(&plans), ["SwitchService", "RolloutCompleted", "RolloutResumed"]);
    assert!(is_stable(&late, "v2"));
    assert!(!stored(&late).controller_pause);
}

#[test]
fn a_person_ends_any_pause() {
    for fields in [json!({"autoPromotionEnabled": false}), json!({"autoPromotionSeconds": 300})] {
        let (scene, plans) = at_rest(fields.clone()).update("v2").rest().promote().settle();
        assert_eq!(reasons(&plans), ["SwitchService", "RolloutCompleted"], "{fields}");
        assert_eq!(selected(&scene), both("v2", "v2"), "{fields}");
    }
}

#[test]
fn a_promotion_is_remembered_until_the_switch_is_seen() {
    let ill = waiting(json!({})).edit(|world| {
        let set = world.replica_sets.last_mut().unwrap_or_else(|| panic!("no ReplicaSet"));
        (set.pods.available, set.ready) = (3, 3);
    });
    let scene = ill.slow().promote().rest();
    assert_eq!((pause(&scene), selected(&scene)), (None, both("v1", "v2")), "a pod is missing");
    let mut scene = scene;
    scene.prompt = true;
    assert_eq!(selected(&scene.rest()), both("v2", "v2"), "no second promotion is needed");
}

#[test]
fn a_setting_that_is_changed_under_the_pause_ends_it() {
    let scene = waiting(json!({})).blue_green(json!({"autoPromotionEnabled": true})).rest();
    assert_eq!(phase(&stored(&scene)), "Healthy|");
    assert!(is_stable(&scene, "v2"));
}

#[test]
fn a_paused_spec_gives_pods_and_switches_nothing() {
    let scene = at_rest(json!({})).paused(true).rest().update("v2").rest();
    assert_eq!(selected(&scene), both("v1", "v1"));
    assert_eq!(pods(&scene, ["v1", "v2"]), [4, 4]);
    assert_eq!(phase(&stored(&scene)), "Paused|manually paused");
    assert!(waits_for(&scene.plan(), "spec.paused"), "{:?}", scene.plan().status.gates);
    assert!(waits_for(&scene.clone().promote_full().plan(), "spec.paused"), "also in a full promotion");
    assert_eq!(selected(&scene.paused(false).rest()), both("v2", "v2"));
}

#[test]
fn a_full_promotion_skips_pause_and_analyses() {
    let checks = json!({"templates": [{"templateName": "errors"}]});
    let fields = json!({
        "autoPromotionEnabled": false, "prePromotionAnalysis": checks, "postPromotionAnalysis": checks,
    });
    let scene = at_rest(json!({})).template("errors").blue_green(fields).rest().slow().update("v2").rest();
    let scene = scene.promote_full().rest();
    assert_eq!(selected(&scene), both("v1", "v2"), "not before the pods are there");
    let mut scene = scene;
    scene.prompt = true;
    let (scene, plans) = scene.settle();
    assert!(is_stable(&scene, "v2") && !stored(&scene).promote_full);
    let completed = told(&plans).pop().unwrap_or_default();
    assert!(completed.ends_with("Full promotion requested"), "{completed}");
    assert!(scene.world.analysis_runs.is_empty());
}

#[test]
fn counts_are_those_behind_the_active_service() {
    let scene = waiting(json!({}));
    let status = stored(&scene);
    let counts = [status.replicas, status.updated_replicas, status.ready_replicas, status.available_replicas];
    assert_eq!(counts, [8, 4, 4, 4]);
    assert_eq!(
        (status.hpa_replicas, status.selector.as_str()),
        (4, "app=shop,rollouts-pod-template-hash=v1")
    );
    let v2 = running(&scene, "v2").hash.clone();
    let status = stored(&scene.clone().promote().rest());
    assert_eq!(status.selector, format!("app=shop,rollouts-pod-template-hash={v2}"));
    let ill = scene.edit(|world| world.replica_sets[0].pods.available = 3).fold();
    let said = condition(&stored(&ill), "Available");
    assert_eq!(said.as_deref(), Some("False|AvailableReason|Rollout does not have minimum availability"));
    let nothing = stored(&first().slow().rest());
    assert_eq!((nothing.hpa_replicas, nothing.selector.as_str()), (4, "app=shop"), "no active revision yet");
}

#[test]
fn phases_around_the_switch() {
    let checks = |field: &str| json!({field: {"templates": [{"templateName": "errors"}]}});
    let under =
        |fields: Value| at_rest(json!({})).template("errors").blue_green(fields).rest().update("v2").rest();
    for (name, scene, expected) in [
        ("before", under(checks("prePromotionAnalysis")), "Progressing|active service cutover pending"),
        ("after", under(checks("postPromotionAnalysis")), "Progressing|waiting for analysis to complete"),
        (
            "some pods of another revision",
            at_rest(json!({})).update("v2").fold(),
            "Progressing|more replicas need to be updated",
        ),
        (
            "the active Service is lost",
            at_rest(json!({})).selects(ACTIVE_SERVICE, "stranger"),
            "Progressing|active service cutover pending",
        ),
        (
            "aborted",
            waiting(json!({})).abort(),
            "Degraded|RolloutAborted: Rollout aborted update to revision 2",
        ),
    ] {
        assert_eq!(phase(&scene.plan().status), expected, "{name}");
    }
}
