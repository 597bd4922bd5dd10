//! Promote: ends what a Rollout waits for from people (compat 5.2).
//!
//! Other than the stock client it never skips a step that nobody asked to skip: a promotion sent twice ends one pause.

use serde_json::json;
use serin_api::{AnalysisPhase, Rollout, RolloutStatus};
use serin_view::change::Change;
use serin_view::phase::{fully_promoted, generation_observed, resumed};
use serin_view::step;

use super::this_revision;
use crate::change::Decision;

/// How far a promotion goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// To the end of the pause.
    Pause,
    /// Over the current step, whatever it waits for.
    Step,
    /// To the end.
    Full,
}

type Effects = (Vec<Change>, Vec<String>);

pub(super) fn decide(rollout: &Rollout, reach: Reach) -> Decision {
    let status = rollout.status.clone().unwrap_or_default();
    if status.abort {
        return Decision::Refuse("it was aborted; retry starts this revision again".to_owned());
    }
    let (mut changes, mut effects) = match reach {
        Reach::Full => full(rollout, &status),
        Reach::Pause | Reach::Step => of_pause(rollout, &status),
    };
    if changes.is_empty() && reach == Reach::Step {
        (changes, effects) = of_step(rollout, &status);
    }
    if rollout.spec.paused {
        changes.push(Change::spec(json!({"paused": false})));
        effects.push("spec.paused becomes false, so that it goes on".to_owned());
    }
    if changes.is_empty() {
        return nothing_to_do(rollout, &status, reach);
    }
    Decision::Act { changes, effect: effects.join("; ") }
}

fn full(rollout: &Rollout, status: &RolloutStatus) -> Effects {
    let behind = generation_observed(rollout) && !fully_promoted(status) && status.stable_rs.is_some();
    if !behind || status.promote_full {
        return Effects::default();
    }
    let effect = format!(
        "all remaining steps, pauses and analyses are skipped, and {} becomes stable when its pods are available",
        this_revision(rollout)
    );
    (vec![Change::status_as_read(rollout, json!({"promoteFull": true}))], vec![effect])
}

fn of_pause(rollout: &Rollout, status: &RolloutStatus) -> Effects {
    let Some(pause) = status.pause_conditions.iter().flatten().next() else {
        return Effects::default();
    };
    let at = step::current(rollout);
    let run = status.canary.current_step_analysis_run_status.as_ref();
    if run.is_some_and(|run| run.status == AnalysisPhase::Inconclusive)
        && status.controller_pause
        && let Some((index, _)) = at
    {
        let fields =
            json!({"pauseConditions": null, "controllerPause": false, "currentStepIndex": index + 1});
        let effect = format!(
            "{}, inconclusive, counts as passed, and {}",
            step::named(rollout, index),
            after(rollout, index)
        );
        return (vec![Change::status_as_read(rollout, fields)], vec![effect]);
    }
    let effect = match (pause.reason.as_str(), at) {
        ("CanaryPauseStep", Some((index, _))) => {
            format!("{} ends now, and {}", step::named(rollout, index), after(rollout, index))
        }
        ("InconclusiveAnalysisRun", _) => "the inconclusive analysis measures again".to_owned(),
        (reason, _) => format!("the pause {reason} ends now"),
    };
    (vec![Change::status_as_read(rollout, json!({"pauseConditions": null}))], vec![effect])
}

fn of_step(rollout: &Rollout, status: &RolloutStatus) -> Effects {
    let Some((index, _)) =
        step::current(rollout).filter(|_| generation_observed(rollout) && !resumed(status))
    else {
        return Effects::default();
    };
    let fields = json!({"pauseConditions": null, "currentStepIndex": index + 1});
    let effect = format!("{} is skipped, and {}", step::named(rollout, index), after(rollout, index));
    (vec![Change::status_as_read(rollout, fields)], vec![effect])
}

/// What comes behind a step.
fn after(rollout: &Rollout, index: usize) -> String {
    if index + 1 < step::steps(rollout).len() {
        return format!("{} begins", step::named(rollout, index + 1));
    }
    format!("as it is the last one, {} becomes stable when its pods are available", this_revision(rollout))
}

fn nothing_to_do(rollout: &Rollout, status: &RolloutStatus, reach: Reach) -> Decision {
    if !generation_observed(rollout) || status.phase.is_none() {
        return Decision::Refuse(
            "the controller has not looked at its latest spec yet, so there is nothing to promote".to_owned(),
        );
    }
    if fully_promoted(status) {
        let text = format!("{} ({}) is stable already", this_revision(rollout), status.current_pod_hash);
        return if reach == Reach::Full { Decision::Already(text) } else { Decision::Refuse(text) };
    }
    if resumed(status) {
        return Decision::Already(
            "it was promoted a moment ago; the controller has yet to act upon it".to_owned(),
        );
    }
    if status.promote_full {
        return Decision::Already("it is on its way to full promotion already".to_owned());
    }
    if status.stable_rs.is_none() {
        return Decision::Refuse("its first revision becomes stable by itself".to_owned());
    }
    Decision::Refuse(format!("it is not paused; {}", waits_for(status)))
}

