//! Says what a plan changes, in one line of words that a test can be compared with.

use std::fmt::Write as _;

use serde_json::Value;
use serin_api::{RolloutStatus, label};
use serin_core::Plan;
use serin_core::split::{Effective, Weight};
use serin_core::world::{ReplicaSet, World};
use serin_core::write::{Effect, Write};

/// The words, separated by spaces, in this order:
///
/// `+shop-v2` created, `v2:1>3` scaled, `v2!30` deadline in 30 s, `v2!` deadline removed, `-v0` deleted,
/// `shop-canary>v2` selector, `weight:0>20`, `run+NAME`, `run!NAME` terminated, `run-NAME` deleted, `step:0>1`,
/// `pause:REASON`, `resume`, `stable:v1>v2`, `abort`, `unabort`, `full`. Annotations alone are not shown.
pub fn digest(world: &World, plan: &Plan) -> String {
    let mut words = Vec::new();
    for write in &plan.writes {
        match write.object.kind.as_str() {
            "ReplicaSet" => words.extend(of_set(world, write)),
            "AnalysisRun" => words.push(of_run(write)),
            "Pod" => words.push(format!("evict:{}", write.object.name)),
            _ => {}
        }
    }
    words.extend(plan.services.iter().map(|target| format!("{}>{}", target.service, target.hash)));
    let shown = world.routers.first().map(|router| match &router.effective {
        Effective::Applied(split) | Effective::Pending(split) => split.canary,
        Effective::Unknown(_) => Weight(u32::MAX),
    });
    match (shown, &plan.split) {
        (Some(shown), Some(split)) if shown != split.canary => {
            words.push(format!("weight:{shown}>{}", split.canary));
        }
        _ => {}
    }
    words.extend(of_status(&world.rollout.status.clone().unwrap_or_default(), &plan.status));
    words.join(" ")
}

fn of_set(world: &World, write: &Write) -> Vec<String> {
    let name = &write.object.name;
    let set = world.replica_sets.iter().find(|set| set.name == *name);
    match (&write.effect, set) {
        (Effect::Create(_), _) => vec![format!("+{name}")],
        (Effect::Delete { .. }, Some(set)) => vec![format!("-{}", set.hash)],
        (Effect::JsonPatch(operations), Some(set)) => {
            operations.iter().filter_map(|operation| of_operation(world, set, operation)).collect()
        }
        _ => vec![format!("?{name}")],
    }
}

fn of_operation(world: &World, set: &ReplicaSet, operation: &Value) -> Option<String> {
    let (path, value) = (operation["path"].as_str()?, &operation["value"]);
    let deadline = path.ends_with(label::SCALE_DOWN_DEADLINE);
    match operation["op"].as_str()? {
        "replace" if path == "/spec/replicas" => Some(format!("{}:{}>{value}", set.hash, set.pods.spec)),
        "add" if deadline => {
            let until: jiff::Timestamp = value.as_str()?.parse().ok()?;
            Some(format!("{}!{}", set.hash, until.as_second() - world.now.as_second()))
        }
        "remove" if deadline => Some(format!("{}!", set.hash)),
        _ => None,
    }
}

fn of_run(write: &Write) -> String {
    let sign = match write.effect {
        Effect::Create(_) => '+',
        Effect::Delete { .. } => '-',
        Effect::Apply(_) | Effect::JsonPatch(_) | Effect::Evict { .. } => '!',
    };
    format!("run{sign}{}", write.object.name)
}

fn of_status(before: &RolloutStatus, after: &RolloutStatus) -> Vec<String> {
    let mut words = Vec::new();
    if before.current_step_index != after.current_step_index {
        let index = |index: Option<i32>| index.map_or_else(|| "-".to_owned(), |index| index.to_string());
        words.push(format!("step:{}>{}", index(before.current_step_index), index(after.current_step_index)));
    }
    let reasons = |status: &RolloutStatus| -> Vec<String> {
        status.pause_conditions.iter().flatten().map(|pause| pause.reason.clone()).collect()
    };
    let (paused, pauses) = (reasons(before), reasons(after));
    words.extend(
        pauses.iter().filter(|reason| !paused.contains(reason)).map(|reason| format!("pause:{reason}")),
    );
    if !paused.is_empty() && pauses.is_empty() {
        words.push("resume".to_owned());
    }
    if before.stable_rs != after.stable_rs {
        let hash = |hash: &Option<String>| hash.clone().unwrap_or_else(|| "-".to_owned());
        words.push(format!("stable:{}>{}", hash(&before.stable_rs), hash(&after.stable_rs)));
    }
    match (before.abort, after.abort) {
        (false, true) => words.push("abort".to_owned()),
        (true, false) => words.push("unabort".to_owned()),
        _ => {}
    }
    if after.promote_full {
        words.push("full".to_owned());
    }
    words
}

/// Reasons of the events, in order.
pub fn reasons<'p>(plans: impl IntoIterator<Item = &'p Plan>) -> Vec<String> {
    plans.into_iter().flat_map(|plan| plan.events.iter().map(|event| event.reason.clone())).collect()
}

/// The gates, one a line.
pub fn gates(status: &RolloutStatus) -> String {
    let mut text = String::new();
    for gate in status.gates.iter().flatten() {
        let _ = writeln!(text, "{}", gate.waits_for);
    }
    text
}
