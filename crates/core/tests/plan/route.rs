//! Header and mirror routes: when they are wished for, what waits for them, and that they go before anything else does.

use serde_json::{Value, json};
use serin_core::Plan;
use serin_core::split::{
    Effective, HeaderMatch, HeaderRoute, MirrorMatch, MirrorRoute, Split, StringMatch, Weight,
};
use serin_testkit::scene::{CANARY_SERVICE, Scene, base};

use crate::{scaled, sizes, stored, waits_for, weight};

fn header(name: &str, user: &str) -> Value {
    json!({"setHeaderRoute": {"name": name, "match": [{"headerName": "x-user", "headerValue": {"exact": user}}]}})
}

fn no_header(name: &str) -> Value {
    json!({"setHeaderRoute": {"name": name}})
}

/// Two canary pods first, then these steps, then a pause.
fn with(steps: Vec<Value>) -> Scene {
    let all: Vec<_> = [json!({"setCanaryScale": {"replicas": 2}})]
        .into_iter()
        .chain(steps)
        .chain([json!({"pause": {}})])
        .collect();
    base().routed().managed(&["staff", "guest", "copy"]).steps(Value::Array(all))
}

/// At the pause after one header route.
fn staffed() -> Scene {
    with(vec![header("staff", "ada")]).update("v2").rest()
}

/// What the routers show: a weight, and header routes of these names.
fn showing(canary: u32, names: &[&str]) -> Split {
    let route = |name: &&str| HeaderRoute { name: (*name).to_owned(), matches: Vec::new() };
    Split { headers: names.iter().map(route).collect(), ..Split::new(Weight(100), Weight(canary)) }
}

fn shows(scene: Scene, canary: u32, names: &[&str]) -> Scene {
    scene.effective(&Effective::Applied(showing(canary, names)))
}

/// Names of the routes that a plan wishes for; `None` when it leaves the routers alone.
fn wished(plan: &Plan) -> Option<Vec<&str>> {
    Some(plan.split.as_ref()?.routes().collect())
}

#[test]
fn a_header_route_leads_matched_users_to_the_canary_without_any_weight() {
    let scene = staffed();
    let split = scene.plan().split.unwrap();
    let value = StringMatch::Exact("ada".to_owned());
    let matches = vec![HeaderMatch { name: "x-user".to_owned(), value }];
    assert_eq!(split.headers, [HeaderRoute { name: "staff".to_owned(), matches }]);
    assert_eq!((split.canary, stored(&scene).current_step_index), (Weight(0), Some(2)));
    assert_eq!(stored(&scene).canary.weights.unwrap().managed_routes.unwrap(), ["staff"]);
}

#[test]
fn a_mirror_route_is_wished_for_as_the_step_says() {
    let step = json!({"setMirrorRoute": {"name": "copy", "percentage": 35, "match": [
        {"method": {"exact": "GET"}, "path": {"prefix": "/a"}, "headers": {"x-user": {"regex": "a.*"}}},
        {"path": {"exact": "/b"}},
    ]}});
    let split = with(vec![step]).update("v2").rest().plan().split.unwrap();
    let value = StringMatch::Regex("a.*".to_owned());
    let first = MirrorMatch {
        method: Some(StringMatch::Exact("GET".to_owned())),
        path: Some(StringMatch::Prefix("/a".to_owned())),
        headers: vec![HeaderMatch { name: "x-user".to_owned(), value }],
    };
    let second = MirrorMatch { path: Some(StringMatch::Exact("/b".to_owned())), ..MirrorMatch::default() };
    let wish = MirrorRoute { name: "copy".to_owned(), matches: vec![first, second], percentage: 35 };
    assert_eq!(split.mirrors, [wish]);
    let all = json!({"setMirrorRoute": {"name": "copy", "match": [{"path": {"exact": "/b"}}]}});
    let split = with(vec![all]).update("v2").rest().plan().split.unwrap();
    assert_eq!(split.mirrors[0].percentage, 100, "without a percentage all are copied");
}

#[test]
fn of_each_route_the_last_step_that_names_it_counts_in_the_order_of_managed_routes() {
    let mirror = json!({"setMirrorRoute": {"name": "staff", "match": [{"path": {"exact": "/b"}}]}});
    for (name, steps, expected) in [
        (
            "the order is that of managedRoutes",
            vec![header("guest", "a"), header("staff", "b")],
            vec!["staff", "guest"],
        ),
        ("without a match it is removed", vec![header("staff", "a"), no_header("staff")], vec![]),
        (
            "only the one that is named",
            vec![header("staff", "a"), header("guest", "b"), no_header("staff")],
            vec!["guest"],
        ),
        ("a mirror in the place of a header", vec![header("staff", "a"), mirror.clone()], vec!["staff"]),
        ("not removed by a weight", vec![header("staff", "a"), json!({"setWeight": 10})], vec!["staff"]),
    ] {
        let scene = with(steps).update("v2").rest();
        assert_eq!(wished(&scene.plan()), Some(expected), "{name}");
    }
    let changed = with(vec![header("staff", "ada"), header("staff", "eve")]).update("v2").rest();
    let split = changed.plan().split.unwrap();
    assert_eq!(split.headers[0].matches[0].value, StringMatch::Exact("eve".to_owned()));
    let mirrored = with(vec![header("staff", "a"), mirror]).update("v2").rest().plan().split.unwrap();
    assert_eq!((mirrored.headers.len(), mirrored.mirrors.len()), (0, 1));
}

