//! Version 2: one number, or one for each group.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use serin_api::provider::DatadogMetric;

use super::{Problem, Reply, Samples, refuse};
use crate::provider::{Sampled, excerpt};

const AGGREGATORS: &[&str] = &["avg", "min", "max", "sum", "last", "percentile", "mean", "l2norm", "area"];

/// Groups that the metadata of a measurement names at most: the lowest and the highest of them.
const GROUPS: usize = 100;

/// Queries by name, and the formula over them.
pub(super) struct Question<'m> {
    queries: Vec<(&'m str, &'m str)>,
    formula: &'m str,
    aggregator: &'m str,
}

impl<'m> Question<'m> {
    pub(super) fn of(metric: &'m DatadogMetric, query: Option<&'m str>) -> Result<Self, Problem> {
        let several: Vec<(&str, &str)> =
            metric.queries.iter().flatten().map(|(name, query)| (name.as_str(), query.as_str())).collect();
        let formula = metric.formula.as_deref().filter(|formula| !formula.is_empty());
        let (queries, formula) = match (query, several.as_slice(), formula) {
            (Some(_), [_, ..], _) => {
                return Err(refuse("queries", "query is set, too", "set one of query and queries"));
            }
            (Some(_), [], Some(_)) => {
                return Err(refuse("formula", "it has no queries to work on", "name them in queries"));
            }
            (Some(query), [], None) => (vec![("query", query)], "query"),
            (None, [], _) => {
                let why = "neither query nor queries is set";
                return Err(refuse("query", why, "give one such as avg:system.load.1{*}"));
            }
            (None, [(name, query)], None) => (vec![(*name, *query)], *name),
            (None, [_, _, ..], None) => {
                let why = "it is missing, and there are several queries";
                return Err(refuse("formula", why, "say what to make of them, such as a / b"));
            }
            (None, _, Some(formula)) => (several, formula),
        };
        let aggregator = metric.aggregator.as_deref().filter(|text| !text.is_empty()).unwrap_or("last");
        if !AGGREGATORS.contains(&aggregator) {
            let remedy = "use avg, min, max, sum, last, percentile, mean, l2norm or area";
            return Err(refuse("aggregator", "it is not known", remedy));
        }
        Ok(Self { queries, formula, aggregator })
    }

    /// The body of the request; times in seconds since 1970, which Datadog takes in milliseconds.
    pub(super) fn body(&self, from: i64, to: i64) -> String {
        let queries: Vec<Value> = self
            .queries
            .iter()
            .map(|(name, query)| {
                json!({"data_source": "metrics", "name": name, "query": query, "aggregator": self.aggregator})
            })
            .collect();
        let attributes = json!({
            "from": from.saturating_mul(1000), "to": to.saturating_mul(1000),
            "queries": queries, "formulas": [{"formula": self.formula}],
        });
        json!({"data": {"type": "scalar_request", "attributes": attributes}}).to_string()
    }
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    data: Data,
    #[serde(default)]
    errors: Value,
}

#[derive(Default, Deserialize)]
struct Data {
    #[serde(default)]
    attributes: Attributes,
    #[serde(default)]
    errors: Value,
}

#[derive(Default, Deserialize)]
struct Attributes {
    #[serde(default)]
    columns: Vec<Column>,
}

#[derive(Deserialize)]
struct Column {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    values: Vec<Value>,
}

pub(super) fn reply(body: &str) -> Reply {
    let Ok(answer) = serde_json::from_str::<Body>(body) else {
        return Reply::Malformed(format!("not an answer of Datadog: {}", excerpt(body)));
    };
    if let Some(told) = [&answer.errors, &answer.data.errors].into_iter().find_map(told) {
        return Reply::Malformed(format!("There were errors in your query: {}", excerpt(&told)));
    }
    let columns = answer.data.attributes.columns;
    let groups: Vec<&Column> = columns.iter().filter(|column| column.kind == "group").collect();
    let Some(numbers) = columns.iter().find(|column| column.kind == "number") else {
        return Reply::NoData;
    };
    let rows = numbers.values.iter().enumerate();
    let known: Vec<(usize, f64)> = rows.filter_map(|(row, value)| Some((row, value.as_f64()?))).collect();
    match (known.as_slice(), groups.as_slice()) {
        ([], _) => Reply::NoData,
        ([(_, value)], []) => Reply::Samples(Sampled::plain(Samples::Number(*value))),
        (known, groups) => {
            let notes = match groups {
                [] => BTreeMap::new(),
                groups => BTreeMap::from([("groups".to_owned(), named(groups, known))]),
            };
            let result = Samples::Numbers(known.iter().map(|(_, value)| *value).collect());
            Reply::Samples(Sampled { result, shown: None, notes })
        }
    }
}

/// The text of errors, which are a text or a list of texts or of objects.
fn told(errors: &Value) -> Option<String> {
    match errors {
        Value::Null => None,
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Array(all) if all.is_empty() => None,
        other => Some(other.to_string()),
    }
}

/// The groups with their values, in the order of the provider; of many, the lowest and the highest.
fn named(groups: &[&Column], known: &[(usize, f64)]) -> String {
    let mut kept = known.to_vec();
    if kept.len() > GROUPS {
        kept.sort_by(|(_, one), (_, other)| one.total_cmp(other));
        kept.drain(GROUPS / 2..known.len() - GROUPS / 2);
        kept.sort_by_key(|(row, _)| *row);
    }
    let name = |row: usize| {
        let parts = groups.iter().filter_map(|column| column.values.get(row)).flat_map(|tags| match tags {
            Value::Array(tags) => tags.iter().map(text).collect(),
            tag => vec![text(tag)],
        });
        parts.collect::<Vec<_>>().join(",")
    };
    let list: Vec<Value> =
        kept.iter().map(|(row, value)| json!({"group": name(*row), "value": value})).collect();
    Value::Array(list).to_string()
}

fn text(tag: &Value) -> String {
    tag.as_str().map_or_else(|| tag.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_groups_the_lowest_and_the_highest_are_named() {
        let names =
            Column { kind: "group".into(), values: (0..300).map(|n| json!([format!("h{n}")])).collect() };
        let known: Vec<(usize, f64)> = (0..300).map(|n| (n, (n as f64 - 150.0).abs())).collect();
        let text = named(&[&names], &known);
        let list: Vec<Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(list.len(), GROUPS);
        let holds = |group: &str| list.iter().any(|entry| entry["group"] == group);
        assert!(holds("h0") && holds("h150") && holds("h299") && !holds("h75"), "{text}");
    }
}
