//! Translates a Split to and from the actions that the AWS load balancer controller reads in annotations of an Ingress.
//!
//! What the load balancer does is known to AWS only. Where AWS is asked ([`Alb::verified`]), what it says counts; elsewhere
//! a change is taken as followed after [`PROPAGATION_SECONDS`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use serin_api::{AlbTrafficRouting, Problem, StickinessConfig};
use serin_core::seen::ObjectKey;
use serin_core::split::{Backends, Effective, PERCENT, Split, Weight};
use serin_core::write::Write;

use self::book::Book;
use self::condition::conditions;
use self::verify::Checked;
use crate::capability::{Capabilities, Headers, Mirrors};
use crate::fork::Share;
use crate::object;
use crate::patch::Patch;
use crate::reading::{Found, Reading};
use crate::refusal::{Cause, Refusal};
use crate::router::{Objects, Router, Sight};

mod action;
mod book;
mod condition;
mod header_path;
mod verify;

pub use verify::{load_balancer_hosts, load_balancers};

/// The controller takes seconds to see a change and to call AWS, whose load balancers take seconds more to follow. Neither
/// gives a bound: this is what is usual, several times. Pods that lose their traffic stay for the scale-down delay beside
/// it, and where calls to AWS are throttled, asking AWS is the remedy.
const PROPAGATION_SECONDS: i64 = 20;

/// As long as AWS is asked: its nodes follow what it says within seconds; it gives no bound.
const VERIFIED_SECONDS: i64 = 15;

const PATH: &str = "spec.strategy.canary.trafficRouting.alb";
const PREFIX: &str = "alb.ingress.kubernetes.io";
/// Longest stickiness that AWS allows, in seconds.
const LONGEST: i64 = 604_800;

/// Ingresses of the AWS load balancer controller.
#[derive(Clone, Debug)]
pub struct Alb {
    ingresses: Vec<(ObjectKey, String)>,
    prefix: String,
    port: i32,
    root: Option<String>,
    stickiness: Option<StickinessConfig>,
    verified: bool,
}

/// What the annotations of one Ingress should be.
struct Wish {
    action: String,
    /// Names and conditions of header routes, in the order of their precedence.
    headers: Vec<(String, String)>,
    /// The action stays in the book.
    kept: bool,
}

impl Alb {
    /// The router of `spec.strategy.canary.trafficRouting.alb` of a Rollout in `namespace`.
    ///
    /// # Errors
    /// Not exactly one of `ingress` and `ingresses` is given, or a stickiness that AWS does not allow.
    pub fn new(spec: &AlbTrafficRouting, namespace: &str) -> Result<Self, Problem> {
        let AlbTrafficRouting {
            ingress,
            ingresses,
            service_port,
            root_service,
            annotation_prefix,
            stickiness_config,
        } = spec;
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let key = |name: &str| ObjectKey::new("networking.k8s.io", "v1", "Ingress", namespace, name);
        let single = given(ingress).map(|name| (key(&name), format!("{PATH}.ingress")));
        let several = ingresses.iter().flatten().enumerate();
        let several: Vec<_> =
            several.map(|(index, name)| (key(name), format!("{PATH}.ingresses[{index}]"))).collect();
        if single.is_some() != several.is_empty() {
            let found = if single.is_some() { "Both are configured." } else { "Neither are configured." };
            let words = format!("Either Ingress or Ingresses must be configured. {found}");
            let (path, value) = (PATH.to_owned(), "set".to_owned());
            let problem =
                Problem::Invalid { path, value, message: format!("{words} Give exactly one of them") };
            return Err(problem.said_as(format!("{PATH}: Internal error: {words}")));
        }
        let sticky = stickiness_config.as_ref().filter(|config| config.enabled);
        if let Some(config) = sticky.filter(|config| !(1..=LONGEST).contains(&config.duration_seconds)) {
            let path = format!("{PATH}.stickinessConfig.durationSeconds");
            let message = format!("AWS keeps users for 1 to {LONGEST} seconds; give a number between these");
            return Err(Problem::Invalid { path, value: config.duration_seconds.to_string(), message });
        }
        Ok(Self {
            ingresses: single.into_iter().chain(several).collect(),
            prefix: given(annotation_prefix).unwrap_or_else(|| PREFIX.to_owned()),
            port: *service_port,
            root: given(root_service),
            stickiness: stickiness_config.clone(),
            verified: false,
        })
    }

    /// Takes a split for applied only when AWS says so, if `verified`.
    pub fn verified(self, verified: bool) -> Self {
        Self { verified, ..self }
    }

    /// The Service of the paths that are weighted, which names the action.
    fn root<'r>(&'r self, backends: &'r Backends) -> &'r str {
        self.root.as_deref().unwrap_or(&backends.stable_service)
    }

