//! Which AnalysisRuns there are, when, with which words, and what holds until they have evidence.

use jiff::SignedDuration;
use serde_json::{Value, json};
use serin_api::{AnalysisPhase, label};
use serin_core::Plan;
use serin_testkit::scene::{Scene, base, fresh};

use crate::{created, patches, phase, reasons, stored, told, value_at, verdict, waits_for, weight};

const PAUSED_HALF: &str = r#"[{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]"#;

fn background(steps: &Value) -> Scene {
    let analysis = json!({"templates": [{"templateName": "errors"}]});
    base().template("errors").canary(json!({"analysis": analysis, "steps": steps})).rest()
}

fn measuring() -> Scene {
    background(&serde_json::from_str(PAUSED_HALF).unwrap()).update("v2").rest()
}

fn step_steps() -> Value {
    json!([{"setWeight": 25}, {"analysis": {"templates": [{"templateName": "errors"}]}}, {"pause": {}}])
}

fn at_step() -> Scene {
    base().template("errors").steps(step_steps()).update("v2").rest()
}

fn runs(plan: &Plan) -> Vec<Value> {
    created(plan, "AnalysisRun")
}

/// Names of runs that a plan ends.
fn ended(plan: &Plan) -> Vec<String> {
    let patches = patches(plan, "AnalysisRun").into_iter();
    patches
        .filter(|(_, patch)| value_at(patch, "/spec/terminate") == Some(&json!(true)))
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn a_background_analysis_begins_at_its_step() {
    for (name, starting, index, begins) in [
        ("at once unless said otherwise", Value::Null, 0, true),
        ("not before its step", json!(2), 0, false),
        ("nor at the step before", json!(2), 1, false),
        ("at its step", json!(2), 2, true),
        ("also when that was jumped over", json!(1), 2, true),
    ] {
        let steps = json!([{"pause": {}}, {"pause": {}}, {"pause": {}}]);
        let analysis = json!({"templates": [{"templateName": "errors"}], "startingStep": starting});
        let scene = base().template("errors").canary(json!({"analysis": analysis, "steps": steps})).rest();
        let plan = scene.rolling("v2", 0).status(|s| s.canary.current_background_analysis_run_status = None);
        let plan = plan.at(index).plan();
        assert_eq!(runs(&plan).len(), usize::from(begins), "{name}");
        let recorded = plan.status.canary.current_background_analysis_run_status;
        assert_eq!(recorded.map(|run| run.name), begins.then(|| "shop-v2-2".to_owned()), "{name}");
    }
}

#[test]
fn runs_have_the_names_and_labels_that_tools_expect() {
    let metadata = json!({"labels": {"team": "shop", "app": "mine"}, "annotations": {"why": "law"}});
    let analysis = json!({"templates": [{"templateName": "errors"}], "analysisRunMetadata": metadata});
    let step = json!([{"pause": {}}, {"analysis": analysis}]);
    let in_background = json!({"analysis": analysis, "steps": [{"pause": {}}]});
    for (name, strategy, index, run_name, kind, step_index) in [
        ("of the background", in_background, 0, "shop-v2-2", "Background", None),
        ("of a step", json!({"steps": step}), 1, "shop-v2-2-1", "Step", Some("1")),
    ] {
        let scene = base().template("errors").canary(strategy).rest().update("v2").pods("v2", 0, 0);
        let scene = scene.edit(|world| world.templates.clear()).fold();
        let scene = scene.template("errors").at(index);
        let plan = scene.plan();
        let [run] = &runs(&plan)[..] else { panic!("{name}: {:?}", plan.writes) };
        assert_eq!(run["metadata"]["name"], run_name, "{name}");
        let labels = &run["metadata"]["labels"];
        assert_eq!(labels[label::POD_TEMPLATE_HASH], "v2", "{name}");
        assert_eq!(labels[label::ROLLOUT_TYPE], kind, "{name}");
        assert_eq!(labels.get(label::STEP_INDEX).and_then(Value::as_str), step_index, "{name}");
        assert_eq!(labels["team"], "shop", "{name}: of the user");
        assert_eq!(labels["app"], "shop", "{name}: the selector of the Rollout goes before");
        let annotations = &run["metadata"]["annotations"];
        assert_eq!(
            (&annotations["why"], &annotations[label::REVISION]),
            (&json!("law"), &json!("2")),
            "{name}"
        );
        assert_eq!(run["metadata"]["ownerReferences"][0]["uid"], "uid-shop", "{name}");
        assert_eq!(run["spec"]["metrics"][0]["name"], "errors", "{name}");
    }
}

#[test]
fn a_run_is_served_by_the_controller_of_its_rollout() {
    let taken = json!({"labels": {label::INSTANCE_ID: "green"}});
    let analysis = json!({"templates": [{"templateName": "errors"}], "analysisRunMetadata": taken});
    for (name, labels, expected) in [
        ("of no id", None, Some("green")),
        ("of the Rollout's id, whatever the metadata say", Some("blue"), Some("blue")),
    ] {
        let scene = base().template("errors").canary(json!({"analysis": analysis, "steps": [{"pause": {}}]}));
        let scene = scene.edit(|world| {
            let own = labels.map(|id: &str| (label::INSTANCE_ID.to_owned(), id.to_owned()));
            world.rollout.metadata.labels = Some(own.into_iter().collect());
        });
        let plan = scene.rest().update("v2").pods("v2", 0, 0).plan();
        let [run] = &runs(&plan)[..] else { panic!("{name}: {:?}", plan.writes) };
        assert_eq!(run["metadata"]["labels"][label::INSTANCE_ID].as_str(), expected, "{name}");
    }
}

#[test]
fn arguments_are_filled_in_from_the_rollout() {
    for (name, from, expected) in [
        ("a value", json!({"value": "42"}), Some("42")),
        ("the newest hash", json!({"valueFrom": {"podTemplateHashValue": "Latest"}}), Some("v2")),
        ("the hash of stable", json!({"valueFrom": {"podTemplateHashValue": "Stable"}}), Some("v1")),
        ("a name", json!({"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}), Some("shop")),
        (
            "a label",
            json!({"valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['region']"}}}),
            Some("eu"),
        ),
        ("a number", json!({"valueFrom": {"fieldRef": {"fieldPath": "spec.replicas"}}}), Some("4")),
        (
            "a label that is not there",
            json!({"valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['zone']"}}}),
            None,
        ),
    ] {
        let mut arg = from;
        arg["name"] = json!("arg");
        let analysis = json!({"templates": [{"templateName": "errors"}], "args": [arg]});
        let spec =
            json!({"args": [{"name": "arg"}], "metrics": [{"name": "errors", "provider": {"job": {}}}]});
        let scene = base().template("errors").edit(|world| {
            world.templates[0].spec = serin_core::seen::Seen::Fresh(serde_json::from_value(spec).unwrap());
            world
                .rollout
                .metadata
                .labels
                .get_or_insert_default()
                .insert("region".to_owned(), "eu".to_owned());
        });
        let scene = scene.canary(json!({"analysis": analysis, "steps": [{"pause": {}}]})).rest();
        let plan = scene.update("v2").pods("v2", 0, 0).plan();
        let found = runs(&plan).first().map(|run| run["spec"]["args"][0]["value"].clone());
        assert_eq!(found, expected.map(|text| json!(text)), "{name}");
        let says = waits_for(&plan, "argument arg: the Rollout has no field metadata.labels['zone']");
        assert_eq!(says, expected.is_none(), "{name}: {:?}", plan.status.gates);
    }
}

