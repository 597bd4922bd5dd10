//! The way back: by a person, by evidence, at once, and past everything that stands on the way forward.

use jiff::SignedDuration;
use serde_json::{Value, json};
use serin_api::{AnalysisPhase, Rollout, label};
use serin_core::split::Effective;
use serin_testkit::scene::{BEGINNING, CANARY_SERVICE, Scene, base, fresh};

use crate::{
    condition, patches, phase, pods, reasons, running, scaled, sizes, stored, told, unreadable, value_at,
    verdict, weight,
};

fn half() -> Value {
    json!([{"setWeight": 50}, {"pause": {}}])
}

/// A canary by a router that has half of the traffic and waits at its pause.
fn routed() -> Scene {
    base().routed().steps(half()).update("v2").rest()
}

/// A canary by pods that has half of the pods and waits at its pause.
fn by_pods() -> Scene {
    base().steps(half()).update("v2").rest()
}

/// As [`routed`], with its pods named `shop-v2` and given in number.
fn routed_with(v2: (i32, i32), v1: (i32, i32), weight: u32) -> Scene {
    let scene =
        base().routed().steps(half()).rolling("v2", 2).selects(CANARY_SERVICE, "v2").weight(weight).at(1);
    scene.fold().pods("v2", v2.0, v2.1).pods("v1", v1.0, v1.1)
}

#[test]
fn a_person_aborts() {
    for (name, scene) in [("by a router", routed()), ("by pods", by_pods())] {
        let plan = scene.wait(5).promote_full().abort().plan();
        let status = &plan.status;
        assert!(status.abort && !status.promote_full, "{name}");
        let now = BEGINNING + SignedDuration::from_secs(5);
        assert_eq!(status.aborted_at.as_ref().map(|time| time.0), Some(now), "{name}");
        assert_eq!(status.current_step_index, Some(0), "{name}");
        assert_eq!(status.pause_conditions, None, "{name}");
        assert!(!status.controller_pause, "{name}");
        let message = "Rollout aborted update to revision 2";
        assert_eq!(
            condition(status, "Progressing"),
            Some(format!("False|RolloutAborted|{message}")),
            "{name}"
        );
        assert_eq!(phase(status), format!("Degraded|RolloutAborted: {message}"), "{name}");
        assert_eq!(told(&plan, "RolloutAborted").as_deref(), Some(message), "{name}");
    }
}

#[test]
fn an_abort_is_told_once_and_keeps_its_moment() {
    let scene = routed().abort().fold();
    let plan = scene.wait(60).plan();
    assert_eq!(told(&plan, "RolloutAborted"), None);
    assert_eq!(plan.status.aborted_at.map(|time| time.0), Some(BEGINNING));
}

#[test]
fn failed_evidence_aborts_and_says_what_failed() {
    let background = json!({"analysis": {"templates": [{"templateName": "errors"}]}, "steps": half()});
    let step =
        json!({"steps": [{"setWeight": 50}, {"analysis": {"templates": [{"templateName": "errors"}]}}]});
    let why = "Metric \"errors\" assessed Failed due to failed (1) > failureLimit (0)";
    let compared = "Metric \"error-rate\" assessed Failed due to error-rate canary 3.00 % (54/1800) stable 0.51 % (82/16200) \
                    delta +2.49pp [95% +1.5,+3.9] limit +0.5pp | window 12:02-12:03 breach 3/3 | chi2 p=5e-31 phi 2.2 \
                    (assumed) | evidence 20 of 20 needed (mean 20 of 20) -> FAIL";
    let revision = "Rollout aborted update to revision 2";
    for (name, strategy, said, message, expected) in [
        (
            "background, failed",
            &background,
            AnalysisPhase::Failed,
            why,
            format!("{revision}: Background analysis phase error/failed: {why}"),
        ),
        (
            "background, error",
            &background,
            AnalysisPhase::Error,
            why,
            format!("{revision}: Background analysis phase error/failed: {why}"),
        ),
        (
            "background, without a word",
            &background,
            AnalysisPhase::Failed,
            "",
            format!("{revision}: Background analysis phase error/failed"),
        ),
        (
            "step, failed",
            &step,
            AnalysisPhase::Failed,
            why,
            format!("{revision}: Step-based analysis phase error/failed: {why}"),
        ),
        (
            "a comparison: metric, values, limit and window",
            &step,
            AnalysisPhase::Failed,
            compared,
            format!("{revision}: Step-based analysis phase error/failed: {compared}"),
        ),
        (
            "step, error without a word",
            &step,
            AnalysisPhase::Error,
            "",
            format!("{revision}: Step-based analysis phase error/failed"),
        ),
    ] {
        let scene = base().template("errors").routed().canary(strategy.clone()).rest().update("v2").rest();
        let plan = verdict(scene, said, message).plan();
        assert!(plan.status.abort, "{name}");
        assert_eq!(told(&plan, "RolloutAborted"), Some(expected.clone()), "{name}");
        assert_eq!(phase(&plan.status), format!("Degraded|RolloutAborted: {expected}"), "{name}");
        assert_eq!(weight(&plan), Some(0), "{name}: in the same plan");
        assert!(plan.status.aborted_at.is_some(), "{name}");
    }
}

