//! The error-rate comparison from questions to verdict: windows, gaps, missing arms, restarts and replays.

use serde_json::{Value, json};
use serin_analysis::comparison::Window as Stored;
use serin_analysis::comparison::replay;
use serin_analysis::judge::error_rate::Window;
use serin_analysis::run::{Asked, Of, Part, conclude};
use serin_api::AnalysisPhase::{Failed, Inconclusive, Running, Successful};

use crate::stage::{Counters, Stage, parameter};

pub(crate) const CANARY: &str = "6d5f7c9b8";
pub(crate) const STABLE: &str = "7cd4b9f6d";

/// Noon of the stage, seconds since 1970.
pub(crate) const NOON: i64 = 1_772_366_400;

pub(crate) fn spec(metric: Value) -> Value {
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

pub(crate) fn windows(stage: &Stage) -> Vec<Window> {
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
    assert_eq!(stage.ends(), ["MetricFailed", "AnalysisRunFailed"]);
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
    assert_eq!(
        stage.events,
        [
            "AnalysisCollecting",
            "AnalysisWithinLimit",
            "AnalysisComparisonEdited",
            "AnalysisCollecting",
            "AnalysisWithinLimit"
        ]
    );
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
fn a_count_that_an_edit_made_smaller_ends_the_comparison_with_the_next_window() {
    let counters = traffic(|_| 0.005);
    let mut stage = stage(json!({"count": 30}));
    stage.play(1200, |_, ask| counters.answer(ask));
    stage.run.spec.metrics.as_mut().unwrap()[0].count = Some(serde_json::from_value(json!(5)).unwrap());
    stage.play(300, |_, ask| counters.answer(ask));
    assert_eq!((stage.status().phase, stage.result("error-rate").count), (Successful, 20));
}
