//! Decides what steps of extensions do: when an extension is called, and what its answers lead to.
//!
//! What an extension was told and said last is in `status.canary.stepPluginStatuses`. A call that is due stays due until
//! its answer is stored, so it may be made twice; extensions are told so. Only the phase Failed aborts a rollout: an
//! extension that cannot be reached, or gives no usable answer, holds it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serin_api::{BUILT_IN_ROUTERS, PluginStep, StepPluginStatus};

use crate::analysis::measured;
use crate::facts::Facts;
use crate::gate::Gates;
use crate::memory::{self, Memory};
use crate::problem;
use crate::time::{after, api_time};
use crate::traffic::halted;
use crate::workload::{self, Resolved};
use crate::world::World;

pub use call::{Call, Operation, PROTOCOL, rollout_told};
pub use reply::{Answer, Phase, Report, answer};

mod call;
mod reply;

/// Seconds to the next question, unless the extension says otherwise.
const AGAIN: i64 = 30;
const NOT_CONFIGURED: &str = "name it with its url under `extensions` in the ConfigMap argo-rollouts-config of the controller \
                              (docs/extensions.md); plugins of Argo Rollouts are Go programs and cannot be loaded";
/// Seconds to the next look at which extensions are configured.
const CONFIGURATION: i64 = 60;

/// What is known of extensions: which there are, and what they answered to the calls that were due.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extensions {
    /// Names of those that are configured; `None` while nobody knows.
    pub configured: Option<BTreeSet<String>>,
    /// Answers that have come and are not stored yet.
    #[serde(default)]
    pub told: Vec<Told>,
}

/// A call that was made, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// The call.
    pub call: Call,
    /// What came of it.
    pub answer: Answer,
}

/// The call that the step of a Rollout needs now, if any. The shell makes it, and plans with its answer.
pub fn due(world: &World) -> Option<Call> {
    match workload::resolve(world) {
        None => of_template(world),
        Some(Resolved::World(resolved)) => of_template(&resolved),
        Some(Resolved::Missing(_) | Resolved::Unknown(_)) => None,
    }
}

fn of_template(world: &World) -> Option<Call> {
    let status = world.rollout.status.as_ref()?;
    status.canary.step_plugin_statuses.as_ref()?;
    let usable = world.rollout.metadata.deletion_timestamp.is_none() && problem::of_spec(world).is_empty();
    let facts = Facts::gather(world).filter(|_| usable)?;
    let memory = memory::fold(&facts);
    if !memory.aborted() && !problem::of_references(&facts).is_empty() {
        return None;
    }
    due_now(&facts, &memory)
}

/// Nothing is called for an attempt that is not stored yet, nor before it is stored that a step has begun: whatever may
/// have been told of a step is taken back.
fn due_now(facts: &Facts, memory: &Memory) -> Option<Call> {
    if memory.progressed {
        return None;
    }
    let (operation, index) = wanted(facts, memory)?;
    let record = record(memory, operation, index);
    if operation == Operation::Run && record.is_none() {
        return None;
    }
    let again = record.map_or(facts.world.now, next);
    (facts.world.now >= again).then(|| call::of(facts, memory, operation, index))?
}

/// The operation that is underway or has to begin, and the index of its step.
fn wanted(facts: &Facts, memory: &Memory) -> Option<(Operation, usize)> {
    if memory.stable().is_empty() {
        return None;
    }
    let open = |operation: Operation, index: usize| {
        record(memory, operation, index).is_none_or(|record| !over(record)).then_some((operation, index))
    };
    if memory.aborted() {
        return undone(memory).find_map(|index| open(Operation::Abort, index));
    }
    let step = current(facts, memory).map(|(index, _)| index);
    let left = underway(memory).filter(|index| Some(*index) != step);
    if let Some(terminated) = left.into_iter().find_map(|index| open(Operation::Terminate, index)) {
        return Some(terminated);
    }
    step.filter(|_| !halted(facts, memory)).and_then(|index| open(Operation::Run, index))
}

/// The step that an extension performs now, with its index.
fn current<'w>(facts: &Facts<'w>, memory: &Memory) -> Option<(usize, &'w PluginStep)> {
    let index = memory.step().filter(|_| measured(facts, memory))?;
    Some((index, facts.steps.get(index)?.plugin.as_ref()?))
}

fn records(memory: &Memory) -> &[StepPluginStatus] {
    memory.status.canary.step_plugin_statuses.as_deref().unwrap_or_default()
}

fn record(memory: &Memory, operation: Operation, index: usize) -> Option<&StepPluginStatus> {
    records(memory).iter().find(|record| is_of(record, operation, index))
}

