//! Decides how far the pods of each template are: Progressing, Running, Successful, Failed or Error.

use serin_api::{ExperimentTemplate, ExperimentTemplateStatus};

use super::facts::{Facts, ended};
use super::{Memory, analysis, replica_set, service};
use crate::time::{after, api_time};

/// Brings every template up to date, and asks for the pods and Services that it needs.
pub(super) fn statuses(facts: &Facts, memory: &mut Memory) {
    let known = |name: &str| facts.templates.iter().any(|template| template.name == name);
    if !facts.templates.is_empty() {
        memory.status.template_statuses.retain(|status| known(&status.name));
    }
    for template in &facts.templates {
        let before = facts.before.template(&template.name).cloned();
        let before = before.unwrap_or_else(|| ExperimentTemplateStatus {
            name: template.name.clone(),
            ..ExperimentTemplateStatus::default()
        });
        let mut after = before.clone();
        let problem = ask(facts, memory, template, &mut after);
        count(facts, &before, &mut after);
        judge(facts, memory, template, problem, &mut after);
        tell(memory, &before, &after);
        store(memory, after);
    }
}

/// Asks for the ReplicaSet, its pods and its Service; what the API server refuses is given back.
fn ask(
    facts: &Facts,
    memory: &mut Memory,
    template: &ExperimentTemplate,
    status: &mut ExperimentTemplateStatus,
) -> Option<String> {
    let wanted = facts.wanted(&template.name);
    let Some(set) = facts.set_of(&template.name) else {
        return replica_set::create(facts, memory, template, status).err();
    };
    let refused = replica_set::scale_up(facts, memory, set, wanted, status).err();
    refused.or(service::ensure(facts, memory, template, set, status).err())
}

fn count(facts: &Facts, before: &ExperimentTemplateStatus, status: &mut ExperimentTemplateStatus) {
    let set = facts.set_of(&before.name);
    status.replicas = set.map_or(0, |set| set.pods.current);
    status.updated_replicas = status.replicas;
    status.ready_replicas = set.map_or(0, |set| set.ready);
    status.available_replicas = set.map_or(0, |set| set.pods.available);
    let counts = |status: &ExperimentTemplateStatus| {
        (status.replicas, status.ready_replicas, status.available_replicas)
    };
    if counts(before) != counts(status) {
        status.last_transition_time = Some(api_time(facts.world.now));
    }
}

/// A status that has come to its end stays.
fn judge(
    facts: &Facts,
    memory: &mut Memory,
    template: &ExperimentTemplate,
    problem: Option<String>,
    status: &mut ExperimentTemplateStatus,
) {
    if ended(status.status.as_deref()) {
        return;
    }
    let wanted = facts.wanted(&template.name);
    let (word, message) = if facts.ending {
        ("Successful", None)
    } else if let Some(problem) = problem {
        ("Error", Some(problem))
    } else if status.available_replicas == wanted {
        let over = facts.finishes_at().is_some_and(|end| facts.world.now >= end);
        let over = over && !analysis::open(facts, memory);
        (if over { "Successful" } else { "Running" }, None)
    } else if late(facts, memory, template, status) {
        let deadline = facts.experiment.spec.deadline_seconds();
        let message =
            format!("Template '{}' exceeded its progressDeadlineSeconds ({deadline})", template.name);
        ("Failed", Some(message))
    } else {
        ("Progressing", None)
    };
    status.status = Some(word.to_owned());
    status.message = message;
}

/// The pods have not all become available in the time that they have.
fn late(
    facts: &Facts,
    memory: &mut Memory,
    template: &ExperimentTemplate,
    status: &ExperimentTemplateStatus,
) -> bool {
    let now = facts.world.now;
    let since = status.last_transition_time.as_ref().map_or(now, |since| since.0);
    let deadline = after(since, i64::from(facts.experiment.spec.deadline_seconds()));
    if now > deadline {
        return true;
    }
    memory.wake_after(now, after(deadline, 1));
    let failure = facts.set_of(&template.name).and_then(|set| set.failure.as_ref());
    let why = failure.map(|(reason, message)| format!(" ({reason}: {message})")).unwrap_or_default();
    let wanted = facts.wanted(&template.name);
    let waits_for = format!("{wanted} pods of template '{}' to be available{why}", template.name);
    memory.gates.until(&waits_for, since, deadline, "the experiment runs; if not in time, it fails");
    false
}

fn tell(memory: &mut Memory, before: &ExperimentTemplateStatus, after: &ExperimentTemplateStatus) {
    if before.status == after.status {
        return;
    }
    let word = |status: &ExperimentTemplateStatus| status.status.clone().unwrap_or_default();
    let mut message =
        format!("Template '{}' transitioned from {} -> {}", after.name, word(before), word(after));
    if let Some(why) = &after.message {
        message = format!("{message}: {why}");
    }
    let reason = format!("Template{}", word(after));
    match after.status.as_deref() {
        Some("Failed" | "Error") => memory.journal.warn(&reason, message),
        _ => memory.journal.note(&reason, message),
    }
}

fn store(memory: &mut Memory, status: ExperimentTemplateStatus) {
    let known = memory.status.template_statuses.iter_mut().find(|known| known.name == status.name);
    match known {
        Some(known) => *known = status,
        None => memory.status.template_statuses.push(status),
    }
}
