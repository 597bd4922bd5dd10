//! Translates a Split to and from Istio VirtualServices, and DestinationRules when the revisions are subsets.
//!
//! Istio reports no proxies that follow (its condition `Reconciled` is heard where a version writes it), so a change is
//! taken as followed after [`PROPAGATION_SECONDS`].
//!
//! With subsets two objects must agree, and any subset of their writes must be safe. So a subset gets weight only while
//! it is seen to select its revision, the canary subset changes its revision only while it is seen to have no traffic,
//! and stable's only to a revision that the plan already calls stable, which has all its pods.

use serde_json::Value;
use serin_api::{IstioTrafficRouting, IstioVirtualService, Problem};
use serin_core::seen::ObjectKey;
use serin_core::split::{Backends, Effective, PERCENT, Split, Weight};
use serin_core::write::Write;

use self::destination_rule::DestinationRule;
use self::virtual_service::{Roles, VirtualService, trial};
use crate::capability::{Capabilities, Headers, Mirrors};
use crate::fork::Fork;
use crate::patch::Patch;
use crate::reading::{Found, Reading};
use crate::refusal::{Cause, Refusal, Role};
use crate::router::{Objects, Router, Sight};

mod cookie;
mod destination_rule;
mod managed_route;
mod virtual_service;

/// istiod waits for quiet at most 10 s before it pushes (PILOT_DEBOUNCE_MAX); 5 s are left for the push to arrive.
/// Usual is less than a second.
const PROPAGATION_SECONDS: i64 = 15;

const GROUP: &str = "networking.istio.io";

/// VirtualServices, and the DestinationRule of their subsets.
#[derive(Clone, Debug)]
pub struct Istio {
    services: Vec<VirtualService>,
    rule: Option<DestinationRule>,
    /// The spec has session affinity.
    cookies: bool,
}

impl Istio {
    /// The router of `spec.strategy.canary.trafficRouting.istio` of a Rollout in `namespace`; `version` is that of the
    /// API group, the objects are the same in all.
    ///
    /// # Errors
    /// Not exactly one of `virtualService` and `virtualServices` is given.
    pub fn new(spec: &IstioTrafficRouting, namespace: &str, version: &str) -> Result<Self, Problem> {
        const PATH: &str = "spec.strategy.canary.trafficRouting.istio";
        let many = spec.virtual_services.as_ref().is_some_and(|services| !services.is_empty());
        if spec.virtual_service.is_some() == many {
            let words = "either VirtualService or VirtualServices must be configured";
            let (path, value) = (PATH.to_owned(), "set".to_owned());
            let problem = Problem::Invalid { path, value, message: format!("{words}, and not both") };
            return Err(problem.said_as(format!("{PATH}: Internal error: {words}")));
        }
        let service =
            |path: String, spec: &IstioVirtualService| VirtualService::new(spec, path, namespace, version);
        let single = spec.virtual_service.iter().map(|spec| service(format!("{PATH}.virtualService"), spec));
        let several = spec.virtual_services.iter().flatten().enumerate();
        let several = several.map(|(index, spec)| service(format!("{PATH}.virtualServices[{index}]"), spec));
        let rule = spec.destination_rule.as_ref();
        Ok(Self {
            services: single.chain(several).collect(),
            rule: rule.map(|rule| {
                DestinationRule::new(rule, format!("{PATH}.destinationRule"), namespace, version)
            }),
            cookies: false,
        })
    }

    /// The same router for a Rollout with session affinity, or without.
    pub fn with_cookies(self, cookies: bool) -> Self {
        Self { cookies, ..self }
    }

    /// What is in the way of session affinity in one VirtualService.
    fn taken(&self, service: &VirtualService, found: &Found, object: &Value) -> Option<Cause> {
        let mut http = found.forks.iter().filter(|fork| self.cookies && is_http(fork));
        let path = http.find_map(|fork| cookie::first_taken(object, fork))?.to_owned();
        Some(Cause::HeadersTaken { object: service.key.clone(), path, found: cookie::TAKEN })
    }

