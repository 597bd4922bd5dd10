//! Adds the rules of header and mirror routes and of session affinity to a route, and takes them out again.
//!
//! A managed rule is a copy of a weighted rule that also asks for its own match, so that filters, timeouts, retries and
//! session persistence of the user hold for it too. Rules of mirror routes come before the user's own: of rules that
//! match equally well the first counts, and one that mirrors everything matches as well as its source. Those of header
//! routes come after them, for more headers are a better match wherever they stand.

use serde_json::{Map, Value, json};
use serin_core::split::{Backends, Split};

use super::part;
use super::{cookie_filter, header_rule, mirror_rule};
use crate::affinity;
use crate::fork::{Fork, Part, Slot};
use crate::object;
use crate::patch::Patch;
use crate::refusal::Role;

/// What a rule that a step added does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Managed {
    /// Sends everything to the canary.
    Header,
    /// Sends copies to the canary.
    Mirror,
    /// Keeps users of stable there.
    Stable,
}

/// Which rules steps may add to a route.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowed {
    pub(super) headers: bool,
    pub(super) mirrors: bool,
    /// One header of a header route is enough.
    pub(super) any_of: bool,
    pub(super) cookies: bool,
}

/// Whether a step added the rule: it has the name of a managed route, with or without a number, and sends everything or
/// copies to the canary, or to what was the Service of the canary. A rule of the user with such a name and other backends
/// is not ours. `namespace` is that of the
/// route.
pub(super) fn managed(rule: &Value, namespace: &str, backends: &Backends) -> Option<Managed> {
    let name = object::text(rule, "name")?;
    let named = backends.managed_routes.iter().any(|managed| {
        let rest = name.strip_prefix(managed.as_str());
        let index = rest.and_then(|rest| rest.strip_prefix('-'));
        rest == Some("") || index.is_some_and(|index| index.parse::<u32>().is_ok())
    });
    let side = affinity::side(name);
    let role = |entry: &Value| match part(entry, namespace, backends) {
        Part::Role(role) if role == side || backends.ping_pong => Some(role),
        Part::Role(_) | Part::Experiment(_) | Part::Other => None,
    };
    let copies = |filter: &Value| filter.pointer("/requestMirror/backendRef").and_then(role).is_some();
    match object::list(rule, "/backendRefs") {
        _ if !named => None,
        [only] if role(only) == Some(Role::Stable) && side == Role::Stable => Some(Managed::Stable),
        [only] if role(only).is_some() => Some(Managed::Header),
        _ => object::list(rule, "/filters").iter().any(copies).then_some(Managed::Mirror),
    }
}

/// Makes the managed rules of `object` those of `want`, in the order of their precedence.
pub(super) fn render(
    patch: &mut Patch,
    (namespace, object): (&str, &Value),
    (want, allowed): (&Split, Allowed),
    backends: &Backends,
    forks: &[Fork],
) {
    let (before, after) = wanted(object, (want, allowed), &backends.managed_routes, forks);
    let rules = object::list(object, "/spec/rules");
    // Definitions older than named rules drop the names, and each look would add the rules once more.
    if before.iter().chain(&after).any(|rule| rules.contains(&nameless(rule))) {
        return;
    }
    let ours = rules.iter().enumerate().filter(|(_, rule)| managed(rule, namespace, backends).is_some());
    let ours: Vec<_> = ours.collect();
    let leading = rules.iter().take(before.len()).eq(&before);
    if leading && ours.iter().skip(before.len()).map(|(_, rule)| *rule).eq(&after) {
        return;
    }
    for (index, rule) in ours.into_iter().rev() {
        let path = format!("/spec/rules/{index}");
        for field in ["name", "backendRefs", "filters"] {
            patch.test(&format!("{path}/{field}"), rule.get(field).unwrap_or(&Value::Null));
        }
        patch.remove(&path);
    }
    // Other gateways might not know the filters of mirror routes and of cookies.
    if !before.is_empty() || want.affinity.is_some() {
        pin_gateways(patch, object);
    }
    for rule in before.into_iter().rev() {
        patch.insert("/spec/rules/0", rule);
    }
    for rule in after {
        patch.insert("/spec/rules/-", rule);
    }
}

/// The patch applies only while the route has these gateways, whose features are known.
pub(super) fn pin_gateways(patch: &mut Patch, object: &Value) {
    object
        .pointer("/spec/parentRefs")
        .into_iter()
        .for_each(|parents| patch.test("/spec/parentRefs", parents));
}

