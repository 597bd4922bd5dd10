//! Decides which routers a Rollout has, in Argo's fixed order, and refuses what none of them can do.

use serin_api::{
    CanaryStep, CanaryStrategy, GENERIC_ROUTER, Problem, Rollout, RolloutTrafficRouting, SessionAffinity,
};
use serin_core::split::{Backends, Owner, PERCENT, Weight};

use crate::alb::Alb;
use crate::ambassador::Ambassador;
use crate::apisix::Apisix;
use crate::app_mesh::AppMesh;
use crate::capability;
use crate::extension::Extension;
use crate::gateway_api::{self, GatewayApi};
use crate::generic::Generic;
use crate::istio::Istio;
use crate::nginx::Nginx;
use crate::router::Router;
use crate::smi::Smi;
use crate::traefik::Traefik;

const PATH: &str = "spec.strategy.canary.trafficRouting";

/// The versions to ask for where users run several, which the shell knows from discovery, and what else is set for all
/// Rollouts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiVersions {
    /// Version of `networking.istio.io`; the objects are the same in all of them.
    pub istio: String,
    /// API version of Mappings. Default `getambassador.io/v2`, which all versions of Ambassador and Emissary serve.
    pub ambassador: String,
    /// Version of `split.smi-spec.io`: v1alpha1 to v1alpha4. Default v1alpha1, which all meshes serve.
    pub smi: String,
    /// Version of TCPRoute: v1alpha2 as of Gateway API 1.5.
    pub tcp_route: String,
    /// Version of TLSRoute: v1 from Gateway API 1.5 on, whose standard channel serves no other; v1alpha3 or v1alpha2
    /// before.
    pub tls_route: String,
    /// AWS is asked what its load balancers do.
    pub verify_load_balancers: bool,
}

impl Default for ApiVersions {
    fn default() -> Self {
        let text = str::to_owned;
        Self {
            istio: text("v1"),
            ambassador: text("getambassador.io/v2"),
            smi: text("v1alpha1"),
            tcp_route: text("v1alpha2"),
            tls_route: text("v1"),
            verify_load_balancers: false,
        }
    }
}