#[test]
fn a_route_is_added_when_the_canary_is_ready_for_it() {
    // At the step of the route: two pods are asked for, and the canary Service selects them.
    let at = || with(vec![header("staff", "a")]).rolling("v2", 2).selects(CANARY_SERVICE, "v2").at(1);
    for (name, scene, expected) in [
        ("ready", at(), vec!["staff"]),
        ("a step before", at().at(0).pods("v2", 1, 1), vec![]),
        ("one pod short", at().pods("v2", 2, 1), vec![]),
        (
            "one pod short, and it is there already",
            shows(at().pods("v2", 2, 1), 0, &["staff"]),
            vec!["staff"],
        ),
        ("without any pod it goes", shows(at().pods("v2", 2, 0), 0, &["staff"]), vec![]),
        ("the canary Service selects another revision", at().selects(CANARY_SERVICE, "v1"), vec![]),
        ("a person holds the rollout", at().paused(true), vec![]),
        (
            "a person holds it, and it is there already",
            shows(at(), 0, &["staff"]).paused(true),
            vec!["staff"],
        ),
    ] {
        assert_eq!(wished(&scene.plan()), Some(expected), "{name}");
    }
}

#[test]
fn a_route_waits_for_the_data_plane_to_follow_the_canary_service() {
    let at = with(vec![header("staff", "a")]).lagging(5).rolling("v2", 2).selects(CANARY_SERVICE, "v2").at(1);
    let switched = at.fold();
    let plan = switched.plan();
    assert_eq!(wished(&plan), Some(vec![]));
    assert!(waits_for(&plan, "the data plane to follow the last change"), "{:?}", plan.status.gates);
    assert_eq!(wished(&switched.fold().wait(7).plan()), Some(vec!["staff"]));
}

#[test]
fn the_step_is_done_when_the_routers_show_its_route() {
    let at = || with(vec![header("staff", "a")]).rolling("v2", 2).selects(CANARY_SERVICE, "v2").at(1);
    let step = |scene: &Scene| scene.plan().status.current_step_index;
    assert_eq!(step(&at()), Some(1));
    assert!(waits_for(&at().plan(), "the router to show the managed routes staff"));
    assert_eq!(step(&shows(at(), 0, &["staff"])), Some(2));
    let elsewhere = at().selects(CANARY_SERVICE, "v1");
    assert_eq!(step(&elsewhere), Some(1), "nobody could be led to the canary yet");
    assert!(waits_for(&elsewhere.plan(), "the canary Service or subset to lead to the new revision"));
    let pending = at().effective(&Effective::Pending(showing(0, &["staff"])));
    assert_eq!(step(&pending), Some(1));
    assert!(waits_for(&pending.plan(), "the router to confirm the managed routes staff"));
    let unknown = at().effective(&Effective::Unknown("no status".to_owned()));
    assert_eq!(step(&unknown), Some(1));
    let lags = shows(at().lagging(5).at(1), 0, &["staff"]).fold();
    assert_eq!(step(&lags), Some(1));
    assert!(waits_for(&lags.plan(), "the data plane to follow the managed routes staff"));
    assert_eq!(step(&lags.wait(7)), Some(2));
    let removing = with(vec![header("staff", "a"), no_header("staff")]);
    let removing = removing.rolling("v2", 2).selects(CANARY_SERVICE, "v2").at(2);
    assert_eq!(step(&shows(removing.clone(), 0, &["staff"])), Some(2), "it is still there");
    assert_eq!(step(&removing), Some(3));
    let unable = at().edit(|world| world.routers[0].managed.clear());
    assert_eq!(step(&unable), Some(2), "another router has it, this one never will");
    let two = at().edit(|world| {
        let mut other = world.routers[0].clone();
        other.effective = Effective::Applied(showing(0, &["staff"]));
        world.routers.push(other);
    });
    assert_eq!(step(&two), Some(1), "one of two routers has it");
    let without_pods = with(vec![]).steps(json!([header("staff", "a"), {"pause": {}}])).update("v2").rest();
    assert_eq!(wished(&without_pods.plan()), Some(vec![]), "nobody could answer");
    assert_eq!(
        stored(&without_pods).current_step_index,
        Some(1),
        "as with Argo Rollouts the step is done at once"
    );
}

#[test]
fn a_route_that_somebody_took_out_is_put_back_at_once_also_by_a_slow_router() {
    let scene = with(vec![header("staff", "a")]).lagging(15).update("v2");
    let scene = (0..4).fold(scene, |scene, _| scene.rest().wait(20)).rest();
    assert_eq!(stored(&scene).canary.weights.clone().unwrap().managed_routes.unwrap(), ["staff"]);
    assert_eq!(wished(&shows(scene, 0, &[]).plan()), Some(vec!["staff"]));
}

