//! Proves that the World says fresh, stale, absent and unreadable apart.

use kube::runtime::watcher::Event;
use serde_json::json;

use super::*;
use crate::caches::tests::{listed, raw, rollout};

fn look(caches: &Caches, behind: &[ObjectKey]) -> Scene {
    let name = Name::new("shop", "web");
    caches.rollouts.apply(Event::Apply(raw(rollout())));
    let kept = caches.rollouts.get(&name).unwrap();
    let behind = Behind { objects: behind.iter().cloned().collect(), until: None };
    scene(caches, &name, (&kept, kept.value.as_ref().unwrap()), &behind, Default::default())
}

fn service(name: &str) -> crate::object::Raw {
    raw(json!({
        "metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "9",
            "annotations": {"somebody": "else's"}},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
        "status": {"loadBalancer": {}},
    }))
}

#[test]
fn a_service_is_fresh_stale_or_absent() {
    let caches = listed();
    caches.services.apply(Event::Apply(service("web-stable")));
    let world = look(&caches, &[]).world;
    assert!(matches!(world.services["web-stable"], Seen::Fresh(_)));
    assert_eq!(world.services["web-canary"], Seen::Absent);
    let keys = [service::key("shop", "web-stable"), service::key("shop", "web-canary")];
    let world = look(&caches, &keys).world;
    assert!(matches!(world.services["web-stable"], Seen::Stale(_)));
    assert!(matches!(world.services["web-canary"], Seen::Failed(_)), "created by us, not seen yet");
}

#[test]
fn a_service_keeps_its_version_and_the_place_of_its_annotations() {
    let caches = listed();
    caches.services.apply(Event::Apply(service("web-stable")));
    let scene = look(&caches, &[]);
    let seen = scene.objects[&service::key("shop", "web-stable")].fresh().unwrap();
    assert_eq!(seen["metadata"]["resourceVersion"], "9");
    assert_eq!(seen["metadata"]["annotations"], json!({}));
    assert_eq!(seen["spec"], json!({"selector": {"app": "web"}}));
}

#[test]
fn a_kind_that_was_never_listed_is_not_taken_for_absent() {
    let caches = listed();
    let scene = look(&caches, &[]);
    assert!(scene.blind);
    let route = ObjectKey::new("gateway.networking.k8s.io", "v1", "HTTPRoute", "shop", "web");
    assert_eq!(scene.objects.get(&route), None);
    assert!(matches!(scene.world.routers[0].effective, Effective::Unknown(_)));
}

#[test]
fn an_unreadable_template_is_not_taken_for_absent() {
    let caches = listed();
    let odd = json!({"metadata": {"name": "outer", "namespace": "shop"}, "spec": {"metrics": 7}});
    caches.templates.apply(Event::Apply(raw(odd)));
    let world = look(&caches, &[]).world;
    assert!(matches!(&world.templates[0].spec, Seen::Failed(why) if why.contains("outer")));
}

#[test]
fn a_rollout_that_cannot_be_read_is_kept_with_the_reason() {
    let caches = listed();
    let mut odd = rollout();
    odd["spec"]["replicas"] = json!("two");
    caches.rollouts.apply(Event::Apply(raw(odd)));
    let kept = caches.rollouts.get(&Name::new("shop", "web")).unwrap();
    assert!(kept.value.as_ref().unwrap_err().contains("two"));
}