#[test]
fn nothing_is_measured_without_a_canary_on_its_way() {
    let steps = json!([{"pause": {}}]);
    let first = fresh().template("errors").canary(json!({
        "analysis": {"templates": [{"templateName": "errors"}]}, "steps": steps,
    }));
    let (deployed, plans) = first.settle();
    assert!(plans.iter().all(|plan| runs(plan).is_empty()), "not for the first revision");
    assert!(runs(&deployed.plan()).is_empty(), "not for stable");
    assert!(runs(&deployed.clone().update("v2").promote_full().fold().promote_full().plan()).is_empty());
    assert_eq!(deployed.update("v2").rest().world.analysis_runs.len(), 1, "for an update");
}

#[test]
fn what_is_not_wanted_any_more_is_ended() {
    let name = |scene: &Scene| scene.world.analysis_runs[0].name.clone();
    for (case, scene, ends) in [
        ("while it measures, a run stays", measuring(), false),
        ("after an abort", measuring().abort(), true),
        ("after a full promotion was asked for", measuring().promote_full(), true),
        ("by a new revision", measuring().update("v3"), true),
        ("by an undo", measuring().update("v1"), true),
        ("of a step that was skipped", at_step().status(|status| status.current_step_index = Some(2)), true),
        ("of a step that is there", at_step(), false),
        ("not twice", measuring().abort().edit(|world| world.analysis_runs[0].terminating = true), false),
        ("not after its end", verdict(measuring(), AnalysisPhase::Successful, "").abort(), false),
    ] {
        let expected = if ends { vec![name(&scene)] } else { vec![] };
        assert_eq!(ended(&scene.plan()), expected, "{case}");
    }
    let (scene, _) = measuring().promote().rest().promote().settle();
    assert!(scene.world.analysis_runs[0].terminating, "after promotion");
}

