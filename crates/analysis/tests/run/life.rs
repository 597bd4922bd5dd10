//! Interval, count, limits, termination, retention and deletion.

use serde_json::{Value, json};
use serin_analysis::run::{Asked, conclude};
use serin_api::AnalysisPhase::{self, Error, Failed, Inconclusive, Running, Successful};

use crate::stage::{Stage, metric, scripted, vector};

pub(crate) fn conditions() -> Value {
    json!({"successCondition": "result[0] < 1", "failureCondition": "result[0] > 2", "interval": "1m"})
}

pub(crate) fn with(mut base: Value, fields: Value) -> Value {
    for (field, value) in fields.as_object().unwrap() {
        base[field] = value.clone();
    }
    base
}

/// Plays a script: letter by letter the answers, until the run is over or the script ends.
fn played(spec: Value, script: &str) -> Stage {
    let mut stage = Stage::new(spec);
    let mut letters = script.chars();
    for _ in 0..=script.len() {
        let Some(wake) = stage.tick(|_| scripted(letters.next().unwrap_or('s'))).wake else { break };
        if stage.status().phase.completed() || letters.as_str().is_empty() {
            break;
        }
        stage.now = wake;
    }
    stage
}

#[test]
fn metrics_end_by_their_counters() {
    for (case, fields, script, phase, message) in [
        ("one measurement without interval", json!({"interval": null}), "s", Successful, ""),
        (
            "one failed measurement",
            json!({"interval": null}),
            "f",
            Failed,
            "Metric \"m\" assessed Failed due to failed (1) > failureLimit (0)",
        ),
        ("three of three", json!({"count": 3}), "sss", Successful, ""),
        ("two of three", json!({"count": 3}), "ss", Running, ""),
        ("count as text", json!({"count": "2"}), "ss", Successful, ""),
        ("no count goes on", json!({}), "ssssssssss", Running, ""),
        ("failures are borne up to the limit", json!({"failureLimit": 2}), "ffs", Running, ""),
        (
            "and not beyond",
            json!({"failureLimit": 2}),
            "fsfsf",
            Failed,
            "Metric \"m\" assessed Failed due to failed (3) > failureLimit (2)",
        ),
        (
            "inconclusive at once",
            json!({}),
            "i",
            Inconclusive,
            "Metric \"m\" assessed Inconclusive due to inconclusive (1) > inconclusiveLimit (0)",
        ),
        ("inconclusive ones are borne", json!({"inconclusiveLimit": 1, "count": 3}), "iss", Successful, ""),
        ("four errors in a row are borne", json!({}), "eeees", Running, ""),
        (
            "five are not",
            json!({}),
            "eeeee",
            Error,
            "Metric \"m\" assessed Error due to consecutiveErrors (5) > consecutiveErrorLimit (4): \"Error Message: bad_data: parse error\"",
        ),
        ("errors in a row begin anew after a value", json!({}), "eeeeseeee", Running, ""),
        ("errors do not use up the count", json!({"count": 2}), "eses", Successful, ""),
        (
            "an own error limit",
            json!({"consecutiveErrorLimit": 1}),
            "ee",
            Error,
            "Metric \"m\" assessed Error due to consecutiveErrors (2) > consecutiveErrorLimit (1): \"Error Message: bad_data: parse error\"",
        ),
        (
            "enough successes in a row",
            json!({"consecutiveSuccessLimit": 2, "failureLimit": -1}),
            "fsfss",
            Successful,
            "",
        ),
        (
            "not enough of them when the count is reached",
            json!({"consecutiveSuccessLimit": 2, "failureLimit": -1, "count": 3}),
            "sfs",
            Failed,
            "Metric \"m\" assessed Failed due to count (3) reached with consecutiveSuccess (1) < consecutiveSuccessLimit (2)",
        ),
        (
            "both limits, neither reached",
            json!({"consecutiveSuccessLimit": 2, "failureLimit": 1, "count": 3}),
            "sfs",
            Inconclusive,
            "Metric \"m\" assessed Inconclusive due to count (3) reached with consecutiveSuccess (1) < consecutiveSuccessLimit (2)",
        ),
        (
            "a count of borne failures is no success",
            json!({"failureLimit": 2, "count": 2}),
            "ff",
            Inconclusive,
            "Metric \"m\" assessed Inconclusive due to no successful measurement",
        ),
        (
            "an empty vector is an error",
            json!({"consecutiveErrorLimit": 0}),
            "n",
            Error,
            "Metric \"m\" assessed Error due to consecutiveErrors (1) > consecutiveErrorLimit (0): \"Error Message: could not \
             evaluate failureCondition \"result[0] > 2\": metric result is nil or empty: no data returned from the metric provider\"",
        ),
        (
            "NaN is no success",
            json!({"successCondition": null}),
            "x",
            Inconclusive,
            "Metric \"m\" assessed Inconclusive due to inconclusive (1) > inconclusiveLimit (0): \"Error Message: the result is NaN, \
             which decides nothing: say with isNaN() what it means, or change the query\"",
        ),
    ] {
        let stage = played(json!({"metrics": [metric("m", with(conditions(), fields))]}), script);
        let status = stage.status();
        assert_eq!((status.phase, status.message.as_str()), (phase, message), "{case}");
        assert_eq!(status.completed_at.is_some(), phase.completed(), "{case}");
    }
}

