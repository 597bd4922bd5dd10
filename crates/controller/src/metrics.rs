//! Translates what is known of the cluster and of this process into the metrics that Argo's dashboards and alerts read.
//! Series of objects are made from the caches when they are asked for, so they end with the object.

mod analysis;
mod experiment;
mod process;
mod rollout;
#[cfg(test)]
mod tests;
mod work;

use serin_api::AnalysisPhase;

use crate::exposition::Page;
use crate::serve::Insight;

pub use self::process::started;

/// The whole page.
pub fn page(insight: &Insight) -> String {
    let mut page = Page::default();
    rollout::expose(&mut page, &insight.caches);
    analysis::expose(&mut page, &insight.caches);
    experiment::expose(&mut page, &insight.caches);
    insight.tally.expose(&mut page);
    work::expose(&mut page, insight);
    process::expose(&mut page, insight);
    page.text()
}

/// 1 for the phase that an object is in, 0 for others. One that nobody has looked at yet is pending.
fn is_in(phase: AnalysisPhase, known: AnalysisPhase) -> f64 {
    let phase = if phase == AnalysisPhase::default() { AnalysisPhase::Pending } else { phase };
    f64::from(u8::from(phase == known))
}
