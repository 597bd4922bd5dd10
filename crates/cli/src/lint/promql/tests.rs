//! Queries that Prometheus takes, and where it would stop reading the others.

use super::*;

fn found(query: &str, known: &[(&str, &str)]) -> String {
    let value =
        |name: &str| known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    check(query, false, value).map_or(String::new(), |finding| match finding.severity {
        Severity::Problem => finding.message,
        Severity::Warning => format!("warning: {}", finding.message),
    })
}

#[test]
fn queries_of_every_kind_are_read() {
    for query in [
        "1",
        "up",
        "vector(1)",
        "sum(rate(http_requests_total{app=\"shop\",code=~\"5..\"}[5m])) / sum(rate(http_requests_total[5m]))",
        "histogram_quantile(0.99, sum by (le) (rate(h_bucket{job='a'}[1m30s])))",
        "histogram_quantile(0.99, sum(rate(h[5m])))",
        "max_over_time(rate(x[1m])[10m:30s])",
        "a / on (pod) group_left (node) b > bool 0.5 or vector(0)",
        "x offset -1h @ end()",
        "{__name__=~\"a|b\", le=\"+Inf\"}",
        "{\"my.metric\", \"a.b\"=\"c\"}",
        "absent(x) unless y # a comment",
        "quantile by (pod) (0.9, x)",
        "  \n",
    ] {
        assert_eq!(found(query, &[]), "", "{query}");
    }
}

#[test]
fn what_cannot_be_read_is_said_with_its_place_and_a_remedy() {
    let refused = "correct it; Prometheus would refuse the query";
    for (query, expected) in [
        (
            "sum(rate(x[5m])) bye (pod)",
            format!("at column 18, before \"bye (pod)\": this is not expected here; {refused}"),
        ),
        (
            "sum by (pod) rate(x[5m])",
            format!("at column 14, before \"rate(x[5m])\": this is not expected here; {refused}"),
        ),
        (
            "x{code=5}",
            format!("at column 8, before \"5}}\": unexpected character inside braces: '5'; {refused}"),
        ),
        ("x +", format!("at the end: something is missing; {refused}")),
        ("rate(x[5m]", "at the end: unclosed left parenthesis; close it".to_owned()),
        ("x{a=\"b}", "at column 5, before \"\"b}\": unterminated quoted string \"; close it".to_owned()),
        (
            "rate(x[5m])) > 1",
            "at column 12, before \") > 1\": unexpected right parenthesis ')'; open it, or take it out"
                .to_owned(),
        ),
        ("a § b", format!("at column 3, before \"§ b\": unexpected character: '§'; {refused}")),
    ] {
        assert_eq!(found(query, &[]), format!("prometheus.query: no PromQL {expected}"), "{query}");
    }
}

#[test]
fn what_means_nothing_is_said_too() {
    assert_eq!(
        found("sum(rate(x) + 1)", &[]),
        "prometheus.query: no PromQL at column 11, before \") + 1)\": expected type matrix in call to function 'rate', got \
         vector; give it a range such as [5m]"
    );
    let of_range = |query: &str| check(query, true, |_| None).map(|finding| finding.message);
    assert_eq!((found("x[5m]", &[]).as_str(), of_range("rate(x[5m])")), ("", None));
    assert!(of_range("x[5m]").unwrap().ends_with("put it into a function such as rate()"));
    assert!(found("\"text\"", &[]).ends_with("give an expression with a number"));
    let newer = found("sum(rates(x[5m]))", &[]);
    assert!(
        newer.starts_with("warning: ") && newer.contains("unknown function with name 'rates'"),
        "{newer}"
    );
}

#[test]
fn arguments_without_a_value_get_the_shape_of_their_place() {
    for query in [
        "errors{job=\"{{args.service}}\"} > {{args.limit}}",
        "rate(x[{{args.window}}] offset {{ args.delay }})",
        "rate(x[{{args.minutes}}m:{{args.step}}])",
        "histogram_quantile({{args.q}}, sum by ({{args.labels}}) (rate({{args.metric}}_bucket[5m])))",
        "{{args.query}}",
        "http_{{args.name}}_total",
        "x{ {{args.label}}=~`{{args.value}}`}",
        "topk({{args.k}}, {{args.a}} / {{args.b}}) or {{args.c}} or {{args.d}} or {{args.e}} or {{args.f}}",
    ] {
        assert_eq!(found(query, &[]), "", "{query}");
    }
    assert_eq!(
        found("sum(x{a=\"{{args.a}}\"} by (pod)", &[]),
        "prometheus.query: no PromQL at column 14 of the query with its arguments, before \"by (pod)\": unclosed left parenthesis; close it"
    );
}

#[test]
fn a_value_that_breaks_the_query_is_found() {
    let query = "rate(x[{{args.window}}])";
    assert_eq!(found(query, &[("window", "5m")]), "");
    let broken = found(query, &[("window", "soon")]);
    assert!(broken.contains("column 8 of the query with its arguments"), "{broken}");
}
