//! Performs the watches of one Rollout or Experiment and its parts, and says when the picture has changed.

use std::fmt::Debug;
use std::hash::Hash;

use futures::future::FutureExt;
use futures::stream::{BoxStream, SelectAll, StreamExt, select_all};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serin_api::{AnalysisRun, Experiment, Rollout, label};

use crate::cluster::{Cluster, Kind, readable};
use crate::failure::root;
use crate::observe::Scope;
use crate::observed::{Observed, ObservedExperiment, Parts};

/// The watches of the parts; that of the object itself comes before them.
const PARTS: [&str; 4] = ["ReplicaSets", "pods", "AnalysisRuns", "Experiments"];

/// Something that a watch has told: which watch it was, and whether its first list is complete.
pub(crate) type Happening = (usize, Result<bool, watcher::Error>);

/// What can be watched with its parts.
pub(crate) trait Whole: Kind {
    /// It with its parts.
    type Picture;
    /// Experiments are parts of it.
    const HAS_EXPERIMENTS: bool;
    /// Gives it its parts.
    fn with(self, parts: Parts) -> Self::Picture;
    /// Where its parts are found, after what is seen.
    fn scope(picture: &Self::Picture) -> Scope;
}

impl Whole for Rollout {
    type Picture = Observed;
    const HAS_EXPERIMENTS: bool = true;

    fn with(self, parts: Parts) -> Observed {
        Observed::of(self, parts)
    }

    fn scope(picture: &Observed) -> Scope {
        Scope::of_rollout(&picture.rollout, !picture.experiments.is_empty())
    }
}

impl Whole for Experiment {
    type Picture = ObservedExperiment;
    const HAS_EXPERIMENTS: bool = false;

    fn with(self, parts: Parts) -> ObservedExperiment {
        let seen = ObservedExperiment::of(self, &parts);
        ObservedExperiment { notes: parts.notes, ..seen }
    }

    fn scope(_: &ObservedExperiment) -> Scope {
        Scope::of_experiment()
    }
}

/// The watches, with what they have seen.
pub(crate) struct Watching<'c, K: Whole> {
    cluster: &'c Cluster,
    name: String,
    /// Where parts are looked for.
    pub(crate) scope: Scope,
    wholes: Store<K>,
    replica_sets: Store<ReplicaSet>,
    pods: Store<Pod>,
    runs: Store<DeserializeGuard<AnalysisRun>>,
    experiments: Option<Store<DeserializeGuard<Experiment>>>,
    events: SelectAll<BoxStream<'static, Happening>>,
    listed: [bool; 5],
    notes: [Option<String>; 5],
}

impl<'c, K: Whole> Watching<'c, K> {
    /// Starts to watch the object of this name, and its parts in a scope.
    pub(crate) fn begin(cluster: &'c Cluster, name: &str, scope: Scope) -> Self {
        let labels = watch::Config::default().labels(&scope.pods);
        let own = watch::Config::default().fields(&format!("metadata.name={name}"));
        let (wholes, first) = mirror(cluster.api(), 0, own);
        let (replica_sets, second) = mirror(cluster.api(), 1, labels.clone());
        let (pods, third) = mirror(cluster.api(), 2, labels);
        let (runs, fourth) = mirror(cluster.api(), 3, watch::Config::default().labels(&scope.runs));
        let mut events = vec![first, second, third, fourth];
        let experiments = K::HAS_EXPERIMENTS.then(|| {
            let (store, fifth) =
                mirror(cluster.api(), 4, watch::Config::default().labels(label::POD_TEMPLATE_HASH));
            events.push(fifth);
            store
        });
        Self {
            cluster,
            name: name.to_owned(),
            scope,
            wholes,
            replica_sets,
            pods,
            runs,
            experiments,
            events: select_all(events),
            listed: [false, false, false, false, !K::HAS_EXPERIMENTS],
            notes: [const { None }; 5],
        }
    }

    /// Waits for the next change.
    pub(crate) async fn changed(&mut self) {
        if let Some(happening) = self.events.next().await {
            self.take(happening);
        }
    }

    /// Takes all changes that have come meanwhile.
    pub(crate) fn catch_up(&mut self) {
        while let Some(Some(happening)) = self.events.next().now_or_never() {
            self.take(happening);
        }
    }

    fn take(&mut self, (index, result): Happening) {
        match result {
            Ok(complete) => {
                self.listed[index] |= complete;
                self.notes[index] = None;
            }
            Err(error) => self.notes[index] = Some(self.note(index, &error)),
        }
        if self.notes[index].is_some() && index > 0 {
            self.listed[index] = true;
        }
    }

    fn note(&self, index: usize, error: &watcher::Error) -> String {
        match error {
            watcher::Error::InitialListFailed(error) if index > 0 => {
                self.cluster.missing_parts(PARTS[index - 1], error)
            }
            error => {
                let plural = if index == 0 { K::PLURAL } else { PARTS[index - 1] };
                format!("the watch of {plural} broke off ({}); trying again", root(error))
            }
        }
    }

    /// What is seen now; `None` before everything is listed once.
    pub(crate) fn seen(&self) -> Option<Seen<K::Picture>> {
        if self.listed.contains(&false) {
            return None;
        }
        let wholes = self.wholes.state();
        let Some(whole) = wholes.iter().find(|whole| whole.meta().name.as_deref() == Some(&self.name)) else {
            return Some(Seen::Gone);
        };
        let (runs, mut notes) = readable(cloned(&self.runs));
        let experiments = self.experiments.as_ref().map(cloned).unwrap_or_default();
        let (experiments, unreadable) = readable(experiments);
        notes.extend(unreadable);
        notes.extend(self.notes.iter().flatten().cloned());
        let parts = Parts {
            replica_sets: cloned(&self.replica_sets),
            pods: cloned(&self.pods),
            runs,
            experiments,
            notes,
            now: jiff::Timestamp::now(),
        };
        Some(Seen::There(Box::new((**whole).clone().with(parts))))
    }
}

/// What a complete watch shows.
pub(crate) enum Seen<P> {
    /// The object with its parts.
    There(Box<P>),
    /// The object was deleted.
    Gone,
}

/// Copies of all objects that a watch has seen.
pub(crate) fn cloned<K>(store: &Store<K>) -> Vec<K>
where
    K: Resource + Clone + 'static,
    K::DynamicType: Hash + Eq + Clone,
{
    store.state().iter().map(|object| (**object).clone()).collect()
}

/// A watch that keeps a copy; its items say whether the first list is complete.
pub(crate) fn mirror<K>(
    api: Api<K>,
    index: usize,
    config: watch::Config,
) -> (Store<K>, BoxStream<'static, Happening>)
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Default + Hash + Eq + Clone + Send + Unpin,
{
    let (store, writer) = reflector::store();
    let events = watch(api, config).default_backoff();
    let events = reflector::reflector(writer, events);
    let events = events
        .map(move |event| (index, event.map(|event| !matches!(event, Event::Init | Event::InitApply(_)))));
    (store, events.boxed())
}
