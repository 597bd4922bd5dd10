//! Plays the controller process: it sees the cluster through watches that lag, plans, and writes one thing after the
//! other. It keeps to the contract of the shell: nobody acts on what is older than his own last write.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use serin_api::{Rollout, RolloutStatus};
use serin_core::strategy::ServiceTarget;
use serin_core::world::{World, WriteRefusal};
use serin_core::write::Write;
use serin_core::{Plan, plan};

use super::traffic::{STAFF, Turn};
use super::truth::{Asked, Key, Kind, Named, Object, Side};
use super::{Cluster, Event};
use crate::digest;

/// One request on its way.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Status(Box<RolloutStatus>, u64),
    Service(ServiceTarget, Option<u64>),
    Route(Turn),
    Write(Write),
}

/// What a cache must show of an object that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Version(u64),
    Gone,
}

/// The memory of one controller process; a crash forgets it.
#[derive(Default)]
pub(crate) struct Process {
    pub(crate) alive: bool,
    pub(crate) cache: BTreeMap<Key, (u64, Rc<Object>)>,
    /// What caches must show, and until when that is waited for.
    pub(crate) marks: BTreeMap<Key, (Mark, i64)>,
    pub(crate) flight: VecDeque<Act>,
    pub(crate) refusals: Vec<WriteRefusal>,
    pub(crate) wake: Option<i64>,
    pub(crate) think_at: Option<i64>,
    /// Waits for an answer that does not come.
    pub(crate) busy_until: i64,
    /// Routers that do not answer now.
    pub(crate) blind_routes: BTreeSet<usize>,
}

impl Cluster {
    /// A process starts: it lists everything.
    pub(super) fn start(&mut self) {
        let keys = self.truth.keys();
        let cache = keys.into_iter().filter_map(|key| {
            let version = self.truth.versions.get(&key).copied().unwrap_or(0);
            Some((key.clone(), (version, self.truth.snapshot(&key)?)))
        });
        let blind_routes = std::mem::take(&mut self.process.blind_routes);
        self.process = Process { alive: true, cache: cache.collect(), blind_routes, ..Process::default() };
        self.tell(|| "a process starts".to_owned());
        self.think_soon(1);
    }

    /// The process dies, with whatever it was about to write.
    pub(super) fn crash(&mut self) {
        if self.process.alive {
            let undone = self.process.flight.len();
            self.tell(|| format!("the process dies with {undone} writes undone"));
            self.process.alive = false;
            self.process.flight.clear();
            let away = self.chance.between(500, 20_000);
            self.at(self.now + away, Event::Start);
        }
    }

    pub(super) fn think_soon(&mut self, after: i64) {
        let at = self.now + after;
        if self.process.think_at.is_none_or(|known| known > at) {
            self.process.think_at = Some(at);
            self.at(at, Event::Think);
        }
    }

    /// A cache takes in what a watch delivers.
    pub(super) fn take_in(&mut self, key: Key, version: u64, object: Option<Rc<Object>>) {
        if self.process.cache.get(&key).is_some_and(|(known, _)| *known >= version) {
            return;
        }
        let met = match (self.process.marks.get(&key), &object) {
            (Some((Mark::Version(written), _)), Some(_)) => version >= *written,
            (Some((Mark::Gone, _)), None) => true,
            _ => false,
        };
        if met {
            self.process.marks.remove(&key);
        }
        match object {
            Some(object) => drop(self.process.cache.insert(key, (version, object))),
            None => drop(self.process.cache.remove(&key)),
        }
    }

    pub(super) fn cached_rollout(&self) -> Option<&Rollout> {
        match self.process.cache.get(&Key::rollout()).map(|(_, object)| object.as_ref()) {
            Some(Object::Rollout(rollout)) => Some(rollout.as_ref()),
            _ => None,
        }
    }

    /// What a watch does not show for a time is read directly. To act without would not be safe: the precondition of a
    /// write is about its own object, and decisions are about all of them together.
    fn lose_patience(&mut self) {
        let overdue: Vec<Key> = self
            .process
            .marks
            .iter()
            .filter(|(_, (_, at))| *at <= self.now)
            .map(|(key, _)| key.clone())
            .collect();
        for key in overdue {
            let version = self.truth.versions.get(&key).copied().unwrap_or(0);
            self.take_in(key.clone(), version, self.truth.snapshot(&key));
            self.process.marks.remove(&key);
        }
        if let Some(next) = self.process.marks.values().map(|(_, expires)| *expires).min() {
            self.think_soon(next - self.now);
        }
    }

    pub(super) fn stale(&self, key: &Key) -> bool {
        self.process.marks.contains_key(key)
    }

