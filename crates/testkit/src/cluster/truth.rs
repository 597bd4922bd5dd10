//! Says what is true in the simulated cluster, and which version each object has.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use serin_api::{AnalysisTemplateSpec, PingPong, Rollout};
use serin_core::replica::Limits;
use serin_core::seen::Seen;
use serin_core::world::{AnalysisRun, Experiment, ReplicaSet, Service, Template, World};

/// One kind of object: each kind has a watch of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Rollout,
    Set,
    Service,
    Route,
    Rule,
    Run,
    Experiment,
    Template,
}

/// The kinds whose watch may be down.
pub(crate) const KINDS: [Kind; 7] =
    [Kind::Rollout, Kind::Set, Kind::Service, Kind::Route, Kind::Rule, Kind::Run, Kind::Template];

/// Names one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }

    pub(crate) fn rollout() -> Self {
        Self::new(Kind::Rollout, "shop")
    }
}

/// What a routing object asks for and the data plane follows: a weight for the canary, and whether it also gets the
/// requests of the header route `staff`. Told by Services: `weight` is that of the canary Service, which is stable's after
/// canary and stable have changed roles.
///
/// `session` says where users are led whose cookie names a revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) weight: u32,
    pub(crate) staff: Option<Side>,
    pub(crate) session: Option<(Side, Named)>,
}

/// A revision as a cookie names it: a number in place of its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named(u64);

impl Named {
    /// FNV-1a of the hash.
    pub(crate) fn of(hash: &str) -> Self {
        let mix = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(hash.bytes().fold(0xcbf2_9ce4_8422_2325, mix))
    }
}

impl Asked {
    /// Everything goes to this Service.
    pub(crate) fn all(side: Side) -> Self {
        Self { weight: if side == Side::Canary { 100 } else { 0 }, staff: None, session: None }
    }

    /// The weight of this Service.
    pub(crate) fn weight_of(self, side: Side) -> u32 {
        if side == Side::Canary { self.weight } else { 100 - self.weight }
    }
}

/// One of the two Services: the one that is the canary's, or stable's, in the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Canary,
    Stable,
}

impl Side {
    /// The Service of the canary, as a status says it: `pingPong` has the canary Service as ping.
    pub(crate) fn of_canary(rollout: Option<&Rollout>) -> Self {
        let status = rollout.and_then(|rollout| rollout.status.as_ref());
        match status.map(|status| status.canary.stable_ping_pong.as_str()) {
            Some(PingPong::PING) => Self::Stable,
            _ => Self::Canary,
        }
    }

    pub(crate) fn other(self) -> Self {
        if self == Self::Canary { Self::Stable } else { Self::Canary }
    }
}

/// A routing object, and whether the gateway says that it follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) asked: Asked,
    pub(crate) generation: u64,
    pub(crate) confirmed: u64,
    /// It says nothing before it is written for the first time, like an Ingress without the action of its path.
    pub(crate) blank: bool,
}

/// A DestinationRule: the revisions that the subsets select.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) canary: String,
    pub(crate) stable: String,
}

/// An object as a watch delivers it.
#[derive(Clone, Debug)]
pub(crate) enum Object {
    Rollout(Box<Rollout>),
    Set(ReplicaSet),
    Service(Service),
    Route(Route),
    Rule(Rule),
    Run(AnalysisRun),
    Experiment(Experiment),
    Template(AnalysisTemplateSpec),
}

/// One pod of a ReplicaSet.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) number: u64,
    /// When it was created, in milliseconds of the simulation.
    pub(crate) created: i64,
    pub(crate) labels: BTreeMap<String, String>,
    /// Since when it is ready, in milliseconds of the simulation.
    pub(crate) ready_since: Option<i64>,
}

/// The limits that held from a moment on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Era {
    pub(crate) since: i64,
    pub(crate) limits: Limits,
    /// All old pods go before new ones come.
    pub(crate) recreates: bool,
    /// Two full sets of pods, and one Service for all traffic.
    pub(crate) blue_green: bool,
}

/// Everything that is true.
pub(crate) struct Truth {
    /// Rollout, ReplicaSets, Services, templates and runs.
    pub(crate) world: World,
    pub(crate) routes: Vec<Route>,
    pub(crate) rule: Option<Rule>,
    /// What is in force in the data plane, by route.
    pub(crate) flowing: Vec<Asked>,
    /// The newest change that the data plane follows, by what is followed.
    pub(crate) followed: BTreeMap<Key, u64>,
    /// Subsets in force in the data plane.
    pub(crate) ruling: Rule,
    /// Revisions that Services reach in the data plane; all pods for one without a hash.
    pub(crate) endpoints: BTreeMap<String, Option<String>>,
    pub(crate) pods: BTreeMap<String, Vec<Pod>>,
    /// Available pods that an injected fault took and that are not back, by ReplicaSet uid.
    pub(crate) lost: BTreeMap<String, i32>,
    /// Available pods that the process evicted and that are not back, by ReplicaSet uid.
    pub(crate) evicted: BTreeMap<String, i32>,
    /// ReplicaSets that were last asked to give up only pods which the API server had as unavailable.
    pub(crate) spared: BTreeSet<String>,
    /// Revisions whose pods never become ready.
    pub(crate) broken: BTreeSet<String>,
    /// Names of ReplicaSets of somebody else, which no watch shows.
    pub(crate) strangers: BTreeSet<String>,
    pub(crate) eras: VecDeque<Era>,
    pub(crate) versions: BTreeMap<Key, u64>,
    pub(crate) version: u64,
}