    fn action_key(&self, service: &str) -> String {
        format!("{}/actions.{service}", self.prefix)
    }

    fn condition_key(&self, route: &str) -> String {
        format!("{}/conditions.{route}", self.prefix)
    }

    /// Canary, experiments, stable: the order that users know.
    fn action(
        &self,
        backends: &Backends,
        canary: u32,
        additional: &[(String, Weight)],
        stable: u32,
    ) -> String {
        let additional = additional.iter().map(|(service, weight)| (service.as_str(), weight.0));
        let groups: Vec<_> = [(backends.canary_service.as_str(), canary)]
            .into_iter()
            .chain(additional)
            .chain([(backends.stable_service.as_str(), stable)])
            .collect();
        action::forward(&groups, self.port, self.stickiness.as_ref())
    }

    /// Names of header routes: those that there may be, and those that there were.
    fn names(&self, object: &Value, backends: &Backends) -> BTreeSet<String> {
        let book = Book::of(object);
        let prefix = self.condition_key("");
        let old = book.of_rollout(&backends.rollout).iter().filter_map(|key| key.strip_prefix(&prefix));
        old.map(str::to_owned).chain(backends.managed_routes.iter().cloned()).collect()
    }

    fn find(&self, key: &ObjectKey, object: &Value, backends: &Backends) -> Found {
        let names = self.names(object, backends);
        let headers = header_path::present(object, &names).into_iter().collect();
        let mut found = Found { headers, wrong: self.wrong(key, object, backends), ..Found::default() };
        let name = self.action_key(self.root(backends));
        let Some(text) = object::annotation(object, &name) else {
            // Nobody has split anything here: AWS has no listener rule for a path without its action, or an older one.
            found.shares.push(Share { canary: 0, stable: 0, others: 0 });
            found.lags = true;
            return found;
        };
        let Some(groups) = action::read(text) else {
            found.unclear = Some(format!("annotation {name} of {key} is no forward action"));
            return found;
        };
        let mut share = Share { canary: 0, stable: 0, others: 0 };
        for (service, weight) in groups {
            let part = match service {
                service if service == backends.canary_service => &mut share.canary,
                service if service == backends.stable_service => &mut share.stable,
                other => {
                    found.additional.push((other, Weight(weight)));
                    &mut share.others
                }
            };
            *part = part.saturating_add(weight);
        }
        found.lags = self.action(backends, share.canary, &found.additional, share.stable) != text;
        found.shares.push(share);
        found
    }

    fn wrong(&self, key: &ObjectKey, object: &Value, backends: &Backends) -> Option<Cause> {
        let root = self.root(backends);
        let headers = backends.managed_routes.iter().map(|route| self.action_key(route));
        let keys: Vec<_> = [self.action_key(root)].into_iter().chain(headers).collect();
        if let Some(other) = Book::of(object).other(&backends.rollout, &keys) {
            let (object, other) = (key.clone(), other.to_owned());
            return Some(Cause::ManagedByOther { object, other, annotation: book::MANAGED });
        }
        let services = header_path::services(object, &self.names(object, backends));
        let missing = Cause::RuleMissing { object: key.clone(), service: root.to_owned() };
        (!services.contains(root)).then_some(missing)
    }

    fn wish(&self, backends: &Backends, want: &Split) -> Wish {
        let additional: Vec<_> =
            want.additional.iter().map(|other| (other.service.clone(), other.weight)).collect();
        let ordered = backends.managed_routes.iter();
        let routes = ordered.flat_map(|name| want.headers.iter().filter(move |route| route.name == **name));
        Wish {
            action: self.action(backends, want.canary.0, &additional, want.stable().0),
            headers: routes.filter_map(|route| Some((route.name.clone(), conditions(route)?))).collect(),
            kept: true,
        }
    }

    fn write(&self, key: &ObjectKey, object: &Value, backends: &Backends, wish: &Wish) -> Option<Write> {
        let book = Book::of(object);
        let names = self.names(object, backends);
        let services = header_path::services(object, &names);
        if book.other(&backends.rollout, &[self.action_key(self.root(backends))]).is_some() {
            return None;
        }
        let mut entries = BTreeMap::from([(self.action_key(self.root(backends)), wish.action.clone())]);
        let mut keys: Vec<_> = entries.keys().filter(|_| wish.kept).cloned().collect();
        for (route, conditions) in &wish.headers {
            let all = action::forward(&[(backends.canary_service.as_str(), 100)], self.port, None);
            for (key, value) in
                [(self.action_key(route), all), (self.condition_key(route), conditions.clone())]
            {
                keys.push(key.clone());
                entries.insert(key, value);
            }
        }
        let mut patch = Patch::default();
        // An action that a path still leads to must stay: without it the whole Ingress is refused.
        let used: BTreeSet<_> = services.iter().map(|service| self.action_key(service)).collect();
        let old = book.of_rollout(&backends.rollout).iter();
        for old in old.filter(|key| !entries.contains_key(*key) && !used.contains(*key)) {
            if let Some(seen) = object::annotation(object, old) {
                patch.drop_entry(object, "/metadata/annotations", old, seen);
            }
        }
        let routes: Vec<_> = wish.headers.iter().map(|(route, _)| route.as_str()).collect();
        header_path::render(&mut patch, object, self.root(backends), &routes, &names);
        self.annotate(&mut patch, object, backends, (entries, keys));
        patch.into_write(key)
    }

