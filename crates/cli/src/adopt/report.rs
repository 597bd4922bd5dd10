//! Judges a takeover: which ReplicaSet is taken for the current template, what would be written, and what stands in the way.

use serde::Serialize;
use serin_api::validate;
use serin_core::adoption::{Adoption, adoption, steps_known};
use serin_core::extension;
use serin_core::plan;
use serin_core::world::World;
use serin_core::write::{Effect, Write};
use serin_view::{phase, step};

use crate::paint::{Paint, Tone};

/// What would happen to one Rollout.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its phase as it stands.
    pub phase: String,
    /// What becomes of the current template.
    pub adoption: Adoption,
    /// Where an update on its way would go on.
    pub goes_on: String,
    /// What the first plan would write, for people.
    pub writes: Vec<String>,
    /// What Serin refuses in the spec, with the field and the remedy.
    pub refused: Vec<String>,
    /// Pods would be replaced, or the spec is refused: mend it first.
    pub blocked: bool,
    /// What could not be read, so that the check is not complete.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The lease by which two controllers never act together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// Namespace and name.
    pub lease: String,
    /// Who holds it; absent when nobody does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// It was renewed within its duration: its holder is alive.
    pub alive: bool,
}

/// What would happen to all of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The leases of controllers that were found.
    pub leases: Vec<Lease>,
    /// Every Rollout.
    pub rollouts: Vec<Check>,
}

/// Checks one Rollout. `routes` are the writes of its routers, made from the plan by the caller.
pub fn check(world: &World, routes: &[Write], notes: Vec<String>) -> Check {
    let rollout = &world.rollout;
    let plan = plan(world);
    let refused = validate(rollout).iter().map(ToString::to_string).collect::<Vec<_>>();
    let refused = [refused, extension::unconfigured(world)].concat();
    let adoption = adoption(world);
    let created = plan.writes.iter().any(creates_set);
    let writes = plan.writes.iter().chain(routes).map(said).collect();
    Check {
        namespace: rollout.metadata.namespace.clone().unwrap_or_default(),
        name: rollout.metadata.name.clone().unwrap_or_default(),
        phase: phase::standing(rollout).to_string(),
        goes_on: goes_on(world, &plan),
        blocked: created || !refused.is_empty() || adoption == Adoption::NoTemplate,
        adoption,
        writes,
        refused,
        notes,
    }
}

fn creates_set(write: &Write) -> bool {
    write.object.kind == "ReplicaSet" && matches!(write.effect, Effect::Create(_))
}

/// A write for people: the object, and what is done to it.
fn said(write: &Write) -> String {
    let (verb, fields) = match &write.effect {
        Effect::Create(_) => ("create", String::new()),
        Effect::Apply(object) => ("apply", paths(object)),
        Effect::JsonPatch(operations) => {
            let changed = operations.iter().filter(|operation| operation["op"] != "test");
            let paths: Vec<_> = changed.filter_map(|operation| operation["path"].as_str()).collect();
            ("patch", paths.join(", "))
        }
        Effect::Delete { .. } => ("delete", String::new()),
        Effect::Evict { .. } => ("evict", String::new()),
    };
    let object = format!("{verb} {} {}", write.object.kind, write.object.name);
    if fields.is_empty() { object } else { format!("{object}: {fields}") }
}

fn paths(object: &serde_json::Value) -> String {
    let parts = ["spec", "metadata"].into_iter().flat_map(|part| {
        let fields = object.get(part).and_then(serde_json::Value::as_object).into_iter().flatten();
        fields
            .filter(|(name, _)| !matches!(name.as_str(), "name" | "namespace" | "uid"))
            .map(move |(name, _)| format!("{part}.{name}"))
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn goes_on(world: &World, plan: &serin_core::Plan) -> String {
    let rollout = &world.rollout;
    let status = rollout.status.clone().unwrap_or_default();
    if status.abort {
        return "stays aborted: traffic stays with stable".to_owned();
    }
    if phase::fully_promoted(&status) {
        return "is settled: nothing is on its way".to_owned();
    }
    if status.stable_rs.is_none() {
        return "its first revision becomes stable".to_owned();
    }
    let before = step::done(rollout);
    let after = plan.status.current_step_index.and_then(|index| usize::try_from(index).ok());
    match (before, after) {
        (Some(before), Some(after)) if before <= after => {
            if after < step::steps(rollout).len() {
                format!("goes on at {}", step::named(rollout, after))
            } else {
                "all steps are done: it becomes stable".to_owned()
            }
        }
        (Some(before), Some(after)) => {
            let why = match steps_known(world) {
                Some(false) => "the steps have changed since",
                _ => "the template has changed since",
            };
            format!("begins again at step {} instead of step {}: {why}", after + 1, before + 1)
        }
        _ => "has no steps: pods are replaced one after the other".to_owned(),
    }
}

/// The report for people.
pub fn text(report: &Report, paint: Paint) -> String {
    let mut text = String::new();
    for Lease { lease, holder, alive } in &report.leases {
        let line = match (holder, alive) {
            (Some(holder), true) => format!(
                "lease {lease} is held by {holder}: stop that controller; Serin waits for the lease\n"
            ),
            (Some(holder), false) => {
                format!("lease {lease} was held by {holder} and has run out: it is free\n")
            }
            (None, _) => format!("lease {lease} is free\n"),
        };
        text.push_str(&line);
    }
    if report.leases.is_empty() {
        text.push_str("no lease of a controller was found (--controller-namespace says where it is)\n");
    }
    for check in &report.rollouts {
        text.push_str(&of_one(check, paint));
    }
    let blocked = report.rollouts.iter().filter(|check| check.blocked).count();
    let total = match report.rollouts.len() {
        1 => "1 rollout".to_owned(),
        total => format!("{total} rollouts"),
    };
    text.push_str(&match blocked {
        0 => {
            format!("{total} can be taken over: no ReplicaSet is created and no pod is restarted\n")
        }
        blocked => format!("{blocked} of {total} must be mended first\n"),
    });
    text
}

fn of_one(check: &Check, paint: Paint) -> String {
    let (word, tone) = if check.blocked { ("MEND FIRST", Tone::Bad) } else { ("ok", Tone::Good) };
    let mut text =
        format!("{}/{}: {} ({})\n", check.namespace, check.name, paint.tone(tone, word), check.phase);
    let adopted = match &check.adoption {
        Adoption::ByHash { name } => {
            format!("ReplicaSet {name} is kept: it has the hash that Serin computes")
        }
        Adoption::ByTemplate { name, hash, computed } => format!(
            "ReplicaSet {name} is kept: it has the same template, with hash {hash} where Serin computes {computed}"
        ),
        Adoption::Created { hash } => {
            format!("a ReplicaSet with hash {hash} would be created: none has the current template")
        }
        Adoption::NoTemplate => {
            "there is no pod template: neither spec.template nor a workload that spec.workloadRef names"
                .to_owned()
        }
    };
    text.push_str(&format!("  {adopted}\n  {}\n", check.goes_on));
    for problem in &check.refused {
        text.push_str(&format!("  refused: {problem}\n"));
    }
    for write in &check.writes {
        text.push_str(&format!("  would {write}\n"));
    }
    for note in &check.notes {
        text.push_str(&format!("  note: {note}\n"));
    }
    text
}
