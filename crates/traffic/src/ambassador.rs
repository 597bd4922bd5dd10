//! Translates a Split to and from the canary Mapping that Ambassador (Emissary) reads beside each Mapping of stable.
//!
//! The Mapping of stable is only read. The canary Mapping is ours: a copy that leads to the canary Service and has a
//! weight; what it does not get goes to the Mapping without one. It is made when it first gets traffic. Nothing says
//! that proxies follow, so a change is taken as followed after [`PROPAGATION_SECONDS`].

use serde_json::{Map, Value, json};
use serin_api::{AmbassadorTrafficRouting, Problem};
use serin_core::seen::ObjectKey;
use serin_core::split::{Backends, Effective, PERCENT, Split};
use serin_core::write::Write;

use crate::capability::{Capabilities, Headers, Mirrors};
use crate::fork::Share;
use crate::object;
use crate::owned::{self, Holder};
use crate::reading::{Found, Reading};
use crate::refusal::{Cause, Refusal};
use crate::router::{Objects, Router, Sight};

/// Emissary gathers changes for up to a second and then builds the configuration of its proxy anew, which takes seconds
/// where there are thousands of Mappings.
const PROPAGATION_SECONDS: i64 = 10;

const PATH: &str = "spec.strategy.canary.trafficRouting.ambassador.mappings";
const SUFFIX: &str = "-canary";
/// Longest part of the name of a Mapping that its canary Mapping keeps.
const KEPT: usize = 246;

/// The Mappings of stable, and the canary Mapping of each.
#[derive(Clone, Debug)]
pub struct Ambassador {
    pairs: Vec<Pair>,
}

#[derive(Clone, Debug)]
struct Pair {
    base: ObjectKey,
    canary: ObjectKey,
    path: String,
}

impl Ambassador {
    /// The router of `spec.strategy.canary.trafficRouting.ambassador` of a Rollout in `namespace`; `version` is an API
    /// version, as in `getambassador.io/v2`.
    ///
    /// # Errors
    /// No Mapping is named.
    pub fn new(spec: &AmbassadorTrafficRouting, namespace: &str, version: &str) -> Result<Self, Problem> {
        let (group, version) = version.split_once('/').unwrap_or(("getambassador.io", version));
        let kind = if group == "x.getambassador.io" { "AmbassadorMapping" } else { "Mapping" };
        let key = |name: &str| ObjectKey::new(group, version, kind, namespace, name);
        let pair = |(index, name): (usize, &String)| Pair {
            base: key(name),
            canary: key(&format!("{}{SUFFIX}", name.chars().take(KEPT).collect::<String>())),
            path: format!("{PATH}[{index}]"),
        };
        let pairs: Vec<_> = spec.mappings.iter().flatten().enumerate().map(pair).collect();
        if pairs.is_empty() {
            let message = "name at least one Mapping that leads to the stable Service".to_owned();
            let said = format!("{PATH}: Invalid value: null: must provide at least one mapping");
            return Err(Problem::Missing { path: PATH.to_owned(), message }.said_as(said));
        }
        Ok(Self { pairs })
    }
}

impl Pair {
    /// The spec of the canary Mapping without its weight.
    fn spec(&self, base: &Value, backends: &Backends) -> Result<Map<String, Value>, Box<Cause>> {
        let spec = base.get("spec").and_then(Value::as_object).cloned().unwrap_or_default();
        if spec.contains_key("weight") {
            return Err(Box::new(Cause::Weighted { object: self.base.clone() }));
        }
        let service = spec.get("service").and_then(Value::as_str).unwrap_or_default();
        let Some(service) = led_to_canary(service, backends) else {
            return Err(Box::new(Cause::LeadsElsewhere {
                object: self.base.clone(),
                service: backends.stable_service.clone(),
                found: service.to_owned(),
            }));
        };
        let mut spec = spec;
        spec.insert("service".to_owned(), json!(service));
        Ok(spec)
    }

