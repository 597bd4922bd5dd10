//! Makes the rule of a header route: a copy of a weighted rule that asks for the headers and leads to one backend only.
//!
//! All headers of a step must match, as with the Gateway API plugin, unless its configuration says `matchHeaders: anyOf`.

use serde_json::{Map, Value, json};
use serin_core::split::{HeaderMatch, HeaderRoute, StringMatch};

use super::managed_rule::Source;
use crate::expression;
use crate::refusal::Role;

/// The rule for `route` to the backend of `role`; with `any_of` one of its headers is enough.
pub(super) fn rule(source: &Source, (route, role): (&HeaderRoute, Role), any_of: bool) -> Value {
    let mut only = source.backend(role).clone();
    only.insert("weight".to_owned(), json!(1));
    let all = route.matches.len().max(1);
    let groups = route.matches.chunks(if any_of { 1 } else { all });
    let own: Vec<_> = groups.map(matched).collect();
    Value::Object(source.copy(source.crossed(&own), vec![Value::Object(only)]))
}

/// A match of these headers.
pub(super) fn matched(headers: &[HeaderMatch]) -> Map<String, Value> {
    let headers: Vec<_> = headers.iter().map(header).collect();
    Map::from_iter([("headers".to_owned(), Value::from(headers))])
}

fn header(wanted: &HeaderMatch) -> Value {
    let (kind, value) = match &wanted.value {
        StringMatch::Exact(text) => ("Exact", text.clone()),
        StringMatch::Regex(text) => ("RegularExpression", text.clone()),
        StringMatch::Prefix(text) => ("RegularExpression", expression::prefix(text)),
    };
    json!({"type": kind, "name": wanted.name, "value": value})
}
