//! A restart replaces every pod that is older than its moment, by eviction, and never more at once than may be away.

use jiff::SignedDuration;
use serde_json::json;
use serin_core::Plan;
use serin_core::pod::{Pod, needed, show};
use serin_core::seen::Seen;
use serin_core::world::WriteRefusal;
use serin_core::write::Effect;
use serin_testkit::scene::{BEGINNING, Scene, base};

use crate::{phase, pods, stored, waits_for};

/// Names of the pods that a plan evicts.
fn evicted(plan: &Plan) -> Vec<String> {
    let writes = plan.writes.iter().filter(|write| matches!(write.effect, Effect::Evict { .. }));
    writes.map(|write| write.object.name.clone()).collect()
}

/// A restart of all pods is asked for a minute after the beginning, and it is later now.
fn restarting(scene: Scene) -> Scene {
    let at = BEGINNING + SignedDuration::from_secs(60);
    scene.wait(120).spec(json!({"restartAt": at.to_string()})).listed()
}

fn pods_of<'s>(scene: &'s mut Scene, set: &str) -> &'s mut Vec<Pod> {
    match scene.world.pods.get_mut(set) {
        Some(Seen::Fresh(pods)) => pods,
        other => panic!("{other:?}"),
    }
}

#[test]
fn as_many_pods_go_at_once_as_may_be_unavailable_and_at_least_one() {
    for (name, limits, expected) in [
        ("the default, a quarter", json!({}), 1),
        ("two", json!({"maxUnavailable": 2}), 2),
        ("none means one", json!({"maxUnavailable": 0, "maxSurge": 1}), 1),
        ("all", json!({"maxUnavailable": "100%"}), 4),
    ] {
        let plan = restarting(base().canary(limits)).plan();
        assert_eq!(evicted(&plan).len(), expected, "{name}");
        assert_eq!(plan.status.phase.as_deref(), Some("Progressing"), "{name}");
        assert_eq!(plan.status.message.as_deref(), Some("rollout is restarting"), "{name}");
        assert!(waits_for(&plan, "4 pods from before 2026-01-01T00:01:00Z to be replaced"), "{name}");
    }
}

#[test]
fn pods_that_are_scaled_away_are_not_relied_upon() {
    let scene = base().pods("v0", 0, 4).pods("v1", 4, 3);
    let plan = restarting(scene).plan();
    assert_eq!(evicted(&plan), Vec::<String>::new(), "4 pods of v0 still answer, and go");
    assert!(waits_for(&plan, "more than 3 pods to be available, 3 are"), "{:?}", plan.status.gates);
}

#[test]
fn a_restart_ends_when_no_pod_is_older_than_its_moment() {
    let scene = restarting(base());
    let asked = scene.world.rollout.spec.restart_at.clone();
    let (scene, plans) = scene.settle();
    let count: usize = plans.iter().map(|plan| evicted(plan).len()).sum();
    assert_eq!(count, 4, "each pod once");
    assert_eq!(stored(&scene).restarted_at, asked);
    assert_eq!(phase(&stored(&scene)), "Healthy|");
    assert_eq!(pods(&scene, ["v1"]), [4], "no revision is made");
    assert!(needed(&scene.world).is_empty(), "pods are not listed any more");
}

#[test]
fn pods_that_do_not_serve_cost_nothing_and_pods_that_are_new_stay() {
    let mut scene = restarting(base());
    let listed = pods_of(&mut scene, "uid-v1");
    listed[2].ready = false;
    listed[3].created = BEGINNING + SignedDuration::from_secs(60);
    let [broken, new] = [2, 3].map(|index: usize| listed[index].name.clone());
    let pods = scene.world.pods.clone();
    show(&mut scene.world, pods);
    assert_eq!(scene.world.replica_sets[0].pods.available, 3, "a list is newer than a count");
    let plan = scene.plan();
    assert_eq!(evicted(&plan), [broken], "one is away already, which is as many as may be");
    assert!(!evicted(&plan).contains(&new), "created in the very second of the restart");
}

#[test]
fn a_pod_on_its_way_out_is_waited_for_and_not_evicted_again() {
    let mut scene = restarting(base().canary(json!({"maxUnavailable": 2})));
    for (index, pod) in pods_of(&mut scene, "uid-v1").iter_mut().enumerate() {
        pod.deleting = index == 0;
        pod.created += SignedDuration::from_secs(if index == 0 { 0 } else { 90 });
    }
    let plan = scene.plan();
    assert_eq!(evicted(&plan), Vec::<String>::new());
    assert_eq!(plan.status.restarted_at, None);
    assert!(waits_for(&plan, "1 pods from before"), "{:?}", plan.status.gates);
}

