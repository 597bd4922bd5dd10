//! Performs the writes of a plan, each for itself, and tells of those that were done.

use serde_json::json;
use serin_api::label;
use serin_core::Plan;
use serin_core::journal::{Event, around_traffic};
use serin_core::seen::{ObjectKey, Seen};
use serin_core::write::{Effect, Write};
use serin_traffic::extension::named;
use serin_traffic::{events, service};
use tokio::time::Instant;

use super::Rollouts;
use crate::denial::Denials;
use crate::failure::{Class, Failure};
use crate::mark::Reach;
use crate::object::Name;
use crate::observe::Scene;
use crate::tally::Subject;

/// What became of the writes of a plan.
#[derive(Debug, Default)]
pub(super) struct Performed {
    done: Vec<bool>,
    wanted: Vec<ObjectKey>,
    failures: Vec<Failure>,
    denials: Denials,
}

impl Rollouts {
    /// Does the writes of a plan, each for itself, then tells what happened. Returns what failed.
    pub(super) async fn perform(
        &self,
        name: &Name,
        scene: &Scene,
        plan: &Plan,
        version: &str,
    ) -> Vec<Failure> {
        let mut performed = Performed { denials: self.denials(name), ..Performed::default() };
        let (mut switched, mut moved) = (Vec::new(), Vec::new());
        for (write, events) in traffic_writes(scene, plan) {
            self.perform_one(name, scene, (&write, version), &mut performed).await;
            let done = performed.done.last() == Some(&true);
            moved.extend(events.into_iter().filter(|_| done));
            if done && write.object.kind == "Service" {
                switched.push(write.object.name);
            }
        }
        performed.done.clear();
        let mut version = version.to_owned();
        for write in &plan.writes {
            let reach = self.perform_one(name, scene, (write, &version), &mut performed).await;
            if let Some(Reach::Version(newer)) = reach.filter(|_| write.object == scene.key) {
                version = newer;
            }
        }
        self.release(name, scene, plan, &mut performed).await;
        let (before, after) = around_traffic(&plan.events);
        for event in before.iter().chain(&moved).chain(after) {
            let written = event.write.is_none_or(|write| performed.done.get(write) == Some(&true));
            if written && event.service.as_ref().is_none_or(|service| switched.contains(service)) {
                self.announcer.tell(Subject::Rollout, &scene.about, event.clone());
            }
        }
        self.remember_denials(name, performed.denials, &performed.wanted);
        performed.failures
    }

    pub(super) async fn perform_one(
        &self,
        name: &Name,
        scene: &Scene,
        (write, version): (&Write, &str),
        performed: &mut Performed,
    ) -> Option<Reach> {
        if named(&write.object).is_some() {
            self.tell_extension(name, write);
            performed.done.push(true);
            return None;
        }
        performed.wanted.push(write.object.clone());
        if performed.denials.hold(write, Instant::now()) {
            performed.done.push(false);
            return None;
        }
        let result = self.performer.write(&pinned(scene, write.clone(), version)).await;
        performed.done.push(result.is_ok());
        match result {
            Ok(reach) => {
                performed.denials.lift(&write.object);
                self.mark(name, write, reach.as_ref());
                reach
            }
            Err(failure) => {
                if matches!(failure.class(), Class::Denied | Class::Withheld) {
                    performed.denials.note(write, &failure, Instant::now());
                } else if failure.exists() && self.taken(scene, write).await {
                    performed.denials.note_taken(write, &failure, Instant::now());
                }
                performed.failures.push(failure);
                None
            }
        }
    }

    /// Tells an extension what its split is to be, as the Rollout that was looked at names it.
    fn tell_extension(&self, name: &Name, write: &Write) {
        let last = self.recall().get(name).and_then(|recall| recall.last.clone());
        if let Some(Ok(read)) = last.as_ref().map(|kept| &kept.value) {
            self.talks.tell(name, read, write);
        }
    }

    /// Whether a ReplicaSet was not created because somebody else has its name.
    async fn taken(&self, scene: &Scene, write: &Write) -> bool {
        let Effect::Create(content) = &write.effect else { return false };
        if write.object.kind == "Experiment" {
            let uid = scene.world.rollout.metadata.uid.as_deref().unwrap_or_default();
            return self.reader.strange(&write.object, uid).await.unwrap_or(false);
        }
        let hash = content["metadata"]["labels"][label::POD_TEMPLATE_HASH].as_str();
        let (Some(hash), Some(uid)) = (hash, &scene.world.rollout.metadata.uid) else { return false };
        let taken = write.object.kind == "ReplicaSet" && {
            let answer = self.reader.taken(&write.object, uid, hash).await;
            answer.unwrap_or_else(|why| {
                tracing::debug!(object = %write.object, "not known whose it is: {why}");
                false
            })
        };
        if taken {
            tracing::info!(object = %write.object, "the name belongs to somebody else; another one is tried");
        }
        taken
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

    pub(super) fn mark(&self, name: &Name, write: &Write, reach: Option<&Reach>) {
        // No cache shows pods: they are read when they are needed.
        if let Some(reach) = reach.filter(|_| write.object.kind != "Pod") {
            self.marks.note(name, write.object.clone(), reach.clone(), Instant::now());
        }
    }
}

/// What the split and the service targets of a plan mean for routing objects and Services: every router is rendered.
/// Routing objects come first, though any order is safe: a gateway that gathers changes acts at once on the first one and
/// lets those after it wait (Traefik for 2 s), and on the way back the weight must not wait. With each the events that tell of it.
fn traffic_writes(scene: &Scene, plan: &Plan) -> Vec<(Write, Vec<Event>)> {
    let (rollout, objects) = (&scene.world.rollout, &scene.objects);
    let mut writes = Vec::new();
    let backends = serin_traffic::backends(rollout, &plan.canary_hash, &plan.stable_hash);
    let backends = backends.map(|backends| backends.beside(&scene.world.experiments));
    if let (Some(split), Some(backends)) = (&plan.split, backends) {
        for router in &scene.routers {
            let before = router.effective(&backends, objects);
            let told = |write| (events(&write, (split, &backends), &before), write);
            let rendered = router.render(&backends, split, objects).into_iter().map(told);
            writes.extend(rendered.map(|(events, write)| (write, events)));
        }
    }
    let services = plan.services.iter().filter_map(|target| service::render(rollout, target, objects));
    writes.extend(services.map(|write| (write, Vec::new())));
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
            experiments: Vec::new(),
            refusals: Vec::new(),
            pods: Default::default(),
            brakes: Vec::new(),
            workload: None,
            extensions: Default::default(),
            orphans: Vec::new(),
            load_balancers: None,
            leaving: false,
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
        let version =
            |version: &str| json!({"op": "test", "path": "/metadata/resourceVersion", "value": version});
        for (case, kind, name, operations, expected) in [
            ("a Service, as it was seen", "Service", "s", vec![add.clone()], vec![version("9"), add.clone()]),
            (
                "with a test of its own",
                "Service",
                "s",
                vec![test.clone(), add.clone()],
                vec![test.clone(), add.clone()],
            ),
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