#[test]
fn routes_go_with_the_way_back_and_with_a_promotion() {
    let window = || staffed().spec(json!({"rollbackWindow": {"revisions": 3}}));
    for (name, scene) in [
        ("abort", staffed().abort()),
        ("full promotion", staffed().promote_full()),
        ("a new revision", staffed().update("v3")),
        ("back to stable", staffed().update("v1")),
        ("back within the window", window().promote().rest().wait(60).rest().update("v1")),
    ] {
        assert_eq!(wished(&scene.plan()), Some(vec![]), "{name}");
    }
    let promoted = staffed().promote().rest().wait(60).rest();
    assert_eq!(
        (wished(&promoted.plan()), stored(&promoted).stable_rs),
        (Some(vec![]), Some(crate::running(&promoted, "v2").hash.clone()))
    );
    assert_eq!(stored(&promoted).canary.weights.unwrap().managed_routes, None);
}

#[test]
fn an_unreadable_router_never_keeps_a_route_after_an_abort() {
    let scene = staffed().abort().effective(&Effective::Unknown("no status".to_owned()));
    assert_eq!((wished(&scene.plan()), weight(&scene.plan())), (Some(vec![]), Some(0)));
}

#[test]
fn pods_of_the_canary_stay_until_its_routes_are_seen_gone() {
    let aborted = staffed().canary(json!({"abortScaleDownDelaySeconds": 1})).rest();
    let v2 = crate::running(&aborted, "v2").name.clone();
    let aborted = aborted.abort().fold().wait(60);
    // The canary Service keeps selecting v2 here, so that only the route says whether somebody may come.
    let keeps = |scene: Scene| {
        let hash = crate::running(&scene, "v2").hash.clone();
        scene.selects(CANARY_SERVICE, &hash).fold()
    };
    let there = keeps(shows(aborted.clone(), 0, &["staff"]));
    let there = there.fold().wait(5).fold().plan();
    assert!(!scaled(&there).contains_key(&v2), "{:?}", scaled(&there));
    let gone = keeps(shows(aborted, 0, &[]));
    let gone = gone.act().0.wait(5).plan();
    assert_eq!(scaled(&gone).get(&v2), Some(&0));
}

#[test]
fn a_canary_whose_size_goes_to_none_loses_its_route_first() {
    let scene = with(vec![header("staff", "a"), json!({"setCanaryScale": {"replicas": 0}})]);
    let at = scene.rolling("v2", 2).selects(CANARY_SERVICE, "v2").at(2);
    let first = shows(at.clone(), 0, &["staff"]).fold().plan();
    assert_eq!((wished(&first), scaled(&first)), (Some(vec![]), sizes([])));
    assert_eq!(scaled(&at.fold().plan()), sizes([("v2", 0)]));
}

#[test]
fn a_canary_that_only_a_route_leads_to_keeps_a_pod_for_it() {
    let scale = json!({"setCanaryScale": {"weight": 50}});
    let scene = with(vec![scale, header("staff", "a"), json!({"setCanaryScale": {"weight": 25}})]);
    let at = scene.rolling("v2", 2).selects(CANARY_SERVICE, "v2").at(3);
    assert_eq!(scaled(&shows(at, 0, &["staff"]).fold().plan()), sizes([("v2", 1)]));
}

#[test]
fn the_canary_service_goes_to_the_next_revision_when_no_route_leads_to_it() {
    let next = |names: &[&str]| {
        let scene = staffed().update("v3").rest();
        let second = crate::running(&scene, "v2").hash.clone();
        shows(scene.selects(CANARY_SERVICE, &second), 0, names).fold().plan()
    };
    let switches = |plan: &Plan| plan.services.iter().any(|target| target.service == CANARY_SERVICE);
    assert!(!switches(&next(&["staff"])));
    assert!(switches(&next(&[])));
}

#[test]
fn waits_for_the_data_plane_say_until_when() {
    let steps = json!([{"setWeight": 25}, {"pause": {}}]);
    let lagging =
        base().routed().steps(steps).lagging(15).update("v2").rest().wait(20).rest().wait(20).rest();
    let later = json!([{"setWeight": 25}, {"setWeight": 50}]);
    let moved = base().routed().steps(later).lagging(15).update("v2").rest();
    for (name, scene, waits_for, then) in [
        ("a step", moved, "the data plane to follow the last change", "the weight moves to 25"),
        (
            "an abort",
            lagging.abort().rest(),
            "the data plane to follow the last change",
            "the canary is scaled down",
        ),
    ] {
        let status = stored(&scene);
        let gates = status.gates.clone().unwrap_or_default();
        let gate = gates.iter().find(|gate| gate.waits_for.contains(waits_for) && gate.then.contains(then));
        let gate = gate.unwrap_or_else(|| panic!("{name}: {gates:?}"));
        let applied = status.canary.weights.and_then(|weights| weights.applied_at).map(|at| at.0.as_second());
        let until = gate.until.as_ref().map(|until| until.0.as_second());
        assert_eq!(until, applied.map(|applied| applied + 16), "{name}");
    }
}
