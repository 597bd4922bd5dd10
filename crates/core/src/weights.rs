//! Says which weights are in force and since when: the memory of what was observed of the routers.

use jiff::Timestamp;
use serin_api::{TrafficWeights, WeightDestination};

use crate::facts::{Change, Facts};
use crate::load_balancer;
use crate::memory::Memory;
use crate::split::{Effective, Split};
use crate::time::{Until, after, api_time};

/// The words of every event about weights.
const CHANGED: &str = "Traffic weight updated";
/// Those of the first weight that a Rollout has.
pub(crate) const AT_FIRST: &str = "Traffic weight updated to";

/// Records the weights as observed, not as wished. A change forgets since when they are in force.
pub(crate) fn observe(facts: &Facts, memory: &mut Memory) {
    if !facts.routed() {
        memory.status.canary.weights = None;
        return;
    }
    let confirmed = facts.world.routers.iter().all(|router| router.confirms);
    let (split, verified) = match facts.effective() {
        Some(Effective::Applied(split)) => (split, confirmed.then_some(true)),
        Some(Effective::Pending(split)) => (split, Some(false)),
        Some(Effective::Unknown(_)) | None => return,
    };
    let before = memory.status.canary.weights.take();
    let (canary, stable) = destinations(facts, memory, &split, before.as_ref());
    let (managed_routes, additional) = (routes(&split), additional(facts, &split, before.as_ref()));
    let same = before.as_ref().is_some_and(|known| {
        known.canary == canary
            && known.stable == stable
            && known.managed_routes == managed_routes
            && known.additional == additional
    });
    let applied_at = before.as_ref().filter(|_| same).and_then(|known| known.applied_at.clone());
    memory.weights_moved = !same;
    // Before there is a stable revision there is nobody who has all traffic.
    let first = facts.status().stable_rs.as_deref().is_none_or(str::is_empty);
    if !memory.stable().is_empty() {
        let before = before.as_ref().filter(|_| !first);
        tell_change(memory, before, canary.weight, additional.as_deref());
    }
    memory.status.canary.weights =
        Some(TrafficWeights { canary, stable, additional, verified, applied_at, managed_routes });
}

fn tell_change(
    memory: &mut Memory,
    before: Option<&TrafficWeights>,
    weight: i32,
    additional: Option<&[WeightDestination]>,
) {
    let mut changes = Vec::new();
    match before.map(|known| known.canary.weight) {
        Some(from) if from == weight => {}
        Some(from) => changes.push(format!("from {from} to {weight}")),
        None => changes.push(format!("to {weight}")),
    }
    if before.and_then(|known| known.additional.as_deref()) != additional {
        let words = additional.unwrap_or_default().iter().map(|other| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            format!("{{{} {} {}}}", other.weight, text(&other.service_name), text(&other.pod_template_hash))
        });
        changes.push(format!("additional: [{}]", words.collect::<Vec<_>>().join(" ")));
    }
    if !changes.is_empty() {
        let text = format!("{CHANGED} {}", changes.join(", "));
        memory.journal.note("TrafficWeightUpdated", text);
    }
}

/// Names of the managed routes that a split shows, for the status.
fn routes(split: &Split) -> Option<Vec<String>> {
    let mut names: Vec<_> = split.routes().map(str::to_owned).collect();
    names.sort();
    names.dedup();
    (!names.is_empty()).then_some(names)
}

/// Shares of experiment templates, with the hashes that their Experiment reports.
fn additional(
    facts: &Facts,
    split: &Split,
    before: Option<&TrafficWeights>,
) -> Option<Vec<WeightDestination>> {
    let trials = || facts.world.experiments.iter().flat_map(|experiment| &experiment.templates);
    let hash = |service: &str| {
        let trial = trials().find(|trial| trial.service.as_deref() == Some(service));
        let known = before.iter().flat_map(|known| known.additional.iter().flatten());
        let mut known = known.filter(|known| known.service_name.as_deref() == Some(service));
        trial.and_then(|trial| trial.hash.clone()).or_else(|| known.next()?.pod_template_hash.clone())
    };
    let some = split.additional.iter().filter(|destination| destination.weight.0 > 0);
    let destinations: Vec<_> = some
        .map(|destination| WeightDestination {
            weight: i32::try_from(destination.weight.0).unwrap_or(i32::MAX),
            service_name: Some(destination.service.clone()),
            pod_template_hash: hash(&destination.service),
        })
        .collect();
    (!destinations.is_empty()).then_some(destinations)
}

/// Both destinations, with the revisions that they reach: what the Services select, else what subsets are asked for.
fn destinations(
    facts: &Facts,
    memory: &Memory,
    split: &Split,
    before: Option<&TrafficWeights>,
) -> (WeightDestination, WeightDestination) {
    let known = |destination: Option<&WeightDestination>| {
        destination.and_then(|known| known.pod_template_hash.clone()).unwrap_or_default()
    };
    let known_canary = known(before.map(|known| &known.canary));
    let known_stable = known(before.map(|known| &known.stable));
    let canary_service = facts.services.canary;
    let stable_service = facts.services.stable;
    let (canary, stable) = if facts.by_subsets() {
        split.reached.clone().map_or((known_canary, known_stable), |reached| (reached.canary, reached.stable))
    } else {
        let selected = |service: Option<&str>, known: String, role: &str| {
            let seen = service.and_then(|name| facts.service(name));
            seen.map_or(Some(known), |seen| seen.last_known()?.hash.clone())
                .unwrap_or_else(|| role.to_owned())
        };
        (
            selected(canary_service, known_canary, &facts.current_hash),
            selected(stable_service, known_stable, memory.stable()),
        )
    };
    let destination = |weight: u32, service: Option<&str>, hash: String| WeightDestination {
        weight: i32::try_from(weight).unwrap_or(i32::MAX),
        service_name: service.map(str::to_owned),
        pod_template_hash: (!hash.is_empty()).then_some(hash),
    };
    (
        destination(split.canary.0, canary_service, canary),
        destination(split.stable().0, stable_service, stable),
    )
}

