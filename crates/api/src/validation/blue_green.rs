//! What is wrong with the fields of the blue-green strategy.

use super::surge::not_a_share;
use super::{Problem, analysis, anti_affinity, routing};
use crate::{BlueGreenStrategy, RolloutSpec};

const BLUE_GREEN: &str = "spec.strategy.blueGreen";

pub(super) fn strategy(spec: &RolloutSpec, strategy: &BlueGreenStrategy, problems: &mut Vec<Problem>) {
    services(strategy, problems);
    let kept = spec.revision_history_limit.unwrap_or(10);
    if let Some(limit) = strategy.scale_down_delay_revision_limit.filter(|limit| kept < *limit) {
        problems.push(Problem::invalid(
            format!("{BLUE_GREEN}.scaleDownDelayRevisionLimit"),
            limit,
            format!(
                "This rollout's revision history limit can not be smaller than the rollout's scale down limit; \
                 spec.revisionHistoryLimit is {kept}"
            ),
        ));
    }
    anti_affinity::rule(BLUE_GREEN, strategy.anti_affinity.as_ref(), problems);
    numbers(strategy, problems);
    for (field, found) in [
        ("prePromotionAnalysis", &strategy.pre_promotion_analysis),
        ("postPromotionAnalysis", &strategy.post_promotion_analysis),
    ] {
        if let Some(found) = found {
            analysis::rule(&format!("{BLUE_GREEN}.{field}"), found, problems);
        }
    }
}

fn services(strategy: &BlueGreenStrategy, problems: &mut Vec<Problem>) {
    let preview = strategy.preview_service.as_deref();
    if preview.unwrap_or_default() == strategy.active_service {
        let path = format!("{BLUE_GREEN}.activeService");
        problems.push(routing::one_for_two(path, &strategy.active_service, "active and preview"));
    } else if strategy.active_service.is_empty() {
        let message = "name the Service that carries the traffic of users";
        problems.push(Problem::missing(&format!("{BLUE_GREEN}.activeService"), message));
    }
}

fn numbers(strategy: &BlueGreenStrategy, problems: &mut Vec<Problem>) {
    for (field, value) in [
        ("previewReplicaCount", strategy.preview_replica_count),
        ("autoPromotionSeconds", strategy.auto_promotion_seconds),
        ("scaleDownDelaySeconds", strategy.scale_down_delay_seconds),
        ("scaleDownDelayRevisionLimit", strategy.scale_down_delay_revision_limit),
        ("abortScaleDownDelaySeconds", strategy.abort_scale_down_delay_seconds),
    ] {
        if let Some(value) = value.filter(|value| *value < 0) {
            let message = "must be greater than or equal to 0";
            problems.push(Problem::invalid(format!("{BLUE_GREEN}.{field}"), value, message));
        }
    }
    if not_a_share(strategy.max_unavailable.as_ref()) {
        problems.push(Problem::invalid(
            format!("{BLUE_GREEN}.maxUnavailable"),
            &strategy.max_unavailable,
            "give a number of pods, or a percentage such as 25%",
        ));
    }
}
