//! Translates a Graphite query to and from its render API.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use serin_api::provider::QueryMetric;

use super::address::Address;
use super::{
    Login, Look, Problem, Provider, Reply, Request, Response, Sampled, Samples, excerpt, form, of_status,
};

const TIMEOUT: Duration = Duration::from_secs(10);

/// One Graphite, as one metric reaches it.
pub(super) struct Graphite {
    address: Address,
    /// The fields of the query, decoded.
    fields: Vec<(String, String)>,
}

impl Graphite {
    /// Set up from a metric whose arguments are filled in.
    ///
    /// # Errors
    /// [`Problem::Field`] for an address or a query that cannot work.
    pub(super) fn new(metric: &QueryMetric) -> Result<Self, Problem> {
        let address = Address::parse(
            "graphite.address",
            metric.address.as_deref().unwrap_or_default(),
            "give one such as http://graphite:8080",
        )?;
        let query = metric.query.as_deref().unwrap_or_default();
        let fields: Vec<_> = query.split('&').filter_map(field).collect();
        if !fields.iter().any(|(name, value)| name == "target" && !value.is_empty()) {
            return Err(Problem::Field {
                field: "graphite.query".to_owned(),
                why: "it names no target".to_owned(),
                remedy: "give one such as target=sumSeries(app.errors)&from=-5min",
            });
        }
        Ok(Self { address, fields })
    }
}

/// One `name=value` of a query string; blanks in a row are one.
fn field(text: &str) -> Option<(String, String)> {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (name, value) = one_line.split_once('=').unwrap_or((&one_line, ""));
    (!name.is_empty()).then(|| (form::decoded(name), form::decoded(value)))
}

#[derive(Deserialize)]
struct Target {
    #[serde(default)]
    datapoints: Vec<(Value, Value)>,
}

impl Provider for Graphite {
    fn place(&self) -> String {
        format!("Graphite {}", self.address)
    }

    fn request(&self, _: &Look) -> Result<Request, Problem> {
        let given = self.fields.iter().filter(|(name, _)| name != "format");
        let mut fields: Vec<(&str, &str)> =
            given.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        fields.push(("format", "json"));
        Ok(Request {
            method: "GET",
            url: format!("{}?{}", self.address.endpoint("/render"), form::encode(&fields)),
            headers: vec![("Accept".to_owned(), "application/json".to_owned())],
            body: None,
            timeout: TIMEOUT,
            insecure: false,
            login: Login::Complete,
        })
    }

    fn reply(&self, _: &Look, response: &Response) -> Reply {
        if let Some(reply) = of_status(response) {
            return reply;
        }
        let Ok(targets) = serde_json::from_str::<Vec<Target>>(&response.body) else {
            return Reply::Malformed(format!("not an answer of Graphite: {}", excerpt(&response.body)));
        };
        let points = targets.into_iter().next().map(|target| target.datapoints).unwrap_or_default();
        let mut numbers = Vec::new();
        for (value, _) in points {
            match value {
                Value::Null => {}
                Value::Number(number) => numbers.push(number.as_f64().unwrap_or(f64::NAN)),
                Value::String(text) if text.parse::<f64>().is_ok() => {
                    numbers.extend(text.parse::<f64>());
                }
                other => return Reply::Malformed(format!("{other} is not a number")),
            }
        }
        match numbers.is_empty() {
            true => Reply::NoData,
            false => Reply::Samples(Sampled::plain(Samples::Numbers(numbers))),
        }
    }

    fn shown(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}
