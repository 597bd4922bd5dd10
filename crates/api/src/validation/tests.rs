use super::*;
use crate::CanaryStep;

pub(super) fn rollout(change: &str) -> Rollout {
    let base = r#"
metadata: {name: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: shop, image: "shop:1"}]}
  strategy: {canary: {}}
"#;
    let mut base: serde_json::Value = serde_yaml::from_str(base).unwrap();
    let change: serde_json::Value = serde_yaml::from_str(change).unwrap();
    merge(&mut base, change);
    base["apiVersion"] = "argoproj.io/v1alpha1".into();
    base["kind"] = "Rollout".into();
    serde_json::from_value(base).unwrap()
}

fn merge(base: &mut serde_json::Value, change: serde_json::Value) {
    match (base, change) {
        (serde_json::Value::Object(base), serde_json::Value::Object(change)) => {
            for (key, value) in change {
                if value.is_null() {
                    base.remove(&key);
                } else {
                    merge(base.entry(key).or_insert(serde_json::Value::Null), value);
                }
            }
        }
        (base, change) => *base = change,
    }
}

#[test]
fn a_plain_rollout_has_no_problem() {
    assert_eq!(validate(&rollout("{}")), []);
    let reference = "{apiVersion: apps/v1, kind: Deployment, name: shop, scaleDown: onsuccess}";
    assert_eq!(validate(&rollout(&format!("spec: {{template: null, workloadRef: {reference}}}"))), []);
    // As Go writes a template that nobody gave.
    let empty = "{metadata: {creationTimestamp: null, labels: null}, spec: {containers: null}}";
    assert_eq!(validate(&rollout(&format!("spec: {{template: {empty}, workloadRef: {reference}}}"))), []);
}

#[test]
fn fields_of_serins_own_are_refused_where_they_cannot_work() {
    for (change, expected) in [
        (
            "spec: {strategy: {canary: {steps: [{pause: {}, bake: {duration: 5m}}]}}}",
            "spec.strategy.canary.steps[0].bake: Invalid value: {\"duration\":\"5m\"}: only the weight of a setWeight step bakes",
        ),
        (
            "spec: {strategy: {canary: {steps: [{setWeight: 5, bake: {}}]}}}",
            "spec.strategy.canary.steps[0].bake: Invalid value: {}: give duration, requests or both",
        ),
        (
            "spec: {strategy: {canary: {steps: [{setWeight: 5, bake: {duration: soon}}]}}}",
            "spec.strategy.canary.steps[0].bake.duration: Invalid value: \"soon\"",
        ),
        (
            "spec: {strategy: {canary: {steps: [{setWeight: 5, bake: {requests: 100}}]}}}",
            "spec.strategy.canary.steps[0].bake.requests: Invalid value: 100: the comparisons of spec.strategy.canary.analysis count",
        ),
        (
            "spec: {strategy: {canary: {steps: [{setWeight: 5, bake: {requests: 1}}, {setWeight: 9}], analysis: {startingStep: 1, templates: [{templateName: a}]}}}}",
            "counts requests from step 1 on; let it start at this step or earlier",
        ),
        (
            "spec: {strategy: {canary: {postPromotionAnalysis: {duration: 0s}}}}",
            "spec.strategy.canary.postPromotionAnalysis.duration: Invalid value: \"0s\": must be longer than 0; write",
        ),
        (
            "spec: {strategy: {canary: {postPromotionAnalysis: {duration: 5m}}}}",
            "postPromotionAnalysis.templates: Required value: an analysis needs at least one template",
        ),
        (
            "spec: {strategy: {canary: {postPromotionAnalysis: {}}}}",
            "without trafficRouting these would get traffic; make setWeight: 100 and an analysis the last steps",
        ),
        (
            "spec: {strategy: {canary: {dynamicStableScale: true, postPromotionAnalysis: {}}}}",
            "dynamicStableScale gives them to the canary; remove one of the two",
        ),
    ] {
        refused(change, expected);
    }
}

#[test]
fn two_services_that_change_roles_are_refused_where_they_cannot() {
    for (change, expected) in [
        (
            "spec: {strategy: {canary: {trafficRouting: {traefik: {}}, pingPong: {pingService: a}}}}",
            "pingPong.pongService: Invalid value: \"\": Ping service and Pong service must to be set",
        ),
        (
            "spec: {strategy: {canary: {trafficRouting: {traefik: {}}, pingPong: {pingService: a, pongService: a}}}}",
            "pingPong.pingService: Invalid value: \"a\": This rollout uses the same service for the ping and pong",
        ),
        (
            "spec: {strategy: {canary: {pingPong: {pingService: a, pongService: b}}}}",
            "canary.pingPong: Invalid value: \"set\": without trafficRouting",
        ),
        (
            "spec: {strategy: {canary: {stableService: c, trafficRouting: {traefik: {}}, pingPong: {pingService: a, pongService: b}}}}",
            "canary.stableService: Invalid value: \"c\": with pingPong",
        ),
        (
            "spec: {strategy: {canary: {trafficRouting: {alb: {ingress: i, servicePort: 80}}, pingPong: {pingService: a, pongService: b}}}}",
            "alb.rootService: Invalid value: \"\": Root service field is required",
        ),
        (
            "spec: {strategy: {canary: {trafficRouting: {istio: {virtualService: {name: v}, destinationRule: {name: d, canarySubsetName: c, stableSubsetName: s}}}, pingPong: {pingService: a, pongService: b}}}}",
            "istio.destinationRule: Invalid value: \"set\": subsets tell",
        ),
    ] {
        refused(change, expected);
    }
}

