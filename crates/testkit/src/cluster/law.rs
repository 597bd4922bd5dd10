//! Judges the simulated cluster after everything that happens: what must never be, on the true state.

use std::collections::BTreeMap;

use serin_api::RolloutStatus;
use serin_core::replica::{Limits, carrying};
use serin_core::split::Weight;
use serin_core::strategy::ServiceTarget;
use serin_core::world::{ReplicaSet, World};
use serin_core::{Plan, plan};

use super::Cluster;
use super::pod::image;
use super::traffic::Flow;
use super::truth::{Asked, Named, Object, Side};
use crate::scene::{CANARY_SERVICE, STABLE_SERVICE};

/// What is remembered to judge the next moment, and what was found.
#[derive(Default)]
pub(crate) struct Laws {
    pub(crate) plans: u64,
    pub(crate) violations: Vec<String>,
    /// Since when there are no more faults.
    pub(crate) fair_since: Option<i64>,
    flows: BTreeMap<String, (Flow, i32)>,
    services: BTreeMap<String, (Option<String>, i32)>,
    /// What the routes ask for since a plan has known of the abort.
    aborted: Option<Vec<Asked>>,
}

impl Cluster {
    pub(super) fn violation(&mut self, text: String) {
        self.tell(|| format!("VIOLATION: {text}"));
        self.laws.violations.push(text);
    }

    /// After every event. `ours`: what happened follows from a write of the process.
    pub(super) fn judge(&mut self, ours: bool, lowered: bool) {
        self.judge_flows(ours);
        self.judge_services(ours);
        self.judge_abort();
        self.judge_sessions();
        self.judge_moments();
        if lowered {
            self.judge_availability();
        }
    }

    /// Pods that a share of traffic needs: what was asked for at least within the last two minutes counts. Stable may
    /// miss as many as may be unavailable. A canary that the user sizes himself needs one.
    fn needed(&self, flow: &Flow) -> i32 {
        let (replicas, fewest) = self.truth.low(self.now);
        let weight = Weight(flow.weight);
        match (flow.weight, flow.canary) {
            (0, _) => 0,
            (_, true) if self.weather.explicit_scale => 1.min(replicas),
            (_, true) => carrying(replicas, weight, Weight(100)),
            (_, false) if self.weather.threshold => 1.min(replicas),
            (_, false) => carrying(fewest, weight, Weight(100)).max(1.min(replicas)),
        }
    }

    /// (a) A write of ours never sends traffic to pods that cannot carry it, and never takes pods that carry traffic.
    fn judge_flows(&mut self, ours: bool) {
        let flows = self.flows();
        let canary_serves =
            flows.iter().filter(|flow| flow.canary).any(|flow| self.serving(flow.hash.as_deref()) > 0);
        let mut found = Vec::new();
        let mut next = BTreeMap::new();
        for flow in flows {
            let capable = self.capable(flow.hash.as_deref());
            let missing = (self.needed(&flow) - capable).max(0);
            if ours
                && let Some((before, before_capable)) = self.laws.flows.get(&flow.name)
                && missing > (self.needed(before) - before_capable).max(0)
                // Traffic that leaves a canary without any ready pod may go where it finds too few.
                && (flow.canary || canary_serves)
            {
                found.push(format!(
                    "{}: weight {} reaches {:?} with {capable} capable pods, {missing} too few (before: weight {} to {:?} with {before_capable})",
                    flow.name, flow.weight, flow.hash, before.weight, before.hash,
                ));
            }
            next.insert(flow.name.clone(), (flow, capable));
        }
        self.laws.flows = next;
        found.into_iter().for_each(|text| self.violation(text));
    }

    fn serving(&self, hash: Option<&str>) -> i32 {
        let sets = self.truth.world.replica_sets.iter();
        sets.filter(|set| hash.is_none_or(|hash| set.hash == hash)).map(|set| self.available(&set.uid)).sum()
    }

    /// (a) without routers: a Service of the Rollout is never left without pods by a write of ours, as long as a surge
    /// lets the next ones come first.
    fn judge_services(&mut self, ours: bool) {
        let mut found = Vec::new();
        let mut next = BTreeMap::new();
        for name in [CANARY_SERVICE, STABLE_SERVICE] {
            let Some(service) = self.truth.world.services.get(name).and_then(|seen| seen.fresh()) else {
                continue;
            };
            let capable = self.capable(service.hash.as_deref());
            let emptied = self.laws.services.get(name).is_some_and(|(_, before)| *before > 0) && capable == 0;
            let (replicas, _) = self.truth.low(self.now);
            let room = self.truth.routes.is_empty() && self.truth.limits().max_surge > 0 && replicas > 0;
            let room = room && !self.truth.recreated(self.now);
            // A preview Service shows the next revision before that has pods.
            let room = room && (name == STABLE_SERVICE || !self.truth.doubled(self.now));
            // One that selects no revision yet reaches the pods of all: judged by their number.
            let room = room && service.hash.is_some();
            if ours && emptied && room {
                found.push(format!("Service {name} selects {:?}, which has no pods any more", service.hash));
            }
            next.insert(name.to_owned(), (service.hash.clone(), capable));
        }
        self.laws.services = next;
        found.into_iter().for_each(|text| self.violation(text));
    }

