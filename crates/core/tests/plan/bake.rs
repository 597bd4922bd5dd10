//! A step with a bake is left when its weight has been in force for so long, and for so many requests.

use serde_json::json;
use serin_core::split::{Effective, Split, Weight};
use serin_testkit::scene::{Scene, base};

use crate::{phase, stored, waits_for};

/// At the first of two weights, which bakes like this.
fn baking(bake: serde_json::Value) -> Scene {
    let steps = json!([{"setWeight": 20, "bake": bake}, {"setWeight": 60}, {"pause": {}}]);
    let analysis = json!({"analysis": {"templates": [{"templateName": "errors"}]}});
    base().template("errors").routed().canary(analysis).steps(steps).update("v2").rest()
}

fn step(scene: &Scene) -> Option<i32> {
    stored(scene).current_step_index
}

fn counts(scene: Scene, served: Option<i64>) -> Scene {
    scene.edit(|world| world.analysis_runs[0].served = served)
}

#[test]
fn a_weight_bakes_for_its_time_from_when_it_is_in_force() {
    let scene = baking(json!({"duration": "5m"}));
    assert_eq!(step(&scene), Some(0));
    let plan = scene.plan();
    assert!(waits_for(&plan, "the weight to bake"));
    assert_eq!(phase(&stored(&scene)), "Progressing|more replicas need to be updated", "it is not paused");
    let until = plan.wake.unwrap_or_else(|| panic!("nobody else tells that the time is over"));
    let left = until.duration_since(scene.world.now).as_secs();
    assert!((290..=300).contains(&left), "{left}");
    assert_eq!(step(&scene.clone().wait(left - 1).rest()), Some(0));
    assert_eq!(step(&scene.wait(left).rest()), Some(2), "the next step has no bake");
}

#[test]
fn a_weight_that_somebody_changed_bakes_from_the_beginning() {
    let other = Split::new(Weight(100), Weight(5));
    let scene = baking(json!({"duration": 300})).wait(299);
    let unknown = scene.clone().effective(&Effective::Unknown("no answer".to_owned())).fold();
    assert_eq!(
        stored(&unknown).canary.bake,
        stored(&scene).canary.bake,
        "a router that does not answer says nothing"
    );
    let drifted = scene.effective(&Effective::Applied(other)).rest().wait(2).rest();
    assert_eq!(step(&drifted), Some(0));
    assert_eq!(step(&drifted.wait(300).rest()), Some(2));
}

#[test]
fn requests_are_those_since_the_weight_is_in_force() {
    for (name, before, now, goes_on) in [
        ("too few", Some(0), Some(999), false),
        ("enough", Some(0), Some(1000), true),
        ("those of before do not count", Some(600), Some(1599), false),
        ("enough after those of before", Some(600), Some(1600), true),
        ("counted from zero again, too few", Some(600), Some(500), false),
        ("counted from zero again, enough", Some(2000), Some(1000), true),
        ("not counted", None, None, false),
        ("first counted later", None, Some(1000), true),
    ] {
        let scene = baking(json!({"requests": 1000}));
        let begun = counts(scene, before).status(|status| status.canary.bake = None).rest();
        let scene = counts(begun, now);
        let plan = scene.plan();
        assert_eq!(waits_for(&plan, "1000 requests to the canary"), !goes_on, "{name}");
        let scene = scene.rest();
        assert_eq!(step(&scene), Some(if goes_on { 2 } else { 0 }), "{name}");
        assert!(!stored(&scene).abort, "{name}: too little traffic is no fault of the new version");
    }
}

#[test]
fn requests_of_before_do_not_count_because_the_run_was_not_seen_for_a_moment() {
    let scene =
        counts(baking(json!({"requests": 1000})), Some(600)).status(|status| status.canary.bake = None);
    let unseen = scene.clone().edit(|world| world.analysis_runs.clear()).plan();
    assert!(waits_for(&unseen, "1000 requests to the canary"));
    let begun = scene.status(|status| status.canary.bake = unseen.status.canary.bake.clone()).rest();
    assert_eq!(
        step(&counts(begun.clone(), Some(1599)).rest()),
        Some(0),
        "600 of them are older than the weight"
    );
    assert_eq!(step(&counts(begun, Some(1600)).rest()), Some(2));
}

#[test]
fn of_time_and_requests_both_are_needed_and_a_person_may_go_on_without() {
    let scene = baking(json!({"duration": 60, "requests": 10}));
    assert_eq!(step(&counts(scene.clone(), Some(50)).rest()), Some(0), "time is missing");
    let silent = scene.clone().wait(100_000).rest();
    assert_eq!(step(&silent), Some(0), "requests are missing");
    assert!(
        !phase(&stored(&silent)).starts_with("Degraded"),
        "no deadline runs: {}",
        phase(&stored(&silent))
    );
    let skipped = silent.status(|status| status.current_step_index = Some(1)).rest();
    assert_eq!((step(&skipped), stored(&skipped).canary.bake), (Some(2), None));
    assert_eq!(stored(&scene.abort().rest()).canary.bake, None, "an abort ends it");
}

#[test]
fn another_step_or_revision_bakes_anew() {
    let steps =
        json!([{"setWeight": 20, "bake": {"duration": 60}}, {"setWeight": 40, "bake": {"duration": 60}}]);
    let scene = base().routed().steps(steps).update("v2").rest().wait(59).rest();
    let skipped = scene.clone().status(|status| status.current_step_index = Some(1)).rest().wait(5).rest();
    assert_eq!(step(&skipped), Some(1), "the time of the first step is not that of the second");
    let third = scene.update("v3").rest().wait(5).rest();
    assert_eq!(step(&third), Some(0));
}
