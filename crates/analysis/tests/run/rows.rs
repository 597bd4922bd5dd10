//! The rows of the edge-case table of the judge (judge 4) that concern whole runs; the other rows stand beside the code
//! that they concern. Each test is named after its row; the names below begin with `row_N_` or `rows_N_`.
//!
//! | row | what happens | here | beside the code |
//! |--:|---|---|---|
//! | 1 | Prometheus is down | `prometheus_down` | `judge/error_rate_tests`: `1_4_and_30_an_outage` |
//! | 2 | empty vector | `an_empty_vector` | |
//! | 3 | canary missing, stable present | `a_canary_that_is_not_scraped` | `comparison/count`: missing arms |
//! | 4 | both missing | `both_arms_missing` | `judge/error_rate_tests`: `1_4_and_30_an_outage` |
//! | 5 | no traffic | `idle_windows` | `judge/error_rate_tests`: `zero_traffic` |
//! | 6 | no error series yet | `no_error_series_yet` | `judge/error_rate_tests`: `an_error_counter` |
//! | 7 | NaN, negative, more errors than requests | | `judge/error_rate_tests`, `latency_tests`, `mean` |
//! | 8 | the quantile is in the +Inf bucket | | `judge/latency_tests`, `quantile` |
//! | 9 | another bucket layout | | `comparison/ladder_tests`, `judge/histogram`, `latency_tests` |
//! | 10 | native and classic, two schemas | | `comparison/ladder_tests`, `native` |
//! | 11 | counter reset | `a_pod_that_restarts` | `comparison/ladder_tests`, `past_tests` |
//! | 12 | new pod | `the_first_errors_of_a_new_pod` | |
//! | 13 | pod vanished | `a_pod_that_vanishes` | |
//! | 14 | gap | `after_a_gap_of_prometheus` | `comparison/past_tests` |
//! | 15 | overlapping windows | `windows_tile` | `judge/error_rate_tests`: `15_and_29` |
//! | 16 | late samples | `late_samples` | |
//! | 17 | fractions | | `judge/error_rate_tests`, `evidence` |
//! | 18 | cold start | | `comparison/count`: `pods_younger_than_the_warm_up` |
//! | 19 | the weight changes | `measures`: `windows_in_which_the_weight_changes` | the CLI: `compare/stretch` |
//! | 20 | shared outage, drift | `an_unhealthy_environment` | `judge/error_rate_tests` |
//! | 21 | canary better | | `judge/error_rate_tests` |
//! | 22 | identical, all zeros, one bucket | | `judge/error_rate_tests`, `margin`, `mann_whitney`, `latency_tests` |
//! | 23 | few requests | | `judge/error_rate_tests` |
//! | 24 | a billion requests | | `judge/error_rate_tests`, `buckets` |
//! | 25 | one bad window | | `judge/error_rate_tests` |
//! | 26 | retries, stickiness | `retries_that_double_errors` | |
//! | 27 | series of an older canary | | `comparison/arm` |
//! | 28 | no label for pods | | `judge/error_rate_tests`, `comparison/past_tests` |
//! | 29 | a new controller | `a_new_controller` | `judge/error_rate_tests`: `15_and_29` |
//! | 30 | nothing but errors | `a_run_that_only_met_errors` | `judge/error_rate_tests`: `1_4_and_30_an_outage` |
//! | 31 | edited in mid-run | `edited_limits` | |
//! | 32 | several series | `series_are_grouped` | |

use serde_json::{Value, json};
use serin_analysis::comparison::replay;
use serin_analysis::provider::Answer;
use serin_analysis::run::Ask;
use serin_api::AnalysisPhase::{Failed, Inconclusive, Running, Successful};

use crate::stage::{Counters, Stage, down, parameter, success};

const CANARY: &str = "6d5f7c9b8";
const STABLE: &str = "7cd4b9f6d";
const NOON: i64 = 1_772_366_400;

