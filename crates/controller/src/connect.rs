//! Performs the first contact: finds the cluster, and waits until its API server answers.

use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::header::USER_AGENT;
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};

use crate::options::Options;
use crate::watch::chain;

/// The way to the cluster, and where it was found, for people.
///
/// # Errors
/// Why no way was found, for people.
pub async fn configuration(options: &Options) -> Result<(Config, String), String> {
    let no_cluster = |error: &dyn std::error::Error| chain(error);
    let chosen = KubeConfigOptions { context: options.context.clone(), ..KubeConfigOptions::default() };
    let (mut config, origin) = match &options.kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|error| no_cluster(&error))?;
            let config = Config::from_custom_kubeconfig(file, &chosen).await;
            (config.map_err(|error| no_cluster(&error))?, format!("kubeconfig {}", path.display()))
        }
        None => match Config::from_kubeconfig(&chosen).await {
            Ok(config) => (config, kubeconfig_origin()),
            Err(error) => match Config::incluster() {
                Ok(config) => (config, "service account of the pod".to_owned()),
                Err(_) => return Err(no_cluster(&error)),
            },
        },
    };
    // Refusals and overload are sorted and waited out by class here; two layers of retries would multiply.
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(10));
    config.headers.push((USER_AGENT, HeaderValue::from_static(crate::AGENT)));
    Ok((config, origin))
}

fn kubeconfig_origin() -> String {
    let path = std::env::var("KUBECONFIG").unwrap_or_else(|_| "~/.kube/config".to_owned());
    format!("kubeconfig {path}")
}

/// Waits until the API server answers anything at all.
pub async fn reachable(client: &Client, server: &str, origin: &str) {
    let mut pause = Duration::from_secs(1);
    loop {
        let answer = tokio::time::timeout(Duration::from_secs(15), client.apiserver_version()).await;
        let why = match answer {
            Ok(Ok(version)) => {
                tracing::info!(server, origin, version = version.git_version, "connected");
                return;
            }
            Ok(Err(kube::Error::Api(status))) => {
                tracing::warn!(
                    server,
                    origin,
                    "the API server answers, but not with its version: {}",
                    status.message
                );
                return;
            }
            Ok(Err(error)) => chain(&error),
            Err(_) => "no answer within 15 s".to_owned(),
        };
        tracing::warn!(
            server,
            origin,
            "the API server cannot be reached, trying again in {} s: {why}",
            pause.as_secs()
        );
        tokio::time::sleep(pause.mul_f64(0.75 + rand::random::<f64>() / 2.0)).await;
        pause = (pause * 2).min(Duration::from_secs(30));
    }
}