    fn annotate(
        &self,
        patch: &mut Patch,
        object: &Value,
        backends: &Backends,
        (mut entries, keys): (BTreeMap<String, String>, Vec<String>),
    ) {
        let book = Book::of(object);
        if object.pointer("/metadata/annotations").is_some() {
            patch.put_entries(object, "/metadata/annotations", &entries);
            book.write(patch, object, &backends.rollout, &keys);
        } else {
            entries.insert(book::MANAGED.to_owned(), json!({&backends.rollout: keys}).to_string());
            patch.put_entries(object, "/metadata/annotations", &entries);
        }
    }
}

impl Router for Alb {
    fn name(&self) -> String {
        self.ingresses.iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>().join(", ")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            headers: Headers::Exact,
            mirrors: Mirrors::No,
            max_weight: false,
            additional: true,
            affinity: false,
            role_change: self.root.is_some(),
            confirms: self.verified,
            propagation_seconds: if self.verified { VERIFIED_SECONDS } else { PROPAGATION_SECONDS },
        }
    }

    fn needs(&self) -> Vec<ObjectKey> {
        self.ingresses.iter().map(|(key, _)| key.clone()).collect()
    }

    fn further(&self, _seen: &Objects) -> Vec<ObjectKey> {
        Vec::new()
    }

    fn refusal(&self, backends: &Backends, seen: &Objects) -> Option<Refusal> {
        self.ingresses.iter().find_map(|(key, path)| {
            let cause = match Sight::of(seen, key) {
                Sight::Absent => Some(Cause::Missing { object: key.clone() }),
                sight => sight.object().and_then(|object| self.wrong(key, object, backends)),
            };
            Some(Refusal { path: path.clone(), value: key.name.clone(), cause: cause? })
        })
    }

    fn effective(&self, backends: &Backends, seen: &Objects) -> Effective {
        let mut reading = Reading::of(PERCENT);
        for (key, _) in &self.ingresses {
            let sight = Sight::of(seen, key);
            reading.look(key, &sight, |object| self.find(key, object, backends));
            let checked = sight.object().filter(|_| self.verified);
            match checked.map(|object| self.check(key, object, backends, seen)) {
                Some(Checked::Unasked(why)) => reading.doubt(why),
                Some(Checked::Outdated | Checked::Doubted(_)) => reading.wait(),
                Some(Checked::Confirmed(_)) | None => {}
            }
        }
        reading.effective()
    }

    fn render(&self, backends: &Backends, want: &Split, seen: &Objects) -> Vec<Write> {
        let wish = self.wish(backends, want);
        let fresh = self.ingresses.iter().filter_map(|(key, _)| match Sight::of(seen, key) {
            Sight::Fresh(object) => self.write(key, object, backends, &wish),
            Sight::Stale(_) | Sight::Absent | Sight::Unknown(_) => None,
        });
        fresh.collect()
    }

    fn release(&self, backends: &Backends, seen: &Objects) -> Vec<Write> {
        let stable = [(backends.stable_service.as_str(), PERCENT.0)];
        let action = action::forward(&stable, self.port, self.stickiness.as_ref());
        let wish = Wish { action, headers: Vec::new(), kept: false };
        let ours = self.ingresses.iter().filter_map(|(key, _)| match Sight::of(seen, key) {
            Sight::Fresh(object) if !Book::of(object).of_rollout(&backends.rollout).is_empty() => {
                self.write(key, object, backends, &wish)
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
    fn a_spec_that_aws_would_refuse_is_refused_with_the_field() {
        for (spec, path) in [
            (json!({"servicePort": 80}), PATH.to_owned()),
            (json!({"servicePort": 80, "ingress": "a", "ingresses": ["b"]}), PATH.to_owned()),
            (
                json!({"servicePort": 80, "ingress": "a", "stickinessConfig": {"enabled": true, "durationSeconds": 0}}),
                format!("{PATH}.stickinessConfig.durationSeconds"),
            ),
        ] {
            let problem = Alb::new(&serde_json::from_value(spec).unwrap(), "shop").unwrap_err();
            assert_eq!(problem.path(), path);
        }
    }
}