    /// No VirtualService has a weighted HTTP route, as far as they can be read.
    fn without_cookies(&self, roles: &Roles, seen: &Objects) -> Option<Refusal> {
        let http = |service: &VirtualService| match Sight::of(seen, &service.key).object() {
            Some(object) => service.find(object, roles).forks.iter().any(is_http),
            None => true,
        };
        let service = self.services.first().filter(|_| self.cookies && !self.services.iter().any(http))?;
        Some(service.refuse(Cause::NoCookies { object: service.key.clone() }))
    }

    fn roles<'r>(&'r self, backends: &'r Backends) -> Roles<'r> {
        Roles { backends, subsets: self.rule.as_ref().map(DestinationRule::subsets) }
    }

    /// What the VirtualServices show, before the DestinationRule has been asked what their subsets are.
    fn reading(&self, backends: &Backends, seen: &Objects) -> Reading {
        let roles = self.roles(backends);
        let mut reading = Reading::of(PERCENT);
        for service in &self.services {
            let sight = Sight::of(seen, &service.key);
            if sight.object().is_some_and(|object| !virtual_service::reconciled(object)) {
                reading.wait();
            }
            reading.look(&service.key, &sight, |object| service.find(object, &roles));
        }
        reading
    }

    /// What may be asked of the VirtualServices now; `None` leaves their weights alone until the subsets follow.
    fn permitted(&self, backends: &Backends, want: &Split, seen: &Objects) -> Option<Split> {
        let Some(rule) = &self.rule else {
            return Some(want.clone());
        };
        match Sight::of(seen, &rule.key) {
            Sight::Fresh(object) if !rule.follows(object, Role::Stable, backends) => None,
            Sight::Fresh(object) if !rule.follows(object, Role::Canary, backends) => {
                Some(Split::all_stable(want.total))
            }
            Sight::Fresh(_) => Some(want.clone()),
            Sight::Stale(_) => None,
            // The way back to stable needs no news of the DestinationRule.
            Sight::Absent | Sight::Unknown(_) => {
                let shown = self.reading(backends, seen).canary()?;
                let back = want.canary <= shown && want.routes().next().is_none();
                back.then(|| want.clone())
            }
        }
    }

    /// No VirtualService is seen to send anything to the canary subset; what `absent` ones send is up to the caller.
    fn canary_unused(&self, backends: &Backends, seen: &Objects, absent: bool) -> bool {
        let roles = self.roles(backends);
        self.services.iter().all(|service| match Sight::of(seen, &service.key) {
            Sight::Fresh(object) => {
                let Found { forks, headers, mirrors, wrong, .. } = service.find(object, &roles);
                let idle = forks.iter().all(|fork| fork.canary.weight() == 0);
                wrong.is_none() && idle && headers.is_empty() && mirrors.is_empty()
            }
            Sight::Absent => absent,
            Sight::Stale(_) | Sight::Unknown(_) => false,
        })
    }

    fn render_rule(&self, backends: &Backends, seen: &Objects) -> Option<Write> {
        let rule = self.rule.as_ref()?;
        match Sight::of(seen, &rule.key) {
            Sight::Fresh(object) => rule.render(object, backends, self.canary_unused(backends, seen, false)),
            Sight::Stale(_) | Sight::Absent | Sight::Unknown(_) => None,
        }
    }

    fn render_services(&self, backends: &Backends, want: &Split, seen: &Objects) -> Vec<Write> {
        let roles = self.roles(backends);
        let fresh = self.services.iter().filter_map(|service| match Sight::of(seen, &service.key) {
            Sight::Fresh(object) => self.render_service(service, object, want, &roles),
            Sight::Stale(_) | Sight::Absent | Sight::Unknown(_) => None,
        });
        fresh.collect()
    }

    fn render_service(
        &self,
        service: &VirtualService,
        object: &Value,
        want: &Split,
        roles: &Roles,
    ) -> Option<Write> {
        let Found { forks, .. } = service.find(object, roles);
        let mut patch = Patch::default();
        for fork in &forks {
            if is_http(fork) {
                // Before entries of experiments go: places in a list are counted before the patch.
                cookie::render(&mut patch, object, want, fork);
            }
            fork.render_all(&mut patch, (object, want), trial);
        }
        managed_route::render(&mut patch, (service, object), want, roles, &forks);
        patch.into_write(&service.key)
    }
}

