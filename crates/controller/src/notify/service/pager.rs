//! Pagers and marks: Grafana's annotations, Opsgenie, PagerDuty, Alertmanager.

use serde_json::{Value, json};
use serin_analysis::provider::Request;

use super::{Service, first_line, object, post, text};

impl Service {
    /// The recipient is a list of tags, separated by `|`.
    pub(super) fn grafana(&self, message: &Value, recipient: &str, now: jiff::Timestamp) -> Request {
        let tags: Vec<&str> = recipient.split('|').collect();
        let time = now.as_millisecond();
        let body = json!({"time": time, "isRegion": false, "text": text(message, "/message"), "tags": tags});
        let url = format!("{}/annotations", self.base("apiUrl", ""));
        post(url, &body, Some(format!("Bearer {}", self.setting("/apiKey"))))
    }

    pub(super) fn opsgenie(&self, message: &Value, recipient: &str) -> Result<Request, String> {
        let key = self.of_recipient("apiKeys", recipient)?;
        let mut body = object(message.get("opsgenie"));
        body.entry("message").or_insert_with(|| first_line(&text(message, "/message")).into());
        body.entry("description").or_insert_with(|| text(message, "/message").into());
        let url = format!("{}/v2/alerts", self.base("apiUrl", "https://api.opsgenie.com"));
        Ok(post(url, &Value::Object(body), Some(format!("GenieKey {key}"))))
    }

    /// An event of PagerDuty's Events API v2.
    pub(super) fn pager_duty(&self, message: &Value, recipient: &str) -> Result<Request, String> {
        let key = self.of_recipient("serviceKeys", recipient)?;
        let mut payload = object(message.get("pagerdutyv2"));
        let (link, same) = (payload.remove("url"), payload.remove("dedupKey"));
        payload.entry("summary").or_insert_with(|| first_line(&text(message, "/message")).into());
        payload.entry("severity").or_insert_with(|| "error".into());
        payload.entry("source").or_insert_with(|| "serin".into());
        let mut body = json!({"routing_key": key, "event_action": "trigger", "payload": payload});
        if let Some(link) = link {
            body["client"] = "Serin".into();
            body["client_url"] = link;
        }
        if let Some(same) = same {
            body["dedup_key"] = same;
        }
        Ok(post("https://events.pagerduty.com/v2/enqueue".to_owned(), &body, None))
    }

    /// One alert, for each of `targets`: the members of a cluster tell each other, and one of them may be down.
    pub(super) fn alertmanager(
        &self,
        message: &Value,
        template: &str,
        now: jiff::Timestamp,
    ) -> Result<Vec<Request>, String> {
        let own = message.get("alertmanager");
        let mut labels = object(own.and_then(|own| own.get("labels")));
        if labels.is_empty() {
            return Err("alertmanager.labels is missing in the template".to_owned());
        }
        labels.entry("alertname").or_insert_with(|| template.into());
        let mut annotations = object(own.and_then(|own| own.get("annotations")));
        annotations.entry("message").or_insert_with(|| text(message, "/message").into());
        let mut alert = json!({"labels": labels, "annotations": annotations, "startsAt": now.to_string()});
        let link = text(message, "/alertmanager/generatorURL");
        if !link.is_empty() {
            alert["generatorURL"] = link.into();
        }
        let token = self.setting("/bearerToken");
        let bearer = (!token.is_empty()).then(|| format!("Bearer {token}"));
        let login = self.basic_auth().or(bearer);
        let (scheme, path) = (self.base("scheme", "http"), self.base("apiPath", "/api/v2/alerts"));
        let targets = self.config.get("targets").and_then(Value::as_array).into_iter().flatten();
        let request = |target: &str| {
            let url = format!("{scheme}://{target}{path}");
            let request = post(url, &json!([alert]), login.clone());
            Request { insecure: self.is_set("insecureSkipVerify"), ..request }
        };
        Ok(targets.filter_map(Value::as_str).map(request).collect())
    }
}
