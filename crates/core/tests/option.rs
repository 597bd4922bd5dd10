//! Tables of the fields that change how far a canary goes at once: `dynamicStableScale`, `minPodsPerReplicaSet`,
//! `replicaProgressThreshold`, `rollbackWindow`, `progressDeadlineAbort`. Numbers are worked out by hand from the
//! formulas of Argo Rollouts.

use serde_json::{Value, json};
use serin_core::split::Effective;
use serin_testkit::scene::{CANARY_SERVICE, STABLE_SERVICE, Scene, base};
use serin_testkit::{digest, reasons};

fn steps(weights: &[i32]) -> Value {
    weights.iter().flat_map(|weight| [json!({"setWeight": weight}), json!({"pause": {}})]).collect()
}

fn pods(scene: &Scene, version: &str) -> i32 {
    let image = format!("shop:{version}");
    let sets = &scene.world.replica_sets;
    let found = sets.iter().find(|set| set.template["spec"]["containers"][0]["image"] == image.as_str());
    found.map_or(0, |set| set.pods.spec)
}

fn weight(scene: &Scene) -> u32 {
    match &scene.world.routers[0].effective {
        Effective::Applied(split) | Effective::Pending(split) => split.canary.0,
        Effective::Unknown(why) => panic!("{why}"),
    }
}

/// A canary behind a router that waits at its first pause.
fn at_weight(replicas: i32, weight: i32, strategy: Value) -> Scene {
    let scene = base().routed().canary(strategy).replicas(replicas).rest().steps(steps(&[weight]));
    scene.update("v2").rest()
}

/// Sizes of canary and stable and the weight after each plan, without repetitions.
fn way(mut scene: Scene) -> (Scene, Vec<(i32, i32, u32)>) {
    let mut way = vec![(pods(&scene, "v2"), pods(&scene, "v1"), weight(&scene))];
    for _ in 0..40 {
        scene = scene.act().0;
        let now = (pods(&scene, "v2"), pods(&scene, "v1"), weight(&scene));
        if way.last() != Some(&now) {
            way.push(now);
        }
    }
    (scene, way)
}

#[test]
fn stable_gives_its_pods_to_the_canary() {
    for (replicas, at, canary, stable) in [
        (4, 25, 1, 3),
        (4, 50, 2, 2),
        (4, 75, 3, 1),
        (4, 0, 0, 4),
        (10, 33, 4, 7),
        (10, 1, 1, 10),
        (3, 99, 3, 1),
    ] {
        let scene = at_weight(replicas, at, json!({"dynamicStableScale": true}));
        assert_eq!((pods(&scene, "v2"), pods(&scene, "v1")), (canary, stable), "{at} % of {replicas}");
    }
}

#[test]
fn stable_gives_pods_only_after_their_traffic_has_gone() {
    let dynamic = base().routed().canary(json!({"dynamicStableScale": true})).rest().steps(steps(&[50]));
    let (scene, seen) = way(dynamic.update("v2"));
    assert_eq!(seen, [(0, 4, 0), (2, 4, 0), (2, 4, 50), (2, 2, 50)]);
    let (_, seen) = way(scene.promote());
    assert_eq!(seen, [(2, 2, 50), (4, 2, 50), (4, 2, 100), (4, 0, 100), (4, 0, 0)]);
}

#[test]
fn a_canary_that_the_user_sizes_by_number_leaves_stable_whole() {
    let steps = json!([{"setCanaryScale": {"replicas": 2}}, {"pause": {}}]);
    let scene = base().routed().canary(json!({"dynamicStableScale": true, "steps": steps})).rest();
    let scene = scene.update("v2").rest();
    assert_eq!((pods(&scene, "v2"), pods(&scene, "v1"), weight(&scene)), (2, 4, 0));
    let steps = json!([{"setCanaryScale": {"weight": 50}}, {"setWeight": 25}, {"pause": {}}]);
    let scene = base().routed().canary(json!({"dynamicStableScale": true, "steps": steps})).rest();
    let (_, seen) = way(scene.update("v2"));
    assert_eq!(seen, [(0, 4, 0), (2, 4, 0), (2, 4, 25), (2, 3, 25)], "stable keeps what its traffic needs");
}

