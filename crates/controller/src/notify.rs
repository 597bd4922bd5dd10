//! Notifies people: sends what happened to chats, pagers and webhooks, by the ConfigMap of Argo Rollouts' notifications.
//! It stands beside the work: a service that is down holds up no rollout.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Client;
use kube::api::Api;
use serde_json::{Value, json};
use serin_api::label;
use serin_core::journal::Event;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use crate::announce::Told;
use crate::caches::Caches;
use crate::exchange::Exchange;
use crate::object::{Name, rollout_of};
use crate::tally::Tally;
use crate::watch::api_words;

pub mod service;
pub mod settings;
pub mod subscription;
pub mod template;

use service::Service;
use settings::Settings;
use subscription::{Destination, destinations, trigger};

const CONFIG_MAP: &str = "argo-rollouts-notification-configmap";
const SECRET: &str = "argo-rollouts-notification-secret";
/// Time between two readings of the settings.
const AGAIN: Duration = Duration::from_secs(60);
/// Events that wait; beyond that they are dropped, because the status holds the facts.
const WAITING: usize = 1024;
/// Messages on their way at the same time.
const SENDING: usize = 16;
/// Pauses between the tries to send one message.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(25)];

/// Sends notifications of events.
#[derive(Debug)]
pub struct Notifier {
    caches: Arc<Caches>,
    exchange: Arc<Exchange>,
    tally: Arc<Tally>,
    settings: Arc<RwLock<Arc<Settings>>>,
    sending: Arc<Semaphore>,
}

/// The place to put events of which people are to be told.
pub fn channel() -> (mpsc::Sender<Told>, mpsc::Receiver<Told>) {
    mpsc::channel(WAITING)
}

impl Notifier {
    /// A notifier without settings; [`Self::follow`] reads them.
    pub fn new(caches: Arc<Caches>, exchange: Arc<Exchange>, tally: Arc<Tally>) -> Self {
        Self { caches, exchange, tally, settings: Arc::default(), sending: Arc::new(Semaphore::new(SENDING)) }
    }

    /// Reads the settings in `namespace` for as long as the process runs; returns after the first reading.
    pub async fn follow(&self, client: Client, namespace: String) {
        let settings = self.settings.clone();
        let mut said = refresh(&settings, &client, &namespace, String::new()).await;
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(AGAIN).await;
                said = refresh(&settings, &client, &namespace, said).await;
            }
        });
    }

    /// Notifies of events until nobody tells any more.
    pub async fn run(self, mut told: mpsc::Receiver<Told>) {
        while let Some(told) = told.recv().await {
            let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner).clone();
            if settings.services.is_empty() {
                continue;
            }
            let Some(about) = self.about(&told) else { continue };
            for (to, service, message) in messages(&settings, &told, &about) {
                self.send(to, service, message, (&about.name, &told.event)).await;
            }
        }
    }

    /// The Rollout of an event, and its AnalysisRuns of the current revision, newest first.
    fn about(&self, told: &Told) -> Option<About> {
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        let mut rollout = Name::new(&name(&told.about.namespace), &name(&told.about.name));
        if told.about.kind.as_deref() == Some("AnalysisRun") {
            let run = self.caches.runs.get(&rollout)?;
            let owner = rollout_of(&run.value.as_ref().ok()?.metadata)?.name.clone();
            rollout = Name::new(&rollout.namespace, &owner);
        }
        let kept = self.caches.rollouts.get(&rollout)?;
        let read = kept.value.as_ref().ok()?;
        let hash =
            read.rollout.status.as_ref().map(|status| status.current_pod_hash.clone()).unwrap_or_default();
        let runs = self.caches.runs.by(&kept.uid);
        let of_revision = |labels: Option<&BTreeMap<String, String>>| {
            labels.and_then(|labels| labels.get(label::POD_TEMPLATE_HASH)) == Some(&hash)
        };
        let mut runs: Vec<_> = runs
            .iter()
            .filter_map(|(_, run)| run.value.as_ref().ok())
            .filter(|run| of_revision(run.metadata.labels.as_ref()))
            .collect();
        runs.sort_by_key(|run| {
            std::cmp::Reverse(run.metadata.creation_timestamp.as_ref().map(|time| time.0))
        });
        let meta = &read.rollout.metadata;
        Some(About {
            name: rollout,
            annotations: meta.annotations.clone().unwrap_or_default(),
            labels: meta.labels.clone().unwrap_or_default(),
            rollout: serde_json::to_value(&read.rollout).ok()?,
            runs: serde_json::to_value(runs).ok()?,
        })
    }

    async fn send(&self, to: Destination, service: Service, message: Value, (name, event): (&Name, &Event)) {
        let (reason, begun) = (event.reason.clone(), Instant::now());
        let (tally, name, severity) = (self.tally.clone(), name.clone(), event.severity);
        let count = move |reason: &str, taken: bool| {
            tally.notified(&name, severity, reason, begun.elapsed(), taken);
        };
        let request = match service.request(&message, &to.recipient, Timestamp::now()) {
            Ok(request) => request,
            Err(why) => {
                count(&reason, false);
                return tracing::warn!(service = to.service, reason, "a notification cannot be sent: {why}");
            }
        };
        let Ok(permit) = self.sending.clone().acquire_owned().await else { return };
        let exchange = self.exchange.clone();
        tokio::spawn(async move {
            let _permit = permit;
            let mut pauses = PAUSES.into_iter();
            loop {
                let (why, again) = match exchange.send(&request).await {
                    Ok(response) => match service.refusal(&response) {
                        None => return count(&reason, true),
                        Some(why) => (why, matches!(response.status, 408 | 429 | 500..)),
                    },
                    Err(why) => (why, true),
                };
                let Some(pause) = pauses.next().filter(|_| again) else {
                    count(&reason, false);
                    return tracing::warn!(
                        service = to.service,
                        reason,
                        "a notification was not taken: {why}"
                    );
                };
                tokio::time::sleep(pause).await;
            }
        });
    }
}

