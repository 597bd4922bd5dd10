//! What a revision is: its ReplicaSet, its number, its way to become stable and back again.

use serde_json::{Value, json};
use serin_api::label;
use serin_core::replica::Pods;
use serin_core::world::WriteRefusal;
use serin_testkit::scene::{Scene, base, fresh, template};

use crate::{created, deleted, patches, phase, pods, reasons, running, stored, told, value_at, waits};

fn quarter() -> Value {
    json!([{"setWeight": 25}, {"pause": {}}])
}

/// Makes the World run a version, through all steps.
fn promoted(scene: Scene, version: &str) -> Scene {
    scene.update(version).rest().promote_full().rest()
}

fn annotation<'s>(scene: &'s Scene, version: &str, key: &str) -> Option<&'s str> {
    running(scene, version).annotations.get(key).map(String::as_str)
}

fn rollout_revision(scene: &Scene) -> Option<String> {
    scene.world.rollout.metadata.annotations.as_ref()?.get(label::REVISION).cloned()
}

#[test]
fn the_first_revision_is_stable_at_once() {
    let (scene, plans) = fresh().canary(json!({"steps": quarter()})).settle();
    let status = stored(&scene);
    assert_eq!(status.stable_rs.as_deref(), Some(status.current_pod_hash.as_str()));
    assert_eq!(status.current_step_index, Some(2), "its steps are skipped");
    let hash = status.current_pod_hash.clone();
    assert_eq!(running(&scene, "v1").name, format!("shop-{hash}"));
    assert_eq!(rollout_revision(&scene).as_deref(), Some("1"));
    assert_eq!(annotation(&scene, "v1", label::REVISION), Some("1"));
    let completed = plans.iter().find_map(|plan| told(plan, "RolloutCompleted"));
    assert_eq!(completed, Some(format!("Rollout completed update to revision 1 ({hash}): Initial deploy")));
    assert_eq!(phase(&status), "Healthy|");
}

#[test]
fn the_first_revision_is_stable_once_its_pods_are_asked_for() {
    let (made, _) = fresh().slow().act();
    let plan = made.plan();
    assert_eq!(plan.status.stable_rs, None, "its ReplicaSet is there, its pods are not asked for");
    let (asked, _) = made.act();
    assert_eq!(running(&asked, "v1").pods.available, 0);
    assert_eq!(
        asked.plan().status.stable_rs,
        Some(plan.status.current_pod_hash),
        "whether they are available or not"
    );
}

#[test]
fn a_new_replica_set_is_what_users_tools_expect() {
    let note = [("team".to_owned(), "shop".to_owned()), (label::LAST_APPLIED.to_owned(), "{}".to_owned())];
    let scene = base().edit(|world| world.rollout.metadata.annotations.get_or_insert_default().extend(note));
    let plan = scene.spec(json!({"minReadySeconds": 7})).update("v2").plan();
    let sets = created(&plan, "ReplicaSet");
    assert_eq!(sets.len(), 1);
    let set = &sets[0];
    let hash = plan.status.current_pod_hash.clone();
    for (path, expected) in [
        ("/metadata/name", json!(format!("shop-{hash}"))),
        ("/metadata/namespace", json!("default")),
        ("/metadata/labels", json!({"app": "shop", label::POD_TEMPLATE_HASH: hash})),
        ("/metadata/annotations/team", json!("shop")),
        ("/metadata/ownerReferences/0/uid", json!("uid-shop")),
        ("/metadata/ownerReferences/0/controller", json!(true)),
        ("/spec/replicas", json!(0)),
        ("/spec/minReadySeconds", json!(7)),
        ("/spec/selector/matchLabels", json!({"app": "shop", label::POD_TEMPLATE_HASH: hash})),
        ("/spec/template/metadata/labels", json!({"app": "shop", label::POD_TEMPLATE_HASH: hash})),
        ("/spec/template/spec", template("v2")["spec"].clone()),
    ] {
        assert_eq!(set.pointer(path), Some(&expected), "{path}");
    }
    assert_eq!(set["metadata"]["annotations"][label::REVISION], "2");
    assert_eq!(set["metadata"]["annotations"][label::DESIRED_REPLICAS], "4");
    assert_eq!(set["metadata"]["annotations"].get(label::LAST_APPLIED), None);
}

