//! Sends the requests of a burst: so many in all, so many at a time, and for no longer than it may last.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, Url};
use tokio::time::{Instant, timeout};

use super::{Answer, Outcome};
use crate::http::cause;

/// Bytes of an answer that are read at most.
const LARGEST: usize = 1 << 20;

/// What is sent.
#[derive(Clone, Debug)]
pub struct Burst {
    /// Where to.
    pub url: Url,
    /// The method.
    pub method: Method,
    /// Headers of every request.
    pub headers: HeaderMap,
    /// Body of every request.
    pub body: Option<String>,
    /// How many requests at most.
    pub requests: usize,
    /// How many of them at a time.
    pub concurrency: usize,
    /// No request begins later than this.
    pub duration: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// Sends the burst; the answers, and how long it took. It ends within `duration + timeout`.
pub async fn send(client: &Client, burst: &Burst) -> (Vec<Answer>, Duration) {
    let begun = Instant::now();
    let sent = AtomicUsize::new(0);
    let one_after_the_other = || async {
        let mut answers = Vec::new();
        while begun.elapsed() < burst.duration && sent.fetch_add(1, Ordering::Relaxed) < burst.requests {
            answers.push(one(client, burst).await);
        }
        answers
    };
    let workers = burst.concurrency.min(burst.requests);
    let answers = join_all((0..workers).map(|_| one_after_the_other())).await;
    (answers.into_iter().flatten().collect(), begun.elapsed())
}

async fn one(client: &Client, burst: &Burst) -> Answer {
    let begun = Instant::now();
    let outcome = match timeout(burst.timeout, exchange(client, burst)).await {
        Ok(Ok(status)) => Outcome::Status(status),
        Ok(Err(why)) => Outcome::Broken(why),
        Err(_) => Outcome::Late,
    };
    Answer { took: begun.elapsed(), outcome }
}

async fn exchange(client: &Client, burst: &Burst) -> Result<u16, String> {
    let mut request = client.request(burst.method.clone(), burst.url.clone()).headers(burst.headers.clone());
    if let Some(body) = &burst.body {
        request = request.body(body.clone());
    }
    let mut answer = request.send().await.map_err(cause)?;
    let status = answer.status().as_u16();
    let mut read = 0;
    while let Some(chunk) = answer.chunk().await.map_err(cause)? {
        read += chunk.len();
        if read > LARGEST {
            break;
        }
    }
    Ok(status)
}
