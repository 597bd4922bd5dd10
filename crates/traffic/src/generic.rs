//! Translates a Split to and from two weights in objects of any kind, whose places the Rollout tells.

use std::collections::BTreeSet;

use serde_json::Value;
use serin_api::Problem;
use serin_core::seen::ObjectKey;
use serin_core::split::{Backends, Effective, Split, Weight};
use serin_core::write::Write;

use self::config::{Ready, Target};
use self::path::{Path, Place};
use crate::capability::{Capabilities, Headers, Mirrors};
use crate::fork::{Fork, Slot};
use crate::object;
use crate::patch::Patch;
use crate::reading::{Found, Reading};
use crate::refusal::{Cause, Refusal};
use crate::router::{Objects, Router, Sight};

mod config;
mod path;

/// Objects of any kind with a weight for the canary and one for stable.
#[derive(Clone, Debug)]
pub struct Generic {
    targets: Vec<Target>,
    total: Weight,
}

impl Generic {
    /// The router of `trafficRouting.plugins["serin.dev/generic"]` of a Rollout in `namespace`; weights sum to `total`.
    ///
    /// # Errors
    /// The configuration cannot be read, or has a path that cannot be followed or must not be written.
    pub fn new(config: &Value, namespace: &str, total: Weight) -> Result<Self, Problem> {
        Ok(Self { targets: config::read(config, namespace, total)?, total })
    }

    fn keys(&self) -> BTreeSet<&ObjectKey> {
        self.targets.iter().map(|target| &target.key).collect()
    }

    /// How many parts of the weights of an object one part of the weights of the Rollout is.
    fn parts(&self, target: &Target) -> u32 {
        target.total.0.checked_div(self.total.0).unwrap_or(1)
    }
}

impl Target {
    /// Both weights are found by the names of the Services, so that they are found again when these change roles.
    fn names_both(&self) -> bool {
        let names = |path: &Path, placeholder: &str| path.to_string().contains(placeholder);
        names(&self.canary, "{canaryService}") && names(&self.stable, "{stableService}")
    }

    fn find(&self, object: &Value, backends: &Backends) -> Found {
        let mut found = Found::default();
        match self.fork(object, backends) {
            Ok(fork) => {
                let unread = [&fork.canary, &fork.stable].into_iter().find(|slot| slot.weight() == UNREAD);
                let why =
                    |slot: &Slot| format!("no weight is at {}/{} of {}", slot.path, slot.leaf, self.key);
                found.unclear = unread.map(why).or_else(|| self.unready(object, backends, &mut found.lags));
                found.forks.push(fork);
            }
            Err((_, cause)) => found.complain(*cause),
        }
        found
    }

    /// Both weights; otherwise the field that has the wrong path, and why.
    fn fork(&self, object: &Value, backends: &Backends) -> Result<Fork, (&'static str, Box<Cause>)> {
        if !self.admits(object, &backends.namespace) {
            let (object, namespace) = (self.key.clone(), backends.namespace.clone());
            return Err((
                "namespace",
                Box::new(Cause::NotAdmitted { object, namespace, annotation: ADMITTED }),
            ));
        }
        let lost = |path: &Path, why: String| {
            Box::new(Cause::Lost { object: self.key.clone(), path: path.to_string(), why })
        };
        let slot = |field: &'static str, path: &Path| {
            let place = path.follow(object, backends).map_err(|why| (field, lost(path, why)))?;
            match place.value {
                None | Some(Value::Null | Value::Number(_)) => Ok(place),
                Some(other) => Err((field, lost(path, format!("{other} is no number")))),
            }
        };
        let canary = slot("canaryWeight", &self.canary)?;
        let stable = slot("stableWeight", &self.stable)?;
        if (&canary.parent, &canary.leaf) == (&stable.parent, &stable.leaf) {
            let why = "it is the weight of the canary, too".to_owned();
            return Err(("stableWeight", lost(&self.stable, why)));
        }
        let mut guards = canary.guards.clone();
        guards.extend(stable.guards.clone());
        let (canary, stable) = (entry(canary), entry(stable));
        Ok(Fork { rule: String::new(), guards, canary, stable, additional: Vec::new(), others: 0 })
    }

    /// An object of another namespace says itself from where it may be written: paths could lead to any number in it.
    fn admits(&self, object: &Value, namespace: &str) -> bool {
        let listed = object::annotation(object, ADMITTED).unwrap_or_default();
        self.key.namespace == namespace || listed.split(',').any(|listed| listed.trim() == namespace)
    }

    /// Why the data plane cannot be taken as following; `lags` when it will be.
    fn unready(&self, object: &Value, backends: &Backends, lags: &mut bool) -> Option<String> {
        let Ready { value, generation } = &self.ready;
        let shown = |path: &Path| path.follow(object, backends).ok().and_then(|place| place.value);
        let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
        let current = generation.as_ref().is_none_or(|path| {
            shown(path).and_then(number).is_some_and(|observed| observed >= object::generation(object))
        });
        let Some((path, equals)) = value.as_ref().filter(|_| current) else {
            *lags |= !current;
            return None;
        };
        match shown(path) {
            Some(shown) if shown == equals => None,
            // News of this generation that is bad does not become good by waiting.
            Some(shown) if generation.is_some() => {
                Some(format!("{path} of {} is {shown}, and not {equals}", self.key))
            }
            _ => {
                *lags = true;
                None
            }
        }
    }
}

