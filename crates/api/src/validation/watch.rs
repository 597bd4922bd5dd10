//! What is wrong with the watch after a canary has got all traffic.

use super::{CANARY, Problem, analysis};
use crate::CanaryStrategy;

pub(super) fn after_promotion(canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    let Some(watch) = &canary.post_promotion_analysis else { return };
    let path = format!("{CANARY}.postPromotionAnalysis");
    analysis::rule(&path, &watch.analysis, problems);
    if watch.duration_seconds().is_some_and(|length| !length.is_ok_and(|seconds| seconds > 0)) {
        let message = "must be longer than 0; write seconds, or text such as 30s or 5m";
        problems.push(Problem::invalid(format!("{path}.duration"), &watch.duration, message));
    }
    if canary.traffic_routing.is_none() {
        let message = "it keeps the pods of stable for the way back, and without trafficRouting these would get traffic; \
                       make setWeight: 100 and an analysis the last steps";
        problems.push(Problem::invalid(&path, "set", message));
    }
    if canary.dynamic_stable_scale {
        let message = "it keeps the pods of stable for the way back, and dynamicStableScale gives them to the canary; \
                       remove one of the two";
        problems.push(Problem::invalid(path, "set", message));
    }
}
