//! Decides which AnalysisRuns there should be, and what is in them.

use serde_json::{Value, json};
use serin_api::{
    AnalysisPhase, AnalysisRunSpec, Arms, RoleServices, RolloutAnalysis, RolloutAnalysisRunStatus, label,
};

use super::{Role, measured};
use crate::analysis_spec;
use crate::facts::Facts;
use crate::gate::Gates;
use crate::memory::{Memory, last_index};
use crate::replica_set::owner_reference;
use crate::revision;
use crate::seen::{ObjectKey, Seen};
use crate::strategy::blue_green;
use crate::write::{Effect, Write};

/// Starts the runs that are wanted and ends those that are not.
pub(crate) fn runs(facts: &Facts, memory: &mut Memory, gates: &mut Gates) -> Vec<Write> {
    let mut writes = Vec::new();
    for role in Role::ALL {
        match wanted(facts, memory, role) {
            Some((analysis, suffix, step)) => {
                ensure(facts, memory, (role, analysis, &suffix, step), gates, &mut writes);
            }
            None if is_over(facts, memory, role) => *role.recorded(memory) = None,
            None => {}
        }
    }
    terminate_unwanted(facts, memory, &mut writes);
    forget_history(facts, memory, &mut writes);
    writes
}

/// The status of a canary shows the runs of an attempt that goes on or was taken back, not of one that has become stable.
fn is_over(facts: &Facts, memory: &Memory, role: Role) -> bool {
    let of_canary = matches!(role, Role::Background | Role::Step);
    measured(facts, memory) && !role.is_kept() || memory.fully_promoted() && of_canary
}

type Wanted<'w> = (&'w RolloutAnalysis, String, Option<usize>);

fn wanted<'w>(facts: &Facts<'w>, memory: &Memory, role: Role) -> Option<Wanted<'w>> {
    if !measured(facts, memory) || facts.new.is_none() {
        return None;
    }
    let index = memory.step();
    match role {
        Role::Background => {
            let background = facts.canary.analysis.as_ref()?;
            let starts = background.starting_step.and_then(|step| usize::try_from(step).ok()).unwrap_or(0);
            let reached = index.is_none_or(|index| index >= starts);
            reached.then(|| (&background.analysis, revision::number(facts).to_string(), None))
        }
        Role::Step => {
            let index = index?;
            let analysis = facts.steps.get(index)?.analysis.as_ref()?;
            Some((analysis, format!("{}-{index}", revision::number(facts)), Some(index)))
        }
        Role::PrePromotion | Role::PostPromotion => around_promotion(facts, memory, role),
        Role::Watch => {
            let watch = facts.canary.post_promotion_analysis.as_ref()?;
            let begun = memory.status.canary.post_promotion_analysis_run_status.is_some();
            let begins = memory.watching && memory.pauses().is_empty();
            let at_end = memory.status.current_step_index == last_index(facts);
            let wanted = at_end && (begun || begins);
            wanted.then(|| (&watch.analysis, format!("{}-post", revision::number(facts)), None))
        }
    }
}

/// Before the switch when the preview has its pods, and after it. One that has begun goes on; one that has ended is not
/// made again.
fn around_promotion<'w>(facts: &Facts<'w>, memory: &Memory, role: Role) -> Option<Wanted<'w>> {
    let strategy = facts.blue_green?;
    let status = &memory.status.blue_green;
    let cut_over = blue_green::cut_over(facts, memory);
    let (analysis, recorded, suffix, ready) = if role == Role::PrePromotion {
        let ready = blue_green::scale::ready(facts, strategy, memory);
        (&strategy.pre_promotion_analysis, &status.pre_promotion_analysis_run_status, "pre", ready)
    } else {
        let ready = blue_green::scale::saturated(facts);
        (&strategy.post_promotion_analysis, &status.post_promotion_analysis_run_status, "post", ready)
    };
    let in_time = cut_over == (role == Role::PostPromotion);
    let begins = match recorded {
        Some(run) => !run.status.completed(),
        None => ready && memory.pauses().is_empty(),
    };
    let analysis = analysis.as_ref().filter(|_| in_time && begins)?;
    Some((analysis, format!("{}-{suffix}", revision::number(facts)), None))
}

