//! Decides which AnalysisRuns an Experiment has, and what their phases mean for it.

use serde_json::{Value, json};
use serin_api::{
    AnalysisPhase, AnalysisRunSpec, Argument, Arms, ExperimentAnalysis, ExperimentAnalysisStatus,
    RolloutAnalysis, TemplateReference, label,
};

use super::Memory;
use super::facts::Facts;
use crate::analysis_spec;
use crate::seen::Seen;
use crate::time::after;
use crate::write::{Effect, Write};

/// A template that is applied together with the experiment may come into sight later than it.
const PATIENCE_SECONDS: i64 = 5;

/// Starts the runs that are wanted, reads their phases, and ends them with the experiment.
pub(super) fn runs(facts: &Facts, memory: &mut Memory) {
    let known = |name: &str| facts.analyses.iter().any(|analysis| analysis.name == name);
    if !facts.templates.is_empty() {
        memory.status.analysis_runs.retain(|status| known(&status.name));
    }
    for analysis in &facts.analyses {
        let before = facts.before.analysis(&analysis.name).cloned();
        let before = before.unwrap_or_else(|| ExperimentAnalysisStatus {
            name: analysis.name.clone(),
            ..ExperimentAnalysisStatus::default()
        });
        let after = next(facts, memory, analysis, &before);
        tell(memory, &before, &after);
        store(memory, after);
    }
    if facts.ending {
        terminate(facts, memory);
    }
}

fn next(
    facts: &Facts,
    memory: &mut Memory,
    analysis: &ExperimentAnalysis,
    before: &ExperimentAnalysisStatus,
) -> ExperimentAnalysisStatus {
    let mut after = before.clone();
    if facts.ending || before.phase.completed() {
        return after;
    }
    let outcome = if facts.before.available_at.is_none() {
        verify(facts, memory, analysis).map(drop)
    } else if before.analysis_run.is_empty() {
        begin(facts, memory, analysis, &mut after)
    } else {
        follow(facts, memory, analysis, &mut after)
    };
    if let Err(why) = outcome {
        (after.phase, after.message) = (AnalysisPhase::Error, why);
    }
    after
}

/// Whether the template is there; before the pods are, only that is looked at.
fn verify(facts: &Facts, memory: &mut Memory, analysis: &ExperimentAnalysis) -> Result<bool, String> {
    let kind = if analysis.cluster_scope { "ClusterAnalysisTemplate" } else { "AnalysisTemplate" };
    let name = &analysis.template_name;
    let known = facts
        .world
        .templates
        .iter()
        .find(|known| known.name == *name && known.cluster_scope == analysis.cluster_scope);
    if !matches!(known.map(|known| &known.spec), None | Some(Seen::Absent)) {
        return Ok(true);
    }
    let created = facts.experiment.metadata.creation_timestamp.as_ref();
    let until = created.map(|created| after(created.0, PATIENCE_SECONDS));
    if let Some(until) = until.filter(|until| facts.world.now < *until) {
        memory.wake_after(facts.world.now, until);
        let since = created.map_or(facts.world.now, |created| created.0);
        let then = "the experiment runs; if not in time, it ends as an error";
        memory.gates.until(&format!("{kind} '{name}'"), since, until, then);
        return Ok(false);
    }
    let resource = format!("{}s.argoproj.io", kind.to_lowercase());
    let analysis = &analysis.name;
    Err(format!("{kind} verification failed for analysis '{analysis}': {resource} \"{name}\" not found"))
}

fn begin(
    facts: &Facts,
    memory: &mut Memory,
    analysis: &ExperimentAnalysis,
    status: &mut ExperimentAnalysisStatus,
) -> Result<(), String> {
    if !verify(facts, memory, analysis)? {
        return Ok(());
    }
    let name = free_name(facts, &format!("{}-{}", facts.name(), analysis.name));
    if facts.run(&name).is_none() {
        create(facts, memory, analysis, &name)?;
    }
    (status.analysis_run, status.phase) = (name, AnalysisPhase::Pending);
    Ok(())
}

/// `base`, or the first of `base.1`, `base.2` … that is not another run's: one that can still be measured is taken on.
fn free_name(facts: &Facts, base: &str) -> String {
    let taken = |name: &str| {
        facts.run(name).is_some_and(|run| run.completed() || run.terminating)
            || facts.refusal("AnalysisRun", name).is_some_and(|refusal| refusal.name_taken)
    };
    let most = facts.world.analysis_runs.len().saturating_add(facts.world.refusals.len());
    let numbered = (1..=most).map(|number| format!("{base}.{number}"));
    std::iter::once(base.to_owned())
        .chain(numbered)
        .find(|name| !taken(name))
        .unwrap_or_else(|| base.to_owned())
}

