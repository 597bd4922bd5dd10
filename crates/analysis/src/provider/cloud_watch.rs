//! Translates CloudWatch queries to and from `GetMetricData`.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use serin_api::go_duration;
use serin_api::provider::CloudWatchMetric;

use super::aws::{self, Signing};
use super::profile::{find, optional};
use super::{
    Login, Look, Problem, Profiles, Provider, Reply, Request, Response, Sampled, Samples, excerpt, go_text,
    of_status, text_at,
};

const TIMEOUT: Duration = Duration::from_secs(30);
/// How far back, unless the metric says otherwise.
const INTERVAL: Duration = Duration::from_secs(300);

/// CloudWatch, as one metric reaches it.
pub(super) struct CloudWatch {
    url: String,
    region: String,
    queries: Vec<Value>,
    interval: SignedDuration,
}

impl CloudWatch {
    /// Set up from a metric whose arguments are filled in.
    ///
    /// # Errors
    /// [`Problem::Field`] for queries or an interval that cannot work, [`Problem::Missing`] without a region.
    pub(super) fn new(metric: &CloudWatchMetric, profiles: &Profiles) -> Result<Self, Problem> {
        let refuse = |field: &str, why: &str, remedy| Problem::Field {
            field: format!("cloudWatch.{field}"),
            why: why.to_owned(),
            remedy,
        };
        let interval = match metric.interval.as_deref().unwrap_or_default() {
            "" => Some(INTERVAL),
            text => go_duration(text).filter(|interval| !interval.is_zero()),
        };
        let interval = interval
            .and_then(|interval| SignedDuration::try_from(interval).ok())
            .ok_or_else(|| refuse("interval", "it is no duration", "give one such as 5m"))?;
        let queries: Vec<Value> = metric.metric_data_queries.iter().flatten().map(as_aws_writes).collect();
        let named = |query: &Value| text_at(query, "/Id").is_some_and(|id| !id.is_empty());
        if queries.is_empty() || !queries.iter().all(named) {
            let why = if queries.is_empty() { "it is empty" } else { "a query has no id" };
            return Err(refuse(
                "metricDataQueries",
                why,
                "give queries with id and metricStat or expression",
            ));
        }
        let process = find(profiles, &aws::profile())?;
        let region = optional(process, "region").ok_or_else(|| {
            Problem::Missing("no AWS region: set AWS_REGION in the environment of the controller".to_owned())
        })?;
        let url = match optional(process, "endpoint") {
            Some(endpoint) => endpoint.to_owned(),
            None => format!("https://monitoring.{region}.{}/", aws::domain(region)),
        };
        Ok(Self { url, region: region.to_owned(), queries, interval })
    }
}

/// The names of AWS begin with a capital; periods are numbers even where an argument made a text of them.
fn as_aws_writes(query: &Value) -> Value {
    match query {
        Value::Object(fields) => {
            let written = fields.iter().map(|(name, value)| {
                let value = match (name.as_str(), value) {
                    ("period", Value::String(text)) => text.parse::<i64>().map_or(value.clone(), Value::from),
                    _ => as_aws_writes(value),
                };
                let mut letters = name.chars();
                let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
                (format!("{first}{}", letters.as_str()), value)
            });
            Value::Object(written.collect::<Map<_, _>>())
        }
        Value::Array(values) => values.iter().map(as_aws_writes).collect(),
        other => other.clone(),
    }
}

impl Provider for CloudWatch {
    fn place(&self) -> String {
        format!("CloudWatch {}", self.region)
    }

    fn request(&self, look: &Look) -> Result<Request, Problem> {
        let start = look.at.checked_sub(self.interval).unwrap_or(Timestamp::UNIX_EPOCH);
        let body = json!({
            "StartTime": start.as_second(), "EndTime": look.at.as_second(), "MetricDataQueries": self.queries,
        });
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Ok(Request {
            method: "POST",
            url: self.url.clone(),
            headers: vec![
                header("Content-Type", "application/x-amz-json-1.0"),
                header("X-Amz-Target", "GraniteServiceVersion20100801.GetMetricData"),
            ],
            body: Some(body.to_string()),
            timeout: TIMEOUT,
            insecure: false,
            login: Login::Aws(Signing {
                region: self.region.clone(),
                service: "monitoring",
                profile: String::new(),
                role_arn: String::new(),
            }),
        })
    }

    fn reply(&self, _: &Look, response: &Response) -> Reply {
        let body: Value = serde_json::from_str(&response.body).unwrap_or_default();
        if let Some(reply) = of_status(response) {
            let kind = text_at(&body, "/__type").unwrap_or_default().rsplit('#').next().unwrap_or_default();
            let told = text_at(&body, "/message").or(text_at(&body, "/Message")).unwrap_or_default();
            // Throttling is answered with status 400.
            return match reply {
                Reply::Malformed(_) if kind.starts_with("Throttling") => Reply::Down(kind.to_owned()),
                Reply::Malformed(_) if !kind.is_empty() => {
                    Reply::Malformed(excerpt(&format!("HTTP {} {kind}: {told}", response.status)))
                }
                reply => reply,
            };
        }
        let Some(Value::Array(results)) = body.get("MetricDataResults") else {
            return Reply::Malformed(format!("not an answer of CloudWatch: {}", excerpt(&response.body)));
        };
        if results.is_empty() {
            return Reply::NoData;
        }
        let values: Vec<Value> =
            results.iter().map(|result| result.get("Values").cloned().unwrap_or_default()).collect();
        let mut notes = BTreeMap::new();
        if let Some(messages) = body.get("Messages").filter(|messages| messages.get(0).is_some()) {
            notes.insert("messages".to_owned(), go_text::of_json(messages));
        }
        let shown = Some(go_text::of_json(&Value::Array(values)));
        Reply::Samples(Sampled { result: Samples::Json(Value::Array(results.clone())), shown, notes })
    }

    fn shown(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}