    /// A canary Mapping without owner is ours when Argo Rollouts made it, which gives it none: it is the copy that we
    /// would make.
    fn ours(&self, object: &Value, base: Option<&Value>, backends: &Backends) -> bool {
        match owned::holder(object, backends) {
            Holder::Ours => true,
            Holder::Other(_) => false,
            Holder::Nobody => base.and_then(|base| self.spec(base, backends).ok()).is_some_and(|spec| {
                object.pointer("/spec/service").is_some_and(|service| spec.get("service") == Some(service))
            }),
        }
    }

    fn wrong(&self, backends: &Backends, seen: &Objects) -> Option<Cause> {
        let base = match Sight::of(seen, &self.base) {
            Sight::Absent => return Some(Cause::Missing { object: self.base.clone() }),
            sight => sight.object(),
        };
        if let Some(cause) = base.and_then(|base| self.spec(base, backends).err()) {
            return Some(*cause);
        }
        let canary = Sight::of(seen, &self.canary).object()?;
        let ours = base.is_none() || self.ours(canary, base, backends);
        if ours { None } else { owned::refuse(&self.canary, canary, backends) }
    }

    fn find(&self, backends: &Backends, seen: &Objects) -> Found {
        let canary = match Sight::of(seen, &self.canary) {
            Sight::Absent => {
                let nothing = Share { canary: 0, stable: PERCENT.0, others: 0 };
                return Found { shares: vec![nothing], ..Found::default() };
            }
            sight => sight.object(),
        };
        let mut found = Found::default();
        let Some(canary) = canary else { return found };
        match canary.pointer("/spec/weight").and_then(object::count) {
            Some(weight) => {
                let stable = PERCENT.0.saturating_sub(weight);
                found.shares.push(Share { canary: weight, stable, others: 0 });
            }
            None => found.unclear = Some(format!("{} has no weight", self.canary)),
        }
        let mut shown = canary.get("spec").and_then(Value::as_object).cloned().unwrap_or_default();
        shown.remove("weight");
        let base = Sight::of(seen, &self.base).object();
        found.lags = base.and_then(|base| self.spec(base, backends).ok()).is_some_and(|spec| spec != shown);
        found
    }

    fn render(&self, backends: &Backends, want: &Split, seen: &Objects) -> Option<Write> {
        let base = match Sight::of(seen, &self.base) {
            Sight::Fresh(base) => Some(base),
            _ => None,
        };
        let spec = base.and_then(|base| self.spec(base, backends).ok()).map(|mut spec| {
            spec.insert("weight".to_owned(), json!(want.canary.0));
            spec
        });
        match Sight::of(seen, &self.canary) {
            Sight::Absent if want.canary.0 > 0 => {
                owned::create(&self.canary, Map::new(), Value::Object(spec?), backends)
            }
            Sight::Fresh(object) if self.ours(object, base, backends) => {
                let mut patch = owned::patch(object, backends);
                if let Some(service) = object.pointer("/spec/service") {
                    patch.test("/spec/service", service);
                }
                let weight = json!(want.canary.0);
                match spec {
                    Some(spec) if !same_but_weight(object, &spec) => {
                        patch.set(object, "/spec", Value::Object(spec));
                    }
                    _ => patch.set(object, "/spec/weight", weight),
                }
                patch.into_write(&self.canary)
            }
            _ => None,
        }
    }
}

fn same_but_weight(object: &Value, spec: &Map<String, Value>) -> bool {
    let shown = object.get("spec").and_then(Value::as_object);
    let others = |map: &Map<String, Value>| {
        let mut map = map.clone();
        map.remove("weight");
        map
    };
    shown.is_some_and(|shown| others(shown) == others(spec))
}

/// `service` with the canary Service in place of the stable one; `None` when it leads elsewhere. It has the form
/// `scheme://name.namespace:port`, of which only the name must be there.
fn led_to_canary(service: &str, backends: &Backends) -> Option<String> {
    let start = service.find("://").map_or(0, |at| at.saturating_add("://".len()));
    let (scheme, rest) = service.split_at_checked(start)?;
    let tail = rest.strip_prefix(backends.stable_service.as_str())?;
    let ends = tail.is_empty() || tail.starts_with(['.', ':', '/']);
    let stable = ends && !backends.stable_service.is_empty();
    stable.then(|| format!("{scheme}{}{tail}", backends.canary_service))
}

