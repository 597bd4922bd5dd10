//! Services of templates.

use serde_json::json;
use serin_testkit::trial::{Trial, experiment, template as made};

use super::{created, phase, stored, template};

fn with_service(service: serde_json::Value) -> Trial {
    let mut canary = made("canary", "v2");
    canary["service"] = service;
    experiment().spec(json!({"templates": [canary], "scaleDownDelaySeconds": 0}))
}

#[test]
fn a_service_comes_with_the_replica_set_and_goes_with_the_pods() {
    for (service, name) in [(json!({}), "compare-canary"), (json!({"name": "other"}), "other")] {
        let seen = with_service(service).act().0;
        let services = created(&seen.plan(), "Service");
        let hash = seen.world.replica_sets[0].hash.clone();
        assert_eq!(services[0]["metadata"]["name"], name);
        assert_eq!(
            services[0]["spec"],
            json!({"selector": {"app": "shop", "part": "canary", "rollouts-pod-template-hash": hash},
                "ports": [{"name": "http", "protocol": "TCP", "port": 8080, "targetPort": 8080}]})
        );
        assert_eq!(services[0]["metadata"]["ownerReferences"][0]["kind"], "Experiment");
        let running = seen.rest();
        let status = stored(&running);
        let known = status.template("canary").unwrap();
        assert_eq!(
            (known.service_name.as_deref(), known.pod_template_hash.as_deref()),
            (Some(name), Some(&*hash))
        );
        let ended = running.wait(60).rest();
        assert!(ended.world.services.is_empty());
        assert_eq!(stored(&ended).template("canary").unwrap().service_name, None);
    }
}

#[test]
fn the_service_stays_while_a_pod_is_there() {
    let ended = with_service(json!({})).slow().rest().available("canary", 1).rest().wait(60);
    let (scaled, _) = ended.act().0.act();
    let scaled = scaled.edit(|world| {
        (world.replica_sets[0].pods.spec, world.replica_sets[0].pods.available) = (0, 1);
    });
    assert_eq!(scaled.plan().writes, [], "its pod is on its way out");
    assert!(scaled.available("canary", 0).rest().world.services.is_empty());
}

#[test]
fn a_service_that_somebody_else_has_is_an_error() {
    let stranger = serin_core::experiment::Service {
        name: "other".to_owned(),
        uid: "uid-other".to_owned(),
        template: None,
        deleting: false,
    };
    let trial = with_service(json!({"name": "other"})).edit(|world| world.services.push(stranger)).rest();
    let message = "Failed to create Service other for template 'canary': service other already exists and is not owned by experiment template canary; give it another name";
    assert_eq!(template(&stored(&trial), "canary"), format!("Error|{message}"));
    assert_eq!(phase(&stored(&trial)), format!("Error|{message}"));
    assert_eq!(trial.world.services.len(), 1, "and it is left alone");
}

#[test]
fn a_template_without_service_has_none() {
    let running = experiment().rest();
    assert!(running.world.services.is_empty());
    let known = stored(&running).template("canary").cloned().unwrap();
    assert_eq!((known.service_name, known.pod_template_hash), (None, None));
}
