//! Performs the questions to AWS about load balancers, beside the loop of the Rollouts: each load balancer is asked about
//! once for all Rollouts behind it, and only while somebody waits for it. An answer puts these into the queue.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value;
use serin_analysis::provider::Response;
use serin_core::seen::{ObjectKey, Seen};
use serin_traffic::Objects;
use serin_traffic::elb::{self, Known, Survey};
use tokio::time::Instant;

use self::answers::Answers;
use crate::object::Name;
use crate::queue::Queue;

mod answers;
mod aws;

pub use aws::Aws;

/// Sends one request to Elastic Load Balancing.
pub trait Elb: Debug + Send + Sync {
    /// The answer to a form of its Query API, signed for `region`.
    ///
    /// # Errors
    /// Why there is none, for people.
    fn ask<'a>(&'a self, region: &'a str, form: String) -> BoxFuture<'a, Result<Response, String>>;
}

/// How often AWS is asked again about a load balancer that has been seen since the last change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// It is waited for.
    #[default]
    Often,
    /// The rollout is under way, and it has the weights.
    Seldom,
    /// The rollout rests, and it has the weights.
    Never,
}

impl Pace {
    fn pause(self) -> Option<Duration> {
        match self {
            Self::Often => Some(Duration::from_secs(5)),
            Self::Seldom => Some(Duration::from_secs(60)),
            Self::Never => None,
        }
    }
}

/// The load balancers of all Rollouts. All of it may be lost: it is asked for again.
#[derive(Clone, Debug)]
pub struct Balancers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    elb: Box<dyn Elb>,
    tag: String,
    queue: Arc<Queue<Name>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    hosts: HashMap<String, Answers>,
    rollouts: HashMap<Name, Watch>,
}

/// What one Rollout waits for.
#[derive(Debug, Default)]
struct Watch {
    /// The version of each Ingress, and since when it is seen: an answer to an older question does not count.
    versions: HashMap<ObjectKey, (Value, Instant)>,
    hosts: BTreeSet<String>,
    pace: Pace,
}

impl Balancers {
    /// Asks `elb`, whose target groups say in the tag `tag` whose they are, and adds Rollouts to `queue` when there is
    /// news.
    pub fn new(elb: Box<dyn Elb>, tag: &str, queue: Arc<Queue<Name>>) -> Self {
        Self(Arc::new(Shared { elb, tag: tag.to_owned(), queue, state: Mutex::default() }))
    }

    /// What stands for the load balancers of a Rollout, with the Ingresses that name them as they are in `objects`; those
    /// that are due are asked about.
    pub fn hear(&self, name: &Name, hosts: &[(ObjectKey, String)], objects: &Objects) -> Objects {
        let now = Instant::now();
        let mut state = self.0.state();
        let State { hosts: known, rollouts } = &mut *state;
        if hosts.is_empty() {
            rollouts.remove(name);
            return Objects::new();
        }
        let watch = rollouts.entry(name.clone()).or_default();
        watch.hosts = hosts.iter().map(|(_, host)| host.clone()).collect();
        watch.versions.retain(|key, _| hosts.iter().any(|(named, _)| named == key));
        let mut heard = Objects::new();
        for (ingress, host) in hosts {
            let since = watch.since(ingress, objects, now);
            let answers = known.entry(host.clone()).or_default();
            if answers.begin(name, (since, watch.pace.pause()), now) {
                let (shared, host, names) = (self.0.clone(), host.clone(), answers.known());
                tokio::spawn(async move { shared.survey(&host, names).await });
            }
            heard.extend(answers.seen(since).map(|seen| (elb::key(host), seen)));
        }
        known.retain(|host, _| rollouts.values().any(|watch| watch.hosts.contains(host)));
        heard
    }

    /// Says how much a Rollout waits for its load balancers after the last look.
    pub fn set_pace(&self, name: &Name, pace: Pace) {
        if let Some(watch) = self.0.state().rollouts.get_mut(name) {
            watch.pace = pace;
        }
    }

    /// When AWS is to be asked again for a Rollout.
    pub fn wake(&self, name: &Name) -> Option<Instant> {
        let state = self.0.state();
        let watch = state.rollouts.get(name)?;
        let answers = watch.hosts.iter().filter_map(|host| state.hosts.get(host));
        answers.filter_map(|answers| answers.due(watch.pace.pause())).min()
    }

    /// Forgets a Rollout that is gone.
    pub fn forget(&self, name: &Name) {
        self.0.state().rollouts.remove(name);
    }
}

impl Watch {
    /// Since when an Ingress is as it is now.
    fn since(&mut self, ingress: &ObjectKey, objects: &Objects, now: Instant) -> Instant {
        let object = objects.get(ingress).and_then(Seen::last_known);
        let version = object.and_then(|object| object.pointer("/metadata/resourceVersion"));
        let version = version.cloned().unwrap_or_default();
        let known = self.versions.entry(ingress.clone()).or_insert_with(|| (version.clone(), now));
        if known.0 != version {
            *known = (version, now);
        }
        known.1
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn survey(&self, host: &str, known: Known) {
        let told = self.ask(host, known).await;
        if let Err(why) = &told {
            tracing::warn!(host, "AWS does not say what a load balancer does: {why}");
        }
        let waiting = {
            let mut state = self.state();
            let answers = state.hosts.get_mut(host);
            answers.map(|answers| answers.end(told, Instant::now())).unwrap_or_default()
        };
        waiting.into_iter().for_each(|name| self.queue.add(name));
    }

    async fn ask(&self, host: &str, known: Known) -> Result<(Value, Known), String> {
        let mut survey = Survey::of(host, &self.tag, known)?;
        let region = elb::region(host).unwrap_or_default();
        while let Some(form) = survey.ask() {
            let response = self.elb.ask(region, form).await?;
            survey.hear(response.status, &response.body)?;
        }
        Ok(survey.told())
    }
}

#[cfg(test)]
mod tests;