#[test]
fn a_refused_eviction_lets_another_pod_go_first_and_is_said() {
    let scene = restarting(base());
    let first = evicted(&scene.plan()).remove(0);
    let message = "Cannot evict pod as it would violate the pod's disruption budget.".to_owned();
    let scene = scene.edit(|world| {
        world.refusals.push(WriteRefusal {
            kind: "Pod".to_owned(),
            object: first.clone(),
            message,
            name_taken: false,
        });
    });
    let plan = scene.plan();
    assert_eq!(evicted(&plan).len(), 1);
    assert_ne!(evicted(&plan), [first]);
    assert!(waits_for(&plan, "disruption budget"), "{:?}", plan.status.gates);
}

#[test]
fn stable_pods_are_replaced_before_those_of_the_canary_and_none_while_sizes_change() {
    let canary = base().steps(json!([{"setWeight": 25}, {"pause": {}}])).update("v2").rest();
    let scene = restarting(canary.canary(json!({"maxUnavailable": "100%"})));
    let names = evicted(&scene.plan());
    assert_eq!(names.len(), 4);
    assert!(names[..3].iter().all(|name| name.starts_with("uid-v1")), "{names:?}");
    let moving = scene.promote_full();
    assert_eq!(evicted(&moving.plan()), Vec::<String>::new(), "the canary grows at the same time");
}

#[test]
fn a_restart_in_the_future_waits_for_its_moment_even_through_an_update() {
    let at = BEGINNING + SignedDuration::from_secs(600);
    let scene = base().spec(json!({"restartAt": at.to_string()})).listed();
    let plan = scene.plan();
    assert_eq!(plan.wake, Some(at + SignedDuration::from_secs(1)));
    assert!(needed(&scene.world).is_empty());
    assert!(waits_for(&plan, "the moment of spec.restartAt"), "{:?}", plan.status.gates);
    let updated = scene.update("v2").rest();
    assert_eq!(stored(&updated).restarted_at, None);
    let updated = updated.edit(|world| world.pods.clear()).listed().wait(700);
    assert_eq!(evicted(&updated.plan()).len(), 1, "pods from before it are still replaced");
}

#[test]
fn a_new_template_replaces_all_pods_anyway() {
    let scene = restarting(base()).update("v2");
    let plan = scene.plan();
    assert_eq!(plan.status.restarted_at, scene.world.rollout.spec.restart_at);
    assert_eq!(evicted(&plan), Vec::<String>::new());
}

#[test]
fn pods_that_cannot_be_listed_are_not_taken_for_replaced() {
    let failed = Seen::Failed("timeout".to_owned());
    let scene = restarting(base()).edit(|world| drop(world.pods.insert("uid-v1".to_owned(), failed)));
    let plan = scene.plan();
    assert_eq!(plan.status.restarted_at, None);
    assert_eq!(evicted(&plan), Vec::<String>::new());
    assert!(waits_for(&plan, "timeout"), "{:?}", plan.status.gates);
}

#[test]
fn a_pod_that_is_ready_and_not_yet_available_takes_nobodys_place() {
    for (name, min_ready_seconds, ready_for, expected) in [
        ("not ready for long enough", 5, Some(4), 0),
        ("ready for long enough", 5, Some(5), 1),
        ("ready is available", 0, Some(0), 1),
        ("nobody knows since when", 5, None, 1),
    ] {
        let mut scene = restarting(base());
        let now = scene.world.now;
        scene.world.replica_sets[0].min_ready_seconds = min_ready_seconds;
        scene.world.rollout.spec.min_ready_seconds = min_ready_seconds;
        let young = &mut pods_of(&mut scene, "uid-v1")[3];
        (young.created, young.ready_since) =
            (now, ready_for.map(|seconds| now - SignedDuration::from_secs(seconds)));
        let pods = scene.world.pods.clone();
        show(&mut scene.world, pods);
        let plan = scene.plan();
        assert_eq!(evicted(&plan).len(), expected, "{name}");
        if expected == 0 {
            assert_eq!(plan.wake, Some(now + SignedDuration::from_secs(1)), "{name}");
        }
    }
}

#[test]
fn a_pod_goes_for_not_serving_only_while_it_does_not_serve() {
    let mut scene = restarting(base().canary(json!({"maxUnavailable": 2})));
    for (index, pod) in pods_of(&mut scene, "uid-v1").iter_mut().enumerate() {
        pod.ready = index != 0;
        pod.resource_version = Some(format!("version-{index}"));
    }
    let pods = scene.world.pods.clone();
    show(&mut scene.world, pods);
    let versions: Vec<Option<String>> = scene
        .plan()
        .writes
        .into_iter()
        .filter_map(|write| match write.effect {
            Effect::Evict { resource_version, .. } => Some(resource_version),
            _ => None,
        })
        .collect();
    assert_eq!(versions, [Some("version-0".to_owned()), None], "the other is one that may be unavailable");
}
