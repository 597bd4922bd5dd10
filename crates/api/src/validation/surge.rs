//! What is wrong with how many pods there may be too many or too few.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{CANARY, Problem};
use crate::CanaryStrategy;

/// Text that is no number counts as zero here; that it is none is said by [`shares`].
fn is_zero(value: Option<&IntOrString>) -> bool {
    match value {
        Some(IntOrString::Int(value)) => *value == 0,
        Some(IntOrString::String(text)) => text.trim_end_matches('%').trim().parse::<i32>().unwrap_or(0) == 0,
        None => false,
    }
}

/// Neither a number of pods nor a percentage.
pub(super) fn not_a_share(value: Option<&IntOrString>) -> bool {
    match value {
        Some(IntOrString::Int(value)) => *value < 0,
        Some(IntOrString::String(text)) => text.trim_end_matches('%').trim().parse::<u32>().is_err(),
        None => false,
    }
}

/// With neither, no pod could ever be replaced.
pub(super) fn both_zero(canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    if is_zero(canary.max_surge.as_ref()) && is_zero(canary.max_unavailable.as_ref()) {
        problems.push(Problem::invalid(
            format!("{CANARY}.maxSurge"),
            &canary.max_surge,
            "MaxSurge and MaxUnavailable both can not be zero; let one of them be at least 1",
        ));
    }
}

pub(super) fn shares(canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    for (field, value) in [("maxSurge", &canary.max_surge), ("maxUnavailable", &canary.max_unavailable)] {
        if not_a_share(value.as_ref()) {
            let message = "give a number of pods, or a percentage such as 25%";
            problems.push(Problem::invalid(format!("{CANARY}.{field}"), value, message));
        }
    }
}
