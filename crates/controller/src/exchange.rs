//! Performs HTTP requests to whatever is not the API server: one client for all, few requests at a time to each host,
//! those that are down spared for a moment, nothing secret in errors.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::{Client, Method, Url};
use serin_analysis::provider::{Request, Response};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::breaker::Breaker;
use crate::watch::chain;

/// Requests to one host at the same time: a fleet of runs must not be what brings the provider down.
const PER_HOST: usize = 16;
/// An answer larger than this is given up: it is no metric.
const LARGEST: usize = 16 << 20;
/// A host that nobody asked for this long is forgotten.
const FORGET: Duration = Duration::from_secs(3600);

#[derive(Debug)]
struct Host {
    permits: Semaphore,
    breaker: Mutex<Breaker>,
    asked: Mutex<Instant>,
}

impl Host {
    fn new() -> Self {
        let now = Instant::now();
        Self { permits: Semaphore::new(PER_HOST), breaker: Mutex::default(), asked: Mutex::new(now) }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends requests.
#[derive(Debug)]
pub struct Exchange {
    client: Client,
    trusting: Client,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

impl Exchange {
    /// Makes the clients. Where the system has no certificates to trust, as in an image made from scratch, providers
    /// behind `http://` can be asked all the same, and others say that their certificate is not trusted.
    ///
    /// # Errors
    /// When there is no usable TLS at all.
    pub fn new() -> reqwest::Result<Self> {
        let builder = || Client::builder().user_agent(crate::AGENT).connect_timeout(Duration::from_secs(10));
        let client = builder().build().or_else(|error| {
            tracing::warn!("providers behind https cannot be trusted: {}", chain(&error));
            builder().tls_certs_only([]).build()
        })?;
        let trusting = builder().tls_certs_only([]).danger_accept_invalid_certs(true).build()?;
        Ok(Self { client, trusting, hosts: Mutex::default() })
    }

    /// Sends a request as it is: its login is none of this module's business.
    ///
    /// # Errors
    /// Why there was no answer, without the address, which may hold a secret.
    pub async fn send(&self, request: &Request) -> Result<Response, String> {
        // The address itself is not shown: it may hold a secret.
        let url = Url::parse(&request.url).map_err(|error| format!("the address cannot be read: {error}"))?;
        let host = self.host(&url.origin().ascii_serialization());
        let timeout = request.timeout.max(Duration::from_millis(1));
        host.breaker().admit(Instant::now(), timeout)?;
        let exchange = async {
            let _permit = host.permits.acquire().await;
            self.perform(request, url).await
        };
        let answer = match tokio::time::timeout(timeout, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {} s", timeout.as_secs_f64())),
        };
        match &answer {
            Ok(_) => host.breaker().answered(),
            Err(why) => host.breaker().silent(why, Instant::now()),
        }
        answer
    }

    fn host(&self, origin: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let asked = |host: &Host| *host.asked.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.retain(|_, host| asked(host) + FORGET > now);
        let host = hosts.entry(origin.to_owned()).or_insert_with(|| Arc::new(Host::new())).clone();
        *host.asked.lock().unwrap_or_else(PoisonError::into_inner) = now;
        host
    }

    async fn perform(&self, request: &Request, url: Url) -> Result<Response, String> {
        let client = if request.insecure { &self.trusting } else { &self.client };
        let method = Method::from_bytes(request.method.as_bytes()).unwrap_or(Method::GET);
        let mut sending = client.request(method, url);
        for (name, value) in &request.headers {
            sending = sending.header(name, value);
        }
        if let Some(body) = &request.body {
            sending = sending.body(body.clone());
        }
        let mut answer = sending.send().await.map_err(explain)?;
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(explain)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(format!("the answer is larger than {} MiB", LARGEST >> 20));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

fn explain(error: reqwest::Error) -> String {
    chain(&error.without_url())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::SeqCst;

    use axum::Router;
    use axum::routing::get;
    use serin_analysis::provider::Login;
    use tokio::net::TcpListener;

    use super::*;

    fn request(url: &str) -> Request {
        Request {
            method: "GET",
            url: url.to_owned(),
            headers: vec![("X-Token".to_owned(), "hunter2".to_owned())],
            body: None,
            timeout: Duration::from_millis(300),
            insecure: false,
            login: Login::Complete,
        }
    }

    fn exchange() -> Exchange {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Exchange::new().unwrap()
    }

    async fn serve(router: Router) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn an_answer_is_given_whatever_its_status() {
        let unavailable = (axum::http::StatusCode::SERVICE_UNAVAILABLE, "later");
        let base = serve(Router::new().route("/q", get(async move || unavailable))).await;
        let response = exchange().send(&request(&format!("{base}/q"))).await.unwrap();
        assert_eq!(response, Response { status: 503, body: "later".to_owned() });
    }

    #[tokio::test]
    async fn a_slow_or_closed_door_is_said_without_the_address() {
        let slow = async || tokio::time::sleep(Duration::from_secs(5)).await;
        let base = serve(Router::new().route("/q", get(slow))).await;
        let exchange = exchange();
        let why = exchange.send(&request(&format!("{base}/q?key=hunter2"))).await.unwrap_err();
        assert_eq!(why, "no answer within 0.3 s");
        let why = exchange.send(&request("http://127.0.0.1:1/q?key=hunter2")).await.unwrap_err();
        assert!(why.contains("refused") && !why.contains("hunter2"), "{why}");
        let why = exchange.send(&request("no address, hunter2")).await.unwrap_err();
        assert!(!why.contains("hunter2"), "{why}");
    }

    #[tokio::test]
    async fn a_host_that_is_down_is_not_asked_by_everybody_and_others_are_asked_as_before() {
        let exchange = exchange();
        for _ in 0..3 {
            exchange.send(&request("http://127.0.0.1:1/")).await.unwrap_err();
        }
        let why = exchange.send(&request("http://127.0.0.1:1/other")).await.unwrap_err();
        assert!(why.contains("spared for a moment"), "{why}");
        let base = serve(Router::new().route("/q", get(async || "up"))).await;
        assert_eq!(exchange.send(&request(&format!("{base}/q"))).await.unwrap().body, "up");
    }

    #[tokio::test]
    async fn a_host_is_asked_a_few_questions_at_a_time() {
        let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counted = (open.clone(), most.clone());
        let hold = async move || {
            let now = counted.0.fetch_add(1, SeqCst) + 1;
            counted.1.fetch_max(now, SeqCst);
            tokio::time::sleep(Duration::from_millis(50)).await;
            counted.0.fetch_sub(1, SeqCst);
        };
        let base = serve(Router::new().route("/q", get(hold))).await;
        let exchange = Arc::new(exchange());
        let asked = Request { timeout: Duration::from_secs(60), ..request(&format!("{base}/q")) };
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..3 * PER_HOST {
            let (exchange, asked) = (exchange.clone(), asked.clone());
            all.spawn(async move { exchange.send(&asked).await });
        }
        assert!(all.join_all().await.iter().all(Result::is_ok));
        let most = most.load(SeqCst);
        assert!(most > 1 && most <= PER_HOST, "{most} at a time");
    }
}
