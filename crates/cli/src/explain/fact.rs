//! Says the facts behind a situation in fields: what is wrong with a spec, and which measurement decided.

use kube::ResourceExt;
use serde_json::Value;
use serin_api::{AnalysisRun, Measurement, Metric, MetricResult, validate};

use super::Fact;
use super::situation::Situation;
use crate::moment::{clock, passed};
use crate::observed::Observed;
use crate::run;

/// The facts of a situation.
pub(super) fn of(seen: &Observed, situation: &Situation<'_>) -> Vec<Fact> {
    match situation {
        Situation::Invalid { message, .. } => {
            problems(seen, message).iter().map(|text| problem(text)).collect()
        }
        Situation::Aborted { run: Some(run) } | Situation::Inconclusive { run: Some(run), .. } => {
            decision(seen, run)
        }
        _ => Vec::new(),
    }
}

/// Every problem there is: those of the spec itself, else those that the controller found with what the spec names.
pub(super) fn problems(seen: &Observed, message: &str) -> Vec<String> {
    let own: Vec<_> = validate(&seen.rollout).iter().map(ToString::to_string).collect();
    if !own.is_empty() {
        return own;
    }
    let gates = seen.rollout.status.iter().flat_map(|status| status.gates.iter().flatten());
    let told: Vec<_> =
        gates.map(|gate| gate.waits_for.clone()).filter(|text| text.contains(" value: ")).collect();
    if told.is_empty() { vec![message.to_owned()] } else { told }
}

/// A problem in its parts: `<field>: Invalid value: <value>: <problem>; <remedy>`.
pub(super) fn problem(text: &str) -> Fact {
    let text = text.split_once("\" is invalid: ").map_or(text, |(_, rest)| rest);
    let mut entries = Vec::new();
    let mut add = |key: &str, value: &str| entries.push((key.to_owned(), value.to_owned()));
    let mut message = text;
    if let Some((field, rest)) = text.split_once(": Invalid value: ") {
        let (value, rest) = split_value(rest);
        add("field", field);
        add("value", value);
        message = rest;
    } else if let Some((field, rest)) = text.split_once(": Required value: ") {
        add("field", field);
        message = rest;
    }
    match message.rsplit_once("; ") {
        Some((problem, remedy)) => {
            add("problem", problem);
            add("remedy", remedy);
        }
        None => add("problem", message),
    }
    Fact { title: String::new(), entries }
}

/// The value is JSON, and may hold a colon itself.
fn split_value(text: &str) -> (&str, &str) {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let length = values.next().and_then(Result::ok).map(|_| values.byte_offset());
    let split =
        length.and_then(|length| Some((text.get(..length)?, text.get(length..)?.strip_prefix(": ")?)));
    split.or_else(|| text.split_once(": ")).unwrap_or(("", text))
}

/// The metrics that made a run end as it did: value, bar and limit.
fn decision(seen: &Observed, run: &AnalysisRun) -> Vec<Fact> {
    let title = format!("AnalysisRun {} ({})", run.name_any(), run::role(run));
    let of_metric = |result: &MetricResult| Fact { title: title.clone(), entries: metric(seen, run, result) };
    run::decisive(run).map(of_metric).collect()
}

fn metric(seen: &Observed, run: &AnalysisRun, result: &MetricResult) -> Vec<(String, String)> {
    let mut entries = vec![("metric".to_owned(), result.name.clone())];
    let spec = run::metric(run, &result.name);
    let measurement = run::deciding(result);
    if spec.is_some_and(|metric| metric.comparison.is_some()) {
        let last = measurement.map(|measurement| measurement.message.as_str()).unwrap_or_default();
        entries.extend(reasons(if result.message.is_empty() { last } else { &result.message }));
    } else {
        entries.extend(measurement.map(|measurement| ("measured".to_owned(), measured(spec, measurement))));
        entries.extend(measurement.and_then(|measurement| window(seen, measurement)));
    }
    if let Some(metric) = spec {
        entries.push(("needed".to_owned(), run::bar(metric)));
        let limit = run::limit(metric, result).filter(|_| metric.comparison.is_none());
        entries.extend(limit.map(|limit| ("limit".to_owned(), limit)));
    }
    entries.retain(|(_, value)| !value.is_empty());
    entries
}

fn measured(metric: Option<&Metric>, measurement: &Measurement) -> String {
    match measurement.value.as_str() {
        "" => run::said(metric, measurement),
        _ => run::value(measurement).to_owned(),
    }
}

fn window(seen: &Observed, measurement: &Measurement) -> Option<(String, String)> {
    let ended = measurement.finished_at.as_ref()?.0;
    let text = match measurement.started_at.as_ref().map(|started| started.0) {
        Some(started) if started < ended => {
            format!("{} to {}", clock(started, seen.now), passed(ended, seen.now))
        }
        _ => passed(ended, seen.now),
    };
    Some(("when".to_owned(), text))
}

/// The parts of a reasons line, each with what it is about.
pub(super) fn reasons(line: &str) -> Vec<(String, String)> {
    let part = |(index, text): (usize, &str)| {
        let key = match text.split_whitespace().next() {
            Some("window") => "window",
            Some("evidence") => "evidence",
            _ if index == 0 => "measured",
            _ => "test",
        };
        let text = text.strip_prefix(key).unwrap_or(text).trim();
        (key.to_owned(), text.to_owned())
    };
    line.split(" | ").enumerate().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(fact: &Fact) -> Vec<(&str, &str)> {
        fact.entries.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }

    #[test]
    fn a_problem_falls_into_field_value_problem_and_remedy() {
        for (text, expected) in [
            (
                "The Rollout \"shop\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0",
                vec![
                    ("field", "spec.replicas"),
                    ("value", "-1"),
                    ("problem", "must be greater than or equal to 0"),
                ],
            ),
            (
                "spec.a: Invalid value: {\"x\":\"y: z\"}: no good; mend it",
                vec![
                    ("field", "spec.a"),
                    ("value", "{\"x\":\"y: z\"}"),
                    ("problem", "no good"),
                    ("remedy", "mend it"),
                ],
            ),
            (
                "spec.pingPong: Invalid value: set: not supported yet; use canaryService",
                vec![
                    ("field", "spec.pingPong"),
                    ("value", "set"),
                    ("problem", "not supported yet"),
                    ("remedy", "use canaryService"),
                ],
            ),
            (
                "spec.selector: Required value: it is missing; give the labels",
                vec![("field", "spec.selector"), ("problem", "it is missing"), ("remedy", "give the labels")],
            ),
            ("something else", vec![("problem", "something else")]),
        ] {
            assert_eq!(pairs(&problem(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_reasons_line_falls_into_its_parts() {
        let line = "error-rate canary 1.62 % stable 0.51 % | window 14:07-14:08 breach 3/3 | chi2 p=2e-8 | evidence 96 of 80 needed -> FAIL";
        let parts = reasons(line);
        let expected = [
            ("measured", "error-rate canary 1.62 % stable 0.51 %"),
            ("window", "14:07-14:08 breach 3/3"),
            ("test", "chi2 p=2e-8"),
            ("evidence", "96 of 80 needed -> FAIL"),
        ];
        assert_eq!(
            parts.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect::<Vec<_>>(),
            expected
        );
    }
}
