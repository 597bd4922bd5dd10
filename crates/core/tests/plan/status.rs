//! The words that health checks, clients and people read: phase, conditions, events, gates.

use serde_json::{Value, json};
use serin_api::{AnalysisPhase, PauseCondition};
use serin_core::replica::Pods;
use serin_testkit::scene::{CANARY_SERVICE, STABLE_SERVICE, Scene, base, fresh};

use crate::{condition, phase, pods, stored, verdict, waits};

fn quarter() -> Value {
    json!([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}])
}

fn paused() -> Scene {
    base().steps(quarter()).update("v2").rest()
}

fn full(v2: Pods, v1: Pods) -> Scene {
    let scene = base().steps(json!([{"setWeight": 100}, {"pause": {}}])).rolling("v2", 0).at(0);
    scene.set("v2", |set| set.pods = v2).set("v1", |set| set.pods = v1)
}

#[test]
fn the_first_rule_that_matches_says_the_phase() {
    let all = |count: i32, available: i32| Pods { spec: count, current: count, available };
    let inconclusive = |scene: Scene| {
        scene.status(|status| {
            let pause = |reason: &str| PauseCondition {
                reason: reason.to_owned(),
                start_time: status.pause_conditions.as_ref().unwrap()[0].start_time.clone(),
            };
            status.pause_conditions = Some(vec![pause("InconclusiveAnalysisRun"), pause("CanaryPauseStep")]);
        })
    };
    for (name, scene, expected) in [
        ("at rest", base(), "Healthy|"),
        ("at a pause step", paused(), "Paused|CanaryPauseStep"),
        ("the first pause condition counts", inconclusive(paused()), "Paused|InconclusiveAnalysisRun"),
        ("a paused spec comes before a pause condition", paused().paused(true), "Paused|manually paused"),
        (
            "an abort comes before a paused spec",
            paused().abort().paused(true),
            "Degraded|RolloutAborted: Rollout aborted update to revision 2",
        ),
        (
            "some pods are of another revision",
            paused().promote(),
            "Progressing|more replicas need to be updated",
        ),
        ("no pod exists yet", full(all(4, 0), all(4, 4)).set("v2", |set| set.pods.current = 3), "Progressing|more replicas need to be updated"),
        (
            "pods are there and not available",
            full(all(4, 3), all(0, 0)),
            "Progressing|updated replicas are still becoming available",
        ),
        ("old pods are still there", full(all(4, 4), all(1, 1)), "Progressing|old replicas are pending termination"),
        (
            "a paused spec holds a stable revision, too",
            base().paused(true),
            "Paused|manually paused",
        ),
        (
            "a step beyond the pods",
            full(all(4, 4), all(0, 0)).status(|status| status.current_step_index = Some(1)).fold().promote().paused(false)
                .canary(json!({"steps": [{"setWeight": 100}, {"analysis": {"templates": [{"templateName": "errors"}]}}]}))
                .template("errors").at(1),
            "Progressing|waiting for all steps to complete",
        ),
        (
            "pods of stable are missing",
            base().pods("v1", 4, 3),
            "Progressing|updated replicas are still becoming available",
        ),
        (
            "no replicas at all",
            base().replicas(0).rest(),
            "Healthy|",
        ),
    ] {
        assert_eq!(phase(&scene.plan().status), expected, "{name}");
    }
}

#[test]
fn a_promoted_rollout_is_healthy_when_traffic_has_reached_it() {
    for (name, scene, expected) in [
        ("all is where it belongs", base().routed(), "Healthy|"),
        (
            "the stable Service selects another revision",
            base().routed().pods("v0", 4, 4).selects(STABLE_SERVICE, "v0"),
            "Progressing|waiting for traffic to reach the stable Service",
        ),
        (
            "weight is left on the canary",
            base().routed().weight(5),
            "Progressing|waiting for traffic to reach the stable Service",
        ),
    ] {
        assert_eq!(phase(&scene.plan().status), expected, "{name}");
    }
}

