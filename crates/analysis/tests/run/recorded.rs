//! The windows that a run has stored as a service that can be played again.

use serde_json::{Value, json};
use serin_analysis::judge::error_rate::Assumption;
use serin_analysis::simulation::questions::Compared;
use serin_analysis::simulation::record::Recording;
use serin_analysis::simulation::rollout::Part;
use serin_analysis::simulation::service::{MODERATE, Noise};

use crate::stage::{Counters, Stage};

const CANARY: &str = "6d5f7c9b8";
const STABLE: &str = "7cd4b9f6d";
const NOON: i64 = 1_772_366_400;

fn stage(comparison: &Value) -> Stage {
    several(&[("rate", comparison)])
}

fn several(comparisons: &[(&str, &Value)]) -> Stage {
    let metric = |(name, comparison): &(&str, &Value)| json!({"name": name, "interval": "60s", "provider": {"prometheus": {}}, "comparison": comparison});
    let metrics: Vec<Value> = comparisons.iter().map(metric).collect();
    Stage::new(json!({"metrics": metrics, "arms": {"canary": CANARY, "stable": STABLE}}))
}

fn only_part(stage: &Stage) -> Part {
    let Recording { parts, left_out } = Recording::of_run(&stage.run, MODERATE).unwrap();
    assert_eq!((parts.len(), left_out.len()), (1, 0));
    parts.into_iter().next().unwrap()
}

fn errors() -> Value {
    json!({"errorRate": {"requests": "http_requests_total{app=\"shop\"}"}})
}

#[test]
fn stable_is_recorded_with_the_traffic_of_both_and_the_canary_left_out() {
    let hours = (NOON - 600, NOON + 7200);
    let counters = Counters::default().pod(STABLE, "s1", hours, 90.0, |_| 0.005).pod(
        CANARY,
        "c1",
        (NOON - 300, NOON + 7200),
        10.0,
        |_| 0.007,
    );
    let mut stage = stage(&errors());
    stage.play(1500, |_, ask| counters.answer(ask));
    let part = only_part(&stage);
    let record = part.service.record.as_ref().unwrap();
    assert_eq!((record.windows(), record.has_errors(), record.has_latencies()), (10, true, false));
    let (rps, rate) = record.usual();
    assert!((rps - 100.0).abs() < 1.0, "{rps}");
    assert!((rate - 0.005).abs() < 0.0003, "{rate}");
    let counted = (part.name.as_deref(), part.compared, part.service.pods, part.service.window);
    assert_eq!(counted, (Some("rate"), Compared::Errors, 2, 60.0), "a pod of stable, one of the canary");
}

#[test]
fn a_run_without_windows_that_can_be_played_is_no_record() {
    let why = Recording::of_run(&stage(&errors()).run, MODERATE).unwrap_err();
    assert!(why.starts_with("its status has no windows of a comparison: give an AnalysisRun"), "{why}");
}

/// A run whose status has these windows of each comparison.
fn with_windows(mut stage: Stage, windows: &[(&str, Value)]) -> Stage {
    let result = |(name, window): &(&str, Value)| {
        let measured = json!({"phase": "Successful", "metadata": {"window": window.to_string()}});
        json!({"name": name, "phase": "Running", "measurements": [measured, measured]})
    };
    let results: Vec<Value> = windows.iter().map(result).collect();
    stage.run.status = serde_json::from_value(json!({"phase": "Running", "metricResults": results})).unwrap();
    stage
}

