//! Plays the routers and their data plane: weights and selectors take their time to be followed.

use serin_api::{SessionAffinity, label};
use serin_core::split::{Effective, HeaderRoute, Reached, Split, Weight};
use serin_core::strategy::ServiceTarget;
use serin_core::world::RouterReport;

use super::truth::{Asked, Key, Kind, Named, Route, Rule, Side};
use super::{Cluster, Event};
use crate::scene::{CANARY_SERVICE, STABLE_SERVICE};

/// The header route that steps may add.
pub(crate) const STAFF: &str = "staff";

/// A share of traffic in the data plane, and whom it reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) name: String,
    pub(crate) canary: bool,
    pub(crate) weight: u32,
    /// The revision, all pods when there is none.
    pub(crate) hash: Option<String>,
    /// The revision that the users were answered by before, who are led there by a cookie.
    pub(crate) named: Option<Named>,
}

/// What the data plane follows.
#[derive(Clone, Debug)]
pub(crate) enum Followed {
    Route(usize, Asked, u64),
    Endpoints(Option<String>),
    Rule(Rule),
}

/// What is written to routing objects, of one kind at a time.
#[derive(Clone, Debug)]
pub(crate) enum Turn {
    Route { route: usize, seen: u64, asked: Asked },
    Rule { canary: Option<String>, stable: String },
}

impl Cluster {
    /// Every share of traffic that the data plane sends now.
    pub(super) fn flows(&self) -> Vec<Flow> {
        let mut flows = Vec::new();
        if let Some(active) = self.truth.active_service() {
            let hash = self.truth.endpoints.get(active).cloned();
            let name = "the active Service".to_owned();
            flows.extend(hash.map(|hash| Flow { name, canary: false, weight: 100, hash, named: None }));
        }
        let canary = Side::of_canary(Some(&self.truth.world.rollout));
        for (index, Asked { weight, staff, session }) in self.truth.flowing.iter().copied().enumerate() {
            let shares = [
                ("weight", Side::Canary, weight),
                ("weight", Side::Stable, 100 - weight),
                ("header", staff.unwrap_or(Side::Canary), u32::from(staff.is_some())),
                ("cookie", session.map_or(Side::Canary, |(side, _)| side), u32::from(session.is_some())),
            ];
            for (by, side, weight) in shares {
                let named = session.map(|(_, named)| named).filter(|_| by == "cookie");
                let service = if side == Side::Canary { CANARY_SERVICE } else { STABLE_SERVICE };
                let hash = if self.truth.rule.is_some() {
                    let rule = &self.truth.ruling;
                    let hash = if side == Side::Canary { &rule.canary } else { &rule.stable };
                    Some((!hash.is_empty()).then(|| hash.clone()))
                } else {
                    self.truth.endpoints.get(service).cloned()
                };
                // A Service that somebody deleted reaches nobody: not our doing.
                let Some(hash) = hash else { continue };
                let canary = side == canary && self.truth.is_canary(hash.as_deref());
                flows.push(Flow {
                    name: format!("route {index} by {by} to {service}"),
                    canary,
                    weight,
                    hash,
                    named,
                });
            }
        }
        flows
    }

    /// What the process is told of a route that its cache shows like this.
    pub(super) fn report(
        &self,
        index: usize,
        seen: &Route,
        stale: bool,
        rule: Option<(&Rule, bool)>,
    ) -> RouterReport {
        let side = Side::of_canary(self.cached_rollout());
        let (weight, staff) = (seen.asked.weight_of(side), seen.asked.staff.is_some());
        let session = seen.asked.session.is_some();
        let mut split = Split::new(Weight(100), Weight(weight));
        let route = |name: &str| HeaderRoute { name: name.to_owned(), matches: Vec::new() };
        split.headers.extend(staff.then(|| route(STAFF)));
        split.headers.extend(session.then(|| route(SessionAffinity::CANARY_ROUTE)));
        split.reached =
            rule.map(|(rule, _)| Reached { canary: rule.canary.clone(), stable: rule.stable.clone() });
        let mut pending = stale || (self.weather.confirms && seen.confirmed < seen.generation);
        if let Some((rule, stale)) = rule {
            let status = self.cached_rollout().and_then(|rollout| rollout.status.clone()).unwrap_or_default();
            let stable = status.stable_rs.unwrap_or_default();
            pending |= stale
                || ((weight > 0 || staff || session) && rule.canary != status.current_pod_hash)
                || (weight < 100 && !stable.is_empty() && rule.stable != stable);
        }
        let effective = if self.process.blind_routes.contains(&index) {
            Effective::Unknown("it does not answer".to_owned())
        } else if seen.blank {
            Effective::Unknown("it gives nobody a weight".to_owned())
        } else if pending {
            Effective::Pending(split)
        } else {
            Effective::Applied(split)
        };
        RouterReport {
            name: format!("HTTPRoute default/shop-{index}"),
            effective,
            refusal: None,
            propagation_seconds: self.weather.bound,
            confirms: self.weather.confirms,
            managed: [STAFF, SessionAffinity::CANARY_ROUTE].map(str::to_owned).to_vec(),
        }
    }

