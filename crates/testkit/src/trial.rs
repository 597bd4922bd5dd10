//! Says what the World of an Experiment looks like, in few words, and does what its plans ask for.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::{Value, json};
use serin_api::{AnalysisPhase, ExperimentStatus, label};
use serin_core::experiment::{Plan, Service, World, plan};
use serin_core::replica::Pods;
use serin_core::seen::Seen;
use serin_core::world::{Template, WriteRefusal};
use serin_core::write::{Effect, Write};

use crate::api_server::{self, Refusal};
use crate::merge_patch::merge;
use crate::scene::BEGINNING;

/// A World of an Experiment on its way to be what a test needs.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The World so far.
    pub world: World,
    /// Pods become available as soon as they are asked for.
    pub prompt: bool,
    number: u64,
}

/// An Experiment `default/compare` with the templates `baseline` and `canary`, one pod each, that runs for a minute.
/// Nobody has looked at it.
pub fn experiment() -> Trial {
    let object = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment",
        "metadata": {"name": "compare", "namespace": "default", "uid": "uid-compare",
            "creationTimestamp": BEGINNING.to_string()},
        "spec": {"duration": "1m", "templates": [template("baseline", "v1"), template("canary", "v2")]},
    });
    let world = World {
        now: BEGINNING,
        experiment: serde_json::from_value(object).unwrap_or_else(|error| panic!("{error}")),
        replica_sets: Vec::new(),
        services: Vec::new(),
        templates: Vec::new(),
        analysis_runs: Vec::new(),
        carrying: BTreeSet::new(),
        refusals: Vec::new(),
    };
    Trial { world, prompt: true, number: 0 }
}

/// A template of an Experiment.
pub fn template(name: &str, version: &str) -> Value {
    json!({
        "name": name,
        "selector": {"matchLabels": {"app": "shop", "part": name}},
        "template": {
            "metadata": {"labels": {"app": "shop", "part": name}},
            "spec": {"containers": [{
                "name": "shop", "image": format!("shop:{version}"),
                "ports": [{"name": "http", "containerPort": 8080}],
            }]},
        },
    })
}

impl Trial {
    /// Changes the World in any way.
    pub fn edit(mut self, change: impl FnOnce(&mut World)) -> Self {
        change(&mut self.world);
        self
    }

    /// Changes the status in any way.
    pub fn status(self, change: impl FnOnce(&mut ExperimentStatus)) -> Self {
        self.edit(|world| change(world.experiment.status.get_or_insert_default()))
    }

    /// Merges fields into the spec, as `kubectl patch --type merge` does.
    pub fn spec(self, fields: Value) -> Self {
        self.edit(|world| {
            let mut spec = serde_json::to_value(&world.experiment.spec).unwrap_or_default();
            merge(&mut spec, &fields);
            world.experiment.spec =
                serde_json::from_value(spec).unwrap_or_else(|error| panic!("{fields}: {error}"));
        })
    }

    /// Analyses by AnalysisTemplates of the same name, which exist.
    pub fn analyses(self, analyses: Value) -> Self {
        let named: Vec<String> = analyses.as_array().into_iter().flatten().map(template_of).collect();
        let trial = named.iter().fold(self, |trial, name| trial.analysis_template(name));
        trial.spec(json!({"analyses": analyses}))
    }

