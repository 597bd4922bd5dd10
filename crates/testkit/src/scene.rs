//! Says what a World looks like, in few words: who is stable, which pods there are, where traffic goes, what a person did.
//!
//! Revisions are named `v1`, `v2` … and their hashes are the same words: ReplicaSets are adopted by their template.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use serin_api::{AnalysisPhase, RolloutStatus, label};
use serin_core::replica::Pods;
use serin_core::seen::Seen;
use serin_core::split::{Effective, Split, Weight};
use serin_core::world::{AnalysisRun, ReplicaSet, RouterReport, Service, Template, World};

use crate::api_server::defaulted;
use crate::merge_patch::merge_spec;

mod act;

/// When every scene begins.
pub const BEGINNING: Timestamp = Timestamp::constant(1_767_225_600, 0);
/// Name of the canary Service of every scene.
pub const CANARY_SERVICE: &str = "shop-canary";
/// Name of the stable Service of every scene.
pub const STABLE_SERVICE: &str = "shop-stable";
/// Name of the active Service of every blue-green scene.
pub const ACTIVE_SERVICE: &str = "shop-active";
/// Name of the preview Service of every blue-green scene.
pub const PREVIEW_SERVICE: &str = "shop-preview";

/// A World on its way to be what a test needs.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The World so far.
    pub world: World,
    /// Pods become available as soon as they are asked for.
    pub prompt: bool,
    number: u64,
}

/// A Rollout `default/shop` of 4 replicas that runs `v1` and has come to rest.
pub fn base() -> Scene {
    fresh().pods("v1", 4, 4).status(|status| status.stable_rs = Some("v1".to_owned())).rest()
}

/// The same Rollout before any controller has seen it.
pub fn fresh() -> Scene {
    let rollout = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": {"name": "shop", "namespace": "default", "uid": "uid-shop", "generation": 1},
        "spec": {
            "replicas": 4,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": template("v1"),
            "strategy": {"canary": {}},
        },
    });
    let world = World {
        now: BEGINNING,
        rollout: serde_json::from_value(rollout).unwrap_or_else(|error| panic!("{error}")),
        replica_sets: Vec::new(),
        services: std::collections::BTreeMap::new(),
        routers: Vec::new(),
        templates: Vec::new(),
        analysis_runs: Vec::new(),
        experiments: Vec::new(),
        refusals: Vec::new(),
        pods: Default::default(),
        brakes: Vec::new(),
        workload: None,
        extensions: Default::default(),
        orphans: Vec::new(),
        load_balancers: None,
        leaving: false,
    };
    Scene { world, prompt: true, number: 0 }
}

/// The pod template of a revision.
pub fn template(version: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "shop"}},
        "spec": {"containers": [{"name": "shop", "image": format!("shop:{version}")}]},
    })
}

impl Scene {
    /// Changes the World in any way.
    pub fn edit(mut self, change: impl FnOnce(&mut World)) -> Self {
        change(&mut self.world);
        self
    }

    /// Changes the status in any way.
    pub fn status(self, change: impl FnOnce(&mut RolloutStatus)) -> Self {
        self.edit(|world| change(world.rollout.status.get_or_insert_default()))
    }

    /// Merges fields into the spec, as `kubectl patch --type merge` does.
    pub fn spec(self, fields: Value) -> Self {
        self.edit(|world| merge_spec(&mut world.rollout, &fields))
    }

    /// Merges fields into `spec.strategy.canary`.
    pub fn canary(self, fields: Value) -> Self {
        self.spec(json!({"strategy": {"canary": fields}}))
    }

    /// Sets the steps, and takes them as those that the current attempt began with.
    pub fn steps(self, steps: Value) -> Self {
        self.canary(json!({"steps": steps})).rest()
    }

    /// Sets `spec.replicas`, as a person or an autoscaler does.
    pub fn replicas(self, replicas: i32) -> Self {
        self.spec(json!({"replicas": replicas}))
    }

    /// Names a canary and a stable Service, which select `v1`.
    pub fn services(self) -> Self {
        self.canary(json!({"canaryService": CANARY_SERVICE, "stableService": STABLE_SERVICE})).edit(|world| {
            world.services.insert(CANARY_SERVICE.to_owned(), service("v1"));
            world.services.insert(STABLE_SERVICE.to_owned(), service("v1"));
        })
    }

