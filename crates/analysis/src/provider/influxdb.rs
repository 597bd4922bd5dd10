//! Translates Flux to and from the query API of InfluxDB 2.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use serin_api::provider::InfluxdbMetric;

use super::address::Address;
use super::profile::{find, text};
use super::{
    Login, Look, Place, Problem, Profiles, Provider, Reply, Request, Response, Sampled, Samples, excerpt,
    form, go_text, of_status, text_at,
};

mod table;

const TIMEOUT: Duration = Duration::from_secs(30);

/// The Secret with address, organisation and token.
pub(super) fn profile(metric: &InfluxdbMetric) -> (Place, String) {
    let named = metric.profile.as_deref().filter(|name| !name.is_empty());
    (Place::Home, named.unwrap_or("influxdb").to_owned())
}

/// One InfluxDB, as one metric reaches it.
pub(super) struct Influxdb<'m> {
    address: Address,
    org: &'m str,
    token: &'m str,
    query: &'m str,
}

impl<'m> Influxdb<'m> {
    /// Set up from a metric whose arguments are filled in.
    ///
    /// # Errors
    /// [`Problem::Field`] for a query or an address that cannot work, [`Problem::Missing`] without the Secret.
    pub(super) fn new(metric: &'m InfluxdbMetric, profiles: &'m Profiles) -> Result<Self, Problem> {
        let query = metric.query.as_deref().unwrap_or_default();
        if query.trim().is_empty() {
            return Err(Problem::Field {
                field: "influxdb.query".to_owned(),
                why: "it is empty".to_owned(),
                remedy: "give a Flux query such as from(bucket: \"app\") |> range(start: -5m) |> mean()",
            });
        }
        let named = profile(metric);
        let secrets = find(profiles, &named)?;
        let address = Address::parse(
            "influxdb.profile",
            text(secrets, &named, "address")?,
            "give http://host:port as address in the Secret",
        )?;
        let (org, token) = (text(secrets, &named, "org")?, text(secrets, &named, "authToken")?);
        Ok(Self { address, org, token, query })
    }
}

impl Provider for Influxdb<'_> {
    fn place(&self) -> String {
        format!("InfluxDB {}", self.address)
    }

    fn request(&self, _: &Look) -> Result<Request, Problem> {
        let dialect =
            json!({"annotations": ["datatype", "group", "default"], "delimiter": ",", "header": true});
        Ok(Request {
            method: "POST",
            url: format!("{}?{}", self.address.endpoint("/api/v2/query"), form::encode(&[("org", self.org)])),
            headers: vec![
                ("Accept".to_owned(), "application/csv".to_owned()),
                ("Authorization".to_owned(), format!("Token {}", self.token)),
                ("Content-Type".to_owned(), "application/json".to_owned()),
            ],
            body: Some(json!({"query": self.query, "type": "flux", "dialect": dialect}).to_string()),
            timeout: TIMEOUT,
            insecure: false,
            login: Login::Complete,
        })
    }

    fn reply(&self, _: &Look, response: &Response) -> Reply {
        if let Some(reply) = of_status(response) {
            let body: Value = serde_json::from_str(&response.body).unwrap_or_default();
            return match (reply, text_at(&body, "/message")) {
                (Reply::Malformed(_), Some(told)) => {
                    Reply::Malformed(excerpt(&format!("HTTP {}: {told}", response.status)))
                }
                (reply, _) => reply,
            };
        }
        match table::values(&response.body) {
            Err(why) => Reply::Malformed(why),
            Ok(values) if values.is_empty() => Reply::NoData,
            Ok(values) => {
                let result = Value::Array(values);
                let shown = Some(go_text::of_json(&result));
                Reply::Samples(Sampled { result: Samples::Json(result), shown, notes: BTreeMap::new() })
            }
        }
    }

    fn shown(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}
