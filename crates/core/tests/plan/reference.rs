//! What a spec names and is not there, or cannot be used: said as clients of Argo Rollouts know it, told with the remedy.

use serde_json::{Value, json};
use serin_core::seen::Seen;
use serin_core::world::{RouterRefusal, Service, Template};
use serin_testkit::scene::{CANARY_SERVICE, STABLE_SERVICE, Scene, base, fresh};

use crate::{created, phase, told, waits_for};

fn with_router() -> Scene {
    base().routed().steps(json!([{"setWeight": 25}, {"pause": {}}])).update("v2").rest()
}

fn invalid(text: &str) -> String {
    format!("The Rollout \"shop\" is invalid: {text}")
}

#[test]
fn what_is_missing_is_said_as_clients_know_it_and_told_with_the_remedy() {
    let analysis = |cluster: bool| {
        let template = json!({"templateName": "errors", "clusterScope": cluster});
        base().canary(json!({"analysis": {"templates": [template]}}))
    };
    let step = json!({"steps": [{"pause": {}}, {"analysis": {"templates": [{"templateName": "errors"}]}}]});
    let without = |service: &str| with_router().edit(|world| drop(world.services.remove(service)));
    let absent =
        with_router().edit(|world| drop(world.services.insert(CANARY_SERVICE.to_owned(), Seen::Absent)));
    let edited = |edit: fn(&mut Service)| {
        with_router().edit(|world| {
            if let Some(Seen::Fresh(service)) = world.services.get_mut(CANARY_SERVICE) {
                edit(service);
            }
        })
    };
    let others = edited(|service| service.managed_by = Some("cart".to_owned()));
    let other_pods = edited(|service| drop(service.selector.insert("tier".to_owned(), "web".to_owned())));
    let refused = Some(RouterRefusal {
        said: "HTTPRoute default/shop not found".to_owned(),
        told: "HTTPRoute default/shop not found; create it".to_owned(),
        missing: true,
    });
    let no_route = with_router().edit(|world| world.routers[0].refusal = refused);
    let at = |path: &str, name: &str, text: &str| {
        format!("spec.strategy.canary.{path}: Invalid value: \"{name}\": {text}")
    };
    let canary = |text: &str| at("canaryService", "shop-canary", text);
    let gone = "service \"shop-canary\" not found";
    let stable = at("stableService", "shop-stable", "service \"shop-stable\" not found");
    let template = "AnalysisTemplate 'errors' not found";
    let create = "; create it, the rollout goes on by itself";
    for (name, scene, expected, remedy) in [
        ("the canary Service is not known", without(CANARY_SERVICE), canary(gone), create),
        ("the canary Service does not exist", absent, canary(gone), create),
        ("the stable Service", without(STABLE_SERVICE), stable, create),
        ("a template", analysis(false), at("analysis.templates", "errors", template), create),
        (
            "a cluster template",
            analysis(true),
            at("analysis.templates", "errors", &format!("Cluster{template}")),
            create,
        ),
        (
            "a template of a step",
            base().canary(step),
            at("steps[1].analysis.templates", "errors", template),
            create,
        ),
        ("a route", no_route, "HTTPRoute default/shop not found".to_owned(), "; create it"),
        (
            "a Service of another Rollout",
            others,
            canary("Service \"shop-canary\" is managed by another Rollout"),
            "; that is \"cart\": give each Rollout Services of its own",
        ),
        (
            "a Service of other pods",
            other_pods,
            canary("Service \"shop-canary\" has unmatch label \"tier\" in rollout"),
            "; make its selector match spec.template.metadata.labels, or metadata of its role",
        ),
    ] {
        let plan = scene.plan();
        assert_eq!(phase(&plan.status), format!("Degraded|InvalidSpec: {}", invalid(&expected)), "{name}");
        let with_remedy = format!("{expected}{remedy}");
        assert_eq!(told(&plan, "InvalidSpec"), Some(invalid(&with_remedy)), "{name}");
        assert!(waits_for(&plan, &with_remedy), "{name}: {:?}", plan.status.gates);
        assert!(plan.split.is_none() && plan.services.is_empty(), "{name}: traffic stays");
        assert!(created(&plan, "ReplicaSet").is_empty(), "{name}: no revision begins");
    }
}