#[test]
fn an_update_goes_through_its_steps_and_becomes_stable() {
    let (scene, _) = base().steps(quarter()).update("v2").settle();
    assert_eq!(pods(&scene, ["v2", "v1"]), [1, 3]);
    assert_eq!(stored(&scene).stable_rs.as_deref(), Some("v1"), "not before its steps are done");
    assert_eq!(rollout_revision(&scene).as_deref(), Some("2"));
    let (scene, _) = scene.promote().settle();
    assert_eq!(pods(&scene, ["v2", "v1"]), [4, 0]);
    let status = stored(&scene);
    assert_eq!(status.stable_rs, Some(running(&scene, "v2").hash.clone()));
    assert_eq!(status.current_step_index, Some(2));
    assert_eq!(phase(&status), "Healthy|");
}

#[test]
fn a_third_revision_takes_the_place_of_the_second() {
    for (name, scene, before, after) in
        [("by pods", base(), [1, 3], [1, 0, 3]), ("by a router", base().routed(), [1, 4], [1, 0, 4])]
    {
        let (scene, _) = scene.steps(quarter()).update("v2").settle();
        assert_eq!(pods(&scene, ["v2", "v1"]), before, "{name}");
        let (scene, _) = scene.update("v3").settle();
        assert_eq!(pods(&scene, ["v3", "v2", "v1"]), after, "{name}");
        let status = stored(&scene);
        assert_eq!(status.stable_rs.as_deref(), Some("v1"), "{name}: the way back is to v1");
        assert_eq!(status.current_step_index, Some(1), "{name}: v3 went through its own steps");
        assert_eq!(rollout_revision(&scene).as_deref(), Some("3"), "{name}");
        let (scene, _) = scene.promote().settle();
        assert_eq!(stored(&scene).stable_rs, Some(running(&scene, "v3").hash.clone()), "{name}");
    }
}

#[test]
fn an_undo_to_stable_skips_the_steps() {
    for (name, scene) in [("by pods", base()), ("by a router", base().routed())] {
        let (scene, _) = scene.steps(quarter()).update("v2").settle();
        let plan = scene.clone().update("v1").plan();
        assert_eq!(told(&plan, "SkipSteps").as_deref(), Some("Rollback to stable ReplicaSets"), "{name}");
        assert_eq!(plan.status.current_step_index, Some(2), "{name}");
        assert_eq!(plan.status.current_pod_hash, "v1", "{name}");
        let (scene, plans) = scene.update("v1").settle();
        let (scene, _) = scene.wait(31).settle();
        assert_eq!(pods(&scene, ["v2", "v1"]), [0, 4], "{name}");
        assert_eq!(phase(&stored(&scene)), "Healthy|", "{name}");
        assert!(!reasons(&plans).contains(&"RolloutStepCompleted".to_owned()), "{name}: no step is run");
        assert_eq!(
            annotation(&scene, "v1", label::REVISION),
            Some("3"),
            "{name}: its number moves to the top"
        );
        assert_eq!(annotation(&scene, "v1", label::REVISION_HISTORY), Some("1"), "{name}");
    }
}

