//! Says in the words of the condition `InvalidSpec`, as clients of Argo Rollouts know them, why a router cannot work.

use serin_core::seen::ObjectKey;
use serin_core::world::RouterRefusal;

use crate::refusal::{Cause, Refusal};

impl Refusal {
    /// For the plan: in the words that clients know, and in those for people.
    pub(crate) fn report(&self) -> RouterRefusal {
        let missing = matches!(self.cause, Cause::Missing { .. });
        RouterRefusal { said: self.known_words(), told: self.to_string(), missing }
    }

    fn known_words(&self) -> String {
        let (mut path, mut value) = (self.path.clone(), self.value.clone());
        let message = match &self.cause {
            Cause::Missing { object } => {
                value.clone_from(&object.name);
                not_found(object)
            }
            Cause::RouteMissing { object, kind, route, .. } => {
                (path, value) = (of_service(&path), object.name.clone());
                match *kind {
                    "HTTP" => invalid_routes(
                        kind,
                        &format!("HTTP Route '{route}' is not found in the defined Virtual Service."),
                    ),
                    kind => invalid_routes(
                        kind,
                        &format!("No matching {kind} routes found in the defined Virtual Service."),
                    ),
                }
            }
            Cause::Ambiguous { object, .. } => {
                (path, value) = (of_service(&path), object.name.clone());
                let words = "spec.http[] should be set in VirtualService and it must have exactly one route when omitting \
                             spec.strategy.canary.trafficRouting.istio.virtualService.routes";
                invalid_routes("HTTP", words)
            }
            Cause::DestinationMissing { object, path: at, role, what, name }
                if is_istio(object) && *what != "VirtualNode" =>
            {
                value.clone_from(&object.name);
                invalid_routes(section(at), &format!("{role} {what} '{name}' not found in route"))
            }
            Cause::Empty { object, .. } if is_istio(object) => {
                value.clone_from(&object.name);
                "Unable to get any of the HTTP, TCP or TLS routes for the Istio VirtualService".to_owned()
            }
            Cause::Weighted { .. } => {
                path = "spec.weight".to_owned();
                first_words(&self.cause)
            }
            cause => first_words(cause),
        };
        let path = without_index(&path);
        if path.ends_with(".appMesh.virtualService.name")
            && let Cause::Missing { object } = &self.cause
        {
            let path = path.replace(".appMesh.virtualService.name", ".appmesh.virtualService");
            let value = format!("{}.{}", self.value, object.namespace);
            return format!("{path}: Invalid value: \"{value}\": {message}");
        }
        format!("{path}: Invalid value: \"{value}\": {message}")
    }
}

fn is_istio(object: &ObjectKey) -> bool {
    object.group == "networking.istio.io" && object.kind == "VirtualService"
}

fn invalid_routes(kind: &str, words: &str) -> String {
    format!("Istio VirtualService has invalid {kind} routes. Error: {words}")
}

/// The field that names the VirtualService, of one that names its routes.
fn of_service(path: &str) -> String {
    path.rsplit_once('.').map_or_else(|| path.to_owned(), |(service, _)| format!("{service}.name"))
}

/// The section of a VirtualService that a JSON pointer leads into.
fn section(pointer: &str) -> &'static str {
    match pointer.split('/').nth(2) {
        Some("tls") => "TLS",
        Some("tcp") => "TCP",
        _ => "HTTP",
    }
}

/// What is said before the remedy.
fn first_words(cause: &Cause) -> String {
    let told = cause.to_string();
    told.split("; ").next().unwrap_or(&told).to_owned()
}

/// As the API server tells of a resource: with its plural, but for an Ingress.
fn not_found(object: &ObjectKey) -> String {
    let ObjectKey { group, kind, name, .. } = object;
    let kind = match kind.as_str() {
        "Ingress" => "ingress".to_owned(),
        kind => format!("{}s", kind.to_lowercase()),
    };
    let of_group = if group.is_empty() { String::new() } else { format!(".{group}") };
    format!("{kind}{of_group} \"{name}\" not found")
}

