//! Makes the ApisixRoute of a header route: a copy of the weighted rules that also asks for the headers, and comes first.

use serde_json::{Map, Value, json};
use serin_core::split::{HeaderMatch, HeaderRoute, StringMatch};

use crate::expression;
use crate::fork::Fork;
use crate::object;

/// The spec of the ApisixRoute that sends requests with the headers of `route` to the canary.
pub(super) fn spec(base: &Value, route: &HeaderRoute, forks: &[Fork]) -> Option<Value> {
    let rules: Vec<_> = forks.iter().filter_map(|fork| rule(base, route, fork)).collect();
    let mut spec = base.get("spec")?.as_object().filter(|_| !rules.is_empty())?.clone();
    // Routes of streams have no headers, and the base has them already.
    spec.remove("stream");
    spec.insert("http".to_owned(), Value::from(rules));
    Some(Value::Object(spec))
}

fn rule(base: &Value, route: &HeaderRoute, fork: &Fork) -> Option<Value> {
    let mut rule = base.pointer(&fork.rule)?.as_object()?.clone();
    let mut canary = base.pointer(&fork.canary.path)?.as_object()?.clone();
    canary.insert("weight".to_owned(), json!(100));
    let priority = rule.get("priority").and_then(Value::as_i64).unwrap_or(0).saturating_add(1);
    rule.insert("priority".to_owned(), json!(priority));
    rule.insert("backends".to_owned(), json!([canary]));
    let mut matches = rule.get("match").and_then(Value::as_object).cloned().unwrap_or_else(Map::new);
    let given = rule.get("match").map_or(&[][..], |matches| object::list(matches, "/exprs"));
    let all: Vec<_> = given.iter().cloned().chain(route.matches.iter().map(expr)).collect();
    matches.insert("exprs".to_owned(), Value::from(all));
    rule.insert("match".to_owned(), Value::Object(matches));
    Some(Value::Object(rule))
}

fn expr(header: &HeaderMatch) -> Value {
    let (op, value) = match &header.value {
        StringMatch::Exact(text) => ("Equal", text.clone()),
        StringMatch::Regex(text) => ("RegexMatch", text.clone()),
        StringMatch::Prefix(text) => ("RegexMatch", expression::prefix(text)),
    };
    json!({"subject": {"scope": "Header", "name": header.name}, "op": op, "value": value})
}
