//! Tables of `experiment::plan`: a row is a World changed by a few words, and what is expected of the plan for it.

use serde_json::Value;
use serin_api::ExperimentStatus;
use serin_core::experiment::Plan;
use serin_core::write::Effect;
use serin_testkit::trial::Trial;

mod analysis;
mod life;
mod service;
mod spec;
mod template;

/// The status of a Trial.
fn stored(trial: &Trial) -> ExperimentStatus {
    trial.world.experiment.status.clone().unwrap_or_default()
}

/// Phase and message, parted by a bar.
fn phase(status: &ExperimentStatus) -> String {
    format!("{}|{}", status.phase, status.message)
}

/// Status and message of a template, parted by a bar.
fn template(status: &ExperimentStatus, name: &str) -> String {
    let known = status.template(name).unwrap_or_else(|| panic!("nothing is known of template {name}"));
    format!("{}|{}", known.status.clone().unwrap_or_default(), known.message.clone().unwrap_or_default())
}

/// Status, reason and message of the condition of one type, parted by bars.
fn condition(status: &ExperimentStatus, type_: &str) -> Option<String> {
    let found = status.conditions.iter().find(|condition| condition.type_ == type_)?;
    Some(format!("{}|{}|{}", found.status, found.reason, found.message))
}

/// Events of several plans in order: severity, reason and message.
fn events<'p>(plans: impl IntoIterator<Item = &'p Plan>) -> Vec<String> {
    let events = plans.into_iter().flat_map(|plan| &plan.events);
    events.map(|event| format!("{:?} {}: {}", event.severity, event.reason, event.message)).collect()
}

/// What the gates wait for, in one line.
fn waits(plan: &Plan) -> String {
    let gates = plan.status.gates.iter().flatten();
    gates.map(|gate| gate.waits_for.clone()).collect::<Vec<_>>().join("; ")
}

/// Pods that each ReplicaSet is asked to have.
fn sizes(trial: &Trial) -> Vec<(String, i32)> {
    trial.world.replica_sets.iter().map(|set| (set.name.clone(), set.pods.spec)).collect()
}

/// Objects of one kind that a plan creates.
fn created(plan: &Plan, kind: &str) -> Vec<Value> {
    let writes = plan.writes.iter().filter(|write| write.object.kind == kind);
    let created = writes.filter_map(|write| match &write.effect {
        Effect::Create(object) => Some(object.clone()),
        _ => None,
    });
    created.collect()
}
