//! Laws of `plan` over Worlds that nobody thought of.

use proptest::prelude::*;
use serde_json::{Value, json};
use serin_api::{AnalysisPhase, Rollout, RolloutStatus, label};
use serin_core::brake::Brake;
use serin_core::plan;
use serin_core::seen::Seen;
use serin_core::split::{Effective, Split, Weight};
use serin_core::world::World;
use serin_testkit::scene::{CANARY_SERVICE, STABLE_SERVICE, Scene, base};

fn number() -> impl Strategy<Value = i32> {
    prop_oneof![0..12i32, -3..0i32, Just(i32::MAX), Just(i32::MIN), 90..110i32]
}

fn amount() -> impl Strategy<Value = Value> {
    prop_oneof![
        number().prop_map(|number| json!(number)),
        number().prop_map(|number| json!(format!("{number}%"))),
        "[a-z0-9%]{0,6}".prop_map(Value::String),
        Just(Value::Null),
    ]
}

fn any_step() -> impl Strategy<Value = Value> {
    prop_oneof![
        number().prop_map(|weight| json!({"setWeight": weight})),
        Just(json!({"pause": {}})),
        amount().prop_map(|duration| json!({"pause": {"duration": duration}})),
        number().prop_map(|replicas| json!({"setCanaryScale": {"replicas": replicas}})),
        number().prop_map(|weight| json!({"setCanaryScale": {"weight": weight}})),
        Just(json!({"analysis": {"templates": [{"templateName": "errors"}]}})),
        Just(json!({"analysis": {}})),
        Just(json!({})),
    ]
}

fn any_strategy() -> impl Strategy<Value = Value> {
    let steps = proptest::collection::vec(any_step(), 0..5);
    (steps, amount(), amount(), any::<bool>(), proptest::option::of(number())).prop_map(
        |(steps, surge, unavailable, analysed, delay)| {
            let mut canary = json!({
                "steps": steps, "maxSurge": surge, "maxUnavailable": unavailable,
                "abortScaleDownDelaySeconds": delay, "scaleDownDelaySeconds": delay,
            });
            if analysed {
                canary["analysis"] =
                    json!({"templates": [{"templateName": "errors"}], "startingStep": delay});
            }
            canary
        },
    )
}

fn any_status() -> impl Strategy<Value = Value> {
    let hash = prop_oneof![Just("v1"), Just("v2"), Just("v0"), Just("")];
    let names = prop_oneof![Just("InconclusiveAnalysisRun"), Just("CanaryPauseStep"), Just("Other")];
    let moment =
        prop_oneof![Just("2026-01-01T00:00:00Z"), Just("1970-01-01T00:00:00Z"), Just("9999-12-30T00:00:00Z")];
    let flags = any::<(bool, bool, bool, bool, bool)>();
    (hash.clone(), hash, number(), names, moment, flags).prop_map(
        |(current, stable, index, reason, moment, (abort, known, full, controller, paused))| {
            let pauses = if paused { json!([{"reason": reason, "startTime": moment}]) } else { Value::Null };
            json!({
                "currentPodHash": current, "stableRS": stable, "currentStepIndex": index, "abort": abort,
                "abortedAt": if known { json!(moment) } else { Value::Null }, "promoteFull": full,
                "controllerPause": controller, "pauseConditions": pauses,
                "conditions": [{
                    "type": "Progressing", "status": "True", "reason": reason, "message": "",
                    "lastUpdateTime": moment, "lastTransitionTime": moment,
                }],
            })
        },
    )
}

fn any_effective() -> impl Strategy<Value = Effective> {
    let split = (0..=120u32).prop_map(|weight| Split::new(Weight(100), Weight(weight)));
    prop_oneof![
        split.clone().prop_map(Effective::Applied),
        split.prop_map(Effective::Pending),
        Just(Effective::Unknown("nobody answers".to_owned())),
    ]
}

fn any_phase() -> impl Strategy<Value = AnalysisPhase> {
    use AnalysisPhase::{Error, Failed, Inconclusive, Pending, Running, Successful, Unset};
    prop_oneof![
        Just(Unset),
        Just(Pending),
        Just(Running),
        Just(Successful),
        Just(Failed),
        Just(Error),
        Just(Inconclusive),
    ]
}

/// Takes the fields that the type of a Rollout accepts, and leaves those that it refuses: the API server does the same.
fn patched(scene: Scene, fields: &Value, status: &Value) -> Scene {
    scene.edit(|world| {
        let mut rollout = serde_json::to_value(&world.rollout).unwrap();
        for (path, value) in fields.as_object().unwrap() {
            let mut next = rollout.clone();
            next["spec"]["strategy"]["canary"][path] = value.clone();
            if serde_json::from_value::<Rollout>(next.clone()).is_ok() {
                rollout = next;
            }
        }
        rollout["status"] = status.clone();
        world.rollout = serde_json::from_value(rollout).unwrap();
    })
}

