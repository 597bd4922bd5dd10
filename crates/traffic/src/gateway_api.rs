//! Translates a Split to and from the routes of the Gateway API: HTTPRoute, GRPCRoute, TLSRoute and TCPRoute.
//!
//! A route is taken as applied when every gateway that reported on it says Accepted and ResolvedRefs of its current
//! generation. That is the word of a control plane: its proxies follow within [`PROPAGATION_SECONDS`]. A controller
//! that writes no `status.parents` (the Gateway API demands it) leaves the split unknown: weights are still written, but
//! no step passes and no pod is taken away on the strength of them, and the report says why.

use serde_json::{Value, json};
use serin_api::{CanaryStep, SessionAffinity};
use serin_core::seen::ObjectKey;
use serin_core::split::{Backends, Destination, Effective, Split, Weight};
use serin_core::write::Write;

use self::config::{Config, Label, Route};
use self::feature::{Features, Support};
use self::managed_rule::{Allowed, Managed};
use self::status::Standing;
use crate::capability::{Capabilities, Headers, Mirrors};
use crate::fork::{Fork, Odd, Part, PartOf, Slot};
use crate::object;
use crate::patch::Patch;
use crate::reading::{Found, Reading};
use crate::refusal::{Cause, Refusal, Role};
use crate::router::{Objects, Router, Sight};
use crate::routers::ApiVersions;

mod config;
mod cookie_filter;
mod feature;
mod header_rule;
mod managed_rule;
mod mirror_rule;
mod status;

pub(crate) use self::config::NAME;

/// Traefik writes the status when it has built a configuration, and takes that up at most once in 2 s
/// (providersThrottleDuration); Envoy Gateway and istiod push within a second of theirs. The rest is reserve.
const PROPAGATION_SECONDS: i64 = 5;

/// The routes that the configuration of the Gateway API plugin names.
#[derive(Clone, Debug)]
pub struct GatewayApi {
    routes: Vec<Route>,
    label: Option<Label>,
    any_of: bool,
    total: Weight,
    /// What the mirror routes of steps need.
    features: Features,
    /// The spec has session affinity.
    cookies: bool,
}

impl GatewayApi {
    /// The router of `trafficRouting.plugins["argoproj-labs/gatewayAPI"]` of a Rollout in `namespace`; weights sum to
    /// `total`.
    ///
    /// # Errors
    /// The configuration cannot be read, names no route, or asks for route selectors.
    pub fn new(
        config: &Value,
        namespace: &str,
        total: Weight,
        versions: &ApiVersions,
    ) -> Result<Self, serin_api::Problem> {
        let Config { routes, label, any_of } = Config::read(config, namespace, versions)?;
        Ok(Self { routes, label, any_of, total, features: Features::new(), cookies: false })
    }

    /// The same router for a Rollout with these steps; without them it adds no mirror routes.
    pub fn for_steps(self, steps: &[CanaryStep]) -> Self {
        Self { features: feature::asked(steps), ..self }
    }

    /// The same router for a Rollout with session affinity, or without; without it no cookies are set.
    pub fn with_cookies(self, cookies: bool) -> Self {
        Self { cookies, ..self }
    }

    /// What is asked of the gateways of a route beyond the core of the Gateway API.
    fn asked(&self, route: &Route) -> Features {
        let mirrors = self.features.iter().filter(|_| route.mirror_rules()).copied();
        let cookies = (self.cookies && route.is_http()).then_some(feature::COOKIES);
        mirrors.chain(cookies).collect()
    }

    /// These features are asked for and may be used on the route: its gateways can, or could when they were `there`.
    fn may_use(&self, features: &Features, object: &Value, seen: &Objects, there: bool) -> bool {
        !features.is_empty()
            && match feature::support(object, features, seen) {
                Support::All => true,
                Support::Lacking(..) => false,
                Support::Unknown(_) => there,
            }
    }

    /// What must be known of gateways before mirror routes and cookies can be judged.
    fn unsupported(&self, route: &Route, object: &Value, seen: &Objects) -> Option<Support> {
        let asked = self.asked(route);
        let found = (!asked.is_empty()).then(|| feature::support(object, &asked, seen));
        found.filter(|found| *found != Support::All)
    }