#[test]
fn every_comparison_is_played_with_its_own_limit_and_a_mean_is_named_as_left_out() {
    let limited = json!({"errorRate": {"requests": "grpc_total", "limit": "2pp"}});
    let orders = json!({"businessRate": {"attempts": "visits_total", "successes": "orders_total"}});
    let times = json!({"preset": "http", "latency": {"limit": "30%", "quantiles": ["0.9"]}});
    let size = json!({"mean": {"sum": "sizes_sum", "count": "sizes_count"}});
    let rates = json!({
        "start": 0, "end": 60, "canary": {"requests": 10.0, "errors": 0.0, "pods": 1},
        "stable": {"requests": 90.0, "errors": 9.0, "pods": 4},
    });
    let buckets = json!({
        "start": 0, "end": 60, "bounds": [0.25, "+Inf"], "canary": {"counts": [5.0, 1.0], "pods": 1},
        "stable": {"counts": [50.0, 4.0], "pods": 0},
    });
    let names =
        [("http", &errors()), ("grpc", &limited), ("orders", &orders), ("times", &times), ("size", &size)];
    let values = json!({
        "start": 0, "end": 60, "canary": {"sum": {"events": 1.0, "trials": 1.0}, "pods": 1},
        "stable": {"sum": {"events": 1.0, "trials": 1.0}, "pods": 1},
    });
    let stage = with_windows(
        several(&names),
        &[
            ("http", rates.clone()),
            ("grpc", rates.clone()),
            ("orders", rates),
            ("times", buckets),
            ("size", values),
        ],
    );
    let Recording { parts, left_out } = Recording::of_run(&stage.run, MODERATE).unwrap();
    let said: Vec<_> = parts
        .iter()
        .map(|part| (part.name.as_deref().unwrap(), part.compared, part.settings.limit, part.service.pods))
        .collect();
    assert_eq!(
        said,
        [
            ("http", Compared::Errors, 0.005, 5),
            ("grpc", Compared::Errors, 0.02, 5),
            ("orders", Compared::Business, 0.02, 5),
            ("times", Compared::Latency, 0.3, 10),
        ]
    );
    assert_eq!((parts[3].slower, parts[3].quantiles.as_slice()), (0.3, [0.9].as_slice()));
    assert!(parts.iter().all(|part| part.settings.metrics == 6), "questions of the run, also those left out");
    assert_eq!(left_out, ["size: means are not played"]);
}

#[test]
fn pods_vary_as_much_as_the_judge_has_measured_and_as_told_where_it_has_not() {
    let hours = (NOON - 3600, NOON + 7200);
    // Stable pods take turns of five minutes at failing more: their rates differ within each window.
    let turns = |own: i64| move |at: i64| if (at / 300 + own) % 3 == 0 { 0.06 } else { 0.01 };
    let three = (0..3).fold(Counters::default(), |counters, pod| {
        counters.pod(STABLE, &format!("s{pod}"), hours, 30.0, turns(pod))
    });
    let counters = three.pod(CANARY, "c1", (NOON - 300, NOON + 7200), 10.0, |_| 0.02);
    let mut measured = stage(&errors());
    measured.play(900, |_, ask| counters.answer(ask));
    let part = only_part(&measured);
    let Noise { pod_window, shared, burst, .. } = part.service.noise;
    // The rates are 0.06, 0.01, 0.01 in turn: mean 0.0267, standard deviation 0.0289, which is 1.08 of the mean.
    assert!(part.measured && (0.9..1.3).contains(&pod_window.0), "{pod_window:?}");
    assert_eq!((shared.0, burst.0), (0.0, 0.0), "what all pods do is in the record");
    assert_eq!(part.settings.assumption, Assumption::Checked);
    let unknown = json!({"errorRate": {"requests": "http_requests_total{app=\"shop\"}"}, "history": 0});
    let mut assumed = stage(&unknown);
    assumed.play(900, |_, ask| counters.answer(ask));
    let part = only_part(&assumed);
    assert_eq!((part.measured, part.service.noise), (false, MODERATE));
}

#[test]
fn milliseconds_become_seconds_and_idle_windows_are_left_out() {
    for (preset, bound) in [("linkerd", 0.25), ("http", 250.0)] {
        let window = |stable: [u32; 2]| {
            let counts = json!({"counts": stable.map(f64::from), "pods": 1});
            let canary = json!({"counts": [5.0, 1.0], "pods": 1});
            json!({"start": 0, "end": 10, "bounds": [250.0, "+Inf"], "canary": canary, "stable": counts})
        };
        let measurements: Vec<Value> = [window([10, 4]), window([0, 0]), window([11, 3])]
            .iter()
            .map(|window| json!({"phase": "Successful", "metadata": {"window": window.to_string()}}))
            .collect();
        let mut run = stage(&json!({"preset": preset, "latency": {}})).run;
        let results = json!([{"name": "rate", "phase": "Running", "measurements": measurements}]);
        run.status = serde_json::from_value(json!({"phase": "Running", "metricResults": results})).unwrap();
        let part = only_part(&Stage { run, ..stage(&errors()) });
        let record = part.service.record.unwrap();
        assert_eq!((record.windows(), record.usual().0), (2, 2.0), "{preset}");
        assert_eq!(record.ladder(), [bound, f64::INFINITY], "{preset}");
    }
}
