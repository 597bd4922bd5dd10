//! Every situation as it reads, written by hand.

use serde_json::{Value, json};
use serin_api::{AnalysisRun, Rollout};

use super::*;
use crate::merge::merged;
use crate::paint::Paint;
use crate::sample::{self, pod, replica_set, rollout, run, updating};

fn check(case: &str, seen: &Observed, expected: &str) {
    let invocation = Invocation { namespace: "web".to_owned(), ..Invocation::default() };
    let text = text(&explain(seen, &invocation), Paint::PLAIN);
    assert_eq!(text.lines().collect::<Vec<_>>(), expected.lines().collect::<Vec<_>>(), "{case}:\n{text}");
}

fn seen(rollout: Rollout, runs: Vec<AnalysisRun>) -> Observed {
    sample::observed(rollout, vec![], vec![], runs)
}

fn status(change: Value) -> Value {
    json!({"status": change})
}

fn pause(reason: &str) -> Value {
    json!({
        "phase": "Paused", "message": reason, "controllerPause": true,
        "pauseConditions": [{"reason": reason, "startTime": "2026-11-24T14:07:00Z"}],
    })
}

fn condition(type_: &str, reason: &str, message: &str) -> Value {
    json!({"conditions": [{
        "type": type_, "status": "False", "reason": reason, "message": message,
        "lastUpdateTime": "2026-11-24T14:08:00Z", "lastTransitionTime": "2026-11-24T14:08:00Z",
    }]})
}

fn step_run(phase: &str) -> Value {
    json!({"canary": {"currentStepAnalysisRunStatus": {"name": "shop-bbb-3-2", "status": phase}}})
}

