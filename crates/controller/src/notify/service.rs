//! Translates a rendered message into what one service is sent: a file for each family of services.

use std::time::Duration;

use serde_json::{Map, Value};
use serin_analysis::provider::{Login, Request, Response};

mod chat;
mod mail;
mod pager;
mod teams;
mod webhook;

pub use mail::Mail;

/// Time for one message to be taken.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A service with its configuration, secrets filled in. It has no `Debug`, because it holds them.
#[derive(Clone)]
pub struct Service {
    kind: Kind,
    /// The name by which templates and subscriptions know it.
    name: String,
    config: Value,
}

/// What is sent. It has no `Debug`, because it holds secrets.
pub enum Delivery {
    /// A request.
    Http(Box<Request>),
    /// A mail.
    Mail(Box<Mail>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Webhook,
    Email,
    Slack,
    Mattermost,
    GoogleChat,
    Telegram,
    Teams,
    TeamsWorkflows,
    Grafana,
    Opsgenie,
    PagerDuty,
    Alertmanager,
}

/// Types of services: what `service.TYPE` says, and the setting that it cannot do without.
const KINDS: [(&str, Kind, &str); 12] = [
    ("webhook", Kind::Webhook, "url"),
    ("email", Kind::Email, "host"),
    ("slack", Kind::Slack, "token"),
    ("mattermost", Kind::Mattermost, "apiURL"),
    ("googlechat", Kind::GoogleChat, "webhooks"),
    ("telegram", Kind::Telegram, "token"),
    ("teams", Kind::Teams, "recipientUrls"),
    ("teams-workflows", Kind::TeamsWorkflows, "recipientUrls"),
    ("grafana", Kind::Grafana, "apiKey"),
    ("opsgenie", Kind::Opsgenie, "apiKeys"),
    ("pagerdutyv2", Kind::PagerDuty, "serviceKeys"),
    ("alertmanager", Kind::Alertmanager, "targets"),
];

impl Service {
    /// The service of a type.
    ///
    /// # Errors
    /// A type that is not supported, or a field that is missing.
    pub fn of(kind: &str, name: &str, config: Value) -> Result<Self, String> {
        let Some((_, known, needed)) = KINDS.iter().find(|(named, ..)| *named == kind) else {
            let known: Vec<&str> = KINDS.iter().map(|(named, ..)| *named).collect();
            return Err(format!("{kind} is not supported; use one of {}", known.join(", ")));
        };
        if config.get(needed).is_none_or(Value::is_null) {
            return Err(format!("{needed} is missing"));
        }
        Ok(Self { kind: *known, name: name.to_owned(), config })
    }

    /// What sends a message, whose texts are rendered from the template of this name, to a recipient.
    ///
    /// # Errors
    /// What is missing in the configuration or in the template.
    pub fn deliveries(
        &self,
        message: &Value,
        template: &str,
        recipient: &str,
        now: jiff::Timestamp,
    ) -> Result<Vec<Delivery>, String> {
        let request = match self.kind {
            Kind::Webhook => self.webhook(message)?,
            Kind::Email => return Ok(vec![Delivery::Mail(Box::new(self.mail(message, recipient)?))]),
            Kind::Slack => self.slack(message, recipient)?,
            Kind::Mattermost => self.mattermost(message, recipient)?,
            Kind::GoogleChat => self.google_chat(message, recipient)?,
            Kind::Telegram => self.telegram(message, recipient)?,
            Kind::Teams => self.teams(message, recipient)?,
            Kind::TeamsWorkflows => self.teams_workflows(message, recipient)?,
            Kind::Grafana => self.grafana(message, recipient, now),
            Kind::Opsgenie => self.opsgenie(message, recipient)?,
            Kind::PagerDuty => self.pager_duty(message, recipient)?,
            Kind::Alertmanager => {
                let requests = self.alertmanager(message, template, now)?;
                return Ok(requests.into_iter().map(|request| Delivery::Http(Box::new(request))).collect());
            }
        };
        Ok(vec![Delivery::Http(Box::new(request))])
    }

    /// Why a message was not taken although there is an answer; Slack says so with status 200.
    pub fn refusal(&self, response: &Response) -> Option<String> {
        if response.status >= 300 {
            return Some(format!("HTTP {}", response.status));
        }
        let body: Value = serde_json::from_str(&response.body).unwrap_or_default();
        let refused = self.kind == Kind::Slack && body.get("ok").and_then(Value::as_bool) == Some(false);
        refused.then(|| body.get("error").and_then(Value::as_str).unwrap_or("not ok").to_owned())
    }

    fn setting(&self, pointer: &str) -> String {
        text(&self.config, pointer)
    }

    fn is_set(&self, field: &str) -> bool {
        self.config.get(field).and_then(Value::as_bool).unwrap_or(false)
    }

    fn of_recipient(&self, field: &str, recipient: &str) -> Result<String, String> {
        let found = self.config.get(field).and_then(|all| all.get(recipient)?.as_str());
        found.map(str::to_owned).ok_or_else(|| format!("service.{}: {field} has no '{recipient}'", self.name))
    }

    /// The login by `basicAuth`, if it is there.
    fn basic_auth(&self) -> Option<String> {
        self.config.get("basicAuth")?;
        let login =
            format!("{}:{}", self.setting("/basicAuth/username"), self.setting("/basicAuth/password"));
        Some(format!("Basic {}", base64(login.as_bytes())))
    }
}

fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// The list or object that a template gives as JSON or YAML text at a field of a service.
fn given(message: &Value, service: &str, field: &str) -> Result<Option<Value>, String> {
    match text(message, &format!("/{service}/{field}")).trim() {
        "" => Ok(None),
        given => serde_json::from_str(given)
            .or_else(|_| serde_yaml::from_str(given))
            .map(Some)
            .map_err(|error| format!("{service}.{field} is neither JSON nor YAML: {error}")),
    }
}

fn object(value: Option<&Value>) -> Map<String, Value> {
    value.and_then(Value::as_object).cloned().unwrap_or_default()
}

fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default()
}

pub(super) fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn post(url: String, body: &Value, authorization: Option<String>) -> Request {
    let mut headers = vec![("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned())];
    headers.extend(authorization.map(|text| ("Authorization".to_owned(), text)));
    Request {
        method: "POST",
        url,
        headers,
        body: Some(body.to_string()),
        timeout: TIMEOUT,
        insecure: false,
        login: Login::Complete,
    }
}

#[cfg(test)]
mod tests;
