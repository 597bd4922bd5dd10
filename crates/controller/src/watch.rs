//! Performs the watch of one kind, for as long as the process lives.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
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

/// A kind that is not served is asked for again after this time.
const UNKNOWN: Duration = Duration::from_secs(10);

/// Keeps `cache` as new as the API server tells, and tells the listener. `api` is made anew after the kind was unknown.
///
/// Errors never end it: it tries again, more slowly (0.8 s to 30 s), so that a kind which is installed later is found.
pub async fn keep<T>(
    kind: Kind,
    api: impl Fn() -> BoxFuture<'static, Api<Raw>>,
    selector: Option<String>,
    cache: Arc<Cache<T>>,
    listener: impl Listener<T>,
) {
    let mut config = watcher::Config::default().timeout(WATCH_SECONDS);
    config.label_selector = selector;
    loop {
        let mut events = watcher(api().await, config.clone()).default_backoff().boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => take_in(event, &cache, &listener),
                Err(error) => {
                    complain(&kind, &cache, &error);
                    if words(&error).0 == 404 {
                        break;
                    }
                }
            }
        }
        tokio::time::sleep(UNKNOWN).await;
    }
}

fn take_in<T>(event: watcher::Event<Raw>, cache: &Cache<T>, listener: &impl Listener<T>) {
    let complete = matches!(event, watcher::Event::InitDone);
    cache.apply(event).into_iter().for_each(|change| listener.changed(change));
    if complete {
        listener.listed();
    }
}

fn complain<T>(kind: &Kind, cache: &Cache<T>, error: &watcher::Error) {
    let why = explain(kind, error);
    if cache.failed(why.clone(), Instant::now()) {
        tracing::warn!(%kind, "watch interrupted: {why}");
    } else {
        tracing::debug!(%kind, "watch interrupted again: {why}");
    }
}

/// The cause in words that say what to do.
fn explain(kind: &Kind, error: &watcher::Error) -> String {
    let (code, words) = words(error);
    match code {
        404 => format!("the API server does not know {kind}; install its CustomResourceDefinition"),
        401 | 403 => format!("no permission to list and watch {kind}: {words}"),
        _ => words,
    }
}

/// Status code, 0 when there was no answer, and what was said.
fn words(error: &watcher::Error) -> (u16, String) {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => (code(error), api_words(error)),
        watcher::Error::WatchError(status) => (status.code, status.message.clone()),
        watcher::Error::NoResourceVersion => (0, chain(error)),
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