    /// What is wrong with a route for what the spec asks of it.
    fn wrong(&self, route: &Route, object: &Value, (backends, seen): (&Backends, &Objects)) -> Option<Cause> {
        let Found { forks, wrong, .. } = route.find(object, backends);
        let taken = || {
            let mut forks = forks.iter().filter(|_| self.cookies && route.is_http());
            let path = forks.find_map(|fork| cookie_filter::first_taken(object, fork))?.to_owned();
            Some(Cause::HeadersTaken { object: route.key.clone(), path, found: cookie_filter::TAKEN })
        };
        let lacking = || match self.unsupported(route, object, seen) {
            Some(Support::Lacking(object, feature)) => {
                let cookies = feature == feature::COOKIES;
                let asked_by =
                    if cookies { "trafficRouting.sessionAffinity" } else { "the setMirrorRoute steps" };
                Some(Cause::Unsupported { object, feature, asked_by })
            }
            _ => None,
        };
        wrong.or_else(taken).or_else(lacking)
    }

    fn render_route(
        &self,
        route: &Route,
        object: &Value,
        backends: &Backends,
        (want, seen): (&Split, &Objects),
    ) -> Option<Write> {
        let Found { forks, headers, mirrors, .. } = route.find(object, backends);
        let mut patch = Patch::default();
        let there = headers.iter().any(|name| name.starts_with(SessionAffinity::CANARY_ROUTE));
        let asked = self.asked(route).into_iter().filter(|feature| *feature == feature::COOKIES).collect();
        let cookies = self.may_use(&asked, object, seen, there);
        let want = &Split { affinity: want.affinity.clone().filter(|_| cookies), ..want.clone() };
        for fork in &forks {
            // Before entries of experiments go: places in a list are counted before the patch.
            cookie_filter::render(&mut patch, object, want, fork);
            fork.render_all(&mut patch, (object, want), trial);
        }
        if let Some(Label { key, value }) = &self.label {
            if want.canary.0 > 0 && !forks.is_empty() {
                patch.put_entry(object, "/metadata/labels", key, value);
            } else if want.canary.0 == 0 {
                patch.drop_entry(object, "/metadata/labels", key, value);
            }
        }
        let mirrors = route.mirror_rules() && self.may_use(&self.features, object, seen, !mirrors.is_empty());
        let headers = route.header_rules();
        let allowed = Allowed { headers, mirrors, cookies, any_of: self.any_of };
        let place = (route.key.namespace.as_str(), object);
        managed_rule::render(&mut patch, place, (want, allowed), backends, &forks);
        patch.into_write(&route.key)
    }
}

impl Route {
    /// The rules with both Services. Rules that steps added, and those of the user with one Service or none, are not
    /// weighted.
    fn find(&self, object: &Value, backends: &Backends) -> Found {
        let mut found = Found::default();
        for (index, rule) in object::list(object, "/spec/rules").iter().enumerate() {
            let name = object::text(rule, "name").map(str::to_owned);
            let fork = self.fork(index, rule, backends);
            match managed_rule::managed(rule, &self.key.namespace, backends) {
                Some(Managed::Header) => found.headers.extend(name),
                Some(Managed::Stable) => {}
                Some(Managed::Mirror) => {
                    found.mirrors.extend(name);
                    found.shares.extend(fork.ok().map(|fork| fork.share()));
                }
                None => match fork {
                    Ok(fork) => found.forks.push(fork),
                    Err(Odd::Missing(_)) => {}
                    Err(Odd::Twice(role)) => {
                        found.complain(self.twice(role, format!("/spec/rules/{index}"), backends));
                    }
                },
            }
        }
        if found.forks.is_empty() {
            let Backends { canary_service, stable_service, namespace, .. } = backends.clone();
            let object = self.key.clone();
            found.complain(Cause::BackendsMissing {
                object,
                canary: canary_service,
                stable: stable_service,
                namespace,
            });
        }
        found
    }

    fn fork(&self, index: usize, rule: &Value, backends: &Backends) -> Result<Fork, Odd> {
        let pointer = format!("/spec/rules/{index}");
        let refs = object::list(rule, "/backendRefs").iter().enumerate();
        let entries = refs.map(|(index, entry)| {
            let slot = Slot {
                path: format!("{pointer}/backendRefs/{index}"),
                leaf: "weight".to_owned(),
                identity: identity(entry),
                written: entry.get("weight").cloned(),
                otherwise: 1,
            };
            (part(entry, &self.key.namespace, backends), slot)
        });
        Fork::sort(pointer.clone(), guards(rule, &pointer), entries)
    }

    fn twice(&self, role: Role, path: String, backends: &Backends) -> Cause {
        let name = match role {
            Role::Canary => backends.canary_service.clone(),
            Role::Stable => backends.stable_service.clone(),
        };
        Cause::DestinationTwice { object: self.key.clone(), path, role, what: "Service", name }
    }

    fn refuse(&self, cause: Cause) -> Refusal {
        Refusal { path: self.path.clone(), value: self.key.name.clone(), cause }
    }
}

