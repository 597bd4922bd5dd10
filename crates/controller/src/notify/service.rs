//! Translates a rendered message into the request of one service.

use std::time::Duration;

use serde_json::{Map, Value, json};
use serin_analysis::provider::{Login, Request, Response};

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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Webhook,
    Slack,
    Teams,
    Grafana,
    Opsgenie,
    PagerDuty,
}

impl Service {
    /// The service of a type.
    ///
    /// # Errors
    /// A type that is not supported, or a field that is missing.
    pub fn of(kind: &str, name: &str, config: Value) -> Result<Self, String> {
        let (known, needed) = match kind {
            "webhook" => (Kind::Webhook, "url"),
            "slack" => (Kind::Slack, "token"),
            "teams" => (Kind::Teams, "recipientUrls"),
            "grafana" => (Kind::Grafana, "apiKey"),
            "opsgenie" => (Kind::Opsgenie, "apiKeys"),
            "pagerdutyv2" => (Kind::PagerDuty, "serviceKeys"),
            other => {
                return Err(format!(
                    "{other} is not supported; use webhook, slack, teams, grafana, opsgenie or pagerdutyv2"
                ));
            }
        };
        if config.get(needed).is_none_or(Value::is_null) {
            return Err(format!("{needed} is missing"));
        }
        Ok(Self { kind: known, name: name.to_owned(), config })
    }

    /// The request that sends a message, whose texts are rendered, to a recipient.
    ///
    /// # Errors
    /// What is missing in the configuration or in the template.
    pub fn request(&self, message: &Value, recipient: &str, now: jiff::Timestamp) -> Result<Request, String> {
        match self.kind {
            Kind::Webhook => self.webhook(message),
            Kind::Slack => self.slack(message, recipient),
            Kind::Teams => self.teams(message, recipient),
            Kind::Grafana => {
                let tags: Vec<&str> = recipient.split('|').collect();
                let time = now.as_millisecond();
                let body =
                    json!({"time": time, "isRegion": false, "text": text(message, "/message"), "tags": tags});
                let url = format!("{}/annotations", self.setting("/apiUrl").trim_end_matches('/'));
                Ok(post(url, &body, Some(format!("Bearer {}", self.setting("/apiKey")))))
            }
            Kind::Opsgenie => {
                let key = self.of_recipient("apiKeys", recipient)?;
                let base =
                    self.config.get("apiUrl").and_then(Value::as_str).unwrap_or("https://api.opsgenie.com");
                let mut body = object(message.get("opsgenie"));
                body.entry("message").or_insert_with(|| first_line(&text(message, "/message")).into());
                body.entry("description").or_insert_with(|| text(message, "/message").into());
                let url = format!("{}/v2/alerts", base.trim_end_matches('/'));
                Ok(post(url, &Value::Object(body), Some(format!("GenieKey {key}"))))
            }
            Kind::PagerDuty => {
                let key = self.of_recipient("serviceKeys", recipient)?;
                let mut payload = object(message.get("pagerdutyv2"));
                payload.entry("summary").or_insert_with(|| first_line(&text(message, "/message")).into());
                payload.entry("severity").or_insert_with(|| "error".into());
                payload.entry("source").or_insert_with(|| "serin".into());
                let body = json!({"routing_key": key, "event_action": "trigger", "payload": payload});
                Ok(post("https://events.pagerduty.com/v2/enqueue".to_owned(), &body, None))
            }
        }
    }

    fn webhook(&self, message: &Value) -> Result<Request, String> {
        let own = message.pointer(&format!("/webhook/{}", self.name)).cloned().unwrap_or_default();
        let method = match text(&own, "/method").to_ascii_uppercase().as_str() {
            "" | "GET" => "GET",
            "POST" => "POST",
            "PUT" => "PUT",
            "PATCH" => "PATCH",
            other => return Err(format!("webhook.{}.method {other} is not known", self.name)),
        };
        let (url, path) = (self.setting("/url"), text(&own, "/path"));
        let url = if path.is_empty() {
            url
        } else {
            format!("{}/{}", url.trim_end_matches('/'), path.trim_start_matches('/'))
        };
        let mut headers = Vec::new();
        for header in self.config.get("headers").and_then(Value::as_array).into_iter().flatten() {
            headers.push((text(header, "/name"), text(header, "/value")));
        }
        if self.config.get("basicAuth").is_some() {
            let login =
                format!("{}:{}", self.setting("/basicAuth/username"), self.setting("/basicAuth/password"));
            headers.push(("Authorization".to_owned(), format!("Basic {}", base64(login.as_bytes()))));
        }
        let body = text(&own, "/body");
        let body = (method != "GET" || !body.is_empty()).then_some(body);
        let insecure = self.config.get("insecureSkipVerify").and_then(Value::as_bool).unwrap_or(false);
        Ok(Request { method, url, headers, body, timeout: TIMEOUT, insecure, login: Login::Complete })
    }

