//! What pods carry for the role of their revision, and what keeps new ones away from stable ones: in place, nothing restarts.

use serde_json::{Value, json};
use serin_api::label;
use serin_core::pod::needed;
use serin_core::seen::Seen;
use serin_testkit::scene::{Scene, base, fresh};

use crate::{created, patches, pods, reasons, running, stored, value_at};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

fn roles() -> Value {
    json!({
        "steps": [{"setWeight": 25}, {"pause": {}}],
        "canaryMetadata": {"labels": {"role": "canary"}, "annotations": {"note": "new/here"}},
        "stableMetadata": {"labels": {"role": "stable"}},
    })
}

/// Label `role` in the template of a version, and on each of its pods.
fn role(scene: &Scene, version: &str) -> (Option<String>, Vec<Option<String>>) {
    let set = running(scene, version);
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let listed = match scene.world.pods.get(&set.uid) {
        Some(Seen::Fresh(pods)) => pods.iter().map(|pod| pod.labels.get("role").cloned()).collect(),
        _ => Vec::new(),
    };
    (text(set.template.pointer("/metadata/labels/role")), listed)
}

fn all(role: &str, pods: usize) -> (Option<String>, Vec<Option<String>>) {
    (Some(role.to_owned()), vec![Some(role.to_owned()); pods])
}

#[test]
fn a_revision_is_created_with_the_metadata_of_its_role_and_its_hash_ignores_it() {
    let first = fresh().canary(roles()).plan();
    assert_eq!(created(&first, "ReplicaSet")[0]["spec"]["template"]["metadata"]["labels"]["role"], "stable");
    let plain = base().update("v2").plan();
    let plan = base().canary(roles()).rest().update("v2").plan();
    let set = &created(&plan, "ReplicaSet")[0];
    assert_eq!(set["spec"]["template"]["metadata"]["labels"]["role"], "canary");
    assert_eq!(set["spec"]["template"]["metadata"]["annotations"]["note"], "new/here");
    assert_eq!(set["metadata"]["labels"]["role"], Value::Null, "the ReplicaSet itself is not part of it");
    assert_eq!(set["spec"]["selector"]["matchLabels"]["role"], Value::Null);
    assert_eq!(
        set["metadata"]["annotations"][label::EPHEMERAL_METADATA],
        r#"{"labels":{"role":"canary"},"annotations":{"note":"new/here"}}"#
    );
    assert_eq!(plan.status.current_pod_hash, plain.status.current_pod_hash);
}

#[test]
fn pods_change_their_role_with_their_revision_and_keep_running() {
    let scene = base().listed().canary(roles());
    let (scene, plans) = scene.settle();
    assert_eq!(role(&scene, "v1"), all("stable", 4), "also pods that lived before");
    assert!(!reasons(&plans).contains(&"ScalingReplicaSet".to_owned()), "none is restarted");
    assert!(needed(&scene.world).is_empty(), "and then pods are not listed any more");
    let scene = scene.update("v2").rest().listed();
    assert_eq!(pods(&scene, ["v2", "v1"]), [1, 3]);
    assert_eq!(role(&scene, "v2"), all("canary", 1));
    let (scene, plans) = scene.promote_full().settle();
    assert_eq!(role(&scene, "v2"), all("stable", 4));
    let set = running(&scene, "v2");
    assert_eq!(set.template.pointer("/metadata/annotations/note"), None, "what the role no longer has goes");
    assert!(!set.annotations.contains_key(label::PODS_BEHIND));
    let moved: Vec<_> = plans.iter().flat_map(|plan| patches(plan, "Pod")).collect();
    assert!(!moved.is_empty(), "living pods are patched");
}

#[test]
fn metadata_that_is_taken_out_of_the_spec_is_taken_off_pods() {
    let scene = base().listed().canary(roles()).rest();
    let scene = scene.canary(json!({"canaryMetadata": null, "stableMetadata": null})).rest();
    assert_eq!(role(&scene, "v1"), (None, vec![None; 4]));
    assert_eq!(running(&scene, "v1").annotations.get(label::EPHEMERAL_METADATA), None);
}