fn gate(waits_for: &str, then: &str) -> Value {
    json!({"gates": [{"waitsFor": waits_for, "since": "2026-11-24T14:07:00Z", "then": then}]})
}

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
fn a_running_comparison_shows_its_evidence() {
    let reasons = "error-rate canary 0.90 % (16/1790) stable 0.51 % (82/16110) limit +0.5pp | window 14:08-14:09 breach 0/3 | evidence 9 of 80 needed";
    let comparing = run(json!({
        "spec": {"metrics": [{
            "name": "error-rate", "interval": "60s", "count": 10, "provider": {},
            "comparison": {"errorRate": {"requests": "http_requests_total", "limit": "0.5pp"}},
        }]},
        "status": {"metricResults": [{
            "name": "error-rate", "phase": "Running", "count": 2, "successful": 2,
            "measurements": [
                {"phase": "Successful", "message": reasons,
                 "startedAt": "2026-11-24T14:09:00Z", "finishedAt": "2026-11-24T14:09:30Z"},
            ],
        }]},
    }));
    let waiting = merged(
        gate("AnalysisRun shop-bbb-3-2 (Running)", "success goes on, failure takes back"),
        &step_run("Running"),
    );
    let expected = "\
shop in namespace web: ◌ Progressing at step 3 of 4 (analysis)

Why
  The update to revision 3 works on step 3 of 4 (analysis).

Waits for
  AnalysisRun shop-bbb-3-2 (Running)
    since 14:07:00 UTC, 3m ago
    then: success goes on, failure takes back

Traffic
  asked 20 of 100, observed 20  ████░░░░░░░░░░░░░░░░  confirmed by the router

Evidence
  AnalysisRun shop-bbb-3-2 (step 3), Running for 3m
    error-rate: Running, 2 of 10 measurements, 2 successful
      evidence against the canary 9 of 80 that an abort needs  ██████████░░░░░░░░░░
      14:09:30 UTC  error-rate canary 0.90 % (16/1790) stable 0.51 % (82/16110) limit +0.5pp | window 14:08-14:09 breach 0/3 | evidence 9 of 80 needed

Next
  error-rate is measured again at 14:10:30 UTC, in 30s
  step 4 of 4 (setWeight: 50) begins when it succeeds
  the update is taken back if it fails

You can
  kubectl serin promote shop --skip-current-step -n web  skip this step, whatever it waits for
  kubectl serin abort shop -n web                        take the update back: all traffic to stable
  kubectl serin pause shop -n web                        hold it here
";
    check("comparison", &seen(updating(2, status(waiting)), vec![comparing]), expected);
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

fn aborted(message: &str) -> Value {
    let message = format!("Rollout aborted update to revision 3{message}");
    merged(
        condition("Progressing", "RolloutAborted", &message),
        &json!({
            "phase": "Degraded", "message": format!("RolloutAborted: {message}"), "currentStepIndex": 0,
            "abort": true, "abortedAt": "2026-11-24T14:08:11Z", "canary": {"weights": {"canary": {"weight": 0}}},
        }),
    )
}

#[test]
fn an_abort_names_metric_value_window_and_bar() {
    let failed = run(json!({"status": {
        "phase": "Failed", "completedAt": "2026-11-24T14:08:10Z",
        "metricResults": [{
            "name": "errors", "phase": "Failed", "successful": 2, "failed": 1,
            "measurements": [
                {"phase": "Successful", "value": "[0.002]", "finishedAt": "2026-11-24T14:07:30Z"},
                {"phase": "Failed", "value": "[0.031]",
                 "startedAt": "2026-11-24T14:08:00Z", "finishedAt": "2026-11-24T14:08:10Z"},
            ],
        }],
    }}));
    let cause = ": Step-based analysis phase error/failed: Metric \"errors\" assessed Failed due to failed (1) > failureLimit (0)";
    let canary = replica_set(
        "bbb",
        3,
        "shop:v2",
        1,
        json!({"metadata": {"annotations": {"scale-down-deadline": "2026-11-24T14:10:24Z"}}}),
    );
    let seen = sample::observed(updating(0, status(aborted(cause))), vec![canary], vec![], vec![failed]);
    let expected = "\
shop in namespace web: ✖ Degraded

Why
  The update to revision 3 was taken back at 14:08:11 UTC, 1m49s ago:
  Step-based analysis phase error/failed: Metric \"errors\" assessed Failed due to failed (1) > failureLimit (0)

  AnalysisRun shop-bbb-3-2 (step 3)
    metric    errors
    measured  0.031
    when      14:08:00 UTC to 14:08:10 UTC, 1m50s ago
    needed    successful when result[0] < 0.01
    limit     failureLimit 0, failed 1 time

Traffic
  asked 0 of 100, observed 0  ░░░░░░░░░░░░░░░░░░░░  confirmed by the router

Next
  nothing by itself: a new revision, a retry or an undo begins the next update
  ReplicaSet shop-bbb is scaled down from 1 at 14:10:24 UTC, in 24s

You can
  kubectl serin retry shop -n web  start this revision again at step 1
  kubectl serin undo shop -n web   give it up: the template of stable becomes the spec, and the rollout Healthy
";
    check("aborted by a condition", &seen, expected);
}

#[test]
fn an_abort_by_a_comparison_shows_its_reasons() {
    let reasons = "error-rate canary 1.62 % (29/1790) stable 0.51 % (82/16110) delta +1.11pp limit +0.5pp | window 14:07-14:08 breach 3/3 | chi2 p=2e-8 phi 1.9 | evidence 96 of 80 needed (mean 24.6 of 20) -> FAIL";
    let failed = run(json!({
        "metadata": {"name": "shop-bbb-3", "labels": {"rollout-type": "Background", "step-index": null}},
        "spec": {"metrics": [{
            "name": "error-rate", "interval": "60s", "provider": {}, "comparison": {"errorRate": {"requests": "r"}},
        }]},
        "status": {"phase": "Failed", "metricResults": [{
            "name": "error-rate", "phase": "Failed", "failed": 1,
            "measurements": [{"phase": "Failed", "message": reasons, "finishedAt": "2026-11-24T14:08:10Z"}],
        }]},
    }));
    let expected = "\
shop in namespace web: ✖ Degraded

Why
  The update to revision 3 was taken back at 14:08:11 UTC, 1m49s ago:
  Background analysis phase error/failed

  AnalysisRun shop-bbb-3 (background)
    metric    error-rate
    measured  error-rate canary 1.62 % (29/1790) stable 0.51 % (82/16110) delta +1.11pp limit +0.5pp
    window    14:07-14:08 breach 3/3
    test      chi2 p=2e-8 phi 1.9
    evidence  96 of 80 needed (mean 24.6 of 20) -> FAIL
    needed    canary at most 0.5pp worse than stable, 3 windows in a row decide

Traffic
  asked 0 of 100, observed 0  ░░░░░░░░░░░░░░░░░░░░  confirmed by the router

Next
  nothing by itself: a new revision, a retry or an undo begins the next update

You can
  kubectl serin retry shop -n web  start this revision again at step 1
  kubectl serin undo shop -n web   give it up: the template of stable becomes the spec, and the rollout Healthy
";
    let rollout = updating(0, status(aborted(": Background analysis phase error/failed")));
    check("aborted by a comparison", &seen(rollout, vec![failed]), expected);
}

#[test]
fn an_abort_by_a_person_blames_no_analysis() {
    let failed_earlier = run(json!({"status": {"phase": "Failed"}}));
    let text = explain(&seen(updating(0, status(aborted(""))), vec![failed_earlier]), &Invocation::default());
    let expected = "The update to revision 3 was taken back at 14:08:11 UTC, 1m49s ago: somebody aborted it, no analysis asked for it.";
    assert_eq!(text.why, [expected]);
    assert_eq!(text.facts, []);
}

#[test]
fn an_inconclusive_analysis_waits_for_a_decision() {
    let undecided = run(json!({"status": {"phase": "Inconclusive", "metricResults": [{
        "name": "errors", "phase": "Inconclusive", "count": 3, "successful": 2, "inconclusive": 1,
        "measurements": [{"phase": "Inconclusive", "value": "[0.02]", "finishedAt": "2026-11-24T14:07:00Z"}],
    }]}}));
    let waiting = merged(pause("InconclusiveAnalysisRun"), &step_run("Inconclusive"));
    let expected = "\
shop in namespace web: ॥ Paused at step 3 of 4 (analysis)

Why
  An analysis could not decide, so a person must: paused since 14:07:00 UTC, 3m ago.

  AnalysisRun shop-bbb-3-2 (step 3)
    metric    errors
    measured  0.02
    when      14:07:00 UTC, 3m ago
    needed    successful when result[0] < 0.01
    limit     inconclusiveLimit 0, inconclusive 1 time

Traffic
  asked 20 of 100, observed 20  ████░░░░░░░░░░░░░░░░  confirmed by the router

Evidence
  AnalysisRun shop-bbb-3-2 (step 3), Inconclusive
    errors: Inconclusive, 3 of 5 measurements, 2 successful, 1 inconclusive
      14:07:00 UTC  0.02 (successful when result[0] < 0.01)

Next
  nothing, until somebody decides

You can
  kubectl serin promote shop -n web  judge it good: go on to the next step
  kubectl serin abort shop -n web    take the update back: all traffic to stable
";
    check("inconclusive", &seen(updating(2, status(waiting)), vec![undecided]), expected);
}

#[test]
fn a_provider_that_is_down_holds_and_is_no_evidence() {
    let down = run(json!({"status": {"metricResults": [{
        "name": "errors", "phase": "Running", "count": 2, "successful": 2, "error": 1,
        "measurements": [{
            "phase": "Error", "message": "Prometheus http://prometheus:9090 is unreachable: connection refused",
            "startedAt": "2026-11-24T14:08:30Z", "finishedAt": "2026-11-24T14:09:50Z",
            "metadata": {"held": "Prometheus http://prometheus:9090 is unreachable"},
        }],
    }]}}));
    let waiting = merged(
        gate("AnalysisRun shop-bbb-3-2 (Running)", "success goes on, failure takes back"),
        &step_run("Running"),
    );
    let expected = "\
shop in namespace web: ◌ Progressing at step 3 of 4 (analysis)

Why
  Metric errors of AnalysisRun shop-bbb-3-2 is not measured since 14:08:30 UTC, 1m30s ago: Prometheus http://prometheus:9090 is unreachable: connection refused.
  That is no evidence against the new version: the rollout holds, and is not taken back for it.

Waits for
  AnalysisRun shop-bbb-3-2 (Running)
    since 14:07:00 UTC, 3m ago
    then: success goes on, failure takes back

Traffic
  asked 20 of 100, observed 20  ████░░░░░░░░░░░░░░░░  confirmed by the router

Evidence
  AnalysisRun shop-bbb-3-2 (step 3), Running for 3m
    errors: Running, 2 of 5 measurements, 2 successful, 1 not made
      since 14:08:30 UTC  not measured: Prometheus http://prometheus:9090 is unreachable: connection refused

Next
  the question is asked again until there is an answer; then the analysis goes on

You can
  kubectl serin promote shop --skip-current-step -n web  skip this step, whatever it waits for
  kubectl serin abort shop -n web                        take the update back: all traffic to stable
  kubectl serin pause shop -n web                        hold it here
";
    check("provider down", &seen(updating(2, status(waiting)), vec![down]), expected);
}

#[test]
fn other_ways_not_to_measure_say_what_they_lead_to() {
    let running = |result: Value, comparison: Value| {
        let metrics =
            json!([{"name": "errors", "interval": "30s", "provider": {}, "comparison": comparison}]);
        let result = merged(json!({"name": "errors", "phase": "Running"}), &result);
        run(json!({"spec": {"metrics": metrics}, "status": {"metricResults": [result]}}))
    };
    let held = json!({"measurements": [{"phase": "Error", "message": "no requests reach the canary", "metadata": {"held": "x"}}]});
    let wrong =
        json!({"consecutiveError": 3, "measurements": [{"phase": "Error", "message": "parse error"}]});
    for (run, expected) in [
        (
            running(held, json!({"errorRate": {"requests": "r"}})),
            vec![
                "Metric errors of AnalysisRun shop-bbb-3-2 is not measured: no requests reach the canary.",
                "That is no evidence against the new version: the rollout holds, and is not taken back for it.",
                "After 1h without data (noDataTimeout) it ends inconclusive, and the rollout pauses for a person.",
            ],
        ),
        (
            running(wrong, Value::Null),
            vec![
                "Metric errors of AnalysisRun shop-bbb-3-2 could not be measured 3 times in a row: parse error.",
                "More than 4 in a row (consecutiveErrorLimit) end the analysis, and take the update back.",
            ],
        ),
    ] {
        assert_eq!(
            explain(&seen(updating(2, status(step_run("Running"))), vec![run]), &Invocation::default()).why,
            expected
        );
    }
}

#[test]
fn an_invalid_spec_names_every_field_and_its_remedy() {
    let said = "The Rollout \"shop\" is invalid: spec.strategy.canary.steps[0].setWeight: Invalid value: 120: SetWeight needs to be between 0 and 100";
    let invalid = merged(
        condition("InvalidSpec", "InvalidSpec", said),
        &json!({"phase": "Degraded", "message": format!("InvalidSpec: {said}")}),
    );
    let steps = json!({"spec": {"strategy": {"canary": {"steps": [{"setWeight": 120}, {"pause": {"duration": "soon"}}]}}}});
    let expected = "\
shop in namespace web: ✖ Degraded

Why
  The spec cannot work; pods and traffic stay as they are.

    field    spec.strategy.canary.steps[0].setWeight
    value    120
    problem  SetWeight needs to be between 0 and 100

    field    spec.strategy.canary.steps[1].pause.duration
    value    \"soon\"
    problem  Duration needs to be greater than 0
    remedy   write seconds, or text such as 30s or 5m

Next
  it goes on by itself as soon as that is mended

You can
  kubectl edit rollout shop -n web  correct the spec
";
    check("invalid", &seen(updating(0, merged(steps, &status(invalid))), vec![]), expected);
}

#[test]
fn a_missing_service_says_which_one_and_that_it_recovers() {
    let said = "spec.strategy.canary.canaryService: Invalid value: \"shop-canary\": service \"shop-canary\" not found in namespace \"web\"; create it, the rollout goes on by itself";
    let missing = merged(
        merged(
            condition("InvalidSpec", "InvalidSpec", &format!("The Rollout \"shop\" is invalid: {said}")),
            &gate(said, "the rollout goes on by itself"),
        ),
        &json!({"phase": "Degraded", "message": "InvalidSpec"}),
    );
    let expected = "\
shop in namespace web: ✖ Degraded

Why
  The spec names something that is not there or cannot be used; pods and traffic stay as they are.

    field    spec.strategy.canary.canaryService
    value    \"shop-canary\"
    problem  service \"shop-canary\" not found in namespace \"web\"
    remedy   create it, the rollout goes on by itself

Traffic
  asked 20 of 100, observed 20  ████░░░░░░░░░░░░░░░░  confirmed by the router

Next
  it goes on by itself as soon as that is mended

You can
  kubectl edit rollout shop -n web  correct the spec
";
    check("missing service", &seen(updating(0, status(missing)), vec![]), expected);
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
fn a_passed_deadline_shows_the_pods_in_trouble() {
    let message = "ReplicaSet \"shop-bbb\" has timed out progressing.";
    let stuck = merged(
        merged(
            condition("Progressing", "ProgressDeadlineExceeded", message),
            &gate("1 canary pods to be available", "the step is done"),
        ),
        &json!({"phase": "Degraded", "message": format!("ProgressDeadlineExceeded: {message}")}),
    );
    let back_off = json!([{
        "name": "shop", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"shop:v2\""}},
    }]);
    let seen = sample::observed(
        updating(0, status(stuck)),
        vec![replica_set("bbb", 3, "shop:v2", 1, json!({"status": {"availableReplicas": 0}}))],
        vec![
            pod("aaa", "x1", json!({})),
            pod("bbb", "y1", json!({"status": {"phase": "Pending", "containerStatuses": back_off}})),
        ],
        vec![],
    );
    let expected = "\
shop in namespace web: ✖ Degraded at step 1 of 4 (setWeight: 20)

Why
  Nothing has progressed for longer than spec.progressDeadlineSeconds (10m), noticed at 14:08:00 UTC, 2m ago:
  ReplicaSet \"shop-bbb\" has timed out progressing.

Waits for
  1 canary pods to be available
    since 14:07:00 UTC, 3m ago
    then: the step is done

Traffic
  asked 20 of 100, observed 20  ████░░░░░░░░░░░░░░░░  confirmed by the router

Pods not ready
  shop-bbb-y1 ImagePullBackOff: Back-off pulling image \"shop:v2\"

Next
  it goes on by itself when the pods become available

You can
  kubectl serin get rollout shop -n web  see every pod
  kubectl serin abort shop -n web        take the update back: all traffic to stable
  kubectl edit rollout shop -n web       correct the spec
";
    check("deadline", &seen, expected);
}