#[test]
fn other_phases_do_not_abort() {
    let background = json!({"analysis": {"templates": [{"templateName": "errors"}]}, "steps": half()});
    let scene = base().template("errors").canary(background).rest().update("v2").rest();
    for said in [AnalysisPhase::Running, AnalysisPhase::Successful, AnalysisPhase::Inconclusive] {
        let plan = verdict(scene.clone(), said, "the message of a phase").plan();
        assert!(!plan.status.abort, "{said}");
    }
}

/// The Rollout without the field `abort`, as a client leaves it that removes the field.
fn without_abort(scene: Scene) -> Scene {
    scene.edit(|world| {
        let mut rollout = serde_json::to_value(&world.rollout).unwrap_or_default();
        rollout["status"].as_object_mut().map(|status| status.remove("abort"));
        world.rollout = serde_json::from_value::<Rollout>(rollout).unwrap_or_else(|error| panic!("{error}"));
    })
}

#[test]
fn a_retry_starts_the_attempt_again() {
    let aborted = || routed().abort().rest();
    for (name, scene) in [("abort is false", aborted().retry()), ("abort is gone", without_abort(aborted()))]
    {
        let plan = scene.plan();
        assert!(!plan.status.abort, "{name}");
        assert_eq!(plan.status.aborted_at, None, "{name}");
        assert_eq!(
            condition(&plan.status, "Progressing").as_deref(),
            Some("Unknown|RolloutRetry|Retrying Rollout after abort"),
            "{name}"
        );
        let (scene, _) = scene.settle();
        assert_eq!(stored(&scene).current_step_index, Some(1), "{name}: the steps run again");
        assert_eq!(phase(&stored(&scene)), "Paused|CanaryPauseStep", "{name}");
        assert_eq!(
            scene.world.routers[0].effective,
            routed().world.routers[0].effective,
            "{name}: with traffic"
        );
    }
}

#[test]
fn a_retry_measures_anew() {
    let background = json!({"analysis": {"templates": [{"templateName": "errors"}]}, "steps": half()});
    let scene = base().template("errors").canary(background).rest().update("v2").rest();
    let failed = verdict(scene, AnalysisPhase::Failed, "").rest();
    let first = failed.world.analysis_runs[0].name.clone();
    let (scene, _) = failed.retry().settle();
    let runs: Vec<_> = scene.world.analysis_runs.iter().map(|run| run.name.clone()).collect();
    assert_eq!(runs, [first.clone(), format!("{first}.1")]);
    assert!(!stored(&scene).abort, "the old verdict does not count");
}