prop_compose! {
    fn any_world()(
        routed in any::<bool>(), replicas in number(), strategy in any_strategy(), status in any_status(),
        sizes in proptest::collection::vec((0..12i32, 0..12i32), 3), effective in any_effective(),
        said in any_phase(), gone in 0..6u8, selected in prop_oneof![Just("v1"), Just("v2")], hours in -2..2000i64,
    ) -> World {
        let begun = base().template("errors");
        let begun = if routed { begun.routed() } else { begun.services() };
        let scene = patched(begun.replicas(replicas).update("v2"), &strategy, &status);
        let scene = ["v0", "v1", "v2"].iter().zip(sizes).fold(scene, |scene, (version, (spec, available))| {
            scene.pods(version, spec, available)
        });
        // The run that this plan starts is there in the next one.
        let scene = scene.act().0.effective(&effective).selects(CANARY_SERVICE, selected).wait(hours * 3600);
        let scene = patched(scene, &json!({}), &status);
        let scene = scene.edit(|world| world.analysis_runs.iter_mut().for_each(|run| run.phase = said));
        match gone {
            0 => scene.edit(|world| drop(world.services.remove(CANARY_SERVICE))),
            1 => crate::unreadable(scene, STABLE_SERVICE),
            2 => scene.edit(|world| world.templates.clear()),
            3 => scene.edit(|world| world.replica_sets.clear()),
            4 => scene.edit(|world| world.rollout.metadata.annotations = None),
            _ => scene,
        }.world
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plan_answers_every_world_the_same_way_also_after_a_round_trip(world in any_world()) {
        let first = plan(&world);
        prop_assert_eq!(&first, &plan(&world), "the same twice");
        let text = serde_json::to_string(&world).unwrap();
        let read: World = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&first, &plan(&read), "the same when it was written and read");
        prop_assert!(first.status.phase.is_some());
        let healthy = first.status.phase.as_deref() == Some("Healthy");
        let mut gates = first.status.gates.iter().flatten();
        // As with Argo Rollouts, older revisions may still be going when all is well.
        let said = if healthy { gates.all(|gate| gate.then.contains("scaled down")) } else { gates.next().is_some() };
        prop_assert!(said, "{:?} {:?}", first.status.phase, first.status.gates);
        prop_assert!(first.wake.is_none_or(|wake| wake > world.now), "waking at once would only spin");
    }

    #[test]
    fn a_dry_run_of_any_world_writes_nothing_remembers_nothing_and_says_everything_once(world in any_world()) {
        let mut world = world;
        let annotations = world.rollout.metadata.annotations.get_or_insert_default();
        annotations.insert(label::DRY_RUN.to_owned(), "true".to_owned());
        let before = world.rollout.status.clone().unwrap_or_default();
        let first = plan(&world);
        prop_assert!(first.writes.is_empty() && first.services.is_empty() && first.split.is_none(), "{:?}", first);
        let memory = |status: &RolloutStatus| {
            let status = status.clone();
            (status.current_step_index, status.abort, status.pause_conditions, status.conditions, status.canary)
        };
        prop_assert_eq!(memory(&first.status), memory(&before));
        world.rollout.status = Some(first.status.clone());
        let again = plan(&world);
        prop_assert_eq!(&again.events, &vec![]);
        prop_assert_eq!(&again.status, &first.status);
    }

    #[test]
    fn nothing_goes_toward_a_canary_under_a_brake(world in any_world(), action in prop_oneof![Just("hold"), Just("abort")]) {
        let mut world = world;
        let labels = [(label::BRAKE.to_owned(), action.to_owned())].into();
        world.brakes.extend(Brake::read("freeze", &labels, &Default::default()));
        let plan = plan(&world);
        let shown = world.routers.iter().filter_map(|report| match &report.effective {
            Effective::Applied(split) | Effective::Pending(split) => Some(split.canary.0),
            Effective::Unknown(_) => None,
        });
        if let (Some(wish), Some(most)) = (crate::weight(&plan), shown.max()) {
            prop_assert!(wish <= most, "{wish} of {most}");
        }
        let underway = plan.status.stable_rs.as_deref() != Some(plan.status.current_pod_hash.as_str());
        let valid = plan.status.conditions.iter().all(|condition| condition.type_ != "InvalidSpec");
        if underway && valid && plan.status.current_pod_hash == "v2" {
            let before = world.replica_sets.iter().find(|set| set.hash == "v2").map_or(0, |set| set.pods.spec);
            let after = crate::scaled(&plan).get("shop-v2").copied().unwrap_or_default();
            prop_assert!(after <= i64::from(before), "{before} to {after}");
        }
    }

    #[test]
    fn a_status_that_is_any_json_never_stops_a_plan(status in any_status(), strategy in any_strategy()) {
        let scene = patched(base(), &strategy, &status);
        let plan = scene.plan();
        prop_assert_eq!(plan.status.observed_generation, scene.world.rollout.metadata.generation.unwrap().to_string());
    }

    #[test]
    fn what_is_settled_writes_nothing(
        routed in any::<bool>(), replicas in 0..9i32, weights in proptest::collection::vec(0..=100i32, 0..4),
        command in 0..4u8, surge in 0..3i32,
    ) {
        let scene = base().replicas(replicas).canary(json!({"maxSurge": surge, "maxUnavailable": 1}));
        let scene = if routed { scene.routed() } else { scene.rest() };
        let mut steps: Vec<Value> = weights.iter().map(|weight| json!({"setWeight": weight})).collect();
        steps.push(json!({"pause": {}}));
        let scene = scene.steps(Value::Array(steps)).update("v2").rest();
        let scene = match command {
            0 => scene,
            1 => scene.abort().rest().wait(31).rest(),
            2 => scene.promote().rest().wait(31).rest(),
            _ => scene.update("v3").rest().wait(31).rest(),
        };
        let plan = scene.clone().wait(3600).plan();
        prop_assert_eq!(&plan.writes, &vec![]);
        prop_assert_eq!(&plan.services, &vec![]);
        prop_assert_eq!(&plan.events, &vec![]);
        prop_assert_eq!(&plan.status, &crate::stored(&scene));
    }

    #[test]
    fn an_abort_is_the_same_whatever_else_is_wrong(
        // A canary that is known to serve nothing loses its traffic at once; one that cannot be seen may serve.
        weight in 1..=100u32, ready in (1..=4i32, 0..=4i32), wrong in any_trouble(), also in any_trouble(),
    ) {
        let scene = on_its_way(weight, ready).abort();
        let expected = scene.plan();
        let found = also.befall(wrong.befall(scene)).plan();
        prop_assert!(expected.status.abort && found.status.abort);
        prop_assert_eq!(&found.status.aborted_at, &expected.status.aborted_at);
        prop_assert_eq!(crate::weight(&found), crate::weight(&expected));
        prop_assert!(crate::weight(&found).is_some_and(|found| found <= weight), "never toward the canary");
        prop_assert_eq!(found.status.phase.as_deref(), Some("Degraded"));
        let canary = crate::scaled(&found).get("shop-v2").copied();
        prop_assert!(canary.is_none(), "pods stay until their traffic is seen gone");
    }
}