fn ensure(
    facts: &Facts,
    memory: &mut Memory,
    (role, analysis, suffix, step): (Role, &RolloutAnalysis, &str, Option<usize>),
    gates: &mut Gates,
    writes: &mut Vec<Write>,
) {
    let recorded = role.recorded(memory).clone();
    if let Some(recorded) = &recorded
        && facts.world.analysis_runs.iter().any(|run| run.name == recorded.name)
    {
        return;
    }
    let paused = !memory.pauses().is_empty();
    if recorded.is_none() && role == Role::Step && paused {
        return;
    }
    let base = format!("{}-{}-{suffix}", facts.name(), facts.current_hash);
    let name = recorded.map_or_else(|| free_name(facts, &base), |recorded| recorded.name);
    match object(facts, memory, (role, analysis, step), &name) {
        Ok(object) => {
            *role.recorded(memory) = Some(RolloutAnalysisRunStatus {
                name: name.clone(),
                status: AnalysisPhase::Unset,
                message: String::new(),
            });
            writes.push(Write { object: key(facts, &name), effect: Effect::Create(object) });
        }
        Err(problem) => gates.wait_in_time(&problem, "the analysis starts when it is mended"),
    }
}

fn key(facts: &Facts, name: &str) -> ObjectKey {
    ObjectKey::new("argoproj.io", "v1alpha1", "AnalysisRun", facts.namespace(), name)
}

/// `base`, or the first of `base.1`, `base.2` … that no run has: a retried step measures anew.
fn free_name(facts: &Facts, base: &str) -> String {
    let taken = |name: &str| facts.world.analysis_runs.iter().any(|run| run.name == name);
    if !taken(base) {
        return base.to_owned();
    }
    (1..=facts.world.analysis_runs.len().saturating_add(1))
        .map(|attempt| format!("{base}.{attempt}"))
        .find(|name| !taken(name))
        .unwrap_or_else(|| base.to_owned())
}

fn object(
    facts: &Facts,
    memory: &Memory,
    (role, analysis, step): (Role, &RolloutAnalysis, Option<usize>),
    name: &str,
) -> Result<Value, String> {
    let spec = spec(facts, memory, analysis)?;
    let mut labels = std::collections::BTreeMap::new();
    labels.insert(label::POD_TEMPLATE_HASH.to_owned(), facts.current_hash.clone());
    labels.insert(label::ROLLOUT_TYPE.to_owned(), role.label().to_owned());
    if let Some(index) = step {
        labels.insert(label::STEP_INDEX.to_owned(), index.to_string());
    }
    let mut annotations = std::collections::BTreeMap::new();
    if let Some(metadata) = &analysis.analysis_run_metadata {
        labels.extend(metadata.labels.clone().unwrap_or_default());
        annotations.extend(metadata.annotations.clone().unwrap_or_default());
    }
    let selector = facts.rollout.spec.selector.as_ref();
    labels.extend(selector.and_then(|selector| selector.match_labels.clone()).unwrap_or_default());
    // Last, because a run without the id of its Rollout's controller is served by nobody, and the Rollout waits for ever.
    let own = facts.rollout.metadata.labels.as_ref();
    if let Some(instance) = own.and_then(|labels| labels.get(label::INSTANCE_ID)) {
        labels.insert(label::INSTANCE_ID.to_owned(), instance.clone());
    }
    annotations.insert(label::REVISION.to_owned(), revision::number(facts).to_string());
    Ok(json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {
            "name": name,
            "namespace": facts.namespace(),
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owner_reference(facts)],
        },
        "spec": spec,
    }))
}

