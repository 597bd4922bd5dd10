//! Says which metrics of a template or a run cannot work, by the rules that the controller measures by.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use serin_analysis::argument::Arguments;
use serin_analysis::validate;
use serin_api::{Argument, Arms, Metric};

use super::{Finding, promql};

/// Stands for the address of Prometheus that the controller knows.
const ADDRESS: &str = "http://prometheus";
/// Stands for the value of an argument that only a Rollout gives.
const GIVEN_LATER: &str = "1";

/// Checks metrics with their arguments. Fields that depend on a value that is given later are not judged.
pub(super) fn check(metrics: &[Metric], arguments: &[Argument]) -> Vec<Finding> {
    let open = open(arguments);
    let known = match Arguments::of(&filled(arguments)) {
        Ok(known) => known,
        Err(why) => return vec![Finding::problem(format!("spec.args: {why}"))],
    };
    let mut names = BTreeSet::new();
    let mut findings = Vec::new();
    for (index, metric) in metrics.iter().enumerate() {
        let mut problem =
            |why: String| findings.push(Finding::problem(format!("spec.metrics[{index}]: {why}")));
        if !names.insert(metric.name.as_str()) {
            problem(format!("two metrics have the same name '{}'; rename one of them", metric.name));
        }
        let filled = known.fill(metric, |_, _| GIVEN_LATER.to_owned()).map_err(|why| why.to_string());
        if let Err(why) = filled.and_then(|_| validate::shows_no_secret(metric, &known)) {
            problem(why);
            continue;
        }
        let settled =
            settled(metric, &open).and_then(|metric| known.fill(&metric, |_, _| GIVEN_LATER.to_owned()).ok());
        match (settled.as_ref().and_then(refusal), query(metric, arguments)) {
            (Some(why), _) => problem(why),
            (None, Some(found)) => findings
                .push(Finding { message: format!("spec.metrics[{index}]: {}", found.message), ..found }),
            (None, None) => {}
        }
    }
    findings.extend(too_much(metrics));
    findings
}

/// Comparisons that are too many for the status of one run.
fn too_much(metrics: &[Metric]) -> Option<Finding> {
    validate::fits(metrics).err().map(|why| Finding::problem(format!("spec.{why}")))
}

/// What is wrong with the PromQL of a metric.
pub(super) fn query(metric: &Metric, arguments: &[Argument]) -> Option<Finding> {
    let prometheus = metric.provider.prometheus.as_ref().filter(|_| metric.comparison.is_none())?;
    let value = |name: &str| arguments.iter().find(|argument| argument.name == name)?.value.clone();
    promql::check(prometheus.query.as_deref()?, prometheus.range_query.is_some(), value)
}

/// Names of the arguments that only a Rollout gives a value.
pub(super) fn open(arguments: &[Argument]) -> Vec<&str> {
    arguments.iter().filter(|argument| has_no_value(argument)).map(|open| open.name.as_str()).collect()
}

/// The arguments, all of them with a value.
pub(super) fn filled(arguments: &[Argument]) -> Vec<Argument> {
    let one = |argument: &Argument| Argument {
        value: argument.value.clone().or_else(|| has_no_value(argument).then(|| GIVEN_LATER.to_owned())),
        ..argument.clone()
    };
    arguments.iter().map(one).collect()
}

fn refusal(metric: &Metric) -> Option<String> {
    match validate::metrics(std::slice::from_ref(metric), Some(&arms()), Some(ADDRESS)) {
        Ok(()) => None,
        Err(validate::Invalid::Metric { why, .. }) => Some(why),
        Err(other) => Some(other.to_string()),
    }
}

/// Stand for the revisions that a rollout would have.
pub(super) fn arms() -> Arms {
    let name = |name: &str| Some(name.to_owned());
    Arms {
        canary: "canary".to_owned(),
        stable: "stable".to_owned(),
        canary_service: name("canary"),
        stable_service: name("stable"),
        namespace: name("default"),
    }
}

fn has_no_value(argument: &Argument) -> bool {
    argument.value.is_none() && argument.value_from.as_ref().is_none_or(|from| from.secret_key_ref.is_none())
}

/// The metric with its fields that depend on open arguments replaced by some that work, so that the rest can be judged;
/// `None` when too little is left.
fn settled(metric: &Metric, open: &[&str]) -> Option<Metric> {
    let mut fields = serde_json::to_value(metric).ok()?;
    for (name, value) in fields.as_object_mut()? {
        if !uses(value, open) {
            continue;
        }
        *value = match name.as_str() {
            "provider" => json!({"prometheus": {"query": "1"}}),
            "interval" | "initialDelay" => json!("1m"),
            "comparison" | "name" => return None,
            _ => Value::Null,
        };
    }
    serde_json::from_value(fields).ok()
}

/// The value names one of the arguments.
pub(super) fn uses(value: &Value, open: &[&str]) -> bool {
    let text = value.to_string().replace(' ', "");
    open.iter().any(|name| text.contains(&format!("{{{{args.{name}}}}}")))
}
