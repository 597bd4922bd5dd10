//! What is seen of the objects for tests, and the people who look.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::BoxFuture;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::core::DeserializeGuard;
use serin_api::{AnalysisRun, Rollout};
pub(crate) use serin_view::sample::{paused, pod, replica_set, rollout, run, updating};

use crate::access::{Deed, Reviewer, User};
use crate::failure::Failure;
use crate::seen::Seen;

pub(crate) fn guarded<K>(object: K) -> DeserializeGuard<K> {
    DeserializeGuard(Ok(object))
}

/// What is seen of a Rollout.
pub(crate) fn seen(rollout: Rollout, sets: Vec<ReplicaSet>, pods: Vec<Pod>, runs: Vec<AnalysisRun>) -> Seen {
    Seen {
        rollout: Arc::new(guarded(rollout)),
        replica_sets: sets.into_iter().map(Arc::new).collect(),
        runs: runs.into_iter().map(|run| Arc::new(guarded(run))).collect(),
        pods: pods.into_iter().map(Arc::new).collect(),
        notes: Vec::new(),
    }
}

/// Two people: `ann` sees everything and may patch the status of Rollouts, `bob` may not even list pods.
#[derive(Default)]
pub(crate) struct Register {
    asked: AtomicUsize,
}

impl Register {
    /// How often a token was shown.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Reviewer for Register {
    fn user<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Option<User>, Failure>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let name = token.strip_suffix("-token").map(str::to_owned);
        Box::pin(async { Ok(name.map(|name| User { name, ..User::default() })) })
    }

    fn may<'a>(&'a self, user: &'a User, deed: &'a Deed) -> BoxFuture<'a, Result<bool, Failure>> {
        let allowed = match (user.name.as_str(), deed.verb) {
            ("ann", "list") => true,
            ("ann", "patch") => deed.subresource == Some("status"),
            ("bob", "list") => deed.resource != "pods",
            _ => false,
        };
        Box::pin(async move { Ok(allowed) })
    }
}
