//! What counts as verified, row by row.

use serde_json::json;
use serin_core::split::{Effective, Weight};

use super::*;
use crate::capability::Capabilities;
use crate::router::Router;
use crate::routers::backends;

const HOST: &str = "k8s-shop-web-424835706.eu-west-1.elb.amazonaws.com";

fn rollout() -> Rollout {
    serde_json::from_value(json!({
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"strategy": {"canary": {
            "canaryService": "web-canary", "stableService": "web-stable",
            "trafficRouting": {"alb": {"ingress": "web", "servicePort": 80}},
        }}},
    }))
    .unwrap()
}

fn versions(verify_load_balancers: bool) -> ApiVersions {
    ApiVersions { verify_load_balancers, ..ApiVersions::default() }
}

/// An Ingress that asks for 20 of 100.
fn ingress(hosts: Value) -> Value {
    let action = action::forward(&[("web-canary", 20), ("web-stable", 80)], 80, None);
    json!({
        "metadata": {"name": "web", "namespace": "shop", "annotations": {
            "alb.ingress.kubernetes.io/actions.web-stable": action,
        }},
        "spec": {"rules": [{"http": {"paths": [{"path": "/*", "backend": {
            "service": {"name": "web-stable", "port": {"name": "use-annotation"}},
        }}]}}]},
        "status": {"loadBalancer": {"ingress": hosts}},
    })
}

fn told(forwards: Value) -> Value {
    let group = |name: &str| json!({"name": name, "fullName": format!("targetgroup/{name}/1"), "arn": format!("arn:{name}")});
    json!({
        "loadBalancer": {"name": "k8s-shop-web", "fullName": "app/k8s-shop-web/1", "arn": "arn:lb"},
        "targetGroups": {"shop/web-web-canary:80": group("tg-canary"), "shop/web-web-stable:80": group("tg-stable")},
        "forwards": forwards,
    })
}

fn weights(canary: u32, stable: u32) -> Value {
    json!({"shop/web-web-canary:80": canary, "shop/web-web-stable:80": stable})
}

fn seen(balancer: Option<Seen<Value>>) -> Objects {
    let mut seen = Objects::new();
    let key = ObjectKey::new("networking.k8s.io", "v1", "Ingress", "shop", "web");
    seen.insert(key, Seen::Fresh(ingress(json!([{"hostname": HOST}]))));
    seen.extend(balancer.map(|balancer| (elb::key(HOST), balancer)));
    seen
}

/// What the router says is in force, and what is told of its load balancers.
fn outcome(seen: &Objects) -> (Effective, LoadBalancers) {
    let (rollout, versions) = (rollout(), versions(true));
    let backends = backends(&rollout, "c", "s").unwrap();
    let alb = asked(&rollout, &versions).unwrap();
    (alb.effective(&backends, seen), load_balancers(&rollout, &versions, &backends, seen).unwrap())
}

#[test]
fn a_split_is_applied_only_when_every_rule_of_the_load_balancer_has_it() {
    let (plain, header) = (json!({"shop/web-web-stable:80": 1}), json!({"shop/web-web-canary:80": 100}));
    let asks = "load balancer k8s-shop-web of Ingress shop/web: ";
    for (case, forwards, doubt) in [
        ("both listeners", json!([header, weights(20, 80), plain, weights(20, 80)]), None),
        (
            "the weight before",
            json!([weights(10, 90)]),
            Some("target group tg-canary (Service web-canary) to have weight 20; it has 10"),
        ),
        (
            "stable has another weight",
            json!([weights(20, 100)]),
            Some("target group tg-stable (Service web-stable) to have weight 80; it has 100"),
        ),
        (
            "one listener lags",
            json!([weights(20, 80), weights(0, 100)]),
            Some("target group tg-canary (Service web-canary) to have weight 20; it has 0"),
        ),
        (
            "somebody else has a share",
            json!([{"shop/web-web-canary:80": 20, "shop/web-web-stable:80": 80, "arn:other": 5}]),
            Some("the target group of arn:other to have no weight; it has 5"),
        ),
        (
            "no rule has both",
            json!([header, plain]),
            Some("a rule that forwards to Service web-canary with 20 and Service web-stable with 80"),
        ),
    ] {
        let (effective, told) = outcome(&seen(Some(Seen::Fresh(told(forwards)))));
        let applied = matches!(&effective, Effective::Applied(split) if split.canary == Weight(20));
        assert_eq!(applied, doubt.is_none(), "{case}: {effective:?}");
        assert!(
            applied || matches!(&effective, Effective::Pending(split) if split.canary == Weight(20)),
            "{case}"
        );
        let expected = doubt.map(|text| Doubt { cause: Cause::Differs, waits_for: format!("{asks}{text}") });
        assert_eq!(told.doubt, expected, "{case}");
        assert_eq!(told.shown.len(), usize::from(applied), "{case}");
    }
}