impl Router for Ambassador {
    fn name(&self) -> String {
        self.pairs.iter().map(|pair| pair.base.to_string()).collect::<Vec<_>>().join(", ")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            headers: Headers::No,
            mirrors: Mirrors::No,
            max_weight: false,
            additional: false,
            affinity: false,
            role_change: false,
            confirms: false,
            propagation_seconds: PROPAGATION_SECONDS,
        }
    }

    fn needs(&self) -> Vec<ObjectKey> {
        self.pairs.iter().flat_map(|pair| [pair.base.clone(), pair.canary.clone()]).collect()
    }

    fn further(&self, _seen: &Objects) -> Vec<ObjectKey> {
        Vec::new()
    }

    fn refusal(&self, backends: &Backends, seen: &Objects) -> Option<Refusal> {
        self.pairs.iter().find_map(|pair| {
            let cause = pair.wrong(backends, seen)?;
            Some(Refusal { path: pair.path.clone(), value: pair.base.name.clone(), cause })
        })
    }

    fn effective(&self, backends: &Backends, seen: &Objects) -> Effective {
        let mut reading = Reading::of(PERCENT);
        for pair in &self.pairs {
            for key in [&pair.base, &pair.canary] {
                reading.heed(&Sight::of(seen, key));
            }
            if let Some(cause) = pair.wrong(backends, seen) {
                reading.doubt(cause.to_string());
            }
            reading.add(pair.find(backends, seen));
        }
        reading.effective()
    }

    fn render(&self, backends: &Backends, want: &Split, seen: &Objects) -> Vec<Write> {
        self.pairs.iter().filter_map(|pair| pair.render(backends, want, seen)).collect()
    }

    fn release(&self, backends: &Backends, seen: &Objects) -> Vec<Write> {
        let ours = self.pairs.iter().filter_map(|pair| match Sight::of(seen, &pair.canary) {
            Sight::Fresh(object) if pair.ours(object, Sight::of(seen, &pair.base).object(), backends) => {
                owned::delete(&pair.canary, object)
            }
            _ => None,
        });
        ours.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_service_of_exactly_that_name_is_replaced() {
        let backends: Backends = serde_json::from_value(json!({
            "namespace": "shop", "rollout": "web", "canaryService": "web-canary", "stableService": "web",
            "canaryHash": "", "stableHash": "", "managedRoutes": [],
        }))
        .unwrap();
        for (service, expected) in [
            ("web", Some("web-canary")),
            ("web:8080", Some("web-canary:8080")),
            ("https://web.shop:443", Some("https://web-canary.shop:443")),
            ("http://web.shop.svc.cluster.local", Some("http://web-canary.shop.svc.cluster.local")),
            ("web-2", None),
            ("api.web", None),
            ("", None),
        ] {
            assert_eq!(led_to_canary(service, &backends).as_deref(), expected, "{service}");
        }
    }

    #[test]
    fn mappings_have_another_kind_in_their_former_group_and_names_are_cut() {
        let spec = AmbassadorTrafficRouting { mappings: Some(vec!["m".repeat(253)]) };
        let needs = Ambassador::new(&spec, "shop", "x.getambassador.io/v3alpha1").unwrap().needs();
        assert_eq!(needs[1].kind, "AmbassadorMapping");
        assert_eq!((needs[1].group.as_str(), needs[1].version.as_str()), ("x.getambassador.io", "v3alpha1"));
        assert_eq!(needs[1].name, format!("{}-canary", "m".repeat(246)));
        let none = Ambassador::new(&AmbassadorTrafficRouting::default(), "shop", "getambassador.io/v2");
        assert_eq!(none.unwrap_err().path(), PATH);
    }
}