    /// (e) A cookie leads to the revision that it names, or to stable, and to no other. (A Service that somebody deleted and
    /// made anew selects none of them: not our doing.)
    fn judge_sessions(&mut self) {
        let status = self.truth.world.rollout.status.clone().unwrap_or_default();
        let astray = |flow: &Flow| {
            let (named, reached) = (flow.named.filter(|_| flow.weight > 0)?, flow.hash.as_deref()?);
            let right = Named::of(reached) == named || status.stable_rs.as_deref() == Some(reached);
            (!right).then(|| format!("{} leads users of another revision to {reached}", flow.name))
        };
        let found: Vec<_> = self.flows().iter().filter_map(astray).collect();
        found.into_iter().for_each(|text| self.violation(text));
    }

    /// A plan that knows of the abort has been stored.
    pub(super) fn abort_is_known(&mut self) {
        let aborted = self.truth.world.rollout.status.as_ref().is_some_and(|status| status.abort);
        if aborted && self.laws.aborted.is_none() {
            self.laws.aborted = Some(self.truth.routes.iter().map(|route| route.asked).collect());
        }
    }

    /// (d) After an abort the traffic of the canary never rises.
    fn judge_abort(&mut self) {
        let status = self.truth.world.rollout.status.clone().unwrap_or_default();
        if !status.abort || status.promote_full {
            self.laws.aborted = None;
        }
        let Some(known) = self.laws.aborted.clone() else { return };
        let now: Vec<_> = self.truth.routes.iter().map(|route| route.asked).collect();
        let canary = Side::of_canary(Some(&self.truth.world.rollout));
        let rises = |(now, known): (&Asked, &Asked)| {
            now.weight_of(canary) > known.weight_of(canary)
                || now.staff.is_some() && known.staff.is_none()
                || now.session.is_some() && known.session.is_none()
        };
        if now.iter().zip(&known).any(rises) {
            self.violation(format!("the traffic of the canary rose after an abort: {known:?} to {now:?}"));
        }
        self.laws.aborted = Some(now);
    }

    /// (h) Services that change roles never change their revision under traffic.
    pub(super) fn judge_switch(&mut self, target: &ServiceTarget) {
        let strategy = self.truth.world.rollout.spec.strategy.as_ref();
        let canary = strategy.and_then(|strategy| strategy.canary.as_ref());
        let pair = canary.is_some_and(|canary| canary.ping_pong.is_some());
        let selected = self.truth.service_mut(&target.service).and_then(|service| service.hash.clone());
        let other = selected.is_some_and(|selected| selected != target.hash);
        let side = if target.service == CANARY_SERVICE { Side::Canary } else { Side::Stable };
        let carries = |asked: &Asked| {
            let led = asked.session.is_some_and(|(to, _)| to == side);
            asked.weight_of(side) > 0 || asked.staff == Some(side) || led
        };
        if pair && other && self.truth.flowing.iter().any(carries) {
            self.violation(format!("{target:?} is written while it carries {:?}", self.truth.flowing));
        }
    }

    /// (g) Without routers, pods that we took away leave as many available as must be.
    fn judge_availability(&mut self) {
        if !self.truth.routes.is_empty() || self.truth.recreated(self.now) {
            return;
        }
        let (replicas, fewest) = self.truth.low(self.now);
        // With blue-green it is the default share that may be missing while one strategy takes over from the other.
        let fewest = match self.truth.switched(self.now) {
            true => fewest.min(Limits::resolve(replicas, None, None).fewest()),
            false => fewest,
        };
        let capable = self.capable(None);
        if capable < fewest {
            self.violation(format!("a scale-down left {capable} of at least {fewest} available pods"));
        }
    }

