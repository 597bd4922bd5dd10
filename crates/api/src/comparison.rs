//! Comparisons of canary with stable: which counters, which limit, how sure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A comparison of canary with stable, window by window. Exactly one of `errorRate`, `latency`, `businessRate`, `mean`.
///
/// Sources, formulas and guarantees: `docs/analysis.md`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "(has(self.errorRate) ? 1 : 0) + (has(self.latency) ? 1 : 0) + (has(self.businessRate) ? 1 : 0) + (has(self.mean) ? 1 : 0) == 1",
    "message": "give exactly one of errorRate, latency, businessRate, mean; each metric has one comparison",
}]))]
pub struct Comparison {
    /// Whose metrics are read, so that names and labels need not be given: for `errorRate: {}` and `latency: {}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// Share of requests that fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_rate: Option<ErrorRateComparison>,
    /// How long requests take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencyComparison>,
    /// Share of attempts that succeed in the sense of the business, such as orders per visit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_rate: Option<BusinessRateComparison>,
    /// Mean of a value, such as the size of an order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<MeanComparison>,
    /// Windows in a row beyond the limit that an abort needs; fewer bad windows can never abort. Default 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub consecutive_windows: Option<i32>,
    /// Chance of aborting a version that is no worse, over the whole rollout. Default `0.05`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<String>,
    /// How small a difference is acted upon: `strict`, `balanced` (default) or `sensitive`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<Sensitivity>,
    /// Windows that are left out after the analysis begins, and of every pod after its first sample, while caches are
    /// cold. Default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub warmup: Option<i32>,
    /// Requests (attempts, values) that the canary must have served before the comparison may succeed. Default 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min_requests: Option<i32>,
    /// Windows before the analysis from which the usual level and noise of the stable pods are measured. Default 40;
    /// `0` assumes usual noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub history: Option<i32>,
    /// How long after its end a window is judged, so that its last samples have arrived. Default `15s`; longer than the
    /// delay of remote write or of Thanos, where there is one. At most `30m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingestion_delay: Option<String>,
    /// How long the analysis may go without data, or without an answer, before it ends inconclusive, which pauses the
    /// rollout for a person. Default `1h`; `0` never. It never aborts for want of data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_data_timeout: Option<String>,
}

/// Whose metrics are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Preset {
    /// `http_requests_total` with `code`, `http_request_duration_seconds`.
    Http,
    /// Istio's sidecars: `istio_requests_total`, `istio_request_duration_milliseconds`.
    Istio,
    /// Linkerd's proxies: `response_total`, `response_latency_ms`.
    Linkerd,
    /// An Envoy beside each pod: `envoy_http_downstream_rq_xx`, `envoy_http_downstream_rq_time`.
    Envoy,
    /// Traefik: `traefik_service_requests_total`, `traefik_service_request_duration_seconds`. Told apart by Service.
    Traefik,
    /// ingress-nginx: `nginx_ingress_controller_requests`, `nginx_ingress_controller_request_duration_seconds`. Told
    /// apart by Service.
    IngressNginx,
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
    /// Counter of requests: a metric name, or a selector such as `http_requests_total{app="shop"}`. Default: that of the
    /// preset.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub requests: String,
    /// Label matchers of failed requests. Default: those of the preset, else `code=~"5.."`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<String>,
    /// How much worse the canary may be: percentage points such as `0.5pp` (default), or a share such as `0.005`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Share of stable's requests that fail, such as `5%`, above which its environment counts as unhealthy (a database that
    /// both share, for instance). Such windows are not judged: the analysis holds and says so. Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unhealthy_above: Option<String>,
    /// Label of the counter that holds the pod template hash. Default `rollouts_pod_template_hash`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_label: Option<String>,
    /// Label of the counter that holds the pod. Default `pod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_label: Option<String>,
}

/// Compares how long requests take: all of them (Mann-Whitney on buckets), and those beyond quantiles.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatencyComparison {
    /// Histogram, classic or native: a metric name without `_bucket`, or a selector such as
    /// `http_request_duration_seconds{app="shop"}`. Default: that of the preset.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub histogram: String,
    /// Quantiles whose tails are compared besides the shift of all requests. Default `[p95, p99]`; `[]` for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantiles: Option<Vec<String>>,
    /// How much slower the canary may be. Default `15%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Label of the histogram that holds the pod template hash. Default `rollouts_pod_template_hash`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_label: Option<String>,
    /// Label of the histogram that holds the pod. Default `pod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_label: Option<String>,
}

/// Compares the share of attempts that succeed in the sense of the business. Fewer is worse.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BusinessRateComparison {
    /// Counter of attempts: a metric name or a selector such as `checkout_sessions_total`.
    #[serde(default)]
    pub attempts: String,
    /// Counter of successes among them: a metric name or a selector such as `checkout_orders_total`.
    #[serde(default)]
    pub successes: String,
    /// How much lower the rate of the canary may be, relative to stable. Default `2%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Label of the counters that holds the pod template hash. Default `rollouts_pod_template_hash`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_label: Option<String>,
    /// Label of the counters that holds the pod. Default `pod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_label: Option<String>,
}

/// Compares the mean of a value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeanComparison {
    /// Counter of the sum of the values: a metric name or a selector such as `order_euros_sum`.
    #[serde(default)]
    pub sum: String,
    /// Counter of the values: a metric name or a selector such as `order_euros_count`.
    #[serde(default)]
    pub count: String,
    /// Which way is worse: `lower` (default) or `higher`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worse: Option<Worse>,
    /// How much worse the canary may be, relative to stable. Default `2%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Label of the counters that holds the pod template hash. Default `rollouts_pod_template_hash`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_label: Option<String>,
    /// Label of the counters that holds the pod. Default `pod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_label: Option<String>,
}

/// Which way is worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Worse {
    /// A smaller mean.
    #[default]
    Lower,
    /// A larger mean.
    Higher,
}