fn nameless(rule: &Value) -> Value {
    rule.as_object()
        .into_iter()
        .flatten()
        .filter(|(field, _)| *field != "name")
        .map(|(f, v)| (f.clone(), v.clone()))
        .collect()
}

/// The rules before the user's own and those after them.
fn wanted(
    object: &Value,
    (want, allowed): (&Split, Allowed),
    order: &[String],
    forks: &[Fork],
) -> (Vec<Value>, Vec<Value>) {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let sessions = affinity::routes(want);
    for managed in order {
        for (index, fork) in forks.iter().enumerate() {
            let name = if index == 0 { managed.clone() } else { format!("{managed}-{index}") };
            let Some(source) = Source::of(object, fork, &name) else { continue };
            let mirrors = want.mirrors.iter().filter(|route| allowed.mirrors && route.name == *managed);
            before.extend(mirrors.filter_map(|route| mirror_rule::rule(&source, route, want)));
            let headers = want.headers.iter().filter(|route| allowed.headers && route.name == *managed);
            let headers = headers.map(|route| (route, Role::Canary));
            let sessions = sessions.iter().filter(|(route, _)| allowed.cookies && route.name == *managed);
            let all = headers.chain(sessions.map(|(route, role)| (route, *role)));
            after.extend(all.map(|route| header_rule::rule(&source, route, allowed.any_of)));
        }
    }
    (before, after)
}

/// A weighted rule, of which managed rules are copies.
pub(super) struct Source<'o> {
    name: String,
    rule: &'o Map<String, Value>,
    pub(super) fork: &'o Fork,
    canary: Map<String, Value>,
    stable: Map<String, Value>,
}

impl<'o> Source<'o> {
    fn of(object: &'o Value, fork: &'o Fork, name: &str) -> Option<Self> {
        let rule = object.pointer(&fork.rule)?.as_object()?;
        let backend = |slot: &Slot| Some(cookie_filter::without(object.pointer(&slot.path)?.as_object()?));
        let (canary, stable) = (backend(&fork.canary)?, backend(&fork.stable)?);
        Some(Self { name: name.to_owned(), rule, fork, canary, stable })
    }

    /// The backend of one side, without the cookie that the weighted rule sets: who is led is not drawn.
    pub(super) fn backend(&self, role: Role) -> &Map<String, Value> {
        match role {
            Role::Canary => &self.canary,
            Role::Stable => &self.stable,
        }
    }

    /// A list of the rule.
    pub(super) fn list(&self, field: &str) -> &'o [Value] {
        self.rule.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The rule with other matches and backends.
    pub(super) fn copy(&self, matches: Vec<Value>, backends: Vec<Value>) -> Map<String, Value> {
        let mut copy = self.rule.clone();
        copy.insert("name".to_owned(), json!(self.name));
        copy.insert("matches".to_owned(), Value::from(matches));
        copy.insert("backendRefs".to_owned(), Value::from(backends));
        copy
    }

    /// Each match of the rule together with each of `own`, where both can be true; entries of matches are alternatives.
    pub(super) fn crossed(&self, own: &[Map<String, Value>]) -> Vec<Value> {
        let nothing = [json!({})];
        let given = self.list("matches");
        let given = if given.is_empty() { &nothing[..] } else { given };
        let pairs = given.iter().flat_map(|given| own.iter().filter_map(|own| both(given, own)));
        pairs.map(Value::Object).collect()
    }
}

/// Both matches at once; of a header that both ask for, the step's value counts.
fn both(given: &Value, own: &Map<String, Value>) -> Option<Map<String, Value>> {
    let mut entry = given.as_object().cloned().unwrap_or_default();
    for (field, value) in own {
        let value = match (field.as_str(), entry.get(field)) {
            (_, None) => value.clone(),
            ("headers", Some(known)) => headers(known, value),
            ("path", Some(known)) => mirror_rule::narrower(known, value)?.clone(),
            (_, Some(known)) => Some(value).filter(|value| *value == known)?.clone(),
        };
        entry.insert(field.clone(), value);
    }
    Some(entry)
}

fn headers(known: &Value, own: &Value) -> Value {
    let own = own.as_array().map_or(&[][..], Vec::as_slice);
    let name = |header: &Value| object::text(header, "name").unwrap_or_default().to_owned();
    let asked = |known: &&Value| own.iter().any(|own| name(own).eq_ignore_ascii_case(&name(known)));
    let known = known.as_array().map_or(&[][..], Vec::as_slice).iter().filter(|known| !asked(known));
    known.chain(own).cloned().collect()
}