impl Truth {
    pub(crate) fn new(world: World, (routes, blank): (usize, bool), subsets: bool) -> Self {
        let route = Route { asked: Asked::default(), generation: 1, confirmed: 1, blank };
        let mut truth = Self {
            world,
            routes: vec![route; routes],
            rule: subsets.then(Rule::default),
            flowing: vec![Asked::default(); routes],
            followed: BTreeMap::new(),
            ruling: Rule::default(),
            endpoints: BTreeMap::new(),
            pods: BTreeMap::new(),
            lost: BTreeMap::new(),
            evicted: BTreeMap::new(),
            spared: BTreeSet::new(),
            broken: BTreeSet::new(),
            strangers: BTreeSet::new(),
            eras: VecDeque::new(),
            versions: BTreeMap::new(),
            version: 0,
        };
        let names: Vec<String> = truth.world.services.keys().cloned().collect();
        truth.endpoints.extend(names.into_iter().map(|name| (name, None)));
        truth.remember_limits(0);
        truth
    }

    /// A fresh number for versions and uids.
    pub(crate) fn number(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// Every object that exists.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let mut keys = vec![Key::rollout()];
        keys.extend(self.world.replica_sets.iter().map(|set| Key::new(Kind::Set, &set.name)));
        keys.extend(self.world.services.keys().map(|name| Key::new(Kind::Service, name)));
        keys.extend((0..self.routes.len()).map(|index| Key::new(Kind::Route, index.to_string())));
        keys.extend(self.rule.iter().map(|_| Key::new(Kind::Rule, "")));
        keys.extend(self.world.analysis_runs.iter().map(|run| Key::new(Kind::Run, &run.name)));
        let experiments = self.world.experiments.iter();
        keys.extend(experiments.map(|experiment| Key::new(Kind::Experiment, &experiment.name)));
        keys.extend(self.world.templates.iter().map(|template| Key::new(Kind::Template, &template.name)));
        keys
    }

    /// The object as it is now.
    pub(crate) fn snapshot(&self, key: &Key) -> Option<Rc<Object>> {
        let world = &self.world;
        let object = match key.kind {
            Kind::Rollout => Object::Rollout(Box::new(world.rollout.clone())),
            Kind::Set => Object::Set(world.replica_sets.iter().find(|set| set.name == key.name)?.clone()),
            Kind::Service => Object::Service(world.services.get(&key.name)?.fresh()?.clone()),
            Kind::Route => Object::Route(self.routes.get(key.name.parse::<usize>().ok()?)?.clone()),
            Kind::Rule => Object::Rule(self.rule.clone()?),
            Kind::Run => Object::Run(world.analysis_runs.iter().find(|run| run.name == key.name)?.clone()),
            Kind::Experiment => {
                Object::Experiment(world.experiments.iter().find(|known| known.name == key.name)?.clone())
            }
            Kind::Template => {
                let found = world.templates.iter().find(|template| template.name == key.name)?;
                Object::Template(found.spec.fresh()?.clone())
            }
        };
        Some(Rc::new(object))
    }

    pub(crate) fn service_mut(&mut self, name: &str) -> Option<&mut Service> {
        match self.world.services.get_mut(name) {
            Some(Seen::Fresh(service)) => Some(service),
            _ => None,
        }
    }

    pub(crate) fn set_mut(&mut self, uid: &str) -> Option<&mut ReplicaSet> {
        self.world.replica_sets.iter_mut().find(|set| set.uid == uid)
    }

    /// Two full sets of pods, and one Service for all traffic.
    pub(crate) fn is_blue_green(&self) -> bool {
        let strategy = self.world.rollout.spec.strategy.as_ref();
        strategy.is_some_and(|strategy| strategy.blue_green.is_some())
    }

    /// What reaches `hash` by the Service of the canary is traffic of the canary. With `pingPong` that Service has what is
    /// left of the revision before, once canary and stable have changed roles.
    pub(crate) fn is_canary(&self, hash: Option<&str>) -> bool {
        let rollout = &self.world.rollout;
        let status = rollout.status.clone().unwrap_or_default();
        let strategy = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
        let pair = strategy.is_some_and(|canary| canary.ping_pong.is_some());
        let promoted = status.stable_rs.as_ref() == Some(&status.current_pod_hash);
        !pair || !promoted && hash == Some(&status.current_pod_hash)
    }

