//! How many pods each revision gets; the numbers are worked out by hand from the formulas of Argo Rollouts.

use serde_json::json;
use serin_testkit::scene::{Scene, base, fresh};

use crate::{pods, running, scaled, sizes, stored};

fn at_weight(scene: Scene, weight: i32) -> Scene {
    scene.steps(json!([{"setWeight": weight}, {"pause": {}}])).update("v2").settle().0
}

#[test]
fn without_a_router_the_nearest_number_of_pods_is_taken() {
    // Columns: replicas, maxSurge, setWeight, then pods of canary and stable.
    for (replicas, surge, weight, canary, stable, name) in [
        (1, 1, 50, 1, 1, "one pod beside one is half"),
        (1, 1, 10, 1, 1, "a canary is never rounded to nothing when there may be one more"),
        (1, 0, 50, 1, 0, "half of one pod without surge is tied and goes up"),
        (1, 0, 20, 0, 1, "one pod that cannot be split stays stable below half"),
        (1, 0, 80, 1, 0, "and becomes the canary above"),
        (2, 1, 50, 1, 1, "an exact share needs no surge"),
        (2, 1, 25, 1, 2, "1 of 3 is nearer to 25 % than 1 of 2"),
        (3, 1, 50, 2, 2, "2 of 4 is half, 2 of 3 is not"),
        (3, 0, 50, 2, 1, "a tie goes up"),
        (4, 1, 20, 1, 4, "1 of 5 is exact"),
        (4, 0, 20, 1, 3, "1 of 4 is the nearest without surge"),
        (5, 2, 50, 3, 3, "3 of 6 is exact; surge adds one pod and no more"),
        (5, 2, 10, 1, 5, "1 of 6 is nearer than 1 of 5"),
        (6, 2, 33, 2, 4, "2 of 6 is 33.3 %"),
        (7, 0, 15, 1, 6, "1 of 7 is nearer than 2 of 7"),
        (8, 2, 50, 4, 4, "half of eight"),
        (9, 3, 95, 9, 1, "9 of 10 is nearer than 8 of 9; stable is never rounded to nothing"),
        (10, 3, 1, 1, 10, "a small weight gets one pod"),
        (10, 0, 99, 9, 1, "a large weight leaves one pod"),
        (10, 3, 25, 3, 8, "3 of 11 is nearer than 3 of 10"),
        (10, 0, 25, 3, 7, "without surge the tie goes up"),
        (10, 3, 0, 0, 10, "no weight, no pod"),
        (10, 3, 100, 10, 0, "all weight, all pods"),
    ] {
        let strategy = json!({"maxSurge": surge, "maxUnavailable": 1});
        let scene = at_weight(base().canary(strategy).replicas(replicas).rest(), weight);
        let found = pods(&scene, ["v2", "v1"]);
        assert_eq!(found, [canary, stable], "{replicas} replicas, surge {surge}, weight {weight}: {name}");
        assert_eq!(stored(&scene).current_step_index, Some(1), "{name}: and the step is done with them");
    }
}

#[test]
fn with_a_router_the_canary_carries_its_weight_and_stable_keeps_all() {
    for (replicas, weight, canary) in [
        (1, 1, 1),
        (1, 100, 1),
        (2, 34, 1),
        (2, 51, 2),
        (3, 34, 2),
        (3, 33, 1),
        (4, 75, 3),
        (5, 100, 5),
        (6, 0, 0),
        (7, 50, 4),
        (8, 12, 1),
        (8, 13, 2),
        (9, 33, 3),
        (10, 5, 1),
        (10, 25, 3),
        (10, 99, 10),
    ] {
        let scene = at_weight(base().routed().replicas(replicas).rest(), weight);
        let found = pods(&scene, ["v2", "v1"]);
        assert_eq!(found, [canary, replicas], "{weight} % of {replicas}");
    }
}

#[test]
fn weights_are_parts_of_the_greatest_weight() {
    for (weight, canary) in [(1, 1), (100, 1), (101, 2), (500, 5), (1000, 10)] {
        let scene = base().routed().canary(json!({"trafficRouting": {"maxTrafficWeight": 1000}}));
        let scene = scene.replicas(10).rest().steps(json!([{"setWeight": weight}, {"pause": {}}]));
        let plan = scene.rolling("v2", 0).at(0).plan();
        assert_eq!(scaled(&plan), sizes([("v2", canary)]), "{weight} of 1000");
    }
}

#[test]
fn a_router_does_not_care_for_surge_and_unavailability() {
    for (surge, unavailable) in [(0, 1), (1, 0), (5, 5)] {
        let strategy = json!({"maxSurge": surge, "maxUnavailable": unavailable});
        let scene = at_weight(base().routed().canary(strategy).rest(), 50);
        assert_eq!(pods(&scene, ["v2", "v1"]), [2, 4], "surge {surge}, unavailable {unavailable}");
    }
}

