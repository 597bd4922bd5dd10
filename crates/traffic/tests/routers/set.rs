//! Which routers a Rollout has, what is refused by name, and what is taken off objects that it names no more.

use serde_json::{Value, json};
use serin_api::Rollout;
use serin_core::seen::{ObjectKey, Seen};
use serin_core::split::Effective;
use serin_core::world::RouterReport;
use serin_core::write::Write;
use serin_traffic::{ApiVersions, Objects, backends, report, routers, service};

use crate::case::{apply, key};

fn rollout(canary: Value) -> Rollout {
    let mut strategy = json!({"canaryService": "web-canary", "stableService": "web-stable"});
    strategy.as_object_mut().unwrap().extend(canary.as_object().unwrap().clone());
    serde_json::from_value(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"strategy": {"canary": strategy}},
    }))
    .unwrap()
}

fn names(canary: Value) -> Vec<String> {
    let routers = routers(&rollout(canary), &ApiVersions::default()).unwrap();
    routers.iter().map(|router| router.name()).collect()
}

#[test]
fn a_rollout_has_one_router_for_each_kind_it_names_in_a_fixed_order() {
    assert_eq!(names(json!({})), Vec::<String>::new());
    let node = |name: &str| json!({"name": name});
    let generic = json!([{
        "apiVersion": "projectcontour.io/v1", "kind": "HTTPProxy", "name": "web",
        "canaryWeight": "/spec/routes/0/services[name={canaryService}]/weight",
        "stableWeight": "/spec/routes/0/services[name={stableService}]/weight",
    }]);
    let all = json!({"trafficRouting": {
        "plugins": {
            "serin.dev/generic": generic,
            "argoproj-labs/gatewayAPI": {"httpRoute": "web", "grpcRoutes": [{"name": "api"}]},
        },
        "apisix": {"route": {"name": "web"}},
        "traefik": {"weightedTraefikServiceName": "web"},
        "appMesh": {
            "virtualService": {"name": "web"},
            "virtualNodeGroup": {"canaryVirtualNodeRef": node("c"), "stableVirtualNodeRef": node("s")},
        },
        "ambassador": {"mappings": ["a", "b"]},
        "smi": {"trafficSplitName": "split"},
        "alb": {"ingresses": ["a", "b"], "servicePort": 80},
        "nginx": {"stableIngress": "web"},
        "istio": {"virtualServices": [{"name": "a"}, {"name": "b.edge.svc.cluster.local"}]},
    }});
    let expected = [
        "VirtualService shop/a, VirtualService edge/b",
        "Ingress shop/web-web-canary",
        "Ingress shop/a, Ingress shop/b",
        "TrafficSplit shop/split",
        "Mapping shop/a, Mapping shop/b",
        "VirtualService shop/web",
        "TraefikService shop/web",
        "ApisixRoute shop/web",
        "HTTPRoute shop/web, GRPCRoute shop/api",
        "HTTPProxy shop/web",
    ];
    assert_eq!(names(all), expected);
}