    /// Blue-green instead of a canary, with these fields beside `activeService`. The Services select `v1`.
    pub fn blue_green(self, fields: Value) -> Self {
        let strategy = json!({"canary": null, "blueGreen": {"activeService": ACTIVE_SERVICE}});
        self.spec(json!({"strategy": strategy})).spec(json!({"strategy": {"blueGreen": fields}})).edit(
            |world| {
                for name in [ACTIVE_SERVICE, PREVIEW_SERVICE] {
                    world.services.entry(name.to_owned()).or_insert_with(|| service("v1"));
                }
            },
        )
    }

    /// Splits traffic by an HTTPRoute that confirms at once, with all weight on stable.
    pub fn routed(self) -> Self {
        let report = RouterReport {
            name: "HTTPRoute default/shop".to_owned(),
            effective: Effective::Applied(Split::all_stable(Weight(100))),
            refusal: None,
            propagation_seconds: 0,
            confirms: true,
            managed: Vec::new(),
        };
        let plugin = json!({"argoproj-labs/gatewayAPI": {"httpRoute": "shop"}});
        self.services()
            .canary(json!({"trafficRouting": {"plugins": plugin}}))
            .edit(|world| world.routers = vec![report])
            .rest()
    }

    /// The two Services change roles; the one of stable is ping.
    pub fn ping_pong(self) -> Self {
        let pair = json!({"pingService": STABLE_SERVICE, "pongService": CANARY_SERVICE});
        self.canary(json!({"canaryService": null, "stableService": null, "pingPong": pair}))
            .status(|status| status.canary.stable_ping_pong = "ping".to_owned())
            .rest()
    }

    /// Steps may add these routes, and the routers can.
    pub fn managed(self, names: &[&str]) -> Self {
        let routes: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        self.canary(json!({"trafficRouting": {"managedRoutes": routes}})).edit(|world| {
            world.routers.iter_mut().for_each(|router| router.managed.clone_from(&names));
        })
    }

    /// The routers do not confirm; their data plane follows within `seconds`.
    pub fn lagging(self, seconds: i64) -> Self {
        let world = |world: &mut World| {
            for router in &mut world.routers {
                (router.confirms, router.propagation_seconds) = (false, seconds);
            }
        };
        self.edit(world).rest().wait(seconds + 2).rest()
    }

    /// A new template, as a person applies it.
    pub fn update(self, version: &str) -> Self {
        let template = template(version);
        self.edit(|world| {
            world.rollout.spec.template = Some(serin_api::RawTemplate::new(template));
            world.rollout.metadata.generation =
                world.rollout.metadata.generation.map(|generation| generation + 1);
        })
    }

    /// The ReplicaSet of a revision has so many pods, and so many of them are available.
    pub fn pods(self, version: &str, spec: i32, available: i32) -> Self {
        let pods = Pods { spec, current: spec, available };
        self.edit(|world| {
            let set = set(world, version);
            (set.pods, set.ready) = (pods, available);
        })
    }

    /// Changes the ReplicaSet of a revision in any way.
    pub fn set(self, version: &str, change: impl FnOnce(&mut ReplicaSet)) -> Self {
        self.edit(|world| change(set(world, version)))
    }

    /// A canary `version` with so many available pods is on its way, as the plans before have left it.
    pub fn rolling(self, version: &str, pods: i32) -> Self {
        self.update(version).pods(version, pods, pods).fold()
    }

    /// Stores the status of one plan, and does nothing else.
    pub fn fold(self) -> Self {
        let status = self.plan().status;
        self.status(|stored| *stored = status)
    }

    /// The current step is the one of this index, reached just now.
    pub fn at(self, index: i32) -> Self {
        self.status(|status| {
            status.current_step_index = Some(index);
            status.pause_conditions = None;
            status.controller_pause = false;
            status.canary.current_step_analysis_run_status = None;
        })
    }

    /// The routers show this weight on the canary, and it is in force.
    pub fn weight(self, canary: u32) -> Self {
        let split = Split::new(Weight(100), Weight(canary));
        self.effective(&Effective::Applied(split))
    }

    /// The routers report this.
    pub fn effective(self, effective: &Effective) -> Self {
        self.edit(|world| world.routers.iter_mut().for_each(|router| router.effective = effective.clone()))
    }