    fn slack(&self, message: &Value, recipient: &str) -> Result<Request, String> {
        let mut body = Map::from_iter([
            ("channel".to_owned(), recipient.into()),
            ("text".to_owned(), text(message, "/message").into()),
        ]);
        for field in ["attachments", "blocks"] {
            let given = text(message, &format!("/slack/{field}"));
            if !given.trim().is_empty() {
                let list: Value = serde_json::from_str(&given)
                    .map_err(|error| format!("slack.{field} is no JSON: {error}"))?;
                body.insert(field.to_owned(), list);
            }
        }
        for (field, sent) in [("username", "username"), ("icon", "icon_emoji")] {
            let given = self.setting(&format!("/{field}"));
            if !given.is_empty() {
                body.insert(sent.to_owned(), given.into());
            }
        }
        let base = self.config.get("apiURL").and_then(Value::as_str).unwrap_or("https://slack.com/api");
        let url = format!("{}/chat.postMessage", base.trim_end_matches('/'));
        Ok(post(url, &Value::Object(body), Some(format!("Bearer {}", self.setting("/token")))))
    }

    fn teams(&self, message: &Value, recipient: &str) -> Result<Request, String> {
        let url = self.of_recipient("recipientUrls", recipient)?;
        let mut card = Map::from_iter([
            ("@type".to_owned(), "MessageCard".into()),
            ("@context".to_owned(), "https://schema.org/extensions".into()),
        ]);
        for field in ["title", "summary", "text", "themeColor"] {
            let given = text(message, &format!("/teams/{field}"));
            if !given.is_empty() {
                card.insert(field.to_owned(), given.into());
            }
        }
        let said = text(message, "/message");
        if !card.contains_key("text") {
            card.insert("text".to_owned(), said.clone().into());
        }
        if !card.contains_key("title") && !card.contains_key("summary") {
            card.insert("summary".to_owned(), first_line(&said).into());
        }
        let json = |field: &str| -> Result<Option<Value>, String> {
            let given = text(message, &format!("/teams/{field}"));
            match given.trim() {
                "" => Ok(None),
                given => serde_json::from_str(given)
                    .map(Some)
                    .map_err(|error| format!("teams.{field} is no JSON: {error}")),
            }
        };
        let facts = json("facts")?.map(|facts| json!([{"facts": facts}]));
        card.extend(json("sections")?.or(facts).map(|sections| ("sections".to_owned(), sections)));
        card.extend(json("potentialAction")?.map(|actions| ("potentialAction".to_owned(), actions)));
        Ok(post(url, &Value::Object(card), None))
    }

    fn setting(&self, pointer: &str) -> String {
        text(&self.config, pointer)
    }

    fn of_recipient(&self, field: &str, recipient: &str) -> Result<String, String> {
        let found = self.config.get(field).and_then(|all| all.get(recipient)?.as_str());
        found.map(str::to_owned).ok_or_else(|| format!("service.{}: {field} has no '{recipient}'", self.name))
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
}

fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn object(value: Option<&Value>) -> Map<String, Value> {
    value.and_then(Value::as_object).cloned().unwrap_or_default()
}

fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default()
}

