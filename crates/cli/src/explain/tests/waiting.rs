//! What an update waits for: routers, clocks and people.

use super::*;

#[test]
fn a_weight_that_waits_for_its_router() {
    let waiting = merged(
        gate("the router to apply weight 50", "the step is done"),
        &json!({"canary": {"weights": {"verified": false}}}),
    );
    let expected = "\
shop in namespace web: ◌ Progressing at step 4 of 4 (setWeight: 50)

Why
  The update to revision 3 works on step 4 of 4 (setWeight: 50).

Waits for
  the router to apply weight 50
    since 14:07:00 UTC, 3m ago
    then: the step is done

Traffic
  asked 50 of 100, observed 20  ████░░░░░░░░░░░░░░░░  not in force yet

Next
  that was the last step: revision 3 becomes stable when that is so

You can
  kubectl serin promote shop --skip-current-step -n web  skip this step, whatever it waits for
  kubectl serin abort shop -n web                        take the update back: all traffic to stable
  kubectl serin pause shop -n web                        hold it here
";
    check("weight", &seen(updating(3, status(waiting)), vec![]), expected);
}

#[test]
fn a_watch_after_promotion() {
    let watch = json!({
        "currentStepIndex": 4,
        "canary": {
            "postPromotionAnalysisRunStatus": {"name": "shop-bbb-3-post", "status": "Running"},
            "weights": {"canary": {"weight": 100}, "stable": {"weight": 0}},
        },
        "gates": [{
            "waitsFor": "the watch after promotion by AnalysisRun shop-bbb-3-post (Running)",
            "since": "2026-11-24T14:07:00Z", "until": "2026-11-24T14:17:00Z",
            "then": "the revision becomes stable, failure takes all traffic back to the pods of stable",
        }],
    });
    let expected = "\
shop in namespace web: ◌ Progressing

Why
  Revision 3 has all traffic, and is watched before it becomes stable; the pods of stable are kept for the way back.

Waits for
  the watch after promotion by AnalysisRun shop-bbb-3-post (Running)
    since 14:07:00 UTC, 3m ago; until 14:17:00 UTC, in 7m
    then: the revision becomes stable, failure takes all traffic back to the pods of stable

Traffic
  asked 100 of 100, observed 100  ████████████████████  confirmed by the router

Next
  revision 3 becomes stable when that is so
  all traffic goes back to stable at once if the analysis fails

You can
  kubectl serin abort shop -n web           take the update back: all traffic to stable
  kubectl serin promote shop --full -n web  skip all remaining steps, pauses and analyses
  kubectl serin pause shop -n web           hold it here
";
    check("watch", &seen(updating(4, status(watch)), vec![]), expected);
}

#[test]
fn a_brake_of_the_namespace() {
    let brake = json!({
        "name": "serin-hold", "action": "hold", "by": "ann", "at": "2026-11-24T14:06:00Z", "reason": "incident 42",
    });
    let sentence = "ConfigMap serin-hold holds updates, set by ann at 2026-11-24T14:06:00Z: incident 42";
    let held = merged(
        gate(
            &format!("the end of a brake: {sentence}"),
            "the rollout goes on; `kubectl serin release serin-hold` ends it",
        ),
        &json!({"phase": "Paused", "message": sentence, "brake": brake}),
    );
    let expected = "\
shop in namespace web: ॥ Paused at step 2 of 4 (pause: 5m)

Why
  ConfigMap serin-hold holds updates, set by ann at 2026-11-24T14:06:00Z: incident 42.

Waits for
  the end of a brake: ConfigMap serin-hold holds updates, set by ann at 2026-11-24T14:06:00Z: incident 42
    since 14:07:00 UTC, 3m ago
    then: the rollout goes on; `kubectl serin release serin-hold` ends it

Traffic
  asked 20 of 100, observed 20  ████░░░░░░░░░░░░░░░░  confirmed by the router

Next
  nothing, until it is released

You can
  kubectl serin release serin-hold -n web  let every update that it holds go on
  kubectl serin abort shop -n web          take the update back: all traffic to stable
";
    check("brake", &seen(updating(1, status(held)), vec![]), expected);
    let settled = explain(
        &seen(rollout(status(json!({"brake": {"name": "serin-hold", "action": "hold"}}))), vec![]),
        &Invocation::default(),
    );
    assert_eq!(settled.notes, ["ConfigMap serin-hold holds updates; the next one, too"]);
}

#[test]
fn a_dry_run() {
    let dry = json!({
        "phase": "Progressing", "message": "dry run: more replicas need to be updated", "observedGeneration": "1",
        "dryRun": {"since": "2026-11-24T14:07:00Z", "revision": "bbb", "next": ["create ReplicaSet web/shop-bbb"]},
        "gates": [{
            "waitsFor": "the annotation serin.dev/dry-run to be removed", "since": "2026-11-24T14:07:00Z",
            "then": "what status.dryRun.next says is written",
        }],
    });
    let expected = "\
shop in namespace web: ◌ Progressing

Why
  This is a dry run since 14:07:00 UTC, 3m ago: decisions are made and told, and neither workload nor traffic is written.

Waits for
  the annotation serin.dev/dry-run to be removed
    since 14:07:00 UTC, 3m ago
    then: what status.dryRun.next says is written

Traffic
  asked 20 of 100, observed 20  ████░░░░░░░░░░░░░░░░  confirmed by the router

Next
  without the dry run: create ReplicaSet web/shop-bbb

You can
  kubectl annotate rollout shop -n web serin.dev/dry-run-  end the dry run: the rollout goes on in earnest
";
    check("dry run", &seen(updating(1, status(dry)), vec![]), expected);
}

