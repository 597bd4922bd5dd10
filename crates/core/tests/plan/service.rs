//! What Services select: only pods that are there, and another revision only while nothing is carried to it.

use serde_json::json;
use serin_core::seen::Seen;
use serin_core::split::{Effective, Split, Weight};
use serin_core::world::Service;
use serin_testkit::scene::{CANARY_SERVICE, STABLE_SERVICE, Scene, base};

use crate::{scaled, sizes, unreadable};

fn routed(v2: (i32, i32)) -> Scene {
    let scene = base().routed().steps(json!([{"setWeight": 50}, {"pause": {}}])).rolling("v2", 0);
    scene.pods("v2", v2.0, v2.1).at(0)
}

fn by_pods(v2: (i32, i32), v1: (i32, i32), weight: i32) -> Scene {
    let scene = base().services().steps(json!([{"setWeight": weight}, {"pause": {}}])).rolling("v2", 0);
    scene.pods("v2", v2.0, v2.1).pods("v1", v1.0, v1.1).at(0)
}

fn service(scene: Scene, change: impl FnOnce(&mut Service)) -> Scene {
    scene.edit(|world| match world.services.get_mut(CANARY_SERVICE) {
        Some(Seen::Fresh(service)) => change(service),
        other => panic!("{other:?}"),
    })
}

fn stale(scene: Scene) -> Scene {
    scene.edit(|world| {
        let known = world.services[CANARY_SERVICE].fresh().cloned();
        world.services.insert(CANARY_SERVICE.to_owned(), Seen::Stale(known.unwrap()));
    })
}

#[test]
fn services_select_pods_that_are_there_and_move_while_idle() {
    let (canary, stable) = (CANARY_SERVICE, STABLE_SERVICE);
    let unmanaged = |scene: Scene| service(scene, |service| service.managed_by = None);
    let pending = Effective::Pending(Split::new(Weight(100), Weight(0)));
    let promoted =
        |v2| routed(v2).selects(canary, "v2").weight(100).status(|s| s.stable_rs = Some("v2".to_owned()));
    for (name, scene, expected) in [
        ("to a canary with a ready pod", routed((2, 1)), vec![(canary, "v2")]),
        ("not before", routed((2, 0)), vec![]),
        ("not while it carries traffic", routed((2, 2)).weight(10), vec![]),
        ("not while nobody knows whether it does", routed((2, 2)).effective(&pending), vec![]),
        ("not when it cannot be read", unreadable(routed((2, 2)), canary), vec![]),
        ("not when it is older than our own write", stale(routed((2, 2))), vec![]),
        ("one of somebody's needs all pods", unmanaged(routed((2, 1))), vec![]),
        ("and is taken over with them", unmanaged(routed((2, 2))), vec![(canary, "v2")]),
        (
            "one that selects right is marked",
            unmanaged(routed((2, 0)).selects(canary, "v2")),
            vec![(canary, "v2")],
        ),
        ("one that is right is left alone", routed((2, 2)).selects(canary, "v2"), vec![]),
        ("after an abort to stable", routed((2, 2)).selects(canary, "v2").abort(), vec![(canary, "v1")]),
        ("with enough pods of it", routed((2, 2)).selects(canary, "v2").pods("v1", 4, 2).abort(), vec![]),
        ("the stable one after promotion", promoted((4, 4)), vec![(stable, "v2")]),
        ("by pods, the canary one with a pod", by_pods((2, 1), (2, 2), 50), vec![(canary, "v2")]),
        ("by pods, not without one", by_pods((2, 0), (2, 2), 50), vec![]),
        (
            "by pods, both before stable is gone",
            by_pods((4, 3), (1, 1), 100),
            vec![(stable, "v2"), (canary, "v2")],
        ),
        ("by pods, the stable one with enough of them", by_pods((4, 2), (1, 1), 100), vec![(canary, "v2")]),
        (
            "by pods, after an abort to stable",
            by_pods((2, 2), (2, 2), 50).selects(canary, "v2").abort(),
            vec![(canary, "v1")],
        ),
    ] {
        let plan = scene.plan();
        let found: Vec<_> = plan.services.iter().map(|it| (it.service.as_str(), it.hash.as_str())).collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn pods_stay_while_traffic_may_reach_them() {
    let less = json!([{"setWeight": 75}, {"setWeight": 25}, {"pause": {}}]);
    let shrinking = base().routed().steps(less).rolling("v2", 3).selects(CANARY_SERVICE, "v2").at(1);
    let older = |available| {
        let scene = routed((2, 0)).selects(CANARY_SERVICE, "v2").pods("v0", 2, 2);
        scene.pods("v1", 4, available)
    };
    let resized =
        |scene: Scene, version: &str| scaled(&scene.plan()).get(&format!("shop-{version}")).copied();
    assert_eq!(resized(shrinking.clone().weight(75), "v2"), None, "the larger weight is still in force");
    assert_eq!(resized(shrinking.weight(25), "v2"), Some(1), "the smaller one is");
    assert_eq!(resized(older(4), "v0"), Some(0), "an older revision goes when enough others are there");
    assert_eq!(resized(older(2), "v0"), None, "and stays while they are not");
    let last = by_pods((4, 4), (1, 1), 100);
    assert_eq!(scaled(&last.clone().plan()), sizes([]), "by pods, the last one behind a Service stays");
    let moved = last.selects(STABLE_SERVICE, "v2").selects(CANARY_SERVICE, "v2");
    assert_eq!(scaled(&moved.plan()), sizes([("v1", 0)]), "until the Service has moved");
}

#[test]
fn a_revision_that_the_stable_service_still_selects_keeps_its_pods_in_an_undo() {
    // v2 was promoted and has no ready pod, so the stable Service still leads 89 parts of the traffic to v1.
    let scene = base().routed().steps(json!([{"pause": {}}, {"setWeight": 11}])).rolling("v2", 4);
    let promoted = scene.status(|status| status.stable_rs = Some("v2".to_owned())).pods("v2", 4, 0);
    let scene = promoted.selects(CANARY_SERVICE, "v2").weight(11).pods("v1", 4, 4).fold();
    let undone = scene.update("v1").fold().fold();
    let canary = |scene: &Scene| scaled(&scene.plan()).get("shop-v1").copied();
    assert_eq!(canary(&undone), None);
    let followed = undone.pods("v2", 4, 4).selects(STABLE_SERVICE, "v2").weight(0);
    assert_eq!(canary(&followed.fold().fold()), Some(0));
}