#[test]
fn counters_say_what_was_measured() {
    let stage = played(
        json!({"metrics": [metric("m", with(conditions(), json!({"failureLimit": 3, "inconclusiveLimit": 3})))]}),
        "sfsiess",
    );
    let result = stage.result("m");
    assert_eq!(
        (result.count, result.successful, result.failed, result.inconclusive, result.error),
        (6, 4, 1, 1, 1)
    );
    assert_eq!((result.consecutive_error, result.consecutive_success), (0, 2));
    assert_eq!(result.metadata["ResolvedPrometheusQuery"], "up");
    let values: Vec<&str> =
        result.measurements.iter().map(|measurement| measurement.value.as_str()).collect();
    assert_eq!(values, ["[0.5]", "[3]", "[0.5]", "[1.5]", "", "[0.5]", "[0.5]"]);
    assert_eq!((stage.status().run_summary.count, stage.status().run_summary.successful), (1, 0));
}

#[test]
fn measurements_come_at_their_times() {
    for (case, fields, script, expected) in [
        ("interval after interval", json!({"interval": "1m"}), "sss", [0, 60, 120]),
        (
            "after an error ten seconds, though the interval is longer",
            json!({"interval": "1m"}),
            "ess",
            [0, 10, 70],
        ),
        (
            "after an error ten seconds, though the interval is shorter",
            json!({"interval": "2s"}),
            "ess",
            [0, 10, 12],
        ),
        ("an outage is asked about every ten seconds", json!({"interval": "1m"}), "dds", [0, 10, 20]),
        ("or every interval, when that is shorter", json!({"interval": "2s"}), "dds", [0, 2, 4]),
        ("after the initial delay", json!({"interval": "1m", "initialDelay": "30s"}), "sss", [30, 90, 150]),
    ] {
        let mut stage = Stage::metric(with(conditions(), fields));
        let begin = stage.now;
        let mut letters = script.chars();
        let mut times = Vec::new();
        while times.len() < expected.len() {
            let wake = stage
                .tick(|ask| {
                    times.push(ask.at.duration_since(begin).as_secs());
                    scripted(letters.next().unwrap_or('s'))
                })
                .wake
                .unwrap();
            stage.now = wake;
        }
        assert_eq!(times, expected, "{case}");
    }
}

#[test]
fn a_metric_with_a_delay_waits_and_says_until_when() {
    let mut stage = Stage::metric(with(conditions(), json!({"initialDelay": "5m"})));
    let plan = stage.tick(|_| panic!("too early"));
    assert_eq!((plan.status.phase, plan.wake), (Running, Some("2026-03-01T12:05:00Z".parse().unwrap())));
    assert!(plan.status.metric_results.is_empty());
}

