//! The ways that requests take to the pods of a test: routing objects, the router that writes them, and a gateway.

use crate::manifest;

/// One way.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Part of the names of tests.
    pub name: &'static str,
    /// Below `trafficRouting`, as YAML in one line.
    pub routing: &'static str,
    /// The routing objects of a namespace, all traffic on stable.
    pub objects: fn(&str) -> String,
    /// Port of the gateway on the node.
    pub port: u16,
    /// Revisions are told apart by Services, and not by subsets.
    pub services: bool,
}

/// An HTTPRoute, served by Traefik.
pub const GATEWAY_API: Way = Way {
    name: "gateway-api",
    routing: "plugins: {argoproj-labs/gatewayAPI: {httpRoute: shop}}",
    objects: manifest::http_route,
    port: crate::load::TRAEFIK,
    services: true,
};

/// Traefik's own kinds: an IngressRoute to a TraefikService.
pub const TRAEFIK: Way = Way {
    name: "traefik",
    routing: "traefik: {weightedTraefikServiceName: shop}",
    objects: manifest::traefik_service,
    port: crate::load::TRAEFIK,
    services: true,
};

/// A VirtualService between two Services, served by Istio's gateway.
pub const ISTIO: Way = Way {
    name: "istio",
    routing: "istio: {virtualService: {name: shop}}",
    objects: manifest::istio_hosts,
    port: crate::load::ISTIO,
    services: true,
};

/// A VirtualService between two subsets of a DestinationRule, served by Istio's gateway.
pub const ISTIO_SUBSETS: Way = Way {
    name: "istio-subsets",
    routing: "istio: {virtualService: {name: shop}, destinationRule: {name: shop, canarySubsetName: canary, stableSubsetName: stable}}",
    objects: manifest::istio_subsets,
    port: crate::load::ISTIO,
    services: false,
};

impl Way {
    /// A canary strategy with these steps and further lines, all as YAML that is indented by six spaces.
    pub fn strategy(&self, more: &str, steps: &str) -> String {
        let services = match self.services {
            true => "      canaryService: shop-canary\n      stableService: shop-stable\n",
            false => "",
        };
        format!(
            "{services}{more}      trafficRouting:\n        \
             managedRoutes: [{{name: staff}}]\n        {}\n      steps:\n{steps}",
            self.routing
        )
    }
}
