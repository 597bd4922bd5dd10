//! Reads the configuration of the Gateway API plugin as Go would: keys in any case, unknown ones ignored.

use std::collections::BTreeMap;

use serde_json::Value;
use serin_api::Problem;
use serin_core::seen::ObjectKey;

use crate::routers::ApiVersions;

/// The key below `trafficRouting.plugins`.
pub(crate) const NAME: &str = "argoproj-labs/gatewayAPI";

const PATH: &str = "spec.strategy.canary.trafficRouting.plugins[\"argoproj-labs/gatewayAPI\"]";
const LABEL_KEY: &str = "rollouts.argoproj.io/gatewayapi-canary";
const LABEL_VALUE: &str = "in-progress";

/// Kinds by the prefix of their keys, in the order of the plugin, with the version to ask for.
fn kinds(versions: &ApiVersions) -> [(&str, &str, &str); 4] {
    [
        ("http", "HTTPRoute", "v1"),
        ("grpc", "GRPCRoute", "v1"),
        ("tcp", "TCPRoute", &versions.tcp_route),
        ("tls", "TLSRoute", &versions.tls_route),
    ]
}

/// What the plugin is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Config {
    pub(super) routes: Vec<Route>,
    /// The label of a route that sends something to the canary; none when it is disabled.
    pub(super) label: Option<Label>,
    /// One header of a header route is enough; otherwise all must match.
    pub(super) any_of: bool,
}

/// One route object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) key: ObjectKey,
    /// The field of the Rollout that names it.
    pub(super) path: String,
    use_header_routes: bool,
}

/// A label of a route that has canary weight, for GitOps tools to ignore differences by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) key: String,
    pub(super) value: String,
}

impl Route {
    /// Header routes of steps are added to it.
    pub(super) fn header_rules(&self) -> bool {
        self.use_header_routes && matches!(self.key.kind.as_str(), "HTTPRoute" | "GRPCRoute")
    }

    /// Its requests have cookies.
    pub(super) fn is_http(&self) -> bool {
        self.key.kind == "HTTPRoute"
    }

    /// Mirror routes of steps are added to it. What they match are parts of HTTP requests.
    pub(super) fn mirror_rules(&self) -> bool {
        self.use_header_routes && self.is_http()
    }
}

impl Config {
    /// Reads it; `namespace` is that of the Rollout.
    pub(super) fn read(config: &Value, namespace: &str, versions: &ApiVersions) -> Result<Self, Problem> {
        let Value::Object(map) = config else {
            return Err(invalid(
                PATH,
                config,
                "must be an object; name at least one route, for example httpRoute",
            ));
        };
        let fields: BTreeMap<String, &Value> = map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.to_lowercase(), value))
            .collect();
        let namespace = text(&fields, "namespace")?.filter(|name| !name.is_empty()).unwrap_or(namespace);
        let mut routes = Vec::new();
        for kind in kinds(versions) {
            if let Some(selector) = fields.get(&format!("{}routeselector", kind.0)) {
                let message = format!(
                    "Serin does not support route selectors yet; name the routes in {}Routes",
                    kind.0
                );
                return Err(invalid(&format!("{PATH}.{}RouteSelector", kind.0), selector, &message));
            }
            of_kind(kind, &fields, namespace, &mut routes)?;
        }
        if routes.is_empty() {
            let message = "no route is configured; name at least one in httpRoute, httpRoutes, grpcRoute, grpcRoutes, \
                           tcpRoute, tcpRoutes, tlsRoute or tlsRoutes";
            return Err(invalid(PATH, config, message));
        }
        Ok(Self { routes, label: label(&fields)?, any_of: any_of(&fields)? })
    }
}

fn label(fields: &BTreeMap<String, &Value>) -> Result<Option<Label>, Problem> {
    match fields.get("disableinprogresslabel") {
        None | Some(Value::Bool(false)) => {}
        Some(Value::Bool(true)) => return Ok(None),
        Some(other) => {
            return Err(invalid(&format!("{PATH}.disableInProgressLabel"), other, "must be true or false"));
        }
    }
    let or = |key: &str, default: &str| {
        let given = text(fields, key)?.filter(|given| !given.is_empty());
        Ok(given.unwrap_or(default).to_owned())
    };
    let key = or("inprogresslabelkey", LABEL_KEY)?;
    Ok(Some(Label { key, value: or("inprogresslabelvalue", LABEL_VALUE)? }))
}

/// A key of ours, which the plugin ignores.
fn any_of(fields: &BTreeMap<String, &Value>) -> Result<bool, Problem> {
    match text(fields, "matchheaders")? {
        None | Some("" | "allOf") => Ok(false),
        Some("anyOf") => Ok(true),
        Some(other) => {
            let message = "must be allOf (the default) or anyOf";
            Err(invalid(&format!("{PATH}.matchHeaders"), &Value::from(other), message))
        }
    }
}