#[test]
fn a_terminated_run_is_successful_only_on_evidence() {
    for (case, fields, script, phase, message) in [
        ("after a success", json!({}), "s", Successful, "Run Terminated"),
        ("after a success, before its count", json!({"count": 5}), "s", Successful, "Run Terminated"),
        (
            "before any measurement",
            json!({"initialDelay": "5m"}),
            "",
            Inconclusive,
            "Run Terminated: nothing was measured, which says nothing about the revision",
        ),
        (
            "after errors only",
            json!({}),
            "ee",
            Inconclusive,
            "Metric \"m\" assessed Inconclusive due to no successful measurement: \"Error Message: bad_data: parse error\"",
        ),
        (
            "in an outage",
            json!({}),
            "dd",
            Inconclusive,
            "Metric \"m\" assessed Inconclusive due to no successful measurement: \"Error Message: Prometheus \
             http://prometheus:9090 is unreachable: connection refused\"",
        ),
        ("in an outage after a success", json!({}), "sd", Successful, "Run Terminated"),
        (
            "after a borne failure",
            json!({"failureLimit": 2}),
            "f",
            Inconclusive,
            "Metric \"m\" assessed Inconclusive due to no successful measurement",
        ),
    ] {
        let mut stage = played(json!({"metrics": [metric("m", with(conditions(), fields))]}), script);
        stage.run.spec.terminate = true;
        stage.pass(300).tick(|_| panic!("{case}: a run that ends asks nothing"));
        let status = stage.status();
        assert_eq!((status.phase, status.message.as_str()), (phase, message), "{case}");
    }
}

#[test]
fn one_bad_metric_ends_the_run() {
    let good = metric("good", with(conditions(), json!({"count": 10})));
    let bad = metric("bad", with(conditions(), json!({"provider": {"prometheus": {"query": "bad"}}})));
    let late = metric("late", with(conditions(), json!({"initialDelay": "5m"})));
    let mut stage = Stage::new(json!({"metrics": [good, bad, late]}));
    stage.tick(|ask| scripted(if ask.metric == "bad" { 'f' } else { 's' }));
    assert_eq!(stage.status().phase, Failed);
    assert_eq!(stage.status().message, "Metric \"bad\" assessed Failed due to failed (1) > failureLimit (0)");
    assert_eq!((stage.result("good").phase, stage.result("bad").phase), (Successful, Failed));
    let summary = &stage.status().run_summary;
    assert_eq!((summary.count, summary.successful, summary.failed), (3, 1, 1));
    assert_eq!(stage.events, ["MetricSuccessful", "MetricFailed", "AnalysisRunFailed"]);
}

#[test]
fn the_worst_metric_names_the_phase() {
    for (script, expected) in
        [("sf", Failed), ("si", Inconclusive), ("fi", Failed), ("is", Inconclusive), ("ss", Successful)]
    {
        let once = with(conditions(), json!({"interval": null}));
        let mut stage = Stage::new(json!({"metrics": [metric("a", once.clone()), metric("b", once)]}));
        let mut letters = script.chars();
        stage.tick(|_| scripted(letters.next().unwrap()));
        assert_eq!(stage.status().phase, expected, "{script}");
    }
}

#[test]
fn old_measurements_are_forgotten() {
    for (rules, expected) in [
        (json!([]), 10),
        (json!([{"metricName": "m", "limit": 3}]), 3),
        (json!([{"metricName": ".*", "limit": 25}]), 20),
        (json!([{"metricName": "m", "limit": 0}]), 10),
    ] {
        let mut stage =
            Stage::new(json!({"metrics": [metric("m", conditions())], "measurementRetention": rules}));
        for _ in 0..20 {
            stage.tick(|_| scripted('s'));
            stage.pass(60);
        }
        assert_eq!((stage.result("m").measurements.len(), stage.result("m").count), (expected, 20));
    }
}

#[test]
fn finished_runs_are_deleted_in_their_time() {
    for (ttl, script, seconds) in [
        (json!({"secondsAfterCompletion": 100}), "s", Some(100)),
        (json!({"secondsAfterCompletion": 100, "secondsAfterSuccess": 10}), "s", Some(10)),
        (json!({"secondsAfterCompletion": 100, "secondsAfterFailure": 20}), "s", Some(100)),
        (json!({"secondsAfterCompletion": 100, "secondsAfterFailure": 20}), "f", Some(20)),
        (json!({"secondsAfterFailure": 20}), "s", None),
        (json!({"secondsAfterFailure": 20}), "i", None),
        (json!(null), "s", None),
    ] {
        let once = with(conditions(), json!({"interval": null}));
        let mut stage = played(json!({"metrics": [metric("m", once)], "ttlStrategy": ttl}), script);
        let plan = stage.tick(|_| panic!("it is over"));
        let wake = plan.wake.map(|wake| wake.duration_since(stage.now).as_secs());
        assert_eq!((plan.delete, wake), (false, seconds), "{ttl} {script}");
        if let Some(seconds) = seconds {
            assert!(stage.pass(seconds).tick(|_| panic!("it is over")).delete, "{ttl} {script}");
        }
    }
}

