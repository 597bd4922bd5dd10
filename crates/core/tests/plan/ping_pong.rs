//! Two Services that change roles at the end of an update: traffic stays where it is, and no Service with traffic is pointed
//! elsewhere.

use serde_json::json;
use serin_core::Plan;
use serin_core::seen::Seen;
use serin_core::split::{Effective, Split, Weight};
use serin_testkit::scene::{CANARY_SERVICE, STABLE_SERVICE, Scene, base, fresh};

use crate::{scaled, stored, told, waits_for, weight};

const PING: &str = STABLE_SERVICE;
const PONG: &str = CANARY_SERVICE;

/// v1 is stable behind ping.
fn pair() -> Scene {
    base().routed().ping_pong()
}

/// v2 waits with half of the traffic, behind pong.
fn half() -> Scene {
    pair().steps(json!([{"setWeight": 50}, {"pause": {}}])).rolling("v2", 0).rest()
}

fn roles(scene: &Scene) -> String {
    stored(scene).canary.stable_ping_pong
}

fn selected(scene: &Scene, service: &str) -> String {
    let service = scene.world.services[service].fresh();
    service.and_then(|service| service.hash.clone()).unwrap_or_default()
}

fn targets(plan: &Plan) -> Vec<(&str, &str)> {
    plan.services.iter().map(|target| (target.service.as_str(), target.hash.as_str())).collect()
}

/// Weights of the two Services by name, as the status tells them.
fn weights(scene: &Scene) -> Vec<(String, i32)> {
    let weights = stored(scene).canary.weights.unwrap();
    let told = [weights.canary, weights.stable].map(|told| (told.service_name.unwrap(), told.weight));
    let mut told = told.to_vec();
    told.sort();
    told
}

fn shares(pong: i32, ping: i32) -> Vec<(String, i32)> {
    vec![(PONG.to_owned(), pong), (PING.to_owned(), ping)]
}

#[test]
fn the_canary_gets_the_service_that_is_not_stable() {
    let scene = half();
    let found = (roles(&scene), selected(&scene, PING), selected(&scene, PONG));
    assert_eq!(found, ("ping".to_owned(), "v1".to_owned(), "v2".to_owned()));
    assert_eq!(weights(&scene), shares(50, 50));
}

#[test]
fn roles_change_at_the_end_and_traffic_stays_where_it_is() {
    let scene = pair().steps(json!([{"setWeight": 50}, {"setWeight": 100}])).rolling("v2", 0);
    let (done, plans) = scene.settle();
    assert_eq!((roles(&done), weights(&done)), ("pong".to_owned(), shares(100, 0)));
    let changed = plans.iter().position(|plan| plan.status.canary.stable_ping_pong == "pong").unwrap();
    let plan = &plans[changed];
    assert!(told(plan, "RolloutCompleted").is_some(), "with the promotion: {:?}", plan.events);
    assert_eq!((weight(plan), targets(plan)), (None, vec![]), "nothing else moves in this plan");
    assert_ne!(plan.status.phase.as_deref(), Some("Healthy"), "and nothing is complete yet");
    let after: Vec<_> = plans[changed + 1..].iter().filter_map(weight).collect();
    assert!(
        !after.is_empty() && after.iter().all(|weight| *weight == 0),
        "the canary now has none: {after:?}"
    );
    let switched: Vec<_> = plans.iter().flat_map(targets).collect();
    assert_eq!(switched, [(PONG, "v2"), (PING, "v2")], "each one while it carries nothing");
    assert_eq!(stored(&done).phase.as_deref(), Some("Healthy"));
}

#[test]
fn the_next_update_goes_the_other_way() {
    let scene = pair().steps(json!([{"setWeight": 50}])).rolling("v2", 0).rest();
    let half = scene.steps(json!([{"setWeight": 50}, {"pause": {}}])).rolling("v3", 0).rest();
    assert_eq!((roles(&half), weights(&half)), ("pong".to_owned(), shares(50, 50)));
    assert_eq!((selected(&half, PING), selected(&half, PONG)), ("v3".to_owned(), "v2".to_owned()));
    let done = half.promote().rest();
    assert_eq!((roles(&done), weights(&done)), ("ping".to_owned(), shares(0, 100)));
}

#[test]
fn the_first_revision_gets_ping() {
    let spec = json!({"pingPong": {"pingService": PING, "pongService": PONG}});
    let named = base().routed().world.services;
    let routers = base().routed().world.routers;
    let scene = fresh().canary(spec).canary(json!({"trafficRouting": {"smi": {"rootService": "shop"}}}));
    let scene = scene.edit(|world| (world.services, world.routers) = (named, routers));
    let scene = scene.edit(|world| {
        for seen in world.services.values_mut() {
            if let Seen::Fresh(service) = seen {
                service.hash = None;
                service.managed_by = None;
            }
        }
    });
    // Ping has all of it in the routing object, and is the canary's Service as long as nothing is stable.
    let done = scene.weight(100).rest();
    assert_eq!((roles(&done), weights(&done)), ("ping".to_owned(), shares(0, 100)));
    let first = stored(&done).stable_rs.unwrap();
    assert_eq!((selected(&done, PING), selected(&done, PONG)), (first.clone(), first));
}

