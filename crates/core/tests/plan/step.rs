//! When a step is done: pods, then traffic, then time or a person.

use jiff::SignedDuration;
use serde_json::{Value, json};
use serin_api::AnalysisPhase;
use serin_core::replica::Pods;
use serin_core::split::{Effective, Split, Weight};
use serin_testkit::scene::{BEGINNING, CANARY_SERVICE, Scene, base};

use crate::{phase, scaled, sizes, stored, verdict, waits_for, weight};

fn quarter_then_half() -> Value {
    json!([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}])
}

/// Step 0 of a canary at 25 % by the number of pods: 1 of v2 and 3 of v1 are wanted.
fn by_pods(v2: (i32, i32), v1: (i32, i32)) -> Scene {
    base().steps(quarter_then_half()).rolling("v2", 0).pods("v2", v2.0, v2.1).pods("v1", v1.0, v1.1).at(0)
}

/// Step 0 of a canary at 25 % by a router: 1 of v2 beside 4 of v1 is wanted.
fn by_router(v2: (i32, i32)) -> Scene {
    let scene = base().routed().steps(quarter_then_half()).rolling("v2", 0);
    scene.selects(CANARY_SERVICE, "v2").pods("v2", v2.0, v2.1).at(0)
}

#[test]
fn set_weight_without_a_router_waits_for_pods_on_both_sides() {
    let leaving = Pods { spec: 3, current: 4, available: 4 };
    let starting = Pods { spec: 3, current: 3, available: 2 };
    for (name, scene, index, wait) in [
        (
            "a canary without pods is not there yet",
            by_pods((0, 0), (4, 4)),
            0,
            "1 canary pods to be available",
        ),
        ("a canary pod that is not available does not count", by_pods((1, 0), (3, 3)), 0, "1 canary pods"),
        ("more canary pods than wanted are not the step either", by_pods((2, 2), (3, 3)), 0, "1 canary pods"),
        ("stable has to shrink", by_pods((1, 1), (4, 4)), 0, "stable to have 3 pods"),
        (
            "a pod of stable on its way out is still there",
            by_pods((1, 1), (3, 3)).set("v1", |set| set.pods = leaving),
            0,
            "stable to have 3 pods",
        ),
        (
            "pods of stable count when they exist",
            by_pods((1, 1), (3, 3)).set("v1", |set| set.pods = starting),
            1,
            "a person at an indefinite pause step",
        ),
        (
            "pods of older revisions have to go first",
            by_pods((1, 1), (3, 3)).pods("v0", 1, 1),
            0,
            "pods of older revisions to go",
        ),
        ("both sides are there", by_pods((1, 1), (3, 3)), 1, "a person at an indefinite pause step"),
    ] {
        let plan = scene.plan();
        assert_eq!(plan.status.current_step_index, Some(index), "{name}");
        assert!(waits_for(&plan, wait), "{name}: {:?}", plan.status.gates);
        assert_eq!(plan.split, None, "{name}");
    }
}

#[test]
fn set_weight_with_a_router_moves_pods_then_traffic_then_the_step() {
    let quarter = || Split::new(Weight(100), Weight(25));
    let unknown = Effective::Unknown("no status of the gateway".to_owned());
    for (name, scene, index, split, wait) in [
        ("pods come first", by_router((1, 0)), 0, Some(0), "1 canary pods to be available"),
        ("traffic follows the pods", by_router((1, 1)), 0, Some(25), "the router to apply weight 25"),
        (
            "a route that is not confirmed is not traffic",
            by_router((1, 1)).effective(&Effective::Pending(quarter())),
            0,
            Some(25),
            "the router to apply weight 25",
        ),
        (
            "an answer that is unknown is neither done nor zero",
            by_router((1, 1)).weight(25).fold().at(0).effective(&unknown),
            0,
            None,
            "no status of the gateway",
        ),
        ("another weight is not the step", by_router((1, 1)).weight(20), 0, Some(25), "apply weight 25"),
        ("the weight is in force", by_router((1, 1)).weight(25), 1, Some(25), "a person at an indefinite"),
        (
            "a weight on a Service of the revision before is not traffic for the canary",
            by_router((1, 1)).selects(CANARY_SERVICE, "v1"),
            0,
            Some(0),
            "apply weight 25",
        ),
        (
            "nor is the weight of the step, while it is on that Service",
            by_router((1, 1)).weight(25).selects(CANARY_SERVICE, "v1"),
            0,
            Some(0),
            "another revision to leave the canary",
        ),
    ] {
        let plan = scene.plan();
        assert_eq!(plan.status.current_step_index, Some(index), "{name}");
        assert_eq!(weight(&plan), split, "{name}");
        assert!(waits_for(&plan, wait), "{name}: {:?}", plan.status.gates);
    }
}