/// Some problem of the base with this change contains the text.
fn refused(change: &str, expected: &str) {
    let problems = validate(&rollout(change)).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(problems.iter().any(|problem| problem.contains(expected)), "{change}: {problems:#?}");
}

#[test]
fn each_problem_names_field_value_and_remedy() {
    for (change, expected) in [
        (
            "spec: {selector: null}",
            "spec.selector: Required value: Rollout has missing field '.spec.selector'",
        ),
        ("spec: {strategy: null}", "spec.strategy: Required value: Rollout has missing field"),
        ("spec: {strategy: {canary: null}}", "spec.strategy: Required value: Rollout has missing field"),
        ("spec: {strategy: {blueGreen: {activeService: a}}}", "Multiple Strategies can not be listed"),
        ("spec: {selector: {matchLabels: {app: other}}}", "`selector` does not match template `labels`"),
        ("spec: {template: {spec: {containers: []}}}", "spec.template.spec.containers: Required value"),
        (
            "spec: {template: {spec: {restartPolicy: Never}}}",
            "spec.template.spec.restartPolicy: Invalid value: \"Never\"",
        ),
        ("spec: {replicas: -1}", "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        (
            "spec: {minReadySeconds: 600}",
            "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds",
        ),
        (
            "spec: {strategy: {canary: {maxSurge: 0, maxUnavailable: 0%}}}",
            "MaxSurge and MaxUnavailable both can not be zero",
        ),
        (
            "spec: {strategy: {canary: {maxSurge: many}}}",
            "spec.strategy.canary.maxSurge: Invalid value: \"many\"",
        ),
        (
            "spec: {strategy: {canary: {steps: [{setWeight: 101}]}}}",
            "spec.strategy.canary.steps[0].setWeight: Invalid value: 101: SetWeight needs to be between 0 and 100",
        ),
        (
            "spec: {strategy: {canary: {steps: [{}]}}}",
            "spec.strategy.canary.steps[0]: Invalid value: {}: Step must have one of",
        ),
        (
            "spec: {strategy: {canary: {steps: [{setWeight: 1, pause: {}}]}}}",
            "Step must have one of the following set",
        ),
        (
            "spec: {strategy: {canary: {steps: [{pause: {duration: soon}}]}}}",
            "steps[0].pause.duration: Invalid value: \"soon\": Duration needs to be greater than 0",
        ),
        (
            "spec: {strategy: {canary: {steps: [{pause: {duration: -5}}]}}}",
            "Duration needs to be greater than 0",
        ),
        (
            "spec: {strategy: {canary: {steps: [{setCanaryScale: {weight: 1}}]}}}",
            "SetCanaryScale requires TrafficRouting to be set",
        ),
        (
            "spec: {strategy: {canary: {steps: [{analysis: {}}]}}}",
            "steps[0].analysis.templates: Required value",
        ),
        (
            "spec: {strategy: {canary: {scaleDownDelaySeconds: 5}}}",
            "Canary scaleDownDelaySeconds can only be used with traffic routing",
        ),
        (
            "spec: {strategy: {canary: {trafficRouting: {istio: {virtualService: {name: v}}}}}}",
            "Canary service and Stable service must to be set",
        ),
        (
            "spec: {strategy: {canary: {canaryService: a, stableService: a}}}",
            "two different services are required",
        ),
        (
            "spec: {strategy: {canary: {steps: [{plugin: {config: {}}}]}}}",
            "steps[0].plugin.name: Invalid value: \"\": name the extension that performs the step",
        ),
    ] {
        refused(change, expected);
    }
}

#[test]
fn problems_of_selectors_references_and_rules_name_their_field_too() {
    for (change, expected) in [
        (
            "spec: {selector: {matchExpressions: [{key: app, operator: Is, values: [shop]}]}}",
            "spec.selector.matchExpressions[0]: Invalid value",
        ),
        (
            "spec: {selector: {matchExpressions: [{key: app, operator: In}]}}",
            "invalid label selector; give at least one value",
        ),
        (
            "spec: {strategy: {canary: {canaryService: a, stableService: b, dynamicStableScale: true, scaleDownDelaySeconds: 5, trafficRouting: {nginx: {stableIngress: i}}}}}",
            "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds",
        ),
        (
            "spec: {template: null, workloadRef: {apiVersion: batch/v1, kind: Job, name: shop}}",
            "workload of type batch/Job is not supported",
        ),
        (
            "spec: {template: null, workloadRef: {apiVersion: apps/v1, kind: Deployment}}",
            "spec.workloadRef.name: Required value",
        ),
        (
            "spec: {workloadRef: {apiVersion: apps/v1, kind: Deployment, name: shop}}",
            "spec.template.metadata: Invalid value: {\"labels\":{\"app\":\"shop\"}}: template must be empty for workload",
        ),
        (
            "spec: {template: null, workloadRef: {kind: PodTemplate, name: shop, scaleDown: soon}}",
            "spec.workloadRef.scaleDown: Invalid value: \"soon\": supported values",
        ),
        (
            "spec: {strategy: {canary: {antiAffinity: {}}}}",
            "canary.antiAffinity: Invalid value: {}: AntiAffinity must have exactly one strategy listed",
        ),
        (
            "spec: {strategy: {canary: {antiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: {weight: 101}}}}}",
            "Execution.weight: Invalid value: 101: AntiAffinity weight must be between 1-100",
        ),
    ] {
        refused(change, expected);
    }
}