/// Annotation of an object with the namespaces, parted by commas, whose Rollouts may write its weights.
const ADMITTED: &str = "serin.dev/rollouts-from";

/// No weight that the data plane could see is known.
const UNREAD: u32 = u32::MAX;

fn entry(place: Place) -> Slot {
    let Place { parent, leaf, guards: _, value } = place;
    Slot { path: parent, leaf, identity: Vec::new(), written: value.cloned(), otherwise: UNREAD }
}

impl Router for Generic {
    fn name(&self) -> String {
        self.keys().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            headers: Headers::No,
            mirrors: Mirrors::No,
            max_weight: true,
            additional: false,
            affinity: false,
            role_change: self.targets.iter().all(Target::names_both),
            confirms: false,
            propagation_seconds: self
                .targets
                .iter()
                .map(|target| target.propagation_seconds)
                .max()
                .unwrap_or_default(),
        }
    }

    fn needs(&self) -> Vec<ObjectKey> {
        self.keys().into_iter().cloned().collect()
    }

    fn further(&self, _seen: &Objects) -> Vec<ObjectKey> {
        Vec::new()
    }

    fn refusal(&self, backends: &Backends, seen: &Objects) -> Option<Refusal> {
        self.targets.iter().find_map(|target| {
            let (field, value, cause) = match Sight::of(seen, &target.key) {
                Sight::Absent => {
                    ("name", target.key.name.clone(), Cause::Missing { object: target.key.clone() })
                }
                sight => {
                    let (field, cause) = target.fork(sight.object()?, backends).err()?;
                    let value = match field {
                        "canaryWeight" => target.canary.to_string(),
                        "stableWeight" => target.stable.to_string(),
                        _ => target.key.namespace.clone(),
                    };
                    (field, value, *cause)
                }
            };
            Some(Refusal { path: format!("{}.{field}", target.path), value, cause })
        })
    }

    fn effective(&self, backends: &Backends, seen: &Objects) -> Effective {
        let mut reading = Reading::of(self.total);
        for target in &self.targets {
            let sight = Sight::of(seen, &target.key);
            reading.look(&target.key, &sight, |object| target.find(object, backends));
        }
        reading.effective()
    }

    fn render(&self, backends: &Backends, want: &Split, seen: &Objects) -> Vec<Write> {
        let write = |key: &ObjectKey| {
            let Sight::Fresh(object) = Sight::of(seen, key) else { return None };
            let mut patch = Patch::default();
            for target in self.targets.iter().filter(|target| target.key == *key) {
                let canary = Weight(want.canary.0.saturating_mul(self.parts(target)));
                for fork in target.find(object, backends).forks {
                    fork.render(&mut patch, target.total, canary);
                }
            }
            patch.into_write(key)
        };
        self.keys().into_iter().filter_map(write).collect()
    }

    fn release(&self, backends: &Backends, seen: &Objects) -> Vec<Write> {
        self.render(backends, &Split::all_stable(self.total), seen)
    }
}