#[test]
fn conditions_say_what_clients_expect() {
    let progressing = |scene: &Scene| {
        let hash = stored(scene).current_pod_hash;
        format!("True|ReplicaSetUpdated|ReplicaSet \"shop-{hash}\" is progressing.")
    };
    let moving = base().slow().steps(quarter()).update("v2").act().0.act().0;
    let resumed = paused().promote().fold();
    let aborted = paused().abort().fold();
    let ill = base().pods("v1", 4, 3).fold();
    let said = |text: &str| Some(text.to_owned());
    let new_available =
        said("True|NewReplicaSetAvailable|ReplicaSet \"shop-v1\" has successfully progressed.");
    for (name, scene, type_, expected) in [
        ("at rest", base(), "Available", said("True|AvailableReason|Rollout has minimum availability")),
        ("at rest", base(), "Healthy", said("True|RolloutHealthy|Rollout is healthy")),
        ("at rest", base(), "Completed", said("True|RolloutCompleted|RolloutCompleted")),
        ("at rest", base(), "Progressing", new_available),
        ("at rest", base(), "Paused", None),
        ("at rest", base(), "InvalidSpec", None),
        ("at rest", base(), "ReplicaFailure", None),
        ("moving", moving.clone(), "Progressing", said(&progressing(&moving))),
        ("moving", moving.clone(), "Completed", said("False|RolloutCompleted|RolloutCompleted")),
        ("moving", moving, "Healthy", said("False|RolloutHealthy|Rollout is not healthy")),
        ("paused", paused(), "Progressing", said("Unknown|RolloutPaused|Rollout is paused")),
        ("paused", paused(), "Paused", said("True|RolloutPaused|Rollout is paused")),
        ("resumed", resumed.clone(), "Progressing", said(&progressing(&resumed))),
        ("resumed", resumed, "Paused", said("False|RolloutPaused|Rollout is paused")),
        (
            "aborted",
            aborted.clone(),
            "Progressing",
            said("False|RolloutAborted|Rollout aborted update to revision 2"),
        ),
        ("aborted", aborted.clone(), "Paused", said("False|RolloutPaused|Rollout is paused")),
        ("aborted", aborted, "Completed", said("False|RolloutCompleted|RolloutCompleted")),
        (
            "fallen ill",
            ill.clone(),
            "Available",
            said("False|AvailableReason|Rollout does not have minimum availability"),
        ),
        ("fallen ill", ill.clone(), "Healthy", said("False|RolloutHealthy|Rollout is not healthy")),
        ("fallen ill", ill.clone(), "Completed", said("True|RolloutCompleted|RolloutCompleted")),
        (
            "fallen ill",
            ill,
            "Progressing",
            said("True|ReplicaSetNotAvailable|Rollout does not have minimum availability"),
        ),
    ] {
        assert_eq!(condition(&stored(&scene), type_), expected, "{name}: {type_}");
    }
}

#[test]
fn a_failure_to_make_pods_is_copied_from_the_replica_set() {
    let failure = ("FailedCreate".to_owned(), "exceeded quota".to_owned());
    let ill = paused().set("v1", |set| set.failure = Some(failure)).fold();
    assert_eq!(
        condition(&stored(&ill), "ReplicaFailure").as_deref(),
        Some("True|FailedCreate|exceeded quota")
    );
    let well = ill.set("v1", |set| set.failure = None).fold();
    assert_eq!(condition(&stored(&well), "ReplicaFailure"), None);
}

#[test]
fn a_condition_moves_its_transition_only_with_its_status() {
    let find = |scene: &Scene| {
        let status = stored(scene);
        let found = status.conditions.iter().find(|condition| condition.type_ == "Available");
        let found = found.unwrap_or_else(|| panic!("{:?}", status.conditions));
        (found.last_update_time.0, found.last_transition_time.0)
    };
    let before = find(&base());
    assert_eq!(find(&base().wait(60).fold()), before, "nothing changed, nothing moves");
    let ill = base().wait(60).pods("v1", 4, 0).fold();
    assert!(find(&ill).1 > before.1, "True to False is a transition");
}

#[test]
fn the_observed_generation_is_a_string_of_the_generation() {
    for (name, scene) in [
        ("at rest", base()),
        ("paused", paused()),
        ("with a spec that cannot work", base().canary(json!({"steps": [{"setWeight": 101}]}))),
    ] {
        let scene = scene.edit(|world| world.rollout.metadata.generation = Some(42));
        assert_eq!(scene.plan().status.observed_generation, "42", "{name}");
    }
}

#[test]
fn counts_are_those_of_the_replica_sets() {
    let starting = Pods { spec: 1, current: 1, available: 0 };
    let status = paused().promote().rest().pods("v9", 0, 0).plan().status;
    let counts = |status: &serin_api::RolloutStatus| {
        (
            status.replicas,
            status.updated_replicas,
            status.ready_replicas,
            status.available_replicas,
            status.hpa_replicas,
        )
    };
    assert_eq!(counts(&status), (4, 4, 4, 4, 4), "all of the new revision");
    let scene = base().steps(quarter()).rolling("v2", 1).pods("v1", 3, 3);
    let scene = scene.set("v2", |set| (set.pods, set.ready) = (starting, 1));
    assert_eq!(counts(&scene.plan().status), (4, 1, 4, 3, 4), "ready is not yet available");
    assert_eq!(scene.plan().status.selector, "app=shop");
}

