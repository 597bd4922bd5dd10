//! Adds the header and mirror routes of steps and the routes of session affinity to a VirtualService, before the user's
//! own, and takes them out again.
//!
//! A managed route is a copy of a weighted route that also asks for its own match, so that timeouts, rewrites and the
//! like of the user hold for it too, and requests which the weighted route would not get are not caught.

use serde_json::{Map, Value, json};
use serin_core::split::{HeaderMatch, HeaderRoute, MirrorMatch, MirrorRoute, Split, StringMatch};

use super::virtual_service::{Roles, VirtualService, trial};
use super::{cookie, is_http};
use crate::affinity;
use crate::fork::Fork;
use crate::object;
use crate::patch::Patch;
use crate::refusal::Role;

/// Makes the managed routes of `object` those of `want`, in the order of their precedence.
pub(super) fn render(
    patch: &mut Patch,
    (service, object): (&VirtualService, &Value),
    want: &Split,
    roles: &Roles,
    forks: &[Fork],
) {
    let wanted = wanted(object, want, &roles.backends.managed_routes, forks);
    let routes = object::list(object, "/spec/http");
    let managed = |route: &Value| service.is_managed(route, roles);
    let leading = routes.iter().take_while(|route| managed(route));
    if leading.eq(&wanted) && routes.iter().filter(|route| managed(route)).count() == wanted.len() {
        return;
    }
    for (index, route) in routes.iter().enumerate().filter(|(_, route)| managed(route)).rev() {
        let path = format!("/spec/http/{index}");
        for field in ["name", "route", "mirror"] {
            patch.test(&format!("{path}/{field}"), route.get(field).unwrap_or(&Value::Null));
        }
        patch.remove(&path);
    }
    for route in wanted.into_iter().rev() {
        patch.insert("/spec/http/0", route);
    }
}

fn wanted(object: &Value, want: &Split, order: &[String], forks: &[Fork]) -> Vec<Value> {
    let http: Vec<_> = forks.iter().filter(|fork| is_http(fork)).collect();
    let (mut routes, sessions) = (Vec::new(), affinity::routes(want));
    for managed in order {
        for (index, fork) in http.iter().enumerate() {
            let name = if index == 0 { managed.clone() } else { format!("{managed}-{index}") };
            let source = object.pointer(&fork.rule).and_then(Value::as_object);
            let canary = object.pointer(&format!("{}/destination", fork.canary.path));
            let (Some(source), Some(canary)) = (source, canary) else { continue };
            let headers = want.headers.iter().filter(|route| route.name == *managed);
            let only = json!({"destination": canary, "weight": 100});
            routes.extend(headers.map(|route| header_route(&name, source, only.clone(), route)));
            let sessions = sessions.iter().filter(|(route, _)| route.name == *managed);
            routes.extend(sessions.filter_map(|(route, role)| {
                let slot = if *role == Role::Canary { &fork.canary } else { &fork.stable };
                Some(session_route(&name, source, object.pointer(&slot.path)?, route))
            }));
            let mirrors = want.mirrors.iter().filter(|route| route.name == *managed);
            routes.extend(mirrors.map(|route| {
                let weighted = weighted(source, fork, want);
                mirror_route((&name, source), canary, weighted, route)
            }));
        }
    }
    routes
}

fn header_route(name: &str, source: &Map<String, Value>, only: Value, route: &HeaderRoute) -> Value {
    let own = route.matches.iter().map(|header| json!({"headers": headers(std::slice::from_ref(header))}));
    let mut copy = source.clone();
    copy.insert("name".to_owned(), json!(name));
    copy.insert("match".to_owned(), crossed(source, own.collect()));
    copy.insert("route".to_owned(), json!([only]));
    Value::Object(copy)
}

/// To the destination as it is for those who are drawn, but for the cookie: who is led has it.
fn session_route(name: &str, source: &Map<String, Value>, entry: &Value, route: &HeaderRoute) -> Value {
    let mut only = cookie::without(entry);
    only.as_object_mut().into_iter().for_each(|only| drop(only.insert("weight".to_owned(), json!(100))));
    header_route(name, source, only, route)
}

fn mirror_route(
    (name, source): (&str, &Map<String, Value>),
    canary: &Value,
    weighted: Value,
    route: &MirrorRoute,
) -> Value {
    let mut copy = source.clone();
    copy.insert("name".to_owned(), json!(name));
    copy.insert("match".to_owned(), crossed(source, route.matches.iter().map(mirror_match).collect()));
    copy.insert("route".to_owned(), weighted);
    // Other spellings of the same field, which Istio refuses beside it.
    for other in ["mirrors", "mirrorPercent"] {
        copy.remove(other);
    }
    copy.insert("mirror".to_owned(), canary.clone());
    copy.insert("mirrorPercentage".to_owned(), json!({"value": route.percentage}));
    Value::Object(copy)
}

/// The destinations of the weighted route with the weights that it gets in the same patch.
fn weighted(source: &Map<String, Value>, fork: &Fork, want: &Split) -> Value {
    let entries = source.get("route").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    Value::from_iter(fork.entries(entries, want, trial).iter().map(cookie::without))
}

/// Each match of the source together with each of `own`; entries of a match list are alternatives.
fn crossed(source: &Map<String, Value>, own: Vec<Value>) -> Value {
    let nothing = json!({});
    let given = source.get("match").and_then(Value::as_array).filter(|given| !given.is_empty());
    let given = given.map_or(std::slice::from_ref(&nothing), Vec::as_slice);
    let own = if own.is_empty() { vec![nothing.clone()] } else { own };
    let pairs = given.iter().flat_map(|given| own.iter().map(move |own| merged(given, own)));
    Value::Array(pairs.collect())
}

/// Both matches at once; where both say something of one property, that of the step counts.
fn merged(given: &Value, own: &Value) -> Value {
    let (Value::Object(given), Value::Object(own)) = (given, own) else {
        return own.clone();
    };
    let mut both = given.clone();
    for (field, value) in own {
        match both.get_mut(field) {
            Some(Value::Object(known)) if field == "headers" => {
                known.extend(
                    value
                        .as_object()
                        .into_iter()
                        .flatten()
                        .map(|(name, value)| (name.clone(), value.clone())),
                );
            }
            _ => {
                both.insert(field.clone(), value.clone());
            }
        }
    }
    Value::Object(both)
}

fn mirror_match(wanted: &MirrorMatch) -> Value {
    let mut entry = Map::new();
    if let Some(method) = &wanted.method {
        entry.insert("method".to_owned(), string_match(method));
    }
    if let Some(path) = &wanted.path {
        entry.insert("uri".to_owned(), string_match(path));
    }
    if !wanted.headers.is_empty() {
        entry.insert("headers".to_owned(), headers(&wanted.headers));
    }
    Value::Object(entry)
}

fn headers(wanted: &[HeaderMatch]) -> Value {
    Value::Object(wanted.iter().map(|header| (header.name.clone(), string_match(&header.value))).collect())
}

fn string_match(wanted: &StringMatch) -> Value {
    match wanted {
        StringMatch::Exact(text) => json!({"exact": text}),
        StringMatch::Prefix(text) => json!({"prefix": text}),
        StringMatch::Regex(text) => json!({"regex": text}),
    }
}
