//! What is wrong with header and mirror routes: steps that cannot be read, and names that are not managed.

use super::{Problem, routing};
use crate::{CanaryStep, CanaryStrategy, RolloutTrafficRouting, SetHeaderRoute, SetMirrorRoute, StringMatch};

const MANAGED: &str = "spec.strategy.canary.trafficRouting.managedRoutes";

/// Names of `managedRoutes`: each one once, and none of an existing route that the spec lists.
pub(super) fn names(canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    let Some(routing) = &canary.traffic_routing else { return };
    let managed: Vec<_> =
        routing.managed_routes.iter().flatten().map(|managed| managed.name.as_str()).collect();
    let services = routing.istio.iter().flat_map(|istio| {
        istio
            .virtual_service
            .iter()
            .chain(istio.virtual_services.iter().flatten())
            .flat_map(|service| &service.routes)
    });
    let weighted: Vec<_> = services.flatten().map(String::as_str).collect();
    for (index, name) in managed.iter().enumerate() {
        let message = if name.is_empty() {
            "a managed route needs a name; give it the one that steps use"
        } else if managed.iter().take(index).any(|other| other == name) {
            "this name is there already; each managed route has one place"
        } else if weighted.contains(name) {
            "this is a route of yours that is weighted; give the managed route a name of its own"
        } else {
            continue;
        };
        problems.push(Problem::invalid(format!("{MANAGED}[{index}].name"), name, message));
    }
}

/// The `setHeaderRoute` or `setMirrorRoute` of one step.
pub(super) fn step(canary: &CanaryStrategy, path: &str, step: &CanaryStep, problems: &mut Vec<Problem>) {
    let routing = canary.traffic_routing.as_ref();
    if let Some(route) = &step.set_header_route {
        let path = format!("{path}.setHeaderRoute");
        let words = "SetHeaderRoute requires TrafficRouting, supports Istio and ALB and Apisix";
        let routing = routing.filter(|routing| routing::may_route_by_header(routing));
        match routing {
            None => problems.push(Problem::invalid(
                path,
                route,
                format!("{words}; of others, the Gateway API and Nginx have it"),
            )),
            Some(routing) => {
                if named(routing, (&path, &route.name), problems) {
                    header_route(routing, &path, route, problems);
                }
            }
        }
    }
    if let Some(route) = &step.set_mirror_route {
        let path = format!("{path}.setMirrorRoute");
        let words = "SetMirrorRoute requires TrafficRouting, supports Istio and Plugins";
        match routing.filter(|routing| routing::may_mirror(routing)) {
            None => {
                let message = format!("{words}; one of them is that of the Gateway API");
                problems.push(Problem::invalid(path, route, message));
            }
            Some(routing) => {
                if named(routing, (&path, &route.name), problems) {
                    mirror_route(&path, route, problems);
                }
            }
        }
    }
}

fn named(routing: &RolloutTrafficRouting, (path, name): (&str, &str), problems: &mut Vec<Problem>) -> bool {
    let Some(managed) = &routing.managed_routes else {
        problems.push(Problem::missing(
            MANAGED,
            "Rollout has missing field 'spec.strategy.canary.trafficRouting.managedRoutes'; list the routes that steps add",
        ));
        return false;
    };
    let known = managed.iter().any(|managed| managed.name == name);
    if !known {
        problems.push(Problem::invalid(
            path,
            name,
            "Steps define a route that does not exist in spec.strategy.canary.trafficRouting.managedRoutes; add it there",
        ));
    }
    known
}

fn header_route(
    routing: &RolloutTrafficRouting,
    path: &str,
    route: &SetHeaderRoute,
    problems: &mut Vec<Problem>,
) {
    let RolloutTrafficRouting { istio, nginx, alb, apisix, plugins, .. } = routing;
    let others = istio.is_some() || nginx.is_some() || apisix.is_some() || plugins.is_some();
    let exact_only = alb.is_some() && !others;
    for (index, header) in route.matches.iter().flatten().enumerate() {
        let path = format!("{path}.match[{index}]");
        match header.header_value.as_ref().map(without_empty) {
            Some(value) if exact_only && (value.exact.is_none() || given(&value) > 1) => {
                let message =
                    "SetHeaderRoute match value invalid. ALB supports 'exact' value only; give that one";
                problems.push(Problem::invalid(&path, &value, message));
            }
            Some(value) => string_match((&path, &path), &value, problems),
            None => problems.push(Problem::invalid(&path, Option::<()>::None, format!("{MISSED}; give one"))),
        }
        header_name(&format!("{path}.headerName"), &header.header_name, problems);
    }
}

fn header_name(path: &str, name: &str, problems: &mut Vec<Problem>) {
    // RFC 9110: a name is a token.
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        problems.push(Problem::invalid(path, name, "this is no name of a header; write one such as x-user"));
    }
}

fn mirror_route(path: &str, route: &SetMirrorRoute, problems: &mut Vec<Problem>) {
    if let Some(percentage) = route.percentage.filter(|percentage| !(0..=100).contains(percentage)) {
        let message = "must be between 0 and 100; leave it out for 100";
        problems.push(Problem::invalid(format!("{path}.percentage"), percentage, message));
    }
    for (index, entry) in route.matches.iter().flatten().enumerate() {
        let path = format!("{path}.match[{index}]");
        for (field, value) in [("method", &entry.method), ("path", &entry.path)] {
            let at = format!("{path}.{field}");
            value.iter().for_each(|value| string_match((&at, &path), &without_empty(value), problems));
        }
        for (name, value) in entry.headers.iter().flatten() {
            let path = format!("{path}.headers[{name:?}]");
            header_name(&path, name, problems);
            string_match((&path, &path), &without_empty(value), problems);
        }
    }
}

