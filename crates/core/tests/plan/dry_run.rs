//! A dry run decides and tells what would be done next, once, and writes neither workload nor traffic.

use serde_json::json;
use serin_api::{AnalysisPhase, label};
use serin_core::Plan;
use serin_testkit::scene::{Scene, base, fresh};

use crate::{phase, pods, stored, verdict, waits_for};

fn annotated(scene: Scene, value: Option<&str>) -> Scene {
    scene.edit(|world| {
        let annotations = world.rollout.metadata.annotations.get_or_insert_default();
        match value {
            Some(value) => drop(annotations.insert(label::DRY_RUN.to_owned(), value.to_owned())),
            None => drop(annotations.remove(label::DRY_RUN)),
        }
    })
}

fn dry(scene: Scene) -> Scene {
    annotated(scene, Some("true"))
}

fn writes_nothing(plan: &Plan) -> bool {
    plan.writes.is_empty() && plan.services.is_empty() && plan.split.is_none()
}

fn next(scene: &Scene) -> Vec<String> {
    stored(scene).dry_run.map(|dry| dry.next).unwrap_or_default()
}

fn told(plan: &Plan) -> Vec<(String, String)> {
    plan.events.iter().map(|event| (event.reason.clone(), event.message.clone())).collect()
}

/// Steps of a canary behind a router, with a background analysis.
fn canary() -> Scene {
    let analysis = json!({"templates": [{"templateName": "errors"}]});
    let steps = json!([{"setWeight": 25}, {"pause": {"duration": 60}}, {"setWeight": 50}, {"pause": {}}]);
    base().template("errors").routed().canary(json!({"steps": steps, "analysis": analysis})).rest()
}

/// A canary of 25 % in its timed pause.
fn underway() -> Scene {
    let scene = canary().update("v2").rest();
    verdict(scene, AnalysisPhase::Running, "").rest()
}

#[test]
fn an_update_is_decided_told_once_and_not_done() {
    let real = canary().update("v2").plan();
    let scene = dry(canary().update("v2"));
    let plan = scene.plan();
    assert!(writes_nothing(&plan), "{plan:?}");
    let expected: Vec<_> =
        told(&real).into_iter().map(|(reason, text)| (reason, format!("Dry run: {text}"))).collect();
    assert_eq!(told(&plan), expected, "reasons and order are the real ones");
    assert!(plan.events.iter().all(|event| event.write.is_none() && event.service.is_none()));
    let hash = &plan.status.dry_run.as_ref().unwrap().revision;
    let creates = format!("create ReplicaSet default/shop-{hash}");
    assert!(plan.status.dry_run.as_ref().unwrap().next.contains(&creates), "{:?}", plan.status.dry_run);
    assert!(waits_for(&plan, "the annotation serin.dev/dry-run to be removed"));
    assert_eq!(phase(&plan.status), "Progressing|dry run: more replicas need to be updated");

    let stored = scene.fold();
    for seconds in [0, 1, 700, 7200] {
        let later = stored.clone().wait(seconds);
        let again = later.plan();
        assert_eq!(again.events, [], "{seconds} s later nothing is told again");
        assert_eq!(again.status, crate::stored(&later), "{seconds} s later nothing is stored again");
        assert!(writes_nothing(&again));
    }
    let third = stored.update("v3").plan();
    assert!(told(&third).iter().any(|(reason, _)| reason == "RolloutUpdated"), "another revision is told of");
}

#[test]
fn the_memory_stays_as_it_was_and_the_rollout_goes_on_from_there() {
    let real = underway();
    let before = stored(&real);
    let scene = dry(real.clone()).rest().wait(7200).rest();
    let status = stored(&scene);
    for (name, same) in [
        ("step", status.current_step_index == before.current_step_index),
        ("pauses", status.pause_conditions == before.pause_conditions),
        ("conditions", status.conditions == before.conditions),
        ("analysis", status.canary == before.canary),
        ("generation", status.observed_generation == before.observed_generation),
    ] {
        assert!(same, "{name}");
    }
    assert_eq!(pods(&scene, ["v1", "v2"]), pods(&real, ["v1", "v2"]));
    let scene = annotated(scene, None).rest();
    assert_eq!(stored(&scene).dry_run, None);
    assert_eq!(stored(&scene).current_step_index, Some(3), "the pause was over");
    assert_eq!(phase(&stored(&scene)), "Paused|CanaryPauseStep");
}

