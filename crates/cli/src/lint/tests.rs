use super::*;

fn findings(manifest: &str) -> Vec<String> {
    let documents = documents(manifest).unwrap();
    let told = |finding: &Finding| match finding.severity {
        Severity::Problem => format!("problem: {}", finding.message),
        Severity::Warning => format!("warning: {}", finding.message),
    };
    documents
        .iter()
        .filter_map(|document| check(&document.object))
        .flatten()
        .map(|finding| told(&finding))
        .collect()
}

const GOOD: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: shop}
spec:
  replicas: 4
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
      - name: shop
        image: shop:v1
        resources: {requests: {cpu: 50m}}
  strategy:
    canary:
      maxSurge: 25%
      steps:
      - setWeight: 20
      - pause: {duration: 30}
      - pause: {}
";

#[test]
fn a_good_manifest_has_no_findings() {
    assert_eq!(findings(GOOD), [""; 0]);
}

#[test]
fn every_finding_names_its_field_and_the_remedy() {
    for (from, to, expected) in [
        (
            "replicas: 4",
            "replicas: four",
            "problem: spec.replicas: Invalid value: \"four\": expected a whole number",
        ),
        (
            "maxSurge: 25%",
            "maxSurge: [1]",
            "problem: spec.strategy.canary.maxSurge: Invalid value: [1]: expected a whole number or text",
        ),
        (
            "duration: 30",
            "duraton: 30",
            "warning: spec.strategy.canary.steps[1].pause.duraton: unknown field, it would be dropped; did you mean duration?",
        ),
        (
            "resources:",
            "resorces:",
            "warning: spec.template.spec.containers[0].resorces: unknown field; Kubernetes ignores it unless it is newer than this command",
        ),
        (
            "setWeight: 20",
            "setWeight: 120",
            "problem: spec.strategy.canary.steps[0].setWeight: Invalid value: 120: SetWeight needs to be between 0 and 100; choose one between these",
        ),
        (
            "v1alpha1",
            "v1alpha2",
            "problem: apiVersion: Invalid value: \"argoproj.io/v1alpha2\": write argoproj.io/v1alpha1",
        ),
        (
            "metadata: {name: shop}",
            "metadata: {}",
            "problem: metadata.name: Required value: give the object a name",
        ),
    ] {
        assert_eq!(findings(&GOOD.replacen(from, to, 1)), [expected], "{to}");
    }
}

#[test]
fn metrics_are_checked_by_the_rules_of_the_controller() {
    let template = |metric: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {{name: errors}}\nspec:\n  args: [{{name: service}}, {{name: limit, value: '0.01'}}, {{name: token, valueFrom: {{secretKeyRef: {{name: prom, key: token}}}}}}]\n  metrics:\n  - {metric}\n"
        )
    };
    let provider = "provider: {prometheus: {query: 'errors{job=\"{{args.service}}\"}'}}";
    let fixed = "provider: {prometheus: {query: errors}}";
    for (metric, expected) in [
        (format!("{{name: a, successCondition: 'result[0] < {{{{args.limit}}}}', {provider}}}"), vec![]),
        (
            "{name: a, interval: 1m, provider: {prometheus: {}}, comparison: {errorRate: {requests: 'r{t=\"{{args.token}}\"}'}}}"
                .to_owned(),
            vec!["problem: spec.metrics[0]: comparison: it takes key 'token' of secret 'prom', and what it selects is shown to people"],
        ),
        (
            format!("{{name: a, successCondition: 'result[0] <', {provider}}}"),
            vec!["problem: spec.metrics[0]: successCondition \"result[0] <\": "],
        ),
        (
            format!("{{name: a, interval: soon, count: 2, {fixed}}}"),
            vec!["problem: spec.metrics[0]: invalid interval string: "],
        ),
        (
            format!("{{name: a, successCondition: 'result < {{{{args.limt}}}}', {fixed}}}"),
            vec!["problem: spec.metrics[0]: failed to resolve {{args.limt}}"],
        ),
        (
            "{name: a, provider: {prometheus: {query: 'sum(rate(x{job=\"{{args.service}}\"}[5m]) by (pod)'}}}".to_owned(),
            vec!["problem: spec.metrics[0]: prometheus.query: no PromQL at column 26 of the query with its arguments, before \"by (pod)\": unclosed"],
        ),
        (
            format!("{{name: a, {fixed}}}\n  - {{name: a, {fixed}}}"),
            vec!["problem: spec.metrics[1]: two metrics have the same name 'a'; rename one of them"],
        ),
    ] {
        let found = findings(&template(&metric));
        let alike = found.iter().zip(&expected).all(|(found, begins)| found.starts_with(begins));
        assert!(alike && found.len() == expected.len(), "{metric}: {found:?}");
    }
}