    /// A Service selects this revision.
    pub fn selects(self, service: &str, version: &str) -> Self {
        self.edit(|world| {
            if let Some(Seen::Fresh(service)) = world.services.get_mut(service) {
                service.hash = Some(version.to_owned());
                service.selector.insert(label::POD_TEMPLATE_HASH.to_owned(), version.to_owned());
            }
        })
    }

    /// An AnalysisTemplate with one metric.
    pub fn template(self, name: &str) -> Self {
        let spec = json!({"metrics": [{"name": name, "provider": {"job": {}}}]});
        self.edit(|world| {
            world.templates.push(Template {
                name: name.to_owned(),
                cluster_scope: false,
                spec: Seen::Fresh(serde_json::from_value(spec).unwrap_or_default()),
            });
        })
    }

    /// The AnalysisRun of this name says this.
    pub fn run(self, name: &str, phase: AnalysisPhase, message: &str) -> Self {
        self.edit(|world| {
            let run = world.analysis_runs.iter_mut().find(|run| run.name == name);
            let run: &mut AnalysisRun = run.unwrap_or_else(|| panic!("there is no AnalysisRun {name}"));
            (run.phase, run.message) = (phase, message.to_owned());
        })
    }

    /// The Experiment of this name says this; while it runs, its pods are available.
    pub fn experiment(self, name: &str, phase: AnalysisPhase, message: &str) -> Self {
        self.edit(|world| {
            let known = world.experiments.iter_mut().find(|experiment| experiment.name == name);
            let known = known.unwrap_or_else(|| panic!("there is no Experiment {name}"));
            (known.phase, known.message) = (phase, message.to_owned());
            for template in &mut known.templates {
                template.running = phase == AnalysisPhase::Running;
                template.pods = i32::from(template.running);
            }
        })
    }

    /// Time passes.
    pub fn wait(self, seconds: i64) -> Self {
        self.edit(|world| {
            world.now = world.now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(world.now)
        })
    }

    /// `promote`, as the CLI and the dashboards send it at a pause.
    pub fn promote(self) -> Self {
        self.status(|status| status.pause_conditions = None)
    }

    /// `promote --full`.
    pub fn promote_full(self) -> Self {
        self.status(|status| status.promote_full = true)
    }

    /// `abort`.
    pub fn abort(self) -> Self {
        self.status(|status| status.abort = true)
    }

    /// `retry`.
    pub fn retry(self) -> Self {
        self.status(|status| status.abort = false)
    }

    /// `spec.paused`.
    pub fn paused(self, paused: bool) -> Self {
        self.spec(json!({"paused": paused}))
    }

    /// Pods take their time: those that are asked for exist, and are not available before the test says so.
    pub fn slow(mut self) -> Self {
        self.prompt = false;
        self
    }
}

/// A Service of the Rollout that selects this revision.
fn service(hash: &str) -> Seen<Service> {
    let selector = [("app", "shop"), (label::POD_TEMPLATE_HASH, hash)];
    Seen::Fresh(Service {
        hash: Some(hash.to_owned()),
        managed_by: Some("shop".to_owned()),
        selector: selector.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
    })
}

fn set<'w>(world: &'w mut World, version: &str) -> &'w mut ReplicaSet {
    if let Some(index) = world.replica_sets.iter().position(|set| set.hash == version) {
        return &mut world.replica_sets[index];
    }
    let revision = world.replica_sets.iter().map(ReplicaSet::revision).max().unwrap_or(0) + 1;
    let mut template = template(version);
    template["metadata"]["labels"][label::POD_TEMPLATE_HASH] = json!(version);
    let created = BEGINNING.saturating_add(SignedDuration::from_secs(revision)).unwrap_or(BEGINNING);
    world.replica_sets.push(ReplicaSet {
        name: format!("shop-{version}"),
        uid: format!("uid-{version}"),
        hash: version.to_owned(),
        created,
        annotations: [(label::REVISION.to_owned(), revision.to_string())].into(),
        template: defaulted(template),
        pods: Pods::default(),
        ready: 0,
        min_ready_seconds: 0,
        failure: None,
        deleting: false,
        observed: true,
    });
    let last = world.replica_sets.len() - 1;
    &mut world.replica_sets[last]
}
