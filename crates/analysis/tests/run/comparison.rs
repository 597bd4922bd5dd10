//! The error-rate comparison from questions to verdict: windows, gaps, missing arms, restarts and replays.

use jiff::Timestamp;
use serde_json::{Value, json};
use serin_analysis::comparison::Window as Stored;
use serin_analysis::comparison::replay;
use serin_analysis::judge::error_rate::Window;
use serin_analysis::provider::Answer;
use serin_analysis::run::{Ask, Asked, Of, Part, conclude};
use serin_api::AnalysisPhase::{Failed, Inconclusive, Running, Successful};

use crate::stage::{Counters, Stage, down, parameter, refused, success};

const CANARY: &str = "6d5f7c9b8";
const STABLE: &str = "7cd4b9f6d";

/// Noon of the stage, seconds since 1970.
const NOON: i64 = 1_772_366_400;

fn spec(metric: Value) -> Value {
    let mut base = json!({
        "name": "error-rate", "interval": "60s", "provider": {"prometheus": {}},
        "comparison": {"errorRate": {"requests": "http_requests_total{app=\"shop\"}"}},
    });
    for (field, value) in metric.as_object().unwrap() {
        base[field] = value.clone();
    }
    json!({"metrics": [base], "arms": {"canary": CANARY, "stable": STABLE}})
}

pub(crate) fn stage(metric: Value) -> Stage {
    Stage::new(spec(metric))
}

/// An hour of stable at 90 requests/s and a canary at 10, which came five minutes ago.
pub(crate) fn traffic(canary_bad: impl Fn(i64) -> f64) -> Counters {
    let hours = (NOON - 600, NOON + 7200);
    Counters::default()
        .pod(STABLE, "s1", hours, 45.0, |_| 0.005)
        .pod(STABLE, "s2", hours, 45.0, |_| 0.005)
        .pod(CANARY, "c1", (NOON - 300, NOON + 7200), 10.0, canary_bad)
}

fn windows(stage: &Stage) -> Vec<Window> {
    let measurements = &stage.result("error-rate").measurements;
    let stored = measurements.iter().filter_map(|measurement| measurement.metadata.get("window"));
    let rates = |window: &String| match serde_json::from_str(window).unwrap() {
        Stored::Rates(window) => window,
        other => panic!("{other:?}"),
    };
    stored.map(rates).collect()
}

#[test]
fn a_worse_canary_fails_and_the_reasons_say_why() {
    let mut stage = stage(json!({}));
    let counters = traffic(|_| 0.03);
    stage.play(3600, |_, ask| counters.answer(ask));
    let status = stage.status();
    assert_eq!(status.phase, Failed);
    let start = "Metric \"error-rate\" assessed Failed due to error-rate canary 3.00 % (";
    assert!(status.message.starts_with(start), "{}", status.message);
    assert!(
        status.message.ends_with("-> FAIL") && !status.message.contains("Error Message"),
        "{}",
        status.message
    );
    let result = stage.result("error-rate");
    assert_eq!((result.count, result.failed), (3, 3), "three windows in a row are the fewest that can fail");
    assert_eq!(result.measurements[2].value, "canary 3.00% stable 0.52%");
    assert_eq!(result.measurements[2].message, result.message);
    assert_eq!(stage.events, ["MetricFailed", "AnalysisRunFailed"]);
}

#[test]
fn a_good_canary_passes_where_the_comparison_is_planned_to_end() {
    let counters = traffic(|_| 0.005);
    let mut ended = stage(json!({"count": 10}));
    ended.play(3600, |_, ask| counters.answer(ask));
    assert_eq!((ended.status().phase, ended.result("error-rate").count), (Successful, 10));
    assert_eq!(ended.status().message, "");

    let mut background = stage(json!({}));
    background.play(1800, |_, ask| counters.answer(ask));
    assert_eq!(background.status().phase, Running);
    background.run.spec.terminate = true;
    background.tick(|_| panic!("a run that ends asks nothing"));
    assert_eq!(
        (background.status().phase, background.status().message.as_str()),
        (Successful, "Run Terminated")
    );
}

