//! Says what is wrong with the metrics of a run or of a template, in the words of Argo Rollouts where it has them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use regex::Regex;
use serin_api::{Arms, Metric};

use crate::argument::Arguments;
use crate::comparison::{self, Plan};
use crate::condition::Condition;
use crate::limit::Limits;
use crate::provider::{self, Look, Problem, Profiles, Source, Surroundings};
use crate::run::job;

/// What is wrong, first things first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// There is nothing to measure.
    #[error("no metrics specified")]
    NoMetrics,
    /// A metric cannot work.
    #[error("metrics[{index}]: {why}")]
    Metric {
        /// Position in the list.
        index: usize,
        /// Which field, why, and what to do.
        why: String,
    },
    /// The comparisons of a run would know more than its status has room for.
    #[error(
        "metrics: the evidence of {comparisons} comparisons takes up to {bytes} bytes of the status, {most} are there: ask \
         for fewer quantiles, or give some of them a template, and so a run, of their own"
    )]
    TooMuch {
        /// How many there are.
        comparisons: usize,
        /// What their evidence may take.
        bytes: usize,
        /// What it may take at most.
        most: usize,
    },
    /// A rule names no metric.
    #[error("{list}[{index}]: Rule didn't match any metric name(s)")]
    NoMatch {
        /// `dryRun` or `measurementRetention`.
        list: &'static str,
        /// Position in the list.
        index: usize,
    },
}

/// Checks metrics whose arguments are filled in.
///
/// # Errors
/// The first thing that is wrong.
pub fn metrics(
    metrics: &[Metric],
    arms: Option<&Arms>,
    default_prometheus: Option<&str>,
) -> Result<(), Invalid> {
    let around = Surroundings { default_prometheus, profiles: &Profiles::new(), extensions: None };
    read(metrics, arms, around).map(drop)
}

/// Checks that a comparison takes no secret: what it selects is shown in its reasons and kept in its evidence.
///
/// # Errors
/// Which secret it takes, and what to do.
pub fn shows_no_secret(metric: &Metric, arguments: &Arguments) -> Result<(), String> {
    let alone = Metric { comparison: metric.comparison.clone(), ..Metric::default() };
    // An argument that has no value is another fault, and told as such.
    let taken = arguments.secrets_of(&alone).unwrap_or_default();
    let Some((name, key)) = taken.into_iter().next() else { return Ok(()) };
    Err(format!(
        "comparison: it takes key '{key}' of secret '{name}', and what it selects is shown to people; write the value there, \
         or keep the secret to the provider"
    ))
}

/// Checks that the evidence of all comparisons of a new run will fit into its status.
///
/// # Errors
/// [`Invalid::TooMuch`].
pub fn fits(metrics: &[Metric]) -> Result<(), Invalid> {
    let room = || metrics.iter().filter_map(|metric| metric.comparison.as_ref()).map(comparison::room);
    let (comparisons, bytes, most) =
        (room().count(), room().fold(0, usize::saturating_add), comparison::MOST_BYTES);
    if bytes <= most { Ok(()) } else { Err(Invalid::TooMuch { comparisons, bytes, most }) }
}

/// What a metric measures, read once.
#[derive(Clone, Debug)]
pub(crate) enum Measured {
    /// A query and what its result means.
    Query { success: Option<Condition>, failure: Option<Condition> },
    /// A comparison of canary with stable.
    Comparison(Box<Plan>),
}

/// Reads metrics whose arguments are filled in.
pub(crate) fn read(
    metrics: &[Metric],
    arms: Option<&Arms>,
    around: Surroundings,
) -> Result<Vec<(Limits, Measured)>, Invalid> {
    if metrics.is_empty() {
        return Err(Invalid::NoMetrics);
    }
    let asked = metrics.iter().filter_map(|metric| metric.comparison.as_ref()).map(comparison::questions);
    let questions = asked.fold(0, u32::saturating_add);
    let mut all = Vec::new();
    for (index, metric) in metrics.iter().enumerate() {
        let refuse = |why: String| Invalid::Metric { index, why };
        if metrics.iter().take(index).any(|earlier| earlier.name == metric.name) {
            return Err(refuse(format!("duplicate name '{}'", metric.name)));
        }
        let limits = Limits::of(metric).map_err(refuse)?;
        let measured = one(metric, &limits, arms, questions).map_err(refuse)?;
        askable(metric, &measured, around).map_err(|problem| refuse(problem.to_string()))?;
        all.push((limits, measured));
    }
    Ok(all)
}