#[test]
fn what_no_router_can_do_is_refused_with_the_field_and_a_remedy() {
    const ROUTING: &str = "spec.strategy.canary.trafficRouting";
    let traefik = json!({"weightedTraefikServiceName": "web"});
    let istio = json!({"virtualService": {"name": "web"}});
    let (alb, nginx) = (json!({"ingress": "web", "servicePort": 80}), json!({"stableIngress": "web"}));
    let exact = |name: &str| json!({"headerName": name, "headerValue": {"exact": "yes"}});
    let prefix = |name: &str| json!({"headerName": name, "headerValue": {"prefix": "y"}});
    let header = |name: &str, matches: Value| json!({"setHeaderRoute": {"name": name, "match": matches}});
    let method = json!([{"setMirrorRoute": {"name": "copy", "match": [{"method": {"prefix": "G"}}]}}]);
    let no_match = json!([header("staff", json!([]))]);
    let mirror = json!([{"pause": {}}, {"setMirrorRoute": {"name": "copy"}}]);
    let pair = json!({"pingService": "a", "pongService": "b"});
    let generic = |canary: &str| {
        json!([{
            "apiVersion": "projectcontour.io/v1", "kind": "HTTPProxy", "name": "web",
            "canaryWeight": canary, "stableWeight": "/spec/services[name={stableService}]/weight",
        }])
    };
    let experiment =
        json!([{"experiment": {"templates": [{"name": "a", "specRef": "canary", "weight": 5}]}}]);
    for (canary, path, words) in [
        (json!({"trafficRouting": {"nginx": {}}}), format!("{ROUTING}.nginx"), "Neither are configured"),
        (json!({"trafficRouting": {"istio": {}}}), format!("{ROUTING}.istio"), "must be configured"),
        (
            json!({"trafficRouting": {"istio": istio, "maxTrafficWeight": 1000}}),
            format!("{ROUTING}.maxTrafficWeight"),
            "VirtualService shop/web cannot",
        ),
        (
            json!({"trafficRouting": {"traefik": traefik}, "steps": no_match}),
            "spec.strategy.canary.steps[0].setHeaderRoute".to_owned(),
            "TraefikService shop/web does not route by header",
        ),
        (
            json!({"trafficRouting": {"alb": alb}, "steps": [header("staff", json!([prefix("x-a")]))]}),
            "spec.strategy.canary.steps[0].setHeaderRoute".to_owned(),
            "Ingress shop/web compares headers with exact values only",
        ),
        (
            json!({"trafficRouting": {"nginx": nginx}, "steps": [header("staff", json!([exact("x-a"), exact("x-b")]))]}),
            "spec.strategy.canary.steps[0].setHeaderRoute".to_owned(),
            "Ingress shop/web-web-canary looks at one header",
        ),
        (
            json!({"trafficRouting": {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "web"}}}, "steps": method}),
            "spec.strategy.canary.steps[0].setMirrorRoute".to_owned(),
            "compares the method with an exact value only",
        ),
        (
            json!({"trafficRouting": {"traefik": traefik}, "steps": mirror}),
            "spec.strategy.canary.steps[1].setMirrorRoute".to_owned(),
            "does not mirror requests",
        ),
        (
            json!({"trafficRouting": {"nginx": nginx, "istio": istio, "sessionAffinity": {}}}),
            format!("{ROUTING}.sessionAffinity"),
            "Ingress shop/web-web-canary cannot: leave sessionAffinity out",
        ),
        (
            json!({"trafficRouting": {"plugins": {"argoproj-labs/gatewayAPI": {"grpcRoute": "web"}}, "sessionAffinity": {}}}),
            format!("{ROUTING}.sessionAffinity"),
            "GRPCRoute shop/web cannot",
        ),
        (
            json!({"trafficRouting": {"nginx": nginx}, "pingPong": pair}),
            "spec.strategy.canary.pingPong".to_owned(),
            "Ingress shop/web-web-canary cannot",
        ),
        (
            json!({"trafficRouting": {"smi": {}, "traefik": traefik}, "pingPong": pair}),
            "spec.strategy.canary.pingPong".to_owned(),
            "TrafficSplit shop/web cannot",
        ),
        (
            json!({"trafficRouting": {"plugins": {"serin.dev/generic": generic("/spec/services/0/weight")}}, "pingPong": pair}),
            "spec.strategy.canary.pingPong".to_owned(),
            "HTTPProxy shop/web cannot",
        ),
        (
            json!({"trafficRouting": {"istio": istio, "nginx": nginx}, "steps": experiment}),
            "spec.strategy.canary.steps[0].experiment.templates".to_owned(),
            "5: Ingress shop/web-web-canary cannot send traffic to experiments",
        ),
    ] {
        let problems = routers(&rollout(canary), &ApiVersions::default()).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].path(), path);
        assert!(problems[0].to_string().contains(words), "{}", problems[0]);
    }
}

