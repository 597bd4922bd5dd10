//! Makes the rule of a mirror route: a copy of a weighted rule that also sends copies of requests to the canary.

use serde_json::{Map, Value, json};
use serin_core::split::{MirrorMatch, MirrorRoute, Split, StringMatch};

use super::managed_rule::Source;
use super::{cookie_filter, header_rule, trial};
use crate::object;
use crate::refusal::Role;

/// Fields by which a filter names a backend.
const REFERENCE: [&str; 5] = ["group", "kind", "name", "namespace", "port"];

/// The rule for `route`, with the weights of `want`; `None` when the weighted rule gets no request that it asks for, or it
/// asks for what a route cannot say.
pub(super) fn rule(source: &Source, route: &MirrorRoute, want: &Split) -> Option<Value> {
    let everything = [Map::new()];
    let own: Vec<_> = route.matches.iter().map(matched).collect::<Option<_>>()?;
    let matches = source.crossed(if own.is_empty() { &everything } else { &own });
    if matches.is_empty() {
        return None;
    }
    let mut rule = source.copy(matches, weighted(source, want));
    let mut filters = source.list("filters").to_vec();
    filters.push(filter(source, route.percentage));
    rule.insert("filters".to_owned(), Value::from(filters));
    Some(Value::Object(rule))
}

/// `percent` came to the standard later than the filter, so that it is left out where it says nothing.
fn filter(source: &Source, percentage: u32) -> Value {
    let known = source.backend(Role::Canary).iter().filter(|(field, _)| REFERENCE.contains(&field.as_str()));
    let reference: Map<_, _> = known.map(|(field, value)| (field.clone(), value.clone())).collect();
    let mut mirror = Map::from_iter([("backendRef".to_owned(), Value::Object(reference))]);
    if percentage < 100 {
        mirror.insert("percent".to_owned(), json!(percentage));
    }
    json!({"type": "RequestMirror", "requestMirror": mirror})
}

/// The backends of the weighted rule with the weights that it gets in the same patch.
fn weighted(source: &Source, want: &Split) -> Vec<Value> {
    let entries = source.fork.entries(source.list("backendRefs"), want, trial).into_iter();
    let bare = |entry: Value| match entry {
        Value::Object(entry) => Value::Object(cookie_filter::without(&entry)),
        other => other,
    };
    entries.map(bare).collect()
}

/// The match of a rule for that of a step; `None` when a route cannot say it.
fn matched(wanted: &MirrorMatch) -> Option<Map<String, Value>> {
    let mut entry = Map::new();
    match &wanted.method {
        None => {}
        Some(StringMatch::Exact(method)) => drop(entry.insert("method".to_owned(), json!(method))),
        Some(StringMatch::Prefix(_) | StringMatch::Regex(_)) => return None,
    }
    if let Some(path) = &wanted.path {
        let (kind, value) = match path {
            StringMatch::Exact(text) => ("Exact", text),
            StringMatch::Prefix(text) => ("PathPrefix", text),
            StringMatch::Regex(text) => ("RegularExpression", text),
        };
        entry.insert("path".to_owned(), json!({"type": kind, "value": value}));
    }
    if !wanted.headers.is_empty() {
        entry.extend(header_rule::matched(&wanted.headers));
    }
    Some(entry)
}

/// Of two path matches the one that only requests of both fulfil; `None` when there is none, or none can be told.
pub(super) fn narrower<'p>(given: &'p Value, own: &'p Value) -> Option<&'p Value> {
    fn parts(path: &Value) -> (&str, &str) {
        let kind = object::text(path, "type").unwrap_or("PathPrefix");
        (kind, object::text(path, "value").unwrap_or("/"))
    }
    let within = |inner: &str, outer: &str| {
        let outer = outer.trim_end_matches('/');
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match (parts(given), parts(own)) {
        (given_parts, own_parts) if given_parts == own_parts => Some(given),
        (("PathPrefix", "/"), _) => Some(own),
        (_, ("PathPrefix", "/")) => Some(given),
        (("RegularExpression", _), _) | (_, ("RegularExpression", _)) => None,
        (("PathPrefix", outer), (_, inner)) if within(inner, outer) => Some(own),
        ((_, inner), ("PathPrefix", outer)) if within(inner, outer) => Some(given),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_never_catches_requests_that_the_weighted_rule_would_not_get() {
        let path = |text: &str| {
            let (kind, value) = text.split_once(' ').unwrap();
            json!({"type": kind, "value": value})
        };
        for (given, own, expected) in [
            ("PathPrefix /", "PathPrefix /cart", Some("PathPrefix /cart")),
            ("PathPrefix /", "RegularExpression /c.*", Some("RegularExpression /c.*")),
            ("PathPrefix /shop", "PathPrefix /", Some("PathPrefix /shop")),
            ("PathPrefix /shop", "PathPrefix /shop/cart", Some("PathPrefix /shop/cart")),
            ("PathPrefix /shop/", "Exact /shop/cart", Some("Exact /shop/cart")),
            ("PathPrefix /shop/cart", "PathPrefix /shop", Some("PathPrefix /shop/cart")),
            ("PathPrefix /shop", "PathPrefix /shopping", None),
            ("PathPrefix /shop", "PathPrefix /cart", None),
            ("PathPrefix /shop", "RegularExpression /shop/c.*", None),
            ("Exact /a", "Exact /a", Some("Exact /a")),
            ("Exact /a/b", "PathPrefix /a", Some("Exact /a/b")),
            ("Exact /a", "Exact /b", None),
            ("Exact /a", "PathPrefix /a/b", None),
        ] {
            let narrower = narrower(&path(given), &path(own)).cloned();
            assert_eq!(narrower, expected.map(path), "{given} and {own}");
        }
    }
}