#[test]
fn each_problem_of_serins_own_fields_names_field_value_and_remedy() {
    for (change, expected) in [
        (
            "spec: {strategy: {canary: {updateType: Rolling}}}",
            "spec.strategy.canary.updateType: Invalid value: \"Rolling\": supported values: \"RollingUpdate\", \"Recreate\"",
        ),
        (
            "spec: {strategy: {canary: {updateType: RollingUpdate, steps: [{setWeight: 10}]}}}",
            "a RollingUpdate update has no steps; remove updateType or the steps",
        ),
        (
            "spec: {strategy: {canary: {updateType: Recreate, trafficRouting: {}}}}",
            "a Recreate update has no traffic to split; remove updateType or trafficRouting",
        ),
        (
            "spec: {strategy: {canary: {updateType: Recreate, maxSurge: 1}}}",
            "Recreate takes all older pods away at once; remove maxSurge",
        ),
        (
            "spec: {strategy: {canary: {postPromotionAnalysis: {duration: 0s}}}}",
            "spec.strategy.canary.postPromotionAnalysis.duration: Invalid value: \"0s\": must be longer than 0; write",
        ),
        (
            "spec: {strategy: {canary: {postPromotionAnalysis: {duration: 5m}}}}",
            "postPromotionAnalysis.templates: Required value: an analysis needs at least one template",
        ),
        (
            "spec: {strategy: {canary: {postPromotionAnalysis: {}}}}",
            "without trafficRouting these would get traffic; make setWeight: 100 and an analysis the last steps",
        ),
        (
            "spec: {strategy: {canary: {dynamicStableScale: true, postPromotionAnalysis: {}}}}",
            "dynamicStableScale gives them to the canary; remove one of the two",
        ),
    ] {
        let problems = validate(&rollout(change));
        let text: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert!(text.iter().any(|problem| problem.contains(expected)), "{change}: {text:?}");
    }
}

#[test]
fn durations_of_pauses_are_seconds_or_text() {
    for (step, expected) in [
        ("{pause: {}}", None),
        ("{pause: {duration: 30}}", Some(Ok(30))),
        ("{pause: {duration: \"30\"}}", Some(Ok(30))),
        ("{pause: {duration: 5m}}", Some(Ok(300))),
        ("{pause: {duration: soon}}", Some(Err("soon".to_owned()))),
    ] {
        let step: CanaryStep = serde_yaml::from_str(step).unwrap();
        assert_eq!(step.pause.unwrap().duration_seconds(), expected);
    }
}

#[test]
fn each_problem_of_a_blue_green_strategy_is_named() {
    let with = |fields: &str| {
        let change = format!("spec: {{strategy: {{canary: null, blueGreen: {{{fields}}}}}}}");
        validate(&rollout(&change)).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let good = "activeService: a, previewService: b, scaleDownDelayRevisionLimit: 10, maxUnavailable: 25%, \
                prePromotionAnalysis: {templates: [{templateName: t}]}";
    assert_eq!(with(good), Vec::<String>::new());
    for (fields, expected) in [
        (
            "activeService: a, previewService: a",
            "activeService: Invalid value: \"a\": This rollout uses the same service",
        ),
        (
            "",
            "activeService: Invalid value: \"\": This rollout uses the same service for the active and preview services",
        ),
        ("previewService: b", "spec.strategy.blueGreen.activeService: Required value"),
        (
            "activeService: a, scaleDownDelayRevisionLimit: 11",
            "scaleDownDelayRevisionLimit: Invalid value: 11: This rollout's revision history limit can not be smaller",
        ),
        ("activeService: a, autoPromotionSeconds: -1", "autoPromotionSeconds: Invalid value: -1"),
        ("activeService: a, maxUnavailable: some", "blueGreen.maxUnavailable: Invalid value: \"some\""),
        (
            "activeService: a, postPromotionAnalysis: {}",
            "blueGreen.postPromotionAnalysis.templates: Required value",
        ),
        (
            "activeService: a, antiAffinity: {}",
            "blueGreen.antiAffinity: Invalid value: {}: AntiAffinity must have exactly",
        ),
    ] {
        let problems = with(fields);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{fields}: {problems:#?}");
    }
}
