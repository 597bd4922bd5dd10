//! Decides how many pods the referenced workload keeps while the Rollout takes over, as `workloadRef.scaleDown` says.

use serde_json::json;
use serin_api::{ScaleDown, label};

use super::Workload;
use crate::plan::Plan;
use crate::replica_set::pointer_escape;
use crate::seen::ObjectKey;
use crate::world::World;
use crate::write::{Effect, Write};

/// How far the workload has given up its pods to the Rollout with this uid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Not begun.
    None,
    /// On its way, from this number of pods.
    From(i32),
    /// Done: whatever somebody makes of the workload afterwards is left alone.
    Done,
}

fn progress(world: &World, workload: &Workload) -> Progress {
    let uid = world.rollout.metadata.uid.as_deref().unwrap_or_default();
    let text = workload.handover.as_deref().and_then(|text| text.strip_prefix(uid)?.strip_prefix('/'));
    match text {
        Some("done") => Progress::Done,
        Some(count) => count.parse().map_or(Progress::None, Progress::From),
        None => Progress::None,
    }
}

/// The next size of the workload.
///
/// Progressively: the pods that the Rollout lacks, and never more than it had; when the Rollout fails, they come back.
/// Once the Rollout is healthy the workload has none, and the matter is closed.
pub(super) fn write(
    world: &World,
    (object, workload): (&ObjectKey, &Workload),
    plan: &Plan,
) -> Option<Write> {
    let mode = world.rollout.spec.workload_ref.as_ref().and_then(|reference| reference.scale_down())?;
    let now = workload.replicas?;
    let progress = progress(world, workload);
    if mode == ScaleDown::Never || progress == Progress::Done || !may_begin(world, progress) {
        return None;
    }
    if plan.status.phase.as_deref() == Some("Healthy") {
        return Some(patch(world, (object, workload), 0, "done"));
    }
    let available = plan.status.available_replicas;
    if mode == ScaleDown::OnSuccess || (progress == Progress::None && available == 0) {
        return None;
    }
    let before = if let Progress::From(before) = progress { before } else { now };
    let lacking = world.rollout.replicas().saturating_sub(available).clamp(0, before.max(0));
    (lacking != now).then(|| patch(world, (object, workload), lacking, &before.to_string()))
}

/// Only while the Rollout has never been healthy, or in its first revision: a workload that somebody scales up later is
/// left alone.
fn may_begin(world: &World, progress: Progress) -> bool {
    let annotations = world.rollout.metadata.annotations.as_ref();
    let revision = annotations.and_then(|annotations| annotations.get(label::REVISION));
    let conditions = world.rollout.status.iter().flat_map(|status| &status.conditions);
    let once_healthy = conditions.into_iter().any(|condition| condition.type_ == "Healthy");
    progress != Progress::None || !once_healthy || revision.is_none_or(|revision| revision == "1")
}

fn patch(world: &World, (object, workload): (&ObjectKey, &Workload), replicas: i32, state: &str) -> Write {
    let uid = world.rollout.metadata.uid.as_deref().unwrap_or_default();
    let mut patch = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": workload.uid}),
        json!({"op": "test", "path": "/spec/replicas", "value": workload.replicas}),
        json!({"op": "replace", "path": "/spec/replicas", "value": replicas}),
    ];
    if !workload.annotated {
        patch.push(json!({"op": "test", "path": "/metadata/annotations", "value": null}));
        patch.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
    }
    let path = format!("/metadata/annotations/{}", pointer_escape(label::HANDOVER));
    patch.push(json!({"op": "add", "path": path, "value": format!("{uid}/{state}")}));
    Write { object: object.clone(), effect: Effect::JsonPatch(patch) }
}