#[test]
fn nginx_has_one_header_route_at_most_and_others_are_not_held_back_by_it() {
    let step = |name: &str| {
        let value = json!({"headerName": "x-a", "headerValue": {"exact": "yes"}});
        json!({"setHeaderRoute": {"name": name, "match": [value]}})
    };
    let nginx = json!({"stableIngress": "web"});
    let two = json!([step("a"), step("b")]);
    let alone = json!({"trafficRouting": {"nginx": nginx}, "steps": two});
    let problems = routers(&rollout(alone), &ApiVersions::default()).unwrap_err();
    assert_eq!(problems.len(), 2);
    assert!(problems[0].to_string().contains("can have one header route"), "{}", problems[0]);
    let beside = json!({"trafficRouting": {"nginx": nginx, "istio": {"virtualService": {"name": "web"}}}, "steps": two});
    assert_eq!(names(beside).len(), 2);
    let off = json!({"setHeaderRoute": {"name": "a"}});
    let same = json!({"trafficRouting": {"nginx": nginx}, "steps": [step("a"), off, step("a")]});
    assert_eq!(names(same).len(), 1);
}

#[test]
fn one_router_that_can_is_enough_for_headers() {
    let both = json!({
        "trafficRouting": {
            "istio": {"virtualService": {"name": "web"}},
            "traefik": {"weightedTraefikServiceName": "web"},
            "managedRoutes": [{"name": "staff"}],
        },
        "steps": [{"setHeaderRoute": {"name": "staff"}}, {"setMirrorRoute": {"name": "staff"}}],
    });
    assert_eq!(names(both.clone()).len(), 2);
    assert_eq!(
        backends(&rollout(both), "v2", "v1").unwrap().managed_routes,
        ["serin-session-canary", "staff", "serin-session-stable"]
    );
}

#[test]
fn a_report_says_what_is_unknown_and_why_nothing_can_be_done() {
    let rollout = rollout(json!({"trafficRouting": {"istio": {"virtualService": {"name": "web"}}}}));
    let routers =
        routers(&rollout, &ApiVersions { istio: "v1beta1".to_owned(), ..ApiVersions::default() }).unwrap();
    let key = ObjectKey::new("networking.istio.io", "v1beta1", "VirtualService", "shop", "web");
    assert_eq!(routers[0].needs(), std::slice::from_ref(&key));
    let said =
        |seen: &Objects| report(routers[0].as_ref(), &backends(&rollout, "v2", "v1").unwrap(), &[], seen);
    let RouterReport { name, effective, refusal, propagation_seconds, confirms, managed } =
        said(&Objects::new());
    assert_eq!((name.as_str(), refusal, managed.len()), ("VirtualService shop/web", None, 1));
    assert_eq!(effective, Effective::Unknown("VirtualService shop/web has not been read yet".to_owned()));
    assert!(!confirms && propagation_seconds > 0);
    let absent = said(&Objects::from([(key, Seen::Absent)]));
    assert!(absent.refusal.unwrap().told.contains("VirtualService \"web\" not found in namespace \"shop\""));
}

