//! `lint` refuses what the controller refuses, and takes what it takes: by the rows that the controller is tested by.

use serde_json::{Value, json};

use super::{Severity, Templates, check, check_together};

/// A name, a change of the spec, what the controller says of it.
fn rows() -> Vec<(String, Value, String)> {
    let one = include_str!("../../../api/tests/invalid_spec.json");
    let two = include_str!("../../../api/tests/first_of_two.json");
    [one, two].into_iter().flat_map(|file| serde_json::from_str::<Vec<_>>(file).unwrap()).collect()
}

/// A merge patch (RFC 7386).
fn merge(base: &mut Value, change: &Value) {
    let Some(fields) = change.as_object() else {
        *base = change.clone();
        return;
    };
    if !base.is_object() {
        *base = json!({});
    }
    for (key, value) in fields {
        if value.is_null() {
            base.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut base[key], value);
        }
    }
}

fn rollout(change: &Value) -> Value {
    let mut rollout = json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "shop"},
        "spec": {
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"labels": {"app": "shop"}},
                "spec": {"containers": [{"name": "shop", "image": "shop:1"}]},
            },
            "strategy": {"canary": {}},
        },
    });
    merge(&mut rollout["spec"], change);
    rollout
}

fn problems(object: &Value, beside: &[Value]) -> Vec<String> {
    let found = check(object).unwrap().into_iter().chain(check_together(object, &Templates::of(beside)));
    found.filter(|finding| finding.severity == Severity::Problem).map(|finding| finding.message).collect()
}

#[test]
fn what_the_controller_refuses_is_never_ok() {
    for (name, change, said) in rows() {
        assert!(!problems(&rollout(&change), &[]).is_empty(), "{name}: {said}");
    }
}

#[test]
fn what_the_controller_takes_is_never_refused() {
    let services = json!({"canaryService": "c", "stableService": "s"});
    let with = |routing: Value, more: Value| {
        let mut canary = services.clone();
        merge(&mut canary, &json!({"trafficRouting": routing}));
        merge(&mut canary, &more);
        json!({"strategy": {"canary": canary}})
    };
    let header = json!({"name": "h", "match": [{"headerName": "a", "headerValue": {"prefix": "b"}}]});
    for (name, change) in [
        ("nothing but a canary", json!({})),
        ("no router", json!({"strategy": {"canary": {"trafficRouting": {}}}})),
        ("no name of a Service", json!({"strategy": {"canary": {"canaryService": "", "stableService": ""}}})),
        (
            "an extension without Services",
            json!({"strategy": {"canary": {"trafficRouting": {"plugins": {"a/b": {}}}}}}),
        ),
        (
            "another total with Nginx",
            with(
                json!({"nginx": {"stableIngress": "i"}, "maxTrafficWeight": 1000}),
                json!({"steps": [{"setWeight": 900}]}),
            ),
        ),
        (
            "a header route by prefix with Istio",
            with(
                json!({"istio": {"virtualService": {"name": "v"}}, "managedRoutes": [{"name": "h"}]}),
                json!({"steps": [{"setHeaderRoute": header}]}),
            ),
        ),
        ("blue-green", json!({"strategy": {"canary": null, "blueGreen": {"activeService": "a"}}})),
    ] {
        assert_eq!(problems(&rollout(&change), &[]), [""; 0], "{name}");
    }
}

#[test]
fn routers_that_cannot_be_made_of_the_spec_are_refused() {
    for (routing, expected) in [
        (json!({"istio": {}}), "either VirtualService or VirtualServices must be configured"),
        (
            json!({"nginx": {}}),
            "Either StableIngress or StableIngresses must be configured. Neither are configured.",
        ),
        (json!({"alb": {"servicePort": 80}}), "Either Ingress or Ingresses must be configured."),
        (json!({"ambassador": {}}), "name at least one Mapping"),
    ] {
        let change = json!({"strategy": {"canary": {"canaryService": "c", "stableService": "s", "trafficRouting": routing}}});
        let found = problems(&rollout(&change), &[]);
        assert!(found.len() == 1 && found[0].contains(expected), "{found:?}");
    }
}

#[test]
fn each_step_is_checked_with_the_template_that_several_name() {
    let template = |name: &str, metric: Value| {
        json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": name},
            "spec": {"args": [{"name": "service"}], "metrics": [metric]}})
    };
    let provider = json!({"prometheus": {"query": "up"}});
    let beside = [
        template("ends", json!({"name": "m", "provider": provider})),
        template("endless", json!({"name": "m", "interval": "1m", "provider": provider})),
    ];
    let analysis =
        |name: &str, args: Value| json!({"analysis": {"templates": [{"templateName": name}], "args": args}});
    let given = json!([{"name": "service", "value": "shop"}]);
    let steps = json!([
        {"setWeight": 5},
        analysis("ends", given.clone()),
        analysis("endless", given.clone()),
        analysis("ends", json!([])),
    ]);
    let found = problems(&rollout(&json!({"strategy": {"canary": {"steps": steps}}})), &beside);
    let starts = [
        "spec.strategy.canary.steps[2].analysis.templates: Invalid value: \"endless\": AnalysisTemplate endless has metric m which runs indefinitely",
        "spec.strategy.canary.steps[3].analysis.templates: Invalid value: \"templateNames: [ends]\": args.service was not resolved",
    ];
    assert_eq!(found.len(), starts.len(), "{found:?}");
    assert!(found.iter().zip(starts).all(|(found, start)| found.starts_with(start)), "{found:?}");
}

#[test]
fn every_template_of_an_experiment_is_checked() {
    let template = |name: &str, label: &str| {
        json!({"name": name, "selector": {"matchLabels": {"app": "shop"}}, "template": {
            "metadata": {"labels": {"app": label}}, "spec": {"containers": [{"name": "a", "image": "shop:1"}]}}})
    };
    let experiment = |templates: Value| json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment", "metadata": {"name": "e"}, "spec": {"templates": templates}});
    assert_eq!(problems(&experiment(json!([template("a", "shop"), template("b", "shop")])), &[]), [""; 0]);
    let found = problems(
        &experiment(json!([template("a", "shop"), template("b", "other"), template("a", "shop")])),
        &[],
    );
    let starts = [
        "spec.templates[1].template.metadata.labels: Invalid value: {\"app\":\"other\"}: `selector` does not match",
        "spec.templates[2].name: Invalid value: \"a\": Experiment e has repeated template name 'a'",
    ];
    assert_eq!(found.len(), starts.len(), "{found:?}");
    assert!(found.iter().zip(starts).all(|(found, start)| found.starts_with(start)), "{found:?}");
}
