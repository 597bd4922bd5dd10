//! Plays what is done to single pods: lists, evictions with disruption budgets, and patches of their labels.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serin_core::pod;
use serin_core::seen::Seen;
use serin_core::world::{World, WriteRefusal};
use serin_core::write::{Effect, Write};

use super::truth::Pod;
use super::{Cluster, Event};
use crate::api_server::patch_pod;
use crate::scene::BEGINNING;

impl Cluster {
    /// Lists the pods that a plan would look at, as they are now, unless the API server does not answer.
    pub(super) fn list_pods(&mut self, world: &mut World) {
        let needed: Vec<_> = pod::needed(world).into_iter().map(|set| set.uid.clone()).collect();
        let mut listed = BTreeMap::new();
        for uid in needed {
            let seen = match self.chance.chance(self.faults(5)) {
                true => Seen::Failed("no answer".to_owned()),
                false => Seen::Fresh(self.pods_of(&uid)),
            };
            listed.insert(uid, seen);
        }
        pod::show(world, listed);
    }

    fn pods_of(&self, uid: &str) -> Vec<pod::Pod> {
        let pods = self.truth.pods.get(uid).into_iter().flatten();
        pods.map(|pod| pod::Pod {
            name: format!("{uid}-{}", pod.number),
            uid: format!("{uid}-{}", pod.number),
            resource_version: Some(version_of(pod)),
            created: whole_seconds(pod.created),
            ready: pod.ready_since.is_some(),
            ready_since: pod.ready_since.map(whole_seconds),
            deleting: false,
            ended: false,
            labels: pod.labels.clone(),
            annotations: BTreeMap::new(),
        })
        .collect()
    }

    /// Writes to pods: evictions, and patches.
    pub(super) fn write_pod(&mut self, write: &Write) {
        let Effect::JsonPatch(operations) = &write.effect else { return self.evict(write) };
        let Some((uid, _)) = write.object.name.rsplit_once('-') else { return };
        let found = self.pods_of(uid).into_iter().find(|pod| pod.name == write.object.name);
        let Some(mut found) = found else { return };
        if let Err(refusal) = patch_pod(&mut found, operations) {
            return self.violation(format!("a patch of pod {} is refused: {refusal:?}", write.object.name));
        }
        let pods = self.truth.pods.get_mut(uid).into_iter().flatten();
        for pod in pods.filter(|pod| found.name == format!("{uid}-{}", pod.number)) {
            pod.labels.clone_from(&found.labels);
        }
        self.think_soon(100);
    }

    /// The eviction subresource: a budget may say no; gone already is success; another version than the one seen stays.
    fn evict(&mut self, write: &Write) {
        let Effect::Evict { resource_version: Some(seen), .. } = &write.effect else {
            return self.evict_now(write);
        };
        let Some((uid, number)) = write.object.name.rsplit_once('-') else { return };
        let pods = self.truth.pods.get(uid).into_iter().flatten();
        let found = pods.into_iter().find(|pod| pod.number.to_string() == number);
        if found.is_some_and(|pod| version_of(pod) != *seen) {
            self.tell(|| format!("409: pod {} was changed meanwhile", write.object.name));
            return self.think_soon(100);
        }
        self.evict_now(write);
    }

    fn evict_now(&mut self, write: &Write) {
        let Some((uid, number)) = write.object.name.rsplit_once('-') else { return };
        if self.chance.chance(self.faults(20)) {
            let message = "Cannot evict pod as it would violate the pod's disruption budget.".to_owned();
            let object = write.object.to_string();
            self.process.refusals.push(WriteRefusal {
                kind: "Pod".to_owned(),
                object,
                message,
                name_taken: false,
            });
            return self.think_soon(3_000);
        }
        let before = self.available(uid);
        let number = number.parse::<u64>().unwrap_or_default();
        if let Some(pods) = self.truth.pods.get_mut(uid) {
            pods.retain(|pod| pod.number != number);
        }
        let gone = before - self.available(uid);
        *self.truth.evicted.entry(uid.to_owned()).or_default() += gone;
        self.tell(|| format!("pod {} is evicted ({gone} available)", write.object.name));
        self.judge_evictions();
        self.at(self.now + 5, Event::SetSync(uid.to_owned()));
        self.think_soon(100);
    }

    /// (h) Evictions never take more pods at once than may be unavailable, at least one.
    fn judge_evictions(&mut self) {
        // Pods that took the place of others before this moment count, though no ReplicaSet controller has said so yet.
        let taken: Vec<String> = self.truth.evicted.keys().cloned().collect();
        taken.iter().for_each(|uid| self.count_lost(uid));
        let evicted: i32 = self.truth.evicted.values().sum();
        let most = self.truth.most_unavailable(self.now).max(1);
        if evicted > most {
            self.violation(format!("{evicted} available pods are evicted at once, at most {most} may be"));
        }
    }
}

/// A moment of the simulation as the API stores it.
fn whole_seconds(at: i64) -> Timestamp {
    let seconds = BEGINNING.as_second() + at.div_euclid(1000);
    Timestamp::from_second(seconds).unwrap_or(BEGINNING)
}

/// The version of a pod: another one when it has become ready, or not.
fn version_of(pod: &Pod) -> String {
    format!("{}-{:?}", pod.number, pod.ready_since)
}
