//! Answers requests under `/<root>/api/v1`, by the paths of the Argo dashboard (compat 5.4), and serves the pages.

mod act;
mod read;
mod stream;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, put};
use axum::{Extension, Router};

use crate::access::Caller;
use crate::app::App;
use crate::asset::{self, Pages};
use crate::failure::{Failure, Kind};

/// Bytes of the largest body that a client has reason to send.
const BODY: usize = 16 * 1024;

/// Headers of every answer: nothing from elsewhere is loaded, nobody else may frame the page or read the answers.
const SECURITY: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// All routes; `root` is the path under which everything lies, without slashes at its ends, or empty.
pub fn router(app: Arc<App>, root: &str) -> Router {
    let v1 = v1().fallback(unknown).layer(middleware::from_fn_with_state(Arc::clone(&app), identify));
    let pages = asset::pages(root);
    let prefix = if root.is_empty() { String::new() } else { format!("/{root}") };
    let state = Arc::clone(&app);
    Router::new()
        .nest(&format!("{prefix}/api/v1"), v1)
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .fallback(move |request: Request| {
            let answer = page(&pages, &prefix, &request);
            async move { answer }
        })
        .layer(DefaultBodyLimit::max(BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), door))
        .layer(middleware::map_response(secure))
        .with_state(state)
}

fn v1() -> Router<Arc<App>> {
    Router::new()
        .route("/version", get(read::version))
        .route("/session", get(read::session))
        .route("/namespace", get(read::namespaces))
        .route("/rollouts/{namespace}/info", get(read::list))
        .route("/rollouts/{namespace}/info/watch", get(stream::list))
        .route("/rollouts/{namespace}/{name}/info", get(read::one))
        .route("/rollouts/{namespace}/{name}/info/watch", get(stream::one))
        .route("/rollouts/{namespace}/{name}/promote", put(act::promote))
        .route("/rollouts/{namespace}/{name}/abort", put(act::abort))
        .route("/rollouts/{namespace}/{name}/retry", put(act::retry))
        .route("/rollouts/{namespace}/{name}/restart", put(act::restart))
        .route("/rollouts/{namespace}/{name}/set/{container}/{*image}", put(act::set_image))
        .route("/rollouts/{namespace}/{name}/undo/{revision}", put(act::undo))
}

/// The pages lie below the prefix; who comes without it is sent there.
fn page(pages: &Pages, prefix: &str, request: &Request) -> Response {
    let path = request.uri().path();
    match path.strip_prefix(prefix) {
        Some(below) if below.is_empty() || below.starts_with('/') => pages.answer(request.method(), below),
        _ if path == "/" => Redirect::temporary(&format!("{prefix}/")).into_response(),
        _ => (StatusCode::NOT_FOUND, format!("there is nothing here; the dashboard is at {prefix}/"))
            .into_response(),
    }
}

async fn unknown(request: Request) -> Failure {
    Failure::new(Kind::NotFound, format!("there is nothing at {} {}", request.method(), request.uri().path()))
}

async fn readyz(State(app): State<Arc<App>>) -> Response {
    if app.cache.ready() {
        return "ok".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, "the Rollouts are not listed yet").into_response()
}

async fn door(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    // Probes come from the node, by address.
    let probe = ["/healthz", "/readyz"].contains(&request.uri().path());
    match app.door.check(request.method(), request.headers()) {
        Err(failure) if !probe => failure.into_response(),
        _ => next.run(request).await,
    }
}

async fn identify(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    mut request: Request,
    next: Next,
) -> Response {
    match app.access.caller(&headers).await {
        Err(failure) => failure.into_response(),
        Ok(caller) => {
            request.extensions_mut().insert::<Caller>(caller);
            let mut answer = next.run(request).await;
            answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            answer
        }
    }
}

async fn secure(mut answer: Response) -> Response {
    for (name, value) in SECURITY {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

type Known = Extension<Caller>;

#[cfg(test)]
mod tests;
