//! What is wrong is said with its object, its field and its remedy, and is over by itself once it is mended.

use serde_json::{Value, json};
use serin_core::split::Effective;
use serin_core::world::WriteRefusal;
use serin_testkit::scene::{CANARY_SERVICE, Scene, base, fresh};

use crate::{
    condition, created, phase, pods, reasons, scaled, sizes, stored, told, unreadable, waits_for, weight,
};

fn quarter() -> Value {
    json!([{"setWeight": 25}, {"pause": {}}])
}

fn with_router() -> Scene {
    base().routed().steps(quarter()).update("v2").rest()
}

fn invalid(text: &str) -> String {
    format!("The Rollout \"shop\" is invalid: {text}")
}

#[test]
fn a_spec_that_cannot_work_is_said_and_the_workload_stays() {
    for (name, scene, path, message) in [
        (
            "a weight beyond the greatest",
            base().canary(json!({"steps": [{"setWeight": 101}]})),
            "spec.strategy.steps[0].setWeight",
            "SetWeight needs to be between 0 and 100",
        ),
        (
            "a step of nothing",
            base().canary(json!({"steps": [{}]})),
            "spec.strategy.steps[0]",
            "Step must have one of the following set",
        ),
        (
            "a pause of no known length",
            base().canary(json!({"steps": [{"pause": {"duration": "soon"}}]})),
            "spec.strategy.steps[0].pause.duration",
            "Duration needs to be greater than 0",
        ),
        (
            "no surge and no unavailability",
            base().canary(json!({"maxSurge": 0, "maxUnavailable": 0})),
            "spec.strategy.maxSurge: Invalid value: 0: ",
            "MaxSurge and MaxUnavailable both can not be zero",
        ),
        (
            "a scale without a router",
            base().canary(json!({"steps": [{"setCanaryScale": {"replicas": 1}}]})),
            "spec.strategy.trafficRouting: Required value: SetCanaryScale",
            "SetCanaryScale requires TrafficRouting to be set",
        ),
        (
            "no selector",
            base().spec(json!({"selector": null})),
            "spec.selector",
            "Rollout has missing field '.spec.selector'",
        ),
        (
            "no template",
            base().spec(json!({"template": null})),
            "spec.template.metadata.labels: Invalid value: null",
            "`selector` does not match template `labels`",
        ),
        (
            "no strategy",
            base().spec(json!({"strategy": null})),
            "spec.strategy.strategy",
            "'.spec.strategy.canary or .spec.strategy.blueGreen'",
        ),
        (
            "labels that the selector does not find",
            base().spec(json!({"selector": {"matchLabels": {"app": "x"}}})),
            "spec.template.metadata.labels",
            "`selector` does not match template `labels`",
        ),
        (
            "a negative number",
            base().spec(json!({"replicas": -1})),
            "spec.replicas",
            "must be greater than or equal to 0",
        ),
        (
            "a deadline within minReadySeconds",
            base().spec(json!({"progressDeadlineSeconds": 5, "minReadySeconds": 5})),
            "spec.progressDeadlineSeconds",
            "must be greater than minReadySeconds",
        ),
        (
            "one Service for both",
            base().canary(json!({"canaryService": "one", "stableService": "one"})),
            "spec.strategy.stableService: Invalid value: \"one\": ",
            "two different services are required",
        ),
    ] {
        let plan = scene.plan();
        let said = plan.status.message.clone().unwrap_or_default();
        assert_eq!(plan.status.phase.as_deref(), Some("Degraded"), "{name}");
        assert!(said.starts_with(&format!("InvalidSpec: {}", invalid(path))), "{name}: {said}");
        assert!(said.contains(message), "{name}: {said}");
        let found = condition(&plan.status, "InvalidSpec").unwrap_or_default();
        assert_eq!(found, format!("True|InvalidSpec|{}", said.trim_start_matches("InvalidSpec: ")), "{name}");
        assert!(plan.writes.is_empty() && plan.services.is_empty() && plan.split.is_none(), "{name}");
        assert!(waits_for(&plan, "a change of the spec"), "{name}");
        assert_eq!(plan.status.stable_rs.as_deref(), Some("v1"), "{name}: what is remembered stays");
    }
}

#[test]
fn a_wrong_spec_is_told_once_and_mended_without_a_trace() {
    let wrong = with_router().canary(json!({"steps": [{"setWeight": 101}]}));
    let told_first = reasons([&wrong.plan()]);
    assert_eq!(told_first, ["InvalidSpec"]);
    let wrong = wrong.fold();
    assert_eq!(reasons([&wrong.clone().wait(60).plan()]), Vec::<String>::new(), "told once");
    let other = wrong.clone().canary(json!({"steps": [{"setWeight": -1}]}));
    assert_eq!(reasons([&other.plan()]), ["InvalidSpec"], "another problem is told");
    let (mended, _) = wrong.canary(json!({"steps": quarter()})).settle();
    assert_eq!(condition(&stored(&mended), "InvalidSpec"), None);
    assert_eq!(phase(&stored(&mended)), "Paused|CanaryPauseStep", "it goes on where it was");
    assert_eq!(stored(&mended).current_step_index, Some(1));
}

