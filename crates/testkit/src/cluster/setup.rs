//! Decides what one seed simulates: the Rollout, the weather, and what happens from outside and when.

use serde_json::{Value, json};
use serin_core::seen::Seen;
use serin_core::world::Service;

use super::command::Command;
use super::truth::{KINDS, Kind, Truth};
use super::{Cluster, Event, Laws, Process};
use crate::scene::{self, ACTIVE_SERVICE, CANARY_SERVICE, PREVIEW_SERVICE, STABLE_SERVICE, Scene, template};
use crate::seed::Seed;
use strategy::{experiment, other, steps, strategy};

mod strategy;

/// How the cluster behaves in one simulation.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    /// Factor of all faults: 0 is calm.
    pub(crate) rough: i64,
    /// Longest times, in milliseconds.
    pub(crate) watch_lag: i64,
    pub(crate) request_lag: i64,
    pub(crate) set_lag: i64,
    pub(crate) slowest_start: i64,
    /// Seconds within which the data plane follows.
    pub(crate) bound: i64,
    /// Routers confirm.
    pub(crate) confirms: bool,
    /// Percent of AnalysisRuns that do not succeed.
    pub(crate) bad_analysis: i64,
    /// The user sizes the canary by steps, or says how many of its pods are enough.
    pub(crate) explicit_scale: bool,
    /// Fewer pods than all are enough to go on.
    pub(crate) threshold: bool,
}

/// How a Rollout of the simulation directs traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Traffic {
    BlueGreen,
    Pods,
    PodsAndServices,
    Routes(usize),
    /// Routes of two Services that change roles.
    PingPong(usize),
    Subsets,
    /// All old pods go before new ones come; with Services or without.
    Recreated(bool),
    /// The user turns from canary to blue-green and back.
    Switched,
}

impl Traffic {
    /// Services that the Rollout names.
    fn services(self) -> &'static [&'static str] {
        match self {
            Self::BlueGreen => &[ACTIVE_SERVICE, PREVIEW_SERVICE],
            Self::PodsAndServices | Self::Routes(_) | Self::PingPong(_) => &[CANARY_SERVICE, STABLE_SERVICE],
            Self::Recreated(true) | Self::Switched => &[CANARY_SERVICE, STABLE_SERVICE],
            Self::Pods | Self::Subsets | Self::Recreated(false) => &[],
        }
    }
}

/// The cluster of one seed, before anything has happened.
pub(super) fn cluster(seed: u64, told: bool) -> Cluster {
    let mut chance = Seed::new(seed);
    let kinds = [
        Traffic::Pods,
        Traffic::PodsAndServices,
        Traffic::Routes(1),
        Traffic::Routes(1),
        Traffic::Routes(2),
        Traffic::Subsets,
    ];
    let canary = match chance.pick(&kinds) {
        Traffic::Routes(routes) if seed.is_multiple_of(3) => Traffic::PingPong(routes),
        kind => kind,
    };
    // By the seed, so that the others keep their worlds.
    let traffic = match (seed % 11, seed % 5) {
        (0, _) => Traffic::Switched,
        (1, _) => Traffic::Recreated(seed.is_multiple_of(2)),
        (_, 0) => Traffic::BlueGreen,
        _ => canary,
    };
    let mut strategy = strategy(&mut chance, traffic);
    if seed % 11 == 4
        && let Some(steps) = strategy.get_mut("steps").and_then(Value::as_array_mut)
    {
        let last = i64::try_from(steps.len()).unwrap_or(0);
        let index = usize::try_from(chance.between(0, last)).unwrap_or(0);
        steps.insert(index, experiment());
    }
    let weather = weather(&mut chance, traffic, &strategy);
    let scene = rollout(&mut chance, traffic, strategy);
    let (routes, subsets) = match traffic {
        Traffic::Pods | Traffic::PodsAndServices | Traffic::BlueGreen => (0, false),
        Traffic::Recreated(_) | Traffic::Switched => (0, false),
        Traffic::Routes(routes) | Traffic::PingPong(routes) => (routes, false),
        Traffic::Subsets => (1, true),
    };
    let story = told.then(|| vec![format!("{traffic:?} {weather:?}"), spec_text(&scene)]);
    let truth = Truth::new(scene.world, (routes, seed % 4 == 1), subsets);
    let mut cluster = new(chance, weather, truth, story);
    for key in cluster.truth.keys() {
        cluster.touch(key);
    }
    cluster.at(0, Event::Start);
    script(&mut cluster, traffic);
    cluster
}

fn new(chance: Seed, weather: Weather, truth: Truth, story: Option<Vec<String>>) -> Cluster {
    Cluster {
        now: 0,
        due: std::collections::BinaryHeap::new(),
        order: 0,
        chance,
        weather,
        fair: false,
        truth,
        process: Process::default(),
        watches: std::collections::BTreeMap::new(),
        down: std::collections::BTreeMap::new(),
        quota_until: 0,
        laws: Laws::default(),
        story,
    }
}

fn spec_text(scene: &Scene) -> String {
    let mut spec = serde_json::to_value(&scene.world.rollout.spec).unwrap_or_default();
    spec.as_object_mut().map(|spec| spec.remove("template"));
    spec.to_string()
}