#[test]
fn no_deadline_runs_in_a_dry_run_nor_right_after_it() {
    let fields = json!({"progressDeadlineAbort": true, "progressDeadlineSeconds": 60});
    let scene = canary().spec(fields).slow().update("v2").rest();
    let scene = dry(scene).rest().wait(3600).rest();
    assert!(phase(&stored(&scene)).starts_with("Progressing|dry run"), "{}", phase(&stored(&scene)));
    let scene = annotated(scene, None).rest();
    assert!(!stored(&scene).abort && phase(&stored(&scene)).starts_with("Progressing|"));
    assert!(stored(&scene.wait(62).rest().wait(1).rest()).abort, "then it runs again");
}

#[test]
fn what_would_be_taken_back_is_said_and_keeps_its_traffic() {
    let scene = verdict(dry(underway()).rest(), AnalysisPhase::Failed, "too many errors");
    let plan = scene.plan();
    assert!(writes_nothing(&plan));
    let aborted = told(&plan).into_iter().find(|(reason, _)| reason == "RolloutAborted");
    let text = aborted.unwrap_or_else(|| panic!("{:?}", plan.events)).1;
    assert!(text.starts_with("Dry run: Rollout aborted update to revision 2: Background analysis"), "{text}");
    let scene = scene.rest();
    assert!(!stored(&scene).abort, "nothing is remembered");
    assert!(
        next(&scene).contains(&"route 0 of 100 parts of the traffic to the canary".to_owned()),
        "{:?}",
        next(&scene)
    );
    assert!(
        phase(&stored(&scene)).starts_with("Degraded|dry run: RolloutAborted: "),
        "{}",
        phase(&stored(&scene))
    );
    assert!(stored(&annotated(scene, None).rest()).abort, "without the dry run it is taken back");
}

#[test]
fn commands_of_people_wait_for_the_end_of_the_dry_run() {
    let aborted = dry(underway()).rest().abort().rest();
    assert!(stored(&aborted).abort && stored(&aborted).aborted_at.is_none());
    assert_eq!(pods(&aborted.clone().wait(999).rest(), ["v2"]), [1]);
    let aborted = annotated(aborted, None).rest();
    assert_eq!(stored(&aborted).canary.weights.map(|weights| weights.canary.weight), Some(0));
    let resumed = dry(underway()).rest().promote().rest();
    assert_eq!(stored(&resumed).current_step_index, Some(1));
    assert_eq!(stored(&annotated(resumed, None).rest()).current_step_index, Some(3));
}

#[test]
fn a_rollout_at_rest_says_only_that_it_is_dry() {
    let (scene, plans) = dry(canary()).settle();
    assert!(plans.iter().all(|plan| writes_nothing(plan) && plan.events.is_empty()), "{plans:?}");
    assert_eq!((phase(&stored(&scene)).as_str(), next(&scene).len()), ("Healthy|dry run", 0));
    assert_eq!(stored(&scene).gates, None);
}

#[test]
fn blue_green_restarts_and_first_revisions_are_not_done_either() {
    let blue_green = base().blue_green(json!({"previewService": "shop-preview"})).rest();
    let restart = json!({"restartAt": "2026-01-01T00:01:00Z"});
    for (name, scene) in [
        ("blue-green", blue_green.update("v2")),
        ("a restart", base().wait(120).spec(restart).listed()),
        ("the first revision", fresh()),
        ("without a router", base().update("v2")),
        ("a scaling", base().replicas(9)),
    ] {
        let (scene, plans) = dry(scene).settle();
        assert!(plans.iter().all(writes_nothing), "{name}");
        assert!(!next(&scene).is_empty(), "{name}: {:?}", stored(&scene));
    }
}

#[test]
fn any_value_but_false_is_a_dry_run() {
    for (value, is_dry) in [("true", true), ("yes", true), ("ture", true), ("false", false), ("", false)] {
        let plan = annotated(canary().update("v2"), Some(value)).plan();
        assert_eq!(plan.status.dry_run.is_some(), is_dry, "{value}");
        assert_eq!(writes_nothing(&plan), is_dry, "{value}");
    }
}