fn stage(fields: Value) -> Stage {
    let mut metric = json!({
        "name": "error-rate", "interval": "60s", "provider": {"prometheus": {}},
        "comparison": {"errorRate": {"requests": "http_requests_total"}},
    });
    for (field, value) in fields.as_object().unwrap() {
        metric[field] = value.clone();
    }
    Stage::new(json!({"metrics": [metric], "arms": {"canary": CANARY, "stable": STABLE}}))
}

fn traffic(bad: impl Fn(i64) -> f64) -> Counters {
    let hours = (NOON - 3600, NOON + 7200);
    Counters::default()
        .pod(STABLE, "s1", hours, 45.0, |_| 0.005)
        .pod(STABLE, "s2", hours, 45.0, |_| 0.005)
        .pod(CANARY, "c1", (NOON - 300, NOON + 7200), 10.0, bad)
}

fn empty() -> Answer {
    success(&json!({"status": "success", "data": {"resultType": "matrix", "result": []}}))
}

#[test]
fn row_1_prometheus_down_moves_no_counter_and_ends_with_a_person_never_an_abort() {
    let counters = traffic(|_| 0.005);
    let mut stage = stage(json!({}));
    stage.play(200, |_, ask| counters.answer(ask));
    let before = stage.result("error-rate").clone();
    let judged = replay(&stage.run, "error-rate").unwrap();
    assert!(judged.same && !judged.looks.is_empty());
    stage.play(600, |_, _| down());
    let during = stage.result("error-rate");
    assert_eq!((during.count, during.failed, stage.status().phase), (before.count, 0, Running));
    assert_eq!(replay(&stage.run, "error-rate").unwrap(), judged, "the evidence has not moved");
    assert_eq!(stage.ends(), ["AnalysisDataUnavailable"]);
    stage.play(3600, |_, _| down());
    assert_eq!(stage.status().phase, Inconclusive);
}

#[test]
fn row_20_an_unhealthy_environment_holds_and_is_no_evidence_against_the_canary() {
    let hours = (NOON - 3600, NOON + 7200);
    let ill = |at: i64| at > NOON + 200 && at <= NOON + 1400;
    let shared = move |usual: f64, then: f64| move |at: i64| if ill(at) { then } else { usual };
    let counters = Counters::default()
        .pod(STABLE, "s1", hours, 45.0, shared(0.005, 0.12))
        .pod(STABLE, "s2", hours, 45.0, shared(0.005, 0.12))
        .pod(CANARY, "c1", (NOON - 300, NOON + 7200), 10.0, shared(0.005, 0.3));
    let compared = |unhealthy: Value| {
        let comparison =
            json!({"errorRate": {"requests": "http_requests_total", "unhealthyAbove": unhealthy}});
        let mut stage = stage(json!({"count": 30, "comparison": comparison}));
        stage.play(1300, |_, ask| counters.answer(ask));
        stage
    };
    assert_eq!(compared(json!(null)).status().phase, Failed, "without it the canary is to blame");
    let mut stage = compared(json!("5%"));
    let result = stage.result("error-rate");
    assert_eq!((stage.status().phase, result.failed), (Running, 0));
    let told = "the environment is unhealthy: 12.00% of stable's requests failed (";
    assert!(result.message.starts_with(told), "{}", result.message);
    assert!(result.message.contains("more than unhealthyAbove (5.00%) allows"), "{}", result.message);
    stage.play(1800, |_, ask| counters.answer(ask));
    assert_eq!(stage.status().phase, Successful, "{}", stage.result("error-rate").message);
}

#[test]
fn row_2_an_empty_vector_is_a_missing_arm_and_neither_success_nor_failure() {
    let mut stage = stage(json!({"count": 3}));
    stage.play(900, |_, _| empty());
    let result = stage.result("error-rate");
    assert_eq!((stage.status().phase, result.count, result.successful, result.failed), (Running, 0, 0, 0));
    assert!(
        result.message.starts_with("no series of http_requests_total in the window"),
        "{}",
        result.message
    );
}