#[test]
fn an_undo_to_an_older_revision_runs_its_steps_and_uses_its_replica_set() {
    let scene = promoted(base().steps(quarter()), "v2");
    let (scene, plans) = scene.update("v1").settle();
    assert!(!reasons(&plans).contains(&"NewReplicaSetCreated".to_owned()), "the old one is used again");
    assert!(!reasons(&plans).contains(&"SkipSteps".to_owned()));
    assert_eq!(pods(&scene, ["v1", "v2"]), [1, 3]);
    assert_eq!(stored(&scene).current_step_index, Some(1));
    assert_eq!(annotation(&scene, "v1", label::REVISION), Some("3"));
    let scene = promoted(promoted(scene.promote().rest(), "v2"), "v1");
    assert_eq!(annotation(&scene, "v1", label::REVISION), Some("5"));
    assert_eq!(annotation(&scene, "v1", label::REVISION_HISTORY), Some("1,3"), "every number it had");
    assert_eq!(annotation(&scene, "v2", label::REVISION_HISTORY), Some("2"));
}

#[test]
fn changed_steps_begin_the_attempt_again() {
    let (scene, _) = base().steps(quarter()).update("v2").settle();
    let plan = scene.clone().canary(json!({"steps": [{"setWeight": 50}, {"pause": {}}]})).plan();
    assert_eq!(plan.status.current_step_index, Some(0));
    assert_eq!(plan.status.pause_conditions, None);
    let plan = scene.canary(json!({"maxSurge": 2})).plan();
    assert_eq!(plan.status.current_step_index, Some(1), "other fields of the strategy do not");
}

#[test]
fn a_replica_set_with_the_same_template_is_adopted() {
    let injected = json!({"labels": {"role": "stable"}, "annotations": {"since": "today"}});
    let ephemeral = base().set("v1", |set| {
        set.template["metadata"]["labels"]["role"] = json!("stable");
        set.template["metadata"]["annotations"] = json!({"since": "today"});
        set.annotations.insert(label::EPHEMERAL_METADATA.to_owned(), injected.to_string());
    });
    let anti_affinity = base().set("v1", |set| {
        set.template["spec"]["affinity"] = json!({"podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [{
                "topologyKey": "kubernetes.io/hostname",
                "labelSelector": {"matchExpressions": [
                    {"key": label::POD_TEMPLATE_HASH, "operator": "In", "values": ["v0"]},
                ]},
            }],
        }});
    });
    for (name, scene, adopted) in [
        ("with the defaults of the API server", base(), true),
        ("with ephemeral metadata that is recorded", ephemeral, true),
        (
            "with a label that nobody recorded",
            base().set("v1", |set| set.template["metadata"]["labels"]["role"] = json!("stable")),
            false,
        ),
        ("with the anti-affinity of revisions", anti_affinity, true),
        (
            "with another environment",
            base().set("v1", |set| {
                set.template["spec"]["containers"][0]["env"] = json!([{"name": "A", "value": "1"}]);
            }),
            false,
        ),
        (
            "with another grace period than the default",
            base().set("v1", |set| set.template["spec"]["terminationGracePeriodSeconds"] = json!(60)),
            false,
        ),
        ("but on its way out", base().set("v1", |set| set.deleting = true), false),
    ] {
        let plan = scene.plan();
        assert_eq!(plan.status.current_pod_hash == "v1", adopted, "{name}");
        assert_eq!(created(&plan, "ReplicaSet").is_empty(), adopted, "{name}");
    }
}

#[test]
fn of_two_equal_replica_sets_the_one_with_the_hash_is_new_else_the_older() {
    let twice = |hash: &str| {
        let scene = base();
        let mut twin = running(&scene, "v1").clone();
        (twin.name, twin.uid, twin.hash) = (format!("shop-{hash}"), format!("uid-{hash}"), hash.to_owned());
        twin.created = "2026-01-01T01:00:00Z".parse().unwrap();
        twin.pods = Pods::default();
        scene.edit(|world| world.replica_sets.push(twin))
    };
    let hash = stored(&fresh().rest()).current_pod_hash;
    assert_eq!(twice("other").plan().status.current_pod_hash, "v1", "the older");
    assert_eq!(twice(&hash).plan().status.current_pod_hash, hash, "the one with the hash");
}

