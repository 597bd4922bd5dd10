//! The life of an experiment from its first look to its last pod: phases, events, conditions, times.

use serde_json::json;
use serin_api::AnalysisPhase;
use serin_testkit::trial::experiment;

use super::{condition, events, phase, sizes, stored, template, waits};

#[test]
fn an_experiment_runs_for_its_time_and_gives_its_pods_back() {
    let (running, plans) = experiment().settle();
    assert_eq!(
        events(&plans),
        [
            "Normal TemplateProgressing: Template 'baseline' transitioned from  -> Progressing",
            "Normal TemplateProgressing: Template 'canary' transitioned from  -> Progressing",
            "Normal ExperimentPending: Experiment transitioned from  -> Pending",
            "Normal ScalingReplicaSet: Scaled up ReplicaSet compare-baseline from 0 to 1",
            "Normal ScalingReplicaSet: Scaled up ReplicaSet compare-canary from 0 to 1",
            "Normal TemplateRunning: Template 'baseline' transitioned from Progressing -> Running",
            "Normal TemplateRunning: Template 'canary' transitioned from Progressing -> Running",
            "Normal ExperimentRunning: Experiment transitioned from Pending -> Running",
        ]
    );
    assert_eq!(phase(&stored(&running)), "Running|");
    assert!(stored(&running).available_at.is_some());
    let plan = running.plan();
    assert_eq!(plan.wake, Some(running.clone().wait(60).world.now), "it wakes when its time is over");
    assert!(waits(&plan).contains("the time of the experiment"), "{}", waits(&plan));
    let early = running.clone().wait(59).rest();
    assert_eq!(phase(&stored(&early)), "Running|", "not a second before");

    let (ended, plans) = running.wait(60).settle();
    assert_eq!(
        events(&plans),
        [
            "Normal TemplateSuccessful: Template 'baseline' transitioned from Running -> Successful",
            "Normal TemplateSuccessful: Template 'canary' transitioned from Running -> Successful",
            "Normal ExperimentSuccessful: Experiment transitioned from Running -> Successful",
        ]
    );
    let pods = |size: i32| vec![("compare-baseline".to_owned(), size), ("compare-canary".to_owned(), size)];
    assert_eq!(sizes(&ended), pods(1), "pods are kept for 30 s");
    let (gone, plans) = ended.clone().wait(30).settle();
    assert_eq!(
        events(&plans),
        [
            "Normal ScalingReplicaSet: Scaled down ReplicaSet compare-baseline from 1 to 0",
            "Normal ScalingReplicaSet: Scaled down ReplicaSet compare-canary from 1 to 0",
        ]
    );
    assert_eq!(sizes(&gone), pods(0));
    assert_eq!(sizes(&ended.wait(29).rest()), pods(1), "not a second less");
    let last = gone.plan();
    assert_eq!((last.wake, last.writes.len(), last.events.len()), (None, 0, 0), "then all is quiet");
}

#[test]
fn conditions_say_whether_it_moves_runs_or_was_successful() {
    let moving = experiment().act().0.act().0.act().0;
    let progressing =
        |message: &str| Some(format!("True|ReplicaSetUpdated|Experiment \"compare\" is {message}."));
    assert_eq!(condition(&stored(&moving), "Progressing"), progressing("progressing"));
    let running = moving.rest();
    let expected = "True|NewReplicaSetAvailable|Experiment \"compare\" is running.";
    assert_eq!(condition(&stored(&running), "Progressing").as_deref(), Some(expected));
    let ended = running.wait(60).rest();
    let expected = "False|ExperimentCompleted|Experiment \"compare\" has successfully ran and completed.";
    assert_eq!(condition(&stored(&ended), "Progressing").as_deref(), Some(expected));
}

#[test]
fn the_delay_of_the_scale_down_is_as_it_was_asked_for() {
    for (spec, wait, left) in [
        (json!({}), 29, 1),
        (json!({}), 30, 0),
        (json!({"scaleDownDelaySeconds": 5}), 4, 1),
        (json!({"scaleDownDelaySeconds": 5}), 5, 0),
        (json!({"scaleDownDelaySeconds": 0}), 0, 0),
    ] {
        let ended = experiment().spec(spec.clone()).rest().wait(60).rest().wait(wait).rest();
        assert_eq!(sizes(&ended)[0].1, left, "{spec} after {wait} s");
    }
}

