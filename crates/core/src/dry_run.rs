//! Decides what a dry run stores and tells: every decision as it would be made next, once, and no write but the status.
//!
//! The World does not follow the decisions of a dry run, so its memory must not either: what was stored of steps, pauses,
//! aborts and conditions stays, and the rollout goes on from there when the annotation is removed.

use serde_json::Value;
use serin_api::{DryRunStatus, Gate, Rollout, RolloutStatus, label};

use crate::journal::Event;
use crate::plan::Plan;
use crate::split::{Effective, Split};
use crate::time::api_time;
use crate::world::World;
use crate::write::{Effect, Write};

/// Events that are remembered as told; older ones may be told again.
const MOST_TOLD: usize = 50;

/// The Rollout asks for a dry run. Any value but `false` does: a slip of the pen must not write.
pub fn is_on(rollout: &Rollout) -> bool {
    let annotations = rollout.metadata.annotations.as_ref();
    let asked = annotations.and_then(|annotations| annotations.get(label::DRY_RUN));
    asked.is_some_and(|value| !value.is_empty() && value != "false")
}

/// What is stored and told in place of `plan`; nothing is written.
pub(crate) fn instead(world: &World, plan: Plan) -> Plan {
    let before = world.rollout.status.clone().unwrap_or_default();
    let (revision, next) = (plan.status.current_pod_hash.clone(), next(world, &plan));
    let known = before.dry_run.clone().unwrap_or_default();
    let mut told = if known.revision == revision { known.told } else { Vec::new() };
    let events: Vec<_> = plan.events.into_iter().filter_map(|event| tell(event, &mut told)).collect();
    told.drain(..told.len().saturating_sub(MOST_TOLD));
    let since = known.since.or_else(|| Some(api_time(world.now)));
    let gates = gates(&since, &next, plan.status.gates.as_deref().unwrap_or_default());
    let message = match plan.status.message.as_deref().unwrap_or_default() {
        "" => "dry run".to_owned(),
        message => format!("dry run: {message}"),
    };
    let status = RolloutStatus {
        replicas: plan.status.replicas,
        updated_replicas: plan.status.updated_replicas,
        ready_replicas: plan.status.ready_replicas,
        available_replicas: plan.status.available_replicas,
        hpa_replicas: plan.status.hpa_replicas,
        selector: plan.status.selector,
        phase: plan.status.phase,
        message: Some(message),
        gates: (!gates.is_empty()).then_some(gates),
        dry_run: Some(DryRunStatus { since, revision, next, told }),
        ..before
    };
    Plan { status, events, wake: plan.wake, ..Plan::default() }
}

/// The event as it is told, unless it was told before. What it announces is not done, so it waits for no write.
fn tell(event: Event, told: &mut Vec<String>) -> Option<Event> {
    let line = format!("{}: {}", event.reason, event.message);
    if told.contains(&line) {
        return None;
    }
    told.push(line);
    Some(Event { message: format!("Dry run: {}", event.message), write: None, service: None, ..event })
}

/// The gates of the decision behind the one of the dry run. Moments until which they are closed would move with the clock,
/// because nothing remembers when they were reached.
fn gates(
    since: &Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>,
    next: &[String],
    decided: &[Gate],
) -> Vec<Gate> {
    let dry = (!next.is_empty()).then(|| Gate {
        waits_for: format!("the annotation {} to be removed", label::DRY_RUN),
        since: since.clone(),
        until: None,
        then: "what status.dryRun.next says is written".to_owned(),
    });
    dry.into_iter().chain(decided.iter().map(|gate| Gate { until: None, ..gate.clone() })).collect()
}

/// What the plan would write, one line each.
fn next(world: &World, plan: &Plan) -> Vec<String> {
    let split = plan.split.as_ref().filter(|split| !shown(world, split));
    let split = split
        .map(|split| format!("route {} of {} parts of the traffic to the canary", split.canary, split.total));
    let services = plan.services.iter();
    let services =
        services.map(|target| format!("point Service {} at revision {}", target.service, target.hash));
    split.into_iter().chain(services).chain(plan.writes.iter().map(described)).collect()
}

/// Every router shows this split already.
fn shown(world: &World, wish: &Split) -> bool {
    world.routers.iter().all(|report| match &report.effective {
        Effective::Applied(shown) | Effective::Pending(shown) => {
            let names =
                |split: &Split| split.routes().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
            shown.same_weights(wish) && names(shown) == names(wish)
        }
        Effective::Unknown(_) => true,
    })
}

fn described(write: &Write) -> String {
    let object = &write.object;
    match &write.effect {
        Effect::Create(_) => format!("create {object}"),
        Effect::Apply(_) => format!("apply {object}"),
        Effect::Delete { .. } => format!("delete {object}"),
        Effect::Evict { .. } => format!("evict {object}"),
        Effect::JsonPatch(operations) => {
            let changes = operations.iter().filter(|operation| operation["op"] != "test");
            let size = |operation: &&Value| operation["path"] == "/spec/replicas";
            match changes.clone().find(size).and_then(|operation| operation["value"].as_i64()) {
                Some(replicas) => format!("scale {object} to {replicas}"),
                None => {
                    let paths = changes.filter_map(|operation| operation["path"].as_str());
                    format!("patch {object}: {}", paths.collect::<Vec<_>>().join(", "))
                }
            }
        }
    }
}
