//! Decides which header and mirror routes are wished for: what the steps so far have asked for, while the canary can
//! serve it.

use std::collections::BTreeSet;

use serin_api::{CanaryStep, SetHeaderRoute, SetMirrorRoute};

use crate::affinity;
use crate::capacity;
use crate::facts::{Change, Facts};
use crate::gate::Gates;
use crate::memory::Memory;
use crate::split::{Effective, HeaderMatch, HeaderRoute, MirrorMatch, MirrorRoute, Split, StringMatch};
use crate::traffic;
use crate::weights;

/// Header and mirror routes, in the order of their precedence.
#[derive(Default)]
pub(crate) struct Routes {
    pub(crate) headers: Vec<HeaderRoute>,
    pub(crate) mirrors: Vec<MirrorRoute>,
}

/// Routes for the routers. One that no router has yet waits for the pods of the canary, and for its Service or subset to
/// be followed; one that is there is repaired at once, and goes as soon as it should not be there.
pub(crate) fn wished(facts: &Facts, memory: &mut Memory, gates: &mut Gates) -> Routes {
    let mut routes = asked(facts, memory);
    let known = known(facts);
    let names = routes.headers.iter().map(|route| &route.name);
    let mut new = names.chain(routes.mirrors.iter().map(|route| &route.name));
    if let Some(name) = new.find(|name| !known.contains(*name)).cloned()
        && !may_begin(facts, memory, &name, gates)
    {
        routes.headers.retain(|route| known.contains(&route.name));
        routes.mirrors.retain(|route| known.contains(&route.name));
    }
    routes
}

/// Names of routes that some router shows, or that were there when it was looked last.
fn known(facts: &Facts) -> BTreeSet<String> {
    let weights = facts.status().canary.weights;
    let recorded = weights.and_then(|weights| weights.managed_routes).unwrap_or_default();
    facts.routes_shown().chain(recorded.iter().map(String::as_str)).map(str::to_owned).collect()
}

fn may_begin(facts: &Facts, memory: &mut Memory, name: &str, gates: &mut Gates) -> bool {
    let then = format!("route {name} is added");
    if traffic::halted(facts, memory) {
        return false;
    }
    if let Some(Effective::Unknown(why)) = facts.effective() {
        gates.wait_in_time(&format!("the router: {why}"), &then);
        return false;
    }
    if !capacity::canary_ready(facts, memory) {
        return false;
    }
    if let Err(until) = weights::settled(facts, memory, Change::Any) {
        until.into_iter().for_each(|until| memory.wake_after(facts.world.now, until));
        gates.settle("the data plane to follow the last change", until, &then);
        return false;
    }
    true
}

/// The routes that the steps up to the current one leave; none on the way back, in a promotion, and while the canary has
/// no pods or its Service leads to another revision.
fn asked(facts: &Facts, memory: &Memory) -> Routes {
    let over = memory.stable().is_empty()
        || memory.fully_promoted()
        || memory.aborted()
        || memory.promoting_fully()
        || facts.within_window
        || !traffic::reaches_canary(facts, memory)
        || facts.new_pods().serving() == 0
        || capacity::desired(facts, memory).canary == 0;
    if over {
        return Routes::default();
    }
    let through = memory.step().map_or(0, |index| index.saturating_add(1));
    of_steps(facts, facts.steps.get(..through).unwrap_or(facts.steps))
}

/// Of each managed route what the last step that names it says.
fn of_steps(facts: &Facts, steps: &[CanaryStep]) -> Routes {
    let mut routes = Routes::default();
    let routing = facts.canary.traffic_routing.as_ref();
    let managed = routing.and_then(|routing| routing.managed_routes.as_deref()).unwrap_or_default();
    for name in managed.iter().map(|route| route.name.as_str()) {
        let last = steps.iter().rev().find(|step| named(step) == Some(name));
        routes.headers.extend(last.and_then(|step| header_route(step.set_header_route.as_ref()?)));
        routes.mirrors.extend(last.and_then(|step| mirror_route(step.set_mirror_route.as_ref()?)));
    }
    routes
}

fn named(step: &CanaryStep) -> Option<&str> {
    let header = step.set_header_route.as_ref().map(|route| route.name.as_str());
    header.or_else(|| step.set_mirror_route.as_ref().map(|route| route.name.as_str()))
}

fn header_route(route: &SetHeaderRoute) -> Option<HeaderRoute> {
    let headers = route.matches.iter().flatten();
    let matches: Vec<_> = headers
        .filter_map(|header| {
            let value = string_match(header.header_value.as_ref()?)?;
            Some(HeaderMatch { name: header.header_name.clone(), value })
        })
        .collect();
    (!matches.is_empty()).then(|| HeaderRoute { name: route.name.clone(), matches })
}

fn mirror_route(route: &SetMirrorRoute) -> Option<MirrorRoute> {
    let entries = route.matches.iter().flatten();
    let matches: Vec<_> = entries
        .map(|entry| MirrorMatch {
            method: entry.method.as_ref().and_then(string_match),
            path: entry.path.as_ref().and_then(string_match),
            headers: entry
                .headers
                .iter()
                .flatten()
                .filter_map(|(name, value)| {
                    Some(HeaderMatch { name: name.clone(), value: string_match(value)? })
                })
                .collect(),
        })
        .collect();
    let percentage = route.percentage.and_then(|percentage| u32::try_from(percentage).ok()).unwrap_or(100);
    (!matches.is_empty()).then(|| MirrorRoute { name: route.name.clone(), matches, percentage })
}

fn string_match(value: &serin_api::StringMatch) -> Option<StringMatch> {
    let serin_api::StringMatch { exact, prefix, regex } = value.clone();
    exact.map(StringMatch::Exact).or(prefix.map(StringMatch::Prefix)).or(regex.map(StringMatch::Regex))
}

/// The routes of the step are in force on every router that can have them.
pub(crate) fn in_force(facts: &Facts, memory: &mut Memory, gates: &mut Gates) -> bool {
    if capacity::desired(facts, memory).canary > 0 && !traffic::reaches_canary(facts, memory) {
        gates.wait_in_time(
            "the canary Service or subset to lead to the new revision",
            "the routes of the step are added",
        );
        return false;
    }
    let Routes { headers, mirrors } = asked(facts, memory);
    let affinity = affinity::wished(facts, memory, traffic::step_weight(facts, memory));
    let wish = Split { headers, mirrors, affinity, ..Split::all_stable(facts.total) };
    let waits_for = match facts.effective() {
        Some(Effective::Unknown(why)) => Err((format!("the router: {why}"), None)),
        _ if !facts.shows_routes(&wish) => Err((format!("the router to show {}", words(&wish)), None)),
        Some(Effective::Pending(_)) => Err((format!("the router to confirm {}", words(&wish)), None)),
        _ => weights::settled(facts, memory, Change::Weight)
            .map_err(|until| (format!("the data plane to follow {}", words(&wish)), until)),
    };
    let Err((waits_for, until)) = waits_for else { return true };
    until.into_iter().for_each(|until| memory.wake_after(facts.world.now, until));
    gates.settle(&waits_for, until, "the step is done");
    false
}

fn words(wish: &Split) -> String {
    let names: Vec<_> = wish.routes().collect();
    if names.is_empty() {
        "no managed route".to_owned()
    } else {
        format!("the managed routes {}", names.join(", "))
    }
}
