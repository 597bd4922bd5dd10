//! Performs the watches that fill the cache: one per kind, however many people look.

use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;

use futures::stream::StreamExt;
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::api::Api;
use kube::core::{DeserializeGuard, NamespaceResourceScope};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use serin_api::{AnalysisRun, Rollout, label};

use crate::cache::{Cache, Kept};
use crate::failure::root;

/// Starts the watches of one namespace, or of all. They end with the process.
pub fn start(client: &Client, namespace: Option<&str>, cache: &Arc<Cache>) {
    let all = watcher::Config::default();
    tokio::spawn(keep(api::<DeserializeGuard<Rollout>>(client, namespace), all.clone(), Arc::clone(cache)));
    tokio::spawn(keep(
        api::<DeserializeGuard<AnalysisRun>>(client, namespace),
        all.clone(),
        Arc::clone(cache),
    ));
    let ours = all.labels(label::POD_TEMPLATE_HASH);
    tokio::spawn(keep(api::<ReplicaSet>(client, namespace), ours, Arc::clone(cache)));
}

fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

async fn keep<K>(api: Api<K>, config: watcher::Config, cache: Arc<Cache>)
where
    K: Kept + DeserializeOwned + Debug + Send + 'static,
{
    let mut events = pin!(watcher(api, config).default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => cache.take(event),
            Err(error) => cache.trouble(K::PLURAL, trouble(K::PLURAL, &error)),
        }
    }
}

/// A sentence about a watch that does not work.
pub fn trouble(plural: &str, error: &watcher::Error) -> String {
    let told = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => Some(status),
        watcher::Error::WatchError(status) => Some(status),
        _ => None,
    };
    match told {
        Some(status) if status.code == 403 => {
            format!("{plural} are not shown: the dashboard may not list and watch them: {}", status.message)
        }
        Some(status) if status.code == 404 => {
            format!(
                "{plural} are not shown: the cluster does not know them; install the definitions: kubectl apply --server-side -f crds/"
            )
        }
        Some(status) if !status.message.is_empty() => {
            format!("{plural} may be out of date: the watch broke off: {}; trying again", status.message)
        }
        _ => format!("{plural} may be out of date: the watch broke off: {}; trying again", root(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    #[test]
    fn a_watch_that_does_not_work_says_what_to_do() {
        let api = |code| kube::Error::Api(Status::failure("no", "").with_code(code).boxed());
        for (error, expected) in [
            (
                watcher::Error::InitialListFailed(api(403)),
                "Rollouts are not shown: the dashboard may not list and watch them: no",
            ),
            (
                watcher::Error::InitialListFailed(api(404)),
                "Rollouts are not shown: the cluster does not know them; install the definitions: kubectl apply --server-side -f crds/",
            ),
            (
                watcher::Error::WatchStartFailed(api(500)),
                "Rollouts may be out of date: the watch broke off: no; trying again",
            ),
            (
                watcher::Error::NoResourceVersion,
                "Rollouts may be out of date: the watch broke off: no metadata.resourceVersion in watch result (does resource support watch?); trying again",
            ),
        ] {
            assert_eq!(trouble("Rollouts", &error), expected);
        }
    }
}
