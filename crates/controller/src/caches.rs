//! Says what is known of the cluster, and which objects are to be looked at when something changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use kube::Client;
use kube::api::Api;
use kube::core::ApiResource;
use serde_json::Value;
use serin_api::{TemplateReference, label};
use serin_core::seen::ObjectKey;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::cache::Cache;
use crate::link::Links;
use crate::mark::Shown;
use crate::object::{Kind, Name, Raw};
use crate::queue::Queue;
use crate::resource::Resources;
use crate::sight::{
    self, BrakeSight, ExperimentSight, Owner, RolloutSight, RunSight, SetSight, TemplateSight, Versions,
};

/// Which part of the cluster is served.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Only this namespace; without cluster-scoped templates.
    pub namespace: Option<String>,
    /// Only objects labelled with this controller id; empty for those without the label.
    pub instance: String,
}

impl Scope {
    pub(crate) fn selector(&self) -> String {
        match self.instance.as_str() {
            "" => format!("!{}", label::INSTANCE_ID),
            instance => format!("{}={instance}", label::INSTANCE_ID),
        }
    }

    pub(crate) fn api(&self, client: &Client, resource: &ApiResource) -> Api<Raw> {
        match &self.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
            None => Api::all_with(client.clone(), resource),
        }
    }
}

/// The kinds that are always watched.
pub mod kind {
    use crate::object::Kind;

    /// Rollout.
    pub fn rollout() -> Kind {
        Kind::new("argoproj.io", "v1alpha1", "Rollout")
    }

    /// AnalysisRun.
    pub fn run() -> Kind {
        Kind::new("argoproj.io", "v1alpha1", "AnalysisRun")
    }

    /// Experiment.
    pub fn experiment() -> Kind {
        Kind::new("argoproj.io", "v1alpha1", "Experiment")
    }

    /// AnalysisTemplate.
    pub fn template() -> Kind {
        Kind::new("argoproj.io", "v1alpha1", "AnalysisTemplate")
    }

    /// ClusterAnalysisTemplate.
    pub fn cluster_template() -> Kind {
        Kind::new("argoproj.io", "v1alpha1", "ClusterAnalysisTemplate")
    }

    /// ReplicaSet.
    pub fn set() -> Kind {
        Kind::new("apps", "v1", "ReplicaSet")
    }

    /// ConfigMap.
    pub fn config_map() -> Kind {
        Kind::new("", "v1", "ConfigMap")
    }

    /// Job.
    pub fn job() -> Kind {
        Kind::new("batch", "v1", "Job")
    }

    /// Service.
    pub fn service() -> Kind {
        Kind::new("", "v1", "Service")
    }
}

/// Everything that is known of the cluster, and the queues of what is to be looked at.
#[derive(Debug)]
pub struct Caches {
    /// Rollouts.
    pub rollouts: Arc<Cache<RolloutSight>>,
    /// Experiments.
    pub experiments: Arc<Cache<ExperimentSight>>,
    /// ReplicaSets of Rollouts and Experiments.
    pub sets: Arc<Cache<SetSight>>,
    /// Services.
    pub services: Arc<Cache<Value>>,
    /// AnalysisRuns.
    pub runs: Arc<Cache<RunSight>>,
    /// Jobs of AnalysisRuns.
    pub jobs: Arc<Cache<Value>>,
    /// ConfigMaps that hold or abort updates.
    pub brakes: Arc<Cache<BrakeSight>>,
    /// AnalysisTemplates.
    pub templates: Arc<Cache<TemplateSight>>,
    /// ClusterAnalysisTemplates.
    pub cluster_templates: Arc<Cache<TemplateSight>>,
    /// Rollouts to be looked at.
    pub rollout_queue: Arc<Queue<Name>>,
    /// Experiments to be looked at.
    pub experiment_queue: Arc<Queue<Name>>,
    /// AnalysisRuns to be looked at.
    pub run_queue: Arc<Queue<Name>>,
    /// Plurals of kinds.
    pub resources: Arc<Resources>,
    /// Versions of API groups of routing objects; set once, before [`crate::watches::start`].
    pub versions: Versions,
    namespaced: bool,
    pub(crate) routes: Mutex<BTreeMap<Kind, Arc<Cache<Value>>>>,
    links: Links,
    wanted: mpsc::UnboundedSender<Kind>,
    pub(crate) wants: Mutex<Option<mpsc::UnboundedReceiver<Kind>>>,
}

impl Caches {
    /// Empty caches; [`crate::watches::start`] fills them.
    pub fn new(scope: &Scope) -> Arc<Self> {
        let versions = Versions::default();
        let (wanted, wants) = mpsc::unbounded_channel();
        Arc::new(Self {
            rollouts: Arc::new(Cache::new(sight::rollouts(versions.clone()))),
            experiments: Arc::new(Cache::new(sight::experiments())),
            sets: Arc::new(Cache::new(sight::sets())),
            services: Arc::new(Cache::new(sight::services())),
            runs: Arc::new(Cache::new(sight::runs())),
            jobs: Arc::new(Cache::new(sight::jobs())),
            brakes: Arc::new(Cache::new(sight::brakes())),
            templates: Arc::new(Cache::new(sight::templates())),
            cluster_templates: Arc::new(Cache::new(sight::templates())),
            rollout_queue: Arc::new(Queue::default()),
            experiment_queue: Arc::new(Queue::default()),
            run_queue: Arc::new(Queue::default()),
            resources: Arc::default(),
            versions,
            namespaced: scope.namespace.is_some(),
            routes: Mutex::default(),
            links: Links::default(),
            wanted,
            wants: Mutex::new(Some(wants)),
        })
    }