fn weather(chance: &mut Seed, traffic: Traffic, strategy: &Value) -> Weather {
    let most = if matches!(traffic, Traffic::BlueGreen | Traffic::Switched) { 2 } else { 15 };
    Weather {
        rough: chance.between(0, 2),
        watch_lag: chance.pick(&[50, 500, 4_000]),
        request_lag: chance.pick(&[20, 500, 3_000]),
        set_lag: chance.pick(&[50, 1_000]),
        slowest_start: chance.pick(&[500, 5_000, 30_000]),
        // Nobody says how long the endpoints of a Service take: a blue-green rollout has to know.
        bound: chance.pick(&[1, 5, 15]).min(most),
        confirms: chance.chance(40),
        bad_analysis: chance.pick(&[0, 15, 40]),
        explicit_scale: ["setCanaryScale", "replicaProgressThreshold"]
            .iter()
            .any(|field| strategy.to_string().contains(field)),
        threshold: strategy.get("replicaProgressThreshold").is_some(),
    }
}

fn rollout(chance: &mut Seed, traffic: Traffic, strategy: Value) -> Scene {
    let strategy = match traffic {
        Traffic::BlueGreen => json!({"blueGreen": strategy}),
        _ => json!({"canary": strategy}),
    };
    let mut spec = json!({
        "replicas": chance.pick(&[1, 1, 2, 3, 4, 5, 10]),
        "progressDeadlineSeconds": chance.pick(&[60, 600]),
        "minReadySeconds": chance.pick(&[0, 0, 3]),
        "revisionHistoryLimit": chance.pick(if matches!(traffic, Traffic::BlueGreen | Traffic::Switched) { &[1, 1, 10] } else { &[0, 1, 10] }),
    });
    if chance.chance(10) {
        spec["paused"] = json!(true);
    }
    if chance.chance(30) {
        spec["progressDeadlineAbort"] = json!(true);
    }
    if chance.chance(30) {
        spec["rollbackWindow"] = json!({"revisions": chance.between(1, 3)});
    }
    let scene = scene::fresh().spec(json!({"strategy": {"canary": null}}));
    let scene = scene.spec(json!({"strategy": strategy})).spec(spec).template("errors");
    scene.edit(|world| {
        for name in traffic.services() {
            let selector = [("app".to_owned(), "shop".to_owned())].into();
            let service = Service { hash: None, managed_by: None, selector };
            world.services.insert((*name).to_owned(), Seen::Fresh(service));
        }
    })
}

/// The first revision comes up, others follow, and meanwhile things happen.
fn script(cluster: &mut Cluster, traffic: Traffic) {
    let mut at = cluster.chance.between(0, 90_000);
    let (mut version, mut blue_green) = (1, traffic == Traffic::BlueGreen);
    for _ in 0..cluster.chance.between(2, 9) {
        let command =
            command(&mut cluster.chance, traffic, (&mut version, &mut blue_green), cluster.weather.rough);
        if let Command::Spec(fields) = &command
            && let Some(image) = fields.pointer("/template/spec/containers/0/image")
            && cluster.chance.chance(15)
        {
            let image = image.as_str().unwrap_or_default().to_owned();
            cluster.at(at, Event::Command(Command::Break(image)));
        }
        cluster.at(at, Event::Command(command));
        at += cluster.chance.between(0, 45_000);
    }
    cluster.at(at + 1_000, Event::Fair);
    if cluster.chance.chance(50) {
        let calm = Command::Spec(json!({"paused": false}));
        cluster.at(at + 2_000, Event::Command(calm));
    }
}

fn command(
    chance: &mut Seed,
    traffic: Traffic,
    (version, blue_green): (&mut i64, &mut bool),
    rough: i64,
) -> Command {
    if traffic == Traffic::Switched && chance.chance(30) {
        let strategy = other(chance, *blue_green);
        *blue_green = !*blue_green;
        return Command::Spec(json!({"strategy": strategy}));
    }
    if chance.chance(35) || *version == 1 {
        *version = if chance.chance(75) { *version + 1 } else { chance.between(1, *version) };
        return Command::Spec(json!({"template": template(&format!("v{version}"))}));
    }
    let outage = chance.between(500, 40_000);
    match chance.between(0, if rough == 0 { 8 } else { 16 }) {
        0 | 1 => Command::Promote,
        2 => Command::PromoteFull,
        3 => Command::Abort,
        4 => Command::Retry,
        5 => Command::Spec(json!({"replicas": chance.between(0, 10)})),
        6 => Command::Spec(json!({"paused": chance.chance(50)})),
        7 => Command::SkipStep,
        8 if traffic == Traffic::BlueGreen => {
            let (by_itself, pods) = (chance.chance(50), chance.pick(&[None, Some(1), Some(3)]));
            let fields = json!({"autoPromotionEnabled": by_itself, "previewReplicaCount": pods});
            Command::Spec(json!({"strategy": {"blueGreen": fields}}))
        }
        8 if matches!(traffic, Traffic::Recreated(_)) => {
            let word = chance.pick(&["Recreate", "RollingUpdate"]);
            Command::Spec(json!({"strategy": {"canary": {"updateType": word}}}))
        }
        8 if traffic == Traffic::Switched => Command::Touch,
        8 => Command::Spec(json!({"strategy": {"canary": {"steps": steps(chance, false)}}})),
        9 => Command::LosePods(chance.between(1, 3), chance.chance(60)),
        10 => Command::Crash,
        11 => Command::WatchDown(chance.pick(&KINDS), outage),
        12 => match traffic {
            Traffic::Routes(routes) | Traffic::PingPong(routes) => {
                let last = i64::try_from(routes).unwrap_or(1) - 1;
                Command::RouterDown(usize::try_from(chance.between(0, last)).unwrap_or(0), outage)
            }
            _ => Command::WatchDown(Kind::Set, outage),
        },
        13 => match traffic.services() {
            [_, ..] => Command::DeleteService(chance.pick(traffic.services()).to_owned(), outage),
            [] => Command::DeleteTemplate("errors".to_owned(), outage),
        },
        14 => Command::Quota(outage),
        15 => Command::Touch,
        _ => Command::Restart(chance.pick(&[0, 0, 20])),
    }
}
