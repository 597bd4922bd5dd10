//! What AWS says of load balancers: what waits for it, what is told, and what it never holds up or brings down.

use serde_json::json;
use serin_core::load_balancer::{Cause, Doubt, LoadBalancers};
use serin_core::split::{Effective, Split, Weight};
use serin_testkit::scene::{CANARY_SERVICE, Scene, base};

use crate::{reasons, stored, told, waits_for, weight};

const LACKS: &str = "load balancer shop of Ingress shop/web: target group tg-canary (Service shop-canary) to have weight 20; it has 0";

/// Weight 20 is asked for, and the pods are there.
fn asked() -> Scene {
    let steps = json!([{"setWeight": 20}, {"pause": {}}]);
    let fields = json!({"progressDeadlineSeconds": 60, "progressDeadlineAbort": true});
    base().routed().spec(fields).steps(steps).update("v2").pods("v2", 1, 1).selects(CANARY_SERVICE, "v2")
}

fn shown() -> Vec<serin_api::AlbStatus> {
    let status = json!([{"loadBalancer": {"name": "shop"}, "canaryTargetGroup": {"name": "tg-canary"}, "ingress": "web"}]);
    serde_json::from_value(status).unwrap()
}

/// AWS does not confirm weight 20, for this reason.
fn doubted(scene: Scene, cause: Cause, waits_for: &str) -> Scene {
    let doubt = Some(Doubt { cause, waits_for: waits_for.to_owned() });
    let pending = Effective::Pending(Split::new(Weight(100), Weight(20)));
    scene
        .effective(&pending)
        .edit(|world| world.load_balancers = Some(LoadBalancers { shown: Vec::new(), doubt }))
}

fn confirmed(scene: Scene) -> Scene {
    scene.weight(20).edit(|world| world.load_balancers = Some(LoadBalancers { shown: shown(), doubt: None }))
}

/// The status of a plan is stored; nothing else happens.
fn kept(scene: Scene) -> (Scene, serin_core::Plan) {
    let plan = scene.plan();
    (scene.edit(|world| world.rollout.status = Some(plan.status.clone())), plan)
}

#[test]
fn a_step_is_done_when_the_load_balancer_has_the_weights() {
    let (scene, plan) = kept(doubted(asked(), Cause::Differs, LACKS));
    assert!(waits_for(&plan, LACKS), "{:?}", plan.status.gates);
    assert_eq!(plan.status.current_step_index, Some(0));
    assert_eq!(plan.status.canary.weights.as_ref().unwrap().verified, Some(false));
    assert_eq!(told(&plan, "TargetGroupUnverified"), Some(format!("Waiting for {LACKS}")));
    let (scene, plan) = kept(scene.wait(5));
    assert!(!reasons([&plan]).contains(&"TargetGroupUnverified".to_owned()), "a doubt is told once");
    let (scene, plan) = kept(confirmed(scene));
    let expected = "Verified weight 20 of the canary at load balancer shop";
    assert_eq!(told(&plan, "TargetGroupVerified").as_deref(), Some(expected));
    assert_eq!(stored(&scene).albs.unwrap(), shown());
    assert_eq!(stored(&scene).alb.unwrap(), shown()[0]);
    let (scene, plan) = kept(scene);
    assert_eq!(
        (reasons([&plan]).contains(&"TargetGroupVerified".to_owned()), weight(&plan)),
        (false, Some(20))
    );
    assert_eq!(stored(&scene).current_step_index, Some(1));
}

#[test]
fn each_doubt_has_the_event_that_tools_know() {
    for (cause, reason) in [
        (Cause::NotFound, "LoadBalancerNotFound"),
        (Cause::NoAnswer, "TargetGroupVerifyError"),
        (Cause::Differs, "TargetGroupUnverified"),
    ] {
        let plan = doubted(asked(), cause, "something").plan();
        assert_eq!(told(&plan, reason).as_deref(), Some("Waiting for something"), "{cause:?}");
    }
}

#[test]
fn an_aws_that_does_not_answer_neither_verifies_nor_aborts() {
    for (cause, aborts) in [(Cause::NoAnswer, false), (Cause::Differs, true)] {
        let (scene, _) = kept(doubted(asked(), cause, "AWS"));
        let (scene, _) = kept(scene.wait(1));
        let (scene, _) = kept(scene.wait(3600));
        let (scene, plan) = kept(scene.wait(1));
        assert_eq!(stored(&scene).current_step_index, Some(0), "{cause:?}");
        assert_eq!(plan.status.abort, aborts, "the deadline is for work of others that is late, {cause:?}");
    }
}

#[test]
fn an_abort_does_not_wait_for_aws() {
    for cause in [Cause::NotFound, Cause::NoAnswer, Cause::Differs] {
        let (scene, _) = kept(doubted(asked(), cause, "AWS"));
        let plan = scene.abort().plan();
        assert_eq!(weight(&plan), Some(0), "{cause:?}");
    }
}

#[test]
fn the_status_forgets_load_balancers_when_aws_is_asked_no_more() {
    let (scene, _) = kept(confirmed(asked()));
    let (scene, _) = kept(scene.edit(|world| world.load_balancers = Some(LoadBalancers::default())));
    assert!(stored(&scene).albs.is_some(), "an answer on its way changes nothing");
    let (scene, _) = kept(scene.edit(|world| world.load_balancers = None));
    assert_eq!((stored(&scene).alb, stored(&scene).albs), (None, None));
}
