//! Says what a router can do, and refuses the steps that none of a Rollout's routers can.

use std::collections::BTreeSet;

use serde_json::Value;
use serin_api::{CanaryStep, Problem, SessionAffinity, SetHeaderRoute, SetMirrorRoute, StringMatch};

use crate::router::Router;

/// What a router can do, as data, so that a spec which asks for more is refused before anything runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Routes by request header.
    pub headers: Headers,
    /// Mirrors requests.
    pub mirrors: Mirrors,
    /// Weights may sum to another total than 100.
    pub max_weight: bool,
    /// Weighted experiment templates get traffic.
    pub additional: bool,
    /// Tells users by a cookie whom they were answered by, and leads them there again (`sessionAffinity`).
    pub affinity: bool,
    /// The Services of canary and stable may change places (`pingPong`): its objects name both of them.
    pub role_change: bool,
    /// The status of its objects says that the data plane follows, so that nothing need be waited for.
    pub confirms: bool,
    /// Seconds until the data plane follows a change for certain, counted from when `effective` shows it as applied.
    pub propagation_seconds: i64,
}

/// The header routes that a router can add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Headers {
    /// None.
    No,
    /// One at a time, that looks at one header.
    One,
    /// Those that ask for exact values.
    Exact,
    /// All.
    Any,
}

/// The mirror routes that a router can add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mirrors {
    /// None.
    No,
    /// Those that name methods in full.
    ExactMethod,
    /// All.
    Any,
}

impl Headers {
    /// Why a route is beyond it; `names` are those of all routes that the steps add.
    fn refuse(self, route: &SetHeaderRoute, names: &BTreeSet<&str>) -> Option<&'static str> {
        let matches = route.matches.as_deref().unwrap_or_default();
        let exact = |value: &StringMatch| value.exact.is_some();
        match self {
            Self::No => Some("does not route by header"),
            Self::Any => None,
            Self::Exact => matches
                .iter()
                .any(|header| !header.header_value.as_ref().is_some_and(exact))
                .then_some("compares headers with exact values only (SetHeaderRoute match value invalid. ALB supports 'exact' value only)"),
            Self::One if names.len() > 1 => Some("can have one header route"),
            Self::One => (matches.len() > 1).then_some("looks at one header"),
        }
    }
}

impl Mirrors {
    fn refuse(self, route: &SetMirrorRoute) -> Option<&'static str> {
        let methods = route.matches.iter().flatten().filter_map(|entry| entry.method.as_ref());
        match self {
            Self::No => Some("does not mirror requests"),
            Self::ExactMethod => methods
                .into_iter()
                .any(|method| method.exact.is_none())
                .then_some("compares the method with an exact value only"),
            Self::Any => None,
        }
    }
}

/// Names of the managed routes that a router adds: it can do all steps that add them, and keep users by a cookie.
pub(crate) fn managed(steps: &[CanaryStep], can: &Capabilities) -> Vec<String> {
    let names = header_names(steps);
    let refused = |step: &CanaryStep| {
        let header = step.set_header_route.as_ref().and_then(|route| can.headers.refuse(route, &names));
        header
            .or_else(|| step.set_mirror_route.as_ref().and_then(|route| can.mirrors.refuse(route)))
            .is_some()
    };
    let named = |step: &CanaryStep| {
        let header = step.set_header_route.as_ref().map(|route| route.name.clone());
        header.or_else(|| step.set_mirror_route.as_ref().map(|route| route.name.clone()))
    };
    let all: BTreeSet<_> = steps.iter().filter_map(named).collect();
    let lacks = |name: &String| steps.iter().any(|step| named(step).as_ref() == Some(name) && refused(step));
    let session = can.affinity.then(|| SessionAffinity::CANARY_ROUTE.to_owned());
    all.into_iter().filter(|name| !lacks(name)).chain(session).collect()
}

/// Names of the header routes that steps add.
fn header_names(steps: &[CanaryStep]) -> BTreeSet<&str> {
    let headers = steps.iter().filter_map(|step| step.set_header_route.as_ref());
    let added = headers.filter(|route| route.matches.as_ref().is_some_and(|matches| !matches.is_empty()));
    added.map(|route| route.name.as_str()).collect()
}

/// Names of routers for which `lacks` is true.
pub(crate) fn lacking(routers: &[Box<dyn Router>], lacks: impl Fn(&Capabilities) -> bool) -> Vec<String> {
    routers.iter().filter(|router| lacks(&router.capabilities())).map(|router| router.name()).collect()
}

/// Refuses what the steps ask for and no router (for weights: not every router) can do.
pub(crate) fn beyond(steps: &[CanaryStep], routers: &[Box<dyn Router>], problems: &mut Vec<Problem>) {
    let names = header_names(steps);
    for (index, step) in steps.iter().enumerate() {
        let path = format!("spec.strategy.canary.steps[{index}]");
        let mut refuse = |field: &str, value: Value, message: String| {
            let path = format!("{path}.{field}");
            problems.push(Problem::Invalid { path, value: value.to_string(), message });
        };
        let templates = step.experiment.iter().flat_map(|experiment| experiment.templates.iter().flatten());
        let without = lacking(routers, |can| !can.additional);
        if let Some(weight) = templates.filter_map(|template| template.weight).next()
            && !without.is_empty()
        {
            let message =
                format!("{} cannot send traffic to experiments; leave the weight out", without.join(", "));
            refuse("experiment.templates", Value::from(weight), message);
        }
        if let Some(route) = &step.set_header_route
            && let Some(why) = all_refuse(routers, |can| can.headers.refuse(route, &names))
        {
            refuse("setHeaderRoute", Value::from(route.name.as_str()), why);
        }
        if let Some(route) = &step.set_mirror_route
            && let Some(why) = all_refuse(routers, |can| can.mirrors.refuse(route))
        {
            refuse("setMirrorRoute", Value::from(route.name.as_str()), why);
        }
    }
}

/// One router that can is enough; otherwise each one's reason.
fn all_refuse(
    routers: &[Box<dyn Router>],
    refuse: impl Fn(&Capabilities) -> Option<&'static str>,
) -> Option<String> {
    let reasons: Option<Vec<_>> = routers
        .iter()
        .map(|router| Some(format!("{} {}", router.name(), refuse(&router.capabilities())?)))
        .collect();
    reasons.map(|reasons| format!("{}; change or remove the step", reasons.join(", and ")))
}
