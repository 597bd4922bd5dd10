//! Version 1: the last point of the first series.

use serde::Deserialize;

use super::{Reply, Samples};
use crate::provider::{Sampled, excerpt, form};

pub(super) fn path(query: &str, from: i64, to: i64) -> String {
    let fields = [("query", query), ("from", &from.to_string()), ("to", &to.to_string())];
    format!("/api/v1/query?{}", form::encode(&fields))
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    series: Vec<Series>,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Deserialize)]
struct Series {
    #[serde(default)]
    pointlist: Vec<(Option<f64>, Option<f64>)>,
}

pub(super) fn reply(body: &str) -> Reply {
    let Ok(answer) = serde_json::from_str::<Body>(body) else {
        return Reply::Malformed(format!("not an answer of Datadog: {}", excerpt(body)));
    };
    if let Some(error) = answer.error.filter(|error| !error.is_empty()) {
        return Reply::Malformed(excerpt(&error));
    }
    let last = answer.series.first().and_then(|series| series.pointlist.last());
    match last.and_then(|(_, value)| *value) {
        Some(value) => Reply::Samples(Sampled::plain(Samples::Number(value))),
        None => Reply::NoData,
    }
}
