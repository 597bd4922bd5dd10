//! Gates say until when they are waited for, and what happens then.

use jiff::SignedDuration;
use serde_json::json;
use serin_api::Gate;
use serin_core::Plan;
use serin_core::split::{Effective, Split, Weight};
use serin_testkit::scene::{CANARY_SERVICE, Scene, base, fresh};

use crate::{phase, stored, waits};

const LATE: &str = "; if not in time, the rollout is Degraded, and goes on when it happens";
const ABORTED: &str = "; if not in time, the update is aborted";

fn quarter() -> serde_json::Value {
    json!([{"setWeight": 25}, {"pause": {}}])
}

/// The gate that waits for this.
fn gate(plan: &Plan, waits_for: &str) -> Gate {
    let mut gates = plan.status.gates.iter().flatten();
    let found = gates.find(|gate| gate.waits_for.contains(waits_for)).cloned();
    found.unwrap_or_else(|| panic!("{waits_for}: {:?}", plan.status.gates))
}

/// Seconds from the last update of the condition Progressing to the moment until which a gate is closed.
fn limit(plan: &Plan, gate: &Gate) -> Option<i64> {
    let condition = plan.status.conditions.iter().find(|condition| condition.type_ == "Progressing").unwrap();
    Some(gate.until.as_ref()?.0.as_second() - condition.last_update_time.0.as_second())
}

/// A canary whose pods do not come.
fn without_pods() -> Scene {
    base().steps(quarter()).slow().update("v2").rest()
}

fn at_router(effective: Effective) -> Scene {
    let scene = base().routed().steps(quarter()).rolling("v2", 1).selects(CANARY_SERVICE, "v2");
    scene.effective(&effective).fold()
}

#[test]
fn what_an_attempt_needs_has_the_time_of_the_progress_deadline() {
    let blue_green = base().blue_green(json!({})).rest();
    let pending = Effective::Pending(Split::new(Weight(100), Weight(25)));
    for (name, scene, waits_for, then) in [
        ("pods of a step", without_pods(), "1 canary pods", "traffic follows, then the step is done"),
        (
            "all pods of a rollout without steps",
            base().slow().update("v2").rest(),
            "4 pods of revision",
            "it becomes stable",
        ),
        (
            "a router that does not confirm",
            at_router(pending),
            "the router to apply weight 25",
            "the step is done",
        ),
        (
            "a router that does not answer",
            at_router(Effective::Unknown("no answer".to_owned())),
            "the router: HTTPRoute",
            "the step goes on when it answers",
        ),
        (
            "the pods of blue-green",
            blue_green.clone().slow().update("v2").rest(),
            "4 pods of revision",
            "it is checked, then the active Service switches to it",
        ),
        (
            "the Service of blue-green",
            blue_green.update("v2").pods("v2", 4, 4).fold(),
            "Service shop-active to select",
            "it gets the traffic",
        ),
        (
            "recreated pods",
            base().canary(json!({"updateType": "Recreate"})).rest().update("v2").pods("v2", 0, 0).fold(),
            "4 pods of older revisions to be gone",
            "the 4 pods of revision v2 start",
        ),
        ("the first revision", fresh().slow().rest(), "updated replicas are still", "the rollout goes on"),
        (
            "pods of stable that are lost",
            base().slow().pods("v1", 4, 0).fold(),
            "updated replicas are still",
            "the rollout goes on",
        ),
    ] {
        for (seconds, abort) in [(600, false), (90, false), (90, true)] {
            let fields = json!({"progressDeadlineSeconds": seconds, "progressDeadlineAbort": abort});
            let plan = scene.clone().spec(fields).plan();
            let closed = gate(&plan, waits_for);
            assert_eq!(limit(&plan, &closed), Some(seconds), "{name}: {closed:?}");
            let underway = plan.status.stable_rs.as_deref() != Some(plan.status.current_pod_hash.as_str());
            let late = if abort && underway { ABORTED } else { LATE };
            assert_eq!(closed.then, format!("{then}{late}"), "{name}");
        }
    }
}

