//! Translates a Split to and from the TrafficSplit of the Service Mesh Interface, an object of our own.
//!
//! The meshes that read it report nothing, so a change is taken as followed after [`PROPAGATION_SECONDS`].

use serde_json::{Value, json};
use serin_api::{Problem, SmiTrafficRouting};
use serin_core::seen::ObjectKey;
use serin_core::split::{Backends, Effective, PERCENT, Split, Weight};
use serin_core::write::Write;

use crate::capability::{Capabilities, Headers, Mirrors};
use crate::fork::Share;
use crate::object;
use crate::owned::{self, Holder};
use crate::reading::{Found, Reading};
use crate::refusal::Refusal;
use crate::router::{Objects, Router, Sight};

/// No mesh gives a bound; those that translate TrafficSplits push to their proxies within seconds of a change.
const PROPAGATION_SECONDS: i64 = 15;

const PATH: &str = "spec.strategy.canary.trafficRouting.smi";
const BACKENDS: &str = "/spec/backends";

/// The TrafficSplit of a Rollout.
#[derive(Clone, Debug)]
pub struct Smi {
    key: ObjectKey,
    root: Option<String>,
    /// Weights are quantities, which are text.
    text: bool,
}

impl Smi {
    /// The router of `spec.strategy.canary.trafficRouting.smi` of the Rollout `name` in `namespace`; `version` is that of
    /// `split.smi-spec.io`.
    ///
    /// # Errors
    /// A version whose weights are not known.
    pub fn new(
        spec: &SmiTrafficRouting,
        (namespace, name): (&str, &str),
        version: &str,
    ) -> Result<Self, Problem> {
        if !["v1alpha1", "v1alpha2", "v1alpha3", "v1alpha4"].contains(&version) {
            let message =
                format!("Unsupported TrafficSplit API version `{version}`; use one of v1alpha1 to v1alpha4");
            return Err(Problem::Invalid { path: PATH.to_owned(), value: version.to_owned(), message });
        }
        let given = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
        let name = given(&spec.traffic_split_name).unwrap_or_else(|| name.to_owned());
        Ok(Self {
            key: ObjectKey::new("split.smi-spec.io", version, "TrafficSplit", namespace, &name),
            root: given(&spec.root_service),
            text: version == "v1alpha1",
        })
    }

    /// The Service that clients use.
    fn root<'r>(&'r self, backends: &'r Backends) -> &'r str {
        self.root.as_deref().unwrap_or(&backends.stable_service)
    }

    /// Canary, experiments, stable: the order that users know.
    fn backends(&self, backends: &Backends, want: &Split) -> Value {
        let weight = |weight: Weight| if self.text { json!(weight.to_string()) } else { json!(weight.0) };
        let entry = |service: &str, share: Weight| json!({"service": service, "weight": weight(share)});
        let additional = want.additional.iter().map(|other| entry(&other.service, other.weight));
        [entry(&backends.canary_service, want.canary)]
            .into_iter()
            .chain(additional)
            .chain([entry(&backends.stable_service, want.stable())])
            .collect()
    }

    fn find(&self, object: &Value, backends: &Backends) -> Found {
        let mut found = Found::default();
        let mut share = Share { canary: 0, stable: 0, others: 0 };
        for entry in object::list(object, BACKENDS) {
            let service = object::text(entry, "service").unwrap_or_default();
            let Some(weight) = entry.get("weight").and_then(weight) else {
                found.unclear = Some(format!("the weight of {service} in {} is no whole number", self.key));
                continue;
            };
            let part = match service {
                service if service == backends.canary_service => &mut share.canary,
                service if service == backends.stable_service => &mut share.stable,
                other => {
                    found.additional.push((other.to_owned(), Weight(weight)));
                    &mut share.others
                }
            };
            *part = part.saturating_add(weight);
        }
        if object.pointer("/spec/service").and_then(Value::as_str) != Some(self.root(backends)) {
            found.lags = true;
        }
        if share == (Share { canary: 0, stable: 0, others: 0 }) {
            found.unclear = Some(format!("{} gives no backend a weight", self.key));
        }
        found.shares.push(share);
        found
    }
}