#[test]
fn a_pause_that_ends_by_the_clock() {
    let waiting = merged(
        pause("CanaryPauseStep"),
        &json!({"gates": [{
            "waitsFor": "the pause step", "since": "2026-11-24T14:07:00Z", "until": "2026-11-24T14:12:00Z",
            "then": "the next step begins",
        }]}),
    );
    let expected = "\
shop in namespace web: ॥ Paused at step 2 of 4 (pause: 5m)

Why
  This step is a pause of 5m; it began at 14:07:00 UTC, 3m ago.

Waits for
  the pause step
    since 14:07:00 UTC, 3m ago; until 14:12:00 UTC, in 2m
    then: the next step begins

Traffic
  asked 20 of 100, observed 20  ████░░░░░░░░░░░░░░░░  confirmed by the router

Next
  step 3 of 4 (analysis) begins at 14:12:00 UTC, in 2m

You can
  kubectl serin promote shop -n web         go on now, without waiting for the end of the pause
  kubectl serin promote shop --full -n web  skip all remaining steps, pauses and analyses
  kubectl serin abort shop -n web           take the update back: all traffic to stable
";
    check("timed pause", &seen(updating(1, status(waiting)), vec![]), expected);
}

#[test]
fn a_pause_that_a_person_ends() {
    let steps = json!({"spec": {"strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}}}});
    let rollout = updating(1, merged(steps, &status(pause("CanaryPauseStep"))));
    let expected = "\
shop in namespace web: ॥ Paused at step 2 of 2 (pause)

Why
  The pause of this step has no duration, so it lasts until somebody promotes; it began at 14:07:00 UTC, 3m ago.

Traffic
  asked 20 of 100, observed 20  ████░░░░░░░░░░░░░░░░  confirmed by the router

Next
  that was the last step: revision 3 becomes stable when somebody promotes

You can
  kubectl serin promote shop -n web         go on
  kubectl serin promote shop --full -n web  skip all remaining steps, pauses and analyses
  kubectl serin abort shop -n web           take the update back: all traffic to stable
";
    check("indefinite pause", &seen(rollout, vec![]), expected);
}

#[test]
fn a_route_that_is_not_there_is_what_the_step_waits_for() {
    let mut waiting =
        gate("the router: HTTPRoute shop not found in namespace web", "the step goes on when it answers");
    waiting["canary"] = json!({"weights": null});
    let text = explain(&seen(updating(0, status(waiting)), vec![]), &Invocation::default());
    let text = super::text(&text, Paint::PLAIN);
    let expected = "
Waits for
  the router: HTTPRoute shop not found in namespace web
    since 14:07:00 UTC, 3m ago
    then: the step goes on when it answers

Traffic
  asked 20 of 100, observed: no router has reported a weight yet
";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_blue_green_says_which_service_switches() {
    let blue_green =
        json!({"spec": {"strategy": {"canary": null, "blueGreen": {"activeService": "shop-live"}}}});
    let rollout = updating(0, merged(blue_green, &status(pause("BlueGreenPause"))));
    let next = explain(&seen(rollout, vec![]), &Invocation::default()).next;
    assert_eq!(next, ["Service shop-live switches to revision 3 when somebody promotes"]);
}

#[test]
fn pods_that_do_not_come_are_waited_for_until_the_progress_deadline() {
    let moved = |status: &str| {
        json!({"promoteFull": true, "conditions": [{
            "type": "Progressing", "status": status, "reason": "ReplicaSetUpdated", "message": "",
            "lastUpdateTime": "2026-11-24T14:08:00Z", "lastTransitionTime": "2026-11-24T14:08:00Z",
        }]})
    };
    let line = |what: &str| {
        format!("if nothing progresses until 14:13:00 UTC, in 3m, it is {what} (progressDeadlineSeconds)")
    };
    for (case, spec, progressing, expected) in [
        ("a deadline", json!({"progressDeadlineSeconds": 300}), "True", Some("called Degraded")),
        (
            "one that aborts",
            json!({"progressDeadlineSeconds": 300, "progressDeadlineAbort": true}),
            "True",
            Some("aborted"),
        ),
        ("one that is over", json!({"progressDeadlineSeconds": 60}), "True", None),
        ("not said to progress", json!({"progressDeadlineSeconds": 300}), "False", None),
    ] {
        let rollout = updating(0, merged(json!({"spec": spec}), &status(moved(progressing))));
        let next = explain(&seen(rollout, vec![]), &Invocation::default()).next;
        let expected: Vec<_> =
            std::iter::once("revision 3 becomes stable".to_owned()).chain(expected.map(line)).collect();
        assert_eq!(next, expected, "{case}");
    }
}
