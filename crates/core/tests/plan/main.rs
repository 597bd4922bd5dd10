//! Tables and laws of `plan`: a row is a World changed by a few words, and what is expected of the plan for it.

use std::collections::BTreeMap;

use serde_json::Value;
use serin_api::{AnalysisPhase, RolloutStatus};
use serin_core::Plan;
use serin_core::seen::Seen;
use serin_core::world::{ReplicaSet, RouterRefusal};
use serin_core::write::Effect;
use serin_testkit::scene::Scene;

mod abort;
mod affinity;
mod analysis;
mod bake;
mod blue_green;
mod brake;
mod dry_run;
mod duration;
mod event;
mod experiment;
mod extension;
mod gate;
mod inconclusive;
mod invalid_spec;
mod law;
mod load_balancer;
mod orphan;
mod parting;
mod ping_pong;
mod recreate;
mod reference;
mod replica_math;
mod restart;
mod revision;
mod role;
mod route;
mod run_history;
mod service;
mod status;
mod step;
mod trouble;
mod watch;
mod workload;

/// A router that cannot do its work, because something is not there.
fn refused(why: &str) -> RouterRefusal {
    RouterRefusal { said: why.to_owned(), told: why.to_owned(), missing: true }
}

/// What the gates of a plan wait for.
fn waits(plan: &Plan) -> Vec<String> {
    plan.status.gates.iter().flatten().map(|gate| gate.waits_for.clone()).collect()
}

/// Whether a gate waits for something that contains `text`.
fn waits_for(plan: &Plan, text: &str) -> bool {
    waits(plan).iter().any(|wait| wait.contains(text))
}

/// Reasons of the events of several plans, in order.
fn reasons<'p>(plans: impl IntoIterator<Item = &'p Plan>) -> Vec<String> {
    plans.into_iter().flat_map(|plan| plan.events.iter().map(|event| event.reason.clone())).collect()
}

/// Message of the first event with this reason.
fn told(plan: &Plan, reason: &str) -> Option<String> {
    plan.events.iter().find(|event| event.reason == reason).map(|event| event.message.clone())
}

/// Status, reason and message of the condition of one type, parted by bars.
fn condition(status: &RolloutStatus, type_: &str) -> Option<String> {
    let found = status.conditions.iter().find(|condition| condition.type_ == type_)?;
    Some(format!("{}|{}|{}", found.status, found.reason, found.message))
}

/// Phase and message of a status, parted by a bar.
fn phase(status: &RolloutStatus) -> String {
    format!(
        "{}|{}",
        status.phase.as_deref().unwrap_or_default(),
        status.message.as_deref().unwrap_or_default()
    )
}

/// Sizes that the plan writes, by ReplicaSet; those that it leaves alone are not there.
fn scaled(plan: &Plan) -> BTreeMap<String, i64> {
    patches(plan, "ReplicaSet")
        .into_iter()
        .filter_map(|(name, patch)| Some((name, value_at(&patch, "/spec/replicas")?.as_i64()?)))
        .collect()
}

/// As [`scaled`], for an expectation.
fn sizes<const N: usize>(sizes: [(&str, i64); N]) -> BTreeMap<String, i64> {
    sizes.into_iter().map(|(version, size)| (format!("shop-{version}"), size)).collect()
}

/// JSON patches of objects of one kind, by name.
fn patches(plan: &Plan, kind: &str) -> Vec<(String, Vec<Value>)> {
    let patches = plan.writes.iter().filter(|write| write.object.kind == kind);
    patches
        .filter_map(|write| match &write.effect {
            Effect::JsonPatch(patch) => Some((write.object.name.clone(), patch.clone())),
            _ => None,
        })
        .collect()
}

/// The value that a patch puts at a path.
fn value_at<'p>(patch: &'p [Value], path: &str) -> Option<&'p Value> {
    patch
        .iter()
        .find(|operation| operation["op"] != "test" && operation["path"] == path)
        .map(|it| &it["value"])
}

/// Objects of one kind that the plan creates.
fn created(plan: &Plan, kind: &str) -> Vec<Value> {
    let writes = plan.writes.iter().filter(|write| write.object.kind == kind);
    writes
        .filter_map(|write| match &write.effect {
            Effect::Create(object) => Some(object.clone()),
            _ => None,
        })
        .collect()
}

/// Names of objects of one kind that the plan deletes.
fn deleted(plan: &Plan, kind: &str) -> Vec<String> {
    let writes = plan.writes.iter().filter(|write| write.object.kind == kind);
    writes
        .filter(|write| matches!(write.effect, Effect::Delete { .. }))
        .map(|write| write.object.name.clone())
        .collect()
}

/// Weight that the plan wishes for the canary.
fn weight(plan: &Plan) -> Option<u32> {
    plan.split.as_ref().map(|split| split.canary.0)
}

/// The status of a Scene.
fn stored(scene: &Scene) -> RolloutStatus {
    scene.world.rollout.status.clone().unwrap_or_default()
}

/// The ReplicaSet that runs an image.
fn running<'s>(scene: &'s Scene, version: &str) -> &'s ReplicaSet {
    let image = format!("shop:{version}");
    let sets = &scene.world.replica_sets;
    let found = sets.iter().find(|set| set.template["spec"]["containers"][0]["image"] == image.as_str());
    found.unwrap_or_else(|| panic!("no ReplicaSet runs {image}"))
}

/// Pods that each of these versions is asked to have.
fn pods<const N: usize>(scene: &Scene, versions: [&str; N]) -> [i32; N] {
    versions.map(|version| running(scene, version).pods.spec)
}

/// The only AnalysisRun of a Scene that has not ended becomes this.
fn verdict(scene: Scene, phase: AnalysisPhase, message: &str) -> Scene {
    let live = scene.world.analysis_runs.iter().find(|run| !run.completed());
    let name = live.map(|run| run.name.clone()).unwrap_or_else(|| panic!("no AnalysisRun is on its way"));
    scene.run(&name, phase, message)
}

/// A Service of a Scene cannot be read.
fn unreadable(scene: Scene, service: &str) -> Scene {
    let failed = Seen::Failed("timeout".to_owned());
    scene.edit(|world| drop(world.services.insert(service.to_owned(), failed)))
}
