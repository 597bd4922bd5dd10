//! Takes the canary back on the evidence of all comparisons of a run together (judge 1.9).
//!
//! Each metric fails alone at `K / alpha`. The mean over all questions of all metrics may reach `1 / alpha` before: it is
//! evidence against "no limit is passed", whatever the dependence between metrics.

use serin_api::{AnalysisPhase, AnalysisRunStatus};

use super::prepared::Prepared;
use crate::comparison::Evidence;
use crate::judge::combine::{Standing, join};

/// Fails the metric with the strongest evidence when all metrics together are enough and it is beyond its limit for long
/// enough. Metrics that do not decide have no say.
pub(super) fn decide(prepared: &[Prepared], status: &mut AnalysisRunStatus) {
    let (mut standings, mut owners): (Vec<Standing>, Vec<&str>) = (Vec::new(), Vec::new());
    let mut alpha = f64::INFINITY;
    for prepared in prepared.iter().filter(|prepared| !prepared.dry_run) {
        let Some(plan) = prepared.comparison() else { continue };
        let found = status.metric_results.iter().find(|result| result.name == prepared.name);
        let stored = found.and_then(|result| result.evidence.as_ref());
        let (evidence, edited) = Evidence::of(stored, plan, 0);
        alpha = alpha.min(evidence.settings(plan).alpha);
        for standing in evidence.standings(plan) {
            standings.push(if edited { Standing { log_e: 0.0, sustained: false } } else { standing });
            owners.push(&prepared.name);
        }
    }
    let joint = join(&standings, alpha);
    let loudest = joint.loudest.filter(|_| joint.fail).and_then(|place| owners.get(place));
    let Some(result) = status
        .metric_results
        .iter_mut()
        .find(|result| Some(&result.name.as_str()) == loudest && !result.phase.completed())
    else {
        return;
    };
    let reasons = result.measurements.last().map(|last| last.message.as_str()).unwrap_or_default();
    result.message = format!(
        "all metrics together: mean evidence {:.1} of {:.0} needed, this one the strongest -> FAIL\n{reasons}",
        joint.log_mean.exp(),
        1.0 / alpha
    );
    result.phase = AnalysisPhase::Failed;
}
