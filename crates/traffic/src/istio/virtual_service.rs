//! Finds the weighted routes of a VirtualService and the destinations of canary and stable in them.

use serde_json::{Value, json};
use serin_api::{IstioVirtualService, TcpRoute, TlsRoute};
use serin_core::seen::ObjectKey;
use serin_core::split::{Backends, Destination};

use super::GROUP;
use crate::affinity;
use crate::fork::{Fork, Odd, Part, PartOf, Slot};
use crate::object;
use crate::reading::Found;
use crate::refusal::{Cause, Refusal, Role};

/// One VirtualService and which of its routes are weighted.
#[derive(Clone, Debug)]
pub(crate) struct VirtualService {
    pub(crate) key: ObjectKey,
    path: String,
    name: String,
    routes: Vec<String>,
    tls: Vec<TlsRoute>,
    tcp: Vec<TcpRoute>,
}

/// How destinations are told apart: by the host of a Service, or by the subset of a DestinationRule.
pub(crate) struct Roles<'r> {
    pub(crate) backends: &'r Backends,
    /// Subset of the canary and of stable.
    pub(crate) subsets: Option<(&'r str, &'r str)>,
}

impl Roles<'_> {
    /// What a destination of a VirtualService of the namespace `home` stands for. A short host is in that namespace, so
    /// a VirtualService elsewhere names the Services of the Rollout in full, or its owner means others.
    fn part(&self, destination: &Value, home: &str) -> Part {
        let mut labels = object::text(destination, "host").unwrap_or_default().split('.');
        let (service, namespace) = (labels.next().unwrap_or_default(), labels.next().unwrap_or(home));
        let ours = namespace == self.backends.namespace;
        if !ours && home != self.backends.namespace {
            return Part::Other;
        }
        if let (Some((canary, stable)), Some(subset)) = (self.subsets, object::text(destination, "subset")) {
            let roles = [(Role::Canary, canary), (Role::Stable, stable)].into_iter();
            return roles.into_iter().find_map(|(role, name)| (name == subset).then_some(role)).into();
        }
        if ours { self.backends.part(service) } else { Part::Other }
    }

    /// What is looked for, for people.
    fn wanted(&self, role: Role) -> (&'static str, String) {
        let (what, (canary, stable)) = match self.subsets {
            Some(subsets) => ("DestinationRule subset", subsets),
            None => {
                ("Service", (self.backends.canary_service.as_str(), self.backends.stable_service.as_str()))
            }
        };
        (what, if role == Role::Canary { canary.to_owned() } else { stable.to_owned() })
    }
}

/// One route of a VirtualService.
struct Route<'o> {
    pointer: String,
    value: &'o Value,
    /// The spec names it, or nothing else could be meant.
    named: bool,
}

impl VirtualService {
    pub(super) fn new(spec: &IstioVirtualService, path: String, namespace: &str, version: &str) -> Self {
        let mut labels = spec.name.split('.');
        let name = labels.next().unwrap_or_default();
        let namespace = labels.next().unwrap_or(namespace);
        Self {
            key: ObjectKey::new(GROUP, version, "VirtualService", namespace, name),
            path,
            name: spec.name.clone(),
            routes: spec.routes.clone().unwrap_or_default(),
            tls: spec.tls_routes.clone().unwrap_or_default(),
            tcp: spec.tcp_routes.clone().unwrap_or_default(),
        }
    }

    /// A refusal that names this VirtualService, or the field which selects its routes.
    pub(super) fn refuse(&self, cause: Cause) -> Refusal {
        let (field, value) = match &cause {
            Cause::RouteMissing { kind: "TLS", route, .. } => ("tlsRoutes", route.clone()),
            Cause::RouteMissing { kind: "TCP", route, .. } => ("tcpRoutes", route.clone()),
            Cause::RouteMissing { route, .. } => ("routes", route.clone()),
            Cause::Ambiguous { .. } => ("routes", String::new()),
            _ => ("name", self.name.clone()),
        };
        Refusal { path: format!("{}.{field}", self.path), value, cause }
    }

    /// A step added the route: it has the name of a managed route, with or without a number, and sends everything or
    /// copies to its side, or to what was the Service of that side. Routes that the spec lists, and those that lead
    /// elsewhere, are the user's.
    pub(super) fn is_managed(&self, route: &Value, roles: &Roles) -> bool {
        self.managed_side(route, roles).is_some()
    }

