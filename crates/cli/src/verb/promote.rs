//! `promote`: ends what a Rollout waits for from people.

use kube::ResourceExt;
use serde_json::json;
use serin_api::{AnalysisPhase, Rollout, RolloutStatus};
use serin_view::change::Change;
use serin_view::phase::{fully_promoted, generation_observed, resumed};
use serin_view::step;

use crate::change::Decision;
use crate::invocation::Invocation;

/// How far a promotion goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// To the end of the pause.
    Pause,
    /// Over the current step, whatever it waits for.
    Step,
    /// To the end: no steps, pauses and analyses any more.
    Full,
}

/// Decides a promotion (compat 5.2). Other than the stock client it never skips a step that is no pause, unless it is
/// asked to by [`Reach::Step`].
pub fn decide(rollout: &Rollout, reach: Reach, invocation: &Invocation) -> Decision {
    let name = rollout.name_any();
    let status = rollout.status.clone().unwrap_or_default();
    if status.abort && (reach != Reach::Full || status.aborted_at.is_none()) {
        return of_aborted(&name, &status, invocation);
    }
    let (mut changes, mut said) = match reach {
        Reach::Full => full(rollout, &status),
        Reach::Pause | Reach::Step => of_pause(rollout, &status),
    };
    if changes.is_empty() && reach == Reach::Step {
        (changes, said) = of_step(rollout);
    }
    if rollout.spec.paused {
        changes.push(Change::spec(json!({"paused": false})));
        said.push("spec.paused is false again".to_owned());
    }
    if changes.is_empty() {
        return nothing_to_do(rollout, &status, reach, invocation);
    }
    let done = if reach == Reach::Full && !said.is_empty() && !fully_promoted(&status) {
        "fully promoted"
    } else {
        "promoted"
    };
    Decision::Act { changes, said: format!("rollout '{name}' {done}: {}", said.join("; ")) }
}

/// Only full promotion overrules an abort, and only one that the controller has acted upon: before, it would not know
/// which of the two is the newer word.
fn of_aborted(name: &str, status: &RolloutStatus, invocation: &Invocation) -> Decision {
    if status.aborted_at.is_none() {
        return Decision::Refuse(
            "it was aborted a moment ago; the controller has yet to act upon it".to_owned(),
        );
    }
    let retry = invocation.command(&format!("retry {name}"));
    Decision::Refuse(format!("it was aborted; `{retry}` starts this revision again"))
}

type Effects = (Vec<Change>, Vec<String>);

fn full(rollout: &Rollout, status: &RolloutStatus) -> Effects {
    let behind = generation_observed(rollout) && !fully_promoted(status) && status.stable_rs.is_some();
    if !behind || status.promote_full {
        return Effects::default();
    }
    let change = Change::status_as_read(rollout, json!({"promoteFull": true}));
    let overruled = if status.abort { ", and the abort is forgotten" } else { "" };
    (vec![change], vec![format!("all remaining steps, pauses and analyses are skipped{overruled}")])
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
        let change = Change::status_as_read(rollout, fields);
        return (
            vec![change],
            vec![format!("{}, inconclusive, counts as passed", step::named(rollout, index))],
        );
    }
    let change = Change::status_as_read(rollout, json!({"pauseConditions": null}));
    let what = match (pause.reason.as_str(), at) {
        ("CanaryPauseStep", Some((index, _))) => format!("{} is over", step::named(rollout, index)),
        ("InconclusiveAnalysisRun", _) => "the inconclusive analysis measures again".to_owned(),
        (reason, _) => format!("the pause {reason} is over"),
    };
    (vec![change], vec![what])
}

fn of_step(rollout: &Rollout) -> Effects {
    let status = rollout.status.as_ref();
    let Some((index, _)) = step::current(rollout).filter(|_| generation_observed(rollout)) else {
        return Effects::default();
    };
    if status.is_some_and(resumed) {
        return Effects::default();
    }
    let fields = json!({"pauseConditions": null, "currentStepIndex": index + 1});
    (
        vec![Change::status_as_read(rollout, fields)],
        vec![format!("{} is skipped", step::named(rollout, index))],
    )
}

