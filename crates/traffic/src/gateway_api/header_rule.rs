//! Adds the header routes of steps to a route, after the user's own rules, and takes them out again.
//!
//! A managed rule is a copy of a weighted rule that also asks for the headers, so that filters, timeouts, retries and
//! session persistence of the user hold for it too. More header matches are more specific, so its place in the list
//! decides only between rules that steps added. All headers of a step must match, as with the Gateway API plugin.

use serde_json::{Map, Value, json};
use serin_core::split::{Backends, HeaderMatch, HeaderRoute, StringMatch};

use super::role;
use crate::expression;
use crate::fork::Fork;
use crate::object;
use crate::patch::Patch;
use crate::refusal::Role;

/// A rule that a step added: it has the name of a managed route, with or without a number, and sends everything to the
/// canary. A rule of the user with such a name and other backends is not ours. `namespace` is that of the route.
pub(super) fn is_managed(rule: &Value, namespace: &str, backends: &Backends) -> bool {
    let Some(name) = object::text(rule, "name") else {
        return false;
    };
    let named = backends.managed_routes.iter().any(|managed| {
        let rest = name.strip_prefix(managed.as_str());
        let index = rest.and_then(|rest| rest.strip_prefix('-'));
        rest == Some("") || index.is_some_and(|index| index.parse::<u32>().is_ok())
    });
    let canary = |entry: &Value| role(entry, namespace, backends) == Some(Role::Canary);
    named && matches!(object::list(rule, "/backendRefs"), [only] if canary(only))
}

/// Makes the managed rules of `object` those of `headers`, in the order of their precedence.
pub(super) fn render(
    patch: &mut Patch,
    (namespace, object): (&str, &Value),
    headers: &[HeaderRoute],
    backends: &Backends,
    forks: &[Fork],
) {
    let wanted = wanted(object, headers, &backends.managed_routes, forks);
    let rules = object::list(object, "/spec/rules").iter().enumerate();
    let managed: Vec<_> = rules.filter(|(_, rule)| is_managed(rule, namespace, backends)).collect();
    if managed.iter().map(|(_, rule)| *rule).eq(&wanted) {
        return;
    }
    for (index, rule) in managed.into_iter().rev() {
        let path = format!("/spec/rules/{index}");
        for field in ["name", "backendRefs"] {
            patch.test(&format!("{path}/{field}"), rule.get(field).unwrap_or(&Value::Null));
        }
        patch.remove(&path);
    }
    for rule in wanted {
        patch.insert("/spec/rules/-", rule);
    }
}

fn wanted(object: &Value, headers: &[HeaderRoute], order: &[String], forks: &[Fork]) -> Vec<Value> {
    let mut rules = Vec::new();
    for managed in order {
        for route in headers.iter().filter(|route| route.name == *managed) {
            for (index, fork) in forks.iter().enumerate() {
                let name = if index == 0 { managed.clone() } else { format!("{managed}-{index}") };
                let source = object.pointer(&fork.rule).and_then(Value::as_object);
                let canary = object.pointer(&fork.canary.path).and_then(Value::as_object);
                if let (Some(source), Some(canary)) = (source, canary) {
                    rules.push(rule(&name, source, canary, &route.matches));
                }
            }
        }
    }
    rules
}

fn rule(
    name: &str,
    source: &Map<String, Value>,
    canary: &Map<String, Value>,
    headers: &[HeaderMatch],
) -> Value {
    let mut only = canary.clone();
    only.insert("weight".to_owned(), json!(1));
    let mut copy = source.clone();
    copy.insert("name".to_owned(), json!(name));
    copy.insert("matches".to_owned(), matches(source, headers));
    copy.insert("backendRefs".to_owned(), json!([only]));
    Value::Object(copy)
}

fn matches(source: &Map<String, Value>, headers: &[HeaderMatch]) -> Value {
    let nothing = json!({});
    let given = source.get("matches").and_then(Value::as_array).filter(|given| !given.is_empty());
    let given = given.map_or(std::slice::from_ref(&nothing), Vec::as_slice);
    let both = given.iter().map(|given| {
        let mut entry = given.as_object().cloned().unwrap_or_default();
        let own: Vec<_> = headers.iter().map(header).collect();
        let named = |known: &Value| {
            let name = object::text(known, "name").unwrap_or_default();
            headers.iter().any(|header| header.name.eq_ignore_ascii_case(name))
        };
        let known = object::list(given, "/headers").iter().filter(|known| !named(known)).cloned();
        entry.insert("headers".to_owned(), known.chain(own).collect());
        Value::Object(entry)
    });
    both.collect()
}

fn header(wanted: &HeaderMatch) -> Value {
    let (kind, value) = match &wanted.value {
        StringMatch::Exact(text) => ("Exact", text.clone()),
        StringMatch::Regex(text) => ("RegularExpression", text.clone()),
        StringMatch::Prefix(text) => ("RegularExpression", expression::prefix(text)),
    };
    json!({"type": kind, "name": wanted.name, "value": value})
}
