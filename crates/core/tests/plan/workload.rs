//! A Rollout that refers to another workload: its template is the one there, and that workload gives up its pods.

use serde_json::{Value, json};
use serin_api::{RolloutStatus, label};
use serin_core::Plan;
use serin_core::seen::{ObjectKey, Seen};
use serin_core::workload::{Reference, Workload};
use serin_testkit::scene::{Scene, base, fresh, template};

use crate::{condition, created, patches, phase, pods, running, stored, value_at, waits_for};

fn deployment(version: &str, generation: i64) -> Workload {
    Workload::read(&json!({
        "metadata": {"uid": "uid-deployment", "generation": generation},
        "spec": {"replicas": 4, "selector": {"matchLabels": {"app": "shop"}}, "template": template(version)},
    }))
}

fn refers(scene: Scene, seen: Seen<Workload>) -> Scene {
    let object = ObjectKey::new("apps", "v1", "Deployment", "default", "shop-old");
    let reference = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop-old"});
    scene
        .spec(json!({"template": null, "selector": null, "workloadRef": reference}))
        .edit(|world| world.workload = Some(Reference { object, seen }))
}

fn follows(scene: Scene, version: &str, generation: i64) -> Scene {
    refers(scene, Seen::Fresh(deployment(version, generation)))
}

fn mode(scene: Scene, mode: &str) -> Scene {
    scene.spec(json!({"workloadRef": {"scaleDown": mode}}))
}

fn observed_generation(plan: &Plan) -> (Option<Value>, String) {
    let patches = patches(plan, "Rollout");
    let path = format!("/metadata/annotations/{}", label::WORKLOAD_GENERATION.replace('/', "~1"));
    let written = patches.iter().find_map(|(_, patch)| value_at(patch, &path).cloned());
    (written, plan.status.workload_observed_generation.clone())
}

#[test]
fn the_template_and_the_selector_are_those_of_the_workload() {
    let plan = follows(fresh(), "v1", 3).plan();
    let set = &created(&plan, "ReplicaSet")[0];
    assert_eq!(set["spec"]["template"]["spec"], template("v1")["spec"]);
    assert_eq!(set["spec"]["selector"]["matchLabels"]["app"], "shop");
    assert_eq!(plan.status.selector, "app=shop");
    assert_eq!(
        plan.status.current_pod_hash,
        fresh().plan().status.current_pod_hash,
        "as with its own template"
    );
    assert_eq!(observed_generation(&plan).1, "3");
    let (next, _) = follows(fresh(), "v1", 3).act();
    assert_eq!(observed_generation(&next.plan()), (Some(json!("3")), "3".to_owned()));
}

#[test]
fn a_change_of_the_workload_starts_an_update() {
    let steps = json!({"steps": [{"setWeight": 25}, {"pause": {}}]});
    let scene = follows(base().canary(steps), "v1", 1).rest();
    assert_eq!(phase(&stored(&scene)), "Healthy|", "adopted as it is");
    assert_eq!(observed_generation(&scene.plan()), (None, "1".to_owned()), "written once");
    let scene = follows(scene, "v2", 2).rest();
    assert_eq!(pods(&scene, ["v2", "v1"]), [1, 3]);
    assert_eq!(stored(&scene).workload_observed_generation, "2");
    let scene = scene.abort().rest();
    assert_eq!(pods(&scene, ["v2", "v1"]), [0, 4]);
}

#[test]
fn a_workload_that_is_missing_is_named_and_the_rollout_recovers_by_itself() {
    let first = refers(fresh(), Seen::Absent).plan();
    let text = "The Rollout \"shop\" is invalid: deployments.apps \"default/shop-old\" not found";
    assert_eq!(condition(&first.status, "InvalidSpec"), Some(format!("True|InvalidSpec|{text}")));
    assert!(waits_for(&first, "deployments.apps"), "{:?}", first.status.gates);
    let running_one = follows(base(), "v1", 1).rest();
    let gone = refers(running_one, Seen::Absent).rest();
    assert_eq!(condition(&stored(&gone), "InvalidSpec"), Some(format!("True|InvalidSpec|{text}")));
    assert_eq!(pods(&gone.clone().replicas(6).rest(), ["v1"]), [6], "pods go on following spec.replicas");
    let back = follows(gone, "v1", 2).rest();
    assert_eq!(phase(&stored(&back)), "Healthy|");
}

