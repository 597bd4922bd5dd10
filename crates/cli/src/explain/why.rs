//! Says in one or two sentences why a Rollout is in its situation.

use jiff::Timestamp;
use kube::ResourceExt;
use serin_api::{DryRunStatus, RolloutCondition, RolloutStatus};
use serin_view::step;

use super::situation::{Situation, condition};
use crate::moment::{passed, span};
use crate::observed::Observed;
use crate::run::{Unanswered, held};

/// The sentences: why, and what the cluster refuses meanwhile.
pub(super) fn of(seen: &Observed, situation: &Situation<'_>) -> Vec<String> {
    let mut lines = sentences(seen, situation);
    if !matches!(situation, Situation::Unclaimed | Situation::Unobserved | Situation::Healthy) {
        lines.extend(refusals(seen));
    }
    lines
}

/// ReplicaSets and pods that the cluster does not let come into being.
fn refusals(seen: &Observed) -> Vec<String> {
    let told = |condition: &RolloutCondition| {
        let what = match (condition.reason.as_str(), condition.type_.as_str(), condition.status.as_str()) {
            ("ReplicaSetCreateError", _, _) => "The cluster refuses its ReplicaSet",
            (_, "ReplicaFailure", "True") => "The cluster refuses its pods",
            _ => return None,
        };
        Some(format!(
            "{what} since {}: {}",
            passed(condition.last_transition_time.0, seen.now),
            condition.message
        ))
    };
    status(seen).conditions.iter().filter_map(told).collect()
}

fn sentences(seen: &Observed, situation: &Situation<'_>) -> Vec<String> {
    let now = seen.now;
    let one = |text: String| vec![text];
    match situation {
        Situation::Unclaimed => one("No controller has looked at this Rollout yet.".to_owned()),
        Situation::DryRun { dry } => dry_run(dry, now),
        Situation::Unobserved => one(unobserved(seen)),
        Situation::Invalid { own, .. } => one(invalid(*own)),
        Situation::Aborted { run } => aborted(seen, run.is_some()),
        Situation::Retrying => {
            one("Somebody took the abort back; the controller has yet to start the update again.".to_owned())
        }
        Situation::Resuming => one("Somebody ended the pause; the controller has yet to go on.".to_owned()),
        Situation::Stuck { condition } => stuck(seen, condition),
        Situation::HeldByHand => {
            one("spec.paused is true: no step, no scaling and no promotion until it is false again."
                .to_owned())
        }
        Situation::Braked { brake } => one(format!("{}.", serin_core::brake::sentence(brake))),
        Situation::Inconclusive { since, .. } => one(format!(
            "An analysis could not decide, so a person must: paused since {}.",
            passed(*since, now)
        )),
        Situation::Pause { reason, since, until } => one(pause(seen, reason, *since, *until)),
        Situation::Healthy => one(healthy(seen)),
        Situation::Settling => one(settling(seen)),
        Situation::First => one("This is the first revision; it becomes stable without steps.".to_owned()),
        Situation::FullPromotion => {
            one("Somebody asked for full promotion: steps, pauses and analyses are skipped.".to_owned())
        }
        Situation::Unanswered { run, unanswered } => unanswered_query(seen, &run.name_any(), unanswered),
        Situation::AtStep => one(at_step(seen)),
        Situation::Finishing => one(finishing(seen)),
        Situation::Watched => one(format!(
            "{} has all traffic, and is watched before it becomes stable; the pods of stable are kept for the way back.",
            capitalized(&revision(seen))
        )),
    }
}

fn dry_run(dry: &DryRunStatus, now: Timestamp) -> Vec<String> {
    let since =
        dry.since.as_ref().map(|since| format!(" since {}", passed(since.0, now))).unwrap_or_default();
    vec![format!(
        "This is a dry run{since}: decisions are made and told, and neither workload nor traffic is written."
    )]
}

fn pause(seen: &Observed, reason: &str, since: Timestamp, until: Option<Timestamp>) -> String {
    let began = passed(since, seen.now);
    match until {
        Some(until) => {
            let length = span(until.as_second() - since.as_second());
            format!("This step is a pause of {length}; it began at {began}.")
        }
        None if reason == "CanaryPauseStep" => format!(
            "The pause of this step has no duration, so it lasts until somebody promotes; it began at {began}."
        ),
        None => format!("It is paused ({reason}) since {began}."),
    }
}

fn status(seen: &Observed) -> RolloutStatus {
    seen.rollout.status.clone().unwrap_or_default()
}