/// A whole number, also in the form of a quantity.
fn weight(value: &Value) -> Option<u32> {
    object::count(value).or_else(|| value.as_str()?.parse().ok())
}

impl Router for Smi {
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
            role_change: self.root.is_some(),
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
        let cause = owned::refuse(&self.key, Sight::of(seen, &self.key).object()?, backends)?;
        Some(Refusal { path: format!("{PATH}.trafficSplitName"), value: self.key.name.clone(), cause })
    }

    fn effective(&self, backends: &Backends, seen: &Objects) -> Effective {
        let mut reading = Reading::of(PERCENT);
        let sight = Sight::of(seen, &self.key);
        reading.heed(&sight);
        if let Some(refusal) = self.refusal(backends, seen) {
            reading.doubt(refusal.cause.to_string());
        }
        match sight.object() {
            Some(object) => reading.add(self.find(object, backends)),
            // Without a split the Service gets what it selects: stable, unless clients use one of their own.
            None if self.root(backends) == backends.stable_service => {
                reading.share(Share { canary: 0, stable: PERCENT.0, others: 0 });
            }
            None => reading.doubt(format!("{} has not been created yet", self.key)),
        }
        reading.effective()
    }

    fn render(&self, backends: &Backends, want: &Split, seen: &Objects) -> Vec<Write> {
        let (service, entries) = (json!(self.root(backends)), self.backends(backends, want));
        let write = match Sight::of(seen, &self.key) {
            Sight::Absent => {
                let spec = json!({"service": service, "backends": entries});
                owned::create(&self.key, serde_json::Map::new(), spec, backends)
            }
            Sight::Fresh(object) if owned::holder(object, backends) == Holder::Ours => {
                let mut patch = owned::patch(object, backends);
                patch.set(object, "/spec/service", service);
                patch.set(object, BACKENDS, entries);
                patch.into_write(&self.key)
            }
            Sight::Fresh(_) | Sight::Stale(_) | Sight::Unknown(_) => None,
        };
        write.into_iter().collect()
    }

    fn release(&self, backends: &Backends, seen: &Objects) -> Vec<Write> {
        match Sight::of(seen, &self.key) {
            Sight::Fresh(object) if owned::holder(object, backends) == Holder::Ours => {
                owned::delete(&self.key, object).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serin_core::split::{Destination, Owner};

    use super::*;

    fn backends() -> Backends {
        let text = str::to_owned;
        Backends {
            namespace: text("shop"),
            rollout: text("web"),
            canary_service: text("canary"),
            stable_service: text("stable"),
            canary_hash: text("v2"),
            stable_hash: text("v1"),
            ping_pong: false,
            experiments: Vec::new(),
            managed_routes: Vec::new(),
            owner: Some(Owner { name: text("web"), uid: text("u") }),
        }
    }

    #[test]
    fn experiments_stand_between_canary_and_stable_in_the_form_of_the_version() {
        let mut want = Split::new(PERCENT, Weight(20));
        let service = "trial".to_owned();
        want.additional = vec![Destination { service, hash: "v9".to_owned(), weight: Weight(5), port: None }];
        for (version, weights) in [
            ("v1alpha1", json!(["20", "5", "75"])),
            ("v1alpha2", json!([20, 5, 75])),
            ("v1alpha3", json!([20, 5, 75])),
            ("v1alpha4", json!([20, 5, 75])),
        ] {
            let smi = Smi::new(&SmiTrafficRouting::default(), ("shop", "web"), version).unwrap();
            let entries = smi.backends(&backends(), &want);
            let fields = |field: &str| entries.as_array().unwrap().iter().map(|e| e[field].clone()).collect();
            assert_eq!(
                (fields("service"), fields("weight")),
                (json!(["canary", "trial", "stable"]), weights)
            );
            let found = smi.find(&json!({"spec": {"service": "stable", "backends": entries}}), &backends());
            assert_eq!(found.shares, [Share { canary: 20, stable: 75, others: 5 }]);
            assert_eq!(found.additional, [("trial".to_owned(), Weight(5))]);
        }
        let problem = Smi::new(&SmiTrafficRouting::default(), ("shop", "web"), "v1beta1").unwrap_err();
        assert!(problem.to_string().contains("Unsupported TrafficSplit API version `v1beta1`"), "{problem}");
    }
}
