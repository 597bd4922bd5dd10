//! Performs the loop of one Rollout: observe, plan, record, perform. It decides nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use serin_core::Plan;
use serin_core::seen::{ObjectKey, Seen};
use serin_core::write::{Effect, Write};
use serin_traffic::service;
use tokio::time::Instant;

use crate::announce::{Announcer, reference};
use crate::caches::{Caches, kind};
use crate::difference::StatusPatch;
use crate::failure::{Class, Failure};
use crate::mark::{Marks, Reach};
use crate::object::Name;
use crate::observe::{Scene, scene};
use crate::denial::Denials;
use crate::patience::{Tries, lasting, wake_at};
use crate::perform::{Performer, StatusPlace};
use crate::tally::{Subject, Tally};

/// How soon to look again when something could not be read.
const BLIND_WAKE: Duration = Duration::from_secs(15);

/// What is remembered of a Rollout between two looks. All of it may be lost: it only makes things quicker.
#[derive(Debug, Default)]
struct Recall {
    denials: Denials,
    unreadable: Option<String>,
}

/// Everything that the loop needs.
#[derive(Debug)]
pub struct Rollouts {
    caches: Arc<Caches>,
    performer: Performer,
    announcer: Announcer,
    tally: Arc<Tally>,
    resync: Duration,
    marks: Marks,
    tries: Tries,
    recall: Mutex<HashMap<Name, Recall>>,
}

/// What was observed of a name.
enum Observed {
    Scene(Box<Scene>),
    Behind(Option<Instant>),
    Nothing,
}

/// What became of the writes of a plan.
#[derive(Debug, Default)]
struct Performed {
    done: Vec<bool>,
    wanted: Vec<ObjectKey>,
    failures: Vec<Failure>,
    denials: Denials,
}

impl Rollouts {
    /// A loop that looks at each Rollout at least every `resync`.
    pub fn new(
        caches: Arc<Caches>,
        (performer, announcer, tally): (Performer, Announcer, Arc<Tally>),
        resync: Duration,
    ) -> Self {
        let (marks, tries, recall) = (Marks::default(), Tries::default(), Mutex::default());
        Self { caches, performer, announcer, tally, resync, marks, tries, recall }
    }

    /// Looks at one Rollout; returns when to look again.
    pub async fn reconcile(&self, name: &Name) -> Option<Instant> {
        let scene = match self.observe(name) {
            Observed::Scene(scene) => scene,
            Observed::Behind(until) => return until,
            Observed::Nothing => return None,
        };
        let started = Instant::now();
        let plan = self.plan(&scene);
        let failures = match self.record(name, &scene, &plan).await {
            Ok(version) => self.perform(name, &scene, &plan, &version).await,
            Err(failure) => vec![failure],
        };
        self.tally.reconciled(Subject::Rollout, name, started.elapsed(), lasting(&failures));
        self.wake(name, &scene, &plan, &failures)
    }

    fn recall(&self) -> MutexGuard<'_, HashMap<Name, Recall>> {
        self.recall.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn observe(&self, name: &Name) -> Observed {
        let Some(kept) = self.caches.rollouts.get(name).filter(|kept| !kept.deleting) else {
            self.forget(name);
            return Observed::Nothing;
        };
        let read = match &kept.value {
            Ok(read) => read,
            Err(why) => {
                self.tell_unreadable(name, &kept.uid, &kept.version, why);
                return Observed::Nothing;
            }
        };
        let behind = self.marks.behind(name, Instant::now(), |key| self.caches.shown(key));
        if behind.objects.iter().any(|key| ["Rollout", "ReplicaSet", "AnalysisRun"].contains(&key.kind.as_str())) {
            self.tally.fell_behind();
            return Observed::Behind(behind.until);
        }
        let refusals = self.denials(name).refusals();
        Observed::Scene(Box::new(scene(&self.caches, name, (&kept, read), &behind, refusals)))
    }

    fn denials(&self, name: &Name) -> Denials {
        self.recall().get(name).map(|recall| recall.denials.clone()).unwrap_or_default()
    }

    fn forget(&self, name: &Name) {
        self.marks.forget(name);
        self.tries.forget(name);
        self.recall().remove(name);
        self.tally.forget(Subject::Rollout, name);
    }