#[test]
fn what_appears_again_lets_the_rollout_go_on() {
    let service = with_router().world.services[CANARY_SERVICE].clone();
    let missing = with_router().edit(|world| drop(world.services.remove(CANARY_SERVICE))).rest();
    assert_eq!(stored(&missing).current_step_index, Some(1), "where it was");
    let (back, _) =
        missing.edit(|world| drop(world.services.insert(CANARY_SERVICE.to_owned(), service))).settle();
    assert_eq!(phase(&stored(&back)), "Paused|CanaryPauseStep");
    assert_eq!(condition(&stored(&back), "InvalidSpec"), None);
}

#[test]
fn pods_follow_the_replicas_while_something_is_missing() {
    let (scene, _) =
        with_router().edit(|world| drop(world.services.remove(CANARY_SERVICE))).replicas(8).settle();
    assert_eq!(pods(&scene, ["v2", "v1"]), [2, 8]);
}

#[test]
fn a_service_that_cannot_be_read_is_not_a_missing_one() {
    let plan = unreadable(with_router(), CANARY_SERVICE).plan();
    assert_eq!(condition(&plan.status, "InvalidSpec"), None);
    assert_eq!(phase(&plan.status), "Paused|CanaryPauseStep");
}

#[test]
fn a_router_that_says_nothing_holds_everything() {
    let unknown = Effective::Unknown("HTTPRoute shop: no controller has answered".to_owned());
    let steps = json!([{"setWeight": 25}, {"setWeight": 50}, {"pause": {}}]);
    let begun =
        base().routed().steps(steps).rolling("v2", 1).selects(CANARY_SERVICE, "v2").weight(25).at(0).fold();
    let scene = begun.at(0).effective(&unknown);
    let plan = scene.clone().plan();
    assert_eq!(plan.status.current_step_index, Some(0), "the step is not done");
    assert_eq!(weight(&plan), None, "no weight is asked for");
    assert!(waits_for(&plan, "no controller has answered"), "{:?}", plan.status.gates);
    let recorded = plan.status.canary.weights.map(|weights| weights.canary.weight);
    assert_eq!(recorded, Some(25), "unknown is not zero");
    let superseded = scene.update("v3").pods("v3", 1, 1).fold();
    assert!(!scaled(&superseded.plan()).contains_key("shop-v2"), "no pod goes that may have traffic");
}

#[test]
fn a_router_that_has_never_had_a_weight_is_told_stable_instead_of_waited_for() {
    let unknown = Effective::Unknown("Ingress shop has no action".to_owned());
    let initial = fresh()
        .routed()
        .effective(&unknown)
        .rest()
        .effective(&unknown)
        .status(|status| status.canary.weights = None);
    assert_eq!(stored(&initial).canary.weights, None);
    assert_eq!(weight(&initial.plan()), Some(0));
}

#[test]
fn a_refused_replica_set_is_said_and_tried_again() {
    let refused = |scene: Scene| {
        let name = format!("ReplicaSet default/shop-{}", scene.plan().status.current_pod_hash);
        let message = "exceeded quota: pods".to_owned();
        scene.edit(|world| {
            world.refusals =
                vec![WriteRefusal { object: name, message, name_taken: false, kind: "ReplicaSet".to_owned() }]
        })
    };
    let scene = refused(base().update("v2").fold());
    let plan = scene.plan();
    let message = format!(
        "Failed to create new replica set \"shop-{}\": exceeded quota: pods",
        plan.status.current_pod_hash
    );
    assert_eq!(
        condition(&plan.status, "Progressing"),
        Some(format!("False|ReplicaSetCreateError|{message}"))
    );
    assert_eq!(told(&plan, "ReplicaSetCreateError"), Some(message));
    assert!(waits_for(&plan, "exceeded quota"), "{:?}", plan.status.gates);
    assert_eq!(created(&plan, "ReplicaSet").len(), 1, "it is tried again");
    assert_eq!(told(&scene.clone().fold().plan(), "ReplicaSetCreateError"), None, "told once");
    let (scene, _) = scene.fold().edit(|world| world.refusals.clear()).settle();
    assert_eq!(phase(&stored(&scene)), "Healthy|", "and over when it is accepted");
}