fn one(metric: &Metric, limits: &Limits, arms: Option<&Arms>, questions: u32) -> Result<Measured, String> {
    if let Some(comparison) = &metric.comparison {
        let plan = Plan::of(metric, comparison, limits, arms, questions)?;
        return Ok(Measured::Comparison(Box::new(plan)));
    }
    conditions(metric)
}

/// The conditions of a metric whose arguments are filled in.
pub(crate) fn conditions(metric: &Metric) -> Result<Measured, String> {
    Ok(Measured::Query {
        success: condition("successCondition", metric.success_condition.as_deref())?,
        failure: condition("failureCondition", metric.failure_condition.as_deref())?,
    })
}

/// Tries out the question, so that what cannot be asked is known before it is due.
fn askable(metric: &Metric, measured: &Measured, around: Surroundings) -> Result<(), Problem> {
    let source = match provider::source(&metric.provider, around) {
        // Credentials are looked for when the metric is due.
        Err(Problem::Missing(_)) => return Ok(()),
        source => source?,
    };
    match (measured, source) {
        (_, Source::Job(job)) => job::check(job),
        (Measured::Query { .. }, Source::Asked(provider)) => {
            let look = Look { at: Timestamp::UNIX_EPOCH, underway: &BTreeMap::new() };
            provider.request(&look).map(drop)
        }
        (Measured::Comparison(_), Source::Asked(_)) => Ok(()),
    }
}

fn condition(field: &str, code: Option<&str>) -> Result<Option<Condition>, String> {
    let Some(code) = code.filter(|code| !code.trim().is_empty()) else {
        return Ok(None);
    };
    Condition::parse(code).map(Some).map_err(|fault| format!("{field} \"{code}\": {fault}"))
}