/// Ten replicas on the way to half of them.
fn half_of_ten(surge: i32, unavailable: i32, v2: (i32, i32), v1: (i32, i32)) -> Scene {
    let scene = base().canary(json!({"maxSurge": surge, "maxUnavailable": unavailable})).replicas(10).rest();
    let scene = scene.steps(json!([{"setWeight": 50}, {"pause": {}}])).rolling("v2", 0);
    scene.pods("v2", v2.0, v2.1).pods("v1", v1.0, v1.1).at(0)
}

#[test]
fn pods_are_exchanged_within_surge_and_unavailability() {
    for (name, scene, expected) in [
        ("the canary begins within the surge", half_of_ten(1, 0, (0, 0), (10, 10)), sizes([("v2", 1)])),
        ("stable stays until the canary is available", half_of_ten(1, 0, (1, 0), (10, 10)), sizes([])),
        ("and shrinks by as many as are", half_of_ten(1, 0, (1, 1), (10, 10)), sizes([("v1", 9)])),
        ("which makes room", half_of_ten(1, 0, (1, 1), (9, 9)), sizes([("v2", 2)])),
        ("more surge is more at once", half_of_ten(3, 0, (0, 0), (10, 10)), sizes([("v2", 3)])),
        ("never more than is wanted", half_of_ten(8, 0, (0, 0), (10, 10)), sizes([("v2", 5)])),
        ("without surge stable shrinks first", half_of_ten(0, 2, (0, 0), (10, 10)), sizes([("v1", 8)])),
        ("then the canary fills up", half_of_ten(0, 2, (0, 0), (8, 8)), sizes([("v2", 2)])),
        (
            "pods of stable that are not available are the first to go",
            half_of_ten(0, 2, (0, 0), (10, 8)),
            sizes([("v1", 8)]),
        ),
        ("the end is even", half_of_ten(1, 0, (5, 5), (5, 5)), sizes([])),
    ] {
        assert_eq!(scaled(&scene.plan()), expected, "{name}");
    }
}

#[test]
fn percentages_of_surge_go_up_and_of_unavailability_down() {
    for (name, surge, unavailable, first) in [
        ("25 % of 10 is a surge of 3", json!("25%"), json!(0), sizes([("v2", 3)])),
        ("1 % of 10 is a surge of 1", json!("1%"), json!(0), sizes([("v2", 1)])),
        ("19 % of 10 may be 1 unavailable", json!(0), json!("19%"), sizes([("v1", 9)])),
        ("20 % of 10 may be 2 unavailable", json!(0), json!("20%"), sizes([("v1", 8)])),
        ("9 % of 10 rounds to none, so one may be", json!("0%"), json!("9%"), sizes([("v1", 9)])),
    ] {
        let scene =
            base().canary(json!({"maxSurge": surge, "maxUnavailable": unavailable})).replicas(10).rest();
        let scene = scene.steps(json!([{"setWeight": 50}, {"pause": {}}])).rolling("v2", 0).at(0);
        assert_eq!(scaled(&scene.plan()), first, "{name}");
    }
}

#[test]
fn a_paused_canary_is_scaled_with_its_rollout() {
    for (name, scene, before, replicas, after) in [
        ("by pods, up", at_weight(base(), 25), [1, 3], 8, [2, 6]),
        ("by pods, down", at_weight(base().replicas(8).rest(), 25), [2, 6], 4, [1, 3]),
        ("by a router, up", at_weight(base().routed(), 25), [1, 4], 8, [2, 8]),
        ("by a router, down", at_weight(base().routed().replicas(8).rest(), 25), [2, 8], 4, [1, 4]),
    ] {
        assert_eq!(pods(&scene, ["v2", "v1"]), before, "{name}: before");
        let (scene, _) = scene.replicas(replicas).settle();
        assert_eq!(pods(&scene, ["v2", "v1"]), after, "{name}");
        assert_eq!(stored(&scene).current_step_index, Some(1), "{name}: the step does not move");
    }
}

#[test]
fn the_first_revision_gets_all_pods_at_once() {
    for (replicas, expected) in [(0, 0), (1, 1), (10, 10)] {
        let (scene, _) = fresh().replicas(replicas).canary(json!({"steps": [{"pause": {}}]})).settle();
        assert_eq!(pods(&scene, ["v1"]), [expected], "{replicas} replicas");
        assert_eq!(stored(&scene).current_step_index, Some(1), "{replicas} replicas: steps are skipped");
    }
}

#[test]
fn replicas_that_nobody_gave_become_one() {
    let (scene, _) = fresh().spec(json!({"replicas": null})).settle();
    assert_eq!(scene.world.rollout.spec.replicas, Some(1));
    assert_eq!(running(&scene, "v1").pods.spec, 1);
}