fn create(
    facts: &Facts,
    memory: &mut Memory,
    analysis: &ExperimentAnalysis,
    name: &str,
) -> Result<(), String> {
    let failed = |why: &str| format!("Failed to create AnalysisRun for analysis '{}': {why}", analysis.name);
    if let Some(refusal) = facts.refusal("AnalysisRun", name).filter(|refusal| !refusal.name_taken) {
        return Err(failed(&refusal.message));
    }
    let spec = spec(facts, analysis).map_err(|why| failed(&why))?;
    let metadata = facts.experiment.spec.analysis_run_metadata.clone().unwrap_or_default();
    let mut labels = std::collections::BTreeMap::new();
    let own = facts.experiment.metadata.labels.as_ref();
    if let Some(instance) = own.and_then(|labels| labels.get(label::INSTANCE_ID)) {
        labels.insert(label::INSTANCE_ID.to_owned(), instance.clone());
    }
    labels.extend(metadata.labels.unwrap_or_default());
    let object = json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {
            "name": name,
            "namespace": facts.namespace(),
            "labels": labels,
            "annotations": metadata.annotations.unwrap_or_default(),
            "ownerReferences": [facts.owner_reference()],
        },
        "spec": spec,
    });
    let key = facts.key("argoproj.io", "v1alpha1", "AnalysisRun", name);
    memory.writes.push(Write { object: key, effect: Effect::Create(object) });
    Ok(())
}

fn spec(facts: &Facts, analysis: &ExperimentAnalysis) -> Result<AnalysisRunSpec, String> {
    let (template_name, cluster_scope) = (analysis.template_name.clone(), analysis.cluster_scope);
    let wanted = RolloutAnalysis {
        templates: Some(vec![TemplateReference { template_name, cluster_scope }]),
        dry_run: facts.experiment.spec.dry_run.clone(),
        measurement_retention: facts.experiment.spec.measurement_retention.clone(),
        ..RolloutAnalysis::default()
    };
    let args = analysis.args.iter().flatten().map(|argument| fill(facts, argument));
    let args: Vec<_> = args.collect::<Result<_, _>>()?;
    let mut spec = analysis_spec::for_rollout(&wanted, &args, |reference| {
        let known = facts.world.templates.iter().find(|known| {
            known.name == reference.template_name && known.cluster_scope == reference.cluster_scope
        });
        match known.map(|known| &known.spec) {
            Some(Seen::Fresh(spec) | Seen::Stale(spec)) => Ok(spec.clone()),
            Some(Seen::Failed(why)) => Err(why.clone()),
            Some(Seen::Absent) | None => Err("not found".to_owned()),
        }
    })?;
    spec.arms = arms(facts);
    Ok(spec)
}

/// A comparison tells two templates apart: `canary`, and `baseline` or `stable`.
fn arms(facts: &Facts) -> Option<Arms> {
    let hash = |name: &str| facts.set_of(name).map(|set| set.hash.clone());
    let (canary, stable) = (hash("canary")?, hash("baseline").or_else(|| hash("stable"))?);
    Some(Arms { canary, stable, ..Arms::default() })
}

fn fill(facts: &Facts, argument: &Argument) -> Result<Argument, String> {
    let value = argument.value.as_deref().map(|text| fill_text(facts, text)).transpose()?;
    Ok(Argument { value, ..argument.clone() })
}