/// What a notification is about.
struct About {
    name: Name,
    annotations: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    rollout: Value,
    runs: Value,
}

/// The messages of one event, rendered. What is wrong with one is logged and stops no other.
fn messages(settings: &Settings, told: &Told, about: &About) -> Vec<(Destination, Service, Value)> {
    let named = trigger(&told.event.reason);
    let Some(conditions) = settings.triggers.get(&named) else { return Vec::new() };
    let mut messages = Vec::new();
    for to in destinations(settings, &named, &about.annotations, &about.labels) {
        let Some(service) = settings.services.get(&to.service) else {
            tracing::warn!(trigger = named, "service '{}' is not configured", to.service);
            continue;
        };
        let data = json!({
            "rollout": about.rollout, "analysisRuns": about.runs, "recipient": to.recipient, "serviceType": to.service,
            "context": settings.context, "secrets": settings.secrets,
            "event": {"reason": told.event.reason, "message": told.event.message},
        });
        for condition in conditions {
            match holds(&condition.when, &data) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(why) => {
                    tracing::warn!(trigger = named, "its condition cannot be evaluated: {why}");
                    continue;
                }
            }
            for name in &condition.send {
                match rendered(settings, name, &data) {
                    Ok(message) => messages.push((to.clone(), service.clone(), message)),
                    Err(why) => {
                        tracing::warn!(trigger = named, template = name, "it cannot be rendered: {why}")
                    }
                }
            }
        }
    }
    messages
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

/// Reads the settings once, and says what is wrong with them unless it was `said` before.
async fn refresh(settings: &RwLock<Arc<Settings>>, client: &Client, namespace: &str, said: String) -> String {
    let wrong = match read(client, namespace).await {
        Ok((found, wrong)) => {
            *settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(found);
            wrong.join("; ")
        }
        // Those that are known stay in force.
        Err(why) => why,
    };
    if !wrong.is_empty() && wrong != said {
        tracing::warn!("ConfigMap {namespace}/{CONFIG_MAP}: {wrong}");
    }
    wrong
}

async fn read(client: &Client, namespace: &str) -> Result<(Settings, Vec<String>), String> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let Some(map) = maps.get_opt(CONFIG_MAP).await.map_err(|error| api_words(&error))? else {
        return Ok((Settings::default(), Vec::new()));
    };
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret = secrets.get_opt(SECRET).await.map_err(|error| api_words(&error))?;
    let data = secret.and_then(|secret| secret.data).unwrap_or_default();
    let texts = data.into_iter().filter_map(|(key, bytes)| Some((key, String::from_utf8(bytes.0).ok()?)));
    Ok(settings::read(&map.data.unwrap_or_default(), texts.collect()))
}

#[cfg(test)]
mod tests {
    use serin_core::journal::Severity;

    use super::*;

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
            labels: BTreeMap::new(),
            rollout: json!({"metadata": {"name": "shop"}, "status": {"phase": "Degraded"}}),
            runs: json!([]),
        };
        let sent = |reason, annotations| {
            let messages = messages(&settings(), &told(reason), &about(annotations));
            messages.into_iter().map(|(to, _, message)| (to.recipient, message)).collect::<Vec<_>>()
        };
        let expected = vec![("ops".to_owned(), json!({"message": "shop: Rollout is aborted"}))];
        assert_eq!(sent("RolloutAborted", subscribe("on-rollout-aborted")), expected);
        assert!(sent("RolloutAborted", BTreeMap::new()).is_empty());
        assert!(sent("RolloutCompleted", subscribe("on-rollout-completed")).is_empty(), "no such trigger");
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