#[test]
fn a_person_ends_it_whenever_he_likes() {
    for (case, trial, pods) in [
        ("before anybody looked", experiment().terminate().rest(), Vec::new()),
        ("before it had pods", experiment().act().0.terminate().rest(), vec![0, 0]),
        ("while it runs", experiment().rest().terminate().rest().wait(30).rest(), vec![0, 0]),
        (
            "while it waits for pods",
            experiment().slow().rest().terminate().rest().wait(30).rest(),
            vec![0, 0],
        ),
        (
            "long after it was late",
            experiment()
                .spec(json!({"duration": null}))
                .rest()
                .wait(9_999)
                .terminate()
                .rest()
                .wait(30)
                .rest(),
            vec![0, 0],
        ),
    ] {
        assert_eq!(phase(&stored(&trial)), "Successful|", "{case}");
        let found: Vec<_> = sizes(&trial).into_iter().map(|(_, size)| size).collect();
        assert_eq!(found, pods, "{case}");
    }
}

#[test]
fn without_duration_and_required_analyses_it_waits_for_a_person() {
    let trial = experiment().spec(json!({"duration": null})).rest().wait(1_000_000).rest();
    assert_eq!(phase(&stored(&trial)), "Running|");
    let plan = trial.plan();
    assert!(waits(&plan).contains("a person"), "{}", waits(&plan));
    assert_eq!(plan.wake, None);
}

#[test]
fn a_retried_experiment_begins_anew_with_the_pods_that_it_has() {
    let ended = experiment().rest().wait(60).rest().wait(30).rest();
    let again = ended.edit(|world| world.experiment.status = None).rest();
    assert_eq!(phase(&stored(&again)), "Running|");
    assert_eq!(sizes(&again), [("compare-baseline".to_owned(), 1), ("compare-canary".to_owned(), 1)]);
    let ended = again.wait(60).rest();
    assert_eq!(sizes(&ended)[0].1, 1, "the delay of the first time is forgotten");
    assert_eq!(sizes(&ended.wait(30).rest())[0].1, 0);
}

#[test]
fn a_template_that_is_taken_out_of_the_spec_gives_its_pods_back() {
    let trial = experiment().rest();
    let one = json!({"templates": [serin_testkit::trial::template("canary", "v2")]});
    let trial = trial.spec(one).rest().wait(30).rest();
    assert_eq!(sizes(&trial), [("compare-baseline".to_owned(), 0), ("compare-canary".to_owned(), 1)]);
    assert_eq!(stored(&trial).template_statuses.len(), 1);
    assert_eq!(template(&stored(&trial), "canary"), "Running|");
}

#[test]
fn pods_stay_while_traffic_may_reach_them() {
    let service = json!({"templates": [
        {"name": "canary", "service": {}, "selector": {"matchLabels": {"app": "shop"}}, "template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {"containers": [{"name": "shop", "image": "shop:v2", "ports": [{"containerPort": 80}]}]},
        }},
    ], "scaleDownDelaySeconds": 0});
    let trial = experiment().spec(service).rest();
    let carrying = trial.edit(|world| world.carrying = ["compare-canary".to_owned()].into());
    let ended = carrying.wait(60).rest();
    assert_eq!(stored(&ended).phase, AnalysisPhase::Successful);
    assert_eq!((sizes(&ended)[0].1, ended.world.services.len()), (1, 1));
    assert!(waits(&ended.plan()).contains("the traffic to leave"), "{}", waits(&ended.plan()));
    let left = ended.edit(|world| world.carrying.clear()).rest();
    assert_eq!((sizes(&left)[0].1, left.world.services.len()), (0, 0));
}

#[test]
fn an_experiment_that_is_deleted_is_left_alone() {
    let trial = experiment().rest().edit(|world| {
        world.experiment.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(world.now));
    });
    let plan = trial.wait(60).plan();
    assert_eq!((plan.writes.len(), plan.events.len(), plan.wake), (0, 0, None));
}