const MISSED: &str =
    "StringMatch value missed, match value must have one of the following: exact, regex, prefix";

/// Empty text matches nothing that a request has; clients know it as left out.
fn without_empty(value: &StringMatch) -> StringMatch {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let StringMatch { exact, prefix, regex } = value;
    StringMatch { exact: given(exact), prefix: given(prefix), regex: given(regex) }
}

fn given(value: &StringMatch) -> usize {
    [&value.exact, &value.prefix, &value.regex].into_iter().flatten().count()
}

/// The value stands at `path`; clients are told of it at `known`.
fn string_match((path, known): (&str, &str), value: &StringMatch, problems: &mut Vec<Problem>) {
    let (words, remedy) = match given(value) {
        1 => return,
        0 => (MISSED, "give one"),
        _ => (
            "StringMatch match value must have exactly one of the following: exact, regex, prefix",
            "keep one",
        ),
    };
    let problem = Problem::invalid(path, value, format!("{words}; {remedy}"));
    let said = Problem::invalid(known, value, words).condition_text();
    problems.push(problem.said_as(said));
}

#[cfg(test)]
mod tests {
    use super::super::CANARY;
    use super::*;

    fn problems(fields: &str) -> Vec<String> {
        let canary: CanaryStrategy = serde_yaml::from_str(fields).unwrap();
        let mut problems = Vec::new();
        names(&canary, &mut problems);
        for (index, entry) in canary.steps.iter().flatten().enumerate() {
            step(&canary, &format!("{CANARY}.steps[{index}]"), entry, &mut problems);
        }
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_cannot_be_routed_is_refused_with_field_and_remedy() {
        let header = |value: &str| {
            format!(
                "{{trafficRouting: {{istio: {{}}, managedRoutes: [{{name: staff}}]}}, steps: [{{setHeaderRoute: {{name: staff, match: [{{headerName: x-user, headerValue: {value}}}]}}}}]}}"
            )
        };
        let mirror = |fields: &str| {
            format!(
                "{{trafficRouting: {{istio: {{}}, managedRoutes: [{{name: copy}}]}}, steps: [{{setMirrorRoute: {{name: copy, {fields}}}}}]}}"
            )
        };
        for (fields, expected) in [
            (
                "{steps: [{setHeaderRoute: {name: staff}}]}".to_owned(),
                Some("steps[0].setHeaderRoute: Invalid value: {\"name\":\"staff\"}: SetHeaderRoute requires TrafficRouting"),
            ),
            (
                "{steps: [{setMirrorRoute: {name: copy}}]}".to_owned(),
                Some("steps[0].setMirrorRoute: Invalid value: {\"name\":\"copy\"}: SetMirrorRoute requires TrafficRouting"),
            ),
            (
                "{trafficRouting: {istio: {}}, steps: [{setHeaderRoute: {name: staff}}]}".to_owned(),
                Some("trafficRouting.managedRoutes: Required value: Rollout has missing field"),
            ),
            (
                "{trafficRouting: {istio: {}, managedRoutes: [{name: other}]}, steps: [{setHeaderRoute: {name: staff}}]}".to_owned(),
                Some("setHeaderRoute: Invalid value: \"staff\": Steps define a route that does not exist"),
            ),
            (header("{exact: a}"), None),
            (header("{exact: a, prefix: a}"), Some("match[0]: Invalid value: {\"exact\":\"a\",\"prefix\":\"a\"}: StringMatch match value must")),
            (header("{}"), Some("StringMatch value missed")),
            (header("{exact: a}").replace("x-user", "x user"), Some("match[0].headerName: Invalid value: \"x user\"")),
            (header("{exact: a}").replace("x-user", "\"\""), Some("this is no name of a header")),
            (mirror("percentage: 100"), None),
            (mirror("percentage: 101"), Some("setMirrorRoute.percentage: Invalid value: 101")),
            (mirror("match: [{method: {exact: GET, regex: G}}]"), Some("match[0].method: Invalid value")),
            (mirror("match: [{headers: {x: {}}}]"), Some("match[0].headers[\"x\"]: Invalid value: {}: StringMatch value missed")),
            ("{trafficRouting: {managedRoutes: [{name: a}, {name: a}]}}".to_owned(), Some("managedRoutes[1].name: Invalid value: \"a\": this name is there already")),
            ("{trafficRouting: {managedRoutes: [{}]}}".to_owned(), Some("managedRoutes[0].name: Invalid value: \"\": a managed route needs a name")),
            (
                "{trafficRouting: {managedRoutes: [{name: web}], istio: {virtualService: {name: v, routes: [web]}}}}".to_owned(),
                Some("managedRoutes[0].name: Invalid value: \"web\": this is a route of yours"),
            ),
        ] {
            let found = problems(&fields);
            match expected {
                None => assert!(found.is_empty(), "{fields}: {found:?}"),
                Some(expected) => assert!(found.iter().any(|found| found.contains(expected)), "{fields}: {found:?}"),
            }
        }
    }
}
