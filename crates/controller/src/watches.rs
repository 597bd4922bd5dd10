//! Performs the watches of all kinds, and sends what they bring to the queues.

use std::sync::{Arc, PoisonError};

use futures::FutureExt;
use kube::Client;
use kube::api::Api;
use serde_json::Value;
use serin_api::label;
use serin_traffic::service;

use crate::cache::{Cache, Change, Kept};
use crate::caches::{Caches, Scope, kind};
use crate::object::{Kind, Name, Raw};
use crate::sight::{
    self, BrakeSight, ExperimentSight, Owner, RolloutSight, RunSight, SetSight, TemplateSight,
};
use crate::watch::{self, Listener};

/// Starts the watches of all kinds that are always watched, and of routing objects as Rollouts begin to need them.
pub fn start(client: &Client, scope: Scope, caches: &Arc<Caches>) {
    let scope = Arc::new(scope);
    let watches = Watches { client: client.clone(), scope: scope.clone(), caches: caches.clone() };
    tokio::spawn(watches.clone().serve_wants());
    let own = Some(scope.selector());
    watches.begin(kind::rollout(), own.clone(), caches.rollouts.clone(), OfRollouts(watches.clone()));
    watches.begin(kind::run(), own.clone(), caches.runs.clone(), OfRuns(caches.clone()));
    watches.begin(kind::experiment(), own, caches.experiments.clone(), OfExperiments(caches.clone()));
    let hashed = Some(label::POD_TEMPLATE_HASH.to_owned());
    watches.begin(kind::set(), hashed, caches.sets.clone(), OfSets(caches.clone()));
    let of_runs = Some(serin_analysis::run::RUN_UID.to_owned());
    watches.begin(kind::job(), of_runs, caches.jobs.clone(), OfJobs(caches.clone()));
    watches.begin(kind::service(), None, caches.services.clone(), OfServices(caches.clone()));
    let braking = Some(label::BRAKE.to_owned());
    watches.begin(kind::config_map(), braking, caches.brakes.clone(), OfBrakes(caches.clone()));
    let listener = OfTemplates { caches: caches.clone(), cluster_scope: false };
    watches.begin(kind::template(), None, caches.templates.clone(), listener);
    if scope.namespace.is_none() {
        let listener = OfTemplates { caches: caches.clone(), cluster_scope: true };
        watches.begin(kind::cluster_template(), None, caches.cluster_templates.clone(), listener);
    }
}

#[derive(Clone)]
struct Watches {
    client: Client,
    scope: Arc<Scope>,
    caches: Arc<Caches>,
}

impl Watches {
    fn begin<T: Send + Sync + 'static>(
        &self,
        kind: Kind,
        selector: Option<String>,
        cache: Arc<Cache<T>>,
        listener: impl Listener<T> + Send + Sync + 'static,
    ) {
        let (watches, asked) = (self.clone(), kind.clone());
        let api = move || watches.clone().api(asked.clone()).boxed();
        tokio::spawn(watch::keep(kind, api, selector, cache, listener));
    }

    async fn api(self, kind: Kind) -> Api<Raw> {
        let resources = &self.caches.resources;
        // A GatewayClass is in no namespace, whichever is served.
        match resources.learn(&self.client, &kind).await {
            true => self.scope.api(&self.client, &resources.of(&kind)),
            false => Api::all_with(self.client.clone(), &resources.of(&kind)),
        }
    }

    /// Watches a kind of routing objects, once.
    fn need(&self, kind: Kind) {
        let mut known = self.caches.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains_key(&kind) {
            return;
        }
        let sight = if sight::is_workload(&kind) { sight::workloads() } else { sight::routes() };
        let cache = Arc::new(Cache::new(sight));
        known.insert(kind.clone(), cache.clone());
        drop(known);
        let listener = OfRoutes { caches: self.caches.clone(), kind: kind.clone() };
        self.begin(kind, None, cache, listener);
    }

    /// Watches kinds as they turn out to be needed.
    async fn serve_wants(self) {
        let wants = self.caches.wants.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut wants) = wants else { return };
        while let Some(kind) = wants.recv().await {
            self.need(kind);
        }
    }
}

struct OfRollouts(Watches);

impl Listener<RolloutSight> for OfRollouts {
    fn changed(&self, change: Change<RolloutSight>) {
        if let Some(Ok(read)) = change.new.as_ref().map(|kept| &kept.value) {
            read.routes.iter().chain(&read.workload).for_each(|key| self.0.need(Kind::of_key(key)));
        }
        look_at_experiments(&self.0.caches, &change);
        self.0.caches.rollout_queue.add(change.name);
    }

