//! Steps of extensions: when an extension is called, with what, and what its answers lead to.

use serde_json::{Value, json};
use serin_core::extension::{Answer, Call, Operation, Phase, Report, Told, due};
use serin_testkit::scene::{Scene, base};

use super::{condition, phase, reasons, stored, told, waits_for};

/// The second revision is at its step of the extension `acme/gate`; an endless pause comes after it.
fn at_step() -> Scene {
    let gate = json!({"plugin": {"name": "acme/gate", "config": {"room": 7}}});
    let steps = json!([{"setWeight": 25}, gate, {"pause": {}}]);
    known(base(), &["acme/gate"]).steps(steps).update("v2").rest()
}

fn known(scene: Scene, names: &[&str]) -> Scene {
    scene.edit(|world| {
        world.extensions.configured = Some(names.iter().map(|name| (*name).to_owned()).collect());
    })
}

fn call(scene: &Scene) -> Option<Call> {
    due(&scene.world)
}

fn operation(scene: &Scene) -> Option<(Operation, usize)> {
    call(scene).map(|call| (call.operation, call.index))
}

/// The call that is due is made and answered.
fn answered(scene: Scene, answer: Answer) -> Scene {
    let call = call(&scene).expect("a call is due");
    scene.edit(|world| world.extensions.told = vec![Told { call, answer }])
}

fn says(scene: Scene, phase: Phase) -> Scene {
    let report =
        Report { phase, message: "as it is".to_owned(), state: Some(json!("job-7")), again: Some(20) };
    answered(scene, Answer::Reported(report))
}

fn record(scene: &Scene, number: usize) -> Value {
    let records = stored(scene).canary.step_plugin_statuses.unwrap_or_default();
    serde_json::to_value(&records[number]).unwrap()
}

#[test]
fn a_step_of_an_extension_calls_it_and_waits() {
    let scene = at_step();
    assert_eq!(stored(&scene).current_step_index, Some(1));
    assert!(waits_for(&scene.plan(), "the extension \"acme/gate\" to perform the step"));
    let call = call(&scene).unwrap();
    assert_eq!((call.operation, call.index, call.executions), (Operation::Run, 1, 0));
    let body = call.body();
    assert_eq!(body["protocol"], "serin.dev/v1");
    assert_eq!((&body["name"], &body["config"]), (&json!("acme/gate"), &json!({"room": 7})));
    assert_eq!(body["state"], Value::Null);
    let hash = stored(&scene).current_pod_hash;
    assert_eq!(body["rollout"]["podTemplateHash"], json!(hash));
    assert_eq!((&body["rollout"]["name"], &body["rollout"]["revision"]), (&json!("shop"), &json!("2")));
}

#[test]
fn that_a_step_begins_is_stored_before_anybody_is_told() {
    let mut scene = base().steps(json!([{"plugin": {"name": "acme/gate"}}, {"pause": {}}]));
    scene = known(scene, &["acme/gate"]).update("v2");
    let mut begun = Vec::new();
    for _ in 0..6 {
        if stored(&scene).canary.step_plugin_statuses.is_none() {
            assert_eq!(call(&scene), None);
        }
        let (next, plan) = scene.act();
        scene = next;
        begun.extend(told(&plan, "StepPluginTransition"));
    }
    assert_eq!(begun, ["Step Plugin 1 (acme/gate) Run is Running"]);
    assert_eq!(operation(&scene), Some((Operation::Run, 0)));
    let scene = scene.abort().rest();
    assert_eq!(
        operation(&scene),
        Some((Operation::Abort, 0)),
        "it may have been told, and not have answered"
    );
}

#[test]
fn what_is_underway_is_asked_again_in_its_own_time_with_its_own_state() {
    let scene = says(at_step(), Phase::Running).rest();
    let expected = json!({
        "index": 1, "name": "acme/gate", "operation": "Run", "phase": "Running", "message": "as it is",
        "backoff": "20s", "executions": 1, "status": "job-7",
    });
    let mut kept = record(&scene, 0);
    for time in ["startedAt", "updatedAt"] {
        assert!(kept.as_object_mut().unwrap().remove(time).is_some(), "{time}");
    }
    assert_eq!(kept, expected);
    assert!(waits_for(&scene.plan(), "to perform the step: as it is"));
    assert_eq!(call(&scene), None, "not yet");
    let wake = scene.plan().wake.expect("it wakes");
    assert_eq!(wake.duration_since(scene.world.now).as_secs(), 20);
    let scene = scene.wait(20);
    let again = call(&scene).unwrap();
    assert_eq!((again.executions, &again.state), (1, &json!("job-7")));
    let (scene, plans) = says(scene, Phase::Running).settle();
    assert_eq!(record(&scene, 0)["executions"], 2);
    assert!(!reasons(&plans).contains(&"StepPluginTransition".to_owned()), "nothing has changed");
}

