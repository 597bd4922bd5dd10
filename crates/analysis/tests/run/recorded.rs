//! The windows that a run has stored as a service that can be played again.

use serde_json::{Value, json};
use serin_analysis::simulation::record::Record;

use crate::stage::{Counters, Stage};

const CANARY: &str = "6d5f7c9b8";
const STABLE: &str = "7cd4b9f6d";
const NOON: i64 = 1_772_366_400;

fn stage(comparison: &Value) -> Stage {
    let metric = json!({
        "name": "rate", "interval": "60s", "provider": {"prometheus": {}}, "comparison": comparison,
    });
    Stage::new(json!({"metrics": [metric], "arms": {"canary": CANARY, "stable": STABLE}}))
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
    let record = Record::of_run(&stage.run).unwrap();
    assert_eq!((record.windows(), record.has_errors(), record.has_latencies()), (10, true, false));
    let (rps, rate) = record.usual();
    assert!((rps - 100.0).abs() < 1.0, "{rps}");
    assert!((rate - 0.005).abs() < 0.0003, "{rate}");
}

#[test]
fn a_run_without_windows_of_errors_or_latencies_is_no_record() {
    let why = Record::of_run(&stage(&errors()).run).unwrap_err();
    assert!(why.contains("no windows of an error rate or latency comparison"), "{why}");
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
        let record = Record::of_run(&run).unwrap();
        assert_eq!((record.windows(), record.usual().0), (2, 2.0), "{preset}");
        assert_eq!(record.ladder(), [bound, f64::INFINITY], "{preset}");
    }
}
