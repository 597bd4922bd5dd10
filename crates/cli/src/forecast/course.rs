//! Reads from the steps of a Rollout how long it stays at each weight.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Serialize;
use serin_api::{CanaryStep, go_duration};

/// A weight, and how long the steps keep it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stay {
    /// Number of the step that sets it, from 1; absent for a weight that no step sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// The weight in percent.
    pub weight: i32,
    /// Seconds of the pauses at this weight.
    pub seconds: f64,
    /// A step at this weight ends by itself only when a person or an analysis says so.
    pub open: bool,
}

/// The weights of steps, in their order. Weights of 0 and 100 compare nothing and are left out.
pub fn stays(steps: &[CanaryStep]) -> Vec<Stay> {
    let mut stays: Vec<Stay> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        if let Some(weight) = step.set_weight {
            stays.push(Stay { step: Some(index + 1), weight, seconds: 0.0, open: false });
        }
        let Some(stay) = stays.last_mut() else { continue };
        match step.pause.as_ref().map(|pause| pause.duration.as_ref()) {
            Some(Some(duration)) => stay.seconds += seconds(duration),
            Some(None) => stay.open = true,
            None => {}
        }
        stay.open |= step.analysis.is_some() || step.experiment.is_some();
    }
    stays.retain(|stay| (1..100).contains(&stay.weight));
    stays
}

fn seconds(duration: &IntOrString) -> f64 {
    match duration {
        IntOrString::Int(seconds) => f64::from(*seconds),
        IntOrString::String(text) => {
            let number = text.parse::<f64>().ok();
            number.or_else(|| go_duration(text).map(|duration| duration.as_secs_f64())).unwrap_or(0.0)
        }
    }
}