#[test]
fn runs_that_cannot_work_end_at_once_and_can_be_deleted_too() {
    for (spec, message) in [
        (json!({"metrics": []}), "Analysis spec invalid: no metrics specified"),
        (
            json!({"metrics": [metric("m", json!({"count": 2}))]}),
            "Analysis spec invalid: metrics[0]: interval must be specified when count > 1",
        ),
        (
            json!({"metrics": [metric("m", json!({}))], "dryRun": [{"metricName": "*"}]}),
            "Analysis spec invalid: dryRun[0]: Rule didn't match any metric name(s)",
        ),
        (
            json!({"metrics": [metric("m", json!({}))], "measurementRetention": [{"metricName": "x", "limit": 1}]}),
            "Analysis spec invalid: measurementRetention[0]: Rule didn't match any metric name(s)",
        ),
        (
            json!({"metrics": [metric("m", json!({}))], "args": [{"name": "a"}]}),
            "Unable to resolve metric arguments: argument \"a\" was not supplied",
        ),
        (
            json!({"metrics": [metric("m", json!({"successCondition": "{{args.b}}"}))]}),
            "Unable to resolve metric arguments: failed to resolve {{args.b}}",
        ),
        (
            json!({"metrics": [{"name": "m", "provider": {"plugin": {"acme/x": {}}}}]}),
            "Analysis spec invalid: metrics[0]: provider.plugin: the extension \"acme/x\" is not configured; name it with its url under \
             `extensions` in the ConfigMap of the controller (docs/extensions.md); plugins of Argo Rollouts are Go programs and cannot \
             be loaded",
        ),
    ] {
        let mut stage = Stage::new(spec);
        stage.run.spec.ttl_strategy =
            Some(serde_json::from_value(json!({"secondsAfterFailure": 5})).unwrap());
        let plan = stage.tick(|_| panic!("nothing to ask"));
        assert_eq!((plan.status.phase, plan.status.message.as_str()), (AnalysisPhase::Error, message));
        assert_eq!(plan.wake, Some("2026-03-01T12:00:05Z".parse().unwrap()));
        assert_eq!(stage.events, ["AnalysisRunError"]);
    }
}

#[test]
fn arguments_reach_queries_limits_and_conditions() {
    let spec = json!({
        "args": [{"name": "app", "value": "shop"}, {"name": "n", "value": "2"}],
        "metrics": [metric("m", json!({
            "provider": {"prometheus": {"query": "up{app=\"{{args.app}}\"}"}}, "interval": "1m", "count": "{{args.n}}",
            "successCondition": "result[0] < {{args.n}}",
        }))],
    });
    let mut stage = Stage::new(spec);
    stage.tick(|ask| {
        assert_eq!(crate::stage::parameter(&ask.request.url, "query"), "up{app=\"shop\"}");
        vector(&["1.5"])
    });
    assert_eq!((stage.status().phase, stage.result("m").successful), (Running, 1));
    stage.pass(60).tick(|_| vector(&["1.5"]));
    assert_eq!(stage.status().phase, Successful);
}

#[test]
fn long_values_do_not_burst_the_status() {
    let values = vec!["0.123456789"; 5000];
    let mut stage = Stage::metric(json!({"successCondition": "all(result, # < 1)"}));
    stage.tick(|_| vector(&values));
    assert_eq!(stage.status().phase, Successful);
    assert_eq!(stage.result("m").measurements[0].value.chars().count(), 4001);
}

#[test]
fn a_slow_first_answer_counts() {
    let mut stage = Stage::metric(conditions());
    let asked: Vec<Asked> = stage.due().into_iter().map(|ask| Asked { ask, answer: scripted('s') }).collect();
    let plan = conclude(&stage.pass(7).world(), &asked);
    stage.store(&plan);
    assert_eq!(stage.result("m").count, 1);
    assert_eq!(stage.status().started_at.as_ref().unwrap().0, "2026-03-01T12:00:00Z".parse().unwrap());
    assert_eq!(plan.wake, Some("2026-03-01T12:01:07Z".parse().unwrap()));
}