/// A Service of the Rollout's namespace, told apart by its name.
pub(super) fn part(entry: &Value, namespace: &str, backends: &Backends) -> Part {
    let service = matches!(object::text(entry, "kind"), None | Some("Service"))
        && matches!(object::text(entry, "group"), None | Some(""));
    let here = object::text(entry, "namespace").unwrap_or(namespace) == backends.namespace;
    match object::text(entry, "name").filter(|name| service && here && !name.is_empty()) {
        Some(name) => backends.part(name),
        None => Part::Other,
    }
}

/// The backend of an experiment, as that of the canary.
pub(super) fn trial(canary: &Value, other: &Destination) -> Option<Value> {
    let mut entry = cookie_filter::without(canary.as_object()?);
    entry.insert("name".to_owned(), json!(other.service));
    entry.insert("weight".to_owned(), json!(other.weight.0));
    other.port.into_iter().for_each(|port| drop(entry.insert("port".to_owned(), json!(port))));
    Some(Value::Object(entry))
}

fn identity(entry: &Value) -> Vec<(&'static str, Value)> {
    let fields = ["name", "namespace"].into_iter();
    fields.filter_map(|field| Some((field, entry.get(field)?.clone()))).collect()
}

/// A rule is known by its name or, without one, by what it matches.
fn guards(rule: &Value, pointer: &str) -> Vec<(String, Value)> {
    let known = ["name", "matches"].into_iter().find_map(|field| Some((field, rule.get(field)?)));
    known.into_iter().map(|(field, value)| (format!("{pointer}/{field}"), value.clone())).collect()
}

impl Router for GatewayApi {
    fn name(&self) -> String {
        self.routes.iter().map(|route| route.key.to_string()).collect::<Vec<_>>().join(", ")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            headers: if self.routes.iter().any(Route::header_rules) { Headers::Any } else { Headers::No },
            mirrors: if self.routes.iter().any(Route::mirror_rules) {
                Mirrors::ExactMethod
            } else {
                Mirrors::No
            },
            max_weight: true,
            additional: true,
            affinity: self.routes.iter().any(Route::is_http),
            role_change: true,
            confirms: false,
            propagation_seconds: PROPAGATION_SECONDS,
        }
    }

    fn needs(&self) -> Vec<ObjectKey> {
        self.routes.iter().map(|route| route.key.clone()).collect()
    }

    fn further(&self, seen: &Objects) -> Vec<ObjectKey> {
        let asked = self.routes.iter().filter(|route| !self.asked(route).is_empty());
        let objects = asked.filter_map(|route| Sight::of(seen, &route.key).object());
        objects.flat_map(|object| feature::further(object, seen)).collect()
    }

    fn refusal(&self, backends: &Backends, seen: &Objects) -> Option<Refusal> {
        self.routes.iter().find_map(|route| match Sight::of(seen, &route.key) {
            Sight::Absent => Some(route.refuse(Cause::Missing { object: route.key.clone() })),
            Sight::Fresh(object) | Sight::Stale(object) => {
                self.wrong(route, object, (backends, seen)).map(|cause| route.refuse(cause))
            }
            Sight::Unknown(_) => None,
        })
    }

    fn effective(&self, backends: &Backends, seen: &Objects) -> Effective {
        let mut reading = Reading::of(self.total);
        for route in &self.routes {
            let sight = Sight::of(seen, &route.key);
            reading.look(&route.key, &sight, |object| route.find(object, backends));
            match sight.object().map(status::standing) {
                Some(Standing::Waiting) => reading.wait(),
                Some(Standing::Doubtful(why)) => reading.doubt(format!("{}: {why}", route.key)),
                Some(Standing::Accepted) | None => {}
            }
            match sight.object().and_then(|object| self.unsupported(route, object, seen)) {
                Some(Support::Unknown(why)) => reading.doubt(format!("{}: {why}", route.key)),
                Some(Support::Lacking(..) | Support::All) | None => {}
            }
        }
        reading.effective()
    }

    fn render(&self, backends: &Backends, want: &Split, seen: &Objects) -> Vec<Write> {
        let fresh = self.routes.iter().filter_map(|route| match Sight::of(seen, &route.key) {
            Sight::Fresh(object) => self.render_route(route, object, backends, (want, seen)),
            Sight::Stale(_) | Sight::Absent | Sight::Unknown(_) => None,
        });
        fresh.collect()
    }

    fn release(&self, backends: &Backends, seen: &Objects) -> Vec<Write> {
        self.render(backends, &Split::all_stable(self.total), seen)
    }
}