    /// Says once that a Rollout cannot be read. Its status is left alone: nobody knows what is in it.
    fn tell_unreadable(&self, name: &Name, uid: &str, version: &str, why: &str) {
        let mut recalls = self.recall();
        let recall = recalls.entry(name.clone()).or_default();
        if recall.unreadable.as_deref() == Some(why) {
            return;
        }
        recall.unreadable = Some(why.to_owned());
        let event = serin_core::journal::Event {
            severity: serin_core::journal::Severity::Warning,
            reason: "InvalidSpec".to_owned(),
            message: format!("The Rollout \"{}\" cannot be read: {why}", name.name),
            write: None,
        };
        self.announcer.tell(Subject::Rollout, &reference(&kind::rollout(), name, uid, version), event);
    }

    fn plan(&self, scene: &Scene) -> Plan {
        let started = Instant::now();
        let plan = serin_core::plan(&scene.world);
        self.tally.planned(started.elapsed());
        plan
    }

    /// Stores what was decided, before anything is done. Returns the version of the Rollout that holds it.
    async fn record(&self, name: &Name, scene: &Scene, plan: &Plan) -> Result<String, Failure> {
        let old = scene.world.rollout.status.clone().unwrap_or_default();
        let patch = StatusPatch::between(&old, &plan.status, &scene.version)
            .map_err(|source| Failure::Unsendable { object: scene.key.clone(), source })?;
        let Some(patch) = patch else {
            return Ok(scene.version.clone());
        };
        let stored = self.performer.status(&scene.key, StatusPlace::Subresource, &patch).await;
        match &stored {
            Ok(version) => {
                let reach = Reach::Version(version.clone());
                self.marks.note(name, scene.key.clone(), reach, Instant::now());
            }
            Err(failure) if failure.class() == Class::Stale => self.tally.conflicted(),
            Err(_) => {}
        }
        stored
    }

    /// Does the writes of a plan, each for itself, then tells what happened. Returns what failed.
    async fn perform(&self, name: &Name, scene: &Scene, plan: &Plan, version: &str) -> Vec<Failure> {
        let mut performed = Performed { denials: self.denials(name), ..Performed::default() };
        for write in traffic_writes(scene, plan) {
            self.perform_one(name, scene, (&write, version), &mut performed).await;
        }
        performed.done.clear();
        let mut version = version.to_owned();
        for write in &plan.writes {
            let reach = self.perform_one(name, scene, (write, &version), &mut performed).await;
            if let Some(Reach::Version(newer)) = reach.filter(|_| write.object == scene.key) {
                version = newer;
            }
        }
        for event in &plan.events {
            if event.write.is_none_or(|write| performed.done.get(write) == Some(&true)) {
                self.announcer.tell(Subject::Rollout, &scene.about, event.clone());
            }
        }
        self.remember_denials(name, performed.denials, &performed.wanted);
        performed.failures
    }

    async fn perform_one(
        &self,
        name: &Name,
        scene: &Scene,
        (write, version): (&Write, &str),
        performed: &mut Performed,
    ) -> Option<Reach> {
        performed.wanted.push(write.object.clone());
        if performed.denials.hold(write, Instant::now()) {
            performed.done.push(false);
            return None;
        }
        let result = self.performer.write(&pinned(scene, write.clone(), version)).await;
        performed.done.push(result.is_ok());
        match result {
            Ok(reach) => {
                let now = Instant::now();
                performed.denials.lift(&write.object);
                reach.iter().for_each(|reach| self.marks.note(name, write.object.clone(), reach.clone(), now));
                reach
            }
            Err(failure) => {
                if failure.class() == Class::Denied {
                    performed.denials.note(write, &failure, Instant::now());
                }
                performed.failures.push(failure);
                None
            }
        }
    }

    /// Refusals are told to the next decision; new ones are worth a decision at once, for the condition.
    fn remember_denials(&self, name: &Name, mut denials: Denials, wanted: &[ObjectKey]) {
        denials.keep_only(wanted);
        let mut recalls = self.recall();
        let recall = recalls.entry(name.clone()).or_default();
        if recall.denials.refusals() != denials.refusals() {
            self.caches.rollout_queue.add(name.clone());
        }
        recall.denials = denials;
    }