    /// (c) One ReplicaSet for one template; (g) without routers not more pods than allowed.
    pub(super) fn judge_set(&mut self, set: &ReplicaSet, before: Option<&Object>) {
        let sets = &self.truth.world.replica_sets;
        let same = sets.iter().filter(|other| image(&other.template) == image(&set.template)).count();
        if same > 1 {
            self.violation(format!("{same} ReplicaSets run {}", image(&set.template)));
        }
        let grew = match before {
            Some(Object::Set(old)) => set.pods.spec > old.pods.spec,
            _ => set.pods.spec > 0,
        };
        let sum: i32 = self.truth.world.replica_sets.iter().map(|set| set.pods.spec).sum();
        let most = self.truth.most(self.now);
        let limited = self.truth.routes.is_empty() && !self.truth.doubled(self.now);
        if grew && limited && sum > most {
            self.violation(format!("{} grew to {}: {sum} pods of at most {most}", set.name, set.pods.spec));
        }
        let first = grew && !matches!(before, Some(Object::Set(old)) if old.pods.spec > 0);
        if first && self.truth.only_recreated(self.now) {
            self.judge_recreated(&set.uid);
        }
    }

    /// (i) A rollout that recreates its pods starts the first one of a revision when none of another is left.
    fn judge_recreated(&mut self, started: &str) {
        let others = self.truth.pods.iter().filter(|(uid, _)| *uid != started);
        let left: usize = others.map(|(_, pods)| pods.len()).sum();
        if left > 0 {
            self.violation(format!("{started} starts beside {left} pods of other revisions"));
        }
    }

    /// A plan is deterministic, does not depend on how the World is stored, never wakes in the past, tells nothing when it
    /// changes nothing, and says what it waits for when it waits.
    pub(super) fn judge_plan(&mut self, world: &World, decided: &Plan) {
        if decided.wake.is_some_and(|wake| wake <= world.now) {
            self.violation(format!("it wakes at once, for nothing: {:?} at {}", decided.wake, world.now));
        }
        if self.laws.plans.is_multiple_of(16) && plan(world) != *decided {
            self.violation("the same World leads to another plan".to_owned());
        }
        if let Some(split) = &decided.split
            && split.canary.0.saturating_add(split.stable().0) != 100
        {
            self.violation(format!("weights do not sum to 100: {split:?}"));
        }
        self.judge_gates(world, decided);
        let status = &decided.status;
        let idle = Some(status) == world.rollout.status.as_ref() && decided.writes.is_empty();
        let idle = idle && decided.services.is_empty() && self.flows_as_wished(world, decided);
        if idle && !decided.events.is_empty() {
            self.violation(format!("nothing changes, and it tells {:?}", decided.events));
        }
        if idle && status.phase.as_deref() != Some("Healthy") && status.gates.is_none() {
            self.violation(format!(
                "it waits and does not say for what: {:?} {:?}",
                status.phase, status.message
            ));
        }
    }

    fn flows_as_wished(&self, world: &World, decided: &Plan) -> bool {
        use serin_core::split::Effective;
        decided.split.as_ref().is_none_or(|split| {
            world.routers.iter().all(|router| match &router.effective {
                Effective::Applied(shown) | Effective::Pending(shown) => shown.canary == split.canary,
                Effective::Unknown(_) => true,
            })
        })
    }

    /// At the end of the simulation, when nothing moves any more.
    pub(super) fn judge_end(&mut self) {
        let mut world = World { now: self.moment(), ..self.seen() };
        self.list_pods(&mut world);
        let last = plan(&world);
        let stored = world.rollout.status.clone().unwrap_or_default();
        if last.status != stored
            || !last.writes.is_empty()
            || !last.events.is_empty()
            || !last.services.is_empty()
        {
            let wish = crate::digest(&world, &last);
            self.violation(format!(
                "it is at rest and still wants: {wish} {}",
                difference(&stored, &last.status)
            ));
        }
        let again = serde_json::to_string(&world).and_then(|text| serde_json::from_str::<World>(&text));
        match again {
            Ok(again) if plan(&again) == last => {}
            Ok(_) => self.violation("a stored World leads to another plan".to_owned()),
            Err(error) => self.violation(format!("a World cannot be stored: {error}")),
        }
        self.judge_last_moments(&stored);
        for text in super::end::problems(self, &stored) {
            self.violation(text);
        }
    }
}

/// Fields of the status that differ.
fn difference(before: &RolloutStatus, after: &RolloutStatus) -> String {
    let fields = |status: &RolloutStatus| match serde_json::to_value(status) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (before, after) = (fields(before), fields(after));
    let changed = after.iter().filter(|(key, value)| before.get(*key) != Some(value));
    let removed = before.iter().filter(|(key, _)| !after.contains_key(*key));
    changed.chain(removed).map(|(key, value)| format!("{key}: {:?} > {value}", before.get(key))).collect()
}