fn nothing_to_do(
    rollout: &Rollout,
    status: &RolloutStatus,
    reach: Reach,
    invocation: &Invocation,
) -> Decision {
    let name = rollout.name_any();
    if !generation_observed(rollout) || status.phase.is_none() {
        let look = invocation.command(&format!("status {name}"));
        return Decision::Refuse(format!(
            "the controller has not looked at its latest spec yet, so there is nothing to promote; `{look}` waits for it"
        ));
    }
    if fully_promoted(status) {
        return finished(rollout, status, reach);
    }
    if resumed(status) {
        return Decision::Already(format!(
            "rollout '{name}' was promoted a moment ago; the controller has yet to act upon it"
        ));
    }
    if status.promote_full {
        return Decision::Already(format!(
            "rollout '{name}' is on its way to full promotion already; {}",
            waits_for(status)
        ));
    }
    if status.stable_rs.is_none() {
        return Decision::Refuse(format!(
            "its first revision becomes stable by itself; {}",
            waits_for(status)
        ));
    }
    let skip = step::current(rollout).map(|(index, _)| {
        let skip = invocation.command(&format!("promote {name} --skip-current-step"));
        format!("; `{skip}` skips {}", step::named(rollout, index))
    });
    Decision::Refuse(format!("it is not paused; {}{}", waits_for(status), skip.unwrap_or_default()))
}

fn finished(rollout: &Rollout, status: &RolloutStatus, reach: Reach) -> Decision {
    let text = format!("revision {} ({}) is stable", revision(rollout), status.current_pod_hash);
    match reach {
        Reach::Full => {
            Decision::Already(format!("rollout '{}' is fully promoted already: {text}", rollout.name_any()))
        }
        Reach::Pause | Reach::Step => Decision::Refuse(format!("it waits for nothing: {text}")),
    }
}

/// The revision number that the controller wrote on the Rollout.
pub(super) fn revision(rollout: &Rollout) -> String {
    serin_view::object::revision(rollout).map_or_else(|| "?".to_owned(), |number| number.to_string())
}

