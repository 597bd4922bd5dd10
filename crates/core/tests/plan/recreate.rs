//! `updateType: Recreate`: all older pods are gone before new ones start, forward and back.

use serde_json::{Value, json};
use serin_core::pod::{Pod, needed};
use serin_core::seen::Seen;
use serin_core::world::WriteRefusal;
use serin_testkit::scene::{Scene, base, fresh};

use crate::{condition, created, phase, pods, scaled, sizes, stored, waits_for};

fn at_rest() -> Scene {
    base().canary(json!({"updateType": "Recreate"})).rest()
}

/// What is listed of the pods of each version: whether each of them has ended.
fn listed<const N: usize>(scene: Scene, versions: [(&str, &[bool]); N]) -> Scene {
    let lists = versions.map(|(version, ended)| {
        let pods =
            ended.iter().map(|ended| Pod { ended: *ended, deleting: true, ..Pod::default() }).collect();
        (format!("uid-{version}"), Seen::Fresh(pods))
    });
    scene.edit(|world| world.pods = lists.into())
}

/// `v2` is to follow, and exists without pods.
fn replacing() -> Scene {
    at_rest().update("v2").pods("v2", 0, 0)
}

#[test]
fn old_pods_go_first_and_new_ones_wait_for_their_end() {
    for (name, old, list, expected, waits) in [
        (
            "all old pods go at once",
            (4, 4),
            None,
            sizes([("v1", 0)]),
            Some("4 pods of older revisions to be gone"),
        ),
        ("also those that do not answer", (4, 1), None, sizes([("v1", 0)]), Some("4 pods of older")),
        (
            "without a list nothing starts",
            (0, 0),
            None,
            sizes([]),
            Some("to be listed: ReplicaSet shop-v1: not done yet"),
        ),
        (
            "nor while one is on its way out",
            (0, 0),
            Some(&[false, true][..]),
            sizes([]),
            Some("1 pods of older revisions to be gone"),
        ),
        ("one that has ended is gone", (0, 0), Some(&[true][..]), sizes([("v2", 4)]), None),
        ("then all new ones start at once", (0, 0), Some(&[][..]), sizes([("v2", 4)]), None),
    ] {
        let scene = replacing().pods("v1", old.0, old.1);
        let scene = match list {
            Some(list) => listed(scene, [("v1", list), ("v2", &[])]),
            None => scene,
        };
        let plan = scene.plan();
        assert_eq!(scaled(&plan), expected, "{name}");
        match waits {
            Some(text) => {
                assert!(waits_for(&plan, text), "{name}: {:?}", plan.status.gates);
                assert_eq!(
                    plan.wake.map(|at| (at - scene.world.now).get_seconds()),
                    Some(2),
                    "{name}: it looks again"
                );
            }
            None => assert!(!waits_for(&plan, "older revisions"), "{name}: {:?}", plan.status.gates),
        }
    }
}

#[test]
fn counted_pods_of_old_revisions_hold_although_none_is_asked_for() {
    let scene = replacing().set("v1", |set| (set.pods.spec, set.pods.current) = (0, 1));
    let plan = listed(scene, [("v1", &[]), ("v2", &[])]).plan();
    assert_eq!(scaled(&plan), sizes([]));
    assert!(waits_for(&plan, "1 pods of older revisions"));
}

#[test]
fn an_update_says_that_nothing_is_available_and_ends_healthy() {
    let (scene, plans) = listed(at_rest(), [("v1", &[])]).update("v2").settle();
    assert_eq!((phase(&stored(&scene)).as_str(), pods(&scene, ["v1", "v2"])), ("Healthy|", [0, 4]));
    let dark = plans.iter().find(|plan| plan.status.available_replicas == 0);
    let dark = dark.unwrap_or_else(|| panic!("old and new pods ran beside each other"));
    let said = condition(&dark.status, "Available");
    assert_eq!(said.as_deref(), Some("False|AvailableReason|Rollout does not have minimum availability"));
    assert!(phase(&dark.status).starts_with("Progressing|"), "{}", phase(&dark.status));
}

#[test]
fn an_abort_goes_back_by_the_same_rule() {
    let broken = || replacing().pods("v1", 0, 0).pods("v2", 4, 0).fold().abort();
    assert_eq!(scaled(&broken().plan()), sizes([("v2", 0)]), "the new ones go first");
    let gone = broken().pods("v2", 0, 0);
    assert_eq!(scaled(&listed(gone.clone(), [("v1", &[]), ("v2", &[false])]).plan()), sizes([]));
    let scene = listed(gone, [("v1", &[]), ("v2", &[])]);
    assert_eq!(scaled(&scene.plan()), sizes([("v1", 4)]));
    let scene = scene.rest();
    assert_eq!(pods(&scene, ["v1", "v2"]), [4, 0]);
    assert_eq!(phase(&stored(&scene)), "Degraded|RolloutAborted: Rollout aborted update to revision 2");
}

#[test]
fn an_abort_before_the_end_of_the_old_pods_keeps_those_that_run() {
    let plan = replacing().fold().abort().plan();
    assert_eq!(scaled(&plan), sizes([]), "4 pods of v1 run still, and v2 has none");
}

#[test]
fn no_old_pod_goes_for_a_replica_set_that_cannot_be_made() {
    let scene = at_rest().update("v2");
    assert_eq!((created(&scene.plan(), "ReplicaSet").len(), scaled(&scene.plan())), (1, sizes([])));
    let refused = scene.edit(|world| {
        world.refusals = vec![WriteRefusal {
            kind: "ReplicaSet".to_owned(),
            object: "ReplicaSet default/shop-v2".to_owned(),
            message: "quota".to_owned(),
            name_taken: false,
        }];
    });
    assert_eq!(scaled(&refused.plan()), sizes([]));
}

#[test]
fn replicas_are_followed_at_rest() {
    for replicas in [0, 2, 9] {
        assert_eq!(pods(&at_rest().replicas(replicas).rest(), ["v1"]), [replicas]);
    }
    let first = fresh().canary(json!({"updateType": "Recreate"})).rest();
    assert_eq!(phase(&stored(&first)), "Healthy|");
}

#[test]
fn pods_are_listed_only_while_they_decide() {
    let names = |scene: &Scene| needed(&scene.world).len();
    for (name, scene, lists) in [
        ("not at rest", at_rest(), 0),
        ("not while ReplicaSets count pods", replacing(), 0),
        ("when they count none", replacing().pods("v1", 0, 0), 2),
        ("not when the new ones are asked for", replacing().pods("v1", 0, 0).pods("v2", 4, 0), 0),
        ("nor without Recreate", base().update("v2").pods("v2", 0, 0).pods("v1", 0, 0), 0),
    ] {
        assert_eq!(names(&scene), lists, "{name}");
    }
}

#[test]
fn rolling_update_is_what_a_canary_without_steps_is() {
    let rolling = |word: Value| {
        let scene = base().canary(json!({"updateType": word})).rest();
        scene.update("v2").settle().1.iter().map(scaled).collect::<Vec<_>>()
    };
    assert_eq!(rolling(json!("RollingUpdate")), rolling(Value::Null));
}
