//! A user turns from canary to blue-green and back while an update is on its way.

use serde_json::json;
use serin_testkit::scene::{ACTIVE_SERVICE, PREVIEW_SERVICE, Scene, base};

use crate::{phase, scaled, sizes, stored, waits, waits_for};

/// `v2` has most of the pods of a canary, `v1` two of ten, when the strategy becomes blue-green.
fn shared(fields: serde_json::Value) -> Scene {
    let steps = json!([{"setWeight": 80}, {"pause": {}}]);
    let scene = base().replicas(10).steps(steps).pods("v1", 10, 10).rolling("v2", 8).pods("v1", 2, 2);
    scene.slow().blue_green(fields).selects(ACTIVE_SERVICE, "v1").selects(PREVIEW_SERVICE, "v2")
}

#[test]
fn the_pods_of_a_canary_stay_until_stable_has_enough() {
    let preview = json!({"previewService": PREVIEW_SERVICE, "previewReplicaCount": 1});
    for (name, available, expected) in [
        ("two of ten serve", 2, sizes([("v1", 10)])),
        ("with six and the preview it is one too few", 6, sizes([("v1", 10)])),
        ("with seven it is enough", 7, sizes([("v1", 10), ("v2", 1)])),
    ] {
        let scene = shared(preview.clone()).pods("v1", available, available);
        let plan = scene.plan();
        assert_eq!(scaled(&plan), expected, "{name}: {:?}", waits(&plan));
        assert_eq!(
            waits_for(&plan, "without all of the preview"),
            available < 7,
            "{name}: {:?}",
            waits(&plan)
        );
    }
}

#[test]
fn an_older_revision_with_most_of_the_pods_stays_until_others_have_enough() {
    let delay = json!({"scaleDownDelaySeconds": 0, "previewService": PREVIEW_SERVICE});
    let scene = shared(delay).rolling("v3", 0).selects(PREVIEW_SERVICE, "v3").fold();
    // Its delay has passed.
    let scene = scene.set("v2", |set| {
        let passed = "2026-01-01T00:00:00Z".to_owned();
        set.annotations.insert(serin_api::label::SCALE_DOWN_DEADLINE.to_owned(), passed);
    });
    for (available, stays) in [(2, true), (7, true), (8, false)] {
        let plan = scene.clone().pods("v1", 10, available).wait(60).plan();
        assert_eq!(scaled(&plan).get("shop-v2"), (!stays).then_some(&0), "{available}: {:?}", waits(&plan));
        assert_eq!(waits_for(&plan, "8 pods of other revisions"), stays, "{:?}", waits(&plan));
    }
}

#[test]
fn a_rollout_at_rest_takes_the_steps_of_its_new_canary_for_done() {
    let services = json!({"previewService": PREVIEW_SERVICE});
    let scene = base().blue_green(services).rest();
    // The Service was made anew, and selects no revision.
    let scene = scene.status(|status| status.blue_green.active_selector.clear());
    let canary = json!({"steps": [{"setWeight": 20}, {"pause": {}}]});
    let scene = scene.spec(json!({"strategy": {"blueGreen": null, "canary": canary}})).rest();
    assert_eq!((stored(&scene).current_step_index, phase(&stored(&scene)).as_str()), (Some(2), "Healthy|"));
}