    /// Plans once, when there is something to plan from, and sets off the writes.
    pub(super) fn think(&mut self) {
        if self.process.think_at.is_some_and(|at| at > self.now) {
            return;
        }
        self.process.think_at = None;
        if !self.process.alive || !self.process.flight.is_empty() {
            return;
        }
        if self.process.busy_until > self.now {
            return self.think_soon(self.process.busy_until - self.now);
        }
        self.lose_patience();
        let Some(mut world) = self.view() else { return };
        self.list_pods(&mut world);
        let decided = plan(&world);
        self.laws.plans += 1;
        self.process.refusals.clear();
        self.judge_plan(&world, &decided);
        self.process.wake =
            decided.wake.map(|wake| wake.as_millisecond() - crate::scene::BEGINNING.as_millisecond());
        if let Some(at) = self.process.wake {
            self.at(at.max(self.now + 1), Event::Wake);
        }
        let stored = world.rollout.status.clone().unwrap_or_default();
        let version = self.process.cache.get(&Key::rollout()).map_or(0, |(version, _)| *version);
        let effects = self.effects(&world, &decided);
        if decided.status != stored {
            self.process.flight.push_back(Act::Status(Box::new(decided.status.clone()), version));
        }
        self.process.flight.extend(effects);
        if self.process.flight.is_empty() {
            return;
        }
        self.tell(|| format!("plan: {}", digest(&world, &decided)));
        self.at(self.now + 1, Event::Act);
    }

    /// The requests of a plan after its status: as the shell sends them, or in any order, or only some.
    fn effects(&mut self, world: &World, decided: &Plan) -> Vec<Act> {
        let mut acts = Vec::new();
        for target in &decided.services {
            let key = Key::new(Kind::Service, &target.service);
            let version = self.process.cache.get(&key).map(|(version, _)| *version);
            acts.push(Act::Service(target.clone(), version));
        }
        acts.extend(self.turns(world, decided).into_iter().map(Act::Route));
        acts.extend(decided.writes.iter().cloned().map(Act::Write));
        if self.chance.chance(self.faults(30)) {
            self.chance.shuffle(&mut acts);
        }
        if self.chance.chance(self.faults(10)) {
            let kept = self.chance.between(0, i64::try_from(acts.len()).unwrap_or(0));
            acts.truncate(usize::try_from(kept).unwrap_or(0));
            self.think_soon(2_000);
        }
        acts
    }

    /// What routers make of the split: each object by itself, and none that is not seen as it is.
    fn turns(&self, world: &World, decided: &Plan) -> Vec<Turn> {
        let Some(split) = &decided.split else { return Vec::new() };
        let mut turns = Vec::new();
        let side = Side::of_canary(Some(&world.rollout));
        let staff = split.routes().any(|name| name == STAFF).then_some(side);
        let weight = if side == Side::Canary { split.canary.0 } else { split.stable().0 };
        let session = split.affinity.as_ref().map(|affinity| (side, Named::of(&affinity.hash)));
        let mut asked = Asked { weight, staff, session };
        let shown = |index: usize| match self.process.cache.get(&Key::new(Kind::Route, index.to_string())) {
            Some((version, object)) => match object.as_ref() {
                Object::Route(route) => Some((*version, route.asked)),
                _ => None,
            },
            None => None,
        };
        let rule_key = Key::new(Kind::Rule, "");
        if let Some((_, object)) = self.process.cache.get(&rule_key)
            && let Object::Rule(rule) = object.as_ref()
        {
            let routes = 0..self.truth.routes.len();
            let idle = routes.clone().all(|index| {
                shown(index).is_some_and(|(_, asked)| asked == Asked::default())
                    && !self.stale(&Key::new(Kind::Route, index.to_string()))
            });
            let canary = Some(decided.canary_hash.clone()).filter(|hash| idle && *hash != rule.canary);
            let follows = decided.stable_hash.is_empty() || decided.stable_hash == rule.stable;
            if !self.stale(&rule_key) && (canary.is_some() || !follows) {
                turns.push(Turn::Rule { canary, stable: decided.stable_hash.clone() });
            }
            if rule.canary != decided.canary_hash || self.stale(&rule_key) {
                let shown: Vec<_> = routes.filter_map(shown).map(|(_, asked)| asked).collect();
                asked.weight = asked.weight.min(shown.iter().map(|asked| asked.weight).min().unwrap_or(0));
                asked.staff = asked.staff.filter(|_| shown.iter().all(|asked| asked.staff.is_some()));
                asked.session = asked.session.filter(|_| shown.iter().all(|asked| asked.session.is_some()));
            }
        }
        for index in 0..world.routers.len() {
            let fresh = !self.stale(&Key::new(Kind::Route, index.to_string()));
            if let Some((seen, shown)) =
                shown(index).filter(|_| fresh && !self.process.blind_routes.contains(&index))
                && (shown != asked || self.is_blank(index))
            {
                turns.push(Turn::Route { route: index, seen, asked });
            }
        }
        turns
    }

    /// The cache shows a route that says nothing yet: what it is asked for has to be written, be it all to stable.
    fn is_blank(&self, index: usize) -> bool {
        let key = Key::new(Kind::Route, index.to_string());
        let cached = self.process.cache.get(&key).map(|(_, object)| object.as_ref());
        matches!(cached, Some(Object::Route(route)) if route.blank)
    }
}
