//! A simulated cluster: an API server, its controllers, a data plane and one controller process, on a virtual clock.
//!
//! Everything that happens is an event at a time of its own, drawn from one seed. After each event the laws are judged
//! on what is true, not on what the process believes.

mod command;
mod end;
mod eviction;
mod experiment;
mod gate;
mod law;
mod pod;
mod process;
mod request;
mod setup;
mod traffic;
mod truth;
mod view;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::rc::Rc;

use jiff::Timestamp;
use serin_api::AnalysisPhase;
use serin_core::world::{Template, World};

use crate::scene::BEGINNING;
use crate::seed::Seed;
use command::Command;
use law::Laws;
use process::Process;
use setup::Weather;
use traffic::Followed;
use truth::{Key, Kind, Object, Truth};

/// Something that happens.
#[derive(Clone, Debug)]
enum Event {
    Command(Command),
    Fair,
    SetSync(String),
    PodReady(String, u64),
    Follow(Key, u64, Followed),
    Confirm(usize, u64),
    RouterUp(usize),
    RunPhase(String, AnalysisPhase),
    ExperimentPhase(String, AnalysisPhase),
    RestoreService(String),
    RestoreTemplate(Box<Template>),
    Deliver(Kind),
    Relist(Kind),
    Start,
    Think,
    Act,
    Wake,
}

struct Due {
    at: i64,
    order: u64,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// What a watch has to deliver, in order.
struct Delivery {
    at: i64,
    key: Key,
    version: u64,
    object: Option<Rc<Object>>,
}

/// The result of one simulation.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What must never be, and was.
    pub violations: Vec<String>,
    /// How often it was planned.
    pub plans: u64,
    /// Where it came to rest: phase and message.
    pub rest: String,
    /// What happened, when it was asked for.
    pub story: Vec<String>,
}

/// One simulated cluster.
pub struct Cluster {
    now: i64,
    due: BinaryHeap<Reverse<Due>>,
    order: u64,
    chance: Seed,
    weather: Weather,
    /// No more faults: from here on everything must come to an end.
    fair: bool,
    truth: Truth,
    process: Process,
    watches: BTreeMap<Kind, VecDeque<Delivery>>,
    down: BTreeMap<Kind, i64>,
    quota_until: i64,
    laws: Laws,
    story: Option<Vec<String>>,
}

/// Events after which a simulation is taken for one that never ends.
const MOST_EVENTS: u64 = 8_000;

/// Runs the simulation of one seed; with its story for people when `told`.
pub fn simulate(seed: u64, told: bool) -> Outcome {
    let mut cluster = setup::cluster(seed, told);
    cluster.run();
    let status = cluster.truth.world.rollout.status.clone().unwrap_or_default();
    cluster.tell(|| serde_json::to_string(&status).unwrap_or_default());
    Outcome {
        violations: cluster.laws.violations,
        plans: cluster.laws.plans,
        rest: format!("{} {}", status.phase.unwrap_or_default(), status.message.unwrap_or_default()),
        story: cluster.story.unwrap_or_default(),
    }
}

impl Cluster {
    fn at(&mut self, at: i64, event: Event) {
        self.order += 1;
        self.due.push(Reverse(Due { at: at.max(self.now), order: self.order, event }));
    }

    fn moment(&self) -> Timestamp {
        let start = BEGINNING.as_millisecond();
        Timestamp::from_millisecond(start + self.now).unwrap_or(BEGINNING)
    }

    fn tell(&mut self, text: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(format!("{:>9.3} {}", self.now as f64 / 1000.0, text()));
        }
    }

    /// Percent of cases in which a fault happens that should happen in `percent` of them.
    fn faults(&self, percent: i64) -> i64 {
        if self.fair { 0 } else { percent * self.weather.rough }
    }

    /// An object has changed: it has a new version, and its watch will tell.
    fn touch(&mut self, key: Key) {
        let version = self.truth.number();
        self.truth.versions.insert(key.clone(), version);
        if key.kind == Kind::Rollout {
            self.truth.world.rollout.metadata.resource_version = Some(version.to_string());
        }
        let object = self.truth.snapshot(&key);
        let lag = self.chance.between(1, self.weather.watch_lag);
        let kind = key.kind;
        let watch = self.watches.entry(kind).or_default();
        let at = watch.back().map_or(0, |last| last.at).max(self.now + lag);
        watch.push_back(Delivery { at, key, version, object });
        self.at(at, Event::Deliver(kind));
    }

    fn deliver(&mut self, kind: Kind) {
        if self.down.contains_key(&kind) {
            return;
        }
        let mut delivered = false;
        while self.watches.get(&kind).and_then(VecDeque::front).is_some_and(|first| first.at <= self.now) {
            let Some(next) = self.watches.get_mut(&kind).and_then(VecDeque::pop_front) else { break };
            self.take_in(next.key, next.version, next.object);
            delivered = true;
        }
        if delivered {
            self.think_soon(2);
        }
    }

    /// What is true, as a World without lag; for judging the end.
    fn seen(&self) -> World {
        let mut world = self.truth.world.clone();
        for (index, route) in self.truth.routes.iter().enumerate() {
            let rule = self.truth.rule.as_ref().map(|rule| (rule, false));
            world.routers.push(self.report(index, route, false, rule));
        }
        world
    }

    fn run(&mut self) {
        let mut events = 0;
        while let Some(Reverse(due)) = self.due.pop() {
            self.now = due.at;
            events += 1;
            if events > MOST_EVENTS {
                return self.violation(format!("it does not come to rest within {MOST_EVENTS} events"));
            }
            self.happen(due.event);
            if !self.laws.violations.is_empty() {
                return;
            }
        }
        self.judge_end();
    }

    fn happen(&mut self, event: Event) {
        let (mut ours, mut lowered) = (false, false);
        match event {
            Event::Command(command) => self.command(&command),
            Event::Fair => self.begin_fair(),
            Event::SetSync(uid) => {
                lowered = self.sync_set(&uid);
                ours = lowered;
            }
            Event::PodReady(uid, number) => self.pod_ready(&uid, number),
            Event::Follow(key, version, what) => {
                // A Service that comes back as its author wrote it is no write of ours.
                ours = !matches!(what, Followed::Endpoints(None));
                self.follow(key, version, what);
            }
            Event::Confirm(index, generation) => self.confirm(index, generation),
            Event::RouterUp(index) => self.router_up(index),
            Event::RunPhase(name, phase) => self.run_phase(&name, phase),
            Event::ExperimentPhase(name, phase) => self.experiment_phase(&name, phase),
            Event::RestoreService(name) => self.restore_service(&name),
            Event::RestoreTemplate(template) => self.restore_template(*template),
            Event::Deliver(kind) => self.deliver(kind),
            Event::Relist(kind) => self.relist(kind),
            Event::Start => self.start(),
            Event::Think => self.think(),
            Event::Wake if self.process.wake.is_some_and(|at| at <= self.now) => {
                self.process.wake = None;
                self.think_soon(0);
            }
            Event::Wake => {}
            Event::Act => {
                ours = true;
                self.act();
            }
        }
        self.judge(ours, lowered);
    }

    /// Faults end; what is down comes back.
    fn begin_fair(&mut self) {
        self.fair = true;
        self.laws.fair_since = Some(self.now);
        self.quota_until = 0;
        self.process.blind_routes.clear();
        self.tell(|| "from here on everything is fair".to_owned());
        self.think_soon(1);
    }
}
