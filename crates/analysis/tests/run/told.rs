//! What events say of a comparison.

use serde_json::json;

use crate::comparison::{stage, traffic};

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
    assert_eq!(stage.told.len(), 2, "{:?}", stage.told);
    assert!(stage.told[0].starts_with(&metric) && stage.told[0].ends_with("-> FAIL"), "{:?}", stage.told);
    assert!(stage.told[1].starts_with(&run) && stage.told[1].ends_with("-> FAIL"), "{:?}", stage.told);
    // The Rollout takes this message over as it is, into RolloutAborted.
    assert!(stage.told[1].ends_with(&stage.status().message));
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
