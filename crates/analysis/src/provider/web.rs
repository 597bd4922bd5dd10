//! Translates a web metric into a request to any HTTP endpoint, and its JSON answer into a result.

use std::collections::BTreeMap;
use std::time::Duration;

use serin_api::provider::WebMetric;

use super::json_path::JsonPath;
use super::{Look, Problem, Provider, Reply, Request, Response, Sampled, Samples, excerpt, login};

/// Seconds to wait for an answer, unless the metric says otherwise.
const TIMEOUT: u64 = 10;

/// One endpoint, as one metric reaches it.
pub(super) struct Web {
    request: Request,
    path: JsonPath,
    place: String,
}

impl Web {
    /// Set up from a metric whose arguments are filled in.
    ///
    /// # Errors
    /// [`Problem::Field`] for an address, a method, a body, a header or a path that cannot work.
    pub(super) fn new(metric: &WebMetric) -> Result<Self, Problem> {
        let place = place(&metric.url)?;
        let method = method(metric)?;
        let login::Entry { mut headers, login } = login::entry(&login::Asked {
            provider: "web",
            headers: metric.headers.as_ref(),
            authentication: metric.authentication.as_ref(),
            insecure: metric.insecure,
            service: None,
        })?;
        if metric.json_body.is_some() {
            headers.retain(|(name, _)| !name.eq_ignore_ascii_case("Content-Type"));
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        let body = metric.body.clone().filter(|body| !body.is_empty());
        let path = metric.json_path.as_deref().filter(|path| !path.is_empty()).unwrap_or("{$}");
        let path = JsonPath::parse(path).map_err(|why| Problem::Field {
            field: "web.jsonPath".to_owned(),
            why: format!("{path:?} cannot be read: {why}"),
            remedy: "give one such as {$.data.ok}",
        })?;
        let seconds = metric.timeout_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let request = Request {
            method,
            url: metric.url.clone(),
            headers,
            body: body.or_else(|| metric.json_body.as_ref().map(ToString::to_string)),
            timeout: Duration::from_secs(seconds.filter(|seconds| *seconds > 0).unwrap_or(TIMEOUT)),
            insecure: metric.insecure,
            login,
        };
        Ok(Self { request, path, place })
    }
}

impl Provider for Web {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn request(&self, _: &Look) -> Result<Request, Problem> {
        Ok(self.request.clone())
    }

    /// An endpoint that answers 500 has answered: it may well be the revision under test that is broken. So, other than
    /// with a provider of metrics, every status but success is an error that counts.
    fn reply(&self, _: &Look, response: &Response) -> Reply {
        if !(200..300).contains(&response.status) {
            let shown = excerpt(&response.body);
            return Reply::Malformed(format!("received non 2xx response code: {} {shown}", response.status));
        }
        let result = match serde_json::from_str(&response.body) {
            Err(_) => Samples::Text(response.body.clone()),
            Ok(json) => match self.path.first(&json) {
                Ok(found) => Samples::Json(found),
                Err(why) => return Reply::Malformed(format!("Could not find JSONPath in body: {why}")),
            },
        };
        Reply::Samples(Sampled::plain(result))
    }

    fn shown(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}

/// Scheme and host: a path or a query may hold a secret.
fn place(url: &str) -> Result<String, Problem> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let authority = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let odd = |character: char| character.is_whitespace() || character.is_control();
    if host.is_empty() || host.starts_with(':') || url.chars().any(odd) {
        return Err(Problem::Field {
            field: "web.url".to_owned(),
            why: "it is no address of HTTP".to_owned(),
            remedy: "give one such as https://host/path",
        });
    }
    let scheme = if url.starts_with("https://") { "https" } else { "http" };
    Ok(format!("Web {scheme}://{host}"))
}

fn method(metric: &WebMetric) -> Result<&'static str, Problem> {
    let refuse = |field: &str, why: String, remedy| Problem::Field { field: field.to_owned(), why, remedy };
    let method = match metric.method.as_deref().unwrap_or_default() {
        "" | "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        other => return Err(refuse("web.method", format!("{other:?} is not known"), "use GET, POST or PUT")),
    };
    let body = metric.body.as_deref().is_some_and(|body| !body.is_empty());
    if method == "GET" && (body || metric.json_body.is_some()) {
        let why = "Body can only be used with POST or PUT WebMetric Method types".to_owned();
        return Err(refuse("web.body", why, "set web.method to POST or PUT"));
    }
    if body && metric.json_body.is_some() {
        let why = "use either Body or JSONBody; both cannot exists for WebMetric payload".to_owned();
        return Err(refuse("web.body", why, "remove one of the two"));
    }
    Ok(method)
}