/// For each metric name the position of the first rule that matches it. Rules are regular expressions, not anchored.
pub fn matching(list: &'static str, rules: &[&str], names: &[&str]) -> Result<Vec<Option<usize>>, Invalid> {
    let mut found = vec![None; names.len()];
    for (index, rule) in rules.iter().enumerate() {
        let rule = Regex::new(rule).ok();
        let mut any = false;
        for (name, found) in names.iter().zip(&mut found) {
            if rule.as_ref().is_some_and(|rule| rule.is_match(name)) {
                any = true;
                // The last rule that matches wins, as in Argo Rollouts.
                *found = Some(index);
            }
        }
        if !any {
            return Err(Invalid::NoMatch { list, index });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const PROMETHEUS: &str = "http://prometheus:9090";

    fn arms() -> Arms {
        Arms { canary: "c1".into(), stable: "s1".into(), ..Arms::default() }
    }

    fn complaint(metrics_given: Value) -> String {
        let given: Vec<Metric> = serde_json::from_value(metrics_given).unwrap();
        metrics(&given, Some(&arms()), Some(PROMETHEUS))
            .map_or_else(|invalid| invalid.to_string(), |()| "fine".into())
    }

    fn with(fields: Value) -> Value {
        let mut metric = json!({"name": "m", "provider": {"prometheus": {"query": "up"}}});
        merge(&mut metric, fields);
        json!([metric])
    }

    fn comparing(fields: Value) -> Value {
        let mut metric = json!({
            "name": "m", "interval": "60s", "provider": {"prometheus": {}},
            "comparison": {"errorRate": {"requests": "http_requests_total"}},
        });
        merge(&mut metric, fields);
        json!([metric])
    }

    fn merge(base: &mut Value, fields: Value) {
        match (base, fields) {
            (Value::Object(base), Value::Object(fields)) => {
                for (name, value) in fields {
                    merge(base.entry(name).or_insert(Value::Null), value);
                }
            }
            (base, fields) => *base = fields,
        }
    }

    #[test]
    fn metrics_that_cannot_work_are_refused_in_the_words_of_argo_rollouts() {
        for (given, expected) in [
            (json!([]), "no metrics specified"),
            (with(json!({})), "fine"),
            (with(json!({"count": 2})), "metrics[0]: interval must be specified when count > 1"),
            (
                with(json!({"interval": "5 minutes"})),
                "metrics[0]: invalid interval string: time: invalid duration \"5 minutes\"",
            ),
            (
                with(json!({"interval": "10"})),
                "metrics[0]: invalid interval string: time: missing unit in duration \"10\"",
            ),
            (
                with(json!({"initialDelay": "x"})),
                "metrics[0]: invalid startDelay string: time: invalid duration \"x\"",
            ),
            (
                with(json!({"interval": "1m", "count": 3, "failureLimit": 2, "consecutiveSuccessLimit": 2})),
                "metrics[0]: count (3) must be >= failureLimit + consecutiveSuccessLimit (2 + 2) if both >= 0",
            ),
            (
                with(json!({"interval": "1m", "count": 3, "inconclusiveLimit": 4})),
                "metrics[0]: count must be >= inconclusiveLimit",
            ),
            (
                with(json!({"failureLimit": -2})),
                "metrics[0]: failureLimit must be >= 0, or -1 to be disabled",
            ),
            (
                with(json!({"failureLimit": -1})),
                "metrics[0]: failureLimit and consecutiveSuccessLimit cannot both be disabled",
            ),
            (with(json!({"failureLimit": -1, "consecutiveSuccessLimit": 2})), "fine"),
            (
                with(json!({"consecutiveSuccessLimit": -1})),
                "metrics[0]: consecutiveSuccessLimit must be >= 0",
            ),
            (with(json!({"inconclusiveLimit": -1})), "metrics[0]: inconclusiveLimit must be >= 0"),
            (with(json!({"consecutiveErrorLimit": -1})), "metrics[0]: consecutiveErrorLimit must be >= 0"),
            (with(json!({"count": "many"})), "metrics[0]: count: \"many\" is not a whole number"),
            (with(json!({"count": "1"})), "fine"),
            (with(json!({"provider": {"prometheus": null}})), "metrics[0]: no provider specified"),
            (
                with(json!({"provider": {"prometheus": {"query": " "}}})),
                "metrics[0]: provider.prometheus.query: it is empty; give a PromQL expression",
            ),
            (
                with(
                    json!({"provider": {"prometheus": {"rangeQuery": {"start": "now() - 5", "end": "now()", "step": "1m"}}}}),
                ),
                "metrics[0]: provider.prometheus.rangeQuery.start: \"now() - 5\" is not a moment: - cannot be applied to \
                 1970-01-01T00:00:00+00:00 and 5; give an expression such as now() - duration(\"5m\")",
            ),
            (with(json!({"provider": {"web": {"url": "x"}}})), "metrics[0]: multiple providers specified"),
            (
                with(json!({"successCondition": "result <"})),
                "metrics[0]: successCondition \"result <\": unexpected the end of the expression at column 9",
            ),
            (
                with(json!({"failureCondition": "foo"})),
                "metrics[0]: failureCondition \"foo\": unknown name foo at column 1",
            ),
            (
                json!([{"name": "a", "provider": {"prometheus": {"query": "up"}}}, {"name": "a"}]),
                "metrics[1]: duplicate name 'a'",
            ),
        ] {
            assert_eq!(complaint(given.clone()), expected, "{given}");
        }
    }

    #[test]
    fn comparisons_that_cannot_work_are_refused_with_the_field_and_a_remedy() {
        for (given, expected) in [
            (json!({}), "fine"),
            (
                json!({"successCondition": "true"}),
                "successCondition: a comparison decides by its own limit; remove successCondition",
            ),
            (
                json!({"failureLimit": 1}),
                "failureLimit: a comparison decides by its own limit; remove failureLimit",
            ),
            (
                json!({"interval": null}),
                "interval: a comparison needs the length of its windows; set it, for example to 60s",
            ),
            (json!({"interval": "1500ms"}), "interval: a comparison needs whole seconds"),
            (json!({"interval": "2h"}), "interval: windows of a comparison are at most 30 minutes long"),
            (
                json!({"comparison": {"errorRate": null}}),
                "comparison: it names nothing to compare; set comparison.errorRate, latency, businessRate or mean",
            ),
            (
                json!({"comparison": {"errorRate": {"requests": ""}}}),
                "comparison.errorRate.requests: it names no metric; give the counter itself, such as http_requests_total{app=\"shop\"}",
            ),
            (
                json!({"comparison": {"errorRate": {"errors": " "}}}),
                "comparison.errorRate.errors: it is empty, so that every request would be an error",
            ),
            (
                json!({"comparison": {"errorRate": {"errors": "code"}}}),
                "comparison.errorRate.errors: \"code\" at column 1 is not a label matcher such as code=~\"5..\"",
            ),
            (
                json!({"comparison": {"errorRate": {"limit": "5%"}}}),
                "comparison.errorRate.limit: \"5%\" is no difference of shares; give one such as 0.5pp or 0.005",
            ),
            (
                json!({"comparison": {"errorRate": {"unhealthyAbove": "100%"}}}),
                "comparison.errorRate.unhealthyAbove: \"100%\" is no share of requests; give one such as 5%",
            ),
            (
                json!({"comparison": {"errorRate": {"revisionLabel": "a-b"}}}),
                "comparison.errorRate.revisionLabel: \"a-b\" is no label name of Prometheus; use letters, digits and _",
            ),
            (
                json!({"comparison": {"alpha": "2"}}),
                "comparison.alpha: \"2\" is no probability; give one such as 0.05",
            ),
            (
                json!({"comparison": {"consecutiveWindows": 0}}),
                "comparison.consecutiveWindows: 0 is less than 1",
            ),
            (json!({"comparison": {"warmup": -1}}), "comparison.warmup: -1 is less than 0"),
            (
                json!({"comparison": {"ingestionDelay": "soon"}}),
                "comparison.ingestionDelay: \"soon\" is no duration; give one such as 15s",
            ),
            (
                json!({"comparison": {"ingestionDelay": "31m"}}),
                "comparison.ingestionDelay: longer than 30 minutes",
            ),
            (
                json!({"provider": {"prometheus": null, "web": {}}}),
                "comparison: only Prometheus can be compared; set provider.prometheus",
            ),
        ] {
            let complaint = complaint(comparing(given.clone()));
            assert_eq!(complaint.trim_start_matches("metrics[0]: "), expected, "{given}");
        }
        let given: Vec<Metric> = serde_json::from_value(comparing(json!({}))).unwrap();
        let same = Arms { canary: "x".into(), stable: "x".into(), ..Arms::default() };
        for (arms, expected) in [
            (None, "spec.arms does not say which two revisions"),
            (Some(&same), "names the same revision twice"),
        ] {
            let complaint = metrics(&given, arms, Some(PROMETHEUS)).unwrap_err().to_string();
            assert!(complaint.contains(expected), "{complaint}");
        }
    }

    #[test]
    fn rules_are_regular_expressions_that_must_match_something() {
        let names = ["error-rate", "latency"];
        assert_eq!(matching("dryRun", &["a"], &names), Ok(vec![Some(0), Some(0)]));
        assert_eq!(matching("dryRun", &["^late", ".*"], &names), Ok(vec![Some(1), Some(1)]));
        for rule in ["*", "cpu"] {
            let refusal = matching("dryRun", &[".*", rule], &names).unwrap_err().to_string();
            assert_eq!(refusal, "dryRun[1]: Rule didn't match any metric name(s)");
        }
    }
}
