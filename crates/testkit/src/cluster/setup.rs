//! Decides what one seed simulates: the Rollout, the weather, and what happens from outside and when.

use serde_json::{Value, json};
use serin_core::seen::Seen;
use serin_core::world::Service;

use super::command::Command;
use super::traffic::STAFF;
use super::truth::{KINDS, Kind, Truth};
use super::{Cluster, Event, Laws, Process};
use crate::scene::{self, ACTIVE_SERVICE, CANARY_SERVICE, PREVIEW_SERVICE, STABLE_SERVICE, Scene, template};
use crate::seed::Seed;

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
    /// Canary pods are kept after an abort, for good.
    pub(crate) keeps_aborted: bool,
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
}

impl Traffic {
    /// Services that the Rollout names.
    fn services(self) -> &'static [&'static str] {
        match self {
            Self::BlueGreen => &[ACTIVE_SERVICE, PREVIEW_SERVICE],
            Self::PodsAndServices | Self::Routes(_) | Self::PingPong(_) => &[CANARY_SERVICE, STABLE_SERVICE],
            Self::Pods | Self::Subsets => &[],
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
    let traffic = if seed.is_multiple_of(5) { Traffic::BlueGreen } else { canary };
    let strategy = strategy(&mut chance, traffic);
    let weather = weather(&mut chance, traffic, &strategy);
    let scene = rollout(&mut chance, traffic, strategy);
    let (routes, subsets) = match traffic {
        Traffic::Pods | Traffic::PodsAndServices | Traffic::BlueGreen => (0, false),
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
    let most = if traffic == Traffic::BlueGreen { 2 } else { 15 };
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
        keeps_aborted: strategy["abortScaleDownDelaySeconds"] == 0,
    }
}

fn steps(chance: &mut Seed, routed: bool) -> Value {
    let count = chance.between(0, 5);
    let kinds = if routed { 9 } else { 6 };
    let mut weight = 0;
    let steps = (0..count).map(|_| match chance.between(0, kinds) {
        0..=2 => {
            weight = (weight + chance.between(-10, 50)).clamp(0, 100);
            json!({"setWeight": weight})
        }
        3 => json!({"pause": {}}),
        4 => json!({"pause": {"duration": chance.between(0, 40)}}),
        5 => json!({"pause": {"duration": format!("{}s", chance.between(1, 20))}}),
        6 => json!({"analysis": {"templates": [{"templateName": "errors"}]}}),
        7 => json!({"setCanaryScale": {"replicas": chance.between(0, 4)}}),
        8 => match chance.chance(80) {
            true => json!({"setHeaderRoute": {"name": STAFF, "match": [{"headerName": "x", "headerValue": {"exact": "y"}}]}}),
            false => json!({"setHeaderRoute": {"name": STAFF}}),
        },
        _ => match chance.chance(50) {
            true => json!({"setCanaryScale": {"matchTrafficWeight": true}}),
            false => json!({"setCanaryScale": {"weight": chance.between(0, 100)}}),
        },
    });
    steps.collect()
}

fn strategy(chance: &mut Seed, traffic: Traffic) -> Value {
    if traffic == Traffic::BlueGreen {
        return blue_green(chance);
    }
    let routed = matches!(traffic, Traffic::Routes(_) | Traffic::PingPong(_) | Traffic::Subsets);
    let mut canary = json!({"steps": steps(chance, routed)});
    if matches!(traffic, Traffic::PingPong(_)) {
        canary["pingPong"] = json!({"pingService": CANARY_SERVICE, "pongService": STABLE_SERVICE});
    } else if traffic != Traffic::Pods && traffic != Traffic::Subsets {
        canary["canaryService"] = json!(CANARY_SERVICE);
        canary["stableService"] = json!(STABLE_SERVICE);
    }
    if chance.chance(60) {
        let surge = chance.pick(&[json!(0), json!(1), json!(3), json!("25%"), json!("100%")]);
        let unavailable = chance.pick(&[json!(1), json!("50%")]);
        let unavailable = if surge == 0 || chance.chance(50) { unavailable } else { json!(0) };
        (canary["maxSurge"], canary["maxUnavailable"]) = (surge, unavailable);
    }
    if chance.chance(30) {
        let start =
            json!({"templates": [{"templateName": "errors"}], "args": [{"name": "unused", "value": "x"}]});
        canary["analysis"] = start;
    }
    if routed {
        routing(chance, traffic, &mut canary);
    }
    if chance.chance(25) {
        canary["canaryMetadata"] = json!({"labels": {"role": "canary"}});
        canary["stableMetadata"] = chance.pick(&[json!({"labels": {"role": "stable"}}), json!(null)]);
    }
    if chance.chance(15) {
        let threshold = json!({"type": "Percent", "value": chance.pick(&[0, 50, 90])});
        canary["replicaProgressThreshold"] = chance.pick(&[threshold, json!({"type": "Pods", "value": 1})]);
    }
    canary
}

fn routing(chance: &mut Seed, traffic: Traffic, canary: &mut Value) {
    canary["trafficRouting"] = match traffic {
        Traffic::Subsets => json!({"istio": {
            "virtualService": {"name": "shop"},
            "destinationRule": {"name": "shop", "canarySubsetName": "canary", "stableSubsetName": "stable"},
        }}),
        _ => json!({"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "shop"}}}),
    };
    canary["trafficRouting"]["managedRoutes"] = json!([{"name": STAFF}]);
    // Nothing is drawn for this, so that the seeds of old findings keep their worlds.
    if canary["steps"].as_array().is_some_and(|steps| steps.len() % 2 == 1) {
        canary["trafficRouting"]["sessionAffinity"] = json!({});
    }
    for field in ["scaleDownDelaySeconds", "abortScaleDownDelaySeconds"] {
        if let Some(seconds) = chance.pick(&[None, Some(0), Some(5)]) {
            canary[field] = json!(seconds);
        }
    }
    if canary["scaleDownDelaySeconds"].is_null() && chance.chance(50) {
        canary["dynamicStableScale"] = json!(true);
    }
    if canary["dynamicStableScale"].is_null() && chance.chance(20) {
        let duration = chance.pick(&[None, Some(1), Some(20)]);
        canary["postPromotionAnalysis"] =
            json!({"templates": [{"templateName": "errors"}], "duration": duration});
    }
    if chance.chance(20) {
        canary["minPodsPerReplicaSet"] = json!(chance.between(1, 3));
    }
    if chance.chance(20) {
        canary["scaleDownDelayRevisionLimit"] = json!(chance.between(0, 2));
    }
}

fn blue_green(chance: &mut Seed) -> Value {
    let mut strategy = json!({"activeService": ACTIVE_SERVICE});
    if chance.chance(70) {
        strategy["previewService"] = json!(PREVIEW_SERVICE);
    }
    for (field, choices) in [
        ("previewReplicaCount", [None, None, Some(1), Some(2)]),
        ("autoPromotionSeconds", [None, None, Some(0), Some(20)]),
        ("scaleDownDelaySeconds", [None, Some(0), Some(3), Some(10)]),
        ("abortScaleDownDelaySeconds", [None, Some(0), Some(1), Some(5)]),
        ("scaleDownDelayRevisionLimit", [None, None, Some(0), Some(1)]),
    ] {
        if let Some(value) = chance.pick(&choices) {
            strategy[field] = json!(value);
        }
    }
    if chance.chance(40) {
        strategy["autoPromotionEnabled"] = json!(false);
    }
    for field in ["prePromotionAnalysis", "postPromotionAnalysis"] {
        if chance.chance(40) {
            strategy[field] = json!({"templates": [{"templateName": "errors"}]});
        }
    }
    strategy
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
        "revisionHistoryLimit": chance.pick(if traffic == Traffic::BlueGreen { &[1, 1, 10] } else { &[0, 1, 10] }),
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
    let mut version = 1;
    for _ in 0..cluster.chance.between(2, 9) {
        let command = command(&mut cluster.chance, traffic, &mut version, cluster.weather.rough);
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

fn command(chance: &mut Seed, traffic: Traffic, version: &mut i64, rough: i64) -> Command {
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