fn base64(bytes: &[u8]) -> String {
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
mod tests {
    use super::*;

    fn sent(
        kind: &str,
        name: &str,
        config: Value,
        message: Value,
        to: &str,
    ) -> Result<(String, String, Value), String> {
        let service = Service::of(kind, name, config)?;
        let request = service.request(&message, to, jiff::Timestamp::UNIX_EPOCH)?;
        let login = request.headers.iter().find(|(name, _)| name == "Authorization");
        let body = request.body.unwrap_or_default();
        let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
        let line = format!("{} {}", request.method, request.url);
        Ok((line, login.map(|(_, text)| text.clone()).unwrap_or_default(), body))
    }

    #[test]
    fn every_service_gets_the_message_in_its_own_form() {
        let message = json!({
            "message": "shop failed\nmore", "slack": {"attachments": "[{\"title\": \"t\"}]", "blocks": ""},
            "webhook": {"hook": {"method": "POST", "path": "/x", "body": "{\"a\": 1}"}},
            "teams": {"title": "T", "facts": "[{\"name\": \"n\", \"value\": \"v\"}]"}, "pagerdutyv2": {"severity": "critical"},
        });
        for (kind, name, config, to, expected) in [
            (
                "slack",
                "slack",
                json!({"token": "xoxb", "username": "serin"}),
                "ops",
                (
                    "POST https://slack.com/api/chat.postMessage",
                    "Bearer xoxb",
                    json!({"channel": "ops", "text": "shop failed\nmore", "attachments": [{"title": "t"}], "username": "serin"}),
                ),
            ),
            (
                "webhook",
                "hook",
                json!({"url": "https://h/", "basicAuth": {"username": "me", "password": "pw"}}),
                "",
                ("POST https://h/x", "Basic bWU6cHc=", json!({"a": 1})),
            ),
            (
                "teams",
                "teams",
                json!({"recipientUrls": {"ops": "https://t/1"}}),
                "ops",
                (
                    "POST https://t/1",
                    "",
                    json!({"@type": "MessageCard", "@context": "https://schema.org/extensions", "title": "T",
                 "text": "shop failed\nmore", "sections": [{"facts": [{"name": "n", "value": "v"}]}]}),
                ),
            ),
            (
                "grafana",
                "grafana",
                json!({"apiUrl": "https://g/api", "apiKey": "k"}),
                "a|b",
                (
                    "POST https://g/api/annotations",
                    "Bearer k",
                    json!({"time": 0, "isRegion": false, "text": "shop failed\nmore", "tags": ["a", "b"]}),
                ),
            ),
            (
                "opsgenie",
                "opsgenie",
                json!({"apiKeys": {"ops": "k"}}),
                "ops",
                (
                    "POST https://api.opsgenie.com/v2/alerts",
                    "GenieKey k",
                    json!({"message": "shop failed", "description": "shop failed\nmore"}),
                ),
            ),
            (
                "pagerdutyv2",
                "pagerdutyv2",
                json!({"serviceKeys": {"ops": "k"}}),
                "ops",
                (
                    "POST https://events.pagerduty.com/v2/enqueue",
                    "",
                    json!({"routing_key": "k", "event_action": "trigger",
                 "payload": {"summary": "shop failed", "severity": "critical", "source": "serin"}}),
                ),
            ),
        ] {
            let (line, login, body) = sent(kind, name, config, message.clone(), to).unwrap();
            assert_eq!((line.as_str(), login.as_str(), body), expected, "{kind}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_said() {
        let keys = json!({"apiKeys": {"ops": "k"}});
        let message =
            json!({"message": "m", "slack": {"blocks": "{"}, "webhook": {"hook": {"method": "BREW"}}});
        for (kind, name, config, expected) in [
            ("opsgenie", "opsgenie", keys, "service.opsgenie: apiKeys has no 'dev'"),
            ("slack", "slack", json!({"token": "t"}), "slack.blocks is no JSON"),
            ("webhook", "hook", json!({"url": "https://h"}), "webhook.hook.method BREW is not known"),
            ("email", "email", json!({}), "email is not supported; use webhook"),
            ("teams", "teams", json!({}), "recipientUrls is missing"),
        ] {
            let why = sent(kind, name, config, message.clone(), "dev").unwrap_err();
            assert!(why.starts_with(expected), "{why}");
        }
    }

    #[test]
    fn slack_refuses_with_status_200() {
        let slack = Service::of("slack", "slack", json!({"token": "t"})).unwrap();
        let answer = |status, body: &str| slack.refusal(&Response { status, body: body.to_owned() });
        assert_eq!(answer(200, r#"{"ok": true}"#), None);
        assert_eq!(
            answer(200, r#"{"ok": false, "error": "channel_not_found"}"#).as_deref(),
            Some("channel_not_found")
        );
        assert_eq!(answer(500, "").as_deref(), Some("HTTP 500"));
    }
}
