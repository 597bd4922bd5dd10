//! Says what happens next, and when.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use serin_api::{AnalysisRun, go_duration, label};
use serin_view::step;

use super::situation::{Situation, current_runs};
use crate::moment::{coming, seconds_between};
use crate::observed::Observed;
use crate::run;

/// The sentences, the nearest event first.
pub(super) fn of(seen: &Observed, situation: &Situation<'_>) -> Vec<String> {
    let mut next = match situation {
        Situation::DryRun { dry } if dry.next.is_empty() => vec!["nothing is to be done".to_owned()],
        Situation::DryRun { dry } => {
            dry.next.iter().map(|line| format!("without the dry run: {line}")).collect()
        }
        Situation::Unclaimed | Situation::Unobserved => {
            vec!["a controller looks at it, if one runs".to_owned()]
        }
        Situation::Invalid { .. } => vec!["it goes on by itself as soon as that is mended".to_owned()],
        Situation::Aborted { .. } => {
            vec!["nothing by itself: a new revision, a retry or an undo begins the next update".to_owned()]
        }
        Situation::Retrying => vec!["the steps start again at step 1".to_owned()],
        Situation::Resuming => vec![after_step(seen, "")],
        Situation::Stuck { .. } => vec!["it goes on by itself when the pods become available".to_owned()],
        Situation::HeldByHand => vec!["nothing, until somebody promotes".to_owned()],
        Situation::Braked { .. } => vec!["nothing, until it is released".to_owned()],
        Situation::Inconclusive { .. } => vec!["nothing, until somebody decides".to_owned()],
        Situation::Pause { until: Some(until), .. } => {
            vec![after_step(seen, &format!(" at {}", coming(*until, seen.now)))]
        }
        Situation::Pause { .. } => vec![after_step(seen, " when somebody promotes")],
        Situation::Healthy => vec!["nothing; a change of spec.template begins the next update".to_owned()],
        Situation::Settling => vec!["it is Healthy again when that is so".to_owned()],
        Situation::First | Situation::FullPromotion | Situation::Finishing => {
            let becomes = format!("{} becomes stable", this_revision(seen));
            std::iter::once(becomes).chain(deadline(seen)).collect()
        }
        Situation::Unanswered { .. } => {
            vec!["the question is asked again until there is an answer; then the analysis goes on".to_owned()]
        }
        Situation::AtStep => at_step(seen),
        Situation::Watched => watched(seen),
    };
    next.extend(scale_downs(seen));
    next
}

fn at_step(seen: &Observed) -> Vec<String> {
    let mut next: Vec<_> = current_runs(seen).flat_map(|run| measurements(seen, run)).collect();
    let is_analysis = step::current(&seen.rollout).is_some_and(|(_, step)| step.analysis.is_some());
    let (when, otherwise) = if is_analysis {
        (" when it succeeds", Some("the update is taken back if it fails".to_owned()))
    } else {
        (" when that is so", None)
    };
    next.push(after_step(seen, when));
    next.extend(otherwise);
    next
}

fn watched(seen: &Observed) -> Vec<String> {
    let mut next: Vec<_> = current_runs(seen).flat_map(|run| measurements(seen, run)).collect();
    next.push(format!("{} becomes stable when that is so", this_revision(seen)));
    next.push("all traffic goes back to stable at once if the analysis fails".to_owned());
    next
}

/// What comes behind the current step.
fn after_step(seen: &Observed, when: &str) -> String {
    let rollout = &seen.rollout;
    let following = step::current(rollout).map_or(usize::MAX, |(index, _)| index + 1);
    if following < step::steps(rollout).len() {
        return format!("{} begins{when}", step::named(rollout, following));
    }
    let revision = this_revision(seen);
    let blue_green = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.blue_green.as_ref());
    match blue_green {
        Some(services) => format!("Service {} switches to {revision}{when}", services.active_service),
        None => format!("that was the last step: {revision} becomes stable{when}"),
    }
}

fn this_revision(seen: &Observed) -> String {
    seen.revision().map_or_else(|| "the current revision".to_owned(), |number| format!("revision {number}"))
}

/// What happens if its pods make no progress.
fn deadline(seen: &Observed) -> Option<String> {
    let mut conditions = seen.rollout.status.iter().flat_map(|status| &status.conditions);
    let moves =
        conditions.find(|condition| condition.type_ == "Progressing" && condition.status == "True")?;
    let moved = moves.last_update_time.0;
    let seconds = seen.rollout.progress_deadline_seconds();
    let at = moved.checked_add(SignedDuration::from_secs(i64::from(seconds))).ok()?;
    let what = if seen.rollout.spec.progress_deadline_abort { "aborted" } else { "called Degraded" };
    (seconds_between(seen.now, at) > 0).then(|| {
        format!(
            "if nothing progresses until {}, it is {what} (progressDeadlineSeconds)",
            coming(at, seen.now)
        )
    })
}

/// When the metrics of a running analysis are measured again.
fn measurements(seen: &Observed, run: &AnalysisRun) -> Vec<String> {
    let due = |result: &serin_api::MetricResult| {
        if result.phase.completed() {
            return None;
        }
        let metric = run::metric(run, &result.name)?;
        let last = result.measurements.last()?.finished_at.as_ref()?.0;
        let interval = go_duration(metric.interval.as_deref()?)?;
        let at = last.checked_add(SignedDuration::try_from(interval).ok()?).ok()?;
        (seconds_between(seen.now, at) > 0)
            .then(|| format!("{} is measured again at {}", result.name, coming(at, seen.now)))
    };
    run::results(run).iter().filter_map(due).collect()
}

/// ReplicaSets whose pods go at a known moment.
fn scale_downs(seen: &Observed) -> Vec<String> {
    let going = |set: &k8s_openapi::api::apps::v1::ReplicaSet| {
        let pods = set.spec.as_ref().and_then(|spec| spec.replicas).filter(|pods| *pods > 0)?;
        let at: Timestamp = set.annotations().get(label::SCALE_DOWN_DEADLINE)?.parse().ok()?;
        (at > seen.now).then(|| {
            format!("ReplicaSet {} is scaled down from {pods} at {}", set.name_any(), coming(at, seen.now))
        })
    };
    seen.replica_sets.iter().filter_map(going).collect()
}