#[test]
fn a_verdict_of_an_ended_or_another_run_does_not_count() {
    let terminating = measuring().edit(|world| world.analysis_runs[0].terminating = true);
    let skipped = at_step().status(|status| status.current_step_index = Some(2));
    for (name, scene) in [("terminated", terminating), ("of a step gone past", skipped)] {
        for said in [AnalysisPhase::Failed, AnalysisPhase::Error, AnalysisPhase::Inconclusive] {
            let plan = verdict(scene.clone(), said, "").plan();
            assert!(!plan.status.abort, "{name}: {said}");
            let reasons = plan.status.pause_conditions.into_iter().flatten().map(|pause| pause.reason);
            assert!(reasons.into_iter().all(|reason| reason == "CanaryPauseStep"), "{name}: {said}");
        }
    }
}

#[test]
fn a_run_that_was_recorded_and_is_not_there_is_started_by_the_same_name() {
    let scene = measuring();
    let name = scene.world.analysis_runs[0].name.clone();
    let plan = scene.edit(|world| world.analysis_runs.clear()).plan();
    assert_eq!(runs(&plan)[0]["metadata"]["name"], name.as_str());
}

#[test]
fn an_inconclusive_analysis_waits_for_a_person() {
    for (name, scene) in [("in the background", measuring()), ("at a step", at_step())] {
        let (scene, _) = verdict(scene, AnalysisPhase::Inconclusive, "too few samples").settle();
        let status = stored(&scene);
        let paused: Vec<_> =
            status.pause_conditions.iter().flatten().map(|pause| pause.reason.clone()).collect();
        assert!(paused.contains(&"InconclusiveAnalysisRun".to_owned()), "{name}: {paused:?}");
        assert!(status.controller_pause && !status.abort, "{name}");
        assert!(waits_for(&scene.plan(), "a decision about an inconclusive analysis"), "{name}");
        let later = scene.clone().wait(100_000).plan();
        assert_eq!(later.status.current_step_index, Some(1), "{name}: time does not decide");
        let (again, _) = scene.promote().settle();
        assert_eq!(again.world.analysis_runs.len(), 2, "{name}: promote measures again");
        assert!(!stored(&again).abort, "{name}");
    }
}

#[test]
fn the_pause_of_an_inconclusive_analysis_is_told() {
    let plan = verdict(at_step(), AnalysisPhase::Inconclusive, "").plan();
    assert_eq!(phase(&plan.status), "Paused|InconclusiveAnalysisRun");
    assert_eq!(told(&plan, "RolloutPaused").as_deref(), Some("Rollout is paused (InconclusiveAnalysisRun)"));
}

#[test]
fn changes_of_a_run_are_told() {
    let name = at_step().world.analysis_runs[0].name.clone();
    let running = verdict(at_step(), AnalysisPhase::Running, "").fold();
    for (case, scene, reason, kind, before) in [
        ("begun", verdict(at_step(), AnalysisPhase::Running, ""), "Running", "Step", ""),
        ("good", verdict(running.clone(), AnalysisPhase::Successful, ""), "Successful", "Step", "Running"),
        ("bad", verdict(running.clone(), AnalysisPhase::Failed, ""), "Failed", "Step", "Running"),
        ("not to be had", verdict(running.clone(), AnalysisPhase::Error, ""), "Error", "Step", "Running"),
    ] {
        let message = format!("{kind} Analysis Run '{name}' Status New: '{reason}' Previous: '{before}'");
        assert_eq!(told(&scene.plan(), &format!("AnalysisRun{reason}")), Some(message), "{case}");
    }
    assert!(reasons([&running.plan()]).is_empty(), "no change, no word");
}

/// A canary whose background analysis says this, with the weight of its step in force and its pods there.
fn routed(steps: &Value, index: i32, message: &str) -> Scene {
    let analysis = json!({"templates": [{"templateName": "errors"}]});
    let scene =
        base().template("errors").routed().canary(json!({"analysis": analysis, "steps": steps})).rest();
    let scene = scene.rolling("v2", 4).selects("shop-canary", "v2").weight(50);
    let begun = scene.at(index).act().0.at(index);
    verdict(begun, AnalysisPhase::Running, message)
}

