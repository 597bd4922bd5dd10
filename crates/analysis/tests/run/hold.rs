//! A provider that cannot be reached holds the run; it is never a failure, and never a success.

use serde_json::json;
use serin_analysis::provider::{Answer, Response};
use serin_api::AnalysisPhase::{Error, Running};

use crate::stage::{Stage, down, scripted, vector};

fn stage() -> Stage {
    Stage::metric(json!({"successCondition": "result[0] < 1", "interval": "1m"}))
}

#[test]
fn an_outage_holds_and_says_since_when() {
    let mut stage = stage();
    stage.tick(|_| scripted('s'));
    stage.pass(60).tick(|_| down());
    for _ in 0..500 {
        stage.pass(10).tick(|_| down());
    }
    let message = "Prometheus http://prometheus:9090 is unreachable since 2026-03-01T12:01:00Z (connection refused): the analysis holds";
    let result = stage.result("m");
    assert_eq!((result.phase, result.message.as_str()), (Running, message));
    assert_eq!(
        (result.error, result.consecutive_error, result.count, result.consecutive_success),
        (1, 0, 1, 1)
    );
    assert_eq!(result.measurements.len(), 2, "one outage is one measurement");
    assert_eq!(
        result.measurements[1].message,
        "Prometheus http://prometheus:9090 is unreachable: connection refused"
    );
    assert_eq!(
        (stage.status().phase, stage.status().message.clone()),
        (Running, format!("Metric \"m\" holds: {message}"))
    );

    stage.pass(10).tick(|_| vector(&["0.5"]));
    let result = stage.result("m");
    assert_eq!((result.message.as_str(), result.successful, result.consecutive_success), ("", 2, 2));
    assert_eq!(stage.status().message, "");
    assert_eq!(stage.events, ["AnalysisDataUnavailable", "AnalysisDataAvailable"]);
}

#[test]
fn overload_and_start_up_are_outages_and_refusals_are_not() {
    for (status, body, held) in [
        (503, "", true),
        (502, "<html>Bad Gateway</html>", true),
        (500, "{\"status\":\"error\",\"errorType\":\"internal\",\"error\":\"x\"}", true),
        (429, "slow down", true),
        (408, "", true),
        (400, "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"x\"}", false),
        (401, "no", false),
        (404, "", false),
        (302, "", false),
        (200, "<html>log in</html>", false),
    ] {
        let mut stage = stage();
        stage.tick(|_| Answer::Response(Response { status, body: body.to_owned() }));
        let result = stage.result("m");
        assert_eq!(result.consecutive_error == 0, held, "{status} {body}: {result:?}");
        assert_eq!(result.message.contains("the analysis holds"), held, "{status}");
    }
}

#[test]
fn a_metric_that_limits_errors_itself_counts_an_outage() {
    let mut stage = Stage::metric(
        json!({"successCondition": "result[0] < 1", "interval": "1m", "consecutiveErrorLimit": 1}),
    );
    stage.tick(|_| down());
    assert_eq!(stage.status().phase, Running);
    stage.pass(10).tick(|_| down());
    assert_eq!(stage.status().phase, Error);
    assert_eq!(
        stage.status().message,
        "Metric \"m\" assessed Error due to consecutiveErrors (2) > consecutiveErrorLimit (1): \"Error Message: Prometheus \
         http://prometheus:9090 is unreachable: connection refused\""
    );
}

#[test]
fn two_outages_of_different_kinds_are_two_measurements() {
    let mut stage = stage();
    stage.tick(|_| down());
    stage.pass(10).tick(|_| scripted('e'));
    stage.pass(10).tick(|_| down());
    let kinds: Vec<bool> =
        stage.result("m").measurements.iter().map(|one| one.metadata.contains_key("held")).collect();
    assert_eq!(kinds, [true, false, true]);
}

#[test]
fn an_endpoint_that_answers_500_has_answered_and_one_that_does_not_answer_holds() {
    let spec = || {
        Stage::metric(
            json!({"provider": {"web": {"url": "http://canary/check"}}, "interval": "1m", "failureCondition": "false"}),
        )
    };
    let mut broken = spec();
    for _ in 0..5 {
        broken.tick(|_| Answer::Response(Response { status: 500, body: String::new() }));
        broken.pass(10);
    }
    assert_eq!(broken.status().phase, Error);
    let mut gone = spec();
    for _ in 0..20 {
        gone.tick(|_| down());
        gone.pass(10);
    }
    assert_eq!(gone.status().phase, Running);
    assert!(
        gone.status().message.contains("Web http://canary is unreachable since"),
        "{}",
        gone.status().message
    );
}