fn is_http(fork: &Fork) -> bool {
    fork.rule.starts_with("/spec/http/")
}

impl Router for Istio {
    fn name(&self) -> String {
        self.services.iter().map(|service| service.key.to_string()).collect::<Vec<_>>().join(", ")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            headers: Headers::Any,
            mirrors: Mirrors::Any,
            max_weight: false,
            additional: true,
            affinity: true,
            role_change: self.rule.is_none(),
            confirms: false,
            propagation_seconds: PROPAGATION_SECONDS,
        }
    }

    fn needs(&self) -> Vec<ObjectKey> {
        let services = self.services.iter().map(|service| service.key.clone());
        services.chain(self.rule.iter().map(|rule| rule.key.clone())).collect()
    }

    fn further(&self, _seen: &Objects) -> Vec<ObjectKey> {
        Vec::new()
    }

    fn refusal(&self, backends: &Backends, seen: &Objects) -> Option<Refusal> {
        let roles = self.roles(backends);
        let of_service = |service: &VirtualService| match Sight::of(seen, &service.key) {
            Sight::Absent => Some(service.refuse(Cause::Missing { object: service.key.clone() })),
            Sight::Fresh(object) | Sight::Stale(object) => {
                let found = service.find(object, &roles);
                let taken = self.taken(service, &found, object);
                found.wrong.or(taken).map(|cause| service.refuse(cause))
            }
            Sight::Unknown(_) => None,
        };
        let of_rule = |rule: &DestinationRule| rule.refusal(&Sight::of(seen, &rule.key), backends);
        let refusal = self.services.iter().find_map(of_service);
        let refusal = refusal.or_else(|| self.rule.as_ref().and_then(of_rule));
        refusal.or_else(|| self.without_cookies(&roles, seen))
    }

    fn effective(&self, backends: &Backends, seen: &Objects) -> Effective {
        let mut reading = self.reading(backends, seen);
        if let Some(rule) = &self.rule {
            let sight = Sight::of(seen, &rule.key);
            match &sight {
                Sight::Absent => reading.doubt(format!("{} not found", rule.key)),
                Sight::Unknown(why) => reading.doubt(why.clone()),
                Sight::Stale(_) => reading.wait(),
                Sight::Fresh(_) => {}
            }
            if let Some(object) = sight.object() {
                reading.reach(rule.reached(object));
            }
            let canary = reading.canary().unwrap_or(Weight(0));
            let lags = |role, weight: Weight| {
                weight.0 > 0 && sight.object().is_some_and(|object| !rule.follows(object, role, backends))
            };
            // Weight on a subset that selects another revision is not the weight that was asked for.
            if lags(Role::Canary, canary) || lags(Role::Stable, Weight(PERCENT.0.saturating_sub(canary.0))) {
                reading.wait();
            }
        }
        reading.effective()
    }

    fn render(&self, backends: &Backends, want: &Split, seen: &Objects) -> Vec<Write> {
        let mut writes: Vec<Write> = self.render_rule(backends, seen).into_iter().collect();
        let Some(want) = self.permitted(backends, want, seen) else {
            return writes;
        };
        writes.extend(self.render_services(backends, &want, seen));
        writes
    }

    /// The hashes of subsets go when nothing is seen to be sent to the canary: without them, stable's subset is all pods.
    fn release(&self, backends: &Backends, seen: &Objects) -> Vec<Write> {
        let back = self.render_services(backends, &Split::all_stable(PERCENT), seen);
        if !back.is_empty() {
            return back;
        }
        let rule = self.rule.iter().filter(|_| self.canary_unused(backends, seen, true));
        let released = rule.filter_map(|rule| match Sight::of(seen, &rule.key) {
            Sight::Fresh(object) => rule.release(object, backends),
            Sight::Stale(_) | Sight::Absent | Sight::Unknown(_) => None,
        });
        released.collect()
    }
}
