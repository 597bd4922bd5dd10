//! What the status remembers of objects that a Rollout named for its traffic, so that a restart forgets none of them.

use serde_json::{Value, json};
use serin_api::Routed;
use serin_core::parting::before;
use serin_testkit::scene::{Scene, base};

use crate::stored;

/// The HTTPRoutes that the status remembers.
fn remembered(scene: &Scene) -> Vec<String> {
    let routed = stored(scene).canary.routed.unwrap_or_default();
    let name = |routed: &Routed| {
        let route = routed.traffic_routing.pointer("/plugins/argoproj-labs~1gatewayAPI/httpRoute");
        route.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    routed.iter().map(name).collect()
}

fn names(scene: Scene, route: &str) -> Scene {
    let plugin = json!({"argoproj-labs/gatewayAPI": {"httpRoute": route}});
    scene.canary(json!({"trafficRouting": {"plugins": plugin}}))
}

/// The status of a plan is stored; `leaving` says what the shell knows.
fn kept(scene: Scene, leaving: bool) -> Scene {
    let scene = scene.edit(|world| world.leaving = leaving);
    let plan = scene.plan();
    scene.edit(|world| world.rollout.status = Some(plan.status.clone()))
}

#[test]
fn what_is_named_is_remembered_until_it_is_handed_back() {
    let scene = kept(base().routed().update("v2"), false);
    assert_eq!(remembered(&scene), ["shop"]);
    let scene = kept(names(scene, "other"), true);
    assert_eq!(remembered(&scene), ["shop", "other"]);
    let scene = kept(scene, true);
    assert_eq!(remembered(&scene), ["shop", "other"], "as long as it takes");
    let scene = kept(scene, false);
    assert_eq!(remembered(&scene), ["other"]);
    let scene = kept(scene.canary(json!({"trafficRouting": null})), true);
    assert_eq!(remembered(&scene), ["other"], "also when nothing is named any more");
    let scene = kept(scene, false);
    assert_eq!(stored(&scene).canary.routed, None);
}

#[test]
fn a_rollout_that_rests_is_not_written_to_for_this_alone() {
    let scene = base().routed().status(|status| status.canary.routed = None);
    let plan = scene.plan();
    assert_eq!(
        (plan.status.canary.routed, Some(plan.status.phase)),
        (None, Some(Some("Healthy".to_owned())))
    );
}

#[test]
fn the_rollout_of_before_names_what_it_named_then() {
    let scene = kept(base().routed().update("v2"), false);
    assert!(before(&scene.world.rollout).is_empty(), "nothing has changed");
    let (other, gone) = (
        names(scene, "other"),
        json!({"trafficRouting": null, "canaryService": null, "stableService": null}),
    );
    for changed in [other.clone(), other.canary(gone)] {
        let old = before(&changed.world.rollout);
        let canary = old[0].spec.strategy.as_ref().unwrap().canary.as_ref().unwrap();
        let services = (canary.canary_service.as_deref(), canary.stable_service.as_deref());
        assert_eq!((old.len(), services), (1, (Some("shop-canary"), Some("shop-stable"))));
        let plugins = canary.traffic_routing.as_ref().unwrap().plugins.as_ref().unwrap();
        assert_eq!(plugins["argoproj-labs/gatewayAPI"]["httpRoute"], "shop");
    }
}

#[test]
fn the_role_of_ping_and_pong_is_remembered_with_them() {
    let scene = kept(base().routed().ping_pong().update("v2"), false);
    let scene = scene.status(|status| status.canary.stable_ping_pong = "pong".to_owned());
    let old = before(&names(scene, "other").world.rollout);
    assert_eq!(old[0].status.as_ref().unwrap().canary.stable_ping_pong, "ping");
}

#[test]
fn the_memory_is_bounded_and_what_cannot_be_read_is_left_out() {
    let mut scene = kept(base().routed().update("v2"), false);
    for number in 0..20 {
        scene = kept(names(scene, &format!("route-{number}")), true);
    }
    assert_eq!((remembered(&scene).len(), remembered(&scene)[7].as_str()), (8, "route-19"));
    let strange = Routed { traffic_routing: json!("text"), ..Routed::default() };
    let scene = scene.status(|status| status.canary.routed = Some(vec![strange]));
    assert!(before(&scene.world.rollout).is_empty());
}