#[test]
fn an_unconfirmed_weight_counts_when_the_data_plane_has_followed() {
    let moved = by_router((1, 1)).edit(|world| {
        (world.routers[0].confirms, world.routers[0].propagation_seconds) = (false, 10);
    });
    let moved = moved.weight(25).fold().fold();
    for (name, seconds, index) in [("at once", 0, 0), ("within the bound", 10, 0), ("after it", 11, 1)] {
        let plan = moved.clone().wait(seconds).plan();
        assert_eq!(plan.status.current_step_index, Some(index), "{name}");
    }
}

#[test]
fn a_timed_pause_ends_by_the_clock() {
    for (name, duration, last_second) in [
        ("a number is seconds", json!(30), 29),
        ("a bare string is seconds", json!("30"), 29),
        ("seconds", json!("30s"), 29),
        ("minutes", json!("2m"), 119),
        ("hours", json!("1h"), 3599),
        ("mixed units", json!("1h30m"), 5399),
    ] {
        let steps = json!([{"setWeight": 25}, {"pause": {"duration": duration}}, {"setWeight": 50}]);
        let scene = base().steps(steps).rolling("v2", 1).pods("v1", 3, 3).at(1).fold();
        assert_eq!(stored(&scene).pause_conditions.unwrap()[0].reason, "CanaryPauseStep", "{name}");
        assert!(stored(&scene).controller_pause, "{name}");
        let before = scene.clone().wait(last_second).plan();
        assert_eq!(before.status.current_step_index, Some(1), "{name}: one second before");
        let end = BEGINNING + SignedDuration::from_secs(last_second + 1);
        assert_eq!(before.wake, Some(end), "{name}: wakes at the end");
        assert_eq!(before.status.gates.unwrap()[0].until.as_ref().unwrap().0, end, "{name}: says until when");
        let plan = scene.wait(last_second + 1).plan();
        assert_eq!(plan.status.current_step_index, Some(2), "{name}: at the end");
        assert_eq!(plan.status.pause_conditions, None, "{name}");
        assert!(!plan.status.controller_pause, "{name}");
    }
}

#[test]
fn an_indefinite_pause_waits_for_a_person() {
    let paused = base().steps(quarter_then_half()).rolling("v2", 1).pods("v1", 3, 3).at(1).fold();
    let after_a_week = paused.clone().wait(7 * 24 * 3600).plan();
    assert_eq!(after_a_week.status.current_step_index, Some(1), "time does not end it");
    assert_eq!(after_a_week.wake, None, "nothing is awaited from the clock");
    assert_eq!(phase(&after_a_week.status), "Paused|CanaryPauseStep");
    let promoted = paused.clone().promote().plan();
    assert_eq!(promoted.status.current_step_index, Some(2), "taking the pause conditions away ends it");
    assert!(!promoted.status.controller_pause, "the resumption is consumed");
    assert_eq!(scaled(&promoted), sizes([("v1", 2)]), "and the next step begins");
}

#[test]
fn a_pause_that_was_never_written_down_is_not_a_resumption() {
    let scene = base().steps(quarter_then_half()).rolling("v2", 1).pods("v1", 3, 3).at(1);
    let plan = scene.clone().promote().plan();
    assert_eq!(plan.status.current_step_index, Some(1), "nobody has paused yet, so nobody resumes");
    assert!(plan.status.controller_pause, "the pause begins");
    assert_eq!(plan.status.pause_conditions.map(|pauses| pauses.len()), Some(1));
}

