//! Analysis templates: what is measured, how often, and what decides.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::provider::MetricProvider;

/// Metrics to be measured by AnalysisRuns of one namespace.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "argoproj.io",
    version = "v1alpha1",
    kind = "AnalysisTemplate",
    plural = "analysistemplates",
    shortname = "at",
    namespaced,
    derive = "PartialEq",
    doc = "Metrics to be measured by AnalysisRuns of this namespace.",
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since it was created"
    )
)]
pub struct AnalysisTemplateSpec {
    /// What is measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Vec<Metric>>,
    /// Arguments: `{{args.name}}` in a metric stands for the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<Argument>>,
    /// Metrics that are measured and do not decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<Vec<DryRun>>,
    /// How many measurements are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measurement_retention: Option<Vec<MeasurementRetention>>,
    /// Templates whose metrics belong to this one too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub templates: Option<Vec<TemplateReference>>,
}

/// Metrics to be measured by AnalysisRuns of any namespace.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "argoproj.io",
    version = "v1alpha1",
    kind = "ClusterAnalysisTemplate",
    plural = "clusteranalysistemplates",
    shortname = "cat",
    derive = "PartialEq",
    doc = "Metrics to be measured by AnalysisRuns of any namespace.",
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since it was created"
    )
)]
pub struct ClusterAnalysisTemplateSpec {
    /// The same as in an AnalysisTemplate.
    #[serde(flatten)]
    pub template: AnalysisTemplateSpec,
}

/// One metric.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// Name, unique in the run.
    #[serde(default)]
    pub name: String,
    /// Time between measurements, for example `30s`. Required when `count` is more than 1. For a comparison it is the
    /// length of a window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// Time before the first measurement, for example `1m`. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_delay: Option<String>,
    /// Measurements in all. Default 1 without interval, else until the run is ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<IntOrString>,
    /// Expression over `result`; a measurement is successful when it is true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_condition: Option<String>,
    /// Expression over `result`; a measurement is failed when it is true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_condition: Option<String>,
    /// Failed measurements that are borne. Default 0; -1 for any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_limit: Option<IntOrString>,
    /// Inconclusive measurements that are borne. Default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inconclusive_limit: Option<IntOrString>,
    /// Errors in a row that are borne. Default 4. An unreachable provider counts only when this is set: else the
    /// rollout holds until the provider answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consecutive_error_limit: Option<IntOrString>,
    /// Successful measurements in a row that are enough. Default 0: not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consecutive_success_limit: Option<IntOrString>,
    /// Where the data come from.
    #[serde(default)]
    pub provider: MetricProvider,
    /// Compares canary with stable by statistics instead of by conditions. Serin's own field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
}

/// A comparison of canary with stable, window by window.
///
/// Sources, formulas and guarantees: `docs/analysis.md`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// Share of requests that fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_rate: Option<ErrorRateComparison>,
    /// Windows in a row beyond the limit that an abort needs; fewer bad windows can never abort. Default 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consecutive_windows: Option<i32>,
    /// Chance of aborting a version that is no worse, over the whole rollout. Default `0.05`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<String>,
    /// How small a difference is acted upon: `strict`, `balanced` (default) or `sensitive`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<Sensitivity>,
    /// Windows that are left out after the analysis begins, while caches are cold. Default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup: Option<i32>,
    /// How long after its end a window is judged, so that its last samples have arrived. Default `15s`; longer than the
    /// delay of remote write or of Thanos, where there is one. At most `30m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingestion_delay: Option<String>,
    /// How long the analysis may go without data, or without an answer, before it ends inconclusive, which pauses the
    /// rollout for a person. Default `1h`; `0` never. It never aborts for want of data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_data_timeout: Option<String>,
}

/// The indifference zone of a comparison, as a share of the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Sensitivity {
    /// Only differences beyond the whole limit are evidence.
    Strict,
    /// Differences beyond half of the limit are evidence.
    #[default]
    Balanced,
    /// Any difference is evidence.
    Sensitive,
}

/// Compares the share of failed requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorRateComparison {
    /// Counter of requests: a metric name, or a selector such as `http_requests_total{app="shop"}`.
    #[serde(default)]
    pub requests: String,
    /// Label matchers of failed requests. Default `code=~"5.."`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<String>,
    /// How much worse the canary may be: percentage points such as `0.5pp` (default), or a share such as `0.005`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Label of the counter that holds the pod template hash. Default `rollouts_pod_template_hash`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_label: Option<String>,
    /// Label of the counter that holds the pod. Default `pod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_label: Option<String>,
}

/// An argument of a template or a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Argument {
    /// Name.
    #[serde(default)]
    pub name: String,
    /// Value, or default value in a template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where the value is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_from: Option<ArgumentSource>,
}

/// Exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArgumentSource {
    /// A key of a Secret in the namespace of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyReference>,
    /// A field of the Rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field_ref: Option<FieldReference>,
}

/// A key of a Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyReference {
    /// Name of the Secret.
    #[serde(default)]
    pub name: String,
    /// Key in its data.
    #[serde(default)]
    pub key: String,
}

/// A field of the Rollout.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldReference {
    /// Path such as `metadata.labels['app']` or `spec.template.spec.containers[0].image`.
    #[serde(default)]
    pub field_path: String,
}

/// A template by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateReference {
    /// Name.
    #[serde(default)]
    pub template_name: String,
    /// It is a ClusterAnalysisTemplate. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cluster_scope: bool,
}

/// Metrics that do not decide.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DryRun {
    /// Regular expression of metric names.
    #[serde(default)]
    pub metric_name: String,
}

/// How many measurements are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeasurementRetention {
    /// Regular expression of metric names.
    #[serde(default)]
    pub metric_name: String,
    /// Measurements kept. Default 10.
    #[serde(default)]
    pub limit: i32,
}
