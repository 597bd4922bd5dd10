//! Translates a metric into one HTTP request, and the answer into samples. The socket belongs to the shell.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serin_api::provider::{MetricProvider, PrometheusMetric, WebMetric};

pub(crate) mod form;
mod json_path;
mod login;
pub mod prometheus;
mod web;

use prometheus::Prometheus;
use web::Web;

/// An HTTP request for the shell to send. Its `Debug` shows neither headers nor body, which may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// GET, POST or PUT.
    pub method: &'static str,
    /// Absolute address with query string.
    pub url: String,
    /// Headers, in the order of sending.
    pub headers: Vec<(String, String)>,
    /// Body, complete.
    pub body: Option<String>,
    /// Time for the whole exchange; after it the answer is [`Answer::Unreachable`].
    pub timeout: Duration,
    /// Do not check the certificate.
    pub insecure: bool,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &self.method).finish_non_exhaustive()
    }
}

/// What came of a request. Only the shell saw the socket, so only the shell says `Unreachable`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The provider answered, with whatever status.
    Response(Response),
    /// No answer: name not found, refused, reset, timed out, certificate not trusted. The text says which.
    Unreachable(String),
}

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Body as text.
    pub body: String,
}

/// What an answer means. Three kinds of "no value", because they lead to different ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The provider measured.
    Samples(Sampled),
    /// The provider answered that there is nothing: `result` is nil in conditions.
    NoData,
    /// The provider refused the question, or its answer cannot be read; asking again will not help.
    Malformed(String),
    /// The provider is down, overloaded or starting (5xx, 408, 429): the same as unreachable.
    Down(String),
}

/// What a provider measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// `result` of the conditions.
    pub result: Samples,
    /// Additions to the metadata of the measurement, for example warnings.
    pub notes: BTreeMap<String, String>,
}

/// The value called `result` in conditions.
#[derive(Clone, Debug, PartialEq)]
pub enum Samples {
    /// One number; NaN and infinities are numbers.
    Number(f64),
    /// Numbers in the order of the provider.
    Numbers(Vec<f64>),
    /// Any JSON.
    Json(serde_json::Value),
    /// A text that is no JSON.
    Text(String),
}

impl Samples {
    /// The value of the measurement as users of Argo Rollouts know it: `0.5`, `[1,2]`, JSON.
    pub fn printed(&self) -> String {
        match self {
            Self::Number(number) => print_number(*number),
            Self::Numbers(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(|number| print_number(*number)).collect();
                format!("[{}]", numbers.join(","))
            }
            Self::Json(json) => json.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// A number as Go prints it without exponent: the shortest text that reads back as the same number.
fn print_number(number: f64) -> String {
    if number == f64::INFINITY {
        "+Inf".to_owned()
    } else if number == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        number.to_string()
    }
}

/// Why a metric cannot be asked for. Each says the field and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// `provider` is empty.
    #[error("no provider specified")]
    NoProvider,
    /// `provider` names more than one.
    #[error("multiple providers specified")]
    SeveralProviders,
    /// A provider that Serin does not have yet.
    #[error("provider.{provider}: this provider is not implemented yet; {remedy}")]
    NotImplemented {
        /// Field of `provider`.
        provider: &'static str,
        /// What to do instead.
        remedy: &'static str,
    },
    /// A field is set to something that cannot work.
    #[error("provider.{field}: {why}; {remedy}")]
    Field {
        /// Path below `provider`.
        field: String,
        /// What is wrong.
        why: String,
        /// What to do.
        remedy: &'static str,
    },
}

/// One kind of source of measurements, set up for one metric.
///
/// # Laws
/// Pure: the same arguments give the same result, and no clock is read.
pub trait Provider {
    /// Where the data come from, for people: `Prometheus http://prometheus:9090`. Never a secret.
    fn place(&self) -> String;

    /// The request that measures now.
    ///
    /// # Errors
    /// [`Problem`] when the metric asks for something that cannot be asked.
    fn request(&self, now: Timestamp) -> Result<Request, Problem>;

    /// What `response` says.
    fn reply(&self, response: &Response) -> Reply;

    /// What the metadata of the metric result shows of the question, for example the resolved query.
    fn shown(&self) -> BTreeMap<String, String>;
}

/// The provider of a metric whose arguments are filled in.
///
/// # Errors
/// [`Problem`] when there is none, more than one, one that is not implemented, or one with a field that cannot work.
pub fn of<'m>(
    metric: &'m MetricProvider,
    default_prometheus: Option<&str>,
) -> Result<Box<dyn Provider + 'm>, Problem> {
    match kind(metric)? {
        Kind::Prometheus(metric) => Ok(Box::new(Prometheus::new(metric, default_prometheus)?)),
        Kind::Web(metric) => Ok(Box::new(Web::new(metric)?)),
        Kind::Other(provider, remedy) => Err(Problem::NotImplemented { provider, remedy }),
    }
}

enum Kind<'m> {
    Prometheus(&'m PrometheusMetric),
    Web(&'m WebMetric),
    Other(&'static str, &'static str),
}

const VIA_PROMETHEUS: &str =
    "use provider.prometheus or provider.web, or keep this metric out of the template until it is";

fn kind(metric: &MetricProvider) -> Result<Kind<'_>, Problem> {
    let others = [
        ("job", metric.job.is_some()),
        ("datadog", metric.datadog.is_some()),
        ("kayenta", metric.kayenta.is_some()),
        ("newRelic", metric.new_relic.is_some()),
        ("wavefront", metric.wavefront.is_some()),
        ("cloudWatch", metric.cloud_watch.is_some()),
        ("graphite", metric.graphite.is_some()),
        ("influxdb", metric.influxdb.is_some()),
        ("skywalking", metric.skywalking.is_some()),
        ("plugin", metric.plugin.is_some()),
    ];
    let prometheus = metric.prometheus.iter().map(Kind::Prometheus);
    let others =
        others.into_iter().filter(|(_, set)| *set).map(|(name, _)| Kind::Other(name, VIA_PROMETHEUS));
    let mut kinds = prometheus.chain(metric.web.iter().map(Kind::Web)).chain(others);
    match (kinds.next(), kinds.next()) {
        (None, _) => Err(Problem::NoProvider),
        (Some(kind), None) => Ok(kind),
        (Some(_), Some(_)) => Err(Problem::SeveralProviders),
    }
}

/// What an HTTP status alone says: `None` when the body is to be read.
fn of_status(response: &Response) -> Option<Reply> {
    match response.status {
        200..=299 => None,
        408 | 425 | 429 | 500.. => Some(Reply::Down(told(response))),
        _ => Some(Reply::Malformed(told(response))),
    }
}

fn told(response: &Response) -> String {
    match excerpt(&response.body).as_str() {
        "" => format!("HTTP {}", response.status),
        excerpt => format!("HTTP {}: {excerpt}", response.status),
    }
}

/// The beginning of a foreign text in one line.
pub(crate) fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    shortened(line, 200)
}

/// `text`, cut after so many characters.
pub(crate) fn shortened(mut text: String, characters: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(characters) {
        text.truncate(end);
        text.push('…');
    }
    text
}