/// Clients know lists by their field alone.
fn without_index(path: &str) -> String {
    let Some((list, rest)) = path.split_once('[') else { return path.to_owned() };
    match rest.split_once(']') {
        Some((index, rest)) if index.parse::<usize>().is_ok() => format!("{list}{rest}"),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Role;

    const PATH: &str = "spec.strategy.canary.trafficRouting";

    fn key(group: &str, kind: &str, name: &str) -> ObjectKey {
        ObjectKey::new(group, "v1", kind, "shop", name)
    }

    fn service() -> ObjectKey {
        key("networking.istio.io", "VirtualService", "vs")
    }

    fn ingress() -> ObjectKey {
        key("networking.k8s.io", "Ingress", "in")
    }

    /// Each row: field, value, cause; path, value and message that are said.
    type Row = (&'static str, &'static str, Cause, [&'static str; 3]);

    fn said(rows: Vec<Row>) {
        for (field, value, cause, [at, known, message]) in rows {
            let refusal = Refusal { path: format!("{PATH}.{field}"), value: value.to_owned(), cause };
            let at = at.strip_prefix('.').map_or(at.to_owned(), |field| format!("{PATH}.{field}"));
            let expected = format!("{at}: Invalid value: \"{known}\": {message}");
            assert_eq!(refusal.report().said, expected);
        }
    }

    #[test]
    fn of_what_is_not_there_and_what_cannot_be_used_clients_know_field_and_words() {
        let missing = |object: ObjectKey| Cause::Missing { object };
        let mapping = || key("getambassador.io", "Mapping", "m");
        let router = || key("appmesh.k8s.aws", "VirtualRouter", "r");
        let rule = Cause::RuleMissing { object: ingress(), service: "s".to_owned() };
        let taken = Cause::ManagedByOther { object: ingress(), other: "x".to_owned(), annotation: "a" };
        let (nginx, istio, many) =
            (".nginx.stableIngress", ".istio.virtualService.name", ".istio.virtualServices.name");
        let no_ingress = "ingress.networking.k8s.io \"in\" not found";
        let no_service = "virtualservices.networking.istio.io \"vs\" not found";
        let no_router = "virtualrouters.appmesh.k8s.aws \"r\" not found";
        let no_mapping = "mappings.getambassador.io \"m\" not found";
        let weighted = "Ambassador mapping \"m\" can not define weight";
        let no_rule = "ingress `in` has no rules using service s backend";
        let of_other = "Ingress shop/in is managed by another Rollout (\"x\")";
        said(vec![
            ("nginx.stableIngress", "in", missing(ingress()), [nginx, "in", no_ingress]),
            ("istio.virtualService.name", "vs.shop", missing(service()), [istio, "vs", no_service]),
            ("istio.virtualServices[1].name", "vs", missing(service()), [many, "vs", no_service]),
            (
                "appMesh.virtualService.name",
                "a",
                missing(router()),
                [".appmesh.virtualService", "a.shop", no_router],
            ),
            ("ambassador.mappings[0]", "m", missing(mapping()), [".ambassador.mappings", "m", no_mapping]),
            (
                "ambassador.mappings[0]",
                "m",
                Cause::Weighted { object: mapping() },
                ["spec.weight", "m", weighted],
            ),
            ("alb.ingresses[1]", "in", rule, [".alb.ingresses", "in", no_rule]),
            ("alb.ingress", "in", taken, [".alb.ingress", "in", of_other]),
        ]);
    }

    #[test]
    fn of_routes_of_a_virtual_service_clients_know_the_section() {
        let route = |kind: &'static str| {
            let (route, known) = ("primary".to_owned(), String::new());
            Cause::RouteMissing { object: service(), kind, route, known }
        };
        let destination = |at: &str, what: &'static str| {
            let (path, role, name) = (at.to_owned(), Role::Canary, "c".to_owned());
            Cause::DestinationMissing { object: service(), path, role, what, name }
        };
        let empty = Cause::Empty { object: service(), wanted: "http, tls or tcp route" };
        let several = Cause::Ambiguous { object: service(), count: 2 };
        let no_route = "Istio VirtualService has invalid HTTP routes. Error: HTTP Route 'primary' is not found in the defined \
                        Virtual Service.";
        let no_tcp = "Istio VirtualService has invalid TCP routes. Error: No matching TCP routes found in the defined Virtual \
                      Service.";
        let one_of = "Istio VirtualService has invalid HTTP routes. Error: spec.http[] should be set in VirtualService and it \
                      must have exactly one route when omitting \
                      spec.strategy.canary.trafficRouting.istio.virtualService.routes";
        let no_service =
            "Istio VirtualService has invalid TLS routes. Error: Canary Service 'c' not found in route";
        let no_subset = "Istio VirtualService has invalid HTTP routes. Error: Canary DestinationRule subset 'c' not found in \
                         route";
        let nothing = "Unable to get any of the HTTP, TCP or TLS routes for the Istio VirtualService";
        let at = |message: &'static str| [".istio.virtualService.name", "vs", message];
        let name = "istio.virtualService.name";
        said(vec![
            ("istio.virtualService.routes", "primary", route("HTTP"), at(no_route)),
            ("istio.virtualService.tcpRoutes", "{}", route("TCP"), at(no_tcp)),
            ("istio.virtualService.routes", "", several, at(one_of)),
            (name, "vs", destination("/spec/tls/0", "Service"), at(no_service)),
            (name, "vs", destination("/spec/http/0", "DestinationRule subset"), at(no_subset)),
            (name, "vs", empty, at(nothing)),
        ]);
    }
}
