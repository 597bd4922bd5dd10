//! Performs the watch of one kind, for as long as the process lives.

use std::sync::Arc;

use futures::StreamExt;
use kube::api::Api;
use kube::runtime::{WatchStreamExt, watcher};
use tokio::time::Instant;

use crate::cache::{Cache, Change};
use crate::object::{Kind, Raw};

/// Seconds after which the API server ends a watch that goes on by itself. A connection that died silently is noticed
/// after this time and 5 s (kube-runtime watcher, `WATCH_IDLE_TIMEOUT_MARGIN`).
const WATCH_SECONDS: u32 = 120;

/// What is to happen when a watch brings something.
pub trait Listener<T> {
    /// An object came, changed or went.
    fn changed(&self, change: Change<T>);

    /// All objects are known now.
    fn listed(&self);
}

/// Keeps `cache` as new as the API server tells, and tells the listener.
///
/// Errors never end it: it tries again, more slowly (0.8 s to 30 s), so that a kind which is installed later is found.
pub async fn keep<T>(
    kind: Kind,
    api: Api<Raw>,
    selector: Option<String>,
    cache: Arc<Cache<T>>,
    listener: impl Listener<T>,
) {
    let mut config = watcher::Config::default().timeout(WATCH_SECONDS);
    config.label_selector = selector;
    let mut events = watcher(api, config).default_backoff().boxed();
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                let complete = matches!(event, watcher::Event::InitDone);
                cache.apply(event).into_iter().for_each(|change| listener.changed(change));
                if complete {
                    listener.listed();
                }
            }
            Err(error) => {
                let why = explain(&kind, &error);
                if cache.failed(why.clone(), Instant::now()) {
                    tracing::warn!(%kind, "watch interrupted: {why}");
                } else {
                    tracing::debug!(%kind, "watch interrupted again: {why}");
                }
            }
        }
    }
}

/// The cause in words that say what to do.
fn explain(kind: &Kind, error: &watcher::Error) -> String {
    let (code, words) = match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => (code(error), api_words(error)),
        watcher::Error::WatchError(status) => (status.code, status.message.clone()),
        watcher::Error::NoResourceVersion => (0, chain(error)),
    };
    match code {
        404 => format!("the API server does not know {kind}; install its CustomResourceDefinition"),
        401 | 403 => format!("no permission to list and watch {kind}: {words}"),
        _ => words,
    }
}

fn code(error: &kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        _ => 0,
    }
}

/// An error of the client in one line: what the API server said, or why it could not be asked.
pub fn api_words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        kube::Error::Api(status) => format!("{} ({})", status.reason, status.code),
        other => chain(other),
    }
}

/// An error with its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
