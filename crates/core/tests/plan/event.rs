//! What is told of a rollout, and in which order: clients and tests of the API know one.

use serde_json::{Value, json};
use serin_api::AnalysisPhase;
use serin_core::Plan;
use serin_core::journal::{Event, Severity, around_traffic};
use serin_core::seen::Seen;
use serin_core::world::{Service, WriteRefusal};
use serin_testkit::scene::{Scene, base, fresh};

use crate::{reasons, scaled, stored, told, verdict};

fn quarter() -> Value {
    json!([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}])
}

fn paused() -> Scene {
    base().steps(quarter()).update("v2").rest()
}

/// What was told on the way, each time as clients of Argo Rollouts know it.
fn way(scene: Scene) -> (Scene, Vec<String>) {
    let (scene, plans) = scene.settle();
    let mut told = reasons(&plans);
    told.dedup();
    (scene, told)
}

#[test]
fn events_come_in_the_order_that_clients_know() {
    let (scene, told) = way(fresh().canary(json!({"steps": quarter()})));
    let initial = [
        "RolloutUpdated",
        "NewReplicaSetCreated",
        "RolloutNotCompleted",
        "ScalingReplicaSet",
        "RolloutCompleted",
    ];
    assert_eq!(told, initial, "initial deploy");
    let (scene, told) = way(scene.update("v2"));
    let update = [
        "RolloutUpdated",
        "NewReplicaSetCreated",
        "RolloutNotCompleted",
        "ScalingReplicaSet",
        "RolloutStepCompleted",
        "RolloutPaused",
    ];
    assert_eq!(told, update, "update");
    let (aborted, told) = way(scene.clone().abort());
    assert_eq!(told, ["ScalingReplicaSet", "RolloutAborted", "ScalingReplicaSet"], "abort");
    let (_, told) = way(aborted.retry());
    assert_eq!(told, ["ScalingReplicaSet", "RolloutStepCompleted", "RolloutPaused"], "retry");
    let (_, told) = way(scene.promote());
    let resume = [
        "RolloutStepCompleted",
        "ScalingReplicaSet",
        "RolloutStepCompleted",
        "ScalingReplicaSet",
        "RolloutCompleted",
    ];
    assert_eq!(told, resume, "resume");
}

#[test]
fn the_end_of_a_pause_is_told_unless_a_person_ended_it() {
    let timed = base().steps(json!([{"setWeight": 25}, {"pause": {"duration": 30}}, {"setWeight": 50}]));
    let timed = timed.update("v2").rest();
    let resumed = Some("Rollout is resumed".to_owned());
    for (name, scene, expected) in [
        ("its time has passed", timed.clone().wait(31), &resumed),
        ("a new revision ends it", timed.clone().update("v3"), &resumed),
        ("all steps are skipped", timed.clone().promote_full(), &resumed),
        ("a person ends it", timed.clone().promote(), &None),
        ("an abort is told as one", timed.clone().abort(), &None),
        ("a paused spec is not one of its pauses", base().paused(true).rest().paused(false), &None),
    ] {
        assert_eq!(&told(&scene.plan(), "RolloutResumed"), expected, "{name}");
    }
}

#[test]
fn scaling_is_told_one_after_the_other_stable_first() {
    let scene = base().steps(json!([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]));
    let scaled = |plans: Vec<Plan>| -> Vec<_> {
        let events = plans.into_iter().flat_map(|plan| plan.events);
        events.filter(|event| event.reason == "ScalingReplicaSet").map(|event| event.message).collect()
    };
    let (scene, plans) = scene.update("v2").settle();
    let v2 = stored(&scene).current_pod_hash;
    let stable =
        |from: i32, to: i32| format!("Scaled down ReplicaSet shop-v1 (revision 1) from {from} to {to}");
    let canary =
        |from: i32, to: i32| format!("Scaled up ReplicaSet shop-{v2} (revision 2) from {from} to {to}");
    assert_eq!(scaled(plans), [stable(4, 3), canary(0, 1)]);
    let (scene, plans) = scene.promote().settle();
    assert_eq!(scaled(plans), [stable(3, 2), canary(1, 2)]);
    let (_, plans) = scene.promote_full().settle();
    assert_eq!(scaled(plans), [stable(2, 1), canary(2, 4), stable(1, 0)], "into the room that stable left");
}

#[test]
fn a_size_that_is_refused_does_not_hold_up_the_others() {
    let steps = json!([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}]);
    let scene = base().steps(steps).update("v2").rest().promote();
    assert_eq!(scaled(&scene.plan()).len(), 1, "one at a time");
    let refused = scene.edit(|world| {
        let object = "ReplicaSet default/shop-v1".to_owned();
        let message = "denied the request: no changes today".to_owned();
        world.refusals.push(WriteRefusal {
            kind: "ReplicaSet".to_owned(),
            object,
            message,
            name_taken: false,
        });
    });
    assert_eq!(scaled(&refused.plan()).len(), 2, "the canary, too");
}