fn revision(seen: &Observed) -> String {
    seen.revision().map_or_else(|| "the current revision".to_owned(), |number| format!("revision {number}"))
}

fn unobserved(seen: &Observed) -> String {
    format!(
        "The spec has changed (generation {}), and the controller has last looked at generation {}.",
        seen.rollout.metadata.generation.unwrap_or_default(),
        status(seen).observed_generation
    )
}

fn invalid(own: bool) -> String {
    let what = if own {
        "The spec cannot work"
    } else {
        "The spec names something that is not there or cannot be used"
    };
    format!("{what}; pods and traffic stay as they are.")
}

fn aborted(seen: &Observed, by_analysis: bool) -> Vec<String> {
    let status = status(seen);
    let when =
        status.aborted_at.as_ref().map(|at| format!(" at {}", passed(at.0, seen.now))).unwrap_or_default();
    let told = condition(&status, "Progressing").filter(|condition| condition.reason == "RolloutAborted");
    let cause = told.and_then(|condition| {
        let (_, rest) = condition.message.split_once("update to revision ")?;
        Some(rest.split_once(": ")?.1.to_owned())
    });
    let taken_back = format!("The update to {} was taken back{when}", revision(seen));
    match (told, cause) {
        (None, _) => vec![format!(
            "The update to {} is to be taken back; the controller has yet to act.",
            revision(seen)
        )],
        (Some(_), Some(cause)) => vec![format!("{taken_back}:"), cause],
        (Some(_), None) if by_analysis => vec![format!("{taken_back}, because of an analysis.")],
        (Some(_), None) => vec![format!("{taken_back}: somebody aborted it, no analysis asked for it.")],
    }
}

fn stuck(seen: &Observed, condition: &RolloutCondition) -> Vec<String> {
    let limit = span(i64::from(seen.rollout.progress_deadline_seconds()));
    let since = passed(condition.last_transition_time.0, seen.now);
    vec![
        format!(
            "Nothing has progressed for longer than spec.progressDeadlineSeconds ({limit}), noticed at {since}:"
        ),
        condition.message.clone(),
    ]
}

fn healthy(seen: &Observed) -> String {
    let status = status(seen);
    let set = seen.set_of(&status.current_pod_hash).and_then(|set| set.status.as_ref());
    format!(
        "{} ({}) is stable and has all traffic; {} of {} pods are available.",
        capitalized(&revision(seen)),
        status.current_pod_hash,
        set.and_then(|set| set.available_replicas).unwrap_or(status.available_replicas),
        seen.rollout.replicas()
    )
}

fn settling(seen: &Observed) -> String {
    let message = status(seen).message.unwrap_or_default();
    format!("{} is stable, and not everything is as it should be: {message}.", capitalized(&revision(seen)))
}

fn at_step(seen: &Observed) -> String {
    let index = step::done(&seen.rollout).unwrap_or_default();
    format!("The update to {} works on {}.", revision(seen), step::named(&seen.rollout, index))
}

fn finishing(seen: &Observed) -> String {
    let how = if step::steps(&seen.rollout).is_empty() { "There are no steps" } else { "All steps are done" };
    format!("{how}; {} becomes stable when all of its pods are available.", revision(seen))
}

fn unanswered_query(seen: &Observed, run: &str, unanswered: &Unanswered<'_>) -> Vec<String> {
    let (result, measurement) = (unanswered.result, unanswered.measurement);
    let message = if measurement.message.is_empty() { "no reason given" } else { &measurement.message };
    let metric = format!("Metric {} of AnalysisRun {run}", result.name);
    if !held(measurement) {
        let times = match result.consecutive_error {
            0 | 1 => String::new(),
            times => format!(" {times} times in a row"),
        };
        return vec![
            format!("{metric} could not be measured{times}: {message}."),
            format!(
                "More than {} in a row (consecutiveErrorLimit) end the analysis, and take the update back.",
                unanswered.limit()
            ),
        ];
    }
    let since = measurement.started_at.as_ref().map(|since| format!(" since {}", passed(since.0, seen.now)));
    let mut lines = vec![
        format!("{metric} is not measured{}: {message}.", since.unwrap_or_default()),
        "That is no evidence against the new version: the rollout holds, and is not taken back for it."
            .to_owned(),
    ];
    lines.extend(unanswered.patience().map(|patience| {
        format!("After {patience} without data (noDataTimeout) it ends inconclusive, and the rollout pauses for a person.")
    }));
    lines
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