#[test]
fn row_3_a_canary_that_is_not_scraped_holds_and_says_where_to_look() {
    let mut counters = traffic(|_| 0.005);
    counters.series.retain(|(revision, _, _), _| revision == STABLE);
    let mut stage = stage(json!({"count": 3}));
    stage.play(900, |_, ask| counters.answer(ask));
    let message = &stage.result("error-rate").message;
    assert_eq!(stage.status().phase, Running);
    assert!(
        message.contains("it receives no traffic, is not scraped, or exposes the metric under another name"),
        "{message}"
    );
}

#[test]
fn row_4_both_arms_missing_hold_and_end_with_a_person() {
    let mut counters = traffic(|_| 0.005);
    for ((revision, _, _), samples) in &mut counters.series {
        assert!(revision == CANARY || revision == STABLE);
        samples.retain(|(second, _)| *second <= NOON + 125);
    }
    let mut stage = stage(json!({"count": 3}));
    stage.play(900, |_, ask| counters.answer(ask));
    let result = stage.result("error-rate");
    assert_eq!((stage.status().phase, result.count, result.failed), (Running, 2, 0));
    assert!(result.message.contains("nothing was scraped then"), "{}", result.message);
    stage.play(3600, |_, ask| counters.answer(ask));
    assert_eq!(stage.status().phase, Inconclusive, "never an abort");
}

/// The counts of the windows that are shown: start, end, and requests and errors of the canary.
fn windows(stage: &Stage) -> Vec<(i64, i64, f64, f64)> {
    let stored = stage.result("error-rate").measurements.iter();
    let windows = stored.filter_map(|one| serde_json::from_str(one.metadata.get("window")?).ok());
    let counts = |window: Value| {
        let canary = |field: &str| window["canary"][field].as_f64().unwrap_or(0.0);
        (
            window["start"].as_i64().unwrap(),
            window["end"].as_i64().unwrap(),
            canary("requests"),
            canary("errors"),
        )
    };
    windows.map(counts).collect()
}

#[test]
fn row_5_idle_windows_move_nothing_and_say_so() {
    // Counters that stand still from noon on: 0 / 0 in every window.
    let mut counters = traffic(|_| 0.01);
    for samples in counters.series.values_mut() {
        let noon = samples.iter().rfind(|(second, _)| *second <= NOON).unwrap().1;
        samples.iter_mut().filter(|(second, _)| *second > NOON).for_each(|(_, value)| *value = noon);
    }
    let mut stage = stage(json!({"count": 3}));
    stage.play(600, |_, ask| counters.answer(ask));
    let result = stage.result("error-rate");
    assert_eq!((result.failed, result.successful), (0, 0), "{}", result.message);
    let said = &result.measurements.last().unwrap().message;
    assert!(said.contains("no requests in either revision yet, nothing can be said"), "{said}");
    assert_ne!(stage.status().phase, Successful);
}

#[test]
fn row_6_no_error_series_yet_is_no_errors_and_not_no_data() {
    let mut counters = traffic(|_| 0.005);
    counters.series.retain(|(_, _, code), _| code == "200");
    let mut stage = stage(json!({"count": 5}));
    stage.play(900, |_, ask| counters.answer(ask));
    let found = windows(&stage);
    assert!(
        found.len() == 5 && found.iter().all(|(_, _, requests, errors)| *requests > 500.0 && *errors == 0.0)
    );
    assert_eq!(stage.status().phase, Successful, "{}", stage.result("error-rate").message);
}