#[test]
fn every_document_is_checked_and_other_kinds_are_left_out() {
    let other = "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {no: matter}\n";
    let template = "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: errors}\nspec: {metrics: {}}\n";
    let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: argoproj.io/v1alpha1, kind: Experiment, metadata: {name: e}, spec: {tempaltes: []}}\n";
    let manifest = format!("{other}---\n{template}---\n---\n{list}---\nkind: Rollout\n");
    assert_eq!(
        findings(&manifest),
        [
            "problem: spec.metrics: Invalid value: {}: expected a list",
            "warning: spec.tempaltes: unknown field, it would be dropped; did you mean templates?",
            "problem: spec.templates: Required value: an experiment needs at least one template",
            "problem: apiVersion and kind must be given",
        ]
    );
}

#[test]
fn what_is_no_yaml_is_refused_with_its_place() {
    for (manifest, expected) in [
        ("a: 1\na: 2\n", "document 1: duplicate entry with key \"a\""),
        (
            "a: 1\n---\nb: [\n",
            "document 2: did not find expected node content at line 4 column 1, while parsing a flow node",
        ),
    ] {
        assert_eq!(documents(manifest).unwrap_err(), expected);
    }
}

/// What is found between the Rollout and the templates of one file.
fn found_together(manifest: &str) -> Vec<String> {
    let documents = documents(manifest).unwrap();
    let templates = Templates::of(documents.iter().map(|document| &document.object));
    let all = documents.iter().flat_map(|document| check_together(&document.object, &templates));
    all.map(|finding| finding.message).collect()
}

const COMPARED: &str = "
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: errors}
spec:
  args: [{name: service}]
  metrics:
  - name: errors
    interval: 1m
    provider: {prometheus: {}}
    comparison: {errorRate: {requests: 'http_requests_total{app=\"{{args.service}}\"}'}}
";

#[test]
fn a_rollout_is_checked_with_the_templates_beside_it() {
    let analysis = |args: &str| format!("{{templates: [{{templateName: errors}}]{args}}}");
    let given = analysis(", args: [{name: service, value: shop}]");
    let step = "spec.strategy.canary.steps[0].analysis";
    let with = |steps: &str, further: &str| {
        let start = GOOD.split("      steps:").next().unwrap();
        format!("{start}      steps: [{steps}]\n{further}{COMPARED}")
    };
    let beside = |analysis: &str| format!("      analysis: {analysis}\n");
    for (case, manifest, expected) in [
        ("good", with(&format!("{{setWeight: 10}}, {{analysis: {given}}}"), ""), vec![]),
        (
            "an argument is missing",
            with(&format!("{{analysis: {}}}", analysis("")), ""),
            vec![format!("{step}.templates: Invalid value: \"templateNames: [errors]\": args.service was not resolved; give it a value under args of the analysis")],
        ),
        (
            "no traffic to compare",
            with(&format!("{{analysis: {given}}}, {{setWeight: 10}}"), ""),
            vec![format!("{step}: errors can never be judged: the canary gets no traffic at weight 0; put the step behind a setWeight between 1 and 99")],
        ),
        (
            "over before it could fail",
            with("{setWeight: 10}, {pause: {duration: 2m}}", &beside(&given)),
            vec!["spec.strategy.canary.analysis: errors can never fail: the pauses between weight 1 and 99 last 120 s, and 3 windows of 1m need 180 s; pause longer, or measure more often".to_owned()],
        ),
        (
            "a value that breaks the query",
            with(&format!("{{setWeight: 10}}, {{analysis: {}}}", analysis(", args: [{name: service, value: 'a\"b'}]")), "").replace(
                "prometheus: {}}\n    comparison: {errorRate: {requests: 'http_requests_total{app=\"{{args.service}}\"}'}}",
                "prometheus: {query: 'up{app=\"{{args.service}}\"}'}}\n    count: 3",
            ),
            vec!["spec.strategy.canary.steps[1].analysis: metric errors: prometheus.query: no PromQL at column 11 of the query with its arguments, before \"b\"}\": unterminated quoted string \"; close it".to_owned()],
        ),
        ("a pause that a person ends", with("{setWeight: 10}, {pause: {}}", &beside(&given)), vec![]),
        (
            "another namespace",
            with(&format!("{{setWeight: 10}}, {{analysis: {given}}}"), "").replace("{name: errors}\nspec", "{name: errors, namespace: other}\nspec"),
            vec!["spec.strategy.canary.steps[1].analysis: AnalysisTemplate 'errors' is not in these files, so that the analysis was not checked".to_owned()],
        ),
    ] {
        assert_eq!(found_together(&manifest), expected, "{case}\n{manifest}");
    }
}

