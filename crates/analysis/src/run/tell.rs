//! Says what changed in a run, as events.

use serin_api::{AnalysisPhase, AnalysisRunStatus, MetricResult};
use serin_core::journal::{Event, Severity};

use super::{hold, stand};

/// The events of the difference between two states of a run.
pub(super) fn events(before: &AnalysisRunStatus, after: &AnalysisRunStatus) -> Vec<Event> {
    let mut events = Vec::new();
    for result in &after.metric_results {
        let earlier = before.metric_results.iter().find(|earlier| earlier.name == result.name);
        events.extend(of_metric(earlier, result));
    }
    if after.phase.completed() && !before.phase.completed() {
        let reason = format!("AnalysisRun{}", after.phase);
        events.push(event(after.phase, reason, completed("Analysis", after.phase, &after.message)));
    }
    events
}

fn of_metric(before: Option<&MetricResult>, after: &MetricResult) -> Vec<Event> {
    let mut events = Vec::new();
    let held = before.is_some_and(hold::holds);
    let holds = hold::holds(after);
    if holds && !held {
        events.push(Event {
            severity: Severity::Warning,
            reason: "AnalysisDataUnavailable".to_owned(),
            message: format!("Metric '{}': {}", after.name, after.message),
            write: None,
            service: None,
            thread: None,
        });
    } else if held && !holds && !after.phase.completed() {
        events.push(Event {
            severity: Severity::Normal,
            reason: "AnalysisDataAvailable".to_owned(),
            message: format!("Metric '{}' is measured again", after.name),
            write: None,
            service: None,
            thread: None,
        });
    }
    if edits(Some(after)) > edits(before) {
        events.push(Event {
            severity: Severity::Warning,
            reason: "AnalysisComparisonEdited".to_owned(),
            message: format!(
                "Metric '{}' compares something else now: its evidence begins anew with half the alpha",
                after.name
            ),
            write: None,
            service: None,
            thread: None,
        });
    }
    events.extend(stand::event(before, after));
    let ended = after.phase.completed() && before.is_none_or(|before| !before.phase.completed());
    if ended {
        let message = completed(&format!("Metric '{}'", after.name), after.phase, &after.message);
        events.push(event(after.phase, format!("Metric{}", after.phase), message));
    }
    events
}

/// As Argo Rollouts says it, and then why, unless it went well.
fn completed(what: &str, phase: AnalysisPhase, why: &str) -> String {
    let result = format!("{what} Completed. Result: {phase}");
    match phase {
        AnalysisPhase::Successful => result,
        _ if why.is_empty() => result,
        _ => format!("{result}: {why}"),
    }
}

fn edits(result: Option<&MetricResult>) -> i64 {
    let evidence = result.and_then(|result| result.evidence.as_ref());
    evidence.and_then(|evidence| evidence.get("edits")?.as_i64()).unwrap_or(0)
}

fn event(phase: AnalysisPhase, reason: String, message: String) -> Event {
    let severity = match phase {
        AnalysisPhase::Failed | AnalysisPhase::Error => Severity::Warning,
        _ => Severity::Normal,
    };
    Event { severity, reason, message, write: None, service: None, thread: None }
}
