//! Translates PromQL queries to and from the HTTP API of Prometheus and of whatever speaks it.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serin_api::go_duration;
use serin_api::provider::{Authentication, BasicAuth, Header, Oauth2, PrometheusMetric, RangeQuery, Sigv4};

use super::{Problem, Provider, Reply, Request, Response, form};
use crate::condition;

mod address;
pub mod answer;

use address::Address;

/// Environment of the controller that names the Prometheus of metrics that name none.
pub const ADDRESS_VARIABLE: &str = "ARGO_ROLLOUTS_PROMETHEUS_ADDRESS";

/// Seconds to wait for an answer, unless the metric says otherwise.
const TIMEOUT: u64 = 30;

/// Longest address that every proxy on the way accepts; longer queries travel as the body of a POST.
const LONGEST_GET: usize = 2000;

/// One Prometheus, as one metric reaches it.
pub struct Prometheus<'m> {
    metric: &'m PrometheusMetric,
    address: Address,
    headers: Vec<(String, String)>,
}

impl<'m> Prometheus<'m> {
    /// Set up from a metric whose arguments are filled in.
    ///
    /// # Errors
    /// [`Problem::Field`] for an address, a login or a header that cannot work.
    pub fn new(metric: &'m PrometheusMetric, default_address: Option<&str>) -> Result<Self, Problem> {
        let named = metric.address.as_deref().filter(|address| !address.is_empty()).or(default_address);
        let address = Address::parse(named.unwrap_or_default())?;
        let mut headers = vec![("Accept".to_owned(), "application/json".to_owned())];
        for header in metric.headers.iter().flatten() {
            headers.push(checked(header)?);
        }
        if let Some(login) = metric.authentication.as_ref().map(login).transpose()?.flatten() {
            headers.push(login);
        }
        Ok(Self { metric, address, headers })
    }

    /// The request that evaluates `query` at one moment.
    pub fn instant(&self, query: &str, at: Timestamp) -> Request {
        self.call("query", &[("query", query), ("time", &seconds(at))])
    }

    fn range(&self, range: &RangeQuery, query: &str, now: Timestamp) -> Result<Request, Problem> {
        let start = moment("prometheus.rangeQuery.start", range.start.as_deref(), now)?;
        let end = moment("prometheus.rangeQuery.end", range.end.as_deref(), now)?;
        let text = range.step.as_deref().unwrap_or_default();
        let step = go_duration(text).filter(|step| !step.is_zero()).ok_or_else(|| Problem::Field {
            field: "prometheus.rangeQuery.step",
            why: format!("\"{text}\" is not a duration above 0"),
            remedy: "give one such as 1m",
        })?;
        let step = step.as_secs_f64().to_string();
        let fields = [("query", query), ("start", &seconds(start)), ("end", &seconds(end)), ("step", &step)];
        Ok(self.call("query_range", &fields))
    }

    fn call(&self, endpoint: &str, fields: &[(&str, &str)]) -> Request {
        let form = form::encode(fields);
        let endpoint = self.address.endpoint(endpoint);
        let seconds = self
            .metric
            .timeout
            .and_then(|seconds| u64::try_from(seconds).ok())
            .filter(|seconds| *seconds > 0);
        let mut request = Request {
            method: "GET",
            url: format!("{endpoint}?{form}"),
            headers: self.headers.clone(),
            body: None,
            timeout: Duration::from_secs(seconds.unwrap_or(TIMEOUT)),
            insecure: self.metric.insecure,
        };
        if request.url.len() > LONGEST_GET {
            request.method = "POST";
            request.url = endpoint;
            request.headers.push(("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
            request.body = Some(form);
        }
        request
    }
}

impl Provider for Prometheus<'_> {
    fn place(&self) -> String {
        format!("Prometheus {}", self.address)
    }

    fn request(&self, now: Timestamp) -> Result<Request, Problem> {
        let query = self.metric.query.as_deref().unwrap_or_default();
        if query.trim().is_empty() {
            return Err(Problem::Field {
                field: "prometheus.query",
                why: "it is empty".to_owned(),
                remedy: "give a PromQL expression",
            });
        }
        match &self.metric.range_query {
            Some(range) => self.range(range, query, now),
            None => Ok(self.instant(query, now)),
        }
    }

    fn reply(&self, response: &Response) -> Reply {
        answer::values(response)
    }

    fn shown(&self) -> BTreeMap<String, String> {
        let query = self.metric.query.clone().unwrap_or_default();
        BTreeMap::from([("ResolvedPrometheusQuery".to_owned(), query)])
    }
}

/// A moment as the HTTP API takes it.
fn seconds(moment: Timestamp) -> String {
    format!("{}.{:03}", moment.as_second(), moment.subsec_millisecond().max(0))
}

fn moment(field: &'static str, text: Option<&str>, now: Timestamp) -> Result<Timestamp, Problem> {
    let text = text.unwrap_or_default();
    condition::moment(text, now).map_err(|why| Problem::Field {
        field,
        why: format!("\"{text}\" is not a moment: {why}"),
        remedy: "give an expression such as now() - duration(\"5m\")",
    })
}

fn checked(header: &Header) -> Result<(String, String), Problem> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let name_good = !header.key.is_empty() && header.key.bytes().all(token);
    let value_good = !header.value.chars().any(|character| character.is_control() && character != '\t');
    if name_good && value_good {
        return Ok((header.key.clone(), header.value.clone()));
    }
    Err(Problem::Field {
        field: "prometheus.headers",
        why: format!("{:?} cannot be sent as an HTTP header", header.key),
        remedy: "use letters, digits and dashes in the name, and no line breaks in the value",
    })
}

/// The header that logs in, when a login is set.
fn login(authentication: &Authentication) -> Result<Option<(String, String)>, Problem> {
    let Authentication { sigv4, oauth2, basic_auth } = authentication;
    if let Some(Sigv4 { region, profile, role_arn }) = sigv4
        && [region, profile, role_arn].into_iter().any(filled)
    {
        return Err(Problem::Field {
            field: "prometheus.authentication.sigv4",
            why: "AWS request signing is not implemented yet".to_owned(),
            remedy: "put a signing proxy (aws-sigv4-proxy) before Prometheus and give its address",
        });
    }
    if let Some(Oauth2 { token_url, client_id, client_secret, scopes: _ }) = oauth2
        && [token_url, client_id, client_secret].into_iter().any(filled)
    {
        return Err(Problem::Field {
            field: "prometheus.authentication.oauth2",
            why: "OAuth 2 is not implemented yet".to_owned(),
            remedy: "give a long-lived token in prometheus.headers (Authorization: Bearer …), from a Secret argument",
        });
    }
    let Some(BasicAuth { username, password }) = basic_auth else {
        return Ok(None);
    };
    if ![username, password].into_iter().any(filled) {
        return Ok(None);
    }
    let (name, word) = (username.as_deref().unwrap_or_default(), password.as_deref().unwrap_or_default());
    let login = format!("Basic {}", BASE64.encode(format!("{name}:{word}")));
    Ok(Some(("Authorization".to_owned(), login)))
}

fn filled(field: &Option<String>) -> bool {
    field.as_deref().is_some_and(|text| !text.is_empty())
}