#[test]
fn an_aborted_canary_goes_step_by_step_as_stable_comes() {
    let scene =
        base().routed().canary(json!({"dynamicStableScale": true})).rest().steps(steps(&[25, 50, 75]));
    let scene = scene.update("v2").rest().promote().rest().promote().rest();
    assert_eq!((pods(&scene, "v2"), pods(&scene, "v1"), weight(&scene)), (3, 1, 75));
    let (scene, seen) = way(scene.abort());
    let expected = [
        (3, 1, 75), // 3 pods are lacking: 50 % is the last step that needs fewer
        (3, 2, 75),
        (3, 2, 50), // 2 of 4 carry the other half
        (2, 2, 50), // 2 pods are lacking: 25 % is next
        (2, 3, 50),
        (2, 3, 25),
        (1, 3, 25), // no step needs fewer than one
        (1, 4, 25),
        (1, 4, 0),
        (0, 4, 0),
    ];
    assert_eq!(seen, expected);
    assert_eq!(scene.world.rollout.status.clone().unwrap().phase.as_deref(), Some("Degraded"));
}

#[test]
fn an_aborted_canary_keeps_its_weight_while_stable_does_not_come() {
    let scene =
        base().routed().canary(json!({"dynamicStableScale": true})).rest().steps(steps(&[25, 50, 75]));
    let scene = scene.update("v2").rest().promote().rest().promote().rest().slow();
    let (_, seen) = way(scene.abort());
    assert_eq!(seen, [(3, 1, 75), (3, 2, 75)], "traffic waits for pods");
}

#[test]
fn a_delay_after_an_abort_keeps_the_pods_and_not_the_traffic() {
    let strategy = json!({"dynamicStableScale": true, "abortScaleDownDelaySeconds": 60});
    let scene = base().routed().canary(strategy).rest().steps(steps(&[50])).update("v2").rest();
    let (scene, seen) = way(scene.abort());
    assert_eq!(seen, [(2, 2, 50), (2, 4, 50), (2, 4, 0)]);
    let plan = scene.clone().wait(61).plan();
    assert!(digest(&scene.world, &plan).contains(":2>0"), "after the delay it goes");
}

#[test]
fn an_undo_to_stable_waits_for_all_of_its_pods() {
    let scene = base().routed().canary(json!({"dynamicStableScale": true})).rest().steps(steps(&[75]));
    let scene = scene.update("v2").rest().slow();
    let (scene, seen) = way(scene.update("v1"));
    assert_eq!(seen, [(3, 1, 75), (3, 4, 75)], "three pods are still starting");
    let (_, seen) = way(scene.pods("v1", 4, 4));
    assert_eq!(seen, [(3, 4, 75), (3, 4, 0), (0, 4, 0)]);
}

#[test]
fn a_full_promotion_moves_traffic_with_the_ready_pods() {
    let scene = base().routed().canary(json!({"dynamicStableScale": true})).rest().steps(steps(&[25]));
    let scene = scene.update("v2").rest().slow();
    for (ready, expected) in [(1, 25), (2, 50), (3, 75)] {
        let scene = scene.clone().promote_full().fold().edit(|world| {
            let set = world.replica_sets.iter_mut().find(|set| set.name != "shop-v1").unwrap();
            (set.pods.spec, set.pods.current, set.pods.available) = (4, 4, ready);
        });
        assert_eq!(scene.plan().split.unwrap().canary.0, expected, "{ready} of 4 are ready");
    }
}

#[test]
fn a_superseded_canary_gives_its_traffic_back_before_the_next_begins() {
    let scene = base().routed().canary(json!({"dynamicStableScale": true})).rest().steps(steps(&[75]));
    let scene = scene.update("v2").rest();
    let (scene, seen) = way(scene.update("v3"));
    assert_eq!(seen[..3], [(3, 1, 75), (3, 4, 75), (3, 4, 0)], "stable comes back, then the traffic");
    assert_eq!((pods(&scene, "v3"), pods(&scene, "v1"), weight(&scene)), (3, 1, 75), "then v3 has its turn");
}

