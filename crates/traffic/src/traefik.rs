//! Translates a Split to and from the weights of a TraefikService.

use serde_json::{Value, json};
use serin_api::TraefikTrafficRouting;
use serin_core::seen::ObjectKey;
use serin_core::split::{Backends, Destination, Effective, PERCENT, Split};
use serin_core::write::Write;

use crate::capability::{Capabilities, Headers, Mirrors};
use crate::fork::{Fork, Odd, Part, PartOf, Slot};
use crate::object;
use crate::patch::Patch;
use crate::reading::{Found, Reading};
use crate::refusal::{Cause, Refusal, Role};
use crate::router::{Objects, Router, Sight};

/// Traefik takes up a change at most once in 2 s (providersThrottleDuration), and has no status to say so; 3 s are
/// left for the watch and for building the new configuration.
const PROPAGATION_SECONDS: i64 = 5;

const SERVICES: &str = "/spec/weighted/services";

/// A TraefikService with `spec.weighted`.
#[derive(Clone, Debug)]
pub struct Traefik {
    key: ObjectKey,
}

impl Traefik {
    /// The router of `spec.strategy.canary.trafficRouting.traefik` of a Rollout in `namespace`.
    pub fn new(spec: &TraefikTrafficRouting, namespace: &str) -> Self {
        let name = &spec.weighted_traefik_service_name;
        Self { key: ObjectKey::new("traefik.io", "v1alpha1", "TraefikService", namespace, name) }
    }

    fn find(&self, object: &Value, backends: &Backends) -> Found {
        match self.fork(object, backends) {
            Ok(fork) => Found { forks: vec![fork], ..Found::default() },
            Err(cause) => Found { wrong: Some(*cause), ..Found::default() },
        }
    }

    fn fork(&self, object: &Value, backends: &Backends) -> Result<Fork, Box<Cause>> {
        let entries =
            object.pointer(SERVICES).and_then(Value::as_array).ok_or_else(|| Cause::EntryMissing {
                object: self.key.clone(),
                words: "spec.weighted.services was not found in traefik service manifest",
                path: SERVICES,
                name: backends.stable_service.clone(),
            })?;
        let entries = entries.iter().enumerate().map(|(index, entry)| {
            let name = object::text(entry, "name").unwrap_or_default();
            let slot = Slot {
                path: format!("{SERVICES}/{index}"),
                leaf: "weight".to_owned(),
                identity: vec![("name", Value::from(name))],
                written: entry.get("weight").cloned(),
                otherwise: 1,
            };
            (part(entry, backends), slot)
        });
        let fork = Fork::sort(SERVICES.to_owned(), Vec::new(), entries);
        fork.map_err(|odd| Box::new(self.cause(odd, backends)))
    }

    fn cause(&self, odd: Odd, backends: &Backends) -> Cause {
        let object = self.key.clone();
        let (Odd::Missing(role) | Odd::Twice(role)) = odd;
        let (words, name) = match role {
            Role::Canary => ("traefik canary service was not found", backends.canary_service.clone()),
            Role::Stable => ("traefik stable service was not found", backends.stable_service.clone()),
        };
        match odd {
            Odd::Missing(_) => Cause::EntryMissing { object, words, path: SERVICES, name },
            Odd::Twice(_) => {
                Cause::DestinationTwice { object, path: SERVICES.to_owned(), role, what: "Service", name }
            }
        }
    }

    fn refuse(&self, cause: Cause) -> Refusal {
        let path = "spec.strategy.canary.trafficRouting.traefik.weightedTraefikServiceName".to_owned();
        Refusal { path, value: self.key.name.clone(), cause }
    }
}

/// A Kubernetes Service of the Rollout's namespace, told apart by its name.
fn part(entry: &Value, backends: &Backends) -> Part {
    let service = matches!(object::text(entry, "kind"), None | Some("Service"));
    let here = object::text(entry, "namespace").is_none_or(|namespace| namespace == backends.namespace);
    match object::text(entry, "name").filter(|name| service && here && !name.is_empty()) {
        Some(name) => backends.part(name),
        None => Part::Other,
    }
}

/// The destination of an experiment, as that of the canary.
fn trial(canary: &Value, other: &Destination) -> Option<Value> {
    let mut entry = canary.as_object()?.clone();
    entry.insert("name".to_owned(), json!(other.service));
    entry.insert("weight".to_owned(), json!(other.weight.0));
    other.port.into_iter().for_each(|port| drop(entry.insert("port".to_owned(), json!(port))));
    Some(Value::Object(entry))
}

impl Router for Traefik {
    fn name(&self) -> String {
        self.key.to_string()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            headers: Headers::No,
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
        vec![self.key.clone()]
    }

    fn further(&self, _seen: &Objects) -> Vec<ObjectKey> {
        Vec::new()
    }

    fn refusal(&self, backends: &Backends, seen: &Objects) -> Option<Refusal> {
        let cause = match Sight::of(seen, &self.key) {
            Sight::Absent => Cause::Missing { object: self.key.clone() },
            Sight::Fresh(object) | Sight::Stale(object) => *self.fork(object, backends).err()?,
            Sight::Unknown(_) => return None,
        };
        Some(self.refuse(cause))
    }

    fn effective(&self, backends: &Backends, seen: &Objects) -> Effective {
        let mut reading = Reading::of(PERCENT);
        reading.look(&self.key, &Sight::of(seen, &self.key), |object| self.find(object, backends));
        reading.effective()
    }

    fn render(&self, backends: &Backends, want: &Split, seen: &Objects) -> Vec<Write> {
        let Sight::Fresh(object) = Sight::of(seen, &self.key) else {
            return Vec::new();
        };
        let mut patch = Patch::default();
        for fork in &self.find(object, backends).forks {
            fork.render_all(&mut patch, (object, want), trial);
        }
        patch.into_write(&self.key).into_iter().collect()
    }

    fn release(&self, backends: &Backends, seen: &Objects) -> Vec<Write> {
        self.render(backends, &Split::all_stable(PERCENT), seen)
    }
}
