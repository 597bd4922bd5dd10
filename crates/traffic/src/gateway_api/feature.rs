//! Says whether the gateways of a route can do what the spec asks for beyond the core of the Gateway API.
//!
//! A gateway that does not know a filter may answer every request of the rule with an error and still accept the route
//! (Traefik 3.7 does with RequestMirror), so that a rule with one is written only when the class of every gateway lists
//! the feature in `status.supportedFeatures`.

use std::collections::BTreeSet;

use serde_json::Value;
use serin_api::CanaryStep;
use serin_core::seen::ObjectKey;

use crate::object;
use crate::router::{Objects, Sight};

const GROUP: &str = "gateway.networking.k8s.io";

/// Features that steps ask for, by the names of the Gateway API.
pub(super) type Features = BTreeSet<&'static str>;

/// What the cookie of session affinity needs. Changing the answers of one backend has no name of its own.
pub(super) const COOKIES: &str = "HTTPRouteResponseHeaderModification";

/// What is known of the gateways of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Support {
    /// All of them list all features.
    All,
    /// The class does not list the feature.
    Lacking(ObjectKey, &'static str),
    /// It cannot be told, and why.
    Unknown(String),
}

/// The features that the mirror routes of `steps` need.
pub(super) fn asked(steps: &[CanaryStep]) -> Features {
    let mut features = Features::new();
    for route in steps.iter().filter_map(|step| step.set_mirror_route.as_ref()) {
        let Some(matches) = route.matches.as_ref().filter(|matches| !matches.is_empty()) else { continue };
        features.insert("HTTPRouteRequestMirror");
        if route.percentage.is_some_and(|percentage| percentage < 100) {
            features.insert("HTTPRouteRequestPercentageMirror");
        }
        if matches.iter().any(|entry| entry.method.is_some()) {
            features.insert("HTTPRouteMethodMatching");
        }
    }
    features
}

/// The gateways of a route.
fn gateways(route: &Value) -> impl Iterator<Item = ObjectKey> {
    let namespace = route.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
    let parents = object::list(route, "/spec/parentRefs").iter().filter(|parent| {
        matches!(object::text(parent, "kind"), None | Some("Gateway"))
            && matches!(object::text(parent, "group"), None | Some(GROUP))
    });
    parents.map(move |parent| {
        let namespace = object::text(parent, "namespace").unwrap_or(namespace);
        ObjectKey::new(GROUP, "v1", "Gateway", namespace, object::text(parent, "name").unwrap_or_default())
    })
}

fn class(gateway: &Value) -> ObjectKey {
    let name = gateway.pointer("/spec/gatewayClassName").and_then(Value::as_str).unwrap_or_default();
    ObjectKey::new(GROUP, "v1", "GatewayClass", "", name)
}

/// The gateways of a route, and their classes as far as the gateways have been seen.
pub(super) fn further(route: &Value, seen: &Objects) -> BTreeSet<ObjectKey> {
    let gateways: BTreeSet<_> = gateways(route).collect();
    let known = gateways.iter().filter_map(|gateway| Sight::of(seen, gateway).object());
    let classes: Vec<_> = known.map(class).collect();
    gateways.into_iter().chain(classes).collect()
}

/// Whether all gateways of a route have all `features`.
pub(super) fn support(route: &Value, features: &Features, seen: &Objects) -> Support {
    let mut gateways = gateways(route).peekable();
    if gateways.peek().is_none() {
        return Support::Unknown("no Gateway is in spec.parentRefs".to_owned());
    }
    for key in gateways {
        let gateway = match fresh(&key, seen) {
            Ok(gateway) => gateway,
            Err(why) => return Support::Unknown(why),
        };
        let key = class(gateway);
        match fresh(&key, seen) {
            Err(why) => return Support::Unknown(why),
            Ok(class) => {
                if let Some(feature) = features.iter().find(|feature| !lists(class, feature)) {
                    return Support::Lacking(key, feature);
                }
            }
        }
    }
    Support::All
}

fn fresh<'o>(key: &ObjectKey, seen: &'o Objects) -> Result<&'o Value, String> {
    match Sight::of(seen, key) {
        Sight::Fresh(object) => Ok(object),
        Sight::Stale(_) => Err(format!("{key} has changed")),
        Sight::Absent => Err(format!("{key} not found")),
        Sight::Unknown(why) => Err(why),
    }
}

/// A class lists its features as maps with a name; early versions of the API listed the names.
fn lists(class: &Value, feature: &str) -> bool {
    object::list(class, "/status/supportedFeatures")
        .iter()
        .any(|listed| listed.as_str().or_else(|| object::text(listed, "name")) == Some(feature))
}