/// The routers of a Rollout; empty when it has no traffic routing.
///
/// # Errors
/// Configuration that cannot be read, and steps that none of the routers can do.
pub fn routers(rollout: &Rollout, versions: &ApiVersions) -> Result<Vec<Box<dyn Router>>, Vec<Problem>> {
    let canary = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
    let Some((canary, routing)) = canary.and_then(|canary| Some((canary, canary.traffic_routing.as_ref()?)))
    else {
        return Ok(Vec::new());
    };
    let namespace = rollout.metadata.namespace.as_deref().unwrap_or_default();
    let name = rollout.metadata.name.as_deref().unwrap_or_default();
    let (mut routers, mut problems) = (Vec::new(), Vec::new());
    let steps = canary.steps.as_deref().unwrap_or_default();
    for made in build(routing, (namespace, name), steps, versions) {
        match made {
            Ok(router) => routers.push(router),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        beyond(canary, routing, &routers, &mut problems);
    }
    if problems.is_empty() { Ok(routers) } else { Err(problems) }
}

type Made = Result<Box<dyn Router>, Problem>;

/// One arm for each kind of router; a new field of the API does not compile until it has one.
fn build(
    routing: &RolloutTrafficRouting,
    (namespace, name): (&str, &str),
    steps: &[CanaryStep],
    versions: &ApiVersions,
) -> Vec<Made> {
    let RolloutTrafficRouting {
        istio,
        nginx,
        alb,
        smi,
        ambassador,
        app_mesh,
        traefik,
        apisix,
        plugins,
        managed_routes,
        max_traffic_weight: _,
        session_affinity,
    } = routing;
    let affinity = session_affinity.is_some();
    let (rollout, managed) = ((namespace, name), managed_routes.as_deref().unwrap_or_default());
    let made: [Option<Made>; 8] = [
        istio.as_ref().map(|spec| {
            Istio::new(spec, namespace, &versions.istio).map(|router| boxed(router.with_cookies(affinity)))
        }),
        nginx.as_ref().map(|spec| Nginx::new(spec, rollout, most(routing)).map(boxed)),
        alb.as_ref().map(|spec| {
            Alb::new(spec, namespace).map(|alb| boxed(alb.verified(versions.verify_load_balancers)))
        }),
        smi.as_ref().map(|spec| Smi::new(spec, rollout, &versions.smi).map(boxed)),
        ambassador.as_ref().map(|spec| Ambassador::new(spec, namespace, &versions.ambassador).map(boxed)),
        app_mesh.as_ref().map(|spec| AppMesh::new(spec, namespace).map(boxed)),
        traefik.as_ref().map(|spec| Ok(boxed(Traefik::new(spec, namespace)))),
        apisix.as_ref().map(|spec| Apisix::new(spec, namespace, managed).map(boxed)),
    ];
    let plugins = plugins.iter().flatten();
    let plugins = plugins.map(|(key, config)| match key.as_str() {
        gateway_api::NAME => GatewayApi::new(config, namespace, total(routing), versions)
            .map(|router| boxed(router.for_steps(steps).with_cookies(affinity))),
        GENERIC_ROUTER => Generic::new(config, namespace, total(routing)).map(boxed),
        other => Ok(boxed(Extension::new(other, namespace, total(routing)))),
    });
    made.into_iter().flatten().chain(plugins).collect()
}

fn boxed(router: impl Router + 'static) -> Box<dyn Router> {
    Box::new(router)
}

/// Refuses what the spec asks for and no router (for weights: not every router) can do.
fn beyond(
    canary: &CanaryStrategy,
    routing: &RolloutTrafficRouting,
    routers: &[Box<dyn Router>],
    problems: &mut Vec<Problem>,
) {
    let without = capability::lacking(routers, |can| !can.max_weight);
    if total(routing) != PERCENT && !without.is_empty() {
        let message = format!(
            "Canary maxTrafficWeight in traffic routing only supported in Nginx and Plugins; {} cannot: leave it out",
            without.join(", ")
        );
        let value = total(routing).to_string();
        problems.push(Problem::Invalid { path: format!("{PATH}.maxTrafficWeight"), value, message });
    }
    let without = capability::lacking(routers, |can| !can.role_change);
    if canary.ping_pong.is_some() && !without.is_empty() {
        let message = format!(
            "Ping-pong feature works with the ALB, Istio, and plugin-based traffic routers only, and with Traefik, APISIX, SMI \
             with rootService, and paths with {{canaryService}} and {{stableService}}; {} cannot: use canaryService and \
             stableService",
            without.join(", ")
        );
        let path = "spec.strategy.canary.pingPong".to_owned();
        problems.push(Problem::Invalid { path, value: "set".to_owned(), message });
    }
    let without = capability::lacking(routers, |can| !can.affinity);
    if routing.session_affinity.is_some() && !without.is_empty() {
        let message = format!(
            "only Istio and HTTPRoutes of the Gateway API keep users by a cookie that ends with its revision; {} cannot: leave \
             sessionAffinity out",
            without.join(", ")
        );
        let path = format!("{PATH}.sessionAffinity");
        problems.push(Problem::Invalid { path, value: "set".to_owned(), message });
    }
    capability::beyond(canary.steps.as_deref().unwrap_or_default(), routers, problems);
}

fn most(routing: &RolloutTrafficRouting) -> Option<Weight> {
    routing.max_traffic_weight.and_then(|weight| u32::try_from(weight).ok()).map(Weight)
}

fn total(routing: &RolloutTrafficRouting) -> Weight {
    most(routing).unwrap_or(PERCENT)
}

/// What routers tell the destinations of a Rollout apart by; `None` without a canary strategy. With `pingPong` its status
/// says which Service is which.
///
/// An empty `canary_hash` says that no pod of the canary is ready for traffic yet, an empty `stable_hash` that there is
/// no stable revision yet.
pub fn backends(rollout: &Rollout, canary_hash: &str, stable_hash: &str) -> Option<Backends> {
    let canary = rollout.spec.strategy.as_ref()?.canary.as_ref()?;
    let routing = canary.traffic_routing.as_ref();
    let managed = routing.and_then(|routing| routing.managed_routes.as_ref()).into_iter().flatten();
    let managed = managed.map(|route| route.name.as_str()).filter(|name| !name.is_empty());
    // Who was led by a header goes to the canary, whatever the cookie says. The names are known without affinity, too:
    // the routes of one that the spec had before are taken out.
    let managed = [SessionAffinity::CANARY_ROUTE].into_iter().chain(managed);
    let managed = managed.chain([SessionAffinity::STABLE_ROUTE]);
    let name = rollout.metadata.name.clone().unwrap_or_default();
    let ping_pong = rollout.status.as_ref().map(|status| status.canary.stable_ping_pong.as_str());
    let services = canary.services(ping_pong.unwrap_or_default());
    Some(Backends {
        namespace: rollout.metadata.namespace.clone().unwrap_or_default(),
        rollout: name.clone(),
        canary_service: services.canary.unwrap_or_default().to_owned(),
        stable_service: services.stable.unwrap_or_default().to_owned(),
        canary_hash: canary_hash.to_owned(),
        stable_hash: stable_hash.to_owned(),
        ping_pong: canary.ping_pong.is_some(),
        experiments: experiments(rollout),
        managed_routes: managed.map(str::to_owned).collect(),
        owner: rollout.metadata.uid.clone().filter(|uid| !uid.is_empty()).map(|uid| Owner { name, uid }),
    })
}

/// Services of experiments that the status tells to have had traffic.
fn experiments(rollout: &Rollout) -> Vec<String> {
    let weights = rollout.status.as_ref().and_then(|status| status.canary.weights.as_ref());
    let known = weights.and_then(|weights| weights.additional.as_deref()).unwrap_or_default().iter();
    known.filter_map(|known| known.service_name.clone()).collect()
}
