//! ReplicaSets of templates: what they look like, and what becomes of a template whose pods do not come.

use serde_json::json;
use serin_api::AnalysisPhase;
use serin_testkit::trial::experiment;

use super::{created, events, phase, stored, template, waits};

#[test]
fn the_replica_set_of_a_template_is_as_clients_expect_it() {
    let trial = experiment().edit(|world| {
        let labels = [("argo-rollouts.argoproj.io/controller-instance-id".to_owned(), "one".to_owned())];
        world.experiment.metadata.labels = Some(labels.into());
    });
    let made = created(&trial.plan(), "ReplicaSet");
    let set = &made[1];
    let hash = set["metadata"]["labels"]["rollouts-pod-template-hash"].as_str().unwrap();
    assert_eq!(set["metadata"]["name"], "compare-canary");
    assert_eq!(
        set["metadata"]["labels"],
        json!({
            "app": "shop", "part": "canary", "rollouts-pod-template-hash": hash,
            "argo-rollouts.argoproj.io/controller-instance-id": "one",
        })
    );
    assert_eq!(
        set["metadata"]["annotations"],
        json!({"experiment.argoproj.io/name": "compare", "experiment.argoproj.io/template-name": "canary"})
    );
    assert_eq!(set["metadata"]["ownerReferences"][0]["kind"], "Experiment");
    assert_eq!(set["metadata"]["ownerReferences"][0]["uid"], "uid-compare");
    assert_eq!(set["spec"]["replicas"], 0, "pods come with a later plan");
    let labels = json!({"app": "shop", "part": "canary", "rollouts-pod-template-hash": hash});
    assert_eq!(set["spec"]["selector"]["matchLabels"], labels);
    assert_eq!(set["spec"]["template"]["metadata"]["labels"], labels);
    assert_ne!(made[0]["metadata"]["labels"], set["metadata"]["labels"], "another image, another hash");
}

#[test]
fn a_hash_that_the_pods_bring_along_is_no_part_of_their_hash() {
    let hash = |value: &str| {
        let trial = experiment().edit(|world| {
            for template in world.experiment.spec.templates.iter_mut().flatten() {
                let mut pods = template.template.clone().unwrap().value().clone();
                pods["metadata"]["labels"]["rollouts-pod-template-hash"] = json!(value);
                template.template = Some(serin_api::RawTemplate::new(pods));
            }
        });
        created(&trial.plan(), "ReplicaSet")[0]["metadata"]["labels"].clone()
    };
    assert_eq!(hash("one"), hash("two"));
}

#[test]
fn pods_that_do_not_come_in_time_fail_the_template_and_the_experiment() {
    let waiting = experiment()
        .spec(json!({"progressDeadlineSeconds": 100}))
        .slow()
        .rest()
        .available("baseline", 1)
        .rest();
    assert_eq!(template(&stored(&waiting), "baseline"), "Running|");
    assert_eq!(template(&stored(&waiting), "canary"), "Progressing|");
    let plan = waiting.plan();
    assert!(waits(&plan).contains("1 pods of template 'canary' to be available"), "{}", waits(&plan));
    assert_eq!(phase(&stored(&waiting.clone().wait(100).rest())), "Pending|");
    let (failed, plans) = waiting.wait(101).settle();
    let message = "Template 'canary' exceeded its progressDeadlineSeconds (100)";
    assert_eq!(phase(&stored(&failed)), format!("Failed|{message}"));
    assert_eq!(template(&stored(&failed), "canary"), format!("Failed|{message}"));
    assert_eq!(template(&stored(&failed), "baseline"), "Successful|", "it is ended with the other");
    assert_eq!(
        events(&plans)[..2],
        [
            format!(
                "Warning TemplateFailed: Template 'canary' transitioned from Progressing -> Failed: {message}"
            ),
            "Warning ExperimentFailed: Experiment transitioned from Pending -> Failed".to_owned(),
        ]
    );
    let gone = failed.wait(30).rest();
    assert!(gone.world.replica_sets.iter().all(|set| set.pods.spec == 0), "no pod is left");
}

#[test]
fn pods_that_are_lost_have_the_deadline_anew_and_the_experiment_its_time() {
    let running = experiment().slow().rest().available("baseline", 1).available("canary", 1).rest();
    let available = stored(&running).available_at;
    let lost = running.wait(50).available("canary", 0).rest();
    assert_eq!(template(&stored(&lost), "canary"), "Progressing|");
    assert_eq!(phase(&stored(&lost)), "Pending|");
    let back = lost.wait(5).available("canary", 1).rest();
    assert_eq!((phase(&stored(&back)), stored(&back).available_at), ("Running|".to_owned(), available));
    assert_eq!(phase(&stored(&back.wait(5).rest())), "Successful|");
}

#[test]
fn what_the_api_server_refuses_is_an_error_that_says_it() {
    let refused = |kind: &str, name: &str| experiment().act().0.refused(kind, name, "exceeded quota", false);
    let never_made = refused("ReplicaSet", "compare-canary").edit(|world| world.replica_sets.truncate(1));
    let cases = [
        (never_made, "Failed to create ReplicaSet for template 'canary': exceeded quota"),
        (
            refused("ReplicaSet", "compare-canary"),
            "Unable to scale ReplicaSet for template 'canary' to desired replica count '1': exceeded quota",
        ),
    ];
    for (trial, message) in cases {
        let plan = trial.plan();
        assert_eq!(template(&plan.status, "canary"), format!("Error|{message}"));
        assert_eq!(phase(&plan.status), format!("Error|{message}"));
    }
}

#[test]
fn a_name_that_somebody_else_has_is_waited_for_within_the_deadline() {
    let taken = experiment().refused("ReplicaSet", "compare-canary", "already exists", true);
    let plan = taken.plan();
    assert_eq!(plan.status.template("canary").unwrap().collision_count, Some(1));
    assert_eq!(template(&plan.status, "canary"), "Progressing|");
    assert!(
        waits(&plan).contains("ReplicaSet compare-canary, which belongs to somebody else"),
        "{}",
        waits(&plan)
    );
    let again = taken.status(|status| *status = plan.status).plan();
    assert_eq!(again.status.template("canary").unwrap().collision_count, Some(1), "counted once");
    let late = experiment()
        .status(|status| *status = again.status)
        .refused("ReplicaSet", "compare-canary", "already exists", true)
        .wait(601)
        .plan();
    assert_eq!(late.status.phase, AnalysisPhase::Failed, "the other one stays");
}