#[test]
fn a_collision_count_makes_another_hash() {
    let hash = |collisions: Option<i32>| {
        let scene = base().update("v2").status(|status| status.collision_count = collisions);
        let plan = scene.plan();
        assert_eq!(plan.status.collision_count, collisions, "it is kept");
        let name = format!("shop-{}", plan.status.current_pod_hash);
        assert_eq!(created(&plan, "ReplicaSet")[0]["metadata"]["name"], name.as_str());
        name
    };
    assert_ne!(hash(None), hash(Some(1)));
    assert_ne!(hash(Some(1)), hash(Some(2)));
}

/// Old ReplicaSets `a`, `b`, `c`, `d` beside stable, from the oldest to the youngest, and so many pods of each.
fn with_history(limit: Value, old: [i32; 4]) -> Scene {
    let names = ["a", "b", "c", "d"];
    let scene =
        names.into_iter().zip(old).fold(base(), |scene, (name, count)| scene.pods(name, count, count));
    let moment = |position: usize| format!("2025-01-01T00:00:0{position}Z").parse().unwrap();
    let scene = names
        .into_iter()
        .enumerate()
        .fold(scene, |scene, (position, name)| scene.set(name, |set| set.created = moment(position)));
    scene.spec(json!({"revisionHistoryLimit": limit}))
}

#[test]
fn history_beyond_its_limit_is_deleted() {
    for (name, scene, expected) in [
        ("ten are kept unless said otherwise", with_history(Value::Null, [0; 4]), vec![]),
        ("as many as there are", with_history(json!(4), [0; 4]), vec![]),
        ("the oldest go first", with_history(json!(2), [0; 4]), vec!["shop-a", "shop-b"]),
        ("none is kept", with_history(json!(0), [0; 4]), vec!["shop-a", "shop-b", "shop-c", "shop-d"]),
        (
            "one with pods stays, and no younger one goes for it",
            with_history(json!(2), [1, 0, 0, 0]),
            vec!["shop-b"],
        ),
        (
            "one whose pods have yet to leave stays",
            with_history(json!(3), [0; 4])
                .set("a", |set| set.pods = Pods { spec: 0, current: 1, available: 0 }),
            vec![],
        ),
        (
            "one on its way out does not count",
            with_history(json!(3), [0; 4]).set("d", |set| set.deleting = true),
            vec![],
        ),
    ] {
        assert_eq!(deleted(&scene.plan(), "ReplicaSet"), expected, "{name}");
    }
}

#[test]
fn stable_and_new_are_no_history() {
    let (scene, _) = base().spec(json!({"revisionHistoryLimit": 0})).steps(quarter()).update("v2").settle();
    assert_eq!(scene.world.replica_sets.len(), 2);
    let (scene, _) = scene.promote().settle();
    assert_eq!(scene.world.replica_sets.len(), 1, "what was stable goes when it has no pods");
    assert_eq!(running(&scene, "v2").pods.spec, 4);
}

#[test]
fn annotations_of_the_rollout_are_copied_to_the_new_replica_set() {
    let scene = base().edit(|world| {
        let annotations = world.rollout.metadata.annotations.get_or_insert_default();
        annotations.insert("team".to_owned(), "shop".to_owned());
        annotations.insert(label::NOTIFIED.to_owned(), "{}".to_owned());
    });
    let plan = scene.plan();
    let sets = patches(&plan, "ReplicaSet");
    assert_eq!(sets.len(), 1);
    assert_eq!(value_at(&sets[0].1, "/metadata/annotations/team"), Some(&json!("shop")));
    assert_eq!(value_at(&sets[0].1, &format!("/metadata/annotations/{}", label::NOTIFIED)), None);
}