    /// The side that a managed route leads to now.
    fn managed_side(&self, route: &Value, roles: &Roles) -> Option<Role> {
        let name = object::text(route, "name")?;
        let named = !self.routes.iter().any(|listed| listed == name)
            && roles.backends.managed_routes.iter().any(|managed| {
                let rest = name.strip_prefix(managed.as_str());
                let index = rest.and_then(|rest| rest.strip_prefix('-'));
                rest == Some("") || index.is_some_and(|index| index.parse::<u32>().is_ok())
            });
        let leads = |to: Option<&Value>, role: Role| {
            to.is_some_and(|to| roles.part(to, &self.key.namespace) == Part::Role(role))
        };
        let all = object::list(route, "/route");
        let only = |role| !all.is_empty() && all.iter().all(|entry| leads(entry.get("destination"), role));
        let to = |role: &Role| only(*role) || leads(route.get("mirror"), *role);
        let may = |role: &Role| *role == affinity::side(name) || roles.backends.ping_pong;
        [Role::Canary, Role::Stable].into_iter().filter(|_| named).find(|role| may(role) && to(role))
    }

    /// The weighted routes: those that the spec lists; in a section without list the only one (http) or the first (tls,
    /// tcp), which is weighted when it has both destinations.
    pub(super) fn find(&self, object: &Value, roles: &Roles) -> Found {
        let mut found = Found::default();
        for (index, route) in object::list(object, "/spec/http").iter().enumerate() {
            let side = self.managed_side(route, roles);
            if let (Some(name), Some(side)) = (object::text(route, "name"), side) {
                if side == Role::Stable && affinity::side(name) == side {
                    continue;
                }
                if route.get("mirror").is_none() {
                    found.headers.push(name.to_owned());
                    continue;
                }
                found.mirrors.push(name.to_owned());
                let copy = Route { pointer: format!("/spec/http/{index}"), value: route, named: false };
                found.shares.extend(self.fork(&copy, roles).ok().map(|fork| fork.share()));
            }
        }
        let mut routes = self.http_routes(object, roles, &mut found);
        let tls = |route: &Value, wanted: &TlsRoute| {
            let names = wanted.sni_hosts.iter().flatten().map(String::as_str).collect::<Vec<_>>();
            wanted.port.is_none_or(|port| matches_port(route, port))
                && (names.is_empty() || matches_names(route, names))
        };
        routes.extend(self.matched(object, ("tls", "TLS"), &self.tls, tls, &mut found));
        let tcp = |route: &Value, wanted: &TcpRoute| wanted.port.is_none_or(|port| matches_port(route, port));
        routes.extend(self.matched(object, ("tcp", "TCP"), &self.tcp, tcp, &mut found));
        let mut reason = None;
        for route in routes {
            match self.fork(&route, roles) {
                Ok(fork) => found.forks.push(fork),
                Err(cause) if route.named => found.complain(*cause),
                Err(cause) => reason = reason.or(Some(cause)),
            }
        }
        if found.forks.is_empty() {
            let empty = || Cause::Empty { object: self.key.clone(), wanted: "http, tls or tcp route" };
            found.complain(reason.map_or_else(empty, |cause| *cause));
        }
        found
    }