    fn listed(&self) {}
}

/// Experiments keep their pods while their Rollout still sends traffic to them.
fn look_at_experiments(caches: &Caches, change: &Change<RolloutSight>) {
    let additional = |kept: &Kept<RolloutSight>| {
        let status = kept.value.as_ref().ok().and_then(|read| read.rollout.status.clone());
        status.and_then(|status| status.canary.weights).and_then(|weights| weights.additional)
    };
    let (old, new) = (change.old.as_deref(), change.new.as_deref());
    if old.and_then(additional) != new.and_then(additional) {
        let experiments = change.sides().flat_map(|kept| caches.experiments.names_by(&kept.uid));
        experiments.for_each(|name| caches.experiment_queue.add(name));
    }
}

struct OfExperiments(Arc<Caches>);

impl Listener<ExperimentSight> for OfExperiments {
    fn changed(&self, change: Change<ExperimentSight>) {
        let experiments = change.sides().filter_map(|kept| kept.value.as_ref().ok());
        for owner in experiments.filter_map(|experiment| Owner::of(&experiment.metadata)) {
            self.0.look_at_owner(&change.name.namespace, &owner);
        }
        self.0.experiment_queue.add(change.name);
    }

    fn listed(&self) {}
}

pub(crate) struct OfSets(pub(crate) Arc<Caches>);

impl Listener<SetSight> for OfSets {
    fn changed(&self, change: Change<SetSight>) {
        if !change.matters() {
            return;
        }
        for owner in change.sides().filter_map(|set| set.value.owner.as_ref()) {
            self.0.look_at_owner(&change.name.namespace, owner);
        }
    }

    fn listed(&self) {}
}

struct OfRuns(Arc<Caches>);

impl Listener<RunSight> for OfRuns {
    fn changed(&self, change: Change<RunSight>) {
        let read = |kept: &Option<Arc<Kept<RunSight>>>| {
            kept.as_ref().and_then(|kept| kept.value.as_ref().ok()).map(serin_core::world::AnalysisRun::from)
        };
        if read(&change.old) != read(&change.new) {
            let runs = change.sides().filter_map(|run| run.value.as_ref().ok());
            for owner in runs.filter_map(|run| Owner::of(&run.metadata)) {
                self.0.look_at_owner(&change.name.namespace, &owner);
            }
        }
        self.0.run_queue.add(change.name);
    }

    fn listed(&self) {}
}

struct OfJobs(Arc<Caches>);

impl Listener<Value> for OfJobs {
    fn changed(&self, change: Change<Value>) {
        if change.matters() {
            let owners = change.sides().filter_map(|job| sight::run_of(&job.value));
            owners.for_each(|run| self.0.run_queue.add(Name::new(&change.name.namespace, run)));
        }
    }

    fn listed(&self) {}
}

pub(crate) struct OfServices(pub(crate) Arc<Caches>);

impl Listener<Value> for OfServices {
    fn changed(&self, change: Change<Value>) {
        if change.matters() {
            self.0.look_at_users(&service::key(&change.name.namespace, &change.name.name));
            for owner in change.sides().filter_map(|kept| kept.value.pointer("/owner/name")?.as_str()) {
                self.0.experiment_queue.add(Name::new(&change.name.namespace, owner));
            }
        }
    }

    fn listed(&self) {}
}

/// A brake is for every Rollout of its namespace, until its selector is looked at.
struct OfBrakes(Arc<Caches>);

impl Listener<BrakeSight> for OfBrakes {
    fn changed(&self, change: Change<BrakeSight>) {
        let all = self.0.rollouts.all().into_iter().map(|(name, _)| name);
        all.filter(|name| name.namespace == change.name.namespace)
            .for_each(|name| self.0.rollout_queue.add(name));
    }

    fn listed(&self) {}
}

struct OfTemplates {
    caches: Arc<Caches>,
    cluster_scope: bool,
}

impl Listener<TemplateSight> for OfTemplates {
    fn changed(&self, change: Change<TemplateSight>) {
        if change.matters() {
            self.caches.look_at_users_of_template(&change.name, self.cluster_scope);
        }
    }

    fn listed(&self) {}
}

pub(crate) struct OfRoutes {
    pub(crate) caches: Arc<Caches>,
    pub(crate) kind: Kind,
}

impl Listener<Value> for OfRoutes {
    fn changed(&self, change: Change<Value>) {
        self.caches.look_at_users(&self.kind.key(&change.name));
    }

    /// Also those whose object is not there: now it is known to be missing.
    fn listed(&self) {
        self.caches.look_at(&sight::kind_word(&self.kind));
    }
}