#[test]
fn one_resumption_ends_one_pause() {
    let steps = json!([{"pause": {}}, {"pause": {}}, {"pause": {}}]);
    let (scene, _) = base().steps(steps).rolling("v2", 0).settle();
    assert_eq!(stored(&scene).current_step_index, Some(0));
    for index in 1..=2 {
        let (next, _) = scene.clone().promote().settle();
        let (again, _) = next.clone().promote().settle();
        let reached = if index == 1 { stored(&next) } else { stored(&again) };
        assert_eq!(reached.current_step_index, Some(index), "after {index} times promote");
        assert!(reached.controller_pause && reached.pause_conditions.is_some(), "it pauses at step {index}");
    }
}

#[test]
fn the_step_index_that_a_client_writes_is_where_the_rollout_is() {
    let waiting = || by_pods((1, 0), (3, 3));
    for (name, scene, index) in [
        ("without it the step waits", waiting(), 0),
        (
            "the wait of setWeight is skipped",
            waiting().status(|status| status.current_step_index = Some(1)),
            1,
        ),
        ("all steps are skipped", waiting().status(|status| status.current_step_index = Some(3)), 3),
        ("an index beyond the last is the last", waiting().status(|s| s.current_step_index = Some(9)), 3),
        ("a negative index is the first", waiting().status(|s| s.current_step_index = Some(-1)), 0),
        ("an absent index is the first", waiting().status(|s| s.current_step_index = None), 0),
    ] {
        assert_eq!(scene.plan().status.current_step_index, Some(index), "{name}");
    }
}

#[test]
fn without_steps_there_is_no_index() {
    let (scene, _) = base().update("v2").settle();
    assert_eq!(stored(&scene).current_step_index, None);
    assert_eq!(phase(&stored(&scene)), "Healthy|");
}

#[test]
fn set_canary_scale_sizes_the_canary_apart_from_its_traffic() {
    let steps = |scale: Value| json!([{"setWeight": 25}, {"setCanaryScale": scale}, {"pause": {}}]);
    for (name, scale, expected) in [
        ("a number of pods", json!({"replicas": 3}), sizes([("v2", 3)])),
        ("a share of the pods", json!({"weight": 50}), sizes([("v2", 2)])),
        ("a share is rounded up", json!({"weight": 51}), sizes([("v2", 3)])),
        ("as many as the traffic needs", json!({"matchTrafficWeight": true}), sizes([])),
    ] {
        let scene = base().routed().steps(steps(scale)).rolling("v2", 1);
        let plan = scene.selects(CANARY_SERVICE, "v2").weight(25).at(1).plan();
        assert_eq!(scaled(&plan), expected, "{name}");
        assert_eq!(weight(&plan), Some(25), "{name}: the traffic stays");
    }
}

#[test]
fn a_later_set_canary_scale_overrules_and_match_traffic_weight_ends_it() {
    let steps = json!([
        {"setCanaryScale": {"replicas": 3}}, {"setWeight": 25}, {"setCanaryScale": {"replicas": 2}},
        {"setCanaryScale": {"matchTrafficWeight": true}}, {"setWeight": 75},
    ]);
    for (index, wanted) in [(0, 3), (1, 3), (2, 2), (3, 1), (4, 3), (5, 4)] {
        let scene = base().routed().steps(steps.clone()).rolling("v2", 0);
        let scene = scene.selects(CANARY_SERVICE, "v2").pods("v2", 0, 0).at(index);
        assert_eq!(scaled(&scene.plan()), sizes([("v2", wanted)]), "at step {index}");
    }
}

#[test]
fn an_analysis_step_is_done_when_its_run_succeeds() {
    let steps =
        json!([{"setWeight": 25}, {"analysis": {"templates": [{"templateName": "errors"}]}}, {"pause": {}}]);
    let (scene, _) = base().template("errors").steps(steps).update("v2").settle();
    for (name, verdict_phase, index) in [
        ("not begun", AnalysisPhase::Unset, 1),
        ("pending", AnalysisPhase::Pending, 1),
        ("measuring", AnalysisPhase::Running, 1),
        ("good", AnalysisPhase::Successful, 2),
    ] {
        let plan = verdict(scene.clone(), verdict_phase, "").plan();
        assert_eq!(plan.status.current_step_index, Some(index), "{name}");
        assert_eq!(waits_for(&plan, "AnalysisRun shop-"), index == 1, "{name}: {:?}", plan.status.gates);
    }
}

