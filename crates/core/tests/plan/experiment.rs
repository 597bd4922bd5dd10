//! Experiment steps: what they make, what its phases lead to, who ends it, and the traffic of its templates.

use jiff::SignedDuration;
use serde_json::{Value, json};
use serin_api::AnalysisPhase::{self, Error, Failed, Inconclusive, Pending, Running, Successful};
use serin_core::split::{Effective, Split, Weight};
use serin_testkit::scene::{Scene, base};

use super::{condition, created, deleted, patches, phase, reasons, stored, told, waits_for};

fn step() -> Value {
    json!({"experiment": {
        "duration": "5m",
        "templates": [
            {"name": "baseline", "specRef": "stable"},
            {"name": "canary", "specRef": "canary", "replicas": 2},
        ],
        "analyses": [{"name": "errors", "templateName": "up"}],
    }})
}

/// The second revision is at its experiment step; a pause comes after it.
fn at_step() -> Scene {
    let steps = json!([{"setWeight": 25}, step(), {"pause": {}}]);
    base().template("up").steps(steps).update("v2").rest()
}

/// Name of the Experiment that runs now.
fn current(scene: &Scene) -> String {
    stored(scene).canary.current_experiment
}

fn says(scene: Scene, phase: AnalysisPhase, message: &str) -> Scene {
    let name = current(&scene);
    scene.experiment(&name, phase, message)
}

fn terminating(scene: &Scene) -> Vec<bool> {
    scene.world.experiments.iter().map(|experiment| experiment.terminating).collect()
}

#[test]
fn an_experiment_step_makes_an_experiment_and_waits_for_it() {
    let scene = at_step();
    assert_eq!(stored(&scene).current_step_index, Some(1));
    assert_eq!(current(&scene), format!("shop-{}-2-1", stored(&scene).current_pod_hash));
    for phase in [AnalysisPhase::Unset, Pending, Running] {
        let scene = says(scene.clone(), phase, "").wait(99_999).rest();
        assert_eq!(stored(&scene).current_step_index, Some(1), "{phase:?}");
        assert!(waits_for(&scene.plan(), "Experiment shop-"), "{phase:?}");
        let progressing = condition(&stored(&scene), "Progressing").unwrap_or_default();
        assert!(
            !progressing.contains("timed out"),
            "its own deadline is that of the experiment: {progressing}"
        );
    }
    let (done, plans) = says(scene, Successful, "").settle();
    assert_eq!((stored(&done).current_step_index, current(&done)), (Some(2), String::new()));
    let completed = plans.iter().find_map(|plan| told(plan, "RolloutStepCompleted"));
    assert_eq!(completed.as_deref(), Some("Rollout step 2/3 completed (experiment)"));
    assert_eq!(phase(&stored(&done)), "Paused|CanaryPauseStep");
}