#[test]
fn what_the_cluster_refuses_is_said_in_its_words() {
    let quota = json!({"conditions": [{
        "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: pods",
        "lastUpdateTime": "2026-11-24T14:08:00Z", "lastTransitionTime": "2026-11-24T14:08:00Z",
    }]});
    let create = condition(
        "Progressing",
        "ReplicaSetCreateError",
        "Failed to create new replica set \"shop-bbb\": no",
    );
    for (change, expected) in [
        (quota, "The cluster refuses its pods since 14:08:00 UTC, 2m ago: exceeded quota: pods"),
        (
            create,
            "The cluster refuses its ReplicaSet since 14:08:00 UTC, 2m ago: Failed to create new replica set \"shop-bbb\": no",
        ),
    ] {
        let why = explain(&seen(updating(0, status(change)), vec![]), &Invocation::default()).why;
        assert_eq!(why, ["The update to revision 3 works on step 1 of 4 (setWeight: 20).", expected]);
    }
}

#[test]
fn as_json_facts_are_objects() {
    let said = "The Rollout \"shop\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0";
    let invalid =
        merged(json!({"spec": {"replicas": -1}}), &status(condition("InvalidSpec", "InvalidSpec", said)));
    let json =
        serde_json::to_value(explain(&seen(updating(0, invalid), vec![]), &Invocation::default())).unwrap();
    let fact =
        json!({"field": "spec.replicas", "value": "-1", "problem": "must be greater than or equal to 0"});
    assert_eq!(json["facts"], json!([{"entries": fact}]));
    assert_eq!(json["actions"][0]["effect"], json!("correct the spec"));
}