#[test]
fn a_paused_spec_holds_every_step() {
    for (name, scene) in [
        ("by pods", by_pods((1, 1), (3, 3))),
        ("by a router", by_router((1, 1)).weight(25)),
        ("at the end of a timed pause", {
            let steps = json!([{"pause": {"duration": 1}}, {"setWeight": 50}]);
            base().steps(steps).rolling("v2", 0).at(0).fold().wait(60)
        }),
    ] {
        let open = scene.clone().plan().status.current_step_index;
        let held = scene.paused(true).plan();
        assert_eq!(open, Some(1), "{name}: the step is done otherwise");
        assert_eq!(held.status.current_step_index, Some(0), "{name}");
        assert_eq!(phase(&held.status), "Paused|manually paused", "{name}");
        assert!(waits_for(&held, "spec.paused"), "{name}");
        assert!(scaled(&held).is_empty(), "{name}: nothing is scaled");
    }
}

#[test]
fn traffic_goes_forward_only_when_everything_is_in_place() {
    let second = |scene: Scene, weight: u32| {
        scene.edit(|world| {
            let mut report = world.routers[0].clone();
            report.name = "Ingress default/shop".to_owned();
            report.effective = Effective::Applied(Split::new(Weight(100), Weight(weight)));
            world.routers.push(report);
        })
    };
    for (name, scene, expected, index) in [
        ("a canary that has lost its pods loses its traffic", by_router((1, 0)).weight(25), 0, 0),
        ("a paused spec moves nothing forward", by_router((1, 1)).paused(true), 0, 0),
        ("and keeps what is there", by_router((1, 1)).weight(10).paused(true), 10, 0),
        ("but a canary without pods loses it all the same", by_router((1, 0)).weight(25).paused(true), 0, 0),
        ("a step with a smaller weight takes back", by_router((4, 4)).weight(75), 25, 0),
        ("too few pods for the weight keep the one before", by_router((1, 1)).weight(25).at(2), 25, 2),
        ("enough pods get it", by_router((2, 2)).weight(25).at(2), 50, 2),
        ("a full promotion leaves traffic where it is", by_router((1, 1)).weight(25).promote_full(), 25, 0),
        ("routers that differ meet, and are not done", second(by_router((1, 1)).weight(25), 0), 25, 0),
        ("in either order", second(by_router((1, 1)), 25), 25, 0),
        ("routers that agree are done", second(by_router((1, 1)).weight(25), 25), 25, 1),
    ] {
        let plan = scene.plan();
        assert_eq!(weight(&plan), Some(expected), "{name}");
        assert_eq!(plan.status.current_step_index, Some(index), "{name}");
    }
}

#[test]
fn a_paused_spec_holds_promotion() {
    let done =
        base().routed().steps(json!([{"setWeight": 100}])).rolling("v2", 4).selects(CANARY_SERVICE, "v2");
    let done = done.weight(100).at(1);
    assert_eq!(done.clone().plan().status.stable_rs.as_deref(), Some("v2"), "it is promoted otherwise");
    let held = done.paused(true).plan();
    assert_eq!(held.status.stable_rs.as_deref(), Some("v1"));
    assert!(waits_for(&held, "spec.paused"), "{:?}", held.status.gates);
}

#[test]
fn a_pause_begins_with_a_canary_that_serves() {
    let without = by_pods((1, 0), (3, 3)).at(1).plan();
    assert_eq!(without.status.pause_conditions, None);
    assert!(waits_for(&without, "a canary pod to be available"), "{:?}", without.status.gates);
    let with = by_pods((1, 1), (3, 3)).at(1).plan();
    assert_eq!(with.status.pause_conditions.map(|pauses| pauses.len()), Some(1));
    let of_nothing = base().steps(json!([{"pause": {}}])).rolling("v2", 0).at(0).plan();
    assert!(of_nothing.status.pause_conditions.is_some(), "a canary that is to have no pods needs none");
}
