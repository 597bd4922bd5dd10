//! Notifies people: sends what happened to chats, pagers and webhooks, by the ConfigMap of Argo Rollouts' notifications.
//! It stands beside the work: a service that is down holds up no rollout.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use serin_core::journal::Event;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use crate::announce::Told;
use crate::caches::Caches;
use crate::exchange::Exchange;
use crate::object::Name;
use crate::tally::Tally;

mod about;
mod function;
mod message;
pub mod service;
pub mod settings;
mod store;
pub mod subscription;
pub mod template;

use about::About;
use message::Message;
use service::{Delivery, Service};
pub use store::Place;
use store::Store;

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
    store: Store,
    sending: Arc<Semaphore>,
}

/// The place to put events of which people are to be told.
pub fn channel() -> (mpsc::Sender<Told>, mpsc::Receiver<Told>) {
    mpsc::channel(WAITING)
}

impl Notifier {
    /// A notifier without settings; [`Self::follow`] reads them.
    pub fn new(caches: Arc<Caches>, exchange: Arc<Exchange>, tally: Arc<Tally>) -> Self {
        Self { caches, exchange, tally, store: Store::default(), sending: Arc::new(Semaphore::new(SENDING)) }
    }

    /// Reads the settings for as long as the process runs; returns after the first reading.
    pub async fn follow(&self, client: Client, place: Place) {
        self.store.follow(client, place).await;
    }

    /// Notifies of events until nobody tells any more.
    pub async fn run(self, mut told: mpsc::Receiver<Told>) {
        while let Some(told) = told.recv().await {
            let namespace = told.about.namespace.as_deref().unwrap_or_default();
            let mut all = self.store.seeing(namespace);
            all.retain(|settings| !settings.services.is_empty());
            if all.is_empty() {
                continue;
            }
            let Some(about) = About::of(&self.caches, &told) else { continue };
            for message in message::messages(&all, &told, &about) {
                self.send(message, &about.name, &told.event).await;
            }
        }
    }

    async fn send(&self, message: Message, name: &Name, event: &Event) {
        let Message { to, service, template, content } = message;
        let reason = event.reason.clone();
        let (tally, name, severity, begun) =
            (self.tally.clone(), name.clone(), event.severity, Instant::now());
        let count = move |reason: &str, taken: bool| {
            tally.notified(&name, severity, reason, begun.elapsed(), taken);
        };
        let deliveries = match service.deliveries(&content, &template, &to.recipient, Timestamp::now()) {
            Ok(deliveries) => deliveries,
            Err(why) => {
                count(&reason, false);
                return tracing::warn!(service = to.service, reason, "a notification cannot be sent: {why}");
            }
        };
        for delivery in deliveries {
            let Ok(permit) = self.sending.clone().acquire_owned().await else { return };
            let (exchange, service, count) = (self.exchange.clone(), service.clone(), count.clone());
            let (named, reason) = (to.service.clone(), reason.clone());
            tokio::spawn(async move {
                let _permit = permit;
                let taken = persist(&exchange, &service, &delivery).await;
                count(&reason, taken.is_ok());
                if let Err(why) = taken {
                    tracing::warn!(service = named, reason, "a notification was not taken: {why}");
                }
            });
        }
    }
}

/// Tries again while that may help.
async fn persist(exchange: &Exchange, service: &Service, delivery: &Delivery) -> Result<(), String> {
    let mut pauses = PAUSES.into_iter();
    loop {
        let (why, again) = match attempt(exchange, service, delivery).await {
            Ok(()) => return Ok(()),
            Err(refused) => refused,
        };
        let Some(pause) = pauses.next().filter(|_| again) else { return Err(why) };
        tokio::time::sleep(pause).await;
    }
}

/// Sends once; the error says why it was not taken, and whether it may be tried again.
async fn attempt(exchange: &Exchange, service: &Service, delivery: &Delivery) -> Result<(), (String, bool)> {
    match delivery {
        Delivery::Mail(mail) => mail.send().await,
        Delivery::Http(request) => {
            let response = exchange.send(request).await.map_err(|why| (why, true))?;
            let again = matches!(response.status, 408 | 429 | 500..);
            service.refusal(&response).map_or(Ok(()), |why| Err((why, again)))
        }
    }
}
