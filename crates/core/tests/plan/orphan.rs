//! ReplicaSets that a Rollout left behind are taken over by the next one of its selector.

use serde_json::json;
use serin_core::orphan::Orphan;
use serin_core::world::WriteRefusal;
use serin_testkit::scene::{base, fresh};

use crate::{created, patches, running, value_at};

#[test]
fn replica_sets_that_nobody_controls_are_taken_over_before_anything_else() {
    let orphan = |name: &str, app: &str, owned: bool| Orphan {
        name: name.to_owned(),
        version: "7".to_owned(),
        labels: [("app".to_owned(), app.to_owned())].into(),
        owned,
    };
    let scene = fresh().edit(|world| {
        world.orphans = vec![
            orphan("shop-v1", "shop", false),
            orphan("shop-v0", "shop", true),
            orphan("cart-v1", "cart", false),
        ];
    });
    let plan = scene.plan();
    let taken = patches(&plan, "ReplicaSet");
    let names: Vec<_> = taken.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["shop-v1", "shop-v0"], "those of the selector");
    assert!(created(&plan, "ReplicaSet").is_empty(), "the current template may be among them");
    for ((name, patch), path) in
        taken.iter().zip(["/metadata/ownerReferences", "/metadata/ownerReferences/-"])
    {
        assert_eq!(
            patch[0],
            json!({"op": "test", "path": "/metadata/resourceVersion", "value": "7"}),
            "{name}"
        );
        let owner = value_at(patch, path)
            .map(|value| if value.is_array() { value[0].clone() } else { value.clone() });
        let uid = scene.world.rollout.metadata.uid.clone();
        assert_eq!(
            owner.map(|owner| (owner["uid"].clone(), owner["controller"].clone())),
            Some((json!(uid), json!(true))),
            "{name}"
        );
    }
    assert!(plan.events.is_empty() && plan.status.current_pod_hash.is_empty(), "nothing is decided before");
}

#[test]
fn a_name_that_was_refused_and_is_ours_now_is_no_collision() {
    let scene = base().update("v2").rest();
    let object = format!("ReplicaSet default/{}", running(&scene, "v2").name);
    let (kind, message) = ("ReplicaSet".to_owned(), "already exists".to_owned());
    let refusal = WriteRefusal { kind, object, message, name_taken: true };
    let plan = scene.edit(|world| world.refusals.push(refusal)).plan();
    assert_eq!(plan.status.collision_count, None);
    assert!(created(&plan, "ReplicaSet").is_empty());
}
