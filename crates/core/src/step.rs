//! Says what one canary step is called, what it asks for, and how steps before it still count.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serin_api::{CanaryStep, SetCanaryScale};

use crate::split::Weight;
use crate::template;

/// Hash of the steps, as Argo Rollouts makes it: a changed list starts the attempt again, a takeover does not.
pub(crate) fn hash(steps: &[CanaryStep]) -> String {
    let steps: Vec<_> = steps.iter().map(|step| serde_json::to_value(step).unwrap_or_default()).collect();
    template::hash_of_steps(&steps)
}

/// The step in the words of events and CLI.
pub fn describe(step: &CanaryStep) -> String {
    if let Some(weight) = step.set_weight {
        return format!("setWeight: {weight}");
    }
    if let Some(pause) = &step.pause {
        return match &pause.duration {
            None => "pause".to_owned(),
            Some(IntOrString::Int(seconds)) => format!("pause: {seconds}"),
            Some(IntOrString::String(text)) => format!("pause: {text}"),
        };
    }
    if step.experiment.is_some() {
        return "experiment".to_owned();
    }
    if step.analysis.is_some() {
        return "analysis".to_owned();
    }
    if let Some(scale) = &step.set_canary_scale {
        return describe_scale(scale);
    }
    if let Some(plugin) = &step.plugin {
        return format!("plugin: {}", plugin.name);
    }
    if let Some(route) = &step.set_header_route {
        return format!("setHeaderRoute: {}", route.name);
    }
    if let Some(route) = &step.set_mirror_route {
        return format!("setMirrorRoute: {}", route.name);
    }
    "invalid".to_owned()
}

fn describe_scale(scale: &SetCanaryScale) -> String {
    if scale.match_traffic_weight {
        return "setCanaryScale{matchTrafficWeight: true}".to_owned();
    }
    match (scale.weight, scale.replicas) {
        (Some(weight), _) => format!("setCanaryScale{{weight: {weight}}}"),
        (None, Some(replicas)) => format!("setCanaryScale{{replicas: {replicas}}}"),
        (None, None) => "invalid".to_owned(),
    }
}

/// Weight of the nearest `setWeight` among the first `through` steps; 0 when there is none.
pub(crate) fn weight_within(steps: &[CanaryStep], through: usize) -> Weight {
    let weight = steps.iter().take(through).rev().find_map(|step| step.set_weight);
    Weight(weight.and_then(|weight| u32::try_from(weight).ok()).unwrap_or(0))
}

/// The `setCanaryScale` in force at step `index`, searched backwards; `matchTrafficWeight` ends it.
pub(crate) fn canary_scale_at(steps: &[CanaryStep], index: usize) -> Option<&SetCanaryScale> {
    let scale =
        steps.iter().take(index.saturating_add(1)).rev().find_map(|step| step.set_canary_scale.as_ref())?;
    (!scale.match_traffic_weight).then_some(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_steps_are_those_of_argo_rollouts() {
        let analysed = serde_json::json!([
            {"setWeight": 10},
            {"analysis": {
                "templates": [{"templateName": "up"}],
                "args": [
                    {"name": "least", "value": "1"},
                    {"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}},
                ],
                "dryRun": [{"metricName": "up"}],
            }},
        ]);
        let steps: Vec<CanaryStep> = serde_json::from_value(analysed).unwrap();
        assert_eq!(hash(&steps), "7c8565bdb5");
        assert_eq!(hash(&[]), "5ffbfbbd64");
    }

    #[test]
    fn hashes_of_steps_are_those_that_argo_rollouts_has_stored() {
        for (steps, expected) in [
            (
                serde_json::json!([{"setWeight": 25}, {"analysis": {
                    "analysisRunMetadata": {},
                    "templates": [{"templateName": "random-fail"}, {"templateName": "always-pass"}],
                }}]),
                "84d4b665cd",
            ),
            (
                serde_json::json!([
                    {"setWeight": 25}, {"pause": {"duration": "2m"}}, {"setWeight": 50},
                    {"pause": {"duration": "2m"}}, {"setWeight": 100}, {"pause": {"duration": "2m"}},
                ]),
                "f847f885c",
            ),
        ] {
            let steps: Vec<CanaryStep> = serde_json::from_value(steps).unwrap();
            assert_eq!(hash(&steps), expected);
        }
    }
}