#[test]
fn clients_are_told_first_of_what_is_not_there_and_then_of_what_is_wrong() {
    let without = |scene: Scene, services: &[&str]| {
        scene.edit(|world| services.iter().for_each(|service| drop(world.services.remove(*service))))
    };
    let strange = |scene: Scene, service: &str| {
        scene.edit(|world| {
            if let Some(Seen::Fresh(service)) = world.services.get_mut(service) {
                service.selector.insert("tier".to_owned(), "web".to_owned());
            }
        })
    };
    let refused = |missing: bool| {
        with_router().edit(|world| {
            let text = |text: &str| text.to_owned();
            world.routers[0].refusal =
                Some(RouterRefusal { said: text("the route"), told: text("the route; mend it"), missing });
        })
    };
    let named = |name: &str| json!({"templates": [{"templateName": name}]});
    let both = base().canary(json!({"analysis": named("beside"), "steps": [{"analysis": named("step")}]}));
    let of_service = |field: &str, name: &str, text: &str| {
        format!("spec.strategy.canary.{field}: Invalid value: \"{name}\": {text}")
    };
    let no_stable = of_service("stableService", STABLE_SERVICE, "service \"shop-stable\" not found");
    let strange_stable = "Service \"shop-stable\" has unmatch label \"tier\" in rollout";
    let strange_stable = of_service("stableService", STABLE_SERVICE, strange_stable);
    for (name, scene, expected) in [
        ("stable before canary", without(with_router(), &[CANARY_SERVICE, STABLE_SERVICE]), no_stable.clone()),
        (
            "a missing Service before a strange one",
            without(strange(with_router(), CANARY_SERVICE), &[STABLE_SERVICE]),
            no_stable,
        ),
        ("a missing route before a strange Service", strange(refused(true), STABLE_SERVICE), "the route".into()),
        ("a strange Service before a strange route", strange(refused(false), STABLE_SERVICE), strange_stable),
        (
            "steps before what is beside them",
            both,
            "spec.strategy.canary.steps[0].analysis.templates: Invalid value: \"step\": AnalysisTemplate 'step' not found"
                .to_owned(),
        ),
    ] {
        let plan = scene.plan();
        assert_eq!(phase(&plan.status), format!("Degraded|InvalidSpec: {}", invalid(&expected)), "{name}");
    }
}

#[test]
fn a_service_may_choose_its_pods_by_what_they_carry_for_their_role() {
    let roles = |canary: &str, stable: &str| {
        with_router().edit(|world| {
            let strategy =
                world.rollout.spec.strategy.as_mut().and_then(|strategy| strategy.canary.as_mut()).unwrap();
            let labels = |role: &str| serde_json::from_value(json!({"labels": {"role": role}})).unwrap();
            (strategy.canary_metadata, strategy.stable_metadata) = (labels("canary"), labels("stable"));
            for (name, role) in [(CANARY_SERVICE, canary), (STABLE_SERVICE, stable)] {
                if let Some(Seen::Fresh(service)) = world.services.get_mut(name) {
                    service.selector.insert("role".to_owned(), role.to_owned());
                }
            }
        })
    };
    let unmatched = |field: &str, name: &str| {
        let text = format!("Service \"{name}\" has unmatch label \"role\" in rollout");
        Some(format!(
            "InvalidSpec: {}",
            invalid(&format!("spec.strategy.canary.{field}: Invalid value: \"{name}\": {text}"))
        ))
    };
    for (canary, stable, expected) in [
        ("canary", "stable", None),
        ("stable", "stable", unmatched("canaryService", CANARY_SERVICE)),
        ("canary", "canary", unmatched("stableService", STABLE_SERVICE)),
    ] {
        let message = roles(canary, stable).plan().status.message;
        let refused = message.filter(|message| message.starts_with("InvalidSpec"));
        assert_eq!(refused, expected, "{canary}, {stable}");
    }
}

#[test]
fn a_first_revision_does_not_begin_while_something_is_missing() {
    let plan = fresh().canary(json!({"stableService": "nowhere"})).plan();
    assert!(phase(&plan.status).starts_with("Degraded|InvalidSpec: "), "{}", phase(&plan.status));
    assert!(plan.writes.is_empty(), "{:?}", plan.writes);
    let types: Vec<_> = plan.status.conditions.iter().map(|condition| condition.type_.as_str()).collect();
    assert_eq!(types, ["InvalidSpec"], "nothing else is known of it");
}

