//! Says to people what happened: Kubernetes events, in their order, sent beside the work and not in its way.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serin_core::journal;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::failure::{Class, Failure};
use crate::object::{Kind, Name};
use crate::perform::{MANAGER, Performer};
use crate::tally::{Subject, Tally, severity_word};

/// Events that wait to be sent. Beyond that they are dropped: the status holds the facts, events only tell of them.
const WAITING: usize = 4096;
/// The same words about the same object within this time are counted, not repeated (client-go `EventCorrelator`).
const SAME: Duration = Duration::from_secs(600);
/// Tries to send one event.
const TRIES: u32 = 3;

/// Something that was told of an object.
#[derive(Clone, Debug)]
pub struct Told {
    /// The object.
    pub about: ObjectReference,
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: journal::Event,
}

/// The place to put events.
#[derive(Clone, Debug)]
pub struct Announcer {
    sender: mpsc::Sender<Told>,
    notified: Option<mpsc::Sender<Told>>,
    tally: Arc<Tally>,
}

/// The other end: sends events one after the other.
#[derive(Debug)]
pub struct Crier {
    receiver: mpsc::Receiver<Told>,
    known: HashMap<Words, (Event, Instant)>,
}

type Words = (String, String, String, String);

/// Both ends.
pub fn channel(tally: Arc<Tally>) -> (Announcer, Crier) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Announcer { sender, notified: None, tally }, Crier { receiver, known: HashMap::new() })
}

impl Announcer {
    /// Tells everything there, too.
    pub fn notifying(self, notified: mpsc::Sender<Told>) -> Self {
        Self { notified: Some(notified), ..self }
    }

    /// Tells of an object; returns at once.
    pub fn tell(&self, subject: Subject, about: &ObjectReference, event: journal::Event) {
        let name = Name::new(
            about.namespace.as_deref().unwrap_or_default(),
            about.name.as_deref().unwrap_or_default(),
        );
        tracing::info!(object = %name, reason = event.reason, "{}", event.message);
        self.tally.told(subject, &name, event.severity, &event.reason);
        let told = Told { about: about.clone(), at: Timestamp::now(), event };
        let unheard = |notified: &mpsc::Sender<Told>| notified.try_send(told.clone()).is_err();
        if self.notified.as_ref().is_some_and(unheard) {
            tracing::warn!(object = %name, "too many notifications wait to be sent, one is dropped");
        }
        if self.sender.try_send(told).is_err() {
            tracing::debug!(object = %name, "too many events wait to be sent, one is dropped");
        }
    }
}

impl Crier {
    /// Sends events until every [`Announcer`] is gone and all are sent.
    pub async fn run(mut self, performer: Performer) {
        while let Some(told) = self.receiver.recv().await {
            let now = Instant::now();
            self.known.retain(|_, (_, last)| *last + SAME > now);
            self.send(&performer, told, now).await;
        }
    }

    async fn send(&mut self, performer: &Performer, told: Told, now: Instant) {
        let words = words(&told);
        if let Some((known, last)) = self.known.get_mut(&words) {
            *known = again(known, &told);
            *last = now;
            match persist(|| performer.publish_again(known)).await {
                Err(failure) if failure.class() == Class::Stale => {}
                other => return complain(other),
            }
        }
        let event = first(&told);
        complain(persist(|| performer.publish(&event)).await);
        self.known.insert(words, (event, now));
    }
}

fn complain(sent: Result<(), Failure>) {
    if let Err(failure) = sent {
        tracing::debug!("an event was not sent: {}", crate::watch::chain(&failure));
    }
}

/// Tries again while the API server cannot answer.
async fn persist<F: Future<Output = Result<(), Failure>>>(send: impl Fn() -> F) -> Result<(), Failure> {
    let mut pause = Duration::from_millis(200);
    for _ in 1..TRIES {
        match send().await {
            Err(failure) if failure.class() == Class::Transient => tokio::time::sleep(pause).await,
            other => return other,
        }
        pause *= 4;
    }
    send().await
}

fn words(told: &Told) -> Words {
    let uid = told.about.uid.clone().unwrap_or_default();
    let name = told.about.name.clone().unwrap_or_default();
    let what = told.event.thread.as_ref().unwrap_or(&told.event.message);
    (uid, name, told.event.reason.clone(), what.clone())
}

/// An event as it is told for the first time.
fn first(told: &Told) -> Event {
    let about = &told.about;
    let name = about.name.as_deref().unwrap_or_default();
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{name}.{:x}", told.at.as_nanosecond())),
            namespace: about.namespace.clone(),
            ..ObjectMeta::default()
        },
        involved_object: about.clone(),
        reason: Some(told.event.reason.clone()),
        message: Some(told.event.message.clone()),
        type_: Some(severity_word(told.event.severity).to_owned()),
        source: Some(EventSource { component: Some(MANAGER.to_owned()), host: None }),
        reporting_component: Some(MANAGER.to_owned()),
        first_timestamp: Some(Time(told.at)),
        last_timestamp: Some(Time(told.at)),
        count: Some(1),
        ..Event::default()
    }
}

