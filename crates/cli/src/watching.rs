//! Performs the watches of one Rollout and its parts, and says when the picture has changed.

use std::fmt::Debug;
use std::hash::Hash;

use futures::future::FutureExt;
use futures::stream::{BoxStream, SelectAll, StreamExt, select_all};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::Resource;
use kube::core::{DeserializeGuard, NamespaceResourceScope};
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use serde::de::DeserializeOwned;
use serin_api::{AnalysisRun, Rollout, label};

use crate::cluster::{Cluster, readable, selector};
use crate::failure::root;
use crate::observed::Observed;

/// One of the four watches; the Rollout itself comes first.
const PLURALS: [&str; 4] = ["rollouts", "ReplicaSets", "pods", "AnalysisRuns"];

type Happening = (usize, Result<bool, watcher::Error>);

/// The watches, with what they have seen.
pub(crate) struct Watching<'c> {
    cluster: &'c Cluster,
    name: String,
    rollouts: Store<Rollout>,
    replica_sets: Store<ReplicaSet>,
    pods: Store<Pod>,
    runs: Store<DeserializeGuard<AnalysisRun>>,
    events: SelectAll<BoxStream<'static, Happening>>,
    listed: [bool; 4],
    notes: [Option<String>; 4],
}

impl<'c> Watching<'c> {
    /// Starts to watch; `rollout` tells which labels its parts have.
    pub(crate) fn begin(cluster: &'c Cluster, rollout: &Rollout) -> Self {
        let name = rollout.metadata.name.clone().unwrap_or_default();
        let labels = watch::Config::default().labels(&selector(rollout));
        let runs = watch::Config::default().labels(label::POD_TEMPLATE_HASH);
        let own = watch::Config::default().fields(&format!("metadata.name={name}"));
        let (rollouts, first) = mirror(cluster, 0, own);
        let (replica_sets, second) = mirror(cluster, 1, labels.clone());
        let (pods, third) = mirror(cluster, 2, labels);
        let (runs, fourth) = mirror(cluster, 3, runs);
        let events = select_all([first, second, third, fourth]);
        let (listed, notes) = ([false; 4], [const { None }; 4]);
        Self { cluster, name, rollouts, replica_sets, pods, runs, events, listed, notes }
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
                self.cluster.missing_parts(PLURALS[index], error)
            }
            error => format!("the watch of {} broke off ({}); trying again", PLURALS[index], root(error)),
        }
    }

    /// What is seen now; `None` before everything is listed once.
    pub(crate) fn seen(&self) -> Option<Seen> {
        if self.listed.contains(&false) {
            return None;
        }
        let rollouts = self.rollouts.state();
        let Some(rollout) =
            rollouts.iter().find(|rollout| rollout.metadata.name.as_deref() == Some(&self.name))
        else {
            return Some(Seen::Gone);
        };
        let runs = self.runs.state().iter().map(|run| (**run).clone()).collect();
        let (runs, mut notes) = readable(runs);
        notes.extend(self.notes.iter().flatten().cloned());
        let seen = Observed {
            rollout: (**rollout).clone(),
            replica_sets: cloned(&self.replica_sets),
            pods: cloned(&self.pods),
            runs,
            notes,
            now: jiff::Timestamp::now(),
        };
        Some(Seen::There(Box::new(seen.keep_owned())))
    }
}

/// What a complete watch shows.
pub(crate) enum Seen {
    /// The Rollout with its parts.
    There(Box<Observed>),
    /// The Rollout was deleted.
    Gone,
}

fn cloned<K>(store: &Store<K>) -> Vec<K>
where
    K: Resource + Clone + 'static,
    K::DynamicType: Hash + Eq + Clone,
{
    store.state().iter().map(|object| (**object).clone()).collect()
}

/// A watch that keeps a copy; its items say whether the first list is complete.
fn mirror<K>(
    cluster: &Cluster,
    index: usize,
    config: watch::Config,
) -> (Store<K>, BoxStream<'static, Happening>)
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Default + Hash + Eq + Clone + Send + Unpin,
{
    let (store, writer) = reflector::store();
    let events = watch(cluster.api::<K>(), config).default_backoff();
    let events = reflector::reflector(writer, events);
    let events = events
        .map(move |event| (index, event.map(|event| !matches!(event, Event::Init | Event::InitApply(_)))));
    (store, events.boxed())
}
