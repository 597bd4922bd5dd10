//! `service.webhook.NAME`: the template says method, path and body.

use serde_json::Value;
use serin_analysis::provider::{Login, Request};

use super::{Service, TIMEOUT, text};

impl Service {
    pub(super) fn webhook(&self, message: &Value) -> Result<Request, String> {
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
        headers.extend(self.basic_auth().map(|login| ("Authorization".to_owned(), login)));
        let body = text(&own, "/body");
        let body = (method != "GET" || !body.is_empty()).then_some(body);
        let insecure = self.is_set("insecureSkipVerify");
        Ok(Request { method, url, headers, body, timeout: TIMEOUT, insecure, login: Login::Complete })
    }
}
