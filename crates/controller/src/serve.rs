//! Says how the process is: `/metrics` for Prometheus, `/healthz` and `/readyz` for the kubelet.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header::CONTENT_TYPE};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::caches::Caches;
use crate::exposition;
use crate::lease::Leadership;
use crate::metrics;
use crate::tally::Tally;

/// What the pages are made from.
#[derive(Clone, Debug)]
pub struct Insight {
    /// What is known of the cluster.
    pub caches: Arc<Caches>,
    /// What was done.
    pub tally: Arc<Tally>,
    /// Whether this process acts.
    pub leadership: Leadership,
}

/// A port that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("port {port} for {what} cannot be opened")]
pub struct NoPort {
    port: u16,
    what: &'static str,
    source: std::io::Error,
}

/// Opens both ports, and answers on them until `stop`.
///
/// # Errors
/// When a port cannot be opened.
pub async fn begin(
    insight: Insight,
    metrics_port: u16,
    healthz_port: u16,
    stop: CancellationToken,
) -> Result<(), NoPort> {
    let metrics = Router::new().route("/metrics", get(metrics_page)).with_state(insight.clone());
    let health = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(readiness))
        .with_state(insight);
    for (port, what, router) in [(metrics_port, "/metrics", metrics), (healthz_port, "/healthz", health)] {
        let listener = open(port).await.map_err(|source| NoPort { port, what, source })?;
        let stop = stop.clone();
        tokio::spawn(async move {
            if let Err(error) =
                axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
            {
                tracing::error!("{what} is not served any more: {error}");
            }
        });
    }
    Ok(())
}

/// Listens on all addresses, also where there is no IPv6.
async fn open(port: u16) -> std::io::Result<TcpListener> {
    match TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], port))).await,
    }
}

async fn metrics_page(
    State(insight): State<Insight>,
) -> ([(axum::http::HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, exposition::CONTENT_TYPE)], metrics::page(&insight))
}

/// Ready as soon as all kinds have been listed, leading or not: a standby must not keep a rolling update waiting.
async fn readiness(State(insight): State<Insight>) -> (StatusCode, String) {
    let waiting = insight.caches.waiting_for();
    if waiting.is_empty() {
        return (StatusCode::OK, "ok".to_owned());
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("not listed yet: {}", waiting.join(", ")))
}