#[test]
fn a_replica_set_with_pods_has_at_least_so_many() {
    for (name, strategy, replicas, at, canary, stable) in [
        ("a small share is raised", json!({"minPodsPerReplicaSet": 3}), 10, 1, 3, 10),
        ("a larger one is not", json!({"minPodsPerReplicaSet": 3}), 10, 50, 5, 10),
        ("none stays none", json!({"minPodsPerReplicaSet": 3}), 10, 0, 0, 10),
        ("all pods are the most", json!({"minPodsPerReplicaSet": 5}), 2, 10, 2, 2),
        (
            "stable too, when it shrinks",
            json!({"minPodsPerReplicaSet": 3, "dynamicStableScale": true}),
            10,
            90,
            9,
            3,
        ),
    ] {
        let scene = at_weight(replicas, at, strategy);
        assert_eq!((pods(&scene, "v2"), pods(&scene, "v1")), (canary, stable), "{name}");
    }
    let scale = |dynamic: bool| {
        let steps = json!([{"setCanaryScale": {"replicas": 1}}, {"pause": {}}]);
        let strategy = json!({"minPodsPerReplicaSet": 2, "dynamicStableScale": dynamic, "steps": steps});
        pods(&base().routed().canary(strategy).rest().update("v2").rest(), "v2")
    };
    assert_eq!(scale(false), 1, "a number of pods is meant as it is written");
    assert_eq!(scale(true), 2, "but not with dynamicStableScale, as in Argo Rollouts");
}

#[test]
fn fewer_pods_than_all_may_be_enough() {
    for (name, threshold, available, done) in [
        ("without a threshold all are needed", Value::Null, 3, false),
        ("half of them are enough", json!({"type": "Percent", "value": 50}), 2, true),
        ("one in a hundred more is not", json!({"type": "Percent", "value": 51}), 2, false),
        ("no percent is always enough", json!({"type": "Percent", "value": 0}), 0, true),
        ("a number of pods", json!({"type": "Pods", "value": 2}), 2, true),
        ("one fewer than that", json!({"type": "Pods", "value": 3}), 2, false),
        ("a negative one is none", json!({"type": "Pods", "value": -1}), 3, false),
    ] {
        for routed in [false, true] {
            let scene = if routed { base().routed() } else { base() };
            let scene = scene.replicas(8).rest().canary(json!({"replicaProgressThreshold": threshold}));
            let scene = scene.steps(json!([{"setWeight": 50}, {"pause": {}}]));
            let stable = if routed { 8 } else { 4 };
            let scene = scene.rolling("v2", 0).pods("v2", 4, available).pods("v1", stable, stable).at(0);
            let scene = scene.selects(CANARY_SERVICE, "v2").selects(STABLE_SERVICE, "v1");
            // Of no pods at all traffic is never due.
            let scene = if routed && available > 0 { scene.weight(50) } else { scene };
            let index = scene.plan().status.current_step_index;
            let expected = i32::from(done && !(routed && available == 0));
            assert_eq!(index, Some(expected), "{name}, routed: {routed}");
        }
    }
}

#[test]
fn a_threshold_promotes_too() {
    let threshold = json!({"replicaProgressThreshold": {"type": "Percent", "value": 75}});
    for (available, promoted) in [(2, false), (3, true)] {
        let scene = base()
            .canary(threshold.clone())
            .rest()
            .rolling("v2", 0)
            .pods("v2", 4, available)
            .pods("v1", 0, 0);
        let plan = scene.plan();
        assert_eq!(plan.status.stable_rs.as_deref() == Some("v2"), promoted, "{available} of 4");
    }
}

/// Stable is `v3`; `v1` and `v2` were stable before.
fn third(window: Value) -> Scene {
    let measured = json!({"analysis": {"templates": [{"templateName": "errors"}]}});
    let scene =
        base().template("errors").routed().canary(measured).spec(json!({"rollbackWindow": window})).rest();
    let scene = scene.steps(steps(&[50])).pods("v2", 0, 0).pods("v3", 0, 0);
    let scene = scene.update("v3").promote_full().rest().promote_full().rest().wait(60).rest();
    assert_eq!(scene.world.rollout.status.as_ref().unwrap().stable_rs.as_deref(), Some("v3"));
    scene
}