/// The same event, seen once more, in the newest words.
fn again(known: &Event, told: &Told) -> Event {
    Event {
        count: known.count.map(|count| count.saturating_add(1)),
        last_timestamp: Some(Time(told.at)),
        message: Some(told.event.message.clone()),
        ..known.clone()
    }
}

/// How events name an object.
pub fn reference(kind: &Kind, name: &Name, uid: &str, version: &str) -> ObjectReference {
    let api_version = match kind.group.as_str() {
        "" => kind.version.clone(),
        group => format!("{group}/{}", kind.version),
    };
    ObjectReference {
        api_version: Some(api_version),
        kind: Some(kind.kind.clone()),
        name: Some(name.name.clone()),
        namespace: Some(name.namespace.clone()),
        uid: Some(uid.to_owned()),
        resource_version: Some(version.to_owned()),
        field_path: None,
    }
}

#[cfg(test)]
mod tests {
    use serin_core::journal::Severity;

    use super::*;

    fn event(message: &str) -> journal::Event {
        journal::Event {
            severity: Severity::Normal,
            reason: "RolloutUpdated".to_owned(),
            message: message.to_owned(),
            write: None,
            service: None,
            thread: None,
        }
    }

    #[tokio::test]
    async fn events_wait_in_the_order_in_which_they_were_told() {
        let (announcer, mut crier) = channel(Arc::default());
        let about =
            reference(&Kind::new("argoproj.io", "v1alpha1", "Rollout"), &Name::new("n", "r"), "u", "7");
        for message in ["one", "two", "three"] {
            announcer.tell(Subject::Rollout, &about, event(message));
        }
        drop(announcer);
        let mut messages = Vec::new();
        while let Some(told) = crier.receiver.recv().await {
            messages.push(first(&told).message.unwrap());
        }
        assert_eq!(messages, ["one", "two", "three"]);
    }

    #[test]
    fn an_event_that_happens_again_is_counted() {
        let about =
            reference(&Kind::new("argoproj.io", "v1alpha1", "Rollout"), &Name::new("n", "r"), "u", "7");
        let at = Timestamp::from_second(100).unwrap();
        let told = Told { about, at, event: event("one") };
        let known = first(&told);
        let later = again(&known, &Told { at: Timestamp::from_second(160).unwrap(), ..told });
        assert_eq!(later.metadata.name, known.metadata.name);
        assert_eq!(later.count, Some(2));
        assert_eq!(
            (later.first_timestamp, known.source.unwrap().component.as_deref()),
            (Some(Time(at)), Some(MANAGER))
        );
    }

    #[test]
    fn the_newest_word_of_a_thread_replaces_the_one_before() {
        let about =
            reference(&Kind::new("argoproj.io", "v1alpha1", "AnalysisRun"), &Name::new("n", "r"), "u", "7");
        let told = |second, message: &str, thread: &str| Told {
            about: about.clone(),
            at: Timestamp::from_second(second).unwrap(),
            event: journal::Event { thread: Some(thread.to_owned()), ..event(message) },
        };
        let (one, two) = (told(100, "breach 2/3", "errors"), told(160, "breach 2/4", "errors"));
        assert_eq!(words(&one), words(&two));
        assert_ne!(
            words(&one),
            words(&told(160, "breach 2/3", "latency")),
            "another metric is another thread"
        );
        let newest = again(&first(&one), &two);
        assert_eq!((newest.message.as_deref(), newest.count), (Some("breach 2/4"), Some(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn sending_is_tried_again_only_while_the_server_cannot_answer() {
        let object = || serin_core::seen::ObjectKey::new("", "v1", "Event", "n", "e");
        for (case, failure, tries) in [
            ("silent", Failure::Silent { object: object(), after: Duration::from_secs(1) }, TRIES),
            ("broken", Failure::Unguarded { object: object() }, 1),
        ] {
            let count = std::cell::Cell::new(0);
            let broken = matches!(failure, Failure::Unguarded { .. });
            let result = persist(|| {
                count.set(count.get() + 1);
                let failure = if broken {
                    Failure::Unguarded { object: object() }
                } else {
                    Failure::Silent { object: object(), after: Duration::from_secs(1) }
                };
                std::future::ready(Err(failure))
            })
            .await;
            assert!(result.is_err());
            assert_eq!(count.get(), tries, "{case}");
        }
    }
}
