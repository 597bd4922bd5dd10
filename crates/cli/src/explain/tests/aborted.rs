//! What an abort is put down to.

use super::*;

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
