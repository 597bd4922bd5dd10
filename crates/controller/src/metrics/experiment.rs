//! Says phases of Experiments.

use serin_api::AnalysisPhase;

use super::is_in;
use crate::caches::Caches;
use crate::exposition::{Page, Shape};

/// Phases of the deprecated family; Argo's has no `Failed`.
const PHASES: [AnalysisPhase; 5] = [
    AnalysisPhase::Pending,
    AnalysisPhase::Error,
    AnalysisPhase::Successful,
    AnalysisPhase::Inconclusive,
    AnalysisPhase::Running,
];

/// The families of Experiments.
pub(super) fn expose(page: &mut Page, caches: &Caches) {
    let mut experiments = caches.experiments.all();
    experiments.sort_by(|(a, _), (b, _)| a.cmp(b));
    let read = experiments.iter().filter_map(|(name, kept)| Some((name, kept.value.as_ref().ok()?)));
    let phases = read.map(|(name, experiment)| {
        (name, experiment.status.as_ref().map(|status| status.phase).unwrap_or_default())
    });
    let phases: Vec<_> = phases.collect();
    let mut info = page.family("experiment_info", Shape::Gauge, "Information about Experiment.");
    for (name, phase) in &phases {
        let text = phase.to_string();
        info.sample(&[("namespace", &name.namespace), ("name", &name.name), ("phase", &text)], 1.0);
    }
    let mut family = page.family("experiment_phase", Shape::Gauge, "DEPRECATED, use experiment_info.");
    for (name, phase) in &phases {
        for known in PHASES {
            let text = known.to_string();
            let labels = [("namespace", name.namespace.as_str()), ("name", &name.name), ("phase", &text)];
            family.sample(&labels, is_in(*phase, known));
        }
    }
}