#[test]
fn questions_are_raw_samples_of_both_revisions_at_the_end_of_the_window() {
    let mut stage = stage(json!({}));
    stage.tick(|_| panic!("no window has passed"));
    stage.pass(74);
    assert!(stage.due().is_empty(), "the window ended 14 s ago; its last samples may be on their way");
    stage.pass(1);
    let asks = stage.due();
    let parts: Vec<Part> = asks.iter().map(|ask| ask.part).collect();
    let window = NOON / 60;
    assert_eq!(
        parts,
        [
            Part::History(Of::Trials),
            Part::History(Of::Events),
            Part::Window(window, Of::Trials),
            Part::Window(window, Of::Events)
        ]
    );
    let history = "http_requests_total{app=\"shop\",rollouts_pod_template_hash=\"7cd4b9f6d\"}[2400s:60s]";
    assert_eq!(parameter(&asks[0].request.url, "query"), history);
    assert_eq!(parameter(&asks[0].request.url, "time"), format!("{NOON}.000"));
    let selected =
        "http_requests_total{app=\"shop\",rollouts_pod_template_hash=~\"6d5f7c9b8|7cd4b9f6d\"}[360s]";
    assert_eq!(parameter(&asks[2].request.url, "query"), selected);
    let failed = "http_requests_total{app=\"shop\",code=~\"5..\",rollouts_pod_template_hash=~\"6d5f7c9b8|7cd4b9f6d\"}[360s]";
    assert_eq!(parameter(&asks[3].request.url, "query"), failed);
    assert_eq!(parameter(&asks[3].request.url, "time"), format!("{}.000", NOON + 60));
    assert_eq!(asks[0].provider, "Prometheus http://prometheus:9090");
}

#[test]
fn windows_tile_and_leave_out_the_warm_up() {
    let counters = traffic(|_| 0.005);
    for (metric, first) in [
        (json!({}), NOON),
        (json!({"initialDelay": "90s"}), NOON + 120),
        (json!({"comparison": {"warmup": 2, "errorRate": {"requests": "http_requests_total"}}}), NOON + 120),
        (
            json!({"comparison": {"ingestionDelay": "5m", "errorRate": {"requests": "http_requests_total"}}}),
            NOON,
        ),
    ] {
        let mut stage = stage(metric.clone());
        stage.play(600, |_, ask| counters.answer(ask));
        let windows = windows(&stage);
        assert_eq!(windows[0].start, first, "{metric}");
        assert!(windows.windows(2).all(|pair| pair[0].end == pair[1].start), "{windows:?}");
        assert!(
            windows.iter().all(|window| (window.canary.requests, window.canary.pods) == (600.0, 1)),
            "{windows:?}"
        );
    }
}

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
        broken.events,
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
        stage.play(4200, |_, ask| match answer {
            "silent" => empty.answer(ask),
            "down" => down(),
            _ => refused(),
        });
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
fn no_error_yet_is_no_errors() {
    let counters = traffic(|_| 0.0);
    let mut stage = stage(json!({"count": 10}));
    stage.play(1200, |_, ask| counters.answer(ask));
    assert!(windows(&stage).iter().all(|window| window.canary.errors == 0.0));
    assert_eq!(stage.status().phase, Successful);
}

#[test]
fn a_canary_without_requests_decides_nothing() {
    let counters = traffic(|_| 0.005).pod(CANARY, "c1", (0, 0), 0.0, |_| 0.0);
    let mut idle = counters.clone();
    idle.series.retain(|(revision, _, _), _| revision == STABLE);
    let still: Vec<(i64, f64)> = (NOON - 300..NOON + 7200).step_by(15).map(|second| (second, 7.0)).collect();
    idle.series.insert((CANARY.into(), "c1".into(), "200".into()), still);
    let mut stage = stage(json!({"count": 3}));
    stage.play(900, |_, ask| idle.answer(ask));
    let result = stage.result("error-rate");
    assert_eq!((stage.status().phase, result.inconclusive, result.count), (Inconclusive, 3, 3));
    assert_eq!(result.measurements[0].value, "canary without requests stable 0.52%");
    assert!(stage.status().message.contains("undecided after 3 windows"), "{}", stage.status().message);
}

#[test]
fn one_bad_window_aborts_nothing() {
    let counters = traffic(|second| if (NOON + 301..=NOON + 360).contains(&second) { 0.3 } else { 0.005 });
    let mut stage = stage(json!({}));
    stage.play(3600, |_, ask| counters.answer(ask));
    assert_eq!((stage.status().phase, stage.result("error-rate").failed), (Running, 1));
}

#[test]
fn an_undecided_end_is_extended_as_often_as_the_metric_bears() {
    // A canary exactly half-way to the limit, with little traffic: neither shown to be bad nor to be good.
    let hours = (NOON - 600, NOON + 7200);
    let counters = Counters::default().pod(STABLE, "s1", hours, 40.0, |_| 0.01).pod(
        CANARY,
        "c1",
        hours,
        8.0,
        |second| if second / 15 % 4 == 0 { 0.05 } else { 0.0 },
    );
    for (limit, windows) in [(0, 3), (2, 9)] {
        let mut stage = stage(json!({"count": 3, "inconclusiveLimit": limit}));
        stage.play(1800, |_, ask| counters.answer(ask));
        assert_eq!((stage.status().phase, stage.result("error-rate").count), (Inconclusive, windows));
    }
}

