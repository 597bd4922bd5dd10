//! Translates Datadog queries to and from its API, version 1 (time series) and version 2 (scalars).

use std::collections::BTreeMap;
use std::time::Duration;

use serin_api::go_duration;
use serin_api::provider::DatadogMetric;

use super::address::Address;
use super::profile::{find, optional, text};
use super::{Login, Look, Place, Problem, Profiles, Provider, Reply, Request, Response, Samples, of_status};

mod scalar;
mod series;

/// How far back, unless the metric says otherwise.
const INTERVAL: Duration = Duration::from_secs(300);
const TIMEOUT: Duration = Duration::from_secs(10);
const ADDRESS: &str = "https://api.datadoghq.com";
const NAME: &str = "datadog";

/// Where keys may lie: the Secret that the metric names, or else the environment, or else the Secret `datadog`.
pub(super) fn profiles(metric: &DatadogMetric) -> Vec<(Place, String)> {
    let named = metric.secret_ref.as_ref();
    match named
        .and_then(|secret| Some((secret.name.clone().filter(|name| !name.is_empty())?, secret.namespaced)))
    {
        Some((name, true)) => vec![(Place::Run, name)],
        Some((name, false)) => vec![(Place::Home, name)],
        None => vec![(Place::Process, NAME.to_owned()), (Place::Home, NAME.to_owned())],
    }
}

/// Datadog, as one metric reaches it.
pub(super) struct Datadog<'m> {
    address: Address,
    key: &'m str,
    application_key: &'m str,
    interval: i64,
    timeout: Duration,
    ask: Question<'m>,
}

/// What is asked of which version.
enum Question<'m> {
    Series(&'m str),
    Scalar(scalar::Question<'m>),
}

impl<'m> Datadog<'m> {
    /// Set up from a metric whose arguments are filled in.
    ///
    /// # Errors
    /// [`Problem::Field`] for fields that cannot work, [`Problem::Missing`] without keys.
    pub(super) fn new(metric: &'m DatadogMetric, known: &'m Profiles) -> Result<Self, Problem> {
        let duration = |field: &str, text: Option<&str>, default: Duration| match text.unwrap_or_default() {
            "" => Ok(default),
            text => go_duration(text)
                .filter(|duration| !duration.is_zero())
                .ok_or_else(|| refuse(field, "it is no duration above 0", "give one such as 5m")),
        };
        let interval = duration("interval", metric.interval.as_deref(), INTERVAL)?;
        let timeout = duration("requestTimeout", metric.request_timeout.as_deref(), TIMEOUT)?;
        let ask = question(metric)?;
        let named = chosen(metric, known);
        let keys = find(known, &named)?;
        let address = Address::parse(
            "datadog.secretRef",
            optional(keys, "address").unwrap_or(ADDRESS),
            "give one such as https://api.datadoghq.eu as address in the Secret",
        )?;
        let (key, application_key) = (text(keys, &named, "api-key")?, text(keys, &named, "app-key")?);
        let interval = i64::try_from(interval.as_secs()).unwrap_or(i64::MAX);
        Ok(Self { address, key, application_key, interval, timeout, ask })
    }
}

/// The first place that has both keys; when none has, the last, so that the reason names it.
fn chosen(metric: &DatadogMetric, known: &Profiles) -> (Place, String) {
    let places = profiles(metric);
    let whole = |place: &&(Place, String)| {
        find(known, place)
            .is_ok_and(|keys| optional(keys, "api-key").is_some() && optional(keys, "app-key").is_some())
    };
    let found = places.iter().find(whole).or(places.last());
    found.cloned().unwrap_or((Place::Home, NAME.to_owned()))
}

fn question(metric: &DatadogMetric) -> Result<Question<'_>, Problem> {
    let query = metric.query.as_deref().filter(|query| !query.trim().is_empty());
    match metric.api_version.as_deref().unwrap_or_default() {
        "" | "v1" => {
            let remedy = "set apiVersion to v2, or use query alone";
            let v2 = [
                ("queries", metric.queries.is_some()),
                ("formula", metric.formula.is_some()),
                ("aggregator", metric.aggregator.is_some()),
            ];
            if let Some((field, _)) = v2.into_iter().find(|(_, set)| *set) {
                return Err(refuse(field, "apiVersion v1 does not know it", remedy));
            }
            let missing = || refuse("query", "it is empty", "give one such as avg:system.load.1{*}");
            query.map(Question::Series).ok_or_else(missing)
        }
        "v2" => scalar::Question::of(metric, query).map(Question::Scalar),
        _ => Err(refuse("apiVersion", "it is not known", "use v1 or v2")),
    }
}

fn refuse(field: &str, why: &str, remedy: &'static str) -> Problem {
    Problem::Field { field: format!("datadog.{field}"), why: why.to_owned(), remedy }
}

impl Provider for Datadog<'_> {
    fn place(&self) -> String {
        format!("Datadog {}", self.address)
    }

    fn request(&self, look: &Look) -> Result<Request, Problem> {
        let to = look.at.as_second();
        let from = to.saturating_sub(self.interval);
        let (method, path, body) = match &self.ask {
            Question::Series(query) => ("GET", series::path(query, from, to), None),
            Question::Scalar(question) => {
                ("POST", "/api/v2/query/scalar".to_owned(), Some(question.body(from, to)))
            }
        };
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Ok(Request {
            method,
            url: self.address.endpoint(&path),
            headers: vec![
                header("Content-Type", "application/json"),
                header("DD-API-KEY", self.key),
                header("DD-APPLICATION-KEY", self.application_key),
            ],
            body,
            timeout: self.timeout,
            insecure: false,
            login: Login::Complete,
        })
    }

    fn reply(&self, _: &Look, response: &Response) -> Reply {
        if let Some(reply) = of_status(response) {
            return reply;
        }
        match &self.ask {
            Question::Series(_) => series::reply(&response.body),
            Question::Scalar(_) => scalar::reply(&response.body),
        }
    }

    fn shown(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}