#[test]
fn an_abort_works_while_the_workload_is_missing() {
    let steps = json!({"steps": [{"setWeight": 25}, {"pause": {}}]});
    let scene = follows(follows(base().canary(steps), "v1", 1).rest(), "v2", 2).rest();
    let scene = refers(scene, Seen::Absent).abort().rest();
    assert_eq!(pods(&scene, ["v2", "v1"]), [0, 4]);
}

#[test]
fn a_workload_that_cannot_be_read_is_not_missing() {
    let failed = || Seen::Failed("no permission".to_owned());
    let plan = refers(fresh(), failed()).plan();
    assert!(plan.writes.is_empty() && plan.events.is_empty());
    assert_eq!(plan.status.conditions, RolloutStatus::default().conditions);
    assert!(waits_for(&plan, "no permission"), "{:?}", plan.status.gates);
    let scene = refers(follows(base(), "v1", 1).rest(), failed()).rest();
    assert_eq!(phase(&stored(&scene)), "Healthy|", "what runs stays as it is");
}

/// Sizes that a plan gives the Deployment, and what it notes there.
fn given(plan: &Plan) -> Option<(Value, Value)> {
    let patches = patches(plan, "Deployment");
    let (_, patch) = patches.first()?;
    let path = format!("/metadata/annotations/{}", label::HANDOVER.replace('/', "~1"));
    Some((value_at(patch, "/spec/replicas")?.clone(), value_at(patch, &path)?.clone()))
}

/// The first revision runs, and so many of its pods are available.
fn first(scale_down: &str, available: i32) -> Scene {
    let scene = mode(follows(fresh().slow(), "v1", 1), scale_down);
    let (scene, _) = scene.act();
    let (scene, _) = scene.act();
    let uid = running(&scene, "v1").uid.clone();
    scene.edit(|world| {
        let set = world.replica_sets.iter_mut().find(|set| set.uid == uid);
        let set = set.unwrap_or_else(|| panic!("no ReplicaSet"));
        (set.pods.spec, set.pods.current, set.pods.available, set.ready) = (4, 4, available, available);
    })
}

fn size(scene: Scene, replicas: i32, handover: &str) -> Scene {
    scene.edit(|world| {
        if let Some(Seen::Fresh(workload)) = world.workload.as_mut().map(|reference| &mut reference.seen) {
            (workload.replicas, workload.handover) = (Some(replicas), Some(format!("uid-shop/{handover}")));
        }
    })
}

#[test]
fn the_workload_gives_up_its_pods_as_it_is_told() {
    for (name, scale_down, available, expected) in [
        ("never", "never", 4, None),
        ("on success, not before", "onsuccess", 3, None),
        ("on success", "onsuccess", 4, Some((0, "done"))),
        ("progressively, not before a pod is available", "progressively", 0, None),
        ("progressively, one by one", "progressively", 1, Some((3, "4"))),
        ("progressively, until none is left", "progressively", 4, Some((0, "done"))),
    ] {
        let scene = first(scale_down, available).fold();
        let expected = expected.map(|(size, state)| (json!(size), json!(format!("uid-shop/{state}"))));
        assert_eq!(given(&scene.plan()), expected, "{name}");
    }
}

#[test]
fn a_workload_takes_its_pods_back_when_the_rollout_fails_before_it_was_healthy() {
    let scene = size(first("progressively", 1), 3, "4");
    assert_eq!(given(&scene.plan()), None, "as it should be");
    let failed = size(first("progressively", 0), 1, "4");
    assert_eq!(given(&failed.plan()), Some((json!(4), json!("uid-shop/4"))));
    let more = size(first("progressively", 1).replicas(40), 1, "4");
    assert_eq!(given(&more.plan()).map(|given| given.0), Some(json!(4)), "never more than it had");
}

#[test]
fn a_workload_that_somebody_scales_up_later_is_left_alone() {
    let done = size(first("onsuccess", 4).fold(), 2, "done");
    assert_eq!(given(&done.plan()), None);
    let seventh = [(label::REVISION.to_owned(), "7".to_owned())];
    let elsewhere = follows(base().set("v1", |set| set.annotations.extend(seventh)), "v1", 1).rest();
    assert_eq!(
        given(&mode(elsewhere, "onsuccess").rest().plan()),
        None,
        "not the first revision, healthy before"
    );
}