#[test]
fn events_say_what_happened() {
    let collect = |scene: Scene| scene.settle().1;
    let first = |plans: &[Plan], reason: &str| plans.iter().find_map(|plan| told(plan, reason));
    let update = collect(base().canary(json!({"maxUnavailable": 0})).steps(quarter()).update("v2"));
    let hash = stored(&paused()).current_pod_hash;
    for (reason, message) in [
        ("RolloutUpdated", "Rollout updated to revision 2".to_owned()),
        ("NewReplicaSetCreated", format!("Created ReplicaSet shop-{hash} (revision 2)")),
        ("RolloutNotCompleted", format!("Rollout not completed, started update to revision 2 ({hash})")),
        ("ScalingReplicaSet", format!("Scaled up ReplicaSet shop-{hash} (revision 2) from 0 to 1")),
        ("RolloutStepCompleted", "Rollout step 1/3 completed (setWeight: 25)".to_owned()),
        ("RolloutPaused", "Rollout is paused (CanaryPauseStep)".to_owned()),
    ] {
        assert_eq!(first(&update, reason), Some(message), "{reason}");
    }
    let resume = collect(paused().promote());
    assert_eq!(first(&resume, "RolloutStepCompleted").as_deref(), Some("Rollout step 2/3 completed (pause)"));
    let completed = format!("Rollout completed update to revision 2 ({hash}): Completed all 3 canary steps");
    assert_eq!(first(&resume, "RolloutCompleted"), Some(completed));
    let full = collect(paused().promote_full());
    let completed = format!("Rollout completed update to revision 2 ({hash}): Full promotion requested");
    assert_eq!(first(&full, "RolloutCompleted"), Some(completed));
}

/// Four pods of a canary at the analysis of its first step.
fn measured() -> Scene {
    let steps = json!([{"setWeight": 25}, {"analysis": {"templates": [{"templateName": "errors"}]}}]);
    let scene = base().template("errors").steps(steps).update("v2").rest();
    verdict(scene, AnalysisPhase::Running, "").rest()
}

#[test]
fn what_aborts_is_told_before_what_the_abort_does_and_a_person_knows() {
    for (name, scene, expected) in [
        (
            "a failed analysis",
            verdict(measured(), AnalysisPhase::Failed, ""),
            vec!["AnalysisRunFailed", "RolloutAborted", "ScalingReplicaSet"],
        ),
        ("a person", measured().abort(), vec!["ScalingReplicaSet", "RolloutAborted"]),
    ] {
        assert_eq!(reasons([&scene.plan()]), expected, "{name}");
    }
}

#[test]
fn the_end_of_a_run_is_told_only_while_it_counts() {
    for (name, scene) in [("aborted", measured().abort()), ("promoted", measured().promote_full())] {
        let scene = verdict(scene.act().0, AnalysisPhase::Successful, "Run Terminated");
        let (_, plans) = scene.settle();
        let runs: Vec<_> = reasons(&plans).into_iter().filter(|it| it.starts_with("AnalysisRun")).collect();
        assert!(runs.is_empty(), "{name}: {runs:?}");
    }
}

#[test]
fn the_first_weight_is_told_after_the_services_and_later_ones_before_the_step_they_complete() {
    let spec = base().steps(quarter()).routed().world;
    let routed = fresh().edit(|world| {
        world.rollout.spec.strategy = spec.rollout.spec.strategy;
        world.routers = spec.routers;
        world.services = spec.services;
        for service in world.services.values_mut() {
            *service = Seen::Fresh(Service { hash: None, managed_by: None, selector: Default::default() });
        }
    });
    let (scene, told) = way(routed);
    let end = ["SwitchService", "RolloutCompleted", "TrafficWeightUpdated"];
    assert!(told.ends_with(&end.map(str::to_owned)), "initial deploy: {told:?}");
    let (_, told) = way(scene.update("v2"));
    let end = ["SwitchService", "TrafficWeightUpdated", "RolloutStepCompleted", "RolloutPaused"];
    assert!(told.ends_with(&end.map(str::to_owned)), "update: {told:?}");
}

#[test]
fn what_routers_did_is_told_before_an_update_is_told_to_rest() {
    let event = |reason: &str, message: &str| Event {
        severity: Severity::Normal,
        reason: reason.to_owned(),
        message: message.to_owned(),
        write: None,
        service: None,
        thread: None,
    };
    for (name, events, before) in [
        ("a step", vec![event("RolloutStepCompleted", ""), event("ScalingReplicaSet", "")], 2),
        ("a pause", vec![event("RolloutStepCompleted", ""), event("RolloutPaused", "")], 1),
        ("the end", vec![event("ScalingReplicaSet", ""), event("RolloutCompleted", "")], 1),
        ("an abort by a person", vec![event("RolloutAborted", "Rollout aborted update to revision 2")], 0),
        (
            "by an analysis",
            vec![event("RolloutAborted", "Rollout aborted update to revision 2: it failed")],
            1,
        ),
    ] {
        assert_eq!(around_traffic(&events), events.split_at(before), "{name}");
    }
}