fn is_of(record: &StepPluginStatus, operation: Operation, index: usize) -> bool {
    record.operation.as_deref() == Some(operation.word()) && usize::try_from(record.index) == Ok(index)
}

fn phase(record: &StepPluginStatus) -> Option<Phase> {
    record.phase.as_deref().and_then(Phase::of)
}

fn over(record: &StepPluginStatus) -> bool {
    record.disabled || matches!(phase(record), Some(Phase::Successful | Phase::Failed))
}

/// When to ask again about an operation that is not over.
fn next(record: &StepPluginStatus) -> jiff::Timestamp {
    let backoff = record.backoff.as_deref().and_then(serin_api::go_duration);
    let seconds = backoff.and_then(|backoff| i64::try_from(backoff.as_secs()).ok()).unwrap_or(AGAIN);
    record.updated_at.as_ref().map_or(jiff::Timestamp::MIN, |updated| after(updated.0, seconds))
}

/// Steps that an abort takes back, the last one first: those that were performed, and those that may be underway.
fn undone(memory: &Memory) -> impl Iterator<Item = usize> {
    runs(memory, |phase| phase != Some(Phase::Failed)).rev()
}

/// Steps that are underway as far as is known.
fn underway(memory: &Memory) -> impl Iterator<Item = usize> {
    runs(memory, |phase| !matches!(phase, Some(Phase::Successful | Phase::Failed)))
}

fn runs(memory: &Memory, is: impl Fn(Option<Phase>) -> bool) -> impl DoubleEndedIterator<Item = usize> {
    let run = |record: &&StepPluginStatus| {
        record.operation.as_deref() == Some(Operation::Run.word()) && !record.disabled && is(phase(record))
    };
    let mut indices: Vec<_> =
        records(memory).iter().filter(run).filter_map(|record| usize::try_from(record.index).ok()).collect();
    indices.sort_unstable();
    indices.into_iter()
}

/// Reads the answer to the call that was due into the memory: a failed step aborts.
pub(crate) fn hear(facts: &Facts, memory: &mut Memory) {
    let Some(due) = due_now(facts, memory) else { return };
    let Some(told) = facts.world.extensions.told.iter().find(|told| told.call.same(&due)) else { return };
    let phase = keep(facts, memory, &due, &told.answer);
    if phase == Phase::Failed && due.operation == Operation::Run {
        let what = format!("Step Plugin {} ({}) failed", due.index.saturating_add(1), due.extension);
        memory.abort(match told.answer.message() {
            "" => what,
            message => format!("{what}: {message}"),
        });
    }
}

/// Stores an answer; its phase.
fn keep(facts: &Facts, memory: &mut Memory, call: &Call, answer: &Answer) -> Phase {
    let now = api_time(facts.world.now);
    let mut kept = record(memory, call.operation, call.index).cloned().unwrap_or_else(|| StepPluginStatus {
        index: i32::try_from(call.index).unwrap_or(i32::MAX),
        name: call.extension.clone(),
        operation: Some(call.operation.word().to_owned()),
        started_at: Some(now.clone()),
        ..StepPluginStatus::default()
    });
    let before = phase(&kept);
    let (phase, seconds) = (answer.phase(), answer.again().unwrap_or(AGAIN));
    kept.phase = Some(phase.word().to_owned());
    kept.message = Some(answer.message().to_owned()).filter(|message| !message.is_empty());
    kept.updated_at = Some(now.clone());
    kept.executions = Some(kept.executions.unwrap_or(0).saturating_add(1));
    if let Answer::Reported(report) = answer {
        kept.status.clone_from(&report.state);
    }
    let ended = matches!(phase, Phase::Successful | Phase::Failed);
    kept.finished_at = ended.then_some(now);
    kept.backoff = (!ended).then(|| format!("{seconds}s"));
    let told_elsewhere = call.operation == Operation::Run && ended;
    if before != Some(phase) && !told_elsewhere {
        let message =
            format!("{} is {}", call::title(call.index, &call.extension, call.operation), phase.word());
        let message = kept.message.iter().fold(message, |text, why| format!("{text}: {why}"));
        memory.journal.note("StepPluginTransition", message);
    }
    let records = memory.status.canary.step_plugin_statuses.get_or_insert_default();
    match records.iter_mut().find(|record| is_of(record, call.operation, call.index)) {
        Some(record) => *record = kept,
        None => records.push(kept),
    }
    phase
}

