//! Translates a Split to and from the canary Ingress that ingress-nginx reads beside each stable one.
//!
//! The stable Ingress is only read. The canary Ingress is ours: its rules are those of the stable one that lead to the
//! stable Service, its annotations say the weight. ingress-nginx has no status for it, so a change is taken as followed
//! after [`PROPAGATION_SECONDS`].

use serde_json::{Map, Value, json};
use serin_api::{NginxTrafficRouting, Problem};
use serin_core::seen::ObjectKey;
use serin_core::split::{Backends, Effective, PERCENT, Split, Weight};
use serin_core::write::Write;

use self::annotation::Annotations;
use crate::capability::{Capabilities, Headers, Mirrors};
use crate::object;
use crate::owned::{self, Holder};
use crate::reading::{Found, Reading};
use crate::refusal::{Cause, Refusal};
use crate::router::{Objects, Router, Sight};

mod annotation;

/// ingress-nginx takes up changes at most every 3.3 s (sync-rate-limit 0.3), and its workers learn of new weights within
/// another second; the rest is for the watch.
const PROPAGATION_SECONDS: i64 = 10;

const PATH: &str = "spec.strategy.canary.trafficRouting.nginx";
const RULES: &str = "/spec/rules";
const SUFFIX: &str = "-canary";
/// Longest name of an object.
const LONGEST: usize = 253;

/// The Ingresses of stable, and the canary Ingress of each.
#[derive(Clone, Debug)]
pub struct Nginx {
    pairs: Vec<Pair>,
    annotations: Annotations,
    total: Weight,
}

#[derive(Clone, Debug)]
struct Pair {
    stable: ObjectKey,
    canary: ObjectKey,
    path: String,
}

impl Nginx {
    /// The router of `spec.strategy.canary.trafficRouting.nginx` of the Rollout `name` in `namespace`; `total` is its
    /// `maxTrafficWeight`, when it has one.
    ///
    /// # Errors
    /// Not exactly one of `stableIngress` and `stableIngresses` is given.
    pub fn new(
        spec: &NginxTrafficRouting,
        (namespace, name): (&str, &str),
        total: Option<Weight>,
    ) -> Result<Self, Problem> {
        let pair = |stable: &String, path: String| Pair {
            stable: key(namespace, stable),
            canary: key(namespace, &canary_name(name, stable)),
            path,
        };
        let single = spec.stable_ingress.iter().filter(|name| !name.is_empty());
        let several = spec.stable_ingresses.iter().flatten().enumerate();
        let pairs = single
            .map(|stable| pair(stable, format!("{PATH}.stableIngress")))
            .chain(several.map(|(index, stable)| pair(stable, format!("{PATH}.stableIngresses[{index}]"))))
            .collect::<Vec<_>>();
        let both = spec.stable_ingress.as_ref().is_some_and(|name| !name.is_empty())
            && spec.stable_ingresses.as_ref().is_some_and(|names| !names.is_empty());
        if both || pairs.is_empty() {
            let found = if both { "Both are configured." } else { "Neither are configured." };
            let words = format!("Either StableIngress or StableIngresses must be configured. {found}");
            let (path, value) = (PATH.to_owned(), "set".to_owned());
            let problem =
                Problem::Invalid { path, value, message: format!("{words} Give exactly one of them") };
            return Err(problem.said_as(format!("{PATH}: Internal error: {words}")));
        }
        Ok(Self { pairs, annotations: Annotations::new(spec, total), total: total.unwrap_or(PERCENT) })
    }

    fn render_pair(&self, pair: &Pair, backends: &Backends, want: &Split, seen: &Objects) -> Option<Write> {
        let stable = match Sight::of(seen, &pair.stable) {
            Sight::Fresh(stable) => spec(stable, backends).map(|spec| (stable, spec)),
            _ => None,
        };
        match (Sight::of(seen, &pair.canary), stable) {
            (Sight::Absent, Some((stable, spec))) => {
                let annotations = self.annotations.wanted(Some(stable), want).into_iter();
                let annotations = annotations.map(|(key, value)| (key, Value::from(value))).collect();
                owned::create(&pair.canary, annotations, Value::Object(spec), backends)
            }
            (Sight::Fresh(object), stable) if owned::holder(object, backends) == Holder::Ours => {
                let mut patch = owned::patch(object, backends);
                self.annotations.render(&mut patch, object, stable.as_ref().map(|(stable, _)| *stable), want);
                if let Some((_, spec)) = stable {
                    for field in ["rules", "tls", "ingressClassName"] {
                        let path = format!("/spec/{field}");
                        match spec.get(field) {
                            Some(value) => patch.set(object, &path, value.clone()),
                            // A class that the API server filled in stays.
                            None if field == "ingressClassName" => {}
                            None => patch.unset(object, &path),
                        }
                    }
                }
                patch.into_write(&pair.canary)
            }
            _ => None,
        }
    }

    fn find(&self, pair: &Pair, backends: &Backends, seen: &Objects) -> Found {
        let canary = match Sight::of(seen, &pair.canary) {
            Sight::Absent => {
                return Found { shares: vec![Annotations::nothing(self.total)], ..Found::default() };
            }
            Sight::Fresh(object) | Sight::Stale(object) => object,
            Sight::Unknown(_) => return Found::default(),
        };
        let mut found = self.annotations.read(canary, &pair.canary);
        if let Some(stable) = Sight::of(seen, &pair.stable).object()
            && spec(stable, backends).is_some_and(|spec| spec.get("rules") != canary.pointer(RULES))
        {
            found.lags = true;
        }
        found
    }