    /// An AnalysisTemplate with one metric.
    pub fn analysis_template(self, name: &str) -> Self {
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
            let run = run.unwrap_or_else(|| panic!("there is no AnalysisRun {name}"));
            (run.phase, run.message) = (phase, message.to_owned());
        })
    }

    /// The API server refuses to write this object.
    pub fn refused(self, kind: &str, name: &str, message: &str, name_taken: bool) -> Self {
        let (kind, object, message) = (kind.to_owned(), name.to_owned(), message.to_owned());
        self.edit(|world| world.refusals = vec![WriteRefusal { kind, object, message, name_taken }])
    }

    /// So many pods of a template are available.
    pub fn available(self, template: &str, available: i32) -> Self {
        self.edit(|world| {
            let named = |set: &&mut serin_core::world::ReplicaSet| {
                set.annotations.get(label::EXPERIMENT_TEMPLATE).map(String::as_str) == Some(template)
            };
            let set = world.replica_sets.iter_mut().find(named);
            let set = set.unwrap_or_else(|| panic!("template {template} has no ReplicaSet"));
            (set.pods.current, set.pods.available, set.ready) = (set.pods.spec, available, available);
        })
    }

    /// Time passes.
    pub fn wait(self, seconds: i64) -> Self {
        self.edit(|world| {
            world.now = world.now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(world.now);
        })
    }

    /// Pods take their time: those that are asked for exist, and are not available before the test says so.
    pub fn slow(mut self) -> Self {
        self.prompt = false;
        self
    }

    /// Somebody ends it.
    pub fn terminate(self) -> Self {
        self.spec(json!({"terminate": true}))
    }

    /// What is decided now.
    pub fn plan(&self) -> Plan {
        plan(&self.world)
    }

    /// Decides once, and the cluster does all of it at once.
    pub fn act(mut self) -> (Self, Plan) {
        let plan = self.plan();
        self.world.experiment.status = Some(plan.status.clone());
        for write in &plan.writes {
            self.number += 1;
            if let Err(refusal) = perform(&mut self.world, write, self.number) {
                panic!("{} is refused: {refusal:?}", write.object);
            }
        }
        for set in &mut self.world.replica_sets {
            let available = if self.prompt { set.pods.spec } else { set.pods.available.min(set.pods.spec) };
            set.pods = Pods { spec: set.pods.spec, current: set.pods.spec, available };
            set.ready = available;
        }
        (self, plan)
    }

    /// Acts until nothing changes any more; the plans on the way, without the last one, which changes nothing.
    pub fn settle(mut self) -> (Self, Vec<Plan>) {
        let mut plans = Vec::new();
        for _ in 0..60 {
            let before = self.world.clone();
            let (next, plan) = self.act();
            self = next;
            let quiet = before.experiment == self.world.experiment
                && before.replica_sets == self.world.replica_sets
                && before.services == self.world.services
                && before.analysis_runs == self.world.analysis_runs;
            if quiet {
                return (self, plans);
            }
            plans.push(plan);
        }
        panic!("the experiment does not come to rest: {:#?}", self.world.experiment.status);
    }

    /// As [`Self::settle`], for when the way does not matter.
    pub fn rest(self) -> Self {
        self.settle().0
    }
}

fn template_of(analysis: &Value) -> String {
    analysis["templateName"].as_str().unwrap_or_default().to_owned()
}

/// Does one write on the World of an Experiment. `number` makes the uid of a created object.
///
/// # Errors
/// Why not.
pub fn perform(world: &mut World, write: &Write, number: u64) -> Result<(), Refusal> {
    if let Effect::JsonPatch(operations) = &write.effect
        && !operations.iter().any(|operation| operation["op"] == "test")
    {
        return Err(Refusal::Unguarded);
    }
    match write.object.kind.as_str() {
        "ReplicaSet" => api_server::replica_set(&mut world.replica_sets, write, (world.now, number)),
        "AnalysisRun" => api_server::analysis_run(&mut world.analysis_runs, write, (world.now, number)),
        "Service" => service(&mut world.services, write, number),
        other => Err(Refusal::Precondition(format!("no such kind here: {other}"))),
    }
}

fn service(services: &mut Vec<Service>, write: &Write, number: u64) -> Result<(), Refusal> {
    let found = services.iter().position(|service| service.name == write.object.name);
    match (&write.effect, found) {
        (Effect::Create(_), Some(_)) => Err(Refusal::Exists),
        (Effect::Create(object), None) => {
            let template = object["metadata"]["annotations"][label::EXPERIMENT_TEMPLATE].as_str();
            services.push(Service {
                name: write.object.name.clone(),
                uid: format!("uid-{number}"),
                template: template.map(str::to_owned),
                deleting: false,
            });
            Ok(())
        }
        (Effect::Delete { uid }, Some(index)) => {
            api_server::precondition(&services[index].uid, uid)?;
            services.remove(index);
            Ok(())
        }
        (_, None) => Err(Refusal::Missing),
        _ => Err(Refusal::Precondition("a Service is made and deleted here".to_owned())),
    }
}