/// Notes that the step begins.
fn begin(facts: &Facts, memory: &mut Memory, (index, name): (usize, &str)) {
    let record = StepPluginStatus {
        index: i32::try_from(index).unwrap_or(i32::MAX),
        name: name.to_owned(),
        operation: Some(Operation::Run.word().to_owned()),
        phase: Some(Phase::Running.word().to_owned()),
        started_at: Some(api_time(facts.world.now)),
        ..StepPluginStatus::default()
    };
    memory.status.canary.step_plugin_statuses.get_or_insert_default().push(record);
    let title = call::title(index, name, Operation::Run);
    memory.journal.note("StepPluginTransition", format!("{title} is {}", Phase::Running.word()));
}

/// Whether the extension has performed step `index`.
pub(crate) fn done(facts: &Facts, memory: &mut Memory, index: usize, gates: &mut Gates) -> bool {
    let name = facts.steps.get(index).and_then(|step| step.plugin.as_ref());
    let name = name.map(|step| step.name.as_str()).unwrap_or_default();
    let known = facts.world.extensions.configured.is_some();
    if record(memory, Operation::Run, index).is_none() && known {
        begin(facts, memory, (index, name));
    }
    let record = record(memory, Operation::Run, index);
    if record.is_some_and(|record| record.disabled || phase(record) == Some(Phase::Successful)) {
        return true;
    }
    if !known {
        gates.wait(
            &format!(
                "the ConfigMap argo-rollouts-config to be read, which configures the extension \"{name}\""
            ),
            "the step begins",
        );
        return false;
    }
    gate(facts, record, &format!("the extension \"{name}\" to perform the step"), gates);
    false
}

/// Waits for the operations that are underway, and for their next question.
pub(crate) fn follow(facts: &Facts, memory: &mut Memory, gates: &mut Gates) {
    let Some((operation, index)) = wanted(facts, memory) else { return };
    let again = record(memory, operation, index).map(next);
    if let Some(again) = again {
        memory.wake_after(facts.world.now, again);
    }
    let name = facts.steps.get(index).and_then(|step| step.plugin.as_ref());
    let name = name.map(|step| step.name.as_str()).unwrap_or_default();
    let number = index.saturating_add(1);
    let waits_for = match operation {
        Operation::Run => return,
        Operation::Terminate => format!("the extension \"{name}\" to end step {number}"),
        Operation::Abort => format!("the extension \"{name}\" to take back step {number}"),
    };
    gate(facts, record(memory, operation, index), &waits_for, gates);
}

fn gate(facts: &Facts, record: Option<&StepPluginStatus>, waits_for: &str, gates: &mut Gates) {
    let said = record.and_then(|record| record.message.as_deref());
    let waits_for = said.map_or(waits_for.to_owned(), |said| format!("{waits_for}: {said}"));
    match record {
        Some(record) if next(record) > facts.world.now => {
            let since = record.started_at.as_ref().map_or(facts.world.now, |since| since.0);
            gates.until(&waits_for, since, next(record), "it is asked again");
        }
        _ => gates.wait(&waits_for, "it is asked now"),
    }
}

/// Extensions that the Rollout names and that are not configured: the path of the field, and the name.
fn unknown(facts: &Facts) -> Vec<(String, String)> {
    let Some(configured) = &facts.world.extensions.configured else { return Vec::new() };
    let routing = facts.canary.traffic_routing.as_ref();
    let routers = routing.and_then(|routing| routing.plugins.as_ref()).into_iter().flatten();
    let routers = routers
        .filter(|(name, _)| !BUILT_IN_ROUTERS.contains(&name.as_str()))
        .map(|(name, _)| (format!("spec.strategy.canary.trafficRouting.plugins[\"{name}\"]"), name.clone()));
    let steps = facts.steps.iter().enumerate().filter_map(|(index, step)| {
        let plugin = step.plugin.as_ref()?;
        Some((format!("spec.strategy.canary.steps[{index}].plugin.name"), plugin.name.clone()))
    });
    steps.chain(routers).filter(|(_, name)| !configured.contains(name)).collect()
}

/// Extensions that a Rollout names and that are not configured, as problems of its spec.
pub fn unconfigured(world: &World) -> Vec<String> {
    Facts::gather(world).iter().flat_map(problems).collect()
}

/// As [`unconfigured`].
pub(crate) fn problems(facts: &Facts) -> Vec<String> {
    let problem = |(path, name): (String, String)| {
        format!(
            "{path}: Invalid value: \"{name}\": the extension \"{name}\" is not configured; {NOT_CONFIGURED}"
        )
    };
    unknown(facts).into_iter().map(problem).collect()
}

/// Looks again when an extension may have been configured: nothing tells.
pub(crate) fn await_configuration(facts: &Facts, memory: &mut Memory) {
    if !unknown(facts).is_empty() {
        memory.wake_at(after(facts.world.now, CONFIGURATION));
    }
}