    fn wake(&self, name: &Name, scene: &Scene, plan: &Plan, failures: &[Failure]) -> Option<Instant> {
        let spread = 1.0 + rand::random::<f64>() / 10.0;
        let latest = if scene.blind { BLIND_WAKE.min(self.resync) } else { self.resync.mul_f64(spread) };
        let wait = plan.wake.map(|at| at.duration_since(scene.world.now));
        let wake = wake_at(wait, self.tries.pause("rollout", name, failures), Some(latest));
        [wake, self.denials(name).until()].into_iter().flatten().min()
    }
}

/// What the split and the service targets of a plan mean for Services and routing objects: every router is rendered.
fn traffic_writes(scene: &Scene, plan: &Plan) -> Vec<Write> {
    let (rollout, objects) = (&scene.world.rollout, &scene.objects);
    let services = plan.services.iter().filter_map(|target| service::render(rollout, target, objects));
    let mut writes: Vec<_> = services.collect();
    let backends = serin_traffic::backends(rollout, &plan.canary_hash, &plan.stable_hash);
    if let (Some(split), Some(backends)) = (&plan.split, backends) {
        writes.extend(scene.routers.iter().flat_map(|router| router.render(&backends, split, objects)));
    }
    writes
}

/// Pins a patch to the version that it was decided from where it cannot say its own precondition: JSON patch (RFC 6902)
/// has no test for absence. A patch of the Rollout itself is pinned to `version`, which holds the new status.
fn pinned(scene: &Scene, write: Write, version: &str) -> Write {
    let Effect::JsonPatch(operations) = &write.effect else { return write };
    let own = write.object == scene.key;
    if !own && operations.iter().any(|operation| operation["op"] == "test") {
        return write;
    }
    let seen = scene.objects.get(&write.object).and_then(Seen::fresh);
    let seen = seen.and_then(|object| object.pointer("/metadata/resourceVersion"));
    let Some(version) = (if own { Some(json!(version)) } else { seen.cloned() }) else { return write };
    let test = json!({"op": "test", "path": "/metadata/resourceVersion", "value": version});
    let operations = std::iter::once(test).chain(operations.iter().cloned()).collect();
    Write { object: write.object, effect: Effect::JsonPatch(operations) }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::api::core::v1::ObjectReference;
    use serin_core::world::World;

    use super::*;

    fn scene() -> Scene {
        let key = ObjectKey::new("", "v1", "Service", "n", "s");
        let service = json!({"metadata": {"resourceVersion": "9"}});
        let world = World {
            now: Timestamp::UNIX_EPOCH,
            rollout: serde_json::from_value(json!({"metadata": {"name": "r"}, "spec": {}})).unwrap(),
            replica_sets: Vec::new(),
            services: Default::default(),
            routers: Vec::new(),
            templates: Vec::new(),
            analysis_runs: Vec::new(),
            refusals: Vec::new(),
        };
        Scene {
            key: ObjectKey::new("argoproj.io", "v1alpha1", "Rollout", "n", "r"),
            about: ObjectReference::default(),
            version: "5".to_owned(),
            world,
            routers: Vec::new(),
            objects: [(key, Seen::Fresh(service))].into(),
            blind: false,
        }
    }

    #[test]
    fn a_patch_without_its_own_precondition_is_pinned_to_what_was_seen() {
        let add = json!({"op": "add", "path": "/spec/x", "value": 1});
        let test = json!({"op": "test", "path": "/metadata/uid", "value": "u"});
        let version = |version: &str| json!({"op": "test", "path": "/metadata/resourceVersion", "value": version});
        for (case, kind, name, operations, expected) in [
            ("a Service, as it was seen", "Service", "s", vec![add.clone()], vec![version("9"), add.clone()]),
            ("with a test of its own", "Service", "s", vec![test.clone(), add.clone()], vec![test.clone(), add.clone()]),
            ("never seen: perform refuses it", "Service", "t", vec![add.clone()], vec![add.clone()]),
        ] {
            let object = ObjectKey::new("", "v1", kind, "n", name);
            let write = Write { object, effect: Effect::JsonPatch(operations) };
            assert_eq!(pinned(&scene(), write, "6").effect, Effect::JsonPatch(expected), "{case}");
        }
        let own = Write { object: scene().key, effect: Effect::JsonPatch(vec![test.clone(), add.clone()]) };
        let expected = Effect::JsonPatch(vec![version("6"), test, add]);
        assert_eq!(pinned(&scene(), own, "6").effect, expected, "the Rollout, with its new status");
    }
}
