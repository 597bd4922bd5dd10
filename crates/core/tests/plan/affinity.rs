//! Session affinity: of which revision the cookie is, how long it leads anywhere, and what is not held up by it.

use serde_json::json;
use serin_core::Plan;
use serin_core::affinity::Affinity;
use serin_core::split::{Effective, HeaderRoute, Split, Weight};
use serin_testkit::scene::{CANARY_SERVICE, STABLE_SERVICE, Scene, base};

use crate::{running, stored, waits_for, weight};

const ROUTE: &str = "serin-session-canary";

/// Two weights with a pause at each; users stay.
fn sticky() -> Scene {
    let steps = json!([{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]);
    let scene = base().routed().managed(&[ROUTE]);
    scene
        .canary(json!({"trafficRouting": {"managedRoutes": null, "sessionAffinity": {"maxAge": "30m"}}}))
        .steps(steps)
}

fn affinity(plan: &Plan) -> Option<&Affinity> {
    plan.split.as_ref()?.affinity.as_ref()
}

/// Revision and weight of the cookies that a plan wishes for.
fn cookies(scene: &Scene) -> Option<(String, u32)> {
    affinity(&scene.plan()).map(|found| (found.hash.clone(), found.weight.0))
}

/// What the routers show: a weight, and whether users are led by the cookie.
fn shows(scene: Scene, canary: u32, session: bool) -> Scene {
    let route = session.then(|| HeaderRoute { name: ROUTE.to_owned(), matches: Vec::new() });
    let split = Split { headers: route.into_iter().collect(), ..Split::new(Weight(100), Weight(canary)) };
    scene.effective(&Effective::Applied(split))
}

#[test]
fn the_cookie_is_of_the_canary_and_of_its_weight() {
    let scene = sticky().update("v2").rest();
    let v2 = running(&scene, "v2").hash.clone();
    let expected = Affinity {
        cookie: "serin-canary".to_owned(),
        max_age_seconds: 1800,
        hash: v2.clone(),
        weight: Weight(20),
    };
    assert_eq!(affinity(&scene.plan()), Some(&expected));
    assert_eq!(expected.of_canary(), format!("canary.{v2}"));
    assert_eq!(expected.of_stable(), format!("stable.{v2}.20"));
    assert_eq!(stored(&scene).canary.weights.unwrap().managed_routes.unwrap(), [ROUTE]);
    assert_eq!(cookies(&scene.promote().rest()), Some((v2, 50)), "it follows the weight");
    let named = sticky().canary(json!({"trafficRouting": {"sessionAffinity": {"cookieName": "beta"}}}));
    let plan = named.update("v2").rest().plan();
    assert_eq!(affinity(&plan).unwrap().cookie, "beta");
}

#[test]
fn nobody_is_led_to_what_is_not_the_canary_or_has_no_weight() {
    let at = || sticky().update("v2").rest();
    let v2 = running(&at(), "v2").hash.clone();
    let without = json!({"trafficRouting": {"sessionAffinity": null}});
    let idle = json!([{"setWeight": 20}, {"setWeight": 0}, {"pause": {}}]);
    for (name, scene) in [
        ("abort", at().abort()),
        (
            "abort while the router cannot be read",
            at().abort().effective(&Effective::Unknown("no status".to_owned())),
        ),
        ("another revision", at().update("v3")),
        ("back to stable", at().update("v1")),
        ("the canary Service selects another revision", at().selects(CANARY_SERVICE, "v1")),
        ("no pod of the canary serves", at().pods(&v2, 1, 0)),
        ("a step takes the weight away", sticky().steps(idle).update("v2").rest()),
        ("taken out of the spec", at().canary(without)),
        ("before any weight", sticky()),
    ] {
        assert!(scene.plan().split.is_some(), "{name}");
        assert_eq!(cookies(&scene), None, "{name}");
    }
    let v1 = running(&at(), "v1").hash.clone();
    let few = || at().pods(&v1, 4, 1);
    for (name, scene) in [
        ("abort", few().abort()),
        ("another revision", few().update("v3")),
        ("back to stable", few().update("v1")),
        ("no pod of the canary serves", at().pods(&v2, 1, 0).selects(STABLE_SERVICE, &v2)),
    ] {
        let plan = scene.plan();
        let weight = plan.split.as_ref().map_or(0, |split| split.canary.0);
        assert!(weight > 0, "{name}: stable cannot carry it all yet, so that some weight stays: {plan:?}");
        assert_eq!(affinity(&plan), None, "{name}");
    }
    let next = at().update("v3").rest();
    assert_eq!(cookies(&next), Some((running(&next, "v3").hash.clone(), 20)), "the next canary has its own");
    let again = at().abort().rest().retry().rest();
    assert_eq!(
        cookies(&again),
        Some((running(&again, "v2").hash.clone(), 20)),
        "it is no aborted version any more"
    );
}

#[test]
fn users_stay_until_stable_is_the_new_revision_everywhere() {
    let scene = sticky().update("v2").rest();
    let v2 = running(&scene, "v2").hash.clone();
    // The Service of stable still selects the old revision here.
    let promoted = scene.clone().promote_full().fold();
    assert_eq!(cookies(&promoted), Some((v2, 20)));
    let done = scene.promote_full().rest().wait(60).rest();
    assert_eq!((weight(&done.plan()), cookies(&done)), (Some(0), None));
}

#[test]
fn the_canary_service_waits_for_the_cookies_of_the_revision_before() {
    let next = |session: bool| {
        let scene = sticky().update("v2").rest().update("v3").rest();
        let second = running(&scene, "v2").hash.clone();
        shows(scene.selects(CANARY_SERVICE, &second), 0, session).fold().plan()
    };
    let switches = |plan: &Plan| plan.services.iter().any(|target| target.service == CANARY_SERVICE);
    assert!(!switches(&next(true)), "users of v2 would meet v3");
    assert!(switches(&next(false)));
}

#[test]
fn a_cookie_that_somebody_took_out_is_put_back_and_waited_for() {
    let scene = sticky().update("v2").rest();
    let v2 = running(&scene, "v2").hash.clone();
    let drifted = shows(scene, 20, false);
    assert_eq!(cookies(&drifted), Some((v2, 20)));
    let aborted = shows(sticky().update("v2").rest().abort(), 0, true).fold().wait(60).fold();
    let aborted = aborted.plan();
    assert!(waits_for(&aborted, "the router to apply the split"), "{:?}", aborted.status.gates);
}

#[test]
fn a_header_route_after_a_weight_is_done_beside_the_cookies() {
    let header = json!({"name": "staff", "match": [{"headerName": "x", "headerValue": {"exact": "y"}}]});
    let steps = json!([{"setWeight": 20}, {"setHeaderRoute": header}, {"pause": {}}]);
    let scene = base().routed().managed(&["staff", ROUTE]);
    let affinity = json!({"managedRoutes": [{"name": "staff"}], "sessionAffinity": {}});
    let scene = scene.canary(json!({"trafficRouting": affinity})).steps(steps).update("v2").rest();
    assert_eq!(stored(&scene).current_step_index, Some(2));
    assert_eq!(stored(&scene).canary.weights.unwrap().managed_routes.unwrap(), [ROUTE, "staff"]);
}
