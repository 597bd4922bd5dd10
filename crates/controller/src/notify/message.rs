//! Says which messages an event becomes: by triggers, subscriptions and templates.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde_json::{Value, json};

use super::about::About;
use super::service::Service;
use super::settings::Settings;
use super::subscription::{Destination, destinations, trigger};
use super::template;
use crate::announce::Told;

/// A message, rendered.
pub(super) struct Message {
    pub to: Destination,
    pub service: Service,
    /// Name of its template.
    pub template: String,
    pub content: Value,
}

/// The messages of one event by each of the settings that see it. What is wrong with one is logged and stops no other.
pub(super) fn messages(all: &[Arc<Settings>], told: &Told, about: &About) -> Vec<Message> {
    let named = trigger(&told.event.reason);
    let mut messages = Vec::new();
    for settings in all {
        for to in destinations(settings, &named, about) {
            match settings.services.get(&to.service) {
                Some(service) => settings.compose(&named, (&to, service), told, about, &mut messages),
                None if all.iter().any(|settings| settings.services.contains_key(&to.service)) => {}
                None => tracing::warn!(trigger = named, "service '{}' is not configured", to.service),
            }
        }
    }
    messages
}

impl Settings {
    fn compose(
        &self,
        named: &str,
        (to, service): (&Destination, &Service),
        told: &Told,
        about: &About,
        messages: &mut Vec<Message>,
    ) {
        let data = json!({
            "rollout": about.object, "analysisRuns": about.runs, "recipient": to.recipient, "serviceType": to.service,
            "context": self.context, "secrets": self.secrets,
            "event": {"reason": told.event.reason, "message": told.event.message},
        });
        for condition in self.triggers.get(named).into_iter().flatten() {
            match holds(&condition.when, &data) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(why) => {
                    tracing::warn!(trigger = named, "its condition cannot be evaluated: {why}");
                    continue;
                }
            }
            for name in &condition.send {
                match rendered(self, name, &data) {
                    Ok(content) => messages.push(Message {
                        to: to.clone(),
                        service: service.clone(),
                        template: name.clone(),
                        content,
                    }),
                    Err(why) => {
                        tracing::warn!(trigger = named, template = name, "it cannot be rendered: {why}")
                    }
                }
            }
        }
    }
}

fn rendered(settings: &Settings, name: &str, data: &Value) -> Result<Value, String> {
    let template = settings.templates.get(name).ok_or_else(|| "there is no such template".to_owned())?;
    template::render(template, data)
}

/// Whether the condition of a trigger holds; an empty one does.
fn holds(when: &str, data: &Value) -> Result<bool, String> {
    if when.trim().is_empty() {
        return Ok(true);
    }
    let mut context = expr::Context::default();
    for name in ["rollout", "analysisRuns"] {
        context.insert(name, expression_value(data.get(name).unwrap_or(&Value::Null)));
    }
    let value = catch_unwind(AssertUnwindSafe(|| expr::eval(when, &context)))
        .map_err(|_| "the expression library gave up".to_owned())?
        .map_err(|error| error.to_string())?;
    value.as_bool().ok_or_else(|| "it is neither true nor false".to_owned())
}

fn expression_value(json: &Value) -> expr::Value {
    match json {
        Value::Null => expr::Value::Nil,
        Value::Bool(truth) => expr::Value::Bool(*truth),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => expr::Value::Integer(whole),
            None => expr::Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => expr::Value::String(text.clone()),
        Value::Array(values) => expr::Value::Array(values.iter().map(expression_value).collect()),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.as_str(), expression_value(value))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use serin_core::journal::{Event, Severity};

    use super::*;
    use crate::notify::settings;
    use crate::object::Name;

    fn told(reason: &str) -> Told {
        Told {
            about: k8s_openapi::api::core::v1::ObjectReference::default(),
            at: Timestamp::UNIX_EPOCH,
            event: Event {
                severity: Severity::Warning,
                reason: reason.to_owned(),
                message: "Rollout is aborted".to_owned(),
                write: None,
                service: None,
                thread: None,
            },
        }
    }

    fn settings() -> Settings {
        let data = [
            ("service.slack", "token: t"),
            ("template.bad", "message: \"{{.rollout.metadata.name}}: {{.event.message}}\""),
            ("template.broken", "message: \"{{ nosuch }}\""),
            (
                "trigger.on-rollout-aborted",
                "- when: rollout.status.phase == 'Degraded'\n  send: [bad]\n- when: rollout.status.phase == 'Healthy'\n  send: [bad]\n\
                 - when: rollout.nothing.more > 1\n  send: [bad]\n- send: [broken, missing]",
            ),
        ];
        let data = data.into_iter().map(|(key, text)| (key.to_owned(), text.to_owned())).collect();
        let (settings, wrong) = settings::read(&data, BTreeMap::new());
        assert_eq!(wrong, Vec::<String>::new());
        settings
    }

    #[test]
    fn an_event_becomes_the_messages_that_people_subscribed_to() {
        let subscribe = |trigger: &str| {
            BTreeMap::from([(
                format!("notifications.argoproj.io/subscribe.{trigger}.slack"),
                "ops".to_owned(),
            )])
        };
        let about = |annotations| About {
            name: Name::new("default", "shop"),
            annotations,
            labels: Some(BTreeMap::new()),
            object: json!({"metadata": {"name": "shop"}, "status": {"phase": "Degraded"}}),
            runs: json!([]),
        };
        let sent = |all: &[Settings], reason, annotations| {
            let all: Vec<_> = all.iter().cloned().map(Arc::new).collect();
            let messages = messages(&all, &told(reason), &about(annotations));
            let shown =
                messages.into_iter().map(|message| (message.to.recipient, message.template, message.content));
            shown.collect::<Vec<_>>()
        };
        let once = ("ops".to_owned(), "bad".to_owned(), json!({"message": "shop: Rollout is aborted"}));
        let (home, bare) = (settings(), Settings::default());
        let alone = std::slice::from_ref(&home);
        let aborted = || subscribe("on-rollout-aborted");
        let twice = [once.clone(), once];
        let both = [bare, home.clone()];
        assert_eq!(sent(&both, "RolloutAborted", aborted()), twice[..1]);
        assert_eq!(sent(&[home.clone(), home.clone()], "RolloutAborted", aborted()), twice);
        assert!(sent(alone, "RolloutAborted", BTreeMap::new()).is_empty());
        let completed = sent(alone, "RolloutCompleted", subscribe("on-rollout-completed"));
        assert!(completed.is_empty(), "no such trigger");
    }

    #[test]
    fn conditions_look_at_the_objects() {
        let data = json!({"rollout": {"status": {"phase": "Degraded", "abort": true}}, "analysisRuns": [{"status": {"phase": "Failed"}}]});
        for (when, expected) in [
            ("", Ok(true)),
            ("rollout.status.phase in ['Degraded', 'Paused']", Ok(true)),
            ("rollout.status.abort", Ok(true)),
            ("rollout.status.phase == 'Healthy'", Ok(false)),
            ("len(analysisRuns) > 0 && analysisRuns[0].status.phase == 'Failed'", Ok(true)),
            ("rollout.status.phase", Err("it is neither true nor false".to_owned())),
        ] {
            assert_eq!(holds(when, &data), expected, "{when}");
        }
        assert!(holds("rollout.status.phase ==", &data).is_err());
    }
}
