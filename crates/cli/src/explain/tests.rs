//! Every situation as it reads, written by hand; one file per kind of situation.

mod aborted;
mod analysis;
mod settled;
mod trouble;
mod waiting;

use serde_json::{Value, json};
use serin_api::{AnalysisRun, Rollout};
use serin_view::change::merged;

use super::*;
use crate::paint::Paint;
use crate::sample::{self, pod, replica_set, rollout, run, updating};

fn check(case: &str, seen: &Observed, expected: &str) {
    let invocation = Invocation { namespace: "web".to_owned(), ..Invocation::default() };
    let text = text(&explain(seen, &invocation), Paint::PLAIN);
    assert_eq!(text.lines().collect::<Vec<_>>(), expected.lines().collect::<Vec<_>>(), "{case}:\n{text}");
}

fn seen(rollout: Rollout, runs: Vec<AnalysisRun>) -> Observed {
    sample::observed(rollout, vec![], vec![], runs)
}

fn status(change: Value) -> Value {
    json!({"status": change})
}

fn pause(reason: &str) -> Value {
    json!({
        "phase": "Paused", "message": reason, "controllerPause": true,
        "pauseConditions": [{"reason": reason, "startTime": "2026-11-24T14:07:00Z"}],
    })
}

fn condition(type_: &str, reason: &str, message: &str) -> Value {
    json!({"conditions": [{
        "type": type_, "status": "False", "reason": reason, "message": message,
        "lastUpdateTime": "2026-11-24T14:08:00Z", "lastTransitionTime": "2026-11-24T14:08:00Z",
    }]})
}

fn step_run(phase: &str) -> Value {
    json!({"canary": {"currentStepAnalysisRunStatus": {"name": "shop-bbb-3-2", "status": phase}}})
}

fn gate(waits_for: &str, then: &str) -> Value {
    json!({"gates": [{"waitsFor": waits_for, "since": "2026-11-24T14:07:00Z", "then": then}]})
}
