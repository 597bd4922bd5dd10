//! What events say of a comparison.

use serde_json::json;

use crate::comparison::{NOON, stage, traffic};
use crate::stage::{Stage, scripted};

/// Whoever is woken by the message must not have to look anything up.
#[test]
fn what_is_told_of_a_failed_comparison_names_metric_values_limit_and_window() {
    let mut stage = stage(json!({}));
    let counters = traffic(|_| 0.03);
    stage.play(3600, |_, ask| counters.answer(ask));
    let line = "error-rate canary 3.00 % (54/1800) stable 0.51 % (82/16200) delta +2.49pp [95% +1.5,+3.9] limit +0.5pp \
                | window 12:02-12:03 breach 3/3 | ";
    let metric = format!("Metric 'error-rate' Completed. Result: Failed: {line}");
    let run =
        format!("Analysis Completed. Result: Failed: Metric \"error-rate\" assessed Failed due to {line}");
    assert_eq!(
        stage.events,
        ["AnalysisCollecting", "AnalysisSuspicious", "MetricFailed", "AnalysisRunFailed"]
    );
    let (before, ends) = stage.told.split_at(2);
    assert!(ends[0].starts_with(&metric) && ends[0].ends_with("-> FAIL"), "{ends:?}");
    assert!(ends[1].starts_with(&run) && ends[1].ends_with("-> FAIL"), "{ends:?}");
    let stood = before[0]
        .starts_with("Metric 'error-rate' not decided yet: error-rate canary 3.00 % (18/600) ")
        && before[1]
            .starts_with("Metric 'error-rate' beyond the limit for two windows or more: error-rate canary ");
    assert!(stood && before[1].contains("| window 12:01-12:02 breach 2/3 |"), "{before:?}");
    // The Rollout takes this message over as it is, into RolloutAborted.
    assert!(ends[1].ends_with(&stage.status().message));
    // One line for every look, with a window of its own.
    let looks: Vec<_> = stage.result("error-rate").measurements.iter().map(|look| &look.message).collect();
    for (look, window) in
        looks.iter().zip(["12:00-12:01 breach 1/3", "12:01-12:02 breach 2/3", "12:02-12:03 breach 3/3"])
    {
        let named = look.starts_with("error-rate canary 3.00 % (") && look.contains("limit +0.5pp");
        assert!(named && look.contains(&format!("| window {window} |")) && !look.contains('\n'), "{look}");
    }
    assert_eq!(looks.len(), 3);
}

#[test]
fn how_a_comparison_stands_is_told_when_it_changes_and_not_at_every_look() {
    // Fine for a while, one bad window, fine, then two bad ones.
    let bad = |second: i64| match (second - NOON) / 60 {
        20 | 25 | 26 => 0.02,
        _ => 0.002,
    };
    let counters = traffic(bad);
    let mut stage = stage(json!({}));
    stage.play(60 * 32, |_, ask| counters.answer(ask));
    assert_eq!(stage.result("error-rate").count, 31);
    let stands = ["AnalysisCollecting", "AnalysisWithinLimit", "AnalysisSuspicious"];
    let told: Vec<&str> = stage.events.iter().map(String::as_str).collect();
    assert_eq!(&told[..2], &stands[..2], "{told:?}");
    assert_eq!(
        told.iter().filter(|reason| **reason == "AnalysisSuspicious").count(),
        1,
        "one bad window is none: {told:?}"
    );
    assert!(told.len() <= 6, "31 looks: {told:?}");
    assert!(told.windows(2).all(|pair| pair[0] != pair[1]), "only changes: {told:?}");
}

#[test]
fn other_metrics_tell_nothing_until_their_end() {
    let mut stage = Stage::metric(json!({"interval": "10s", "successCondition": "result[0] < 1"}));
    stage.play(100, |_, _| scripted('s'));
    assert_eq!(stage.events, Vec::<String>::new());
}