#[test]
fn the_experiment_is_as_argo_rollouts_makes_it() {
    let rich = json!({"experiment": {
        "duration": "5m", "scaleDownDelaySeconds": 7,
        "dryRun": [{"metricName": "up"}],
        "analysisRunMetadata": {"labels": {"team": "a"}},
        "templates": [
            {"name": "baseline", "specRef": "stable", "service": {"name": "base"}},
            {"name": "canary", "specRef": "canary", "replicas": 2,
             "metadata": {"labels": {"part": "trial"}, "annotations": {"note": "n"}}},
            {"name": "own", "specRef": "canary", "selector": {"matchLabels": {"app": "shop"}}},
        ],
        "analyses": [{
            "name": "errors", "templateName": "up", "requiredForCompletion": true,
            "args": [
                {"name": "new", "valueFrom": {"podTemplateHashValue": "Latest"}},
                {"name": "old", "valueFrom": {"podTemplateHashValue": "Stable"}},
                {"name": "who", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['team']"}}},
            ],
        }],
    }});
    let scene = ports(base().template("up")).rest().edit(|world| {
        world.rollout.metadata.labels = Some([("team".to_owned(), "shop".to_owned())].into());
    });
    let stable = stored(&scene).stable_rs.unwrap();
    let (_, plans) = ports(scene.steps(json!([rich])).update("v2")).settle();
    let making = plans.iter().find(|plan| !created(plan, "Experiment").is_empty()).unwrap();
    assert!(told(making, "ExperimentCreated").unwrap().starts_with("Created Experiment 'shop-"));
    let made = created(making, "Experiment").remove(0);
    let hash = made["metadata"]["labels"]["rollouts-pod-template-hash"].as_str().unwrap();
    assert_eq!(made["metadata"]["name"], format!("shop-{hash}-3-0"));
    assert_eq!(made["metadata"]["labels"]["team"], "shop");
    assert_eq!(made["metadata"]["annotations"], json!({"rollout.argoproj.io/revision": "3"}));
    assert_eq!(made["metadata"]["ownerReferences"][0]["kind"], "Rollout");
    let spec = &made["spec"];
    assert_eq!((&spec["duration"], &spec["scaleDownDelaySeconds"]), (&json!("5m"), &json!(7)));
    assert_eq!(
        (&spec["dryRun"], &spec["analysisRunMetadata"]),
        (&json!([{"metricName": "up"}]), &json!({"labels": {"team": "a"}}))
    );
    let [baseline, canary, own] = [0, 1, 2].map(|index| &spec["templates"][index]);
    assert_eq!(baseline["template"]["spec"]["containers"][0]["image"], "shop:v1");
    assert_eq!(baseline["service"], json!({"name": "base"}));
    assert_eq!(
        baseline["selector"]["matchLabels"],
        json!({"app": "shop", "rollouts-pod-template-hash": stable})
    );
    assert_eq!(canary["template"]["spec"]["containers"][0]["image"], "shop:v2");
    assert_eq!((&canary["replicas"], &canary["service"]), (&json!(2), &Value::Null));
    assert_eq!(canary["template"]["metadata"]["labels"]["part"], "trial");
    assert_eq!(canary["template"]["metadata"]["annotations"]["note"], "n");
    assert_eq!(canary["selector"]["matchLabels"]["part"], "trial");
    assert_eq!(own["selector"], json!({"matchLabels": {"app": "shop"}}));
    let args = json!([{"name": "new", "value": hash}, {"name": "old", "value": stable}, {"name": "who", "value": "shop"}]);
    assert_eq!(
        spec["analyses"],
        json!([{"name": "errors", "templateName": "up", "requiredForCompletion": true, "args": args}])
    );
    let problems = serin_api::validate_experiment(&serde_json::from_value(made).unwrap());
    assert_eq!(problems, [], "what is made can run");
}

#[test]
fn a_failed_experiment_takes_the_update_back() {
    for (said, message, expected) in [
        (Failed, "", "Experiment analysis phase is error/failed"),
        (Error, "no answer", "Experiment analysis phase is error/failed: no answer"),
    ] {
        let scene = says(at_step(), said, message).rest();
        let text = format!("RolloutAborted: Rollout aborted update to revision 2: {expected}");
        assert_eq!(phase(&stored(&scene)), format!("Degraded|{text}"), "{said:?}");
        assert_eq!(current(&scene), "");
        let retried = scene.retry().rest();
        let again = says(retried.clone(), Successful, "").rest();
        assert!(current(&retried).ends_with("-2-1-1"), "{}", current(&retried));
        assert_eq!(stored(&again).current_step_index, Some(2));
    }
}

#[test]
fn an_inconclusive_experiment_waits_for_a_person_and_is_not_run_again_behind_his_back() {
    let (paused, plans) = says(at_step(), Inconclusive, "who knows").settle();
    assert_eq!(phase(&stored(&paused)), "Paused|InconclusiveExperiment");
    assert!(reasons(&plans).contains(&"RolloutPaused".to_owned()));
    let waited = paused.wait(9_999).rest();
    assert_eq!(waited.world.experiments.len(), 1, "it stays the only one");
    assert_eq!(stored(&waited).current_step_index, Some(1));
    let promoted = waited.promote().rest();
    assert_eq!(promoted.world.experiments.len(), 2, "`promote` measures again");
    assert_ne!(current(&promoted), promoted.world.experiments[0].name);
    assert_eq!(stored(&says(promoted, Successful, "").rest()).current_step_index, Some(2));
}

#[test]
fn an_experiment_that_a_person_cut_short_before_it_was_measured_decides_nothing() {
    let ended = |unmeasured: bool| {
        let scene = says(at_step(), Successful, "").edit(|world| {
            (world.experiments[0].terminating, world.experiments[0].unmeasured) = (true, unmeasured);
        });
        phase(&stored(&scene.rest()))
    };
    assert_eq!(ended(true), "Paused|InconclusiveExperiment");
    assert_eq!(ended(false), "Paused|CanaryPauseStep", "everything had been measured");
}

#[test]
fn the_step_ends_when_the_experiment_says() {
    let scene = says(at_step(), Running, "");
    let end = scene.world.now + SignedDuration::from_secs(60);
    let scene = scene.edit(|world| world.experiments[0].until = Some(end));
    for (seconds, until) in [(0, Some(end)), (59, Some(end)), (60, None)] {
        let gates = scene.clone().wait(seconds).plan().status.gates.unwrap();
        let gate = gates.iter().find(|gate| gate.waits_for.starts_with("Experiment ")).unwrap();
        assert_eq!(gate.until.as_ref().map(|until| until.0), until, "after {seconds} s");
    }
}

#[test]
fn whatever_leaves_the_step_ends_the_experiment() {
    let running = || says(at_step(), Running, "").rest();
    assert_eq!(terminating(&running()), [false]);
    for (case, scene) in [
        ("an abort", running().abort()),
        ("a full promotion", running().promote_full()),
        ("a new revision", running().update("v3")),
        ("an undo", running().update("v1")),
        ("a step that a person skipped", running().at(2)),
        ("other steps", running().canary(json!({"steps": [{"pause": {}}]}))),
    ] {
        let scene = scene.rest();
        assert!(terminating(&scene)[0], "{case}");
        assert!(!current(&scene).ends_with("-2-1"), "{case}: {}", current(&scene));
    }
    let paused = running().paused(true).rest();
    assert_eq!(terminating(&paused), [false], "a pause does not");
    let waiting = base().template("up").steps(json!([step()])).paused(true).update("v2").rest();
    assert!(waiting.world.experiments.is_empty(), "but nothing begins under it");
}

#[test]
fn an_experiment_waits_for_stable_and_has_none_in_the_first_revision() {
    let first = serin_testkit::scene::fresh().template("up").canary(json!({"steps": [step()]})).rest();
    assert!(first.world.experiments.is_empty());
    assert_eq!(phase(&stored(&first)), "Healthy|");
}

#[test]
fn the_name_of_an_experiment_of_somebody_else_is_left_to_him() {
    let scene = at_step().edit(|world| world.experiments.clear());
    let name = current(&scene);
    let made = created(&scene.plan(), "Experiment").remove(0);
    assert_eq!(made["metadata"]["name"], name, "one that was never made is made under its name");
    let taken = scene.edit(|world| {
        world.refusals.push(serin_core::world::WriteRefusal {
            kind: "Experiment".to_owned(),
            object: name.clone(),
            message: "already exists".to_owned(),
            name_taken: true,
        });
    });
    let made = created(&taken.plan(), "Experiment").remove(0);
    assert_eq!(made["metadata"]["name"], format!("{name}-1"));
}

#[test]
fn old_experiments_are_forgotten_when_nothing_of_them_is_left() {
    let history = json!({"analysis": {"successfulRunHistoryLimit": 1, "unsuccessfulRunHistoryLimit": 1}});
    let scene = says(at_step(), Failed, "").rest().spec(history);
    let scene = says(scene.retry().rest(), Failed, "").rest();
    let names = |scene: &Scene| -> Vec<String> {
        scene.world.experiments.iter().map(|experiment| experiment.name.clone()).collect()
    };
    assert_eq!(names(&scene).len(), 1, "the younger one is kept: {:?}", names(&scene));
    let busy = says(at_step(), Failed, "").rest().edit(|world| world.experiments[0].templates[0].pods = 1);
    let busy = busy.spec(json!({"analysis": {"unsuccessfulRunHistoryLimit": 0}}));
    assert!(deleted(&busy.plan(), "Experiment").is_empty(), "one with pods stays");
    let idle = busy.edit(|world| world.experiments[0].templates[0].pods = 0);
    assert_eq!(deleted(&idle.plan(), "Experiment").len(), 1);
}

/// The container of the template declares a port.
fn ports(scene: Scene) -> Scene {
    scene.edit(|world| {
        let mut template = world.rollout.spec.template.clone().unwrap().value().clone();
        template["spec"]["containers"][0]["ports"] = json!([{"containerPort": 8080}]);
        world.rollout.spec.template = Some(serin_api::RawTemplate::new(template));
    })
}

fn weighted() -> Scene {
    let mut step = step();
    step["experiment"]["templates"][0]["weight"] = json!(5);
    step["experiment"]["templates"][1]["weight"] = json!(15);
    let steps = json!([{"setWeight": 20}, step, {"setWeight": 50}, {"pause": {}}]);
    ports(ports(base().routed().template("up")).rest().steps(steps).update("v2")).rest()
}

/// Weight of the canary, and those of the templates.
fn shares(scene: &Scene) -> (u32, Vec<(String, u32)>) {
    let Effective::Applied(split) = &scene.world.routers[0].effective else { panic!("not applied") };
    let others = split.additional.iter().map(|other| (other.service.clone(), other.weight.0));
    (split.canary.0, others.collect())
}

#[test]
fn templates_get_their_share_while_all_pods_run_and_not_before_or_after() {
    let waiting = weighted();
    assert_eq!(phase(&stored(&waiting)).split('|').next(), Some("Progressing"));
    assert_eq!(shares(&waiting), (20, Vec::new()), "its pods are not there yet");
    let (running, plans) = says(waiting, Running, "").settle();
    let name = current(&running);
    let services = [format!("{name}-baseline"), format!("{name}-canary")];
    let [baseline, canary] = services.clone();
    assert_eq!(shares(&running), (20, vec![(baseline.clone(), 5), (canary.clone(), 15)]));
    let asked = running.plan().split.unwrap().additional;
    assert_eq!(
        asked.iter().map(|other| other.port).collect::<Vec<_>>(),
        [Some(8080); 2],
        "as the pods declare"
    );
    let weights = stored(&running).canary.weights.unwrap();
    assert_eq!(weights.stable.weight, 60);
    let additional = weights.additional.unwrap();
    assert_eq!(additional[1].service_name.as_deref(), Some(canary.as_str()));
    assert_eq!(additional[1].pod_template_hash.as_deref(), Some(format!("hash-of-{canary}").as_str()));
    let updated = plans.iter().find_map(|plan| told(plan, "TrafficWeightUpdated"));
    let expected = format!(
        "Traffic weight updated additional: [{{5 {baseline} hash-of-{baseline}}} {{15 {canary} hash-of-{canary}}}]"
    );
    assert_eq!(updated, Some(expected));
    for (case, scene) in [
        ("an abort", running.clone().abort()),
        ("a new revision", ports(running.clone().update("v3"))),
        ("its own failure", says(running.clone(), Failed, "")),
        ("lost pods", says(running.clone(), Pending, "")),
        ("a person who ended it", running.clone().edit(|world| world.experiments[0].terminating = true)),
        ("its success", says(running.clone(), Successful, "")),
    ] {
        assert_eq!(shares(&scene.rest()).1, Vec::new(), "{case}");
    }
    let next = says(running, Successful, "").rest();
    assert_eq!((shares(&next), stored(&next).current_step_index), ((50, Vec::new()), Some(3)));
    assert_eq!(stored(&next).canary.weights.unwrap().additional, None);
}

#[test]
fn an_abort_takes_templates_out_of_routers_that_disagree() {
    let running = says(weighted(), Running, "").rest();
    let differ = running.clone().edit(|world| {
        let mut other = world.routers[0].clone();
        other.effective = Effective::Applied(Split::new(Weight(100), Weight(20)));
        world.routers.push(other);
    });
    let split = differ.clone().abort().plan().split.unwrap();
    assert_eq!((split.canary.0, split.additional), (0, Vec::new()));
    let reached = differ.abort().fold().plan();
    assert!(crate::waits_for(&reached, "the router to confirm the split"), "{:?}", crate::waits(&reached));
}

#[test]
fn traffic_that_still_reaches_templates_holds_the_next_step() {
    let running = says(weighted(), Running, "").rest();
    let Effective::Applied(with) = running.world.routers[0].effective.clone() else { panic!("not applied") };
    let done = says(running, Successful, "");
    let held = done.clone().fold().fold().effective(&Effective::Applied(with));
    let plan = held.fold().plan();
    assert_eq!(plan.status.current_step_index, Some(2), "{:?}", plan.status.gates);
    assert!(plan.split.unwrap().additional.is_empty(), "and is asked to go");
}

#[test]
fn a_step_that_cannot_work_is_refused_with_field_and_remedy() {
    let with = |change: fn(&mut Value)| {
        let mut step = step();
        change(&mut step["experiment"]);
        let scene = base().template("up").canary(json!({"steps": [{"setWeight": 90}, step]}));
        phase(&scene.plan().status)
    };
    for (change, field, part) in [
        (
            (|step| step["templates"] = json!([])) as fn(&mut Value),
            "experiment.templates",
            "at least one template",
        ),
        (
            |step| step["templates"][0]["specRef"] = json!("old"),
            "templates[0].specRef",
            "must be canary or stable",
        ),
        (|step| step["templates"][1]["name"] = json!("baseline"), "templates[1].name", "rename one"),
        (
            |step| step["templates"][0]["weight"] = json!(5),
            "templates[0].weight",
            "unless TrafficRouting is enabled",
        ),
        (
            |step| step["templates"][0]["weight"] = json!(11),
            "experiment.templates",
            "of 100 in all; lower them",
        ),
        (|step| step["templates"][0]["service"] = json!({}), "experiment.templates[0]", "needs ports"),
        (|step| step["duration"] = json!("soon"), "experiment.duration", "such as 30s"),
        (
            |step| step["analyses"][0]["templateName"] = json!(""),
            "analyses[0].templateName",
            "name an AnalysisTemplate",
        ),
    ] {
        let scene = with(change);
        let said = serde_json::to_string(&scene).unwrap();
        assert!(
            scene.contains("steps[1].experiment") && (scene.contains(part) || said.contains(field)),
            "{field}: {scene}"
        );
    }
    let missing = base().canary(json!({"steps": [step()]})).plan();
    let said = phase(&missing.status);
    let field = "spec.strategy.canary.steps[0].experiment.analyses[0].templateName";
    assert!(said.contains(field) && said.contains("AnalysisTemplate 'up' not found"), "{said}");
}

#[test]
fn ended_experiments_are_not_ended_again() {
    let scene = says(at_step(), Running, "").rest().abort().rest();
    assert_eq!(patches(&scene.plan(), "Experiment"), [], "it is terminating");
}