    /// Points a Service at a revision, when it is as the process saw it.
    pub(super) fn write_service(&mut self, target: &ServiceTarget, seen: Option<u64>) -> bool {
        let key = Key::new(Kind::Service, &target.service);
        if self.truth.versions.get(&key).copied() != seen {
            return false;
        }
        self.judge_switch(target);
        let Some(service) = self.truth.service_mut(&target.service) else { return false };
        service.hash = Some(target.hash.clone());
        service.managed_by = Some("shop".to_owned());
        service.selector.insert(label::POD_TEMPLATE_HASH.to_owned(), target.hash.clone());
        self.follow_later(key, Followed::Endpoints(Some(target.hash.clone())));
        true
    }

    /// Writes a routing object, when it is as the process saw it. `None` when there is nothing to change.
    pub(super) fn write_route(&mut self, turn: &Turn) -> Option<bool> {
        match turn {
            Turn::Route { route, seen, asked } => {
                let key = Key::new(Kind::Route, route.to_string());
                let found = self.truth.routes.get_mut(*route)?;
                if found.asked == *asked && !found.blank {
                    return None;
                }
                if self.truth.versions.get(&key) != Some(seen) {
                    return Some(false);
                }
                (found.asked, found.generation, found.blank) = (*asked, found.generation + 1, false);
                let generation = found.generation;
                self.follow_later(key, Followed::Route(*route, *asked, generation));
            }
            Turn::Rule { canary, stable } => {
                let mut wanted = self.truth.rule.clone()?;
                wanted.canary = canary.clone().unwrap_or(wanted.canary);
                if !stable.is_empty() {
                    wanted.stable.clone_from(stable);
                }
                if self.truth.rule.as_ref() == Some(&wanted) {
                    return None;
                }
                self.truth.rule = Some(wanted.clone());
                self.follow_later(Key::new(Kind::Rule, ""), Followed::Rule(wanted));
            }
        }
        Some(true)
    }

    /// The data plane follows a write after its time: within what the router promises.
    pub(super) fn follow_later(&mut self, key: Key, what: Followed) {
        self.touch(key.clone());
        let version = self.truth.versions.get(&key).copied().unwrap_or(0);
        let lag = self.chance.between(1, (self.weather.bound * 1000).max(2) - 1);
        self.at(self.now + lag, Event::Follow(key, version, what));
    }

    /// The data plane follows, unless it follows something newer; a gateway that confirms says so afterwards.
    pub(super) fn follow(&mut self, key: Key, version: u64, what: Followed) {
        if self.truth.followed.get(&key).is_some_and(|newest| *newest > version) {
            return;
        }
        match what {
            Followed::Route(index, asked, generation) => {
                if let Some(flowing) = self.truth.flowing.get_mut(index) {
                    *flowing = asked;
                }
                if self.weather.confirms {
                    let lag = self.chance.between(1, 2_000);
                    self.at(self.now + lag, Event::Confirm(index, generation));
                }
            }
            Followed::Endpoints(hash) => {
                if let Some(reached) = self.truth.endpoints.get_mut(&key.name) {
                    *reached = hash;
                }
            }
            Followed::Rule(rule) => self.truth.ruling = rule,
        }
        self.truth.followed.insert(key, version);
    }

    /// The gateway says in the status of the route that it follows this generation.
    pub(super) fn confirm(&mut self, index: usize, generation: u64) {
        if let Some(route) = self.truth.routes.get_mut(index).filter(|route| route.confirmed < generation) {
            route.confirmed = generation;
            self.touch(Key::new(Kind::Route, index.to_string()));
        }
    }
}