#[test]
fn a_rollback_within_the_window_has_no_steps_and_no_analysis() {
    for (name, window, version, skips) in [
        ("the revision before", json!({"revisions": 1}), "v2", true),
        ("the one before that is outside of one", json!({"revisions": 1}), "v1", false),
        ("and inside of two", json!({"revisions": 2}), "v1", true),
        ("no revision is inside of none", json!({"revisions": 0}), "v2", false),
        ("without a window all steps are taken", Value::Null, "v2", false),
        ("a new revision is no rollback", json!({"revisions": 5}), "v4", false),
    ] {
        let (scene, plans) = third(window).update(version).settle();
        let status = scene.world.rollout.status.clone().unwrap();
        assert_eq!(status.phase.as_deref(), Some(if skips { "Healthy" } else { "Paused" }), "{name}");
        let current = status.current_pod_hash.clone();
        let measured = scene.world.analysis_runs.iter().any(|run| run.name.contains(&format!("-{current}-")));
        assert_eq!(measured, !skips, "{name}");
        if skips {
            let told = plans.iter().flat_map(|plan| &plan.events);
            let mut told = told.filter(|event| event.reason == "RolloutCompleted");
            assert!(told.next().unwrap().message.ends_with(": Rollback within window"), "{name}");
        }
    }
}

#[test]
fn a_rollback_within_the_window_can_be_aborted() {
    let scene = third(json!({"revisions": 1})).update("v2").slow().act().0.act().0;
    assert_eq!(scene.world.rollout.status.as_ref().unwrap().current_step_index, Some(2));
    let (scene, _) = scene.abort().settle();
    let status = scene.world.rollout.status.clone().unwrap();
    assert!(status.abort, "unlike in Argo Rollouts, which takes it back");
    assert_eq!(status.phase.as_deref(), Some("Degraded"));
    let scene = scene.retry().fold();
    assert_eq!(
        scene.world.rollout.status.unwrap().current_step_index,
        Some(2),
        "a retry skips the steps again"
    );
}

#[test]
fn skipped_steps_are_told_while_pods_of_the_revision_are_there() {
    for (pods, told) in [(4, true), (0, false)] {
        let plan = third(json!({"revisions": 1})).pods("v2", pods, pods).update("v2").plan();
        assert_eq!(reasons([&plan]).contains(&"SkipSteps".to_owned()), told, "{pods} pods");
    }
}

/// A canary whose pods never come, one second after its deadline.
fn late(abort: bool) -> Scene {
    let spec = json!({"progressDeadlineSeconds": 60, "progressDeadlineAbort": abort});
    let scene = base().routed().spec(spec).rest().steps(steps(&[50])).update("v2").slow();
    let scene = scene.settle().0.wait(62).act().0;
    let status = scene.world.rollout.status.clone().unwrap();
    assert!(status.message.unwrap().starts_with("ProgressDeadlineExceeded: "));
    scene
}

#[test]
fn a_late_canary_is_aborted_when_the_spec_says_so() {
    let scene = late(true);
    let set = scene.world.replica_sets.last().unwrap().name.clone();
    let plan = scene.plan();
    assert!(plan.status.abort);
    let message = "RolloutAborted: Rollout aborted update to revision 2";
    assert_eq!(plan.status.message.as_deref(), Some(message));
    let cause = format!("ReplicaSet \"{set}\" has timed out progressing.");
    let told: Vec<_> = plan.events.iter().filter(|event| event.reason == "RolloutAborted").collect();
    let said: Vec<_> = told.iter().map(|event| event.message.as_str()).collect();
    assert_eq!(said, [cause.as_str(), "Rollout aborted update to revision 2"], "the cause first");
    assert_eq!(plan.status.phase.as_deref(), Some("Degraded"));
}

#[test]
fn a_late_canary_is_not_aborted_otherwise() {
    for (name, scene) in [
        ("the spec does not say so", late(false)),
        (
            "it has moved at last",
            late(true).edit(|world| {
                let set = world.replica_sets.last_mut().unwrap();
                (set.pods.available, set.ready) = (1, 1);
            }),
        ),
        ("there is a new revision", late(true).update("v3")),
        (
            "stable is late itself",
            base().spec(json!({"progressDeadlineAbort": true})).pods("v1", 4, 1).wait(700).fold(),
        ),
    ] {
        assert!(!scene.plan().status.abort, "{name}");
    }
}