#[test]
fn success_goes_on() {
    let (scene, plans) = says(at_step(), Phase::Successful).settle();
    assert_eq!(stored(&scene).current_step_index, Some(2));
    assert_eq!(record(&scene, 0)["finishedAt"], record(&scene, 0)["updatedAt"]);
    let completed = plans.iter().find_map(|plan| told(plan, "RolloutStepCompleted"));
    assert_eq!(completed.as_deref(), Some("Rollout step 2/3 completed (plugin: acme/gate)"));
    assert!(!reasons(&plans).contains(&"StepPluginTransition".to_owned()));
    assert_eq!((record(&scene, 0)["phase"].as_str(), call(&scene)), (Some("Successful"), None));
    assert_eq!(phase(&stored(&scene)), "Paused|CanaryPauseStep");
}

#[test]
fn failure_aborts_and_says_why() {
    let scene = says(at_step(), Phase::Failed).rest();
    let message =
        "RolloutAborted: Rollout aborted update to revision 2: Step Plugin 2 (acme/gate) failed: as it is";
    assert_eq!(phase(&stored(&scene)), format!("Degraded|{message}"));
    assert_eq!(call(&scene), None, "a failed step has nothing to take back");
}

#[test]
fn an_extension_that_says_nothing_usable_holds_and_never_aborts() {
    let error = Report { phase: Phase::Error, message: "no room".to_owned(), state: None, again: None };
    for (answer, why) in [
        (Answer::Nothing("connection refused".to_owned()), "connection refused"),
        (Answer::Reported(error), "no room"),
    ] {
        let scene = answered(at_step(), answer.clone()).rest();
        assert_eq!((record(&scene, 0)["phase"].as_str(), stored(&scene).abort), (Some("Error"), false));
        assert!(waits_for(&scene.plan(), &format!("to perform the step: {why}")));
        assert_eq!(call(&scene), None, "it is left alone for 30 s");
        let scene = scene.spec(json!({"progressDeadlineSeconds": 60, "progressDeadlineAbort": true}));
        let scene = scene.rest().wait(99_999).rest();
        assert_eq!((stored(&scene).abort, stored(&scene).current_step_index), (false, Some(1)), "{answer:?}");
        let progressing = condition(&stored(&scene), "Progressing").unwrap();
        assert!(!progressing.contains("timed out"), "{progressing}");
        let scene = says(scene, Phase::Successful).rest();
        assert_eq!(stored(&scene).current_step_index, Some(2), "it goes on when it is back");
    }
}

#[test]
fn an_error_keeps_what_the_extension_remembers() {
    let scene = says(at_step(), Phase::Running).rest().wait(20);
    let scene = answered(scene, Answer::Nothing("no answer".to_owned())).rest().wait(30);
    assert_eq!(call(&scene).unwrap().state, json!("job-7"));
}

#[test]
fn an_abort_takes_back_what_was_done_the_last_step_first() {
    let gate = |name: &str| json!({"plugin": {"name": name}});
    let steps = json!([gate("a/one"), gate("a/two"), {"pause": {}}]);
    let scene = known(base(), &["a/one", "a/two"]).steps(steps).update("v2").rest();
    let scene = says(scene, Phase::Successful).rest();
    let scene = says(scene, Phase::Running).rest();
    let scene = scene.abort().rest();
    assert_eq!(operation(&scene), Some((Operation::Abort, 1)));
    assert_eq!(call(&scene).unwrap().state, json!("job-7"), "it hears its own state");
    assert!(waits_for(&scene.plan(), "the extension \"a/two\" to take back step 2"));
    let scene = answered(scene, Answer::Nothing("down".to_owned())).rest();
    assert!(waits_for(&scene.plan(), "to take back step 2: down"));
    let scene = says(scene.wait(30), Phase::Failed).rest();
    assert_eq!(operation(&scene), Some((Operation::Abort, 0)), "one that failed to is not asked again");
    let scene = says(scene, Phase::Successful).rest();
    assert_eq!(call(&scene), None);
    assert!(!waits_for(&scene.plan(), "take back"));
    let scene = scene.retry().rest();
    let begun = stored(&scene).canary.step_plugin_statuses.map(|records| records.len());
    assert_eq!(
        (begun, record(&scene, 0)["executions"].clone()),
        (Some(1), Value::Null),
        "a retry begins anew"
    );
    assert_eq!(operation(&scene), Some((Operation::Run, 0)));
}