fn waits_for(status: &RolloutStatus) -> String {
    match status.gates.iter().flatten().next() {
        Some(gate) if !gate.then.is_empty() => format!("it waits for {}: {}", gate.waits_for, gate.then),
        Some(gate) => format!("it waits for {}", gate.waits_for),
        None => match status.message.as_deref().unwrap_or_default() {
            "" => "it goes on by itself".to_owned(),
            message => format!("it goes on by itself ({message})"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{rollout, updating};
    use serde_json::Value;

    fn web() -> Invocation {
        Invocation { namespace: "web".to_owned(), ..Invocation::default() }
    }

    fn paused(reason: &str) -> Value {
        json!({"pauseConditions": [{"reason": reason, "startTime": "2026-11-24T14:07:00Z"}], "controllerPause": true})
    }

    fn inconclusive(index: i32) -> Rollout {
        let run =
            json!({"canary": {"currentStepAnalysisRunStatus": {"name": "r", "status": "Inconclusive"}}});
        updating(
            index,
            serin_view::change::merged(
                json!({"status": run}),
                &json!({"status": paused("InconclusiveAnalysisRun")}),
            ),
        )
    }

    /// The status patch as it is sent: with the resourceVersion that was read.
    fn status(fields: Value) -> Value {
        json!({"metadata": {"resourceVersion": "100"}, "status": fields})
    }

    #[test]
    fn promotions_send_what_every_client_sends() {
        let unpause = json!({"spec": {"paused": false}});
        for (case, rollout, reach, bodies, said) in [
            (
                "pause step",
                updating(1, json!({"status": paused("CanaryPauseStep")})),
                Reach::Pause,
                vec![status(json!({"pauseConditions": null}))],
                "rollout 'shop' promoted: step 2 of 4 (pause: 5m) is over",
            ),
            (
                "skipping at a pause is the same",
                updating(1, json!({"status": paused("CanaryPauseStep")})),
                Reach::Step,
                vec![status(json!({"pauseConditions": null}))],
                "rollout 'shop' promoted: step 2 of 4 (pause: 5m) is over",
            ),
            (
                "inconclusive step",
                inconclusive(2),
                Reach::Pause,
                vec![status(
                    json!({"pauseConditions": null, "controllerPause": false, "currentStepIndex": 3}),
                )],
                "rollout 'shop' promoted: step 3 of 4 (analysis), inconclusive, counts as passed",
            ),
            (
                "inconclusive background analysis",
                updating(0, json!({"status": paused("InconclusiveAnalysisRun")})),
                Reach::Pause,
                vec![status(json!({"pauseConditions": null}))],
                "rollout 'shop' promoted: the inconclusive analysis measures again",
            ),
            (
                "paused by hand",
                updating(2, json!({"spec": {"paused": true}})),
                Reach::Pause,
                vec![unpause.clone()],
                "rollout 'shop' promoted: spec.paused is false again",
            ),
            (
                "paused by hand at a pause step: status first, then spec",
                updating(1, json!({"spec": {"paused": true}, "status": paused("CanaryPauseStep")})),
                Reach::Pause,
                vec![status(json!({"pauseConditions": null})), unpause.clone()],
                "rollout 'shop' promoted: step 2 of 4 (pause: 5m) is over; spec.paused is false again",
            ),
            (
                "skip a running analysis",
                updating(2, json!({})),
                Reach::Step,
                vec![status(json!({"pauseConditions": null, "currentStepIndex": 3}))],
                "rollout 'shop' promoted: step 3 of 4 (analysis) is skipped",
            ),
            (
                "full",
                updating(1, json!({"status": paused("CanaryPauseStep")})),
                Reach::Full,
                vec![status(json!({"promoteFull": true}))],
                "rollout 'shop' fully promoted: all remaining steps, pauses and analyses are skipped",
            ),
            (
                "full, in spite of an abort",
                updating(0, json!({"status": {"abort": true, "abortedAt": "2026-11-24T14:07:12Z"}})),
                Reach::Full,
                vec![status(json!({"promoteFull": true}))],
                "rollout 'shop' fully promoted: all remaining steps, pauses and analyses are skipped, and the abort is forgotten",
            ),
            (
                "full, paused by hand",
                updating(1, json!({"spec": {"paused": true}})),
                Reach::Full,
                vec![status(json!({"promoteFull": true})), unpause],
                "rollout 'shop' fully promoted: all remaining steps, pauses and analyses are skipped; spec.paused is false again",
            ),
        ] {
            let Decision::Act { changes, said: line } = decide(&rollout, reach, &web()) else {
                panic!("{case}: {:?}", decide(&rollout, reach, &web()));
            };
            let expected: Vec<_> = bodies
                .into_iter()
                .map(|body| {
                    let target = if body.get("spec").is_some() {
                        serin_view::change::Target::Object
                    } else {
                        serin_view::change::Target::Status
                    };
                    Change { target, body: serin_view::change::Body::Merge(body) }
                })
                .collect();
            assert_eq!((changes, line.as_str()), (expected, said), "{case}");
        }
    }

    #[test]
    fn without_anything_to_promote_it_says_what_is_waited_for() {
        let gates = json!([{"waitsFor": "AnalysisRun shop-bbb-3-2 (Running)", "then": "success goes on"}]);
        for (case, rollout, reach, expected) in [
            (
                "running analysis",
                updating(2, json!({"status": {"gates": gates}})),
                Reach::Pause,
                Decision::Refuse(
                    "it is not paused; it waits for AnalysisRun shop-bbb-3-2 (Running): success goes on; `kubectl serin promote shop --skip-current-step -n web` skips step 3 of 4 (analysis)".to_owned(),
                ),
            ),
            (
                "last step done",
                updating(4, json!({})),
                Reach::Step,
                Decision::Refuse("it is not paused; it goes on by itself (more replicas need to be updated)".to_owned()),
            ),
            (
                "promoted",
                rollout(json!({})),
                Reach::Pause,
                Decision::Refuse("it waits for nothing: revision 2 (aaa) is stable".to_owned()),
            ),
            (
                "promoted, full",
                rollout(json!({})),
                Reach::Full,
                Decision::Already("rollout 'shop' is fully promoted already: revision 2 (aaa) is stable".to_owned()),
            ),
            (
                "twice",
                updating(1, json!({"status": {"controllerPause": true}})),
                Reach::Pause,
                Decision::Already("rollout 'shop' was promoted a moment ago; the controller has yet to act upon it".to_owned()),
            ),
            (
                "skip, twice",
                updating(1, json!({"status": {"controllerPause": true}})),
                Reach::Step,
                Decision::Already("rollout 'shop' was promoted a moment ago; the controller has yet to act upon it".to_owned()),
            ),
            (
                "aborted",
                updating(0, json!({"status": {"abort": true, "abortedAt": "2026-11-24T14:07:12Z"}})),
                Reach::Pause,
                Decision::Refuse("it was aborted; `kubectl serin retry shop -n web` starts this revision again".to_owned()),
            ),
            (
                "aborted a moment ago",
                updating(0, json!({"status": {"abort": true}})),
                Reach::Full,
                Decision::Refuse("it was aborted a moment ago; the controller has yet to act upon it".to_owned()),
            ),
            (
                "spec not seen",
                rollout(json!({"metadata": {"generation": 8}})),
                Reach::Full,
                Decision::Refuse("the controller has not looked at its latest spec yet, so there is nothing to promote; `kubectl serin status shop -n web` waits for it".to_owned()),
            ),
            (
                "first revision",
                updating(0, json!({"status": {"stableRS": null}})),
                Reach::Full,
                Decision::Refuse("its first revision becomes stable by itself; it goes on by itself (more replicas need to be updated)".to_owned()),
            ),
        ] {
            assert_eq!(decide(&rollout, reach, &web()), expected, "{case}");
        }
    }
}
