//! Translates PromQL queries to and from the HTTP API of Prometheus and of whatever speaks it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serin_api::go_duration;
use serin_api::provider::{PrometheusMetric, RangeQuery};

use super::address::Address;
use super::{Login, Look, Problem, Provider, Reply, Request, Response, form, login};
use crate::condition;

pub mod answer;

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
    login: Login,
}

impl<'m> Prometheus<'m> {
    /// Set up from a metric whose arguments are filled in.
    ///
    /// # Errors
    /// [`Problem::Field`] for an address, a login or a header that cannot work.
    pub fn new(metric: &'m PrometheusMetric, default_address: Option<&str>) -> Result<Self, Problem> {
        let named = metric.address.as_deref().filter(|address| !address.is_empty()).or(default_address);
        let address = Address::parse(
            "prometheus.address",
            named.unwrap_or_default(),
            "give http://host:port here, or start the controller with ARGO_ROLLOUTS_PROMETHEUS_ADDRESS",
        )?;
        let entry = login::entry(&login::Asked {
            provider: "prometheus",
            headers: metric.headers.as_ref(),
            authentication: metric.authentication.as_ref(),
            insecure: metric.insecure,
            service: Some("aps"),
        })?;
        let mut headers = vec![("Accept".to_owned(), "application/json".to_owned())];
        headers.extend(entry.headers);
        // As in Argo Rollouts: `sigv4` means Amazon's own Prometheus and is left alone for others.
        let login = match entry.login {
            Login::Aws(_) if !address.to_string().contains("aps-workspaces") => Login::Complete,
            login => login,
        };
        Ok(Self { metric, address, headers, login })
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
            field: "prometheus.rangeQuery.step".to_owned(),
            why: format!("\"{text}\" is not a duration above 0"),
            remedy: "give one such as 1m",
        })?;
        let step = step.as_secs_f64().to_string();
        let fields = [("query", query), ("start", &seconds(start)), ("end", &seconds(end)), ("step", &step)];
        Ok(self.call("query_range", &fields))
    }

    fn call(&self, endpoint: &str, fields: &[(&str, &str)]) -> Request {
        let form = form::encode(fields);
        let endpoint = self.address.endpoint(&format!("/api/v1/{endpoint}"));
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
            login: self.login.clone(),
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

    fn request(&self, look: &Look) -> Result<Request, Problem> {
        let query = self.metric.query.as_deref().unwrap_or_default();
        if query.trim().is_empty() {
            return Err(Problem::Field {
                field: "prometheus.query".to_owned(),
                why: "it is empty".to_owned(),
                remedy: "give a PromQL expression",
            });
        }
        match &self.metric.range_query {
            Some(range) => self.range(range, query, look.at),
            None => Ok(self.instant(query, look.at)),
        }
    }

    fn reply(&self, _: &Look, response: &Response) -> Reply {
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
        field: field.to_owned(),
        why: format!("\"{text}\" is not a moment: {why}"),
        remedy: "give an expression such as now() - duration(\"5m\")",
    })
}