/// `{{experiment.…}}` and `{{templates.…}}` in the value of an argument stand for what the experiment knows.
fn fill_text(facts: &Facts, text: &str) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, tag, after)) = rest
        .split_once("{{")
        .and_then(|(before, after)| after.split_once("}}").map(|(tag, after)| (before, tag, after)))
    {
        filled.push_str(before);
        filled.push_str(&fact(facts, tag.trim()).ok_or_else(|| format!("failed to resolve {{{{{tag}}}}}"))?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn fact(facts: &Facts, tag: &str) -> Option<String> {
    match tag {
        "experiment.availableAt" => Some(facts.before.available_at.as_ref()?.0.to_string()),
        "experiment.finishedAt" => Some(facts.finishes_at()?.to_string()),
        _ => {
            let path = tag.strip_prefix("templates.")?;
            let of = |suffix: &str| facts.set_of(path.strip_suffix(suffix)?);
            let hash = of(".podTemplateHash").map(|set| set.hash.clone());
            hash.or_else(|| of(".replicaset.name").map(|set| set.name.clone()))
        }
    }
}

/// Reads the phase of a run that has been started. One that was recorded and is not there was never made.
fn follow(
    facts: &Facts,
    memory: &mut Memory,
    analysis: &ExperimentAnalysis,
    status: &mut ExperimentAnalysisStatus,
) -> Result<(), String> {
    let name = status.analysis_run.clone();
    let taken = facts.refusal("AnalysisRun", &name).is_some_and(|refusal| refusal.name_taken);
    match facts.run(&name) {
        None if status.phase == AnalysisPhase::Pending && taken => {
            status.analysis_run.clear();
            begin(facts, memory, analysis, status)
        }
        None if status.phase == AnalysisPhase::Pending => create(facts, memory, analysis, &name),
        None => Err(format!("analysisruns.argoproj.io \"{name}\" not found")),
        Some(run) => {
            if run.phase != AnalysisPhase::Unset {
                (status.phase, status.message) = (run.phase, run.message.clone());
            }
            Ok(())
        }
    }
}

fn tell(memory: &mut Memory, before: &ExperimentAnalysisStatus, after: &ExperimentAnalysisStatus) {
    if before.phase == after.phase || after.phase == AnalysisPhase::Unset {
        return;
    }
    let mut message =
        format!("AnalysisRun '{}' transitioned from {} -> {}", after.name, before.phase, after.phase);
    if !after.message.is_empty() {
        message = format!("{message}: {}", after.message);
    }
    let reason = format!("AnalysisRun{}", after.phase);
    let bad = after.phase.completed() && after.phase != AnalysisPhase::Successful;
    for journal in [&mut memory.journal, &mut memory.owner_journal] {
        if bad {
            journal.warn(&reason, message.clone());
        } else {
            journal.note(&reason, message.clone());
        }
    }
}

fn store(memory: &mut Memory, status: ExperimentAnalysisStatus) {
    let known = memory.status.analysis_runs.iter_mut().find(|known| known.name == status.name);
    match known {
        Some(known) => *known = status,
        None => memory.status.analysis_runs.push(status),
    }
}

/// Ends every run that is still measured. Their recorded phases stay as they were seen last.
fn terminate(facts: &Facts, memory: &mut Memory) {
    for run in facts.world.analysis_runs.iter().filter(|run| !run.completed() && !run.terminating) {
        let recorded = facts.before.analysis_runs.iter().find(|known| known.analysis_run == run.name);
        let analysis = recorded.map_or(run.name.as_str(), |known| known.name.as_str());
        let message = format!("Terminating {analysis} ({})", run.name);
        memory.journal.wrote(memory.writes.len(), "AnalysisRunTerminating", message);
        let patch: Vec<Value> = vec![
            json!({"op": "test", "path": "/metadata/uid", "value": run.uid}),
            json!({"op": "add", "path": "/spec/terminate", "value": true}),
        ];
        let object = facts.key("argoproj.io", "v1alpha1", "AnalysisRun", &run.name);
        memory.writes.push(Write { object, effect: Effect::JsonPatch(patch) });
    }
}

/// Whether an analysis keeps the time of the experiment from being over: it has not begun, or its data cannot be had.
/// What was never measured is no success.
pub(super) fn open(facts: &Facts, memory: &mut Memory) -> bool {
    let mut open = false;
    for analysis in &facts.analyses {
        let known = facts.before.analysis(&analysis.name);
        let phase = known.map_or(AnalysisPhase::Unset, |known| known.phase);
        let run = known.and_then(|known| facts.run(&known.analysis_run));
        let why = match run.and_then(|run| run.holding()) {
            Some(why) => why.to_owned(),
            None if matches!(phase, AnalysisPhase::Unset | AnalysisPhase::Pending) => {
                "it has not begun".to_owned()
            }
            None => continue,
        };
        open = true;
        let then =
            "the experiment ends by itself; `kubectl serin terminate experiment` ends it without evidence";
        memory.gates.wait(&format!("analysis '{}': {why}", analysis.name), then);
    }
    open
}