#[test]
fn a_value_of_the_template_that_was_covered_comes_back() {
    let covered = json!({"labels": {"tier": "injected"}});
    let own = json!({"template": {"metadata": {"labels": {"tier": "own"}}}});
    let scene = base().update("v2").spec(own).rest().canary(json!({"stableMetadata": covered})).rest();
    let tier = |scene: &Scene| running(scene, "v2").template["metadata"]["labels"]["tier"].clone();
    assert_eq!(tier(&scene), "injected");
    let before = stored(&scene).current_pod_hash;
    let scene = scene.canary(json!({"stableMetadata": null})).rest();
    assert_eq!(tier(&scene), "own");
    assert_eq!(stored(&scene).current_pod_hash, before, "no revision is made");
}

#[test]
fn pods_are_looked_at_until_the_controller_of_their_replica_set_has_seen_the_change() {
    let scene = base().listed().canary(roles()).rest().set("v1", |set| {
        set.annotations.insert(label::PODS_BEHIND.to_owned(), "{}".to_owned());
        set.observed = false;
    });
    let path = format!("/metadata/annotations/{}", label::PODS_BEHIND.replace('/', "~1"));
    let forgets = |scene: &Scene| {
        let patches = patches(&scene.plan(), "ReplicaSet");
        patches
            .iter()
            .any(|(_, patch)| patch.iter().any(|it| it["op"] == "remove" && it["path"] == path.as_str()))
    };
    assert!(!forgets(&scene), "a pod of the old template may still come");
    assert!(forgets(&scene.clone().set("v1", |set| set.observed = true)));
    let failed = Seen::Failed("timeout".to_owned());
    let blind = scene.set("v1", |set| set.observed = true);
    assert!(!forgets(&blind.edit(|world| drop(world.pods.insert("uid-v1".to_owned(), failed)))));
}

fn rule(stable: &str) -> Value {
    json!({
        "labelSelector": {"matchExpressions": [
            {"key": "rollouts-pod-template-hash", "operator": "In", "values": [stable]},
        ]},
        "namespaces": ["default"], "topologyKey": "kubernetes.io/hostname",
    })
}

#[test]
fn new_pods_keep_away_from_stable_ones_as_the_rule_says() {
    for (name, anti_affinity, list, expected) in [
        ("required", json!({REQUIRED: {}}), REQUIRED, json!([rule("v1")])),
        (
            "preferred",
            json!({PREFERRED: {"weight": 7}}),
            PREFERRED,
            json!([{"weight": 7, "podAffinityTerm": rule("v1")}]),
        ),
    ] {
        let scene = base().canary(json!({"antiAffinity": anti_affinity})).rest();
        let first = running(&scene, "v1").template["spec"].get("affinity");
        assert_eq!(first, None, "{name}: stable itself needs none");
        let plan = scene.clone().update("v2").plan();
        let found =
            &created(&plan, "ReplicaSet")[0]["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"];
        assert_eq!(found[list], expected, "{name}");
        let scene = scene.update("v2").rest();
        assert_eq!(
            running(&scene, "v2").template["spec"].get("affinity"),
            None,
            "{name}: gone once it is stable"
        );
    }
}

#[test]
fn a_rule_follows_the_stable_revision_and_leaves_the_users_own_rules_alone() {
    let own = json!({"labelSelector": {"matchLabels": {"app": "noisy"}}, "topologyKey": "zone"});
    let affinity = json!({"podAntiAffinity": {REQUIRED: [own]}});
    let steps = json!([{"setWeight": 25}, {"pause": {}}]);
    let template = json!({"template": {"spec": {"affinity": affinity}}});
    let scene = base().canary(json!({"antiAffinity": {REQUIRED: {}}, "steps": steps})).rest();
    let scene = scene.update("v2").spec(template).rest();
    let list = format!("/spec/affinity/podAntiAffinity/{REQUIRED}");
    let rules = |scene: &Scene| running(scene, "v2").template.pointer(&list).cloned();
    assert_eq!(rules(&scene), Some(json!([own, rule("v1")])));
    let other = scene.clone().status(|status| status.stable_rs = Some("v0".to_owned()));
    let patched = patches(&other.plan(), "ReplicaSet");
    let changed = patched.iter().find_map(|(_, patch)| value_at(patch, "/spec/template/spec/affinity"));
    assert_eq!(
        changed.and_then(|it| it.pointer(&format!("/podAntiAffinity/{REQUIRED}/1"))),
        Some(&rule("v0"))
    );
    let scene = scene.canary(json!({"antiAffinity": null})).rest();
    assert_eq!(rules(&scene), Some(json!([own])));
    assert_eq!(pods(&scene, ["v2", "v1"]), [1, 3], "no pod is replaced");
}
