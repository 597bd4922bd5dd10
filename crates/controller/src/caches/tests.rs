//! Proves that whatever a Rollout names leads back to it.

use kube::runtime::watcher::Event;
use serde_json::json;

use super::*;
use crate::watch::Listener;
use crate::watches::{OfRoutes, OfServices, OfSets};

pub(crate) fn raw(object: Value) -> Raw {
    serde_json::from_value(object).unwrap()
}

pub(crate) fn rollout() -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "shop", "uid": "u-web", "resourceVersion": "5"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}},
            "strategy": {"canary": {
                "canaryService": "web-canary", "stableService": "web-stable",
                "trafficRouting": {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "web", "namespace": "shop"}}},
                "steps": [
                    {"setWeight": 20},
                    {"analysis": {"templates": [{"templateName": "outer"}]}},
                ],
            }},
        },
    })
}

/// Caches in which everything is listed and nothing is there.
pub(crate) fn listed() -> Arc<Caches> {
    let caches = Caches::new(&Scope::default());
    for event in [Event::Init, Event::InitDone] {
        caches.rollouts.apply(event.clone());
        caches.experiments.apply(event.clone());
        caches.sets.apply(event.clone());
        caches.services.apply(event.clone());
        caches.runs.apply(event.clone());
        caches.jobs.apply(event.clone());
        caches.brakes.apply(event.clone());
        caches.templates.apply(event.clone());
        caches.cluster_templates.apply(event);
    }
    caches
}

fn queued(caches: &Caches) -> usize {
    caches.rollout_queue.pace().depth
}

fn template(name: &str, nested: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "1"},
        "spec": {"metrics": [], "templates": [{"templateName": nested}]},
    })
}

#[test]
fn the_process_is_ready_when_every_kind_has_been_listed() {
    assert_eq!(Caches::new(&Scope::default()).waiting_for().len(), 9);
    let namespaced = Scope { namespace: Some("shop".to_owned()), ..Scope::default() };
    assert_eq!(Caches::new(&namespaced).waiting_for().len(), 8, "no cluster-scoped templates");
    let without = Caches::new(&namespaced);
    without.brakes.failed("configmaps is forbidden".to_owned(), Instant::now());
    assert_eq!(without.waiting_for().len(), 7, "a role that does not allow brakes stops nothing");
    assert!(listed().synced());
}

#[test]
fn what_a_rollout_names_leads_back_to_it() {
    let caches = listed();
    caches.rollouts.apply(Event::Apply(raw(rollout())));
    let service =
        |name: &str| json!({"metadata": {"name": name, "namespace": "shop"}, "spec": {"selector": {}}});
    let route = Kind::new("gateway.networking.k8s.io", "v1", "HTTPRoute");
    for (case, expected) in [("web-stable", 1), ("other", 0)] {
        let caches = &caches;
        let before = queued(caches);
        for change in caches.services.apply(Event::Apply(raw(service(case)))) {
            OfServices(caches.clone()).changed(change);
        }
        assert_eq!(queued(caches) - before, expected, "{case}");
        let _ = caches.rollout_queue.take_all();
    }
    caches.look_at_users(&route.key(&Name::new("shop", "web")));
    assert_eq!(queued(&caches), 1, "the route");
    let _ = caches.rollout_queue.take_all();
    OfRoutes { caches: caches.clone(), kind: route }.listed();
    assert_eq!(queued(&caches), 1, "the route that is not there");
}

#[test]
fn a_template_inside_another_leads_back_to_the_rollout_once_around() {
    let caches = listed();
    caches.rollouts.apply(Event::Apply(raw(rollout())));
    // A circle, so that a careless walk would not end.
    caches.templates.apply(Event::Apply(raw(template("outer", "inner"))));
    caches.templates.apply(Event::Apply(raw(template("inner", "outer"))));
    caches.look_at_users_of_template(&Name::new("shop", "inner"), false);
    assert_eq!(queued(&caches), 1);
    let _ = caches.rollout_queue.take_all();
    caches.look_at_users_of_template(&Name::new("elsewhere", "inner"), false);
    assert_eq!(queued(&caches), 0);
}

#[test]
fn a_replica_set_leads_to_its_rollout_only_when_something_that_is_read_has_changed() {
    let caches = listed();
    let set = |available: i32, version: &str| {
        json!({
            "metadata": {
                "name": "web-1", "namespace": "shop", "uid": "s", "resourceVersion": version,
                "labels": {"rollouts-pod-template-hash": "1"},
                "ownerReferences": [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web",
                    "uid": "u-web", "controller": true}],
            },
            "spec": {"replicas": 2, "template": {"spec": {}}},
            "status": {"replicas": 2, "availableReplicas": available, "observedGeneration": 1},
        })
    };
    for (case, available, version, expected) in
        [("new", 0, "1", 1), ("only its version", 0, "2", 0), ("a pod is available", 1, "3", 1)]
    {
        for change in caches.sets.apply(Event::Apply(raw(set(available, version)))) {
            OfSets(caches.clone()).changed(change);
        }
        assert_eq!(queued(&caches), expected, "{case}");
        let _ = caches.rollout_queue.take_all();
    }
}

#[test]
fn what_an_experiment_owns_and_names_leads_back_to_it() {
    let caches = listed();
    let owner = json!([{"apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment", "name": "compare",
        "uid": "u-compare", "controller": true}]);
    let experiment = json!({
        "metadata": {"name": "compare", "namespace": "shop", "uid": "u-compare", "resourceVersion": "1"},
        "spec": {"analyses": [{"name": "errors", "templateName": "inner"}]},
    });
    caches.experiments.apply(Event::Apply(raw(experiment)));
    let meta = |name: &str| json!({"name": name, "namespace": "shop", "uid": name, "resourceVersion": "1", "ownerReferences": owner});
    let expect = |case: &str, expected: usize| {
        assert_eq!(caches.experiment_queue.take_all().len(), expected, "{case}");
        assert_eq!(queued(&caches), 0, "{case}: no Rollout is meant");
    };
    for change in caches.sets.apply(Event::Apply(raw(json!({"metadata": meta("compare-a"), "spec": {}})))) {
        OfSets(caches.clone()).changed(change);
    }
    expect("its ReplicaSet", 1);
    for change in caches.services.apply(Event::Apply(raw(json!({"metadata": meta("compare-a"), "spec": {}}))))
    {
        OfServices(caches.clone()).changed(change);
    }
    expect("its Service", 1);
    caches.look_at_users_of_template(&Name::new("shop", "inner"), false);
    expect("its template", 1);
    caches.look_at_users_of_template(&Name::new("shop", "other"), false);
    expect("a template of others", 0);
    assert_eq!((caches.sets.by("u-compare").len(), caches.services.by("u-compare").len()), (1, 1));
}
