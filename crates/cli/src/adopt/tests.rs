//! Takeovers by hand-made Worlds; whether `plan` is right is tested where it is.

use jiff::Timestamp;
use serde_json::{Value, json};
use serin_api::Rollout;
use serin_core::adoption::Adoption;
use serin_core::extension::Extensions;
use serin_core::world::{ReplicaSet, World};
use serin_view::change::merged;

use super::*;
use crate::paint::Paint;

/// A Rollout without a router, at the first of two steps.
fn rollout(change: Value) -> Rollout {
    let base = json!({
        "metadata": {"name": "shop", "namespace": "web", "uid": "uid-shop", "generation": 3},
        "spec": {
            "replicas": 4,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": template("shop:v1"),
            "strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}},
        },
        "status": {
            "observedGeneration": "3", "phase": "Healthy", "currentPodHash": "aaa", "stableRS": "aaa",
            "currentStepIndex": 2, "replicas": 4, "updatedReplicas": 4, "readyReplicas": 4, "availableReplicas": 4,
        },
    });
    serde_json::from_value(merged(base, &change)).unwrap()
}

fn template(image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "shop"}},
        "spec": {"containers": [{"name": "shop", "image": image}]},
    })
}

fn set(hash: &str, image: &str, pods: i32) -> ReplicaSet {
    ReplicaSet::of(&json!({
        "metadata": {
            "name": format!("shop-{hash}"), "uid": format!("uid-{hash}"), "creationTimestamp": "2026-11-24T14:00:00Z",
            "labels": {"rollouts-pod-template-hash": hash}, "annotations": {"rollout.argoproj.io/revision": "1"},
        },
        "spec": {"replicas": pods, "template": merged(template(image), &json!({"metadata": {"labels": {"rollouts-pod-template-hash": hash}}}))},
        "status": {"replicas": pods, "readyReplicas": pods, "availableReplicas": pods},
    }))
}

fn checked(rollout: Rollout, sets: Vec<ReplicaSet>) -> Check {
    let now: Timestamp = "2026-11-24T14:10:00Z".parse().unwrap();
    let world = World {
        now,
        rollout,
        replica_sets: sets,
        services: Default::default(),
        routers: Vec::new(),
        templates: Vec::new(),
        analysis_runs: Vec::new(),
        experiments: Vec::new(),
        refusals: Vec::new(),
        pods: Default::default(),
        brakes: Vec::new(),
        workload: None,
        extensions: Extensions { configured: Some(Default::default()), told: Vec::new() },
        orphans: Vec::new(),
        load_balancers: None,
        leaving: false,
    };
    check(&world, &[], Vec::new())
}

#[test]
fn a_settled_rollout_keeps_its_pods_whatever_hash_they_have() {
    let check = checked(rollout(json!({})), vec![set("aaa", "shop:v1", 4)]);
    let Adoption::ByTemplate { name, hash, computed } = &check.adoption else { panic!("{check:?}") };
    assert_eq!((name.as_str(), hash.as_str(), check.blocked), ("shop-aaa", "aaa", false));
    assert_eq!(check.goes_on, "is settled: nothing is on its way");
    let computed = computed.clone();
    let status = json!({"status": {"currentPodHash": computed, "stableRS": computed}});
    let check = checked(rollout(status), vec![set(&computed, "shop:v1", 4)]);
    assert_eq!(check.adoption, Adoption::ByHash { name: format!("shop-{computed}") });
}

#[test]
fn a_template_that_nothing_runs_and_a_refused_field_must_be_mended_first() {
    let check = checked(rollout(json!({})), vec![set("aaa", "shop:v0", 4)]);
    assert!(matches!(check.adoption, Adoption::Created { .. }) && check.blocked, "{check:?}");
    assert!(check.writes.iter().any(|write| write.starts_with("create ReplicaSet shop-")), "{check:?}");

    let refused =
        json!({"spec": {"strategy": {"canary": {"trafficRouting": {"plugins": {"acme/router": {}}}}}}});
    let check = checked(rollout(refused), vec![set("aaa", "shop:v1", 4)]);
    assert!(check.blocked && check.refused.iter().any(|why| why.contains("acme/router")), "{check:?}");
}

#[test]
fn an_update_on_its_way_goes_on_and_an_aborted_one_stays_aborted() {
    let sets = || vec![set("aaa", "shop:v1", 4), set("bbb", "shop:v2", 1)];
    let updating = |status: Value| {
        let change = json!({
            "spec": {"template": {"spec": {"containers": [{"name": "shop", "image": "shop:v2"}]}}},
            "status": {"phase": "Progressing", "currentPodHash": "bbb", "currentStepIndex": 1},
        });
        rollout(merged(change, &json!({"status": status})))
    };
    let check = checked(updating(json!({})), sets());
    assert_eq!(
        (check.goes_on.as_str(), check.blocked),
        ("goes on at step 2 of 2 (pause)", false),
        "{check:?}"
    );
    let other_version = checked(updating(json!({"currentStepHash": "other"})), sets());
    assert_eq!(
        other_version.goes_on, "goes on at step 2 of 2 (pause)",
        "another version hashed the same spec"
    );
    let unseen = json!({"currentStepHash": "other", "observedGeneration": "2"});
    let changed = checked(updating(unseen), vec![set("aaa", "shop:v1", 4), set("bbb", "shop:v2", 0)]);
    assert_eq!(changed.goes_on, "begins again at step 1 instead of step 2: the steps have changed since");
    let aborted = checked(updating(json!({"abort": true, "abortedAt": "2026-11-24T14:00:00Z"})), sets());
    assert_eq!(aborted.goes_on, "stays aborted: traffic stays with stable");
}

#[test]
fn a_report_names_the_lease_and_counts() {
    let lease = |holder: Option<&str>, alive| Lease {
        lease: "argo-rollouts/argo-rollouts-controller-lock".to_owned(),
        holder: holder.map(str::to_owned),
        alive,
    };
    let rollouts = vec![checked(rollout(json!({})), vec![set("aaa", "shop:v1", 4)])];
    for (lease, expected) in [
        (lease(Some("pod-1"), true), "is held by pod-1: stop that controller; Serin waits for the lease"),
        (lease(Some("pod-1"), false), "was held by pod-1 and has run out: it is free"),
        (lease(None, false), "is free"),
    ] {
        let text = text(&Report { leases: vec![lease], rollouts: rollouts.clone() }, Paint::PLAIN);
        assert!(
            text.starts_with(&format!(
                "lease argo-rollouts/argo-rollouts-controller-lock {expected}\nweb/shop: ok (Healthy)\n"
            )),
            "{text}"
        );
        assert!(
            text.ends_with("1 rollout can be taken over: no ReplicaSet is created and no pod is restarted\n"),
            "{text}"
        );
    }
}