#[test]
fn row_11_a_pod_that_restarts_counts_from_zero_and_loses_nothing_else() {
    let mut counters = traffic(|_| 0.0);
    let restart = NOON + 75;
    for ((revision, _, _), samples) in &mut counters.series {
        if revision == CANARY {
            let before = samples.iter().find(|(second, _)| *second == restart).unwrap().1;
            samples
                .iter_mut()
                .filter(|(second, _)| *second > restart)
                .for_each(|(_, value)| *value -= before);
        }
    }
    let (mut steady, mut restarted) = (stage(json!({})), stage(json!({})));
    let without = traffic(|_| 0.0);
    steady.play(200, |_, ask| without.answer(ask));
    restarted.play(200, |_, ask| counters.answer(ask));
    assert_eq!(windows(&restarted), windows(&steady), "a counter from 0 grew by all that it shows");
    assert!(windows(&steady).len() >= 2);
}

#[test]
fn row_15_windows_tile_also_when_the_clock_jumps() {
    let counters = traffic(|_| 0.005);
    let mut stage = stage(json!({}));
    stage.play(130, |_, ask| counters.answer(ask));
    for jump in [427, 1, 3, 65] {
        stage.pass(jump);
        stage.play(20, |_, ask| counters.answer(ask));
    }
    let found = windows(&stage);
    assert!(found.len() > 7, "{found:?}");
    for (one, next) in found.iter().zip(found.iter().skip(1)) {
        assert_eq!(one.1, next.0, "neither a gap nor an overlap");
    }
    assert!(found.iter().all(|(start, end, ..)| end - start == 60 && start % 60 == 0));
}

#[test]
fn row_12_the_first_errors_of_a_new_pod_count_from_zero() {
    let counters = traffic(|_| 0.005).pod(CANARY, "c2", (NOON + 70, NOON + 7200), 10.0, |_| 1.0);
    let mut stage = stage(json!({}));
    stage.play(200, |_, ask| counters.answer(ask));
    let window = &stage.result("error-rate").measurements[1].metadata["window"];
    let errors = serde_json::from_str::<Value>(window).unwrap()["canary"]["errors"].as_f64().unwrap();
    assert!(errors >= 500.0, "50 s of a pod that fails every request: {window}");
}

#[test]
fn row_13_a_pod_that_vanishes_counts_up_to_its_last_sample() {
    let counters = traffic(|_| 0.005).pod(CANARY, "c2", (NOON - 300, NOON + 40), 10.0, |_| 0.0);
    let mut stage = stage(json!({}));
    stage.play(100, |_, ask| counters.answer(ask));
    let window = &stage.result("error-rate").measurements[0].metadata["window"];
    let canary = &serde_json::from_str::<Value>(window).unwrap()["canary"];
    assert_eq!((canary["requests"].as_f64(), canary["pods"].as_i64()), (Some(900.0), Some(2)), "{window}");
}

#[test]
fn row_14_after_a_gap_of_prometheus_no_request_is_invented() {
    let mut counters = traffic(|_| 0.005);
    for samples in counters.series.values_mut() {
        samples.retain(|(second, _)| !(NOON + 60..NOON + 300).contains(second));
    }
    let mut stage = stage(json!({}));
    stage.play(700, |_, ask| counters.answer(ask));
    let stored = stage.result("error-rate").measurements.iter();
    let windows: Vec<Value> =
        stored.filter_map(|one| serde_json::from_str(one.metadata.get("window")?).ok()).collect();
    let most = windows.iter().filter_map(|window| window["canary"]["requests"].as_f64()).fold(0.0, f64::max);
    assert!(most <= 600.0, "a window holds at most what was served in it: {windows:?}");
}

#[test]
fn row_16_late_samples_are_waited_for_in_both_arms() {
    let delayed = json!({"errorRate": {"requests": "http_requests_total"}, "ingestionDelay": "2m"});
    let mut stage = stage(json!({ "comparison": delayed }));
    stage.tick(|_| panic!("no window has passed"));
    stage.pass(179);
    assert!(stage.due().is_empty(), "the window ended 119 s ago");
    let asks = stage.pass(1).due();
    let last = parameter(&asks.last().unwrap().request.url, "time");
    assert_eq!(last, format!("{}.000", NOON + 60), "its own end, not now");
    assert!(
        asks.iter()
            .skip(2)
            .all(|ask| parameter(&ask.request.url, "query").contains(&format!("{CANARY}|{STABLE}")))
    );
}