/// A source that fails, or a person who holds, on the way back.
#[derive(Clone, Debug)]
enum Trouble {
    Provider,
    Template,
    Service(&'static str, Seen<()>),
    Router,
    Refusal,
    Spec,
    Paused,
    Write,
}

fn any_trouble() -> impl Strategy<Value = Trouble> {
    let service = prop_oneof![Just(CANARY_SERVICE), Just(STABLE_SERVICE)];
    let seen =
        prop_oneof![Just(Seen::Absent), Just(Seen::Failed("timeout".to_owned())), Just(Seen::Stale(()))];
    prop_oneof![
        Just(Trouble::Provider),
        Just(Trouble::Template),
        (service, seen).prop_map(|(name, seen)| Trouble::Service(name, seen)),
        Just(Trouble::Router),
        Just(Trouble::Refusal),
        Just(Trouble::Spec),
        Just(Trouble::Paused),
        Just(Trouble::Write),
    ]
}

impl Trouble {
    fn befall(self, scene: Scene) -> Scene {
        match self {
            Self::Provider => scene.edit(|world| {
                for run in &mut world.analysis_runs {
                    (run.phase, run.message) = (AnalysisPhase::Running, "connection refused".to_owned());
                }
            }),
            Self::Template => scene.edit(|world| {
                world
                    .templates
                    .iter_mut()
                    .for_each(|template| template.spec = Seen::Failed("timeout".to_owned()));
            }),
            Self::Service(name, seen) => scene.edit(|world| {
                let known = world.services.get(name).and_then(|seen| seen.last_known().cloned());
                let seen = match (seen, known) {
                    (Seen::Stale(()) | Seen::Fresh(()), Some(known)) => Seen::Stale(known),
                    (Seen::Failed(why), _) => Seen::Failed(why),
                    _ => Seen::Absent,
                };
                world.services.insert(name.to_owned(), seen);
            }),
            Self::Router => scene.effective(&Effective::Unknown("no status".to_owned())),
            Self::Refusal => {
                scene.edit(|world| world.routers[0].refusal = Some(crate::refused("route not found")))
            }
            Self::Spec => scene.canary(json!({"scaleDownDelaySeconds": -1, "steps": [{"setWeight": 101}]})),
            Self::Paused => scene.paused(true),
            Self::Write => scene.edit(|world| {
                let (object, message) = ("ReplicaSet default/shop-v2".to_owned(), "forbidden".to_owned());
                world.refusals.push(serin_core::world::WriteRefusal {
                    object,
                    message,
                    name_taken: false,
                    kind: "ReplicaSet".to_owned(),
                });
            }),
        }
    }
}

/// A measured canary `v2` with this weight, of which so many pods are ready, as of stable.
fn on_its_way(weight: u32, (v2, v1): (i32, i32)) -> Scene {
    let steps = json!([{"setWeight": weight}, {"pause": {}}]);
    let analysis = json!({"templates": [{"templateName": "errors"}]});
    let scene =
        base().template("errors").routed().canary(json!({"analysis": analysis, "steps": steps})).rest();
    let scene = scene.rolling("v2", 4).selects(CANARY_SERVICE, "v2").weight(weight).fold().fold();
    scene.act().0.weight(weight).fold().pods("v2", 4, v2).pods("v1", 4, v1)
}