fn spec(facts: &Facts, memory: &Memory, analysis: &RolloutAnalysis) -> Result<AnalysisRunSpec, String> {
    let mut args = Vec::new();
    for arg in analysis.args.iter().flatten() {
        args.push(analysis_spec::argument(arg, facts.rollout, (&facts.current_hash, memory.stable()))?);
    }
    let mut spec = analysis_spec::for_rollout(analysis, &args, |reference| {
        let known = facts.world.templates.iter().find(|known| {
            known.name == reference.template_name && known.cluster_scope == reference.cluster_scope
        });
        match known.map(|known| &known.spec) {
            Some(Seen::Fresh(spec) | Seen::Stale(spec)) => Ok(spec.clone()),
            Some(Seen::Failed(why)) => Err(why.clone()),
            Some(Seen::Absent) | None => Err("not found".to_owned()),
        }
    })?;
    spec.arms = Some(arms(facts, memory));
    Ok(spec)
}

/// The two revisions of comparisons; with their Services, where traffic is told apart by Services.
fn arms(facts: &Facts, memory: &Memory) -> Arms {
    let RoleServices { canary, stable } = facts.services;
    let services = canary.map(str::to_owned).zip(stable.map(str::to_owned));
    let namespace = services.is_some().then(|| facts.namespace().to_owned());
    let (canary_service, stable_service) = services.unzip();
    let (canary, stable) = (facts.current_hash.clone(), memory.stable().to_owned());
    Arms { canary, stable, canary_service, stable_service, namespace }
}

fn terminate_unwanted(facts: &Facts, memory: &mut Memory, writes: &mut Vec<Write>) {
    let wanted: Vec<String> = if measured(facts, memory) {
        Role::ALL
            .iter()
            .filter_map(|role| role.recorded(memory).as_ref().map(|run| run.name.clone()))
            .collect()
    } else {
        Vec::new()
    };
    for run in &facts.world.analysis_runs {
        if run.completed() || run.terminating || wanted.contains(&run.name) {
            continue;
        }
        let patch = vec![
            json!({"op": "test", "path": "/metadata/uid", "value": run.uid}),
            json!({"op": "add", "path": "/spec/terminate", "value": true}),
        ];
        writes.push(Write { object: key(facts, &run.name), effect: Effect::JsonPatch(patch) });
    }
}

/// Runs kept after they completed, unless the Rollout says otherwise.
const RUNS_KEPT: i32 = 5;

fn forget_history(facts: &Facts, memory: &mut Memory, writes: &mut Vec<Write>) {
    let current: Vec<String> = Role::ALL
        .iter()
        .filter_map(|role| role.recorded(memory).as_ref().map(|run| run.name.clone()))
        .collect();
    let limits = facts.rollout.spec.analysis.as_ref();
    let keep = |limit: Option<i32>| usize::try_from(limit.unwrap_or(RUNS_KEPT)).unwrap_or(0);
    let mut room_successful = keep(limits.and_then(|limits| limits.successful_run_history_limit));
    let mut room_other = keep(limits.and_then(|limits| limits.unsuccessful_run_history_limit));
    let mut runs: Vec<_> = facts.world.analysis_runs.iter().filter(|run| run.completed()).collect();
    runs.sort_by(|a, b| (b.created, &b.name).cmp(&(a.created, &a.name)));
    for run in runs {
        let room = match run.phase {
            AnalysisPhase::Successful => &mut room_successful,
            _ => &mut room_other,
        };
        let revision_lives = run
            .labels
            .get(label::POD_TEMPLATE_HASH)
            .is_some_and(|hash| facts.replica_sets().any(|set| set.hash == *hash));
        if current.contains(&run.name) || (*room > 0 && revision_lives) {
            *room = room.saturating_sub(1);
            continue;
        }
        writes.push(Write { object: key(facts, &run.name), effect: Effect::Delete { uid: run.uid.clone() } });
    }
}