#[test]
fn the_status_names_load_balancer_and_target_groups() {
    let (_, told) = outcome(&seen(Some(Seen::Fresh(told(json!([weights(20, 80)]))))));
    let shown = serde_json::to_value(&told.shown[0]).unwrap();
    assert_eq!(shown["ingress"], "web");
    assert_eq!(shown["loadBalancer"]["fullName"], "app/k8s-shop-web/1");
    assert_eq!(shown["canaryTargetGroup"]["name"], "tg-canary");
    assert_eq!(shown["stableTargetGroup"]["arn"], "arn:tg-stable");
}

#[test]
fn an_aws_that_says_nothing_never_verifies_and_leaves_the_weight_known() {
    let missing = json!({"loadBalancer": null, "targetGroups": {}, "forwards": []});
    for (case, balancer, cause, text) in [
        (
            "down",
            Seen::Failed("no answer within 10 s".to_owned()),
            Some(Cause::NoAnswer),
            "no answer within 10 s",
        ),
        ("gone", Seen::Fresh(missing), Some(Cause::NotFound), HOST),
        ("of another shape", Seen::Fresh(json!(1)), Some(Cause::NotFound), HOST),
        ("asked before the last change", Seen::Stale(told(json!([weights(20, 80)]))), None, ""),
    ] {
        let (effective, told) = outcome(&seen(Some(balancer)));
        assert!(
            matches!(&effective, Effective::Pending(split) if split.canary == Weight(20)),
            "{case}: {effective:?}"
        );
        assert_eq!(told.doubt.as_ref().map(|doubt| doubt.cause), cause, "{case}");
        assert!(told.doubt.is_none_or(|doubt| doubt.waits_for.contains(text)), "{case}");
    }
    let (effective, told) = outcome(&seen(None));
    assert!(matches!(effective, Effective::Unknown(_)), "not asked yet: {effective:?}");
    assert_eq!(told.doubt, None);
    let mut bare = seen(None);
    bare.values_mut().for_each(|object| *object = Seen::Fresh(ingress(json!([]))));
    let (effective, told) = outcome(&bare);
    assert!(matches!(effective, Effective::Pending(_)));
    assert_eq!(told.doubt.map(|doubt| doubt.cause), Some(Cause::NotFound), "no load balancer yet");
}

#[test]
fn nobody_is_asked_with_the_flag_off() {
    let (rollout, off) = (rollout(), versions(false));
    let backends = backends(&rollout, "c", "s").unwrap();
    assert!(load_balancer_hosts(&rollout, &off, &seen(None)).is_empty());
    assert_eq!(load_balancers(&rollout, &off, &backends, &seen(None)), None);
    let key = ObjectKey::new("networking.k8s.io", "v1", "Ingress", "shop", "web");
    assert_eq!(load_balancer_hosts(&rollout, &versions(true), &seen(None)), [(key, HOST.to_owned())]);
    let router = |on| crate::routers(&rollout, &versions(on)).unwrap().remove(0);
    let can = |on: bool| {
        let Capabilities { confirms, propagation_seconds, .. } = router(on).capabilities();
        (confirms, propagation_seconds)
    };
    assert_eq!((can(false), can(true)), ((false, 20), (true, 15)));
    assert!(matches!(router(false).effective(&backends, &seen(None)), Effective::Applied(_)));
}
