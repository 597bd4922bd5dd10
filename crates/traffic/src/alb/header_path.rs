//! Adds the paths of header routes to the rules of an Ingress, before the user's own, and takes them out again.
//!
//! A managed path is a copy of a path of the weighted Service that leads to the action of the header route instead; the
//! condition that goes with the action lets only requests with the header through to it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::object;
use crate::patch::Patch;

/// The port by which an Ingress says that its backend is an action in an annotation.
const USE_ANNOTATION: &str = "use-annotation";

/// A path of an Ingress with the rule it stands in.
struct Path<'o> {
    pointer: String,
    value: &'o Value,
    service: &'o str,
}

fn paths<'o>(rule: usize, given: &'o Value) -> impl Iterator<Item = Path<'o>> {
    object::list(given, "/http/paths").iter().enumerate().map(move |(index, value)| Path {
        pointer: format!("/spec/rules/{rule}/http/paths/{index}"),
        value,
        service: value.pointer("/backend/service/name").and_then(Value::as_str).unwrap_or_default(),
    })
}

impl Path<'_> {
    fn is_managed(&self, names: &BTreeSet<String>) -> bool {
        let port = self.value.pointer("/backend/service/port/name").and_then(Value::as_str);
        port == Some(USE_ANNOTATION) && names.contains(self.service)
    }

    fn pin(&self, patch: &mut Patch) {
        patch.test(&format!("{}/backend/service/name", self.pointer), &json!(self.service));
    }
}

fn rules(object: &Value) -> impl Iterator<Item = (usize, &Value)> {
    object::list(object, "/spec/rules").iter().enumerate()
}

/// The Services of all paths that steps did not add.
pub(super) fn services(object: &Value, names: &BTreeSet<String>) -> BTreeSet<String> {
    let own = rules(object).flat_map(|(rule, given)| paths(rule, given));
    own.filter(|path| !path.is_managed(names)).map(|path| path.service.to_owned()).collect()
}

/// The header routes of which there are paths.
pub(super) fn present(object: &Value, names: &BTreeSet<String>) -> BTreeSet<String> {
    let all = rules(object).flat_map(|(rule, given)| paths(rule, given));
    all.filter(|path| path.is_managed(names)).map(|path| path.service.to_owned()).collect()
}

/// Makes the managed paths of `object` those of `routes`, in this order, for each path of `service`. `names` are those of
/// all header routes, in force or not.
pub(super) fn render(
    patch: &mut Patch,
    object: &Value,
    service: &str,
    routes: &[&str],
    names: &BTreeSet<String>,
) {
    for (index, given) in rules(object) {
        let (managed, own): (Vec<_>, Vec<_>) = paths(index, given).partition(|path| path.is_managed(names));
        let sources: Vec<_> = own.iter().filter(|path| path.service == service).collect();
        let wanted = wanted(&sources, routes);
        let leading = paths(index, given).take_while(|path| path.is_managed(names)).map(|path| path.value);
        if leading.eq(&wanted) && managed.len() == wanted.len() {
            continue;
        }
        // A rule that was copied meanwhile would keep paths of a route that nobody remembers.
        if let Some(rules) = object.pointer("/spec/rules") {
            patch.test("/spec/rules", rules);
        }
        if let Some(host) = given.get("host") {
            patch.test(&format!("/spec/rules/{index}/host"), host);
        }
        sources.iter().for_each(|path| path.pin(patch));
        for path in managed.iter().rev() {
            path.pin(patch);
            patch.remove(&path.pointer);
        }
        for path in wanted.into_iter().rev() {
            patch.insert(&format!("/spec/rules/{index}/http/paths/0"), path);
        }
    }
}

fn wanted(sources: &[&Path], routes: &[&str]) -> Vec<Value> {
    let mut wanted = Vec::new();
    for route in routes {
        for source in sources {
            let mut path = source.value.clone();
            if let Some(path) = path.as_object_mut() {
                let backend = json!({"service": {"name": route, "port": {"name": USE_ANNOTATION}}});
                path.insert("backend".to_owned(), backend);
            }
            if !wanted.contains(&path) {
                wanted.push(path);
            }
        }
    }
    wanted
}