#[test]
fn without_evidence_nothing_goes_on_by_itself() {
    let timed = json!([{"pause": {"duration": 10}}, {"setWeight": 50}, {"pause": {}}]);
    let timed = |message: &str| {
        let scene = background(&timed).update("v2").rest();
        verdict(scene, AnalysisPhase::Running, message).wait(10)
    };
    let weights = json!([{"setWeight": 50}, {"pause": {}}]);
    let last = json!([{"setWeight": 100}]);
    for (name, build, held, free) in [
        ("at the end of a timed pause", &timed as &dyn Fn(&str) -> Scene, Some(0), Some(1)),
        ("at a weight", &|message: &str| routed(&weights, 0, message).pods("v2", 2, 2), Some(0), Some(1)),
        ("before promotion", &|message: &str| routed(&last, 1, message).weight(100), Some(1), Some(1)),
    ] {
        let measured = build("").plan();
        assert_eq!(measured.status.current_step_index, free, "{name}: with evidence");
        let waiting = build("prometheus: connection refused").plan();
        assert_eq!(waiting.status.current_step_index, held, "{name}: without");
        assert_eq!(waiting.status.stable_rs.as_deref(), Some("v1"), "{name}: without");
        assert!(!waiting.status.abort, "{name}: unknown is not bad");
        let why = "the background analysis: prometheus: connection refused";
        assert!(waits_for(&waiting, why), "{name}: {:?}", waiting.status.gates);
        assert!(!waits_for(&measured, "the background analysis"), "{name}");
        let mut gives_up = None;
        let patient = build("prometheus: connection refused").edit(|world| {
            gives_up = Some(world.now + SignedDuration::from_secs(100));
            world.analysis_runs.iter_mut().for_each(|run| run.gives_up = gives_up);
        });
        for (seconds, until) in [(0, gives_up), (99, gives_up), (100, None)] {
            let gates = patient.clone().wait(seconds).plan().status.gates.unwrap();
            let gate = gates.iter().find(|gate| gate.waits_for.contains(why)).unwrap();
            assert_eq!(gate.until.as_ref().map(|until| until.0), until, "{name}: after {seconds} s");
            assert_eq!(
                gate.then.contains("if not in time, it pauses"),
                until.is_some(),
                "{name}: {}",
                gate.then
            );
        }
    }
    let promoted = routed(&last, 1, "").weight(100).plan().status.stable_rs;
    assert_eq!(promoted.as_deref(), Some("v2"), "with evidence it becomes stable");
}

#[test]
fn a_person_goes_on_without_evidence() {
    let steps = json!([{"pause": {"duration": 10}}, {"pause": {}}]);
    let scene = verdict(background(&steps).update("v2").rest(), AnalysisPhase::Running, "connection refused");
    assert_eq!(scene.clone().promote().plan().status.current_step_index, Some(1), "promote");
    let (full, _) = scene.promote_full().settle();
    let status = stored(&full);
    assert_eq!(status.stable_rs.as_deref(), Some(status.current_pod_hash.as_str()), "promote --full");
}

#[test]
fn holding_runs_that_come_back_let_the_rollout_go_on() {
    let steps = json!([{"pause": {"duration": 10}}, {"pause": {}}]);
    let scene = verdict(background(&steps).update("v2").rest(), AnalysisPhase::Running, "connection refused");
    let held = scene.wait(60).rest();
    assert_eq!(stored(&held).current_step_index, Some(0));
    let (back, _) = verdict(held, AnalysisPhase::Running, "").settle();
    assert_eq!(stored(&back).current_step_index, Some(1));
}

#[test]
fn a_background_analysis_that_ended_well_is_left_alone() {
    let (scene, _) = verdict(measuring(), AnalysisPhase::Successful, "").promote().settle();
    assert_eq!(scene.world.analysis_runs.len(), 1, "no second one");
    assert_eq!(stored(&scene).current_step_index, Some(3));
}

#[test]
fn evidence_that_fails_takes_the_traffic_back_in_the_same_plan() {
    let steps = json!([{"setWeight": 50}, {"pause": {}}]);
    let scene = routed(&steps, 1, "");
    assert_eq!(weight(&scene.plan()), Some(50));
    assert_eq!(weight(&verdict(scene, AnalysisPhase::Failed, "").plan()), Some(0));
}

#[test]
fn the_cli_goes_past_an_inconclusive_step() {
    let (scene, _) = verdict(at_step(), AnalysisPhase::Inconclusive, "").settle();
    let promoted = scene.status(|status| {
        (status.pause_conditions, status.controller_pause, status.current_step_index) =
            (None, false, Some(2));
    });
    let (scene, _) = promoted.settle();
    assert_eq!(stored(&scene).current_step_index, Some(2));
    assert_eq!(phase(&stored(&scene)), "Paused|CanaryPauseStep", "at the pause after it");
    assert_eq!(scene.world.analysis_runs.len(), 1, "nothing is measured again");
}
