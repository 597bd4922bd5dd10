//! Metrics that are measured and do not decide.

use serde_json::json;
use serin_api::AnalysisPhase::{Running, Successful};

use crate::life::{conditions, with};
use crate::stage::{Stage, metric, scripted};

#[test]
fn dry_runs_are_measured_and_do_not_decide() {
    let once = with(conditions(), json!({"interval": null}));
    let spec =
        json!({"metrics": [metric("a", once.clone()), metric("b", once)], "dryRun": [{"metricName": "b"}]});
    let mut stage = Stage::new(spec);
    stage.tick(|ask| scripted(if ask.metric == "b" { 'f' } else { 's' }));
    let status = stage.status();
    assert_eq!((status.phase, status.message.as_str()), (Successful, ""));
    assert_eq!(stage.result("b").message, "Metric assessed Failed due to failed (1) > failureLimit (0)");
    assert!(stage.result("b").dry_run && !stage.result("a").dry_run);
    let dry = status.dry_run_summary.as_ref().unwrap();
    assert_eq!(
        (status.run_summary.count, status.run_summary.successful, dry.count, dry.failed),
        (1, 1, 1, 1)
    );

    let only = json!({"metrics": [metric("b", with(conditions(), json!({"interval": null})))], "dryRun": [{"metricName": ".*"}]});
    let mut stage = Stage::new(only);
    stage.tick(|_| scripted('f'));
    assert_eq!(stage.status().phase, Successful);
}

#[test]
fn a_dry_run_never_ends_the_others() {
    let spec = json!({
        "metrics": [metric("a", with(conditions(), json!({"count": 2}))), metric("b", conditions())],
        "dryRun": [{"metricName": "b"}],
    });
    let mut stage = Stage::new(spec);
    stage.tick(|ask| scripted(if ask.metric == "b" { 'f' } else { 's' }));
    assert_eq!(stage.status().phase, Running);
    stage.pass(60).tick(|_| scripted('s'));
    assert_eq!(stage.status().phase, Successful);
}