    /// All kinds that are always watched have been listed once.
    pub fn synced(&self) -> bool {
        self.waiting_for().is_empty()
    }

    /// The kinds that have not been listed yet, for people.
    pub fn waiting_for(&self) -> Vec<String> {
        let synced = [
            (kind::rollout(), self.rollouts.synced()),
            (kind::experiment(), self.experiments.synced()),
            (kind::set(), self.sets.synced()),
            (kind::service(), self.services.synced()),
            (kind::run(), self.runs.synced()),
            (kind::job(), self.jobs.synced()),
            // A role of before there were brakes does not let them be listed: then there are none, and the log says so.
            (kind::config_map(), self.brakes.synced() || self.brakes.unreadable(Instant::now()).is_some()),
            (kind::template(), self.templates.synced()),
            (kind::cluster_template(), self.namespaced || self.cluster_templates.synced()),
        ];
        synced.into_iter().filter(|(_, synced)| !synced).map(|(kind, _)| kind.to_string()).collect()
    }

    /// The cache of a kind of routing objects, when its watch has been started.
    pub fn routes(&self, kind: &Kind) -> Option<Arc<Cache<Value>>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner).get(kind).cloned()
    }

    /// What a cache shows of an object that this process writes.
    pub fn shown(&self, key: &ObjectKey) -> Option<Shown> {
        fn show<T>(cache: &Cache<T>, key: &ObjectKey) -> Option<Shown> {
            let kept = cache.get(&Name::of_key(key))?;
            Some(Shown { version: kept.version.clone(), uid: kept.uid.clone(), deleting: kept.deleting })
        }
        match (key.group.as_str(), key.kind.as_str()) {
            ("argoproj.io", "Rollout") => show(&self.rollouts, key),
            ("argoproj.io", "AnalysisRun") => show(&self.runs, key),
            ("argoproj.io", "Experiment") => show(&self.experiments, key),
            ("apps", "ReplicaSet") => {
                show(&self.sets, key).or_else(|| show(self.routes(&Kind::of_key(key))?.as_ref(), key))
            }
            ("batch", "Job") => show(&self.jobs, key),
            ("", "Service") => show(&self.services, key),
            _ => show(self.routes(&Kind::of_key(key))?.as_ref(), key),
        }
    }

    /// Watches the kinds of these objects, and looks at the Rollout whenever one of them changes.
    pub fn follow(&self, rollout: &Name, objects: &[ObjectKey]) {
        let kinds: BTreeSet<_> = objects.iter().map(Kind::of_key).collect();
        let words = objects.iter().map(sight::word).chain(kinds.iter().map(sight::kind_word));
        self.links.set(rollout, words.collect());
        for kind in kinds.into_iter().filter(|kind| self.routes(kind).is_none()) {
            // The receiver lives as long as the watches; before they begin, kinds wait in the channel.
            let _ = self.wanted.send(kind);
        }
    }

    /// Looks at the object that controls another one.
    pub(crate) fn look_at_owner(&self, namespace: &str, owner: &Owner) {
        let name = Name::new(namespace, &owner.name);
        match owner.kind.as_str() {
            "Rollout" => self.rollout_queue.add(name),
            "Experiment" => self.experiment_queue.add(name),
            _ => {}
        }
    }

    pub(crate) fn look_at_users(&self, key: &ObjectKey) {
        self.look_at(&sight::word(key));
    }

    pub(crate) fn look_at(&self, word: &str) {
        let users = self.rollouts.names_by(word).into_iter().chain(self.links.users(word));
        users.for_each(|name| self.rollout_queue.add(name));
        self.experiments.names_by(word).into_iter().for_each(|name| self.experiment_queue.add(name));
    }

    /// Rollouts that name the template, or one that names it in turn.
    pub(crate) fn look_at_users_of_template(&self, name: &Name, cluster_scope: bool) {
        let first = TemplateReference { template_name: name.name.clone(), cluster_scope };
        let mut open = vec![(name.namespace.clone(), first)];
        let mut known = BTreeSet::new();
        while let Some((namespace, reference)) = open.pop() {
            if !known.insert((namespace.clone(), reference.clone())) {
                continue;
            }
            self.look_at_users(&sight::template_key(&reference, &namespace));
            let nested = sight::nested_word(&reference);
            for user in self.templates.names_by(&nested) {
                if reference.cluster_scope || user.namespace == namespace {
                    let reference = TemplateReference { template_name: user.name, cluster_scope: false };
                    open.push((user.namespace, reference));
                }
            }
            for user in self.cluster_templates.names_by(&nested) {
                open.push((
                    String::new(),
                    TemplateReference { template_name: user.name, cluster_scope: true },
                ));
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