fn waits_for(status: &RolloutStatus) -> String {
    match status.gates.iter().flatten().next() {
        Some(gate) => format!("it waits for {}", gate.waits_for),
        None => "it goes on by itself".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{paused, rollout, updating};
    use serde_json::Value;
    use serin_view::change::{Body, Target, merged};

    fn inconclusive(index: i32) -> Rollout {
        let run = json!({"status": {"canary": {"currentStepAnalysisRunStatus": {"name": "r", "status": "Inconclusive"}}}});
        updating(index, merged(run, &paused("InconclusiveAnalysisRun")))
    }

    /// The status patch as it is sent: with the resourceVersion that was read.
    fn status(fields: Value) -> Change {
        let body = json!({"metadata": {"resourceVersion": "100"}, "status": fields});
        Change { target: Target::Status, body: Body::Merge(body) }
    }

    #[test]
    fn promotions_send_what_every_client_sends() {
        let unpause = || Change::spec(json!({"paused": false}));
        let pause = || status(json!({"pauseConditions": null}));
        let by_hand = json!({"spec": {"paused": true}});
        for (rollout, reach, changes, effect) in [
            (
                updating(1, paused("CanaryPauseStep")),
                Reach::Pause,
                vec![pause()],
                "step 2 of 4 (pause: 5m) ends now, and step 3 of 4 (analysis) begins",
            ),
            (
                updating(1, paused("CanaryPauseStep")),
                Reach::Step,
                vec![pause()],
                "step 2 of 4 (pause: 5m) ends now, and step 3 of 4 (analysis) begins",
            ),
            (
                inconclusive(2),
                Reach::Pause,
                vec![status(
                    json!({"pauseConditions": null, "controllerPause": false, "currentStepIndex": 3}),
                )],
                "step 3 of 4 (analysis), inconclusive, counts as passed, and step 4 of 4 (setWeight: 50) begins",
            ),
            (
                updating(0, paused("InconclusiveAnalysisRun")),
                Reach::Pause,
                vec![pause()],
                "the inconclusive analysis measures again",
            ),
            (
                updating(2, by_hand.clone()),
                Reach::Pause,
                vec![unpause()],
                "spec.paused becomes false, so that it goes on",
            ),
            (
                updating(1, merged(by_hand, &paused("CanaryPauseStep"))),
                Reach::Pause,
                vec![pause(), unpause()],
                "step 2 of 4 (pause: 5m) ends now, and step 3 of 4 (analysis) begins; spec.paused becomes false, so that it goes on",
            ),
            (
                updating(3, json!({})),
                Reach::Step,
                vec![status(json!({"pauseConditions": null, "currentStepIndex": 4}))],
                "step 4 of 4 (setWeight: 50) is skipped, and as it is the last one, revision 3 becomes stable when its pods are available",
            ),
            (
                updating(1, paused("CanaryPauseStep")),
                Reach::Full,
                vec![status(json!({"promoteFull": true}))],
                "all remaining steps, pauses and analyses are skipped, and revision 3 becomes stable when its pods are available",
            ),
        ] {
            assert_eq!(decide(&rollout, reach), Decision::Act { changes, effect: effect.to_owned() });
        }
    }

    #[test]
    fn without_anything_to_promote_it_says_why() {
        let refuse = |text: &str| Decision::Refuse(text.to_owned());
        let already = |text: &str| Decision::Already(text.to_owned());
        let gates = json!([{"waitsFor": "AnalysisRun shop-bbb-3-2 (Running)", "then": "success goes on"}]);
        let resumed = || updating(1, json!({"status": {"controllerPause": true}}));
        let stable = "revision 2 (aaa) is stable already";
        for (rollout, reach, expected) in [
            (
                updating(2, json!({"status": {"gates": gates}})),
                Reach::Pause,
                refuse("it is not paused; it waits for AnalysisRun shop-bbb-3-2 (Running)"),
            ),
            (updating(4, json!({})), Reach::Step, refuse("it is not paused; it goes on by itself")),
            (rollout(json!({})), Reach::Pause, refuse(stable)),
            (rollout(json!({})), Reach::Full, already(stable)),
            (
                resumed(),
                Reach::Pause,
                already("it was promoted a moment ago; the controller has yet to act upon it"),
            ),
            (
                resumed(),
                Reach::Step,
                already("it was promoted a moment ago; the controller has yet to act upon it"),
            ),
            (
                updating(0, json!({"status": {"promoteFull": true}})),
                Reach::Full,
                already("it is on its way to full promotion already"),
            ),
            (
                updating(0, json!({"status": {"abort": true}})),
                Reach::Full,
                refuse("it was aborted; retry starts this revision again"),
            ),
            (
                rollout(json!({"metadata": {"generation": 8}})),
                Reach::Full,
                refuse(
                    "the controller has not looked at its latest spec yet, so there is nothing to promote",
                ),
            ),
            (
                updating(0, json!({"status": {"stableRS": null}})),
                Reach::Full,
                refuse("its first revision becomes stable by itself"),
            ),
        ] {
            assert_eq!(decide(&rollout, reach), expected);
        }
    }
}