#[test]
fn changed_steps_of_a_stable_revision_change_nothing_else() {
    let scene =
        base().steps(quarter()).canary(json!({"steps": [{"pause": {}}, {"pause": {}}, {"pause": {}}]}));
    let plan = scene.plan();
    assert_eq!(plan.status.current_step_index, Some(3), "all steps are done");
    assert_eq!(phase(&plan.status), "Healthy|");
    assert!(plan.writes.is_empty(), "{:?}", plan.writes);
    assert_eq!(reasons([&plan]), ["SkipSteps"], "and that is told");
}

#[test]
fn a_full_promotion_of_what_is_stable_is_forgotten() {
    let plan = base().promote_full().plan();
    assert!(!plan.status.promote_full);
    assert_eq!(phase(&plan.status), "Healthy|");
}

#[test]
fn what_was_stable_behind_a_router_stays_for_a_fast_way_back() {
    for (name, strategy, last_second) in [
        ("30 s unless said otherwise", json!({}), 29),
        ("as long as said", json!({"scaleDownDelaySeconds": 90}), 89),
    ] {
        let scene = base().routed().canary(strategy).steps(quarter()).update("v2").rest();
        let (scene, _) = scene.promote().settle();
        assert_eq!(phase(&stored(&scene)), "Healthy|", "{name}: it is not waited for");
        assert_eq!(pods(&scene, ["v2", "v1"]), [4, 4], "{name}");
        let (last, _) = scene.wait(last_second).settle();
        assert_eq!(pods(&last, ["v2", "v1"]), [4, 4], "{name}: until the last second");
        let (gone, _) = last.wait(1).settle();
        assert_eq!(pods(&gone, ["v2", "v1"]), [4, 0], "{name}: then it goes");
    }
    let scene =
        base().routed().canary(json!({"scaleDownDelaySeconds": 0})).steps(quarter()).update("v2").rest();
    assert_eq!(pods(&scene.promote().rest(), ["v2", "v1"]), [4, 0], "no delay");
}

#[test]
fn a_name_that_a_stranger_has_is_left_to_him() {
    let taken = |scene: Scene| {
        let object = format!("ReplicaSet default/shop-{}", scene.plan().status.current_pod_hash);
        let message = format!("{object} already exists");
        scene.edit(|world| {
            world.refusals.push(WriteRefusal {
                object,
                message,
                name_taken: true,
                kind: "ReplicaSet".to_owned(),
            })
        })
    };
    let scene = base().update("v2").fold();
    let first = stored(&scene).current_pod_hash;
    let scene = taken(scene);
    let plan = scene.plan();
    assert_eq!(plan.status.collision_count, Some(1));
    let second = plan.status.current_pod_hash.clone();
    assert_ne!(second, first);
    let created = created(&plan, "ReplicaSet");
    assert_eq!(created[0]["metadata"]["name"], json!(format!("shop-{second}")));
    let gates = waits(&plan);
    assert!(
        !gates.iter().any(|wait| wait.contains("already exists")),
        "nobody has to do anything: {gates:?}"
    );
    let again = taken(scene.fold().edit(|world| world.refusals.clear()));
    assert_eq!(again.plan().status.collision_count, Some(2), "and so on");
    let (end, _) = again.settle();
    assert_eq!((phase(&stored(&end)), stored(&end).collision_count), ("Healthy|".to_owned(), Some(2)));
    let undone = end.update("v1").rest();
    assert_eq!(stored(&undone).current_pod_hash, "v1", "older revisions are known by their template");
}

#[test]
fn a_refusal_for_another_reason_is_no_collision() {
    let scene = base().update("v2").fold();
    let object = format!("ReplicaSet default/shop-{}", stored(&scene).current_pod_hash);
    let refusal = WriteRefusal {
        object,
        message: "quota".to_owned(),
        name_taken: false,
        kind: "ReplicaSet".to_owned(),
    };
    let plan = scene.edit(|world| world.refusals.push(refusal)).plan();
    assert_eq!(plan.status.collision_count, None);
}
