//! Performs the talk with extensions about steps and traffic, by the protocol of docs/extensions.md, beside the loop of
//! the Rollouts: a loop that waited for somebody's program could not abort. An answer puts the Rollout into the queue.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use serin_analysis::provider::Response;
use serin_core::extension::{Call, Told, answer};
use serin_core::seen::ObjectKey;
use serin_core::world::WriteRefusal;
use serin_core::write::Write;
use serin_traffic::Objects;
use serin_traffic::extension;
use tokio::time::Instant;

use crate::exchange::Exchange;
use crate::extensions::Configured;
use crate::lease::Leadership;
use crate::object::Name;
use crate::queue::Queue;
use crate::sight::ReadRollout;
use route::Route;
use step::Step;

mod body;
mod route;
mod step;

/// What extensions have said for one Rollout, and what is on its way to them. Losing it only costs time: what counts is
/// in the status of the Rollout, or is asked for again.
#[derive(Debug, Default)]
struct Talk {
    routes: BTreeMap<ObjectKey, Route>,
    step: Option<Step>,
}

/// The talks of all Rollouts.
#[derive(Clone, Debug)]
pub struct Talks(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    exchange: Arc<Exchange>,
    extensions: Configured,
    leadership: Leadership,
    queue: Arc<Queue<Name>>,
    talks: Mutex<HashMap<Name, Talk>>,
}

/// What extensions have said for one Rollout so far.
#[derive(Debug, Default)]
pub struct Heard {
    /// What stands for the splits that they have in force.
    pub objects: Objects,
    /// What they did not do.
    pub refusals: Vec<WriteRefusal>,
}

impl Talks {
    /// Talks over `exchange` while `leadership` holds, and adds Rollouts to `queue` when there is news.
    pub fn new(
        exchange: Arc<Exchange>,
        extensions: Configured,
        leadership: Leadership,
        queue: Arc<Queue<Name>>,
    ) -> Self {
        Self(Arc::new(Shared { exchange, extensions, leadership, queue, talks: Mutex::default() }))
    }

    /// The extensions that are configured.
    pub fn configured(&self) -> Configured {
        self.0.extensions.clone()
    }

    /// What the extensions that a Rollout names have in force; those that were not asked for a while are asked again.
    pub fn hear(&self, name: &Name, read: &ReadRollout) -> Heard {
        let mut heard = Heard::default();
        for key in &read.extensions {
            let mut talks = self.0.talks();
            let route = talks.entry(name.clone()).or_default().routes.entry(key.clone()).or_default();
            if let Some(turn) = route.read(Instant::now()) {
                let (shared, key, name) = (self.0.clone(), key.clone(), name.clone());
                let body = body::read(&read.rollout, &key);
                tokio::spawn(async move { shared.read(&name, &key, turn, body).await });
            }
            heard.refusals.extend(route.refusal(key, Instant::now()));
            heard.objects.insert(key.clone(), route.seen());
        }
        heard
    }

    /// Tells an extension what its split is to be, unless it is being told something or has to be left alone.
    pub fn tell(&self, name: &Name, read: &ReadRollout, write: &Write) {
        let Some(split) = extension::told(write) else { return };
        let mut talks = self.0.talks();
        let route = talks.entry(name.clone()).or_default().routes.entry(write.object.clone()).or_default();
        if self.0.leadership.holds() && route.begin_telling(Instant::now()) {
            let (shared, key, name) = (self.0.clone(), write.object.clone(), name.clone());
            let body = body::apply(&read.rollout, &key, split);
            tokio::spawn(async move { shared.tell(&name, &key, body).await });
        }
    }

    /// Makes the call that is due, unless one is on its way, and gives the answer once it is there.
    pub fn step(&self, name: &Name, due: Option<&Call>) -> Vec<Told> {
        let mut talks = self.0.talks();
        if due.is_none() && !talks.contains_key(name) {
            return Vec::new();
        }
        let talk = talks.entry(name.clone()).or_default();
        if let Some(step) = &mut talk.step {
            if let Some(told) = step.answer_to(due) {
                return vec![told];
            }
            if step.underway() {
                return Vec::new();
            }
        }
        talk.step = due.filter(|_| self.0.leadership.holds()).map(|call| Step::begin(call.clone()));
        if let Some(step) = &talk.step {
            let (shared, call, name) = (self.0.clone(), step.call().clone(), name.clone());
            tokio::spawn(async move { shared.call(&name, call).await });
        }
        Vec::new()
    }

    /// Something is on its way, or was done and has not been looked at since.
    pub fn busy(&self, name: &Name) -> bool {
        self.0.talks().get(name).is_some_and(|talk| talk.routes.values().any(Route::busy))
    }

    /// When an extension that did not do as it was told may be told again.
    pub fn wake(&self, name: &Name) -> Option<Instant> {
        let now = Instant::now();
        self.0.talks().get(name)?.routes.values().filter_map(|route| route.left_alone_until(now)).min()
    }

    /// Forgets a Rollout that is gone.
    pub fn forget(&self, name: &Name) {
        self.0.talks().remove(name);
    }
}

impl Shared {
    fn talks(&self) -> MutexGuard<'_, HashMap<Name, Talk>> {
        self.talks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the talk about one object, unless the Rollout was forgotten meanwhile; whether that is news.
    fn with_route(&self, name: &Name, key: &ObjectKey, change: impl FnOnce(&mut Route) -> bool) {
        let news = {
            let mut talks = self.talks();
            let route = talks.get_mut(name).and_then(|talk| talk.routes.get_mut(key));
            route.is_some_and(change)
        };
        if news {
            self.queue.add(name.clone());
        }
    }

    async fn read(&self, name: &Name, key: &ObjectKey, turn: u64, body: Value) {
        let read = self.ask(&key.name, ("traffic", "read"), &body).await;
        let read = read.and_then(|response| extension::object(response.status, &response.body));
        let read = read.map_err(|why| format!("extension \"{}\": {why}", key.name));
        self.with_route(name, key, |route| route.heard(turn, read, Instant::now()));
    }

    async fn tell(&self, name: &Name, key: &ObjectKey, body: Value) {
        let done = self.ask(&key.name, ("traffic", "apply"), &body).await.and_then(|response| {
            let shown: String = response.body.trim().chars().take(200).collect();
            match response.status {
                200 | 202 | 204 => Ok(()),
                status => Err(format!("it answered with status {status}: {shown}")),
            }
        });
        if let Err(why) = &done {
            tracing::warn!(rollout = %name, "extension \"{}\" did not change its split: {why}", key.name);
        }
        self.with_route(name, key, |route| {
            route.told(done, Instant::now());
            true
        });
    }

    async fn call(&self, name: &Name, call: Call) {
        let asked = self.ask(&call.extension, ("step", call.operation.path()), &call.body()).await;
        let answer = match asked {
            Ok(response) => answer(response.status, &response.body),
            Err(why) => serin_core::extension::Answer::Nothing(why),
        };
        let mut talks = self.talks();
        if let Some(step) = talks.get_mut(name).and_then(|talk| talk.step.as_mut()) {
            step.answered(answer);
        }
        drop(talks);
        self.queue.add(name.clone());
    }

    async fn ask(
        &self,
        extension: &str,
        (kind, operation): (&str, &str),
        body: &Value,
    ) -> Result<Response, String> {
        let known = self.extensions.now();
        let endpoint = known.as_ref().and_then(|known| known.get(extension));
        let endpoint = endpoint.ok_or("it is not configured in the ConfigMap argo-rollouts-config")?;
        self.exchange.send(&endpoint.request(kind, operation, body)).await
    }
}

#[cfg(test)]
mod tests;
