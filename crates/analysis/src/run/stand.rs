//! Says how a comparison stands, in few words that change seldom: for events, of which a fleet must not have many.

use serin_api::{AnalysisPhase, MetricResult};
use serin_core::journal::{Event, Severity};

use crate::comparison::{Evidence, WINDOW};
use crate::judge::error_rate::Verdict;

/// How a comparison that goes on stands after its newest window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// Not decided.
    Collecting,
    /// Shown to stay within the limit; it ends well if that lasts.
    Within,
    /// Two windows in a row or more are beyond the limit.
    Suspicious,
}

impl Stand {
    /// `None` before the first window.
    fn of(result: &MetricResult) -> Option<Self> {
        let mut windows = result.measurements.iter().rev().filter(|one| one.metadata.contains_key(WINDOW));
        let mut beyond = || Some(windows.next()?.phase == AnalysisPhase::Failed);
        let (last, before) = (beyond()?, beyond());
        let said = result.evidence.as_ref().and_then(Evidence::last_said);
        Some(match said {
            _ if last && before == Some(true) => Self::Suspicious,
            Some(Verdict::Pass) => Self::Within,
            _ => Self::Collecting,
        })
    }

    fn words(self) -> (Severity, &'static str, &'static str) {
        match self {
            Self::Collecting => (Severity::Normal, "AnalysisCollecting", "not decided yet"),
            Self::Within => (Severity::Normal, "AnalysisWithinLimit", "within the limit so far"),
            Self::Suspicious => {
                (Severity::Warning, "AnalysisSuspicious", "beyond the limit for two windows or more")
            }
        }
    }
}

/// The event of a comparison that stands differently after its newest window. One that is over has an event of its own.
pub(super) fn event(before: Option<&MetricResult>, after: &MetricResult) -> Option<Event> {
    let stand = Stand::of(after).filter(|_| !after.phase.completed())?;
    if before.and_then(Stand::of) == Some(stand) {
        return None;
    }
    let (severity, reason, how) = stand.words();
    // The strongest evidence comes first; the other questions are in the status.
    let line = after.measurements.last()?.message.lines().next().unwrap_or_default();
    Some(Event {
        severity,
        reason: reason.to_owned(),
        message: format!("Metric '{}' {how}: {line}", after.name),
        write: None,
        service: None,
        thread: Some(after.name.clone()),
    })
}