#[test]
fn a_terminated_comparison_succeeds_only_when_it_passes() {
    for (seconds, bad, phase) in
        [(0, 0.0, Inconclusive), (75, 0.005, Inconclusive), (1800, 0.005, Successful)]
    {
        let counters = traffic(|_| bad);
        let mut stage = stage(json!({"count": 1000}));
        stage.play(seconds, |_, ask| counters.answer(ask));
        stage.run.spec.terminate = true;
        stage.tick(|_| panic!("a run that ends asks nothing"));
        assert_eq!(stage.status().phase, phase, "after {seconds} s: {}", stage.status().message);
    }
}

#[test]
fn overlapping_ticks_judge_no_window_twice() {
    let counters = traffic(|_| 0.03);
    let mut stage = stage(json!({}));
    stage.tick(|_| panic!("no window has passed"));
    stage.pass(140);
    let asked: Vec<Asked> =
        stage.due().into_iter().map(|ask| Asked { answer: counters.answer(&ask), ask }).collect();
    let plan = conclude(&stage.world(), &asked);
    stage.store(&plan);
    stage.pass(1);
    let again = conclude(&stage.world(), &asked);
    assert_eq!((&again.status, stage.result("error-rate").count), (&plan.status, 2));
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
fn a_verdict_is_recomputed_bit_for_bit_from_the_status() {
    let counters = traffic(|second| 0.004 + f64::from((second / 60 % 7) as i32) * 0.0007);
    let mut stage = stage(json!({}));
    for _ in 0..4 {
        stage.play(600, |_, ask| counters.answer(ask));
        let replayed = replay(&stage.run, "error-rate").unwrap();
        assert!(replayed.same);
        let stored: Vec<&str> =
            stage.result("error-rate").measurements.iter().map(|one| one.message.as_str()).collect();
        let reasons: Vec<&str> = replayed.looks.iter().map(|look| look.reasons.as_str()).collect();
        assert_eq!(reasons, stored);
    }
    let forged = stage.run.status.as_mut().unwrap().metric_results[0].measurements[3]
        .metadata
        .get_mut("window")
        .unwrap();
    *forged = forged.replace("\"errors\":", "\"errors\":1");
    assert!(
        !replay(&stage.run, "error-rate").is_ok_and(|replayed| replayed.same),
        "a forged window is noticed"
    );
    assert_eq!(
        replay(&stage.run, "latency").unwrap_err().to_string(),
        "the run has no comparison called \"latency\""
    );
}

#[test]
fn an_edited_comparison_begins_anew_with_half_the_alpha() {
    let counters = traffic(|_| 0.005);
    let mut stage = stage(json!({}));
    stage.play(1200, |_, ask| counters.answer(ask));
    let metric = &mut stage.run.spec.metrics.as_mut().unwrap()[0];
    metric.comparison.as_mut().unwrap().error_rate.as_mut().unwrap().limit = Some("1pp".to_owned());
    stage.play(300, |_, ask| counters.answer(ask));
    let last = stage.result("error-rate").measurements.last().unwrap();
    assert!(last.message.contains("limit +1pp") && last.message.contains("of 40 needed"), "{}", last.message);
    assert_eq!(stage.events, ["AnalysisComparisonEdited"]);
    assert!(replay(&stage.run, "error-rate").unwrap().same);
}

#[test]
fn what_is_stored_stays_small() {
    let counters = traffic(|_| 0.005);
    let mut stage = stage(json!({}));
    stage.play(7000, |_, ask| counters.answer(ask));
    let result = stage.result("error-rate");
    let evidence = serde_json::to_string(result.evidence.as_ref().unwrap()).unwrap();
    assert!(evidence.len() < 2048, "{} bytes: {evidence}", evidence.len());
    assert_eq!(result.measurements.len(), 10);
    let status = serde_json::to_string(stage.status()).unwrap();
    assert!(status.len() < 12 * 1024, "{} bytes", status.len());
}

#[test]
fn several_comparisons_share_one_alpha() {
    let counters = traffic(|_| 0.005);
    let mut spec = spec(json!({}));
    let mut second = spec["metrics"][0].clone();
    second["name"] = json!("client-errors");
    spec["metrics"].as_array_mut().unwrap().push(second);
    let mut stage = Stage::new(spec);
    stage.play(100, |_, ask| counters.answer(ask));
    let reasons = &stage.result("client-errors").measurements[0].message;
    assert!(reasons.starts_with("client-errors canary") && reasons.contains("of 40 needed"), "{reasons}");
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

#[test]
fn a_count_that_an_edit_made_smaller_ends_the_comparison_with_the_next_window() {
    let counters = traffic(|_| 0.005);
    let mut stage = stage(json!({"count": 30}));
    stage.play(1200, |_, ask| counters.answer(ask));
    stage.run.spec.metrics.as_mut().unwrap()[0].count = Some(serde_json::from_value(json!(5)).unwrap());
    stage.play(300, |_, ask| counters.answer(ask));
    assert_eq!((stage.status().phase, stage.result("error-rate").count), (Successful, 20));
}
