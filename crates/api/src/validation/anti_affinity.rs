//! What is wrong with the anti-affinity of either strategy.

use super::Problem;
use crate::AntiAffinity;

/// Of the field `antiAffinity` of the strategy at `path`.
pub(super) fn rule(path: &str, rule: Option<&AntiAffinity>, problems: &mut Vec<Problem>) {
    let Some(rule) = rule else { return };
    let path = format!("{path}.antiAffinity");
    let required = rule.required_during_scheduling_ignored_during_execution.is_some();
    match &rule.preferred_during_scheduling_ignored_during_execution {
        Some(preferred) if !required => {
            if !(1..=100).contains(&preferred.weight) {
                problems.push(Problem::invalid(
                    format!("{path}.preferredDuringSchedulingIgnoredDuringExecution.weight"),
                    preferred.weight,
                    "AntiAffinity weight must be between 1-100",
                ));
            }
        }
        None if required => {}
        _ => problems.push(Problem::invalid(
            path,
            rule,
            "AntiAffinity must have exactly one strategy listed; give requiredDuringSchedulingIgnoredDuringExecution \
             or preferredDuringSchedulingIgnoredDuringExecution",
        )),
    }
}