#[test]
fn comparisons_of_latencies_are_found_with_the_arguments_that_they_have() {
    let template = COMPARED.replace("{errorRate: {requests: ", "{latency: {histogram: ");
    let manifest = GOOD.replace(
        "      steps:\n",
        "      analysis: {templates: [{templateName: errors}], args: [{name: service, value: shop}]}\n      steps:\n",
    ) + &template;
    let documents = documents(&manifest).unwrap();
    let templates = Templates::of(documents.iter().map(|document| &document.object));
    let found: Vec<_> =
        documents.iter().flat_map(|document| latencies(&document.object, &templates)).collect();
    let told: Vec<_> = found.iter().map(|one| (one.path.as_str(), one.open.as_deref())).collect();
    assert_eq!(told, [("spec.strategy.canary.analysis: errors", None), ("spec.metrics[0]", Some("service"))]);
    let histogram =
        |at: usize| found[at].metric.comparison.as_ref().unwrap().latency.as_ref().unwrap().histogram.clone();
    assert_eq!(histogram(0), "http_requests_total{app=\"shop\"}");
    let of_errors = super::documents(COMPARED).unwrap();
    assert_eq!(latencies(&of_errors[0].object, &templates), []);
}

#[test]
fn a_brake_is_checked_as_the_controller_reads_it() {
    let brake = |label: &str, data: &str| {
        findings(&format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: h, labels: {{{label}}}}}\ndata: {data}"
        ))
    };
    for (label, data, expected) in [
        ("serin.dev/brake: hold", "{reason: x, by: ann, selector: 'team=a,!b'}", vec![]),
        ("app: shop", "{selector: 'team within (a)'}", vec![]),
        (
            "serin.dev/brake: hold",
            "{reason: x, selector: 'team within (a)'}",
            vec![
                "problem: data.selector: Invalid value: \"team within (a)\": it cannot be read, so it holds every Rollout",
            ],
        ),
        ("serin.dev/brake: abort", "{}", vec!["warning: data.reason: it is missing"]),
        (
            "serin.dev/brake: abrot",
            "{reason: x}",
            vec!["warning: metadata.labels[serin.dev/brake]: Invalid value: \"abrot\": it holds"],
        ),
        (
            "serin.dev/brake: hold",
            "{reason: x, selektor: a=b}",
            vec!["warning: data.selektor: unknown field"],
        ),
    ] {
        let found = brake(label, data);
        assert_eq!(found.len(), expected.len(), "{label} {data}: {found:?}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!(found.starts_with(expected), "{found}");
        }
    }
    assert!(
        brake("serin.dev/brake: hold", "{reason: x, selektor: a=b}")[0].contains("did you mean selector?")
    );
}

#[test]
fn a_template_that_is_named_and_not_there_is_told_wherever_it_is_named() {
    let template = "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: t}\nspec: {templates: [{templateName: gone}], metrics: []}";
    let experiment = "apiVersion: argoproj.io/v1alpha1\nkind: Experiment\nmetadata: {name: e}\nspec: {templates: [], analyses: [{name: a, templateName: t}, {name: b, templateName: gone, clusterScope: true}]}";
    let blue_green = GOOD.split("  strategy:").next().unwrap().to_owned()
        + "  strategy: {blueGreen: {activeService: a, postPromotionAnalysis: {templates: [{templateName: lost}]}}}";
    let all = documents(&[template, experiment, &blue_green].join("\n---\n")).unwrap();
    let templates = Templates::of(all.iter().map(|document| &document.object));
    let found: Vec<_> = all
        .iter()
        .flat_map(|document| check_together(&document.object, &templates))
        .map(|found| found.message)
        .collect();
    let starts = [
        "spec.templates[0]: AnalysisTemplate 'gone' is not in these files",
        "spec.analyses[1]: ClusterAnalysisTemplate 'gone' is not in these files",
        "spec.strategy.blueGreen.postPromotionAnalysis: AnalysisTemplate 'lost' is not in these files",
    ];
    assert_eq!(found.len(), starts.len(), "{found:?}");
    assert!(found.iter().zip(starts).all(|(found, start)| found.starts_with(start)), "{found:?}");
}