#[test]
fn row_26_retries_that_double_errors_but_not_requests_are_refused() {
    let counters = traffic(|_| 0.9);
    let doubled = |ask: &Ask| match counters.answer(ask) {
        Answer::Response(mut response) if parameter(&ask.request.url, "query").contains("code=~") => {
            let mut body: Value = serde_json::from_str(&response.body).unwrap();
            for series in body["data"]["result"].as_array_mut().unwrap() {
                for sample in series["values"].as_array_mut().unwrap() {
                    let value: f64 = sample[1].as_str().unwrap().parse().unwrap();
                    sample[1] = json!((2.0 * value).to_string());
                }
            }
            response.body = body.to_string();
            Answer::Response(response)
        }
        other => other,
    };
    let mut stage =
        stage(json!({"comparison": {"history": 0, "errorRate": {"requests": "http_requests_total"}}}));
    stage.play(300, |_, ask| doubled(ask));
    let message = &stage.result("error-rate").message;
    assert_eq!(stage.status().phase, Running);
    assert!(message.contains("the two queries do not count the same requests"), "{message}");
}

#[test]
fn row_29_a_new_controller_goes_on_from_the_status_alone() {
    let counters = traffic(|second| if second > NOON + 400 { 0.03 } else { 0.005 });
    let (mut one, mut other) = (stage(json!({})), stage(json!({})));
    one.play(1500, |_, ask| counters.answer(ask));
    for _ in 0..25 {
        other.play(60, |_, ask| counters.answer(ask));
        let text = serde_json::to_string(&other.run).unwrap();
        other.run = serde_json::from_str(&text).unwrap();
    }
    assert_eq!(one.status().phase, other.status().phase);
    assert_eq!(one.result("error-rate").message, other.result("error-rate").message);
}

#[test]
fn row_30_a_run_that_only_met_errors_is_no_success() {
    let mut stage = stage(json!({"count": 3}));
    stage.play(900, |_, _| down());
    stage.run.spec.terminate = true;
    stage.tick(|_| panic!("a run that ends asks nothing"));
    assert_eq!(stage.status().phase, Inconclusive);
}

#[test]
fn row_31_edited_limits_begin_new_evidence_with_half_the_alpha() {
    let counters = traffic(|_| 0.005);
    let mut stage = stage(json!({}));
    stage.play(600, |_, ask| counters.answer(ask));
    let metric = &mut stage.run.spec.metrics.as_mut().unwrap()[0];
    metric.comparison.as_mut().unwrap().error_rate.as_mut().unwrap().limit = Some("2pp".to_owned());
    stage.play(120, |_, ask| counters.answer(ask));
    let message = &stage.result("error-rate").measurements.last().unwrap().message;
    assert!(message.contains("limit +2pp") && message.contains("of 40 needed"), "{message}");
    assert_eq!(stage.ends(), ["AnalysisComparisonEdited"]);
}

#[test]
fn row_32_series_are_grouped_by_arm_and_pod_whatever_other_labels_they_have() {
    let counters = traffic(|_| 0.02);
    let split = |ask: &Ask| match counters.answer(ask) {
        Answer::Response(mut response) => {
            let mut body: Value = serde_json::from_str(&response.body).unwrap();
            for (number, series) in body["data"]["result"].as_array_mut().unwrap().iter_mut().enumerate() {
                series["metric"]["path"] = json!(format!("/{number}"));
            }
            response.body = body.to_string();
            Answer::Response(response)
        }
        other => other,
    };
    let (mut plain, mut labelled) = (stage(json!({"count": 5})), stage(json!({"count": 5})));
    plain.play(900, |_, ask| counters.answer(ask));
    labelled.play(900, |_, ask| split(ask));
    assert_eq!(plain.result("error-rate").message, labelled.result("error-rate").message);
    assert_ne!(plain.status().phase, Successful);
}