    /// The Service that has all traffic of a blue-green rollout.
    pub(crate) fn active_service(&self) -> Option<&str> {
        let strategy = self.world.rollout.spec.strategy.as_ref()?.blue_green.as_ref()?;
        Some(&strategy.active_service)
    }

    /// The Service that shows the next revision of a blue-green rollout.
    pub(crate) fn preview_service(&self) -> Option<&str> {
        self.world.rollout.spec.strategy.as_ref()?.blue_green.as_ref()?.preview_service.as_deref()
    }

    /// Pods of an aborted revision are kept for good.
    pub(crate) fn keeps_aborted(&self) -> bool {
        let strategy = self.world.rollout.spec.strategy.as_ref();
        let of_canary =
            strategy.and_then(|strategy| strategy.canary.as_ref()?.abort_scale_down_delay_seconds);
        let of_blue_green =
            strategy.and_then(|strategy| strategy.blue_green.as_ref()?.abort_scale_down_delay_seconds);
        of_canary.or(of_blue_green) == Some(0)
    }

    /// Within the last two minutes all old pods were to go before new ones come.
    pub(crate) fn recreated(&self, now: i64) -> bool {
        self.recent(now).iter().any(|era| era.recreates)
    }

    /// Since two minutes all old pods are to go before new ones come.
    pub(crate) fn only_recreated(&self, now: i64) -> bool {
        self.recent(now).iter().all(|era| era.recreates)
    }

    /// Within the last two minutes there were to be two full sets of pods.
    pub(crate) fn doubled(&self, now: i64) -> bool {
        self.recent(now).iter().any(|era| era.blue_green)
    }

    /// Within the last two minutes the user turned from one strategy to the other.
    pub(crate) fn switched(&self, now: i64) -> bool {
        self.doubled(now) && self.recent(now).iter().any(|era| !era.blue_green)
    }

    /// The limits that the spec asks for now.
    pub(crate) fn limits(&self) -> Limits {
        let rollout = &self.world.rollout;
        if self.is_blue_green() {
            return Limits { max_unavailable: 0, ..Limits::resolve(rollout.replicas(), None, None) };
        }
        let canary = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
        let (surge, unavailable) = canary
            .map_or((None, None), |canary| (canary.max_surge.as_ref(), canary.max_unavailable.as_ref()));
        Limits::resolve(rollout.replicas(), surge, unavailable)
    }

    /// Call after every change of the spec.
    pub(crate) fn remember_limits(&mut self, now: i64) {
        let limits = self.limits();
        let strategy = self.world.rollout.spec.strategy.as_ref();
        let canary = strategy.and_then(|strategy| strategy.canary.as_ref());
        let recreates = canary.is_some_and(|canary| canary.recreates());
        self.eras.push_back(Era { since: now, limits, recreates, blue_green: self.is_blue_green() });
        while self.eras.get(1).is_some_and(|era| era.since < now - 120_000) {
            self.eras.pop_front();
        }
    }

    /// Fewest replicas and fewest available pods that were asked for within the last two minutes: what a decision on
    /// older caches may have been made for.
    pub(crate) fn low(&self, now: i64) -> (i32, i32) {
        let recent = self.recent(now);
        let replicas = recent.iter().map(|era| era.limits.replicas).min().unwrap_or(0);
        let fewest = recent.iter().map(|era| era.limits.fewest()).min().unwrap_or(0);
        (replicas, fewest)
    }

    /// Most pods that were allowed within the last two minutes.
    pub(crate) fn most(&self, now: i64) -> i32 {
        self.recent(now).iter().map(|era| era.limits.most()).max().unwrap_or(0)
    }

    /// Most pods that were allowed to be unavailable within the last two minutes.
    pub(crate) fn most_unavailable(&self, now: i64) -> i32 {
        let allowed = |limits: Limits| match self.is_blue_green() {
            // No switch may cost a pod; a restart may cost the default share.
            true => Limits::resolve(limits.replicas, None, None).max_unavailable,
            false => limits.max_unavailable,
        };
        self.recent(now).iter().map(|era| allowed(era.limits)).max().unwrap_or(0)
    }

    fn recent(&self, now: i64) -> Vec<Era> {
        let ends = self.eras.iter().skip(1).map(|era| era.since).chain([i64::MAX]);
        self.eras.iter().zip(ends).filter(|(_, end)| *end >= now - 120_000).map(|(era, _)| *era).collect()
    }

    /// A template that exists, by name.
    pub(crate) fn template(&self, name: &str) -> Option<&Template> {
        self.world.templates.iter().find(|template| template.name == name)
    }
}