    fn wrong(&self, pair: &Pair, backends: &Backends, seen: &Objects) -> Option<Cause> {
        let stable = match Sight::of(seen, &pair.stable) {
            Sight::Absent => return Some(Cause::Missing { object: pair.stable.clone() }),
            sight => sight.object(),
        };
        if stable.is_some_and(|stable| spec(stable, backends).is_none()) {
            let service = backends.stable_service.clone();
            return Some(Cause::RuleMissing { object: pair.stable.clone(), service });
        }
        owned::refuse(&pair.canary, Sight::of(seen, &pair.canary).object()?, backends)
    }
}

fn key(namespace: &str, name: &str) -> ObjectKey {
    ObjectKey::new("networking.k8s.io", "v1", "Ingress", namespace, name)
}

fn canary_name(rollout: &str, stable: &str) -> String {
    let name: String =
        format!("{rollout}-{stable}").chars().take(LONGEST.saturating_sub(SUFFIX.len())).collect();
    format!("{name}{SUFFIX}")
}

/// The spec of the canary Ingress: those paths of `stable` that lead to the stable Service, leading to that of the canary;
/// `None` when there are none.
fn spec(stable: &Value, backends: &Backends) -> Option<Map<String, Value>> {
    let rules: Vec<_> =
        object::list(stable, RULES).iter().filter_map(|given| rule(given, backends)).collect();
    if rules.is_empty() {
        return None;
    }
    let mut spec = Map::from_iter([("rules".to_owned(), Value::from(rules))]);
    for field in ["tls", "ingressClassName"] {
        if let Some(value) = stable.pointer("/spec").and_then(|spec| spec.get(field)) {
            spec.insert(field.to_owned(), value.clone());
        }
    }
    Some(spec)
}

fn rule(given: &Value, backends: &Backends) -> Option<Value> {
    let to_stable = |path: &&Value| {
        let service = path.pointer("/backend/service/name").and_then(Value::as_str);
        service.is_some_and(|service| !service.is_empty() && service == backends.stable_service)
    };
    let paths = object::list(given, "/http/paths").iter().filter(to_stable).cloned().map(|mut path| {
        if let Some(name) = path.pointer_mut("/backend/service/name") {
            *name = json!(backends.canary_service);
        }
        path
    });
    let paths: Vec<_> = paths.collect();
    let mut rule = given.as_object().filter(|_| !paths.is_empty())?.clone();
    rule.insert("http".to_owned(), json!({"paths": paths}));
    Some(Value::Object(rule))
}

impl Router for Nginx {
    fn name(&self) -> String {
        self.pairs.iter().map(|pair| pair.canary.to_string()).collect::<Vec<_>>().join(", ")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            headers: Headers::One,
            mirrors: Mirrors::No,
            max_weight: true,
            additional: false,
            affinity: false,
            role_change: false,
            confirms: false,
            propagation_seconds: PROPAGATION_SECONDS,
        }
    }

    fn needs(&self) -> Vec<ObjectKey> {
        self.pairs.iter().flat_map(|pair| [pair.stable.clone(), pair.canary.clone()]).collect()
    }

    fn further(&self, _seen: &Objects) -> Vec<ObjectKey> {
        Vec::new()
    }

    fn refusal(&self, backends: &Backends, seen: &Objects) -> Option<Refusal> {
        self.pairs.iter().find_map(|pair| {
            let cause = self.wrong(pair, backends, seen)?;
            Some(Refusal { path: pair.path.clone(), value: pair.stable.name.clone(), cause })
        })
    }

    fn effective(&self, backends: &Backends, seen: &Objects) -> Effective {
        let mut reading = Reading::of(self.total);
        for pair in &self.pairs {
            for key in [&pair.stable, &pair.canary] {
                reading.heed(&Sight::of(seen, key));
            }
            if let Some(cause) = self.wrong(pair, backends, seen) {
                reading.doubt(cause.to_string());
            }
            reading.add(self.find(pair, backends, seen));
        }
        reading.effective()
    }

    fn render(&self, backends: &Backends, want: &Split, seen: &Objects) -> Vec<Write> {
        self.pairs.iter().filter_map(|pair| self.render_pair(pair, backends, want, seen)).collect()
    }

    fn release(&self, backends: &Backends, seen: &Objects) -> Vec<Write> {
        let ours = self.pairs.iter().filter_map(|pair| match Sight::of(seen, &pair.canary) {
            Sight::Fresh(object) if owned::holder(object, backends) == Holder::Ours => {
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
    fn the_name_of_the_canary_ingress_is_cut_before_its_suffix() {
        assert_eq!(canary_name("web", "shop"), "web-shop-canary");
        let long = canary_name(&"r".repeat(200), &"i".repeat(200));
        assert_eq!(long.len(), 253);
        assert!(long.ends_with("i-canary"));
    }

    #[test]
    fn exactly_one_way_to_name_ingresses_is_given() {
        let read = |spec: Value| Nginx::new(&serde_json::from_value(spec).unwrap(), ("shop", "web"), None);
        for (spec, words) in [
            (json!({}), "Neither are configured."),
            (json!({"stableIngress": "a", "stableIngresses": ["b"]}), "Both are configured."),
        ] {
            let problem = read(spec).unwrap_err().to_string();
            assert!(problem.contains(words), "{problem}");
        }
        let names = |spec| read(spec).unwrap().needs().iter().map(|key| key.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(json!({"stableIngress": "a"})), ["a", "web-a-canary"]);
        assert_eq!(names(json!({"stableIngresses": ["a", "b"]})), ["a", "web-a-canary", "b", "web-b-canary"]);
    }
}