#[test]
fn an_update_that_goes_back_changes_no_roles() {
    for (name, scene, step) in
        [("aborted", half().abort(), Some(0)), ("undone", half().update("v1"), Some(2))]
    {
        let done = scene.rest();
        assert_eq!((roles(&done), weights(&done)), ("ping".to_owned(), shares(0, 100)), "{name}");
        assert_eq!(stored(&done).current_step_index, step, "{name}");
        assert_eq!(selected(&done, PING), "v1", "{name}");
    }
}

#[test]
fn services_move_only_while_they_carry_nothing_for_certain() {
    let idle = || pair().steps(json!([{"setWeight": 50}, {"pause": {}}])).rolling("v2", 2).at(0);
    let pending = Effective::Pending(Split::new(Weight(100), Weight(0)));
    let promoted = || {
        half()
            .status(|status| {
                status.stable_rs = Some("v2".to_owned());
                status.canary.stable_ping_pong = "pong".to_owned();
                status.current_step_index = Some(2);
            })
            .pods("v2", 4, 4)
    };
    for (name, scene, expected) in [
        ("to the canary while idle", idle(), vec![(PONG, "v2")]),
        ("not while it carries", idle().weight(1), vec![]),
        ("not while the router has not confirmed", idle().effective(&pending), vec![]),
        ("of the revision before, not while it has some", promoted().weight(1), vec![]),
        ("not before that is sure", promoted().effective(&pending), vec![]),
        ("and to stable then, so that none leads to nobody", promoted().weight(0), vec![(PING, "v2")]),
        ("an abort leaves it with the canary while it carries", half().abort(), vec![]),
    ] {
        assert_eq!(targets(&scene.plan()), expected, "{name}");
    }
}

#[test]
fn a_full_promotion_changes_roles_first_and_then_moves_what_is_left() {
    let (done, plans) = half().promote_full().settle();
    let changed = plans.iter().position(|plan| plan.status.canary.stable_ping_pong == "pong").unwrap();
    assert_eq!((weight(&plans[changed]), targets(&plans[changed])), (None, vec![]));
    let next = &plans[changed + 1];
    assert_eq!((weight(next), targets(next)), (Some(0), vec![]), "half is still at ping, which selects v1");
    assert_eq!((roles(&done), weights(&done)), ("pong".to_owned(), shares(100, 0)));
}

#[test]
fn a_revision_becomes_stable_only_once_its_service_selects_it() {
    let ready = || pair().rolling("v2", 4).pods("v2", 4, 4);
    for (name, scene) in [("without steps", ready()), ("promoted fully", ready().promote_full())] {
        let early = scene.clone().plan();
        assert_eq!(early.status.canary.stable_ping_pong, "ping", "{name}");
        assert!(waits_for(&early, "the Service of the canary to select the new revision"), "{name}");
        let selected = scene.selects(PONG, "v2").fold().plan();
        assert_eq!(selected.status.canary.stable_ping_pong, "pong", "{name}");
    }
}

#[test]
fn pods_behind_the_service_before_stay_while_it_has_traffic() {
    let promoted = half().status(|status| {
        status.stable_rs = Some("v2".to_owned());
        status.canary.stable_ping_pong = "pong".to_owned();
        status.current_step_index = Some(2);
    });
    let scene = promoted.pods("v2", 4, 4).canary(json!({"scaleDownDelaySeconds": 0})).fold();
    let carries = scene.clone().weight(50).plan();
    assert_eq!(scaled(&carries).get("shop-v1"), None);
    assert!(waits_for(&carries, "the router to apply the split"), "{carries:?}");
    let drained = scene.weight(0).fold().wait(5).fold().plan();
    assert_eq!(scaled(&drained).get("shop-v1"), Some(&0));
}

#[test]
fn what_argo_rollouts_left_is_gone_on_with() {
    // It stores the roles, and leaves the Service of the revision before where it was.
    let left = pair().steps(json!([{"setWeight": 50}, {"pause": {}}]));
    let left = left.status(|status| status.canary.stable_ping_pong = "pong".to_owned());
    let scene = left.selects(PONG, "v1").selects(PING, "v0").rolling("v2", 0).rest();
    assert_eq!((selected(&scene, PING), selected(&scene, PONG)), ("v2".to_owned(), "v1".to_owned()));
    assert_eq!(weights(&scene), shares(50, 50));
    let done = scene.promote().rest();
    assert_eq!((roles(&done), weights(&done)), ("ping".to_owned(), shares(0, 100)));
}

#[test]
fn a_missing_service_is_named_with_its_field() {
    for (name, field) in [(PING, "pingService"), (PONG, "pongService")] {
        let plan = pair().edit(|world| drop(world.services.insert(name.to_owned(), Seen::Absent))).plan();
        let expected = format!("spec.strategy.canary.pingPong.{field}: Invalid value: \"{name}\": service");
        assert!(plan.status.message.as_ref().is_some_and(|message| message.contains(&expected)), "{plan:?}");
    }
}
