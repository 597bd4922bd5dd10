//! Runs in the past, and reports as they read; the judge itself is tested where it is.

use jiff::Timestamp;
use serde_json::{Value, json};
use serin_analysis::provider::{Answer, Response};
use serin_analysis::run::{Asked as Answered, RunWorld, conclude, due};
use serin_api::{AnalysisRun, AnalysisRunSpec, Arms};

use super::*;
use crate::paint::Paint;

fn now() -> Timestamp {
    "2026-11-24T14:10:00Z".parse().unwrap()
}

fn asked(windows: u32) -> Asked {
    let arms = Arms { canary: "bbb".to_owned(), stable: "aaa".to_owned(), ..Arms::default() };
    Asked { arms, windows, window: None, prometheus: Some("http://localhost:9090".to_owned()) }
}

fn question() -> AnalysisRunSpec {
    Question { requests: "http_requests_total".to_owned(), ..Question::default() }.spec()
}

/// Counters that rise evenly: so many requests, and so many errors, a second.
fn counters(query: &str, until: i64, per_second: [(&str, f64); 2]) -> Value {
    let series = per_second.map(|(hash, rate)| {
        let values: Vec<_> = (until - 600..=until)
            .step_by(15)
            .map(|at| json!([at, (rate * at as f64).floor().to_string()]))
            .collect();
        let labels = json!({
            "__name__": "http_requests_total", "code": if query.contains("code") { "500" } else { "200" },
            "rollouts_pod_template_hash": hash, "pod": format!("shop-{hash}"),
        });
        json!({"metric": labels, "values": values})
    });
    json!({"status": "success", "data": {"resultType": "matrix", "result": series}})
}

/// Asks the run all its questions of a service whose canary fails so many requests a second.
fn judged(mut run: AnalysisRun, errors: f64) -> AnalysisRun {
    let secrets = Default::default();
    for _ in 0..100 {
        let world = RunWorld {
            now: now(),
            run: &run,
            secrets: &secrets,
            profiles: &Default::default(),
            weight: None,
            extensions: None,
            jobs: &[],
            default_prometheus: None,
        };
        let asks = due(&world);
        if asks.is_empty() {
            break;
        }
        let answered: Vec<_> = asks
            .into_iter()
            .map(|ask| {
                let sent = format!("{}{}", ask.request.url, ask.request.body.clone().unwrap_or_default());
                let of_errors = sent.contains("code");
                let until = now().as_second();
                let rates =
                    if of_errors { [("bbb", errors), ("aaa", 0.5)] } else { [("bbb", 20.0), ("aaa", 80.0)] };
                let body = counters(if of_errors { "code" } else { "" }, until, rates).to_string();
                Answered { ask, answer: Answer::Response(Response { status: 200, body }) }
            })
            .collect();
        let status = conclude(&world, &answered).status;
        run.status = Some(status);
    }
    run
}

#[test]
fn a_regression_is_found_in_the_windows_that_have_passed() {
    for (errors, expected, phrase) in [
        (2.0, Outcome::Worse, "The canary is worse than stable by more than its limit."),
        (
            0.1,
            Outcome::NotWorse,
            "No significant regression: the canary is shown not to be worse by its limit.",
        ),
    ] {
        let run = run_in_the_past(question(), &asked(8), now()).unwrap();
        let report = report(&judged(run, errors), vec![]);
        assert_eq!(report.outcome, expected, "{report:?}");
        let text = text(&report, Paint::PLAIN);
        assert!(text.starts_with("canary bbb against stable aaa\n  error-rate: "), "{text}");
        assert!(text.ends_with(&format!("{phrase}\n")), "{text}");
        assert!(text.contains("\n    canary "), "{text}");
    }
}

#[test]
fn who_cannot_be_asked_is_unknown_and_no_regression() {
    let mut run = run_in_the_past(question(), &asked(3), now()).unwrap();
    let secrets = Default::default();
    let world = RunWorld {
        now: now(),
        run: &run,
        secrets: &secrets,
        profiles: &Default::default(),
        weight: None,
        extensions: None,
        jobs: &[],
        default_prometheus: None,
    };
    let refused = |ask| Answered { ask, answer: Answer::Unreachable("connection refused".to_owned()) };
    let answered: Vec<_> = due(&world).into_iter().map(refused).collect();
    assert!(!answered.is_empty(), "windows of the past are due at once");
    run.status = Some(conclude(&world, &answered).status);
    let report = report(&run, vec![]);
    assert_eq!(report.outcome, Outcome::Unknown);
    assert!(report.metrics[0].reason.contains("connection refused"), "{report:?}");
}

#[test]
fn other_metrics_are_left_out_and_a_bad_window_is_named() {
    let mut spec = question();
    spec.metrics
        .get_or_insert_default()
        .push(serin_api::Metric { name: "rps".to_owned(), ..Default::default() });
    assert_eq!(only_comparisons(&mut spec), ["rps"]);
    let bad = Asked { window: Some("soon".to_owned()), ..asked(3) };
    let why = run_in_the_past(spec, &bad, now()).unwrap_err();
    assert_eq!(why, "metric error-rate: \"soon\" is no length of a window; give one such as 1m");
}
