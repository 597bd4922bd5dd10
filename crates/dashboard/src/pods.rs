//! Performs the watches of pods: only of Rollouts that somebody looks at, and one for all who look at the same.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::stream::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use serin_api::Rollout;
use tokio::sync::watch::{self, Sender};
use tokio::task::AbortHandle;

use crate::cache::{Cache, Changed, slim};
use crate::cluster::selector;
use crate::table::{Place, Table};
use crate::watch::trouble;

/// How long a first view waits for the pods; it is shown without them afterwards, and again when they come.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where pods come from.
pub enum Pods {
    /// From watches that begin with the first look and end with the last.
    Watched(Watched),
    /// These, always.
    Given(Vec<Arc<Pod>>),
}

/// The watches that somebody looks at.
pub struct Watched {
    client: Client,
    cache: Arc<Cache>,
    current: Mutex<BTreeMap<(Place, String), Weak<Look>>>,
}

/// The pods of one Rollout, kept up to date for as long as this is held.
pub struct Look {
    pods: Sender<State>,
    task: Option<AbortHandle>,
}

#[derive(Default)]
struct State {
    table: Table<Pod>,
    note: Option<String>,
}

impl Drop for Look {
    fn drop(&mut self) {
        self.task.iter().for_each(AbortHandle::abort);
    }
}

impl Pods {
    /// Pods from watches of this cluster; changes are told through the cache.
    pub fn watched(client: Client, cache: Arc<Cache>) -> Self {
        Self::Watched(Watched { client, cache, current: Mutex::default() })
    }

    /// Looks at the pods of a Rollout.
    pub fn of(&self, rollout: &Rollout) -> Arc<Look> {
        let watched = match self {
            Self::Watched(watched) => watched,
            Self::Given(pods) => return Arc::new(Look::given(pods)),
        };
        let key = (Place::of(rollout), selector(rollout));
        let mut current = watched.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(look) = current.get(&key).and_then(Weak::upgrade) {
            return look;
        }
        current.retain(|_, look| look.strong_count() > 0);
        let look = Arc::new(Look::begin(watched, &key.0, &key.1));
        current.insert(key, Arc::downgrade(&look));
        look
    }
}

impl Look {
    fn given(pods: &[Arc<Pod>]) -> Self {
        let mut state = State::default();
        state.table.take(Event::Init);
        pods.iter().for_each(|pod| drop(state.table.take(Event::InitApply(pod.as_ref().clone()))));
        state.table.take(Event::InitDone);
        Self { pods: watch::channel(state).0, task: None }
    }

    fn begin(watched: &Watched, place: &Place, labels: &str) -> Self {
        let api = Api::namespaced(watched.client.clone(), &place.namespace);
        let config = watcher::Config::default().labels(labels);
        let pods = watch::channel(State::default()).0;
        let task = tokio::spawn(keep(api, config, pods.clone(), Arc::clone(&watched.cache), place.clone()));
        Self { pods, task: Some(task.abort_handle()) }
    }

    /// The pods, and a note when they cannot be shown. Waits a little for the first list.
    pub async fn pods(&self) -> (Vec<Arc<Pod>>, Option<String>) {
        let mut changes = self.pods.subscribe();
        let listed = changes.wait_for(|state| state.table.listed() || state.note.is_some());
        let late = tokio::time::timeout(PATIENCE, listed).await.is_err();
        let state = self.pods.borrow();
        let note = state
            .note
            .clone()
            .or_else(|| late.then(|| "pods are not shown yet: the API server is slow".to_owned()));
        (state.table.all().map(|(_, pod)| Arc::clone(pod)).collect(), note)
    }
}

async fn keep(api: Api<Pod>, config: watcher::Config, pods: Sender<State>, cache: Arc<Cache>, place: Place) {
    let mut events = pin!(watcher(api, config).default_backoff());
    while let Some(event) = events.next().await {
        pods.send_modify(|state| match event {
            Ok(mut event) => {
                if let Event::Apply(pod) | Event::InitApply(pod) = &mut event {
                    slim(pod);
                }
                state.table.take(event);
                state.note = None;
            }
            Err(error) => state.note = Some(trouble("Pods", &error)),
        });
        if pods.borrow().table.listed() || pods.borrow().note.is_some() {
            cache.tell(Changed::Rollout(place.clone()));
        }
    }
}
