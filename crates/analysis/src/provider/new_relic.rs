//! Translates NRQL to and from New Relic's GraphQL API (NerdGraph).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use serin_api::provider::NewRelicMetric;

use super::profile::{find, optional, text};
use super::{
    Login, Look, Place, Problem, Profiles, Provider, Reply, Request, Response, Sampled, Samples, excerpt,
    of_status,
};

/// Seconds that the query may take, unless the metric says otherwise.
const TIMEOUT: i64 = 5;
/// Time for the way there and back.
const WAY: Duration = Duration::from_secs(10);

const QUERY: &str = "query($account: Int!, $nrql: Nrql!, $timeout: Seconds) { actor { account(id: $account) { \
                     nrql(query: $nrql, timeout: $timeout) { results } } } }";

/// The Secret with account and key.
pub(super) fn profile(metric: &NewRelicMetric) -> (Place, String) {
    let named = metric.profile.as_deref().filter(|name| !name.is_empty());
    (Place::Home, named.unwrap_or("newrelic").to_owned())
}

/// New Relic, as one metric reaches it.
pub(super) struct NewRelic<'m> {
    url: String,
    account: i64,
    key: &'m str,
    query: &'m str,
    timeout: i64,
}

impl<'m> NewRelic<'m> {
    /// Set up from a metric whose arguments are filled in.
    ///
    /// # Errors
    /// [`Problem::Field`] for a query or an account that cannot work, [`Problem::Missing`] without the Secret.
    pub(super) fn new(metric: &'m NewRelicMetric, profiles: &'m Profiles) -> Result<Self, Problem> {
        let refuse = |field: &str, why: &str, remedy| Problem::Field {
            field: field.to_owned(),
            why: why.to_owned(),
            remedy,
        };
        if metric.query.trim().is_empty() {
            return Err(refuse(
                "newRelic.query",
                "it is empty",
                "give one such as FROM Transaction SELECT count(*)",
            ));
        }
        let named = profile(metric);
        let secrets = find(profiles, &named)?;
        let account = text(secrets, &named, "account-id")?.parse().map_err(|_| {
            refuse(
                "newRelic.profile",
                "account-id of the Secret is no number",
                "give the number of the account",
            )
        })?;
        let url = match (optional(secrets, "base-url-nerdgraph"), optional(secrets, "region")) {
            (Some(url), _) => url,
            (None, None | Some("us" | "US")) => "https://api.newrelic.com/graphql",
            (None, Some("eu" | "EU")) => "https://api.eu.newrelic.com/graphql",
            (None, Some("staging" | "Staging")) => "https://staging-api.newrelic.com/graphql",
            (None, Some(_)) => {
                let why = "region of the Secret is not known";
                return Err(refuse("newRelic.profile", why, "use us or eu, or set base-url-nerdgraph"));
            }
        };
        let timeout = metric.timeout.filter(|seconds| *seconds > 0).unwrap_or(TIMEOUT);
        let key = text(secrets, &named, "personal-api-key")?;
        Ok(Self { url: url.to_owned(), account, key, query: &metric.query, timeout })
    }
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    data: Value,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    message: String,
}

impl Provider for NewRelic<'_> {
    fn place(&self) -> String {
        let host = self.url.split_once("://").map_or("", |(_, rest)| rest);
        format!("New Relic {}", host.split('/').next().unwrap_or_default())
    }

    fn request(&self, _: &Look) -> Result<Request, Problem> {
        let variables = json!({"account": self.account, "nrql": self.query, "timeout": self.timeout});
        let seconds = u64::try_from(self.timeout).unwrap_or_default();
        Ok(Request {
            method: "POST",
            url: self.url.clone(),
            headers: vec![
                ("Api-Key".to_owned(), self.key.to_owned()),
                ("Content-Type".to_owned(), "application/json".to_owned()),
            ],
            body: Some(json!({"query": QUERY, "variables": variables}).to_string()),
            timeout: WAY.saturating_add(Duration::from_secs(seconds)),
            insecure: false,
            login: Login::Complete,
        })
    }

    fn reply(&self, _: &Look, response: &Response) -> Reply {
        if let Some(reply) = of_status(response) {
            return reply;
        }
        let Ok(body) = serde_json::from_str::<Body>(&response.body) else {
            return Reply::Malformed(format!("not an answer of New Relic: {}", excerpt(&response.body)));
        };
        if !body.errors.is_empty() {
            let told: Vec<&str> = body.errors.iter().map(|fault| fault.message.as_str()).collect();
            return Reply::Malformed(excerpt(&told.join("; ")));
        }
        let Some(Value::Array(rows)) = body.data.pointer("/actor/account/nrql/results") else {
            return Reply::Malformed(format!("the answer has no results: {}", excerpt(&response.body)));
        };
        let empty = |row: &Value| row.as_object().is_none_or(serde_json::Map::is_empty);
        let result = match rows.as_slice() {
            [] => return Reply::NoData,
            [row] if empty(row) => return Reply::NoData,
            [row] => row.clone(),
            rows => Value::Array(rows.to_vec()),
        };
        Reply::Samples(Sampled::plain(Samples::Json(result)))
    }

    fn shown(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}
