//! Translates a metric that an extension measures: our own protocol, JSON over HTTP, described in docs/extensions.md.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use serin_api::{AnalysisPhase, go_duration};

use super::address::Address;
use super::{
    Judged, Login, Look, Problem, Provider, Reply, Request, Response, Sampled, Samples, excerpt, of_status,
};
use crate::secret::SecretText;

/// Version of the protocol, in every request.
pub const PROTOCOL: &str = "serin.dev/v1";

/// Metadata of a measurement underway: what the extension wants to be told again.
const STATE: &str = "extension-state";
/// Longest state, in bytes: it is kept in the status of the run.
const LONGEST_STATE: usize = 4096;
/// Time to the next question about a measurement underway, unless the extension says otherwise.
const AGAIN: Duration = Duration::from_secs(15);

const NOT_CONFIGURED: &str = "name it with its url under `extensions` in the ConfigMap of the controller \
                              (docs/extensions.md); plugins of Argo Rollouts are Go programs and cannot be loaded";

/// Where an extension is served.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Base address.
    pub url: String,
    /// Headers of every request; their values come from Secrets.
    pub headers: Vec<(String, SecretText)>,
    /// Time for one answer.
    pub timeout: Duration,
    /// Do not check the certificate.
    pub insecure: bool,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// The extensions that are configured, by name.
pub type Extensions = BTreeMap<String, Endpoint>;

impl Endpoint {
    /// A request of the protocol: `kind` is `metric`, `step` or `traffic`.
    pub fn request(&self, kind: &str, operation: &str, body: &Value) -> Request {
        let own = [("Accept", "application/json"), ("Content-Type", "application/json")];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let given = self.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
        Request {
            method: "POST",
            url: format!("{}/v1/{kind}/{operation}", self.url.trim_end_matches('/')),
            headers: own.into_iter().chain(given).collect(),
            body: Some(body.to_string()),
            timeout: self.timeout,
            insecure: self.insecure,
            login: Login::Complete,
        }
    }
}

/// The name and the configuration of the one extension that a metric names.
pub(super) fn named(plugin: &BTreeMap<String, Value>) -> Result<(&str, &Value), Problem> {
    let mut all = plugin.iter();
    match (all.next(), all.next()) {
        (Some((name, config)), None) => Ok((name, config)),
        _ => Err(refuse(
            "it does not name exactly one extension",
            "give one, as `plugin: {<name>: <its config>}`",
        )),
    }
}

/// The extension of a name, among those that are configured.
///
/// # Errors
/// [`Problem::Field`] when it is not; [`Problem::Missing`] where nobody knows what is configured.
pub(super) fn find<'e>(extensions: Option<&'e Extensions>, name: &str) -> Result<&'e Endpoint, Problem> {
    let unknown =
        || Problem::Missing(format!("it is not known whether the extension \"{name}\" is configured"));
    let known = extensions.ok_or_else(unknown)?;
    known
        .get(name)
        .ok_or_else(|| refuse(&format!("the extension \"{name}\" is not configured"), NOT_CONFIGURED))
}

fn refuse(why: &str, remedy: &'static str) -> Problem {
    Problem::Field { field: "plugin".to_owned(), why: why.to_owned(), remedy }
}

/// One extension, as one metric reaches it.
pub(super) struct Extension<'m> {
    name: &'m str,
    config: &'m Value,
    endpoint: &'m Endpoint,
    address: Address,
}

impl<'m> Extension<'m> {
    /// Set up from a metric whose arguments are filled in.
    ///
    /// # Errors
    /// [`Problem::Field`] for an extension that is not configured.
    pub(super) fn new(
        plugin: &'m BTreeMap<String, Value>,
        extensions: Option<&'m Extensions>,
    ) -> Result<Self, Problem> {
        let (name, config) = named(plugin)?;
        let endpoint = find(extensions, name)?;
        let address =
            Address::parse("plugin", &endpoint.url, "give http://host:port as url of the extension")?;
        Ok(Self { name, config, endpoint, address })
    }
}

/// What an extension answers to `metric/measure`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    phase: Option<AnalysisPhase>,
    result: Option<Value>,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    #[serde(default)]
    state: String,
    requeue_after: Option<String>,
}

impl Provider for Extension<'_> {
    fn place(&self) -> String {
        format!("extension {} at {}", self.name, self.address)
    }

    fn request(&self, look: &Look) -> Result<Request, Problem> {
        let state = look.underway.get(STATE).map(String::as_str).unwrap_or_default();
        let body = json!({
            "protocol": PROTOCOL, "name": self.name, "config": self.config, "now": look.at.to_string(), "state": state,
        });
        Ok(self.endpoint.request("metric", "measure", &body))
    }

    fn reply(&self, _: &Look, response: &Response) -> Reply {
        if let Some(reply) = of_status(response) {
            return reply;
        }
        let body: Body = match serde_json::from_str(&response.body) {
            Ok(body) => body,
            Err(error) => return unreadable(&error.to_string(), response),
        };
        let Body { phase, result, value, message, mut metadata, state, requeue_after } = body;
        match (phase, result) {
            (Some(AnalysisPhase::Running), _) => {
                if state.len() > LONGEST_STATE {
                    return Reply::Malformed(format!("its state is longer than {LONGEST_STATE} bytes"));
                }
                metadata.insert(STATE.to_owned(), state);
                let after = match requeue_after.as_deref() {
                    None => AGAIN,
                    Some(text) => match go_duration(text) {
                        Some(after) => after.max(Duration::from_secs(1)),
                        None => return unreadable("requeueAfter is no duration such as 15s", response),
                    },
                };
                Reply::Underway { notes: metadata, after }
            }
            (Some(phase), _) if phase.completed() => {
                let value = value.unwrap_or_default();
                Reply::Judged(Judged { phase, value, message, notes: metadata })
            }
            (Some(_), _) => {
                unreadable("phase is none of Running, Successful, Failed, Inconclusive, Error", response)
            }
            (None, None | Some(Value::Null)) => Reply::NoData,
            (None, Some(result)) => {
                Reply::Samples(Sampled { result: Samples::Json(result), shown: value, notes: metadata })
            }
        }
    }

    fn shown(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}

fn unreadable(why: &str, response: &Response) -> Reply {
    Reply::Malformed(format!("not an answer of the protocol ({why}): {}", excerpt(&response.body)))
}

/// The texts of the extensions that must not be shown.
pub(crate) fn secret_texts(extensions: Option<&Extensions>) -> Vec<SecretText> {
    let headers = extensions.into_iter().flatten().flat_map(|(_, endpoint)| &endpoint.headers);
    headers.map(|(_, text)| text.clone()).collect()
}
