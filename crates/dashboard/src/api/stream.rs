//! Answers what is asked for as long as somebody looks: as server-sent events, or as lines of JSON for gateways.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};

use super::{Known, read};
use crate::access::Caller;
use crate::app::{App, scope};
use crate::cache::Changed;
use crate::failure::{Failure, Kind};
use crate::feed::{Feed, Message};
use crate::table::Place;

/// Silence after which a comment is sent, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Changes within this time are told together.
const GATHERED: Duration = Duration::from_millis(150);
/// Streams end after this time where tokens are needed, so that whoever lost their rights sees no more.
const LIMIT: Duration = Duration::from_secs(300);
/// Messages on their way to a slow client.
const BACKLOG: usize = 16;

/// `GET rollouts/{namespace}/info/watch`; the namespace `*` stands for all that the caller may see.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Known,
    Path(namespace): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if let Some(namespace) = scope(&namespace) {
        app.access.see(&caller, namespace).await?;
    }
    let (to, from) = mpsc::channel(BACKLOG);
    spawn(
        Arc::clone(&app),
        to.clone(),
        async move { tell_list(&app, &caller, scope(&namespace), &to).await },
    );
    Ok(answer(&headers, from))
}

/// `GET rollouts/{namespace}/{name}/info/watch`.
pub(super) async fn one(
    State(app): State<Arc<App>>,
    caller: Known,
    Path((namespace, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    app.ready().await?;
    let place = Place::new(&namespace, &name);
    app.access.see(&caller, &namespace).await?;
    if app.cache.seen(&place).is_none() {
        return Err(read::missing(&place));
    }
    let (to, from) = mpsc::channel(BACKLOG);
    spawn(Arc::clone(&app), to.clone(), async move { tell_one(&app, &caller, &place, &to).await });
    Ok(answer(&headers, from))
}

/// Why a stream ends.
enum End {
    /// The client has gone.
    Gone,
    /// It cannot be told on; the client may come back.
    Failed(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

type To = mpsc::Sender<Message>;

/// Runs a stream until it ends by itself, its client goes, its time is over, or the dashboard ends.
fn spawn(app: Arc<App>, to: To, telling: impl Future<Output = Result<(), End>> + Send + 'static) {
    let by_token = app.access.by_token();
    let mut ending = app.ending.clone();
    tokio::spawn(async move {
        let limit = async {
            match by_token {
                true => tokio::time::sleep(LIMIT).await,
                false => std::future::pending().await,
            }
        };
        let ended = async {
            // An error says that nobody is left to end the dashboard.
            drop(ending.wait_for(|ending| *ending).await);
        };
        tokio::select! {
            end = telling => {
                if let Err(End::Failed(failure)) = end {
                    let _ = to.send(Message::Named("failed", json!({"message": failure.message}))).await;
                }
            }
            () = to.closed() => {}
            () = limit => {}
            () = ended => {}
        }
    });
}

async fn send(to: &To, message: Message) -> Result<(), End> {
    to.send(message).await.map_err(|_| End::Gone)
}

async fn tell_list(app: &App, caller: &Caller, namespace: Option<&str>, to: &To) -> Result<(), End> {
    let mut heard = app.cache.listen();
    let mut feed = Feed::default();
    let mut news = News { everything: true, notes: true, ..News::default() };
    loop {
        let mut places = news.places;
        if news.everything {
            places.extend(feed.known());
            places.extend(app.cache.places(namespace));
        }
        for place in
            places.iter().filter(|place| namespace.is_none_or(|namespace| place.namespace == namespace))
        {
            let now = app.row(caller, place).await?;
            if let Some(message) = feed.tell(place, now) {
                send(to, message).await?;
            }
        }
        if news.everything || news.notes {
            send(to, state(app)).await?;
        }
        news = gather(&mut heard).await;
    }
}

async fn tell_one(app: &App, caller: &Caller, place: &Place, to: &To) -> Result<(), End> {
    let mut heard = app.cache.listen();
    let mut sent = Value::Null;
    let mut look = None;
    send(to, state(app)).await?;
    loop {
        let Some((info, held)) = app.whole(caller, place).await? else {
            return send(
                to,
                Message::Named("gone", json!({"name": place.name, "namespace": place.namespace})),
            )
            .await;
        };
        // Held until the next one is there, so that the watch of the pods goes on.
        let _ = std::mem::replace(&mut look, held);
        let now =
            serde_json::to_value(info).map_err(|why| Failure::new(Kind::Unavailable, why.to_string()))?;
        if now != sent {
            send(to, Message::Result(now.clone())).await?;
            sent = now;
        }
        loop {
            let news = gather(&mut heard).await;
            if news.notes {
                send(to, state(app)).await?;
            }
            if news.everything || news.places.contains(place) {
                break;
            }
        }
    }
}

/// What the pages show besides Rollouts: whether everything is listed, and what does not work.
fn state(app: &App) -> Message {
    Message::Named("state", json!({"ready": app.cache.ready(), "notes": app.cache.notes()}))
}

#[derive(Debug, Default)]
struct News {
    places: BTreeSet<Place>,
    everything: bool,
    notes: bool,
}

impl News {
    fn add(&mut self, changed: Changed) {
        match changed {
            Changed::Rollout(place) => drop(self.places.insert(place)),
            Changed::Everything => self.everything = true,
            Changed::Notes => self.notes = true,
        }
    }
}

/// Waits for a change, and takes with it those that follow at once.
async fn gather(heard: &mut broadcast::Receiver<Changed>) -> News {
    let mut news = News::default();
    match heard.recv().await {
        Ok(changed) => news.add(changed),
        Err(RecvError::Lagged(_)) => news.everything = true,
        Err(RecvError::Closed) => return std::future::pending().await,
    }
    tokio::time::sleep(GATHERED).await;
    loop {
        match heard.try_recv() {
            Ok(changed) => news.add(changed),
            Err(broadcast::error::TryRecvError::Lagged(_)) => news.everything = true,
            Err(_) => return news,
        }
    }
}

fn answer(headers: &HeaderMap, mut from: mpsc::Receiver<Message>) -> Response {
    let messages = stream::poll_fn(move |context| from.poll_recv(context));
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepted.contains("text/event-stream") {
        // Proxies that collect answers would show everything late (nginx reads this header).
        let unbuffered = [("x-accel-buffering", "no")];
        return (unbuffered, Sse::new(events(messages)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
            .into_response();
    }
    let lines = messages.filter_map(|message| async {
        let Message::Result(value) = message else { return None };
        Some(Ok::<_, Infallible>(Bytes::from(format!("{}\n", json!({"result": value})))))
    });
    ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(lines)).into_response()
}

fn events(messages: impl Stream<Item = Message>) -> impl Stream<Item = Result<Event, Infallible>> {
    messages.map(|message| {
        Ok(match message {
            Message::Result(value) => Event::default().data(json!({"result": value}).to_string()),
            Message::Named(name, value) => Event::default().event(name).data(value.to_string()),
        })
    })
}
