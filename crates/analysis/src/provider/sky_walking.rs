//! Translates a GraphQL query to and from Apache SkyWalking.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Value, json};
use serin_api::go_duration;
use serin_api::provider::SkyWalkingMetric;

use super::address::Address;
use super::{Login, Look, Problem, Provider, Reply, Request, Response, Sampled, Samples, excerpt, of_status};

const TIMEOUT: Duration = Duration::from_secs(30);
/// How far back, unless the metric says otherwise.
const INTERVAL: Duration = Duration::from_secs(300);

/// One SkyWalking, as one metric reaches it.
pub(super) struct SkyWalking<'m> {
    address: Address,
    query: &'m str,
    interval: SignedDuration,
}

impl<'m> SkyWalking<'m> {
    /// Set up from a metric whose arguments are filled in.
    ///
    /// # Errors
    /// [`Problem::Field`] for an address, a query or an interval that cannot work.
    pub(super) fn new(metric: &'m SkyWalkingMetric) -> Result<Self, Problem> {
        let refuse =
            |field: &str, why: String, remedy| Problem::Field { field: field.to_owned(), why, remedy };
        let address = Address::parse(
            "skywalking.address",
            metric.address.as_deref().unwrap_or_default(),
            "give one such as http://skywalking-oap:12800",
        )?;
        let query = metric.query.as_deref().unwrap_or_default();
        if query.trim().is_empty() {
            let remedy = "give a GraphQL query with the variable $duration";
            return Err(refuse("skywalking.query", "it is empty".to_owned(), remedy));
        }
        let interval = match &metric.interval {
            None => Some(INTERVAL),
            Some(IntOrString::String(text)) if text.is_empty() => Some(INTERVAL),
            Some(IntOrString::String(text)) => go_duration(text),
            Some(IntOrString::Int(_)) => None,
        };
        let interval = interval.and_then(|interval| SignedDuration::try_from(interval).ok());
        let interval = interval.ok_or_else(|| {
            refuse("skywalking.interval", "it is no duration".to_owned(), "give one such as 5m")
        })?;
        Ok(Self { address, query, interval })
    }
}

fn minute(moment: Timestamp) -> String {
    moment.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H%M").to_string()
}

impl Provider for SkyWalking<'_> {
    fn place(&self) -> String {
        format!("SkyWalking {}", self.address)
    }

    fn request(&self, look: &Look) -> Result<Request, Problem> {
        let start = look.at.checked_sub(self.interval).unwrap_or(Timestamp::UNIX_EPOCH);
        let duration = json!({"start": minute(start), "end": minute(look.at), "step": "MINUTE"});
        Ok(Request {
            method: "POST",
            url: self.address.endpoint("/graphql"),
            headers: vec![
                ("Accept".to_owned(), "application/json".to_owned()),
                ("Content-Type".to_owned(), "application/json".to_owned()),
            ],
            body: Some(json!({"query": self.query, "variables": {"duration": duration}}).to_string()),
            timeout: TIMEOUT,
            insecure: false,
            login: Login::Complete,
        })
    }

    fn reply(&self, _: &Look, response: &Response) -> Reply {
        if let Some(reply) = of_status(response) {
            return reply;
        }
        let Ok(Value::Object(mut body)) = serde_json::from_str(&response.body) else {
            return Reply::Malformed(format!("not an answer of SkyWalking: {}", excerpt(&response.body)));
        };
        if let Some(first) = body.get("errors").and_then(|errors| errors.get(0)) {
            let message = first.get("message").and_then(Value::as_str);
            return Reply::Malformed(excerpt(message.unwrap_or(&first.to_string())));
        }
        match body.remove("data") {
            None | Some(Value::Null) => Reply::NoData,
            Some(data) => Reply::Samples(Sampled::plain(Samples::Json(data))),
        }
    }

    fn shown(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}