#[test]
fn a_spec_that_is_paused_is_said_of_a_new_revision_too() {
    let scene = base().paused(true).rest().update("v2").rest();
    let said = condition(&stored(&scene), "Progressing");
    assert_eq!(said.as_deref(), Some("Unknown|RolloutPaused|Rollout is paused"));
}

#[test]
fn an_event_about_a_write_names_its_write() {
    let (_, plans) = base().steps(quarter()).update("v2").settle();
    for plan in &plans {
        for event in &plan.events {
            let object = event.write.map(|index| plan.writes[index].object.kind.clone());
            let expected = match event.reason.as_str() {
                "RolloutUpdated" => Some("Rollout"),
                "NewReplicaSetCreated" | "ScalingReplicaSet" => Some("ReplicaSet"),
                _ => None,
            };
            assert_eq!(object.as_deref(), expected, "{}", event.message);
        }
    }
}

#[test]
fn what_is_not_healthy_always_says_what_it_waits_for() {
    let analysed = json!({"analysis": {"templates": [{"templateName": "errors"}]}, "steps": quarter()});
    let analysed = base().template("errors").canary(analysed).rest().update("v2").rest();
    for (name, scene) in [
        ("initial deploy", fresh()),
        ("initial deploy, slowly", fresh().slow()),
        ("update by pods", base().slow().steps(quarter()).update("v2")),
        ("update by a router", base().slow().routed().steps(quarter()).update("v2")),
        ("without steps", base().slow().update("v2")),
        ("at a pause", paused()),
        ("resumed", paused().slow().promote()),
        ("promoted in full", paused().slow().promote_full()),
        ("aborted", paused().abort()),
        ("aborted behind a router", base().routed().steps(quarter()).update("v2").rest().abort()),
        ("an inconclusive analysis", verdict(analysed.clone(), AnalysisPhase::Inconclusive, "")),
        ("a holding analysis", verdict(analysed, AnalysisPhase::Running, "connection refused")),
        ("a paused spec", base().paused(true)),
        ("pods of stable are lost", base().slow().pods("v1", 4, 0)),
        ("a spec that cannot work", base().canary(json!({"steps": [{"setWeight": 101}]}))),
        ("a Service that is gone", base().routed().edit(|world| drop(world.services.remove(CANARY_SERVICE)))),
    ] {
        let (_, plans) = scene.clone().settle();
        for plan in plans.iter().chain([&scene.plan()]) {
            let healthy = plan.status.phase.as_deref() == Some("Healthy");
            assert_eq!(
                waits(plan).is_empty(),
                healthy,
                "{name}: {} and {:?}",
                phase(&plan.status),
                plan.status.gates
            );
            assert!(
                plan.status.gates.iter().flatten().all(|gate| !gate.then.is_empty()),
                "{name}: then what?"
            );
        }
    }
}

#[test]
fn a_gate_keeps_the_moment_at_which_it_closed() {
    let since =
        |scene: &Scene| stored(scene).gates.and_then(|gates| gates[0].since.clone()).map(|time| time.0);
    let closed = since(&paused());
    assert!(closed.is_some());
    assert_eq!(since(&paused().wait(500).fold()), closed);
}

#[test]
fn an_autoscaler_may_scale_in_the_middle_of_a_canary_and_to_nothing_and_back() {
    let steps = json!([{"setWeight": 25}, {"pause": {}}]);
    for (name, scene, full) in [("by pods", base(), [2, 6]), ("by a router", base().routed(), [2, 8])] {
        let scene = scene.steps(steps.clone()).update("v2").rest();
        for (replicas, expected) in [(8, full), (0, [0, 0]), (8, full)] {
            let scene = scene.clone().replicas(replicas).rest();
            assert_eq!(pods(&scene, ["v2", "v1"]), expected, "{name}: {replicas}");
            let status = stored(&scene);
            assert_eq!(status.hpa_replicas, expected.iter().sum::<i32>(), "{name}: {replicas}");
            assert_eq!(status.selector, "app=shop", "{name}");
            assert_eq!(status.current_step_index, Some(1), "{name}: no step is lost");
            assert_eq!(status.stable_rs.as_deref(), Some("v1"), "{name}: nothing is promoted");
        }
        let back = scene.replicas(0).rest().replicas(8).rest();
        assert_eq!(pods(&back, ["v2", "v1"]), full, "{name}");
        assert_eq!(phase(&stored(&back)), "Paused|CanaryPauseStep", "{name}");
    }
}
