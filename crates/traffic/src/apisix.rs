//! Translates a Split to and from the backends of an ApisixRoute, and ApisixRoutes of our own for header routes.
//!
//! The conditions of the route are heard where a version of the controller writes their generation; a change is taken as
//! followed [`PROPAGATION_SECONDS`] after that.

use serde_json::{Map, Value, json};
use serin_api::{ApisixTrafficRouting, ManagedRoute, Problem};
use serin_core::seen::ObjectKey;
use serin_core::split::{Backends, Destination, Effective, PERCENT, Split};
use serin_core::write::Write;

use crate::capability::{Capabilities, Headers, Mirrors};
use crate::fork::{Fork, Odd, PartOf, Slot};
use crate::object;
use crate::owned::{self, Holder};
use crate::patch::Patch;
use crate::reading::{Found, Reading};
use crate::refusal::{Cause, Refusal, Role};
use crate::router::{Objects, Router, Sight};

mod header_route;

/// The controller writes to APISIX, whose workers see it within a second; the rest is for the controller, which may be
/// behind after a restart of its own.
const PROPAGATION_SECONDS: i64 = 10;

const PATH: &str = "spec.strategy.canary.trafficRouting.apisix.route";

/// An ApisixRoute and which of its rules are weighted.
#[derive(Clone, Debug)]
pub struct Apisix {
    key: ObjectKey,
    rules: Vec<String>,
    /// The ApisixRoutes of header routes.
    managed: Vec<ObjectKey>,
}

impl Apisix {
    /// The router of `spec.strategy.canary.trafficRouting.apisix` of a Rollout in `namespace` with these managed routes.
    ///
    /// # Errors
    /// No route is named, or a managed route has its name.
    pub fn new(
        spec: &ApisixTrafficRouting,
        namespace: &str,
        managed: &[ManagedRoute],
    ) -> Result<Self, Problem> {
        let Some(route) = spec.route.as_ref().filter(|route| !route.name.is_empty()) else {
            let message = "name the ApisixRoute that has both Services as backends".to_owned();
            return Err(Problem::Missing { path: format!("{PATH}.name"), message });
        };
        if managed.iter().any(|managed| managed.name == route.name) {
            let message =
                "is the name of a managed route, too, which needs an ApisixRoute of its own; rename that";
            let (path, value) = (format!("{PATH}.name"), Value::from(route.name.as_str()).to_string());
            return Err(Problem::Invalid { path, value, message: message.to_owned() });
        }
        let key = |name: &str| ObjectKey::new("apisix.apache.org", "v2", "ApisixRoute", namespace, name);
        let names = managed.iter().map(|route| route.name.as_str()).filter(|name| !name.is_empty());
        let rules = route.rules.clone().filter(|rules| !rules.is_empty());
        Ok(Self {
            key: key(&route.name),
            rules: rules.unwrap_or_else(|| vec![route.name.clone()]),
            managed: names.map(key).collect(),
        })
    }

    fn find(&self, object: &Value, backends: &Backends) -> Found {
        let mut found = Found::default();
        for name in &self.rules {
            let rules = object::list(object, "/spec/http").iter().enumerate();
            let named: Vec<_> = rules.filter(|(_, rule)| object::text(rule, "name") == Some(name)).collect();
            if named.is_empty() {
                let (object, rule) = (self.key.clone(), name.clone());
                let (list, field) = ("spec.http", "apisix.route.rules");
                found.complain(Cause::NamedMissing { object, rule, list, field });
            }
            for (index, rule) in named {
                match self.fork(index, rule, backends) {
                    Ok(fork) => found.forks.push(fork),
                    Err(cause) => found.complain(*cause),
                }
            }
        }
        self.hear(object, &mut found);
        found
    }

    fn fork(&self, index: usize, rule: &Value, backends: &Backends) -> Result<Fork, Box<Cause>> {
        let pointer = format!("/spec/http/{index}");
        let entries = object::list(rule, "/backends").iter().enumerate().map(|(index, entry)| {
            let name = object::text(entry, "serviceName").unwrap_or_default();
            let slot = Slot {
                path: format!("{pointer}/backends/{index}"),
                leaf: "weight".to_owned(),
                identity: vec![("serviceName", Value::from(name))],
                written: entry.get("weight").cloned(),
                otherwise: 100,
            };
            (backends.part(name), slot)
        });
        let guard = rule.get("name").map(|name| (format!("{pointer}/name"), name.clone()));
        Fork::sort(pointer.clone(), guard.into_iter().collect(), entries).map_err(|odd| {
            let (object, path, what) = (self.key.clone(), pointer, "Service");
            let (Odd::Missing(role) | Odd::Twice(role)) = odd;
            let name = match role {
                Role::Canary => backends.canary_service.clone(),
                Role::Stable => backends.stable_service.clone(),
            };
            Box::new(match odd {
                Odd::Missing(_) => Cause::DestinationMissing { object, path, role, what, name },
                Odd::Twice(_) => Cause::DestinationTwice { object, path, role, what, name },
            })
        })
    }

    /// What the controller says of this generation, where it says of which one.
    fn hear(&self, object: &Value, found: &mut Found) {
        let conditions = object::list(object, "/status/conditions").iter();
        let known = |condition: &&Value| {
            matches!(object::text(condition, "type"), Some("ResourcesAvailable" | "Accepted"))
        };
        for condition in conditions.filter(known) {
            let Some(observed) = condition.get("observedGeneration").and_then(Value::as_i64) else {
                continue;
            };
            let say = |field| object::text(condition, field).unwrap_or_default();
            if observed < object::generation(object) {
                found.lags = true;
            } else if say("status") != "True" {
                let (kind, status, message) = (say("type"), say("status"), say("message"));
                found.unclear = Some(format!("{}: {kind} is {status}: {message}", self.key));
            }
        }
    }