/// The revision that a canary subset is asked to select: another one only when no traffic can reach it any more.
pub(crate) fn asked_of_canary(facts: &Facts, memory: &Memory) -> String {
    let reached = behind_canary(facts, memory).filter(|_| facts.by_subsets());
    let idle = matches!(facts.effective(), Some(Effective::Applied(split)) if !split.uses_canary());
    let switches = idle && settled(facts, memory, Change::Any).is_ok();
    reached.filter(|_| !switches).unwrap_or(&facts.current_hash).to_owned()
}

/// The revision that a stable subset is asked to select: stable, once its pods are there.
pub(crate) fn asked_of_stable(facts: &Facts, memory: &Memory) -> String {
    let stable = facts.by_hash(memory.stable());
    let ready = stable.is_some_and(|set| set.pods.serving() >= facts.limits.fewest().max(1));
    if !facts.by_subsets() || ready || facts.limits.replicas == 0 {
        return memory.stable().to_owned();
    }
    behind_stable(facts, memory).unwrap_or_default().to_owned()
}

/// The revision that weight on the canary reaches now; `None` when no single one, or it cannot be said.
pub(crate) fn behind_canary<'m>(facts: &Facts<'m>, memory: &'m Memory) -> Option<&'m str> {
    match facts.services.canary {
        Some(service) if !facts.by_subsets() => facts.selected(Some(service)),
        _ => memory.status.canary.weights.as_ref()?.canary.pod_template_hash.as_deref(),
    }
}

/// The revision that weight on stable reaches now; `None` when no single one, or it cannot be said.
pub(crate) fn behind_stable<'m>(facts: &Facts<'m>, memory: &'m Memory) -> Option<&'m str> {
    match facts.services.stable {
        Some(service) if !facts.by_subsets() => facts.selected(Some(service)),
        _ => memory.status.canary.weights.as_ref()?.stable.pod_template_hash.as_deref(),
    }
}

/// Starts the clock of the data plane once every router shows what is wished and nothing else is under way: a write whose
/// answer was lost may still come into sight later.
pub(crate) fn note_rest(facts: &Facts, memory: &mut Memory) {
    let shown = match facts.effective() {
        Some(Effective::Applied(split)) => Some(split),
        // Subsets that select a revision before this one are pending for as long as they have traffic.
        Some(Effective::Pending(split)) if split.reached.is_some() => Some(split),
        _ => None,
    };
    let applied = match (&shown, &memory.split) {
        (Some(shown), Some(wish)) => shown.same_weights(wish) && facts.shows_routes(wish),
        _ => false,
    };
    let rests = applied && !memory.weights_moved && memory.services.is_empty();
    if let Some(weights) = &mut memory.status.canary.weights {
        weights.applied_at =
            if rests { weights.applied_at.take().or(Some(api_time(facts.world.now))) } else { None };
    }
    if rests && let Err(Some(until)) = settled(facts, memory, Change::Any) {
        memory.wake_after(facts.world.now, until);
    }
}

/// Whether a split that nobody confirms, or a selector, has surely reached the data plane.
///
/// # Errors
/// When it will have; `None` while something is under way still.
pub(crate) fn settled(facts: &Facts, memory: &Memory, change: Change) -> Result<(), Option<Timestamp>> {
    let bound = facts.propagation_seconds(change);
    let weights = memory.status.canary.weights.as_ref();
    let Some(applied) = weights.and_then(|weights| weights.applied_at.as_ref()).map(|time| time.0) else {
        return if bound == 0 { Ok(()) } else { Err(None) };
    };
    // The API cuts moments to whole seconds, so up to one more has to pass.
    let until = after(applied, bound.saturating_add(1));
    if bound == 0 || facts.world.now >= until { Ok(()) } else { Err(Some(until)) }
}

/// The split that is in force beyond doubt: every router shows what is wished for, and it has surely arrived.
///
/// # Errors
/// What is waited for, for people, and until when, if that is known.
pub(crate) fn in_force(facts: &Facts, memory: &Memory) -> Result<Split, Until> {
    let split = match facts.effective() {
        Some(Effective::Applied(split)) => split,
        Some(Effective::Pending(_)) => {
            let doubt = load_balancer::doubt(facts).map(|doubt| doubt.waits_for.clone());
            return Err((doubt.unwrap_or_else(|| "the router to confirm the split".to_owned()), None));
        }
        Some(Effective::Unknown(why)) => return Err((format!("the router: {why}"), None)),
        None => return Err(("a report of the router".to_owned(), None)),
    };
    let applied = |wish: &Split| wish.same_weights(&split) && facts.shows_routes(wish);
    if !memory.split.as_ref().is_some_and(applied) {
        return Err(("the router to apply the split".to_owned(), None));
    }
    match settled(facts, memory, Change::Any) {
        Ok(()) => Ok(split),
        Err(until) => Err(("the data plane to follow the last change".to_owned(), until)),
    }
}
