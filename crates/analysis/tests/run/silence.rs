//! Comparisons whose data stay away: outages, absences of the controller, missing series, and answers that are none.

use jiff::Timestamp;
use serde_json::json;
use serin_analysis::provider::Answer;
use serin_analysis::run::{Ask, Of, Part};
use serin_api::AnalysisPhase::{Failed, Inconclusive, Running};

use crate::comparison::{CANARY, NOON, STABLE, spec, stage, traffic, windows};
use crate::stage::{Counters, Stage, down, refused, success};

#[test]
fn an_outage_holds_and_the_windows_in_it_are_judged_once_each_afterwards() {
    let counters = traffic(|second| if second > NOON + 900 { 0.03 } else { 0.005 });
    let spec = spec(json!({}));
    let mut whole = Stage::new(spec.clone());
    whole.run.spec.measurement_retention =
        Some(serde_json::from_value(json!([{"metricName": ".", "limit": 100}])).unwrap());
    let mut broken = Stage::new(spec);
    broken.run.spec.measurement_retention = whole.run.spec.measurement_retention.clone();
    whole.play(1800, |_, ask| counters.answer(ask));
    let outage = |now: Timestamp| (NOON + 200..NOON + 800).contains(&now.as_second());
    broken.play(700, |now, ask| if outage(now) { down() } else { counters.answer(ask) });
    let message = &broken.status().message;
    assert!(
        message.contains("is unreachable since 2026-03-01T12:04:15Z")
            && message.ends_with("the analysis holds"),
        "{message}"
    );
    broken.play(1100, |now, ask| if outage(now) { down() } else { counters.answer(ask) });
    assert_eq!((whole.status().phase, broken.status().phase), (Failed, Failed));
    assert_eq!(windows(&whole), windows(&broken));
    assert_eq!(whole.result("error-rate").message, broken.result("error-rate").message);
    assert_eq!(
        broken.ends(),
        ["AnalysisDataUnavailable", "AnalysisDataAvailable", "MetricFailed", "AnalysisRunFailed"]
    );
}

#[test]
fn after_an_absence_of_the_controller_ten_windows_are_judged_per_look_and_an_hour_at_most() {
    let counters = traffic(|_| 0.005);
    let mut stage = stage(json!({}));
    stage.tick(|_| panic!("no window has passed"));
    stage.pass(30 * 60);
    let asked = stage.due().len();
    assert_eq!(asked, 22, "the history once, and ten windows, two questions each");
    let plan = stage.tick(|ask| counters.answer(ask));
    assert!(plan.wake.unwrap() < stage.now, "the others come at once");
    stage.tick(|ask| counters.answer(ask));
    stage.tick(|ask| counters.answer(ask));
    assert_eq!(stage.result("error-rate").count, 29);
    stage.pass(5 * 3600);
    let first = match stage.due()[0].part {
        Part::Window(window, _) => window * 60,
        other => panic!("{other:?}"),
    };
    assert_eq!(stage.now.as_second() - first, 3600);
}

#[test]
fn missing_series_hold_and_say_whose() {
    let both = traffic(|_| 0.005);
    let only = |revision: &str| {
        let mut counters = both.clone();
        counters.series.retain(|(found, _, _), _| found == revision);
        counters
    };
    for (counters, what) in [
        (
            only(STABLE),
            "the canary (rollouts_pod_template_hash=\"6d5f7c9b8\") has no series of http_requests_total{",
        ),
        (
            only(CANARY),
            "stable (rollouts_pod_template_hash=\"7cd4b9f6d\") has no series of http_requests_total{",
        ),
        (Counters::default(), "no series of http_requests_total{"),
    ] {
        let mut stage = stage(json!({"count": 3, "consecutiveErrorLimit": 0}));
        stage.play(900, |_, ask| counters.answer(ask));
        let result = stage.result("error-rate");
        assert_eq!((stage.status().phase, result.count), (Running, 0));
        assert!(
            result.message.starts_with(what) && result.message.ends_with("the analysis holds"),
            "{}",
            result.message
        );
        assert_eq!(result.measurements.len(), 1, "one outage is one measurement");
        stage.play(300, |_, ask| both.answer(ask));
        assert_eq!(stage.result("error-rate").count, 3, "it goes on when the series are there");
    }
}

