//! Says which versions of routing kinds the API server serves, where users run several.

use kube::Client;
use serin_traffic::ApiVersions;

use crate::options::Options;

const ISTIO: &str = "networking.istio.io";
const GATEWAY: &str = "gateway.networking.k8s.io";

/// Versions in the order of preference, with the kind that must be in them.
const CANDIDATES: [(&str, &str, &[&str]); 3] = [
    (ISTIO, "VirtualService", &["v1", "v1beta1", "v1alpha3"]),
    (GATEWAY, "TCPRoute", &["v1", "v1beta1", "v1alpha2"]),
    (GATEWAY, "TLSRoute", &["v1", "v1beta1", "v1alpha3", "v1alpha2"]),
];

/// What the options ask for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'o> {
    /// Version of `networking.istio.io`, when not the newest that is served.
    pub istio: Option<&'o str>,
    /// API version of Ambassador's Mappings.
    pub ambassador: &'o str,
    /// Version of `split.smi-spec.io`.
    pub smi: &'o str,
    /// Whether AWS is asked what its load balancers do.
    pub verify_load_balancers: bool,
}

impl<'o> Asked<'o> {
    /// What these options ask for.
    pub fn of(options: &'o Options) -> Self {
        Self {
            istio: options.istio_api_version.as_deref(),
            ambassador: &options.ambassador_api_version,
            smi: &options.traffic_split_api_version,
            verify_load_balancers: options.aws_verify_target_group,
        }
    }
}

/// The served versions; the usual ones for kinds that are not installed, or when nobody answers.
pub async fn served(client: &Client, asked: Asked<'_>) -> ApiVersions {
    let mut found = Vec::new();
    for (group, kind, versions) in CANDIDATES {
        found.push(first_served(client, group, kind, versions).await);
    }
    let usual = ApiVersions::default();
    let mut found = found.into_iter();
    let mut next = |usual: String| found.next().flatten().map_or(usual, str::to_owned);
    let istio = next(usual.istio);
    ApiVersions {
        istio: asked.istio.map_or(istio, str::to_owned),
        ambassador: asked.ambassador.to_owned(),
        smi: asked.smi.to_owned(),
        tcp_route: next(usual.tcp_route),
        tls_route: next(usual.tls_route),
        verify_load_balancers: asked.verify_load_balancers,
    }
}

async fn first_served<'v>(client: &Client, group: &str, kind: &str, versions: &[&'v str]) -> Option<&'v str> {
    for version in versions {
        let served = client.list_api_group_resources(&format!("{group}/{version}")).await;
        if served.is_ok_and(|list| list.resources.iter().any(|resource| resource.kind == kind)) {
            return Some(version);
        }
    }
    None
}
