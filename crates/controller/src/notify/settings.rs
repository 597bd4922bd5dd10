//! Reads what is to be notified: the ConfigMap and the Secret of Argo Rollouts' notifications, key by key.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::service::Service;

/// Everything that notifications are made from.
#[derive(Clone, Default)]
pub struct Settings {
    /// Services by name: the type, or the name after it (`service.webhook.NAME`).
    pub services: BTreeMap<String, Service>,
    /// `template.NAME`: `message`, and what is only for some services.
    pub templates: BTreeMap<String, Value>,
    /// `trigger.NAME`.
    pub triggers: BTreeMap<String, Vec<Condition>>,
    /// `subscriptions`: for objects that do not subscribe by themselves.
    pub subscriptions: Vec<Subscription>,
    /// `defaultTriggers`: for subscriptions that name none.
    pub default_triggers: Vec<String>,
    /// `defaultTriggers.SERVICE`: in place of those for one service.
    pub service_default_triggers: BTreeMap<String, Vec<String>>,
    /// `context`: values for templates.
    pub context: BTreeMap<String, String>,
    /// The keys of the Secret, for templates; never logged.
    pub secrets: BTreeMap<String, String>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("services", &self.services.len()).finish_non_exhaustive()
    }
}

/// When a trigger sends, and what.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Expression over `rollout` and `analysisRuns`; empty is always.
    #[serde(default)]
    pub when: String,
    /// Names of templates.
    #[serde(default)]
    pub send: Vec<String>,
}

/// Who is to be told of the objects that a selector chooses.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Subscription {
    /// `service:recipient`.
    #[serde(default)]
    pub recipients: Vec<String>,
    /// Names of triggers; empty for the default ones.
    #[serde(default)]
    pub triggers: Vec<String>,
    /// `a=b,c!=d,e in (f,g),h,!i` over labels; empty for all.
    #[serde(default)]
    pub selector: String,
}

/// Reads the data of the ConfigMap and of the Secret. What cannot be read is left out and said.
pub fn read(data: &BTreeMap<String, String>, secrets: BTreeMap<String, String>) -> (Settings, Vec<String>) {
    let mut settings = Settings { secrets, ..Settings::default() };
    let mut wrong = Vec::new();
    for (key, text) in data {
        if let Err(why) = settings.take(key, text) {
            wrong.push(format!("{key}: {why}"));
        }
    }
    (settings, wrong)
}

impl Settings {
    /// Triggers of a subscription to a service that names none.
    pub fn default_triggers_of(&self, service: &str) -> &[String] {
        self.service_default_triggers.get(service).unwrap_or(&self.default_triggers)
    }

    fn take(&mut self, key: &str, text: &str) -> Result<(), String> {
        match key.split_once('.').unwrap_or((key, "")) {
            ("service", kind) => {
                let (kind, name) = kind.split_once('.').unwrap_or((kind, kind));
                let mut config: Value = yaml(text)?;
                self.fill(&mut config)?;
                self.services.insert(name.to_owned(), Service::of(kind, name, config)?);
            }
            ("template", name) => drop(self.templates.insert(name.to_owned(), yaml(text)?)),
            ("trigger", name) => drop(self.triggers.insert(name.to_owned(), yaml(text)?)),
            ("subscriptions", "") => self.subscriptions = yaml(text)?,
            ("defaultTriggers", "") => self.default_triggers = yaml(text)?,
            ("defaultTriggers", service) => {
                drop(self.service_default_triggers.insert(service.to_owned(), yaml(text)?));
            }
            ("context", "") => self.context = yaml(text)?,
            _ => return Err("the key is not known".to_owned()),
        }
        Ok(())
    }

    /// Puts keys of the Secret in for `$key`.
    fn fill(&self, config: &mut Value) -> Result<(), String> {
        match config {
            Value::String(text) => {
                if let Some(key) = text.strip_prefix('$') {
                    let secret = self.secrets.get(key);
                    *text = secret.ok_or_else(|| format!("the Secret has no key '{key}'"))?.trim().to_owned();
                }
                Ok(())
            }
            Value::Array(values) => values.iter_mut().try_for_each(|value| self.fill(value)),
            Value::Object(fields) => fields.values_mut().try_for_each(|value| self.fill(value)),
            _ => Ok(()),
        }
    }
}

fn yaml<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_yaml::from_str(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(data: &[(&str, &str)]) -> (Settings, Vec<String>) {
        let data = data.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        read(&data, BTreeMap::from([("slack-token".to_owned(), "xoxb-1\n".to_owned())]))
    }

    #[test]
    fn the_keys_of_argo_rollouts_are_read() {
        let (found, wrong) = settings(&[
            ("service.slack", "token: $slack-token"),
            ("service.webhook.github", "url: https://github"),
            ("template.done", "message: done\nslack: {attachments: '[]'}"),
            (
                "trigger.on-done",
                "- send: [done]\n- when: rollout.status.phase == 'Degraded'\n  send: [bad]\n  oncePer: x",
            ),
            ("subscriptions", "- recipients: [slack:ops]\n  triggers: [on-done]\n  selector: team=shop"),
            ("defaultTriggers", "[on-done]"),
            ("context", "url: https://argo"),
        ]);
        assert_eq!(wrong, Vec::<String>::new());
        assert_eq!(found.services.keys().collect::<Vec<_>>(), ["github", "slack"]);
        assert_eq!(found.triggers["on-done"][1].when, "rollout.status.phase == 'Degraded'");
        assert_eq!(found.subscriptions[0].selector, "team=shop");
        assert_eq!(
            (found.default_triggers[0].as_str(), found.context["url"].as_str()),
            ("on-done", "https://argo")
        );
        assert!(!format!("{found:?}").contains("xoxb-1"));
    }

    #[test]
    fn what_cannot_work_is_said_by_its_key_and_the_rest_works() {
        let (found, wrong) = settings(&[
            ("service.webex", "token: x"),
            ("service.slack", "token: $missing"),
            ("service.webhook.hook", "headers: []"),
            ("template.ok", "message: x"),
            ("trigger.bad", "- send: {"),
            ("servce.slack", ""),
        ]);
        assert_eq!(found.templates.len(), 1);
        assert!(found.services.is_empty() && found.triggers.is_empty());
        assert_eq!(wrong.len(), 5, "{wrong:?}");
        assert_eq!(wrong[1], "service.slack: the Secret has no key 'missing'");
        assert!(
            wrong[2].starts_with("service.webex: webex is not supported; use one of webhook"),
            "{wrong:?}"
        );
        assert!(wrong[3].starts_with("service.webhook.hook: url is missing"), "{wrong:?}");
        assert_eq!(wrong[0], "servce.slack: the key is not known");
    }
}