#[test]
fn a_healthy_rollout_has_nothing_to_wait_for() {
    let expected = "\
shop in namespace web: ✔ Healthy

Why
  Revision 2 (aaa) is stable and has all traffic; 4 of 4 pods are available.

Next
  nothing; a change of spec.template begins the next update

You can
  kubectl serin undo shop -n web  go back to the revision before
";
    check("healthy", &seen(rollout(json!({})), vec![]), expected);
}

#[test]
fn what_the_controller_has_not_seen_is_not_explained_from_old_facts() {
    for (change, expected) in [
        (json!({"status": null}), "No controller has looked at this Rollout yet."),
        (
            json!({"metadata": {"generation": 8}}),
            "The spec has changed (generation 8), and the controller has last looked at generation 7.",
        ),
        (
            json!({"status": {"abortedAt": "2026-11-24T14:08:11Z", "phase": "Degraded"}}),
            "Somebody took the abort back; the controller has yet to start the update again.",
        ),
        (
            json!({"status": {"controllerPause": true, "phase": "Paused"}}),
            "Somebody ended the pause; the controller has yet to go on.",
        ),
        (
            json!({"spec": {"paused": true}}),
            "spec.paused is true: no step, no scaling and no promotion until it is false again.",
        ),
        (
            json!({"status": {"phase": "Progressing", "message": "updated replicas are still becoming available"}}),
            "Revision 2 is stable, and not everything is as it should be: updated replicas are still becoming available.",
        ),
    ] {
        assert_eq!(explain(&seen(rollout(change), vec![]), &Invocation::default()).why, [expected]);
    }
}
