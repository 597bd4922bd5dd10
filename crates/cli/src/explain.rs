//! Says why a Rollout is where it is: what it waits for, on which evidence, what comes next, and what a person can do.

mod action;
mod course;
mod evidence;
mod fact;
mod next;
mod situation;
mod text;
mod why;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serin_api::Gate;
use serin_view::phase::{Standing, fully_promoted, standing};
use serin_view::step::{self, Weight};

use crate::invocation::Invocation;
use crate::observed::Observed;
use situation::Situation;

pub use text::text;

/// The answer to "why is it where it is?".
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    name: String,
    namespace: String,
    status: Standing,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    why: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    facts: Vec<Fact>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waits_for: Vec<Gate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<Weight>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evidence: Vec<Evidence>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pods: Vec<String>,
    next: Vec<String>,
    actions: Vec<Action>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(skip)]
    now: Timestamp,
}

/// Something in fields: a problem of the spec, a metric that decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Fact {
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
    #[serde(serialize_with = "as_object")]
    entries: Vec<(String, String)>,
}

fn as_object<S: Serializer>(entries: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(entries.iter().map(|(key, value)| (key, value)))
}

/// What an AnalysisRun has found so far.
#[derive(Clone, Debug, Serialize)]
struct Evidence {
    run: String,
    role: String,
    state: String,
    metrics: Vec<MetricEvidence>,
}

#[derive(Clone, Debug, Serialize)]
struct MetricEvidence {
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<(f64, f64)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    course: Option<course::Course>,
    lines: Vec<String>,
}

/// A command, and what it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Action {
    command: String,
    effect: String,
}

/// Explains what is seen.
pub fn explain(seen: &Observed, invocation: &Invocation) -> Explanation {
    let rollout = &seen.rollout;
    let situation = situation::of(seen);
    let moving = situation.is_moving();
    Explanation {
        name: seen.name().to_owned(),
        namespace: seen.namespace().to_owned(),
        status: standing(rollout),
        step: step::current(rollout).filter(|_| moving).map(|(index, _)| step::named(rollout, index)),
        why: why::of(seen, &situation),
        facts: fact::of(seen, &situation),
        waits_for: gates(seen, &situation),
        weight: step::weight(rollout, &seen.replica_sets).filter(|_| situation.has_traffic(rollout)),
        evidence: if moving { evidence::of(seen) } else { Vec::new() },
        pods: evidence::unready_pods(seen),
        next: next::of(seen, &situation),
        actions: action::of(seen, &situation, invocation),
        notes: seen.notes.iter().cloned().chain(brake_to_come(rollout)).collect(),
        now: seen.now,
    }
}

/// A brake that holds nothing now, and will hold the next update.
fn brake_to_come(rollout: &serin_api::Rollout) -> Option<String> {
    let status = rollout.status.as_ref().filter(|status| fully_promoted(status))?;
    Some(format!("{}; the next one, too", serin_core::brake::sentence(status.brake.as_ref()?)))
}

/// The gates as the controller tells them; those of an invalid spec are shown as facts.
fn gates(seen: &Observed, situation: &Situation<'_>) -> Vec<Gate> {
    let known = seen.rollout.status.as_ref().and_then(|status| status.gates.clone()).unwrap_or_default();
    match situation {
        Situation::Unclaimed | Situation::Unobserved | Situation::Invalid { .. } => Vec::new(),
        Situation::Resuming | Situation::Retrying | Situation::Aborted { .. } => Vec::new(),
        Situation::Inconclusive { .. } => Vec::new(),
        _ => known,
    }
}

#[cfg(test)]
mod tests;
