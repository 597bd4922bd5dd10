//! What is wrong with one step of a canary.

use super::{CANARY, Problem, analysis, bake, experiment, managed_route};
use crate::{CanaryStep, CanaryStrategy, PauseStep, RolloutSpec, go_duration};

pub(super) fn all(spec: &RolloutSpec, canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    let most = canary.traffic_routing.as_ref().and_then(|routing| routing.max_traffic_weight).unwrap_or(100);
    let mut weight = 0;
    for (index, step) in canary.steps.iter().flatten().enumerate() {
        let path = format!("{CANARY}.steps[{index}]");
        one(canary, &path, step, most, problems);
        bake::step(canary, &path, (index, step), problems);
        weight = step.set_weight.unwrap_or(weight);
        if let Some(step) = &step.experiment {
            experiment::step((spec, canary), &format!("{path}.experiment"), step, (weight, most), problems);
        }
    }
}

fn one(canary: &CanaryStrategy, path: &str, step: &CanaryStep, most: i32, problems: &mut Vec<Problem>) {
    kinds(path, step, problems);
    if let Some(weight) = step.set_weight.filter(|weight| !(0..=most).contains(weight)) {
        problems.push(Problem::invalid(
            format!("{path}.setWeight"),
            weight,
            format!("SetWeight needs to be between 0 and {most}; choose one between these"),
        ));
    }
    if let Some(found) = &step.pause {
        pause(path, found, problems);
    }
    scale(canary, path, step, problems);
    managed_route::step(canary, path, step, problems);
    analysis::fields_of_step(path, step, problems);
    if let Some(step) = &step.analysis {
        analysis::rule_of_step(&format!("{path}.analysis"), step, problems);
    }
    if step.plugin.as_ref().is_some_and(|plugin| plugin.name.is_empty()) {
        let message = "name the extension that performs the step, as it is configured";
        problems.push(Problem::invalid(format!("{path}.plugin.name"), "", message));
    }
}

/// A step does one thing. Clients know the value in words that list what is there, or what is not.
fn kinds(path: &str, step: &CanaryStep, problems: &mut Vec<Problem>) {
    let given = [
        ("Experiment", step.experiment.is_some()),
        ("Pause", step.pause.is_some()),
        ("SetWeight", step.set_weight.is_some()),
        ("Analysis", step.analysis.is_some()),
        ("SetCanaryScale", step.set_canary_scale.is_some()),
        ("SetHeaderRoute", step.set_header_route.is_some()),
        ("SetMirrorRoute", step.set_mirror_route.is_some()),
        ("Plugin", step.plugin.is_some()),
    ];
    let count = given.iter().filter(|(_, set)| *set).count();
    if count == 1 {
        return;
    }
    let words =
        "Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause";
    let remedy = if count == 0 { "give one of them" } else { "split it into several steps" };
    let problem = Problem::invalid(path, step, format!("{words}; {remedy}"));
    let listed = |kinds: &[(&str, bool)]| {
        let kinds = kinds.iter().map(|(kind, set)| format!("step.{kind}: {}", *set || count == 0));
        format!("Invalid value: \"{}\"", kinds.collect::<Vec<_>>().join(" "))
    };
    let old = given.split_at(4).0;
    problems.push(if count == 0 {
        problem.said_with(&listed(&given), words)
    } else if old.iter().filter(|(_, set)| *set).count() > 1 {
        problem.said_with(&listed(old), words)
    } else {
        problem
    });
}

/// Clients know the seconds as the value, and -1 for text that is none.
fn pause(path: &str, pause: &PauseStep, problems: &mut Vec<Problem>) {
    let Some(duration) = pause.duration_seconds() else { return };
    let seconds = duration.unwrap_or_else(|text| below_zero(&text).unwrap_or(-1));
    if seconds < 0 {
        let words = "Duration needs to be greater than 0";
        let message = format!("{words}; write seconds, or text such as 30s or 5m");
        let problem = Problem::invalid(format!("{path}.pause.duration"), &pause.duration, message);
        problems.push(problem.said_with(&format!("Invalid value: {seconds}"), words));
    }
}

/// The seconds of text such as `-5m`.
fn below_zero(text: &str) -> Option<i64> {
    let length = go_duration(text.strip_prefix('-')?)?;
    i64::try_from(length.as_secs()).ok()?.checked_neg()
}

fn scale(canary: &CanaryStrategy, path: &str, step: &CanaryStep, problems: &mut Vec<Problem>) {
    let Some(scale) = &step.set_canary_scale else { return };
    if canary.traffic_routing.is_none() {
        problems.push(Problem::missing(
            &format!("{CANARY}.trafficRouting"),
            "SetCanaryScale requires TrafficRouting to be set; name the router, or take the step away",
        ));
    }
    let given = [scale.weight.is_some(), scale.replicas.is_some(), scale.match_traffic_weight];
    if given.iter().filter(|given| **given).count() != 1 {
        problems.push(Problem::invalid(
            format!("{path}.setCanaryScale"),
            scale,
            "give exactly one of weight, replicas and matchTrafficWeight",
        ));
    }
}
