//! What is wrong with session affinity: cookies that no browser takes, and steps that draw users beside it.

use super::{CANARY, Problem};
use crate::{CanaryStep, CanaryStrategy, SessionAffinity};

pub(super) fn fits(canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    let Some(routing) = &canary.traffic_routing else { return };
    let at = |field: &str| format!("{CANARY}.trafficRouting.{field}");
    for (index, managed) in routing.managed_routes.iter().flatten().enumerate() {
        let reserved = [SessionAffinity::CANARY_ROUTE, SessionAffinity::STABLE_ROUTE];
        if reserved.iter().any(|name| managed.name.starts_with(name)) {
            let message =
                "names that begin so are those of the routes of sessionAffinity; choose another one";
            problems.push(Problem::invalid(
                at(&format!("managedRoutes[{index}].name")),
                &managed.name,
                message,
            ));
        }
    }
    let Some(affinity) = &routing.session_affinity else { return };
    // A token of RFC 6265, of which no character means something in an expression of a router but the dot.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let cookie = affinity.cookie();
    if cookie.is_empty() || cookie.len() > 64 || !cookie.bytes().all(plain) {
        let message =
            "give a name of at most 64 letters, digits, '-', '_' and '.'; leave it out for serin-canary";
        problems.push(Problem::invalid(at("sessionAffinity.cookieName"), cookie, message));
    }
    if affinity.max_age_seconds().is_none() {
        let message = "give a time from 1s to 720h, such as 30m or 24h; leave it out for 24h";
        problems.push(Problem::invalid(at("sessionAffinity.maxAge"), &affinity.max_age, message));
    }
    for (index, step) in canary.steps.iter().flatten().enumerate() {
        if let Some((field, message)) = beside(step) {
            problems.push(Problem::invalid(format!("{CANARY}.steps[{index}].{field}"), "set", message));
        }
    }
}

/// Steps that give requests to others than canary and stable, so that a cookie would not hold.
fn beside(step: &CanaryStep) -> Option<(&'static str, &'static str)> {
    if step.set_mirror_route.is_some() {
        let message =
            "a mirror route divides its requests by itself; remove it, or trafficRouting.sessionAffinity";
        return Some(("setMirrorRoute", message));
    }
    let mut templates = step.experiment.iter().flat_map(|experiment| experiment.templates.iter().flatten());
    let message =
        "users of an experiment keep no cookie; leave its weights out, or trafficRouting.sessionAffinity";
    templates.any(|template| template.weight.is_some()).then_some(("experiment.templates", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(fields: &str) -> Vec<String> {
        let canary: CanaryStrategy = serde_yaml::from_str(fields).unwrap();
        let mut problems = Vec::new();
        fits(&canary, &mut problems);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_cannot_hold_is_refused_with_field_and_remedy() {
        let with = |affinity: &str| format!("{{trafficRouting: {{sessionAffinity: {affinity}}}}}");
        let step = |step: &str| {
            format!("{{trafficRouting: {{sessionAffinity: {{}}}}, steps: [{{setWeight: 5}}, {step}]}}")
        };
        let mirror = "{setMirrorRoute: {name: copy}}";
        for (fields, expected) in [
            (with("{}"), None),
            (with("{cookieName: __Host-a.b_c, maxAge: 720h}"), None),
            (with("{maxAge: 1s}"), None),
            (
                with("{cookieName: \"\"}"),
                Some("sessionAffinity.cookieName: Invalid value: \"\": give a name"),
            ),
            (with("{cookieName: \"a b\"}"), Some("sessionAffinity.cookieName: Invalid value: \"a b\"")),
            (with("{cookieName: \"a;b\"}"), Some("sessionAffinity.cookieName")),
            (with("{cookieName: \"a=b\"}"), Some("sessionAffinity.cookieName")),
            (with("{cookieName: \"a*\"}"), Some("sessionAffinity.cookieName")),
            (
                with("{maxAge: 721h}"),
                Some("sessionAffinity.maxAge: Invalid value: \"721h\": give a time from 1s"),
            ),
            (with("{maxAge: 100ms}"), Some("sessionAffinity.maxAge")),
            (with("{maxAge: soon}"), Some("sessionAffinity.maxAge: Invalid value: \"soon\"")),
            (with("{maxAge: -5m}"), Some("sessionAffinity.maxAge")),
            (step(mirror), Some("steps[1].setMirrorRoute: Invalid value: \"set\": a mirror route divides")),
            (
                step("{experiment: {templates: [{name: a, specRef: canary, weight: 5}]}}"),
                Some(
                    "steps[1].experiment.templates: Invalid value: \"set\": users of an experiment keep no cookie",
                ),
            ),
            (step("{experiment: {templates: [{name: a, specRef: canary}]}}"), None),
            (format!("{{trafficRouting: {{}}, steps: [{mirror}]}}"), None),
            (
                "{trafficRouting: {managedRoutes: [{name: a}, {name: serin-session-canary}]}}".to_owned(),
                Some("managedRoutes[1].name: Invalid value: \"serin-session-canary\": names that begin so"),
            ),
        ] {
            let found = problems(&fields);
            match expected {
                None => assert!(found.is_empty(), "{fields}: {found:?}"),
                Some(expected) => {
                    assert!(found.len() == 1 && found[0].contains(expected), "{fields}: {found:?}");
                }
            }
        }
    }
}
