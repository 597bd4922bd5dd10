//! Plays the ReplicaSet controller, the scheduler and the kubelets: pods come, become ready, are lost, and go.

use std::collections::BTreeMap;

use crate::api_server::strings;

use super::truth::{Key, Kind, Pod};
use super::{Cluster, Event};

impl Cluster {
    /// The ReplicaSet controller looks at one ReplicaSet. Returns whether it took available pods, because it was asked to.
    pub(super) fn sync_set(&mut self, uid: &str) -> bool {
        let Some(set) = self.truth.set_mut(uid) else {
            self.truth.pods.remove(uid);
            return false;
        };
        let (name, image, min_ready) = (set.name.clone(), image(&set.template), set.min_ready_seconds);
        let spec = usize::try_from(set.pods.spec).unwrap_or(0);
        let taken = self.take_surplus(uid, spec);
        self.add_missing(uid, spec, &image);
        let min_ready = i64::from(min_ready) * 1000;
        let now = self.now;
        let pods = self.truth.pods.entry(uid.to_owned()).or_default();
        let ready = count(pods, |_| true);
        let available = count(pods, |since| since + min_ready <= now);
        let current = i32::try_from(pods.len()).unwrap_or(i32::MAX);
        let later =
            pods.iter().filter_map(|pod| pod.ready_since).map(|since| since + min_ready).find(|at| *at > now);
        self.count_lost(uid);
        if let Some(at) = later {
            self.at(at, Event::SetSync(uid.to_owned()));
        }
        if let Some(set) = self.truth.set_mut(uid)
            && (set.pods.current, set.ready, set.pods.available) != (current, ready, available)
        {
            (set.pods.current, set.ready, set.pods.available) = (current, ready, available);
            self.touch(Key::new(Kind::Set, name));
        }
        taken
    }

    /// Pods that are not ready go first, then the youngest.
    fn take_surplus(&mut self, uid: &str, spec: usize) -> bool {
        let before = self.available(uid);
        let pods = self.truth.pods.entry(uid.to_owned()).or_default();
        pods.sort_by_key(|pod| {
            (pod.ready_since.is_none(), pod.ready_since.unwrap_or(pod.number.cast_signed()))
        });
        pods.truncate(spec);
        self.available(uid) < before && !self.truth.spared.contains(uid)
    }

    fn add_missing(&mut self, uid: &str, spec: usize, image: &str) {
        while self.truth.pods.get(uid).map_or(0, Vec::len) < spec {
            let number = self.truth.number();
            let labels = self.labels_of_template(uid);
            let pod = Pod { number, created: self.now, labels, ready_since: None };
            self.truth.pods.entry(uid.to_owned()).or_default().push(pod);
            if !self.truth.broken.contains(image) {
                let takes = self.chance.between(200, self.weather.slowest_start);
                self.at(self.now + takes, Event::PodReady(uid.to_owned(), number));
            }
        }
    }

    pub(super) fn labels_of_template(&self, uid: &str) -> BTreeMap<String, String> {
        let set = self.truth.world.replica_sets.iter().find(|set| set.uid == uid);
        set.map(|set| strings(set.template.pointer("/metadata/labels"))).unwrap_or_default()
    }

    /// A pod answers its readiness probe.
    pub(super) fn pod_ready(&mut self, uid: &str, number: u64) {
        // The API has whole seconds, and the ReplicaSet controller counts from what it has.
        let now = self.now - self.now.rem_euclid(1000);
        let pods = self.truth.pods.entry(uid.to_owned()).or_default();
        if let Some(pod) = pods.iter_mut().find(|pod| pod.number == number) {
            pod.ready_since.get_or_insert(now);
            self.sync_soon(uid);
        }
    }

    /// A node is drained, or a container crashes: an injected fault, not our doing.
    pub(super) fn lose_pod(&mut self, evicted: bool) {
        let all: Vec<(String, u64)> = self
            .truth
            .pods
            .iter()
            .flat_map(|(uid, pods)| pods.iter().map(|pod| (uid.clone(), pod.number)))
            .collect();
        if all.is_empty() {
            return;
        }
        let (uid, number) = self.chance.pick(&all);
        let before = self.available(&uid);
        let pods = self.truth.pods.entry(uid.clone()).or_default();
        if evicted {
            pods.retain(|pod| pod.number != number);
        } else if let Some(pod) = pods.iter_mut().find(|pod| pod.number == number) {
            pod.ready_since = None;
            let back = self.chance.between(1_000, 15_000);
            if !self.image_of(&uid).is_some_and(|image| self.truth.broken.contains(&image)) {
                self.at(self.now + back, Event::PodReady(uid.clone(), number));
            }
        }
        let gone = before - self.available(&uid);
        *self.truth.lost.entry(uid.clone()).or_default() += gone;
        self.tell(|| format!("a pod of {uid} is lost ({gone} available)"));
        self.sync_soon(&uid);
    }

    pub(super) fn sync_soon(&mut self, uid: &str) {
        let lag = self.chance.between(5, self.weather.set_lag);
        self.at(self.now + lag, Event::SetSync(uid.to_owned()));
    }

    fn image_of(&self, uid: &str) -> Option<String> {
        self.truth.world.replica_sets.iter().find(|set| set.uid == uid).map(|set| image(&set.template))
    }

    /// Pods of a ReplicaSet that are available at this moment.
    pub(super) fn available(&self, uid: &str) -> i32 {
        let set = self.truth.world.replica_sets.iter().find(|set| set.uid == uid);
        let min_ready = set.map_or(0, |set| i64::from(set.min_ready_seconds) * 1000);
        self.truth.pods.get(uid).map_or(0, |pods| count(pods, |since| since + min_ready <= self.now))
    }

    /// Lost pods count as lost until others are available in their place, or until fewer are asked for.
    pub(super) fn count_lost(&mut self, uid: &str) {
        let available = self.available(uid);
        let spec = self.truth.set_mut(uid).map_or(0, |set| set.pods.spec);
        let (lost, evicted) = (self.truth.lost.get_mut(uid), self.truth.evicted.get_mut(uid));
        for gone in lost.into_iter().chain(evicted) {
            *gone = (*gone).min(spec - available).max(0);
        }
    }

    /// Pods of a revision that can serve, those included that an injected fault took: `None` means all revisions.
    pub(super) fn capable(&self, hash: Option<&str>) -> i32 {
        let sets = self.truth.world.replica_sets.iter();
        let sets = sets.filter(|set| hash.is_none_or(|hash| set.hash == hash));
        let gone = |gone: &BTreeMap<String, i32>, uid: &str| gone.get(uid).copied().unwrap_or(0);
        let (lost, evicted) = (&self.truth.lost, &self.truth.evicted);
        sets.map(|set| self.available(&set.uid) + gone(lost, &set.uid) + gone(evicted, &set.uid)).sum()
    }
}

fn count(pods: &[Pod], counts: impl Fn(i64) -> bool) -> i32 {
    let count = pods.iter().filter_map(|pod| pod.ready_since).filter(|since| counts(*since)).count();
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// The version in a pod template: its image.
pub(super) fn image(template: &serde_json::Value) -> String {
    template
        .pointer("/spec/containers/0/image")
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