    fn render_base(&self, object: &Value, backends: &Backends, want: &Split) -> Option<Write> {
        let mut patch = Patch::default();
        for fork in &self.find(object, backends).forks {
            fork.render_all(&mut patch, (object, want), trial);
        }
        patch.into_write(&self.key)
    }

    fn render_header(
        &self,
        key: &ObjectKey,
        backends: &Backends,
        want: &Split,
        seen: &Objects,
    ) -> Option<Write> {
        let wanted = want.headers.iter().find(|route| route.name == key.name && !route.matches.is_empty());
        let base = match Sight::of(seen, &self.key) {
            Sight::Fresh(base) => Some(base),
            _ => None,
        };
        let spec = |base: &Value| header_route::spec(base, wanted?, &self.find(base, backends).forks);
        match (Sight::of(seen, key), wanted) {
            (Sight::Absent, Some(_)) => owned::create(key, annotations(base?), spec(base?)?, backends),
            (Sight::Fresh(object), _) if owned::holder(object, backends) != Holder::Ours => None,
            (Sight::Fresh(object), Some(_)) => {
                let mut patch = owned::patch(object, backends);
                patch.set(object, "/spec", spec(base?)?);
                patch.into_write(key)
            }
            (Sight::Fresh(object), None) => owned::delete(key, object),
            _ => None,
        }
    }

    fn foreign(&self, backends: &Backends, seen: &Objects) -> Option<(&ObjectKey, Cause)> {
        self.managed.iter().find_map(|key| {
            let object = Sight::of(seen, key).object()?;
            let ours = owned::holder(object, backends) == Holder::Ours;
            (!ours).then(|| (key, Cause::Duplicate { object: key.clone() }))
        })
    }
}

/// The destination of an experiment, as that of the canary.
fn trial(canary: &Value, other: &Destination) -> Option<Value> {
    let mut entry = canary.as_object()?.clone();
    entry.insert("serviceName".to_owned(), json!(other.service));
    entry.insert("weight".to_owned(), json!(other.weight.0));
    other.port.into_iter().for_each(|port| drop(entry.insert("servicePort".to_owned(), json!(port))));
    Some(Value::Object(entry))
}

/// The class of the controller that serves the route; labels of GitOps tools would make them delete the copy.
fn annotations(base: &Value) -> Map<String, Value> {
    const CLASS: &str = "kubernetes.io/ingress.class";
    object::annotation(base, CLASS).map(|class| (CLASS.to_owned(), Value::from(class))).into_iter().collect()
}

impl Router for Apisix {
    fn name(&self) -> String {
        self.key.to_string()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            headers: Headers::Any,
            mirrors: Mirrors::No,
            max_weight: false,
            additional: true,
            affinity: false,
            role_change: true,
            confirms: false,
            propagation_seconds: PROPAGATION_SECONDS,
        }
    }

    fn needs(&self) -> Vec<ObjectKey> {
        [self.key.clone()].into_iter().chain(self.managed.clone()).collect()
    }

    fn further(&self, _seen: &Objects) -> Vec<ObjectKey> {
        Vec::new()
    }

    fn refusal(&self, backends: &Backends, seen: &Objects) -> Option<Refusal> {
        let cause = match Sight::of(seen, &self.key) {
            Sight::Absent => Some(Cause::Missing { object: self.key.clone() }),
            sight => sight.object().and_then(|object| self.find(object, backends).wrong),
        };
        if let Some(cause) = cause {
            return Some(Refusal { path: format!("{PATH}.name"), value: self.key.name.clone(), cause });
        }
        let (key, cause) = self.foreign(backends, seen)?;
        let path = "spec.strategy.canary.trafficRouting.managedRoutes".to_owned();
        Some(Refusal { path, value: key.name.clone(), cause })
    }

    fn effective(&self, backends: &Backends, seen: &Objects) -> Effective {
        let mut reading = Reading::of(PERCENT);
        reading.look(&self.key, &Sight::of(seen, &self.key), |object| self.find(object, backends));
        for key in &self.managed {
            let sight = Sight::of(seen, key);
            reading.heed(&sight);
            if sight.object().is_some_and(|object| owned::holder(object, backends) == Holder::Ours) {
                reading.add(Found { headers: vec![key.name.clone()], ..Found::default() });
            }
        }
        if let Some((_, cause)) = self.foreign(backends, seen) {
            reading.doubt(cause.to_string());
        }
        reading.effective()
    }

    fn render(&self, backends: &Backends, want: &Split, seen: &Objects) -> Vec<Write> {
        let base = match Sight::of(seen, &self.key) {
            Sight::Fresh(object) => self.render_base(object, backends, want),
            Sight::Stale(_) | Sight::Absent | Sight::Unknown(_) => None,
        };
        let headers = self.managed.iter().filter_map(|key| self.render_header(key, backends, want, seen));
        base.into_iter().chain(headers).collect()
    }

    fn release(&self, backends: &Backends, seen: &Objects) -> Vec<Write> {
        self.render(backends, &Split::all_stable(PERCENT), seen)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_route_must_be_named_and_differ_from_managed_routes() {
        let managed = [ManagedRoute { name: "staff".to_owned() }];
        for (spec, words) in [
            (json!({}), "name the ApisixRoute"),
            (json!({"route": {"name": ""}}), "name the ApisixRoute"),
            (json!({"route": {"name": "staff"}}), "is the name of a managed route, too"),
        ] {
            let problem = Apisix::new(&serde_json::from_value(spec).unwrap(), "shop", &managed).unwrap_err();
            assert!(problem.to_string().contains(words), "{problem}");
        }
    }
}