#[test]
fn analyses_that_could_not_run_or_never_end_are_refused_before_they_are_needed() {
    let template = |name: &str, spec: Value| Template {
        name: name.to_owned(),
        cluster_scope: false,
        spec: Seen::Fresh(serde_json::from_value(spec).unwrap()),
    };
    let scene = base().edit(|world| {
        let endless = json!({"name": "m", "interval": "1s"});
        world.templates = vec![
            template("ok", json!({"metrics": [{"name": "m"}]})),
            template("same", json!({"metrics": [{"name": "m"}]})),
            template("endless", json!({"metrics": [endless]})),
            template("zero", json!({"metrics": [{"name": "m", "interval": "1s", "count": 0}]})),
            template("counted", json!({"metrics": [{"name": "m", "interval": "1s", "count": 2}]})),
            template("compared", json!({"metrics": [{"name": "m", "interval": "1s", "comparison": {}}]})),
            template("asks", json!({"metrics": [{"name": "m"}], "args": [{"name": "need"}]})),
            template("many", json!({"metrics": [{"name": "m", "interval": "1s", "count": "many"}]})),
            template("given", json!({"metrics": [{"name": "m", "interval": "1s", "count": "{{args.n}}"}]})),
            template(
                "outer",
                json!({"metrics": [{"name": "o"}], "templates": [{"templateName": "endless"}]}),
            ),
            template("nests", json!({"metrics": [{"name": "n"}], "templates": [{"templateName": "none"}]})),
        ];
    });
    let analysis = |names: &[&str], args: Value| {
        let names: Vec<_> = names.iter().map(|name| json!({"templateName": name})).collect();
        json!({"templates": names, "args": args})
    };
    let step = |names: &[&str], args: Value| json!({"steps": [{"analysis": analysis(names, args)}]});
    let at = "spec.strategy.canary.steps[0].analysis.templates: Invalid value:";
    let hash = json!([{"name": "need", "valueFrom": {"podTemplateHashValue": "Latest"}}]);
    let endless = |name: &str, count: &str| {
        Some(format!(
            "{at} \"{name}\": AnalysisTemplate {name} has metric m which runs indefinitely. Invalid value for count: {count}"
        ))
    };
    let background = |name: &str| json!({"analysis": analysis(&[name], json!([]))});
    for (name, fields, expected) in [
        ("a run that ends", step(&["counted"], json!([])), None),
        ("one that its evidence ends", step(&["compared"], json!([])), None),
        ("one that never ends", step(&["endless"], json!([])), endless("endless", "<nil>")),
        ("a count of none", step(&["zero"], json!([])), endless("zero", "0")),
        ("a count that is none", step(&["many"], json!([])), endless("many", "many")),
        ("a count that is given", step(&["given"], json!([])), None),
        ("one within another", step(&["outer"], json!([])), endless("endless", "<nil>")),
        (
            "what does not fit together before what never ends",
            step(&["endless", "ok"], json!([])),
            Some(format!("{at} \"templateNames: [endless ok]\": two metrics have the same name 'm'")),
        ),
        ("in the background it may", background("endless"), None),
        (
            "an argument without a value",
            step(&["asks"], json!([])),
            Some(format!("{at} \"templateNames: [asks]\": args.need was not resolved")),
        ),
        ("one that the run will know", step(&["asks"], hash), None),
        (
            "two metrics of one name",
            step(&["ok", "same"], json!([])),
            Some(format!("{at} \"templateNames: [ok same]\": two metrics have the same name 'm'")),
        ),
        (
            "a template of a template",
            background("nests"),
            Some("spec.templates: Invalid value: \"none\": AnalysisTemplate 'none' not found".to_owned()),
        ),
    ] {
        let plan = scene.clone().canary(fields).plan();
        let found = plan.status.message.clone().filter(|message| message.starts_with("InvalidSpec"));
        let expected = expected.map(|expected| format!("InvalidSpec: {}", invalid(&expected)));
        assert_eq!(found, expected, "{name}");
    }
}