    fn http_routes<'o>(&self, object: &'o Value, roles: &Roles, found: &mut Found) -> Vec<Route<'o>> {
        let all = object::list(object, "/spec/http").iter().enumerate();
        let route = |(index, value), named| Route { pointer: format!("/spec/http/{index}"), value, named };
        let mut selected = Vec::new();
        for name in &self.routes {
            let before = selected.len();
            let named = all.clone().filter(|(_, value)| object::text(value, "name") == Some(name));
            selected.extend(named.map(|found| route(found, true)));
            if selected.len() == before {
                let names = all.clone().map(|(_, value)| object::text(value, "name").unwrap_or("(no name)"));
                let known = format!("http routes {}", names.collect::<Vec<_>>().join(", "));
                found.complain(self.missing("HTTP", name.clone(), known));
            }
        }
        if self.routes.is_empty() {
            let own: Vec<_> = all.filter(|(_, value)| !self.is_managed(value, roles)).collect();
            let elsewhere = !self.tls.is_empty() || !self.tcp.is_empty();
            match own.len() {
                0 => {}
                1 => selected.extend(own.into_iter().map(|found| route(found, !elsewhere))),
                _ if elsewhere => {}
                count => found.complain(Cause::Ambiguous { object: self.key.clone(), count }),
            }
        }
        selected
    }

    fn matched<'o, W: serde::Serialize>(
        &self,
        object: &'o Value,
        (section, kind): (&str, &'static str),
        wanted: &[W],
        matches: impl Fn(&Value, &W) -> bool,
        found: &mut Found,
    ) -> Vec<Route<'o>> {
        let all = object::list(object, &format!("/spec/{section}")).iter().enumerate();
        let route =
            |(index, value), named| Route { pointer: format!("/spec/{section}/{index}"), value, named };
        if wanted.is_empty() {
            return all.take(1).map(|first| route(first, false)).collect();
        }
        let mut selected = Vec::new();
        for wanted in wanted {
            let before = selected.len();
            selected.extend(
                all.clone().filter(|(_, value)| matches(value, wanted)).map(|found| route(found, true)),
            );
            if selected.len() == before {
                let text = serde_json::to_string(wanted).unwrap_or_default();
                found.complain(self.missing(kind, text, format!("{} {section} routes", all.len())));
            }
        }
        selected
    }

    fn missing(&self, kind: &'static str, route: String, known: String) -> Cause {
        Cause::RouteMissing { object: self.key.clone(), kind, route, known }
    }

    fn fork(&self, route: &Route, roles: &Roles) -> Result<Fork, Box<Cause>> {
        let destinations = object::list(route.value, "/route");
        // Istio sends everything to a single destination, and nothing to one of several that has no weight.
        let otherwise = if destinations.len() == 1 { 100 } else { 0 };
        let entries = destinations.iter().enumerate().map(|(index, entry)| {
            let destination = entry.get("destination").unwrap_or(&Value::Null);
            let slot = Slot {
                path: format!("{}/route/{index}", route.pointer),
                leaf: "weight".to_owned(),
                identity: vec![("destination", destination.clone())],
                written: entry.get("weight").cloned(),
                otherwise,
            };
            (roles.part(destination, &self.key.namespace), slot)
        });
        Fork::sort(route.pointer.clone(), guards(route), entries).map_err(|odd| {
            let (object, path) = (self.key.clone(), route.pointer.clone());
            let (Odd::Missing(role) | Odd::Twice(role)) = odd;
            let (what, name) = roles.wanted(role);
            Box::new(match odd {
                Odd::Missing(_) => Cause::DestinationMissing { object, path, role, what, name },
                Odd::Twice(_) => Cause::DestinationTwice { object, path, role, what, name },
            })
        })
    }
}

/// The destination of an experiment: a Service beside that of the canary.
pub(super) fn trial(canary: &Value, other: &Destination) -> Option<Value> {
    let host = canary.pointer("/destination/host")?.as_str()?;
    let rest = host.split_once('.').map_or(String::new(), |(_, rest)| format!(".{rest}"));
    let mut destination = json!({"host": format!("{}{rest}", other.service)});
    if let (Some(port), Some(fields)) = (other.port, destination.as_object_mut()) {
        fields.insert("port".to_owned(), json!({"number": port}));
    }
    Some(json!({"destination": destination, "weight": other.weight.0}))
}

/// A route is known by its name or, without one, by what it matches.
fn guards(route: &Route) -> Vec<(String, Value)> {
    let known = ["name", "match"].into_iter().find_map(|field| Some((field, route.value.get(field)?)));
    known.into_iter().map(|(field, value)| (format!("{}/{field}", route.pointer), value.clone())).collect()
}

/// All matches of the route are for this port.
fn matches_port(route: &Value, port: i64) -> bool {
    let matches = object::list(route, "/match");
    let port_of = |entry: &Value| entry.get("port").and_then(Value::as_i64);
    !matches.is_empty() && matches.iter().all(|entry| port_of(entry) == Some(port))
}

/// The matches of the route name exactly these servers.
fn matches_names<'r>(route: &'r Value, mut wanted: Vec<&'r str>) -> bool {
    let matches = object::list(route, "/match").iter();
    let mut names: Vec<_> =
        matches.flat_map(|entry| object::list(entry, "/sniHosts")).filter_map(Value::as_str).collect();
    for list in [&mut names, &mut wanted] {
        list.sort_unstable();
        list.dedup();
    }
    names == wanted
}

/// False only where a version of Istio reports proxies and says that they do not follow yet.
pub(super) fn reconciled(object: &Value) -> bool {
    let conditions = object::list(object, "/status/conditions").iter();
    let Some(condition) = conditions.into_iter().find(|c| object::text(c, "type") == Some("Reconciled"))
    else {
        return true;
    };
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
    let observed =
        condition.get("observedGeneration").or_else(|| object.pointer("/status/observedGeneration"));
    object::text(condition, "status") == Some("True")
        && observed.and_then(number).is_none_or(|observed| observed >= object::generation(object))
}