#[test]
fn a_report_names_the_managed_routes_that_the_router_adds_and_that_it_shows() {
    let header = |name: &str, kind: &str| json!({"setHeaderRoute": {"name": name, "match": [{"headerName": "x", "headerValue": {kind: "y"}}]}});
    let steps = json!([
        header("staff", "exact"), header("guest", "exact"), header("guest", "prefix"),
        {"setMirrorRoute": {"name": "copy", "match": [{}]}}, {"setHeaderRoute": {"name": "staff"}},
    ]);
    let managed = json!([{"name": "staff"}, {"name": "guest"}, {"name": "copy"}]);
    let routing = json!({"istio": {"virtualService": {"name": "web", "routes": ["a", "b"]}}, "alb": {"ingress": "web"}, "managedRoutes": managed});
    let rollout = rollout(json!({"trafficRouting": routing, "steps": steps}));
    let steps = rollout.spec.strategy.as_ref().unwrap().canary.as_ref().unwrap().steps.as_deref().unwrap();
    let routers = routers(&rollout, &ApiVersions::default()).unwrap();
    let backends = backends(&rollout, "v2", "v1").unwrap();
    let said = |index: usize, seen: &Objects| report(routers[index].as_ref(), &backends, steps, seen);
    assert_eq!(
        said(0, &Objects::new()).managed,
        ["copy", "guest", "staff", "serin-session-canary"],
        "Istio can all"
    );
    assert_eq!(said(1, &Objects::new()).managed, ["staff"], "ALB knows exact values, and no mirrors");

    let to = |name: &str, hosts: Value| json!({"name": name, "route": hosts});
    let both = json!([{"destination": {"host": "web-stable"}, "weight": 100}, {"destination": {"host": "web-canary"}, "weight": 0}]);
    let canary = json!([{"destination": {"host": "web-canary"}, "weight": 100}]);
    let http = [to("staff", canary.clone()), to("staff-1", canary), to("a", both.clone()), to("b", both)];
    let service = json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": {"http": http}});
    let key = ObjectKey::new("networking.istio.io", "v1", "VirtualService", "shop", "web");
    let Effective::Applied(split) = said(0, &Objects::from([(key, Seen::Fresh(service))])).effective else {
        panic!("it is read")
    };
    assert_eq!(split.routes().collect::<Vec<_>>(), ["staff"], "both copies are the one route of the step");
}

/// Applies a release and gives the object after it, without its version.
fn released(object: &Value, write: Option<Write>) -> Value {
    let write = write.expect("something to take off");
    let mut seen = Objects::from([(key(object), Seen::Fresh(object.clone()))]);
    apply(&mut seen, &write).unwrap();
    let mut after = seen[&key(object)].fresh().unwrap().clone();
    after["metadata"].as_object_mut().unwrap().retain(|field, _| field == "name" || field == "annotations");
    after
}

#[test]
fn a_service_that_is_named_no_more_selects_all_pods_again() {
    let annotations = json!({"argo-rollouts.argoproj.io/managed-by-rollouts": "web", "a": "b"});
    let metadata = |annotations: &Value| json!({"name": "web", "annotations": annotations});
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": metadata(&annotations),
        "spec": {"selector": {"app": "web", "rollouts-pod-template-hash": "v1"}},
    });
    let after = released(&service, service::release(&key(&service), "web", &service));
    assert_eq!(
        (&after["spec"], &after["metadata"]),
        (&json!({"selector": {"app": "web"}}), &metadata(&json!({"a": "b"})))
    );
    assert_eq!(service::release(&key(&service), "other", &service), None);
    assert_eq!(service::release(&key(&after), "web", &after), None);
}

#[test]
fn a_service_is_observed_with_its_hash_and_its_manager() {
    let object = json!({
        "metadata": {"annotations": {"argo-rollouts.argoproj.io/managed-by-rollouts": "web"}},
        "spec": {"selector": {"app": "web", "rollouts-pod-template-hash": "v1"}},
    });
    let Seen::Stale(observed) = service::observe(&Seen::Stale(object)) else { panic!("staleness is kept") };
    assert_eq!((observed.hash.as_deref(), observed.managed_by.as_deref()), (Some("v1"), Some("web")));
    assert_eq!(observed.selector.len(), 2);
    assert_eq!(service::observe(&Seen::Absent), Seen::Absent);
    let needed = service::needs(&rollout(json!({"pingPong": {"pingService": "p", "pongService": "q"}})));
    let needed: Vec<_> = needed.iter().map(ToString::to_string).collect();
    assert_eq!(
        needed,
        ["Service shop/p", "Service shop/q", "Service shop/web-canary", "Service shop/web-stable"]
    );
}
