//! What an analysis has seen, and what it leads to when it has not seen enough.

use super::*;

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
                {"phase": "Successful", "message": "evidence 0.8 of 80 needed",
                 "finishedAt": "2026-11-24T14:08:30Z"},
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
      ▁▄  evidence of the last 2 windows, from 1 to the bar of 80 in logarithms (█ has reached it)
      14:08:30 UTC  evidence 0.8 of 80 needed
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