#[test]
fn a_long_silence_ends_inconclusive_and_never_worse() {
    for (answer, timeout, phase) in [
        ("silent", json!(null), Inconclusive),
        ("silent", json!("10m"), Inconclusive),
        ("silent", json!("0"), Running),
        ("down", json!("10m"), Inconclusive),
        ("refused", json!("10m"), Inconclusive),
    ] {
        let requests = json!({"requests": "http_requests_total"});
        let mut stage = stage(json!({"comparison": {"noDataTimeout": timeout, "errorRate": requests}}));
        let empty = Counters::default();
        let said = |ask: &Ask| match answer {
            "silent" => empty.answer(ask),
            "down" => down(),
            _ => refused(),
        };
        stage.play(300, |_, ask| said(ask));
        let gives_up = serin_core::world::AnalysisRun::from(&stage.run).gives_up.map(|at| at.as_second());
        let patience =
            [(json!(null), 3600), (json!("10m"), 600)].into_iter().find(|(text, _)| *text == timeout);
        let expected = patience.map(|(_, seconds)| NOON..NOON + seconds + 120);
        assert_eq!(
            expected.is_some_and(|expected| gives_up.is_some_and(|at| expected.contains(&at))),
            phase == Inconclusive,
            "{answer} {timeout}: {gives_up:?}"
        );
        stage.play(3900, |_, ask| said(ask));
        assert_eq!(stage.status().phase, phase, "{answer} {timeout}");
        if phase == Inconclusive {
            assert!(
                stage.status().message.contains("no data since 2026-03-01T12:0"),
                "{}",
                stage.status().message
            );
        }
    }
}

#[test]
fn half_an_answer_leaves_the_window_for_the_next_look() {
    let counters = traffic(|_| 0.005);
    let mut stage = stage(json!({}));
    stage.tick(|_| panic!("no window has passed"));
    let errors_down = |ask: &Ask| {
        if matches!(ask.part, Part::Window(_, Of::Events)) { down() } else { counters.answer(ask) }
    };
    stage.pass(75).tick(errors_down);
    assert_eq!(stage.result("error-rate").count, 0);
    stage.pass(10).tick(|ask| counters.answer(ask));
    assert_eq!(windows(&stage)[0].start, NOON);
}

#[test]
fn answers_that_are_no_counters_hold() {
    let labels = json!({"rollouts_pod_template_hash": CANARY, "pod": "c1"});
    let odd = json!({"status": "success", "data": {"resultType": "matrix", "result": [
        {"metric": labels, "values": [[NOON as f64 + 5.0, "NaN"]]}
    ]}});
    let mut nan = stage(json!({}));
    nan.play(100, |_, _| success(&odd));
    assert!(
        nan.result("error-rate").message.contains("is NaN, which no counter can be"),
        "{}",
        nan.result("error-rate").message
    );

    let number = json!({"status": "success", "data": {"resultType": "scalar", "result": [1.0, "1"]}});
    let mut scalar = stage(json!({}));
    scalar.play(100, |_, _| success(&number));
    let message = &scalar.result("error-rate").message;
    assert!(message.contains("Prometheus did not answer a range of samples"), "{message}");

    let more: fn(&Ask) -> Answer = |ask| {
        let counters =
            if matches!(ask.part, Part::Window(_, Of::Events)) { traffic(|_| 1.0) } else { traffic(|_| 0.0) };
        counters.answer(ask)
    };
    let mut stage = stage(json!({}));
    stage.play(100, |_, ask| more(ask));
    assert_eq!(stage.status().phase, Running);
}