/// The list of a kind first, then the single one, which takes part in header routes without being asked.
fn of_kind(
    (prefix, kind, version): (&str, &str, &str),
    fields: &BTreeMap<String, &Value>,
    namespace: &str,
    routes: &mut Vec<Route>,
) -> Result<(), Problem> {
    let key = |name: &str| ObjectKey::new("gateway.networking.k8s.io", version, kind, namespace, name);
    let path = format!("{PATH}.{prefix}Routes");
    let list = match fields.get(&format!("{prefix}routes")) {
        None => &[],
        Some(Value::Array(list)) => list.as_slice(),
        Some(other) => return Err(invalid(&path, other, "must be a list of {name, useHeaderRoutes}")),
    };
    for (index, entry) in list.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Value::Object(entry) = entry else {
            return Err(invalid(&path, entry, "must be {name, useHeaderRoutes}"));
        };
        let fields: BTreeMap<String, &Value> =
            entry.iter().map(|(key, value)| (key.to_lowercase(), value)).collect();
        let Some(name) = fields.get("name").and_then(|name| name.as_str()).filter(|name| !name.is_empty())
        else {
            return Err(invalid(&format!("{path}.name"), &Value::from(entry.clone()), "name a route"));
        };
        let use_header_routes = fields.get("useheaderroutes").is_some_and(|flag| **flag == Value::Bool(true));
        add(routes, Route { key: key(name), path: format!("{path}.name"), use_header_routes });
    }
    if let Some(name) = text(fields, &format!("{prefix}route"))?.filter(|name| !name.is_empty()) {
        add(routes, Route { key: key(name), path: format!("{PATH}.{prefix}Route"), use_header_routes: true });
    }
    Ok(())
}

/// A route that is named twice is one route.
fn add(routes: &mut Vec<Route>, route: Route) {
    match routes.iter_mut().find(|known| known.key == route.key) {
        Some(known) => known.use_header_routes |= route.use_header_routes,
        None => routes.push(route),
    }
}

fn text<'c>(fields: &BTreeMap<String, &'c Value>, key: &str) -> Result<Option<&'c str>, Problem> {
    match fields.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(invalid(&format!("{PATH}.{key}"), other, "must be text")),
    }
}

fn invalid(path: &str, value: &Value, message: &str) -> Problem {
    Problem::Invalid { path: path.to_owned(), value: value.to_string(), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn routes(config: Value) -> Vec<(String, bool)> {
        let routes = Config::read(&config, "shop", &ApiVersions::default()).unwrap().routes;
        routes.iter().map(|route| (route.key.to_string(), route.header_rules())).collect()
    }

    #[test]
    fn routes_are_named_in_every_way_that_the_plugin_knows() {
        for (case, config, expected) in [
            ("one", json!({"httpRoute": "web"}), vec![("HTTPRoute shop/web", true)]),
            (
                "keys in any case",
                json!({"httproutes": [{"NAME": "web"}]}),
                vec![("HTTPRoute shop/web", false)],
            ),
            (
                "unknown keys, nulls and empty names",
                json!({"grpcRoute": "api", "future": 1, "httpRoute": null, "tcpRoute": ""}),
                vec![("GRPCRoute shop/api", true)],
            ),
            (
                "elsewhere, all kinds",
                json!({
                    "namespace": "edge", "tlsRoute": "tls", "tcpRoutes": [{"name": "tcp", "useHeaderRoutes": true}],
                    "httpRoutes": [{"name": "a", "useHeaderRoutes": true}, {"name": "b"}],
                }),
                vec![
                    ("HTTPRoute edge/a", true),
                    ("HTTPRoute edge/b", false),
                    ("TCPRoute edge/tcp", false),
                    ("TLSRoute edge/tls", false),
                ],
            ),
            (
                "named twice",
                json!({"httpRoutes": [{"name": "web"}], "httpRoute": "web"}),
                vec![("HTTPRoute shop/web", true)],
            ),
        ] {
            let expected: Vec<_> =
                expected.into_iter().map(|(name, headers)| (name.to_owned(), headers)).collect();
            assert_eq!(routes(config), expected, "{case}");
        }
    }

    #[test]
    fn what_cannot_be_read_or_done_is_refused_with_the_field() {
        for (config, field) in [
            (json!("web"), PATH.to_owned()),
            (json!({}), PATH.to_owned()),
            (json!({"httpRoute": "web", "matchHeaders": "some"}), format!("{PATH}.matchHeaders")),
            (json!({"httpRoute": 3}), format!("{PATH}.httproute")),
            (json!({"httpRoutes": "web"}), format!("{PATH}.httpRoutes")),
            (json!({"httpRoutes": [{}]}), format!("{PATH}.httpRoutes[0].name")),
            (json!({"httpRouteSelector": {"matchLabels": {"a": "b"}}}), format!("{PATH}.httpRouteSelector")),
            (
                json!({"httpRoute": "web", "disableInProgressLabel": "yes"}),
                format!("{PATH}.disableInProgressLabel"),
            ),
        ] {
            let problem = Config::read(&config, "shop", &ApiVersions::default()).unwrap_err();
            assert_eq!(problem.path(), field, "{config}");
        }
    }

    #[test]
    fn the_label_has_a_default_and_can_be_named_or_disabled() {
        let label = |more: Value| {
            let mut config = json!({"httpRoute": "web"});
            config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            Config::read(&config, "shop", &ApiVersions::default())
                .unwrap()
                .label
                .map(|label| format!("{}={}", label.key, label.value))
        };
        assert_eq!(label(json!({})).as_deref(), Some("rollouts.argoproj.io/gatewayapi-canary=in-progress"));
        assert_eq!(
            label(json!({"inProgressLabelKey": "a/b", "inProgressLabelValue": "c"})).as_deref(),
            Some("a/b=c")
        );
        assert_eq!(label(json!({"disableInProgressLabel": true})), None);
    }
}
