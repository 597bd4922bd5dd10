//! Knows the metric names and labels of well-known sources, so that a comparison needs only the name of the preset.

use serin_api::Preset;

/// Counters and histograms of a preset.
pub(super) struct Names {
    pub(super) requests: &'static str,
    /// Matchers of failed requests.
    pub(super) errors: &'static str,
    pub(super) histogram: &'static str,
    /// Revisions are told apart by Service, not by pod.
    pub(super) by_service: bool,
}

const PLAIN_ERRORS: &str = "code=~\"5..\"";

/// What is read without a preset: errors only, the names are the user's.
pub(super) const NONE: Names = Names { requests: "", errors: PLAIN_ERRORS, histogram: "", by_service: false };

pub(super) fn names(preset: Option<Preset>) -> Names {
    let of_pods = |requests, errors, histogram| Names { requests, errors, histogram, by_service: false };
    let of_ingress = |requests, errors, histogram| Names { requests, errors, histogram, by_service: true };
    match preset {
        None => NONE,
        Some(Preset::Http) => of_pods("http_requests_total", PLAIN_ERRORS, "http_request_duration_seconds"),
        Some(Preset::Istio) => of_pods(
            "istio_requests_total{reporter=\"destination\"}",
            "response_code=~\"5..\"",
            "istio_request_duration_milliseconds{reporter=\"destination\"}",
        ),
        Some(Preset::Linkerd) => of_pods(
            "response_total{direction=\"inbound\"}",
            "classification=\"failure\"",
            "response_latency_ms{direction=\"inbound\"}",
        ),
        Some(Preset::Envoy) => of_pods(
            "envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix!=\"admin\"}",
            "envoy_response_code_class=\"5\"",
            "envoy_http_downstream_rq_time{envoy_http_conn_manager_prefix!=\"admin\"}",
        ),
        Some(Preset::Traefik) => of_ingress(
            "traefik_service_requests_total",
            PLAIN_ERRORS,
            "traefik_service_request_duration_seconds",
        ),
        Some(Preset::IngressNginx) => of_ingress(
            "nginx_ingress_controller_requests",
            "status=~\"5..\"",
            "nginx_ingress_controller_request_duration_seconds",
        ),
    }
}
