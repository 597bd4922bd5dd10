//! Says what the fields of the Argo dashboard have no room for: gates, steps, weights and the reasons of analyses.

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;
use serin_api::{Gate, Rollout, label};
use serin_view::object::revision;
use serin_view::phase::Standing;
use serin_view::step;

use crate::info::Extent;
use crate::seen::Seen;
use crate::story::{Story, story};
use crate::verb::Offer;

/// Serin's own part of a Rollout's JSON.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Own {
    /// Number of the current revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    /// What the rollout waits for, as the controller tells it; empty while that is about an older spec or command.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// The steps with their state.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepLine>,
    /// The weight of the current revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<Weight>,
    /// Since when the update is aborted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aborted_at: Option<Time>,
    /// The analyses, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Story>,
    /// What the viewer can do now; absent when they may do nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offers: Option<Vec<Offer>>,
    /// The viewer can set images.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub images: bool,
    /// That it is a dry run, and what could not be shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepLine {
    /// What it is, in the words of events.
    pub text: String,
    /// Where the rollout is.
    pub state: StepState,
}

/// Where a rollout is, seen from one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum StepState {
    /// Behind it.
    Done,
    /// At it.
    Current,
    /// Before it.
    Pending,
}

/// The weight of the current revision: what is asked for, and what is seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Weight {
    /// What the steps ask for.
    pub asked: i32,
    /// What is seen; absent when nobody has reported it yet, which is not the same as 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<i32>,
    /// The whole, 100 unless `maxTrafficWeight` says otherwise.
    pub of: i32,
    /// Who says what is observed, for people; empty when there is one revision only.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub source: &'static str,
}

/// The weight of the current revision; `None` for other strategies than canary, and before a controller has seen a
/// template, when there is nothing that could get traffic.
pub(crate) fn weight(rollout: &Rollout, sets: &[&ReplicaSet]) -> Option<Weight> {
    rollout.status.as_ref().filter(|status| !status.current_pod_hash.is_empty())?;
    let step::Weight { asked, observed, of, source } = step::weight(rollout, sets.iter().copied())?;
    let source = if observed.is_none() { "no router has reported a weight yet" } else { source.words() };
    Some(Weight { asked, observed, of, source })
}

pub(crate) fn of(
    rollout: &Rollout,
    seen: &Seen,
    standing: &Standing,
    weight: Option<Weight>,
    extent: Extent,
) -> Own {
    let status = rollout.status.clone().unwrap_or_default();
    let own = Own {
        revision: revision(rollout),
        gates: status.gates.filter(|_| standing.current).unwrap_or_default(),
        weight,
        aborted_at: status.aborted_at.filter(|_| status.abort),
        ..Own::default()
    };
    match extent {
        Extent::Row => own,
        Extent::Whole => Own {
            steps: step_lines(rollout),
            runs: seen.runs().into_iter().map(|run| story(rollout, run)).collect(),
            notes: dry_run(rollout).into_iter().chain(seen.notes()).collect(),
            ..own
        },
    }
}

/// That nothing is really done in a dry run. Who holds updates is among what is waited for.
fn dry_run(rollout: &Rollout) -> Option<String> {
    let dry = rollout.status.as_ref()?.dry_run.as_ref()?;
    let next = if dry.next.is_empty() { "nothing".to_owned() } else { dry.next.join("; ") };
    Some(format!("This is a dry run ({}): nothing is changed. Without it: {next}", label::DRY_RUN))
}

/// No step is current while an update is aborted, when the index says where a retry begins, nor before a controller has
/// looked.
fn step_lines(rollout: &Rollout) -> Vec<StepLine> {
    let aborted = rollout.status.as_ref().is_some_and(|status| status.abort);
    let done = step::done(rollout).filter(|_| !aborted);
    let line = |(index, step): (usize, &serin_api::CanaryStep)| StepLine {
        text: serin_core::step::describe(step),
        state: match done.map(|done| index.cmp(&done)) {
            Some(std::cmp::Ordering::Less) => StepState::Done,
            Some(std::cmp::Ordering::Equal) => StepState::Current,
            Some(std::cmp::Ordering::Greater) | None => StepState::Pending,
        },
    };
    step::steps(rollout).iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{rollout, seen, updating};
    use serde_json::json;
    use serin_view::phase::standing;

    fn own(rollout: &Rollout) -> Own {
        of(rollout, &seen(rollout.clone(), vec![], vec![], vec![]), &standing(rollout), None, Extent::Whole)
    }

    #[test]
    fn a_dry_run_says_what_it_would_do() {
        let note = |next: &str| {
            format!("This is a dry run (serin.dev/dry-run): nothing is changed. Without it: {next}")
        };
        for (status, expected) in [
            (json!({}), vec![]),
            (
                json!({"dryRun": {"next": ["scale to 3", "set weight 20"]}}),
                vec![note("scale to 3; set weight 20")],
            ),
            (json!({"dryRun": {"next": []}}), vec![note("nothing")]),
        ] {
            assert_eq!(own(&updating(1, json!({"status": status}))).notes, expected);
        }
    }

    #[test]
    fn one_step_is_current_unless_all_are_done_or_the_update_is_aborted() {
        use StepState::{Current, Done, Pending};
        for (case, rollout, expected) in [
            ("at the second", updating(1, json!({})), [Done, Current, Pending, Pending]),
            ("all done", rollout(json!({})), [Done; 4]),
            ("aborted", updating(0, json!({"status": {"abort": true}})), [Pending; 4]),
            ("invalid from the start", rollout(json!({"status": {"currentStepIndex": null}})), [Pending; 4]),
        ] {
            assert_eq!(
                own(&rollout).steps.iter().map(|step| step.state).collect::<Vec<_>>(),
                expected,
                "{case}"
            );
        }
        assert_eq!(own(&rollout(json!({}))).steps[1].text, "pause: 5m");
    }

    #[test]
    fn a_weight_says_who_says_so_and_is_absent_before_there_is_a_template() {
        let weights = |weights| updating(1, json!({"status": {"canary": {"weights": weights}}}));
        for (rollout, observed, source) in [
            (weights(json!({"verified": true})), Some(20), "confirmed by the router"),
            (weights(json!(null)), None, "no router has reported a weight yet"),
            (rollout(json!({})), Some(100), ""),
        ] {
            let weight = weight(&rollout, &[]).unwrap();
            assert_eq!((weight.observed, weight.source), (observed, source));
        }
        assert_eq!(weight(&rollout(json!({"status": null})), &[]), None);
        assert_eq!(weight(&rollout(json!({"status": {"currentPodHash": null}})), &[]), None);
    }

    #[test]
    fn gates_are_shown_only_while_they_are_about_what_is_asked_for_now() {
        let gate = json!([{"waitsFor": "the pause step", "then": "the next step begins"}]);
        for (shown, change) in [
            (1, json!({"status": {"gates": gate}})),
            (0, json!({"metadata": {"generation": 8}, "status": {"gates": gate}})),
            (0, json!({"status": {"gates": gate, "controllerPause": true}})),
        ] {
            assert_eq!(own(&updating(1, change)).gates.len(), shown);
        }
    }
}