#[test]
fn what_waits_for_somebody_has_no_end() {
    let analysed = json!({"steps": [{"analysis": {"templates": [{"templateName": "errors"}]}}]});
    let analysed = base().template("errors").canary(analysed).rest();
    let paused = base().steps(quarter()).update("v2").rest();
    let refused = serin_core::world::WriteRefusal {
        kind: "ReplicaSet".to_owned(),
        object: "ReplicaSet default/shop-v2".to_owned(),
        message: "exceeded quota".to_owned(),
        name_taken: false,
    };
    for (name, scene, waits_for) in [
        ("a pause", paused.clone(), "a person at an indefinite pause step"),
        ("a paused spec at rest", base().paused(true).rest(), "spec.paused is true"),
        ("a paused spec", without_pods().paused(true).rest(), "spec.paused is true"),
        ("an abort", paused.abort().rest(), "because this one was aborted"),
        ("an analysis", analysed.update("v2").rest(), "AnalysisRun"),
        (
            "a ReplicaSet that is refused",
            base().update("v2").edit(|world| {
                let hash = serin_core::plan(world).status.current_pod_hash;
                let object = format!("ReplicaSet default/shop-{hash}");
                world.refusals = vec![serin_core::world::WriteRefusal { object, ..refused.clone() }];
            }),
            "exceeded quota",
        ),
    ] {
        for plan in [scene.plan(), scene.clone().wait(100_000).plan()] {
            let closed = gate(&plan, waits_for);
            assert_eq!(closed.until, None, "{name}");
            assert!(!closed.then.is_empty() && !closed.then.contains("in time"), "{name}: {}", closed.then);
        }
    }
}

#[test]
fn a_moment_that_was_told_stays_until_it_comes_and_then_something_has_changed() {
    let stuck = without_pods();
    let told = stuck.plan().status.gates;
    let until = gate(&stuck.plan(), "1 canary pods").until.unwrap().0;
    for seconds in [1, 300, 599] {
        let later = stuck.clone().wait(seconds);
        assert_eq!(later.plan().status, stored(&stuck), "after {seconds} s nothing is new");
    }
    assert_eq!(told, stored(&stuck).gates);
    let late = stuck.edit(|world| world.now = until + SignedDuration::from_secs(1)).plan();
    assert!(phase(&late.status).starts_with("Degraded|ProgressDeadlineExceeded"), "{}", phase(&late.status));
    let closed = gate(&late, "1 canary pods");
    assert_eq!(closed.until, None, "nothing more happens by the clock");
    let then = "traffic follows, then the step is done; the rollout is Degraded until then";
    assert_eq!(closed.then, then);
}

#[test]
fn pods_that_are_kept_for_a_way_back_say_until_when() {
    let back = json!({"scaleDownDelaySeconds": 40, "abortScaleDownDelaySeconds": 40});
    let canary = base().routed().canary(back.clone()).steps(quarter()).update("v2").rest();
    let blue_green = base().blue_green(back).rest().update("v2").rest();
    for (name, scene, kept) in [
        ("the old pods of a canary", canary.clone().promote_full().rest(), "v1"),
        ("those of an aborted canary", canary.abort().rest(), "shop"),
        ("the old pods of blue-green", blue_green, "v1"),
    ] {
        let set = scene.world.replica_sets.iter().find(|set| set.scale_down_deadline().is_some());
        let set = set.unwrap_or_else(|| panic!("{name}: no deadline: {:?}", waits(&scene.plan())));
        let closed = gate(&scene.plan(), "to have been kept for a fast way back");
        assert!(set.name.contains(kept), "{name}: {}", set.name);
        assert_eq!(closed.until.map(|until| until.0), set.scale_down_deadline(), "{name}");
        assert_eq!(closed.then, format!("revision {} is scaled down", set.hash), "{name}");
        let over = scene.clone().wait(40).rest();
        assert!(!crate::waits_for(&over.plan(), "a fast way back"), "{name}: {:?}", waits(&over.plan()));
    }
}

#[test]
fn a_dry_run_names_no_deadline_because_none_runs() {
    let scene = without_pods().edit(|world| {
        let annotations = world.rollout.metadata.annotations.get_or_insert_default();
        annotations.insert(serin_api::label::DRY_RUN.to_owned(), "true".to_owned());
    });
    let closed = gate(&scene.plan(), "1 canary pods");
    assert_eq!((closed.until, closed.then.contains("in time")), (None, false), "{}", closed.then);
}
