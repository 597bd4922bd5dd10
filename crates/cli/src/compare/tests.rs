//! Runs in the past, and reports as they read; the judge itself is tested where it is.

use jiff::Timestamp;
use serde_json::{Value, json};
use serin_analysis::provider::{Answer, Response};
use serin_analysis::run::{Asked as Answered, RunWorld, conclude, due};
use serin_api::{AnalysisRunSpec, Arms};

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

/// Counters that rise evenly: so many requests, and so many errors, a second; those of the canary only `since` then.
fn counters(query: &str, (since, until): (i64, i64), per_second: [(&str, f64); 2]) -> Value {
    let series = per_second.map(|(hash, rate)| {
        let values: Vec<_> = (until - 600..=until)
            .step_by(15)
            .map(|at| {
                let begun = if hash == "bbb" { since.max(0) } else { 0 };
                json!([at, (rate * (at - begun).max(0) as f64).floor().to_string()])
            })
            .collect();
        let labels = json!({
            "__name__": "http_requests_total", "code": if query.contains("code") { "500" } else { "200" },
            "rollouts_pod_template_hash": hash, "pod": format!("shop-{hash}"),
        });
        json!({"metric": labels, "values": values})
    });
    json!({"status": "success", "data": {"resultType": "matrix", "result": series}})
}

/// A run of the question's windows, under one weight for ever.
fn past(asked: &Asked) -> Past {
    run_in_the_past(question(), asked, &Weight::Unknown("nobody asked"), now()).unwrap()
}

/// Asks the run all its questions of a service whose canary fails so many requests a second.
fn judged(past: Past, errors: f64) -> Past {
    judged_since(past, errors, i64::MIN)
}

/// The same, of a canary that has failed since then only.
fn judged_since(mut past: Past, errors: f64, since: i64) -> Past {
    let run = &mut past.run;
    let secrets = Default::default();
    for _ in 0..100 {
        let world = RunWorld {
            now: now(),
            run,
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
                let body = counters(if of_errors { "code" } else { "" }, (since, until), rates).to_string();
                Answered { ask, answer: Answer::Response(Response { status: 200, body }) }
            })
            .collect();
        let status = conclude(&world, &answered).status;
        run.status = Some(status);
    }
    past
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
        let report = report(&judged(past(&asked(8)), errors));
        assert_eq!(report.outcome, expected, "{report:?}");
        assert_eq!(report.metrics[0].windows, if expected == Outcome::Worse { 3 } else { 8 }, "{report:?}");
        let text = text(&report, Paint::PLAIN);
        assert!(text.starts_with("canary bbb against stable aaa\n  error-rate: "), "{text}");
        assert!(text.contains(&format!("\n{phrase}\nnote: windows in which the weight changed")), "{text}");
        assert!(text.contains("\n    canary "), "{text}");
    }
}

#[test]
fn who_cannot_be_asked_is_unknown_and_no_regression() {
    let mut past = past(&asked(3));
    let run = &mut past.run;
    let secrets = Default::default();
    let world = RunWorld {
        now: now(),
        run,
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
    let report = report(&past);
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
    let why = run_in_the_past(spec, &bad, &Weight::Unknown(""), now()).unwrap_err();
    assert_eq!(why, "metric error-rate: \"soon\" is no length of a window; give one such as 1m");
}

fn weight_since(clock: &str) -> Weight {
    Weight::Since { weight: 50, at: format!("2026-11-24T{clock}Z").parse().unwrap() }
}

#[test]
fn only_windows_under_the_weight_that_is_in_force_are_judged() {
    // Until 14:05 another canary, at another weight, served the same revision without any error.
    let changed = now().as_second() - 300;
    let cut = run_in_the_past(question(), &asked(9), &weight_since("14:05:00"), now()).unwrap();
    let found = report(&judged_since(cut, 2.0, changed));
    assert_eq!((found.outcome, found.metrics[0].windows), (Outcome::Worse, 3), "{found:?}");
    let text = text(&found, Paint::PLAIN);
    assert!(text.contains("error-rate: WORSE after 3 windows of 14:06:00 UTC to 14:09:00 UTC\n"), "{text}");
    let why = "note: error-rate: 3 windows instead of 9: the weight of the canary became 50 at 14:05:00 UTC, and windows";
    assert!(text.contains(why), "{text}");
    let shown = serde_json::to_value(&found).unwrap();
    assert_eq!(
        shown["metrics"][0]["lookedAt"],
        json!({"from": "2026-11-24T14:06:00Z", "until": "2026-11-24T14:09:00Z"})
    );
}

#[test]
fn a_change_of_the_weight_a_moment_ago_leaves_nothing_to_judge() {
    for weight in [weight_since("14:08:00"), Weight::Moving { weight: 50 }] {
        let refused = run_in_the_past(question(), &asked(9), &weight, now()).unwrap();
        assert!(refused.run.spec.metrics.iter().flatten().next().is_none(), "nobody is asked");
        let found = report(&refused);
        assert_eq!(found.outcome, Outcome::Unknown, "a pipeline must not go on: {found:?}");
        assert_eq!((found.metrics[0].windows, found.metrics[0].looked_at), (0, None));
        assert!(found.metrics[0].reason.contains("ask again"), "{found:?}");
    }
}

#[test]
fn the_last_windows_of_each_metric_are_judged_whatever_the_others_need() {
    let mut spec = question();
    let long = spec.metrics.clone().unwrap_or_default().into_iter().map(|metric| serin_api::Metric {
        name: "long".to_owned(),
        interval: Some("2m".to_owned()),
        ..metric
    });
    spec.metrics.get_or_insert_default().extend(long);
    let past = run_in_the_past(spec, &asked(4), &Weight::Unknown(""), now()).unwrap();
    let times: Vec<_> = report(&past).metrics.into_iter().filter_map(|metric| metric.looked_at).collect();
    let at = |clock: &str| format!("2026-11-24T{clock}Z").parse::<Timestamp>().unwrap();
    assert_eq!(
        times,
        [
            Stretch { from: at("14:05:00"), until: at("14:09:00") },
            Stretch { from: at("14:00:00"), until: at("14:08:00") }
        ]
    );
}

#[test]
fn the_status_of_the_rollout_says_since_when() {
    let of = |weights: Value| {
        let status = json!({"status": {"canary": {"weights": weights}}});
        Weight::of(Some(&crate::sample::updating(1, status)))
    };
    let at = "2026-11-24T14:05:00Z";
    assert_eq!(of(json!({"appliedAt": at})), Weight::Since { weight: 20, at: at.parse().unwrap() });
    assert_eq!(of(json!({"verified": false})), Weight::Moving { weight: 20 });
    assert_eq!(of(json!({})), Weight::Unknown("status.canary.weights.appliedAt is not set"));
    assert!(matches!(of(Value::Null), Weight::Unknown(why) if why.contains("routes no traffic")));
    assert_eq!(Weight::of(None), Weight::Unknown("no Rollout is named"));
}
