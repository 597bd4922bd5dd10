//! How a Rollout asks for an analysis.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::analysis::{DryRun, FieldReference, MeasurementRetention, TemplateReference};
use crate::units::seconds;

/// Templates to measure by, and their arguments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutAnalysis {
    /// The templates; their metrics are put together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub templates: Option<Vec<TemplateReference>>,
    /// Values for arguments that the templates declare.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<AnalysisRunArgument>>,
    /// Metrics that are measured and do not decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<Vec<DryRun>>,
    /// How many measurements are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measurement_retention: Option<Vec<MeasurementRetention>>,
    /// Labels and annotations for the AnalysisRun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub analysis_run_metadata: Option<AnalysisRunMetadata>,
}

/// An analysis beside the steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackgroundAnalysis {
    /// What is measured.
    #[serde(flatten)]
    pub analysis: RolloutAnalysis,
    /// Index of the step from which on it runs. Default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starting_step: Option<i32>,
}

/// An analysis after all traffic has gone to the new revision, before it becomes stable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostPromotionAnalysis {
    /// What is measured.
    #[serde(flatten)]
    pub analysis: RolloutAnalysis,
    /// How long, counted from the start of the AnalysisRun: seconds as a number, or text such as `30s`, `5m`, `1h`. Then
    /// the AnalysisRun is ended, and what was not bad is good. Without it the watch lasts until the AnalysisRun succeeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<IntOrString>,
}

impl PostPromotionAnalysis {
    /// Length in seconds; `None` when the AnalysisRun decides.
    ///
    /// # Errors
    /// The text, when it is neither digits nor a duration.
    pub fn duration_seconds(&self) -> Option<Result<i64, String>> {
        self.duration.as_ref().map(seconds)
    }
}

/// One argument.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisRunArgument {
    /// Name that a template declares.
    #[serde(default)]
    pub name: String,
    /// Its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where its value is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_from: Option<AnalysisRunArgumentSource>,
}

/// Exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisRunArgumentSource {
    /// `Stable` or `Latest`: the pod template hash of that revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_template_hash_value: Option<String>,
    /// A field of the Rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field_ref: Option<FieldReference>,
}

/// Labels and annotations of AnalysisRuns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisRunMetadata {
    /// Labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Annotations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}