#[test]
fn nothing_stands_in_the_way_of_an_abort() {
    let measured = json!({"analysis": {"templates": [{"templateName": "errors"}]}, "steps": half()});
    let holding = base().template("errors").routed().canary(measured).rest().update("v2").rest();
    for (name, scene) in [
        ("a provider that is down", verdict(holding.clone(), AnalysisPhase::Running, "connection refused")),
        ("an undecided analysis", verdict(holding.clone(), AnalysisPhase::Inconclusive, "").fold()),
        ("a template that is gone", holding.edit(|world| world.templates.clear())),
        ("a paused spec", routed().paused(true).fold()),
        ("a canary Service that cannot be read", unreadable(routed(), CANARY_SERVICE)),
        ("a canary Service that is gone", routed().edit(|world| drop(world.services.remove(CANARY_SERVICE)))),
        ("a step that cannot work", routed().canary(json!({"steps": [{"setWeight": 101}]}))),
        (
            "a refused write",
            routed().edit(|world| {
                world.refusals.push(serin_core::world::WriteRefusal {
                    object: "ReplicaSet default/shop-v9".to_owned(),
                    message: "quota".to_owned(),
                    name_taken: false,
                    kind: "ReplicaSet".to_owned(),
                })
            }),
        ),
        (
            "a router that reports a refusal",
            routed().edit(|world| world.routers[0].refusal = Some(crate::refused("route shop not found"))),
        ),
        ("a full promotion asked for with it", routed().promote_full()),
    ] {
        let plan = scene.abort().plan();
        assert_eq!(weight(&plan), Some(0), "{name}: {:?}", plan.status.gates);
        assert!(plan.status.abort && plan.status.aborted_at.is_some(), "{name}");
    }
}

#[test]
fn traffic_comes_back_as_far_as_stable_can_carry_it() {
    // 4 replicas, 25 % may be unavailable: 3 pods of stable are enough for all of it.
    for (name, scene, expected) in [
        ("all of stable is there", routed_with((2, 2), (4, 4), 50), 0),
        ("as many as must be available are there", routed_with((2, 2), (4, 3), 50), 0),
        ("two pods of four carry half of it", routed_with((4, 4), (4, 2), 100), 50),
        ("one pod of four carries a quarter", routed_with((4, 4), (4, 1), 100), 75),
        ("no pod carries nothing", routed_with((4, 4), (4, 0), 100), 100),
        ("it never goes forward for it", routed_with((2, 2), (4, 1), 50), 50),
        ("a canary that serves nothing loses all", routed_with((2, 0), (4, 1), 50), 0),
    ] {
        assert_eq!(weight(&scene.abort().plan()), Some(expected), "{name}");
    }
}

fn deadline(scene: &Scene) -> Option<String> {
    let plan = scene.plan();
    let patches = patches(&plan, "ReplicaSet");
    let path = format!("/metadata/annotations/{}", label::SCALE_DOWN_DEADLINE);
    let set = patches.iter().find_map(|(_, patch)| value_at(patch, &path));
    set.and_then(Value::as_str).map(str::to_owned)
}

#[test]
fn an_aborted_canary_behind_a_router_keeps_its_pods_for_the_delay() {
    for (name, strategy, until, last_second) in [
        ("30 s unless said otherwise", json!({}), "2026-01-01T00:00:30Z", 29),
        ("30 s as said", json!({"abortScaleDownDelaySeconds": 30}), "2026-01-01T00:00:30Z", 29),
        ("5 s", json!({"abortScaleDownDelaySeconds": 5}), "2026-01-01T00:00:05Z", 4),
    ] {
        let scene = routed_with((2, 2), (4, 4), 50).canary(strategy).abort().fold();
        assert_eq!(deadline(&scene).as_deref(), Some(until), "{name}: from the abort on");
        let (scene, _) = scene.act();
        let stuck = scene.clone().weight(50).wait(100_000).fold();
        assert!(scaled(&stuck.plan()).is_empty(), "{name}: not while it has traffic");
        let (scene, _) = scene.settle();
        assert_eq!(pods(&scene, ["v2"]), [2], "{name}: it stays");
        let last = scene.clone().wait(last_second).plan();
        assert!(scaled(&last).is_empty(), "{name}: until its last second");
        assert_eq!(last.wake, until.parse().ok(), "{name}: wakes at the end");
        let late = scene.wait(last_second + 1);
        assert_eq!(scaled(&late.plan()), sizes([("v2", 0)]), "{name}: then it goes");
        let gone = late.rest();
        let kept = running(&gone, "v2").annotations.get(label::SCALE_DOWN_DEADLINE).map(String::as_str);
        assert_eq!(kept, Some(until), "{name}: clients show that it has passed");
    }
}

#[test]
fn a_delay_of_zero_keeps_an_aborted_canary_for_good() {
    let strategy = json!({"abortScaleDownDelaySeconds": 0});
    let (scene, _) = routed_with((2, 2), (4, 4), 50).canary(strategy).abort().settle();
    let (scene, _) = scene.wait(100_000).settle();
    assert_eq!(pods(&scene, ["v2", "v1"]), [2, 4]);
    assert_eq!(deadline(&scene), None);
}

