//! What is wrong with the anti-affinity of either strategy.

use super::Problem;
use super::problem::condition_path;
use crate::AntiAffinity;

/// Of the field `antiAffinity` of the strategy at `path`.
pub(super) fn rule(path: &str, rule: Option<&AntiAffinity>, problems: &mut Vec<Problem>) {
    let Some(rule) = rule else { return };
    let path = format!("{path}.antiAffinity");
    let required = rule.required_during_scheduling_ignored_during_execution.is_some();
    let preferred = rule.preferred_during_scheduling_ignored_during_execution.as_ref();
    if preferred.is_some() == required {
        let words = "AntiAffinity must have exactly one strategy listed";
        let message = format!(
            "{words}; give requiredDuringSchedulingIgnoredDuringExecution or \
             preferredDuringSchedulingIgnoredDuringExecution"
        );
        let value = format!(
            "Invalid value: \"antiAffinity.PreferredDuringSchedulingIgnoredDuringExecution: {required} \
             antiAffinity.RequiredDuringSchedulingIgnoredDuringExecution: {required}\""
        );
        return problems.push(Problem::invalid(path, rule, message).said_with(&value, words));
    }
    if let Some(preferred) = preferred.filter(|preferred| !(1..=100).contains(&preferred.weight)) {
        let words = "AntiAffinity weight must be between 1-100";
        let field = format!("{path}.preferredDuringSchedulingIgnoredDuringExecution.weight");
        let said = format!("{}.weight: Invalid value: {}: {words}", condition_path(&path), preferred.weight);
        problems.push(
            Problem::invalid(field, preferred.weight, format!("{words}; choose one of these")).said_as(said),
        );
    }
}