#[test]
fn a_pod_template_that_the_api_server_refuses_is_an_invalid_spec_until_it_is_another() {
    let refused = |scene: &Scene, found: &str| {
        let object = format!("ReplicaSet default/shop-{}", scene.plan().status.current_pod_hash);
        let message = format!("ReplicaSet.apps \"x\" is invalid: {found}");
        let kind = "ReplicaSet".to_owned();
        scene.clone().edit(|world| {
            world.refusals = vec![WriteRefusal { object, message, name_taken: false, kind }];
        })
    };
    let port = "spec.template.spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive";
    let image = "spec.template.spec.containers[0].image: Required value";
    for (scene, name) in [(base().update("v2").fold(), "of an update"), (fresh(), "of the first revision")] {
        for (found, said) in [
            (port.to_owned(), Some(port)),
            (format!("[{image}, {port}]"), Some(image)),
            ("metadata.name: Invalid value".to_owned(), None),
        ] {
            let scene = refused(&scene, &found);
            let said = said.map(|said| format!("The Rollout \"shop\" is invalid: {said}"));
            let plan = scene.plan();
            let expected = said.clone().map(|said| format!("True|InvalidSpec|{said}"));
            assert_eq!(condition(&plan.status, "InvalidSpec"), expected, "{name}: {found}");
            let degraded = said.map(|said| format!("Degraded|InvalidSpec: {said}"));
            assert_eq!(
                Some(phase(&plan.status)).filter(|phase| phase.starts_with("Degraded")),
                degraded,
                "{name}"
            );
            assert_eq!(created(&plan, "ReplicaSet").len(), 1, "{name}: it is tried again");
            let (mended, _) = scene.fold().update("v3").settle();
            assert_eq!(condition(&stored(&mended), "InvalidSpec"), None, "{name}");
            assert_eq!(phase(&stored(&mended)), "Healthy|", "{name}");
        }
    }
}

#[test]
fn the_progress_deadline_degrades_and_heals() {
    let stuck = base().slow().steps(quarter()).update("v2").rest();
    let hash = stored(&stuck).current_pod_hash;
    let said = format!("ReplicaSet \"shop-{hash}\" has timed out progressing.");
    for (name, scene, seconds, passed) in [
        ("at the deadline", stuck.clone(), 600, false),
        ("after it", stuck.clone(), 601, true),
        ("after one of the user's", stuck.clone().spec(json!({"progressDeadlineSeconds": 60})), 61, true),
        ("a pause is no delay", base().steps(quarter()).update("v2").rest(), 100_000, false),
        ("a paused spec is none", stuck.clone().paused(true).rest(), 100_000, false),
        ("rest is none", base(), 100_000, false),
    ] {
        let plan = scene.wait(seconds).plan();
        let found = condition(&plan.status, "Progressing");
        assert_eq!(
            found == Some(format!("False|ProgressDeadlineExceeded|{said}")),
            passed,
            "{name}: {found:?}"
        );
        assert_eq!(phase(&plan.status).starts_with("Degraded|"), passed, "{name}");
        if passed {
            assert_eq!(phase(&plan.status), format!("Degraded|ProgressDeadlineExceeded: {said}"), "{name}");
        }
    }
    let (healed, _) = stuck
        .wait(601)
        .fold()
        .edit(|world| {
            let new = world.replica_sets.iter_mut().find(|set| set.hash == hash).unwrap();
            (new.pods.available, new.ready) = (1, 1);
        })
        .settle();
    assert_eq!(phase(&stored(&healed)), "Paused|CanaryPauseStep", "a late pod ends it");
}

#[test]
fn the_clock_is_set_for_the_progress_deadline() {
    let stuck = base().slow().steps(quarter()).update("v2").rest();
    let wake = stuck.plan().wake.unwrap();
    let plan = stuck.edit(|world| world.now = wake).plan();
    assert!(phase(&plan.status).starts_with("Degraded|ProgressDeadlineExceeded"), "{}", phase(&plan.status));
}

#[test]
fn the_last_pod_of_a_service_that_cannot_be_read_stays() {
    let scene = unreadable(base().services().steps(quarter()).update("v2").rest(), CANARY_SERVICE);
    let (scene, _) = scene.update("v3").settle();
    assert_eq!(pods(&scene, ["v2"]), [1]);
    assert_eq!(scaled(&scene.plan()), sizes([]));
}

#[test]
fn a_rollout_on_its_way_out_is_left_alone() {
    let moment = serin_testkit::scene::BEGINNING;
    let scene = with_router().update("v3").edit(|world| {
        let time = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(moment);
        world.rollout.metadata.deletion_timestamp = Some(time);
    });
    let plan = scene.plan();
    assert_eq!(plan.status, stored(&scene), "nothing is remembered");
    assert!(plan.writes.is_empty() && plan.services.is_empty() && plan.split.is_none());
    assert!(plan.events.is_empty() && plan.wake.is_none());
}