#[test]
fn an_aborted_canary_by_pods_goes_at_once() {
    let (scene, _) = by_pods().abort().settle();
    assert_eq!(pods(&scene, ["v2", "v1"]), [0, 4]);
    assert_eq!(phase(&stored(&scene)), "Degraded|RolloutAborted: Rollout aborted update to revision 2");
}

#[test]
fn a_new_revision_ends_an_abort() {
    for (name, scene) in [("by a router", routed()), ("by pods", by_pods())] {
        let plan = scene.abort().rest().update("v3").plan();
        assert!(!plan.status.abort, "{name}");
        assert_eq!(plan.status.aborted_at, None, "{name}");
        assert_eq!(plan.status.current_step_index, Some(0), "{name}");
        assert_eq!(phase(&plan.status), "Progressing|more replicas need to be updated", "{name}");
        assert!(!reasons([&plan]).contains(&"RolloutAborted".to_owned()), "{name}");
    }
}

#[test]
fn what_has_nothing_to_go_back_to_is_not_aborted() {
    for (name, scene) in [
        ("stable itself", base().abort()),
        ("stable itself behind a router", base().routed().abort()),
        ("the first revision", fresh().fold().abort()),
    ] {
        let plan = scene.plan();
        assert!(!plan.status.abort, "{name}");
        assert_eq!(plan.status.aborted_at, None, "{name}");
        assert_eq!(told(&plan, "RolloutAborted"), None, "{name}");
    }
    assert_eq!(phase(&base().abort().plan().status), "Healthy|");
}

#[test]
fn a_full_promotion_after_an_abort_is_the_newer_word() {
    let (scene, _) = routed().abort().fold().promote_full().settle();
    let status = stored(&scene);
    assert!(!status.abort && !status.promote_full);
    assert_eq!(status.stable_rs.as_deref(), Some(status.current_pod_hash.as_str()));
}

#[test]
fn an_unknown_router_does_not_keep_an_abort_from_asking_for_stable() {
    let unknown = Effective::Unknown("no status".to_owned());
    let plan = routed().effective(&unknown).abort().plan();
    assert_eq!(weight(&plan), Some(0));
    assert!(scaled(&plan).is_empty(), "pods stay while nobody knows where traffic goes");
}

#[test]
fn an_undo_after_an_abort_is_the_end_of_it() {
    for (name, scene) in [("by a router", routed()), ("by pods", by_pods())] {
        let (scene, plans) = scene.abort().rest().update("v1").settle();
        assert_eq!(phase(&stored(&scene)), "Healthy|", "{name}");
        assert!(reasons(&plans).contains(&"SkipSteps".to_owned()), "{name}");
        let (scene, _) = scene.wait(31).settle();
        assert_eq!(pods(&scene, ["v2", "v1"]), [0, 4], "{name}");
    }
}

#[test]
fn an_aborted_canary_keeps_its_size_while_its_rollout_is_scaled() {
    let (scene, _) = routed_with((2, 2), (4, 4), 50).abort().settle();
    assert_eq!(pods(&scene, ["v2", "v1"]), [2, 4]);
    let (scene, _) = scene.replicas(8).settle();
    assert_eq!(pods(&scene, ["v2", "v1"]), [2, 8]);
}

#[test]
fn a_retry_takes_the_deadline_of_the_canary_away() {
    let (scene, _) = routed_with((2, 2), (4, 4), 50).abort().settle();
    let deadline = |scene: &Scene| running(scene, "v2").annotations.get(label::SCALE_DOWN_DEADLINE).cloned();
    assert_eq!(deadline(&scene).as_deref(), Some("2026-01-01T00:00:30Z"));
    let (scene, _) = scene.retry().settle();
    assert_eq!(deadline(&scene), None);
    let (scene, _) = scene.wait(60).settle();
    assert_eq!(pods(&scene, ["v2", "v1"]), [2, 4], "it is not scaled down by an old deadline");
}

#[test]
fn a_paused_spec_does_not_keep_the_pods_of_stable_away() {
    let (scene, _) = by_pods().paused(true).rest().abort().settle();
    assert_eq!(pods(&scene, ["v2", "v1"]), [0, 4]);
}