#[test]
fn a_step_that_is_passed_over_is_ended() {
    let running = || says(at_step(), Phase::Running).rest();
    for (case, scene) in [
        ("promoted fully", running().promote_full()),
        ("skipped by a person", running().status(|status| status.current_step_index = Some(2))),
    ] {
        let scene = scene.rest();
        assert_eq!(operation(&scene), Some((Operation::Terminate, 1)), "{case}");
        assert!(waits_for(&scene.plan(), "the extension \"acme/gate\" to end step 2"), "{case}");
        let scene = says(scene, Phase::Successful).rest();
        assert_eq!((call(&scene), stored(&scene).abort), (None, false), "{case}");
    }
}

#[test]
fn nothing_is_called_when_nothing_may_begin() {
    for (case, scene) in [
        ("held by its spec", at_step().paused(true)),
        ("another template", at_step().update("v3")),
        (
            "other steps, not stored yet",
            at_step().canary(json!({"steps": [{"plugin": {"name": "acme/gate"}}]})),
        ),
        ("a spec that cannot work", at_step().spec(json!({"minReadySeconds": 9999}))),
        ("nothing is missing but its name", known(at_step(), &["acme/other"])),
        ("rolled back", at_step().update("v1").rest()),
    ] {
        assert_eq!(call(&scene), None, "{case}");
    }
}

#[test]
fn an_answer_to_another_question_is_not_heard() {
    let scene = says(at_step(), Phase::Failed);
    for (case, change) in [
        ("asked before", (|call: &mut Call| call.executions = 7) as fn(&mut Call)),
        ("another step", |call| call.index = 0),
        ("another operation", |call| call.operation = Operation::Abort),
        ("another revision", |call| call.rollout["podTemplateHash"] = json!("v0")),
        ("another extension", |call| call.extension = "acme/other".to_owned()),
    ] {
        let scene = scene.clone().edit(|world| change(&mut world.extensions.told[0].call)).rest();
        assert!(!stored(&scene).abort, "{case}");
    }
}

#[test]
fn an_extension_that_is_not_configured_is_refused_until_it_is() {
    let (scene, _) = known(at_step(), &[]).settle();
    let message = "InvalidSpec: The Rollout \"shop\" is invalid: spec.strategy.canary.steps[1].plugin.name: Invalid value: \
                   \"acme/gate\": the extension \"acme/gate\" is not configured; name it with its url under `extensions` in \
                   the ConfigMap argo-rollouts-config of the controller (docs/extensions.md); plugins of Argo Rollouts are \
                   Go programs and cannot be loaded";
    assert_eq!(phase(&stored(&scene)), format!("Degraded|{message}"));
    assert_eq!(scene.plan().wake.map(|wake| wake.duration_since(scene.world.now).as_secs()), Some(60));
    assert_eq!(operation(&known(scene, &["acme/gate"]).rest()), Some((Operation::Run, 1)));
}

#[test]
fn a_router_that_is_not_configured_is_refused_and_those_that_are_built_in_are_not() {
    let plugins = json!({"acme/router": {}, "serin.dev/generic": [], "argoproj-labs/gatewayAPI": {}});
    let scene = known(base().services(), &[]).canary(json!({"trafficRouting": {"plugins": plugins}})).rest();
    let status = stored(&scene);
    let message = status.message.unwrap();
    assert!(message.contains("trafficRouting.plugins[\"acme/router\"]: Invalid value"), "{message}");
    assert!(!phase(&stored(&known(scene, &["acme/router"]).rest())).contains("InvalidSpec"));
}

#[test]
fn while_nobody_knows_what_is_configured_it_waits() {
    let scene = at_step().edit(|world| world.extensions.configured = None).rest();
    assert!(waits_for(&scene.plan(), "the ConfigMap argo-rollouts-config to be read"));
    assert!(!phase(&stored(&scene)).contains("InvalidSpec"));
}

#[test]
fn nothing_is_called_in_a_dry_run_or_under_a_brake() {
    assert_eq!(operation(&at_step()), Some((Operation::Run, 1)));
    let dry = at_step().edit(|world| {
        let annotations = world.rollout.metadata.annotations.get_or_insert_default();
        annotations.insert(serin_api::label::DRY_RUN.to_owned(), "true".to_owned());
    });
    assert_eq!(operation(&dry), None);
    let labels = [(serin_api::label::BRAKE.to_owned(), "hold".to_owned())].into();
    let brake = serin_core::brake::Brake::read("freeze", &labels, &Default::default());
    let held = at_step().edit(|world| world.brakes = brake.into_iter().collect()).fold();
    assert_eq!(operation(&held), None);
}
