//! Requests against the router, with a cache filled by hand and no cluster behind it.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use futures::StreamExt;
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::core::DeserializeGuard;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};
use serin_api::{AnalysisRun, Rollout};
use tokio::sync::watch;
use tower::ServiceExt;

use super::router;
use crate::access::{Access, Reviewer};
use crate::app::App;
use crate::cache::Cache;
use crate::guard::Door;
use crate::pods::Pods;
use crate::sample::{Register, guarded, paused, pod, replica_set, rollout, run, updating};

/// Two namespaces: `web` with an update at its pause, `pay` with a healthy Rollout.
fn filled() -> Cache {
    let cache = Cache::default();
    let other = json!({"metadata": {"name": "till", "namespace": "pay", "uid": "uid-till"}});
    cache.take::<DeserializeGuard<Rollout>>(Event::Init);
    cache.take(Event::InitApply(guarded(updating(1, paused("CanaryPauseStep")))));
    cache.take(Event::InitApply(guarded(rollout(other))));
    cache.take::<DeserializeGuard<Rollout>>(Event::InitDone);
    cache.take::<ReplicaSet>(Event::InitDone);
    cache.take(Event::Apply(replica_set("aaa", 2, "shop:v1", 4, json!({}))));
    cache.take(Event::Apply(replica_set("bbb", 3, "shop:v2", 1, json!({}))));
    cache.take::<DeserializeGuard<AnalysisRun>>(Event::InitDone);
    cache.take(Event::Apply(guarded(run(json!({})))));
    cache
}

struct Dashboard {
    router: Router,
    cache: Arc<Cache>,
    end: watch::Sender<bool>,
}

fn dashboard(reviewer: Option<Arc<dyn Reviewer>>, actions: bool) -> Dashboard {
    let (end, ending) = watch::channel(false);
    let cache = Arc::new(filled());
    let app = App {
        pods: Pods::Given(vec![Arc::new(pod("bbb", "x", json!({})))]),
        door: if reviewer.is_some() { Door::Token { public: None } } else { Door::Loopback },
        access: Access::new(reviewer, actions),
        cluster: None,
        home: "web".to_owned(),
        cache: Arc::clone(&cache),
        ending,
    };
    Dashboard { router: router(Arc::new(app), "rollouts"), cache, end }
}

fn open() -> Dashboard {
    dashboard(None, true)
}

fn for_people(actions: bool) -> Dashboard {
    dashboard(Some(Arc::new(Register::default())), actions)
}

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost:3100");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

async fn ask(dashboard: &Dashboard, method: &str, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
    dashboard.router.clone().oneshot(request(method, path, headers)).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
}

async fn value(dashboard: &Dashboard, path: &str) -> Value {
    let path = format!("/rollouts/api/v1/{path}");
    serde_json::from_str(&text(ask(dashboard, "GET", &path, &[]).await).await).unwrap()
}

#[tokio::test]
async fn the_paths_of_the_argo_dashboard_answer() {
    let dashboard = open();
    assert_eq!(value(&dashboard, "version").await, json!({"rolloutsVersion": env!("CARGO_PKG_VERSION")}));
    assert_eq!(
        value(&dashboard, "namespace").await,
        json!({"namespace": "web", "availableNamespaces": ["pay", "web"]})
    );
    let names = |list: &Value| -> Vec<String> {
        let all = list["rollouts"].as_array().unwrap();
        all.iter().map(|info| info["objectMeta"]["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&value(&dashboard, "rollouts/web/info").await), ["shop"]);
    assert_eq!(names(&value(&dashboard, "rollouts/*/info").await), ["till", "shop"]);
    assert_eq!(names(&value(&dashboard, "rollouts/empty/info").await), Vec::<String>::new());
    let info = value(&dashboard, "rollouts/web/shop/info").await;
    assert_eq!(info["step"], "1/4");
    assert_eq!(info["replicaSets"][0]["pods"][0]["objectMeta"]["name"], "shop-bbb-x");
    assert_eq!(info["analysisRuns"][0]["specAndStatus"]["status"]["phase"], "Running");
    assert_eq!(info["serin"]["runs"][0]["role"], "step 3");
}

#[tokio::test]
async fn what_does_not_exist_is_said_by_name() {
    let dashboard = open();
    for (path, message) in [
        ("rollouts/web/ship/info", "rollout \"ship\" in namespace \"web\" does not exist"),
        ("rollouts/web/ship/info/watch", "rollout \"ship\" in namespace \"web\" does not exist"),
        ("rollout/web/shop", "there is nothing at GET /rollout/web/shop"),
    ] {
        let response = ask(&dashboard, "GET", &format!("/rollouts/api/v1/{path}"), &[]).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let body: Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(body, json!({"error": message, "message": message, "code": 5}));
    }
}

#[tokio::test]
async fn the_page_is_served_for_every_address_that_it_knows() {
    let dashboard = open();
    for (path, status, kind) in [
        ("/", StatusCode::TEMPORARY_REDIRECT, ""),
        ("/rollouts", StatusCode::OK, "text/html; charset=utf-8"),
        ("/rollouts/", StatusCode::OK, "text/html; charset=utf-8"),
        ("/rollouts/rollout/web/shop.v1", StatusCode::OK, "text/html; charset=utf-8"),
        ("/rollouts/assets/app.js", StatusCode::OK, "text/javascript; charset=utf-8"),
        ("/rollouts/assets/none.js", StatusCode::NOT_FOUND, "text/plain; charset=utf-8"),
        ("/rollouts/api/v2/version", StatusCode::NOT_FOUND, "text/plain; charset=utf-8"),
        ("/rolloutsx", StatusCode::NOT_FOUND, "text/plain; charset=utf-8"),
        ("/elsewhere", StatusCode::NOT_FOUND, "text/plain; charset=utf-8"),
        ("/healthz", StatusCode::OK, "text/plain; charset=utf-8"),
        ("/readyz", StatusCode::OK, "text/plain; charset=utf-8"),
    ] {
        let response = ask(&dashboard, "GET", path, &[]).await;
        assert_eq!(response.status(), status, "{path}");
        let found = response.headers().get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap());
        assert_eq!(found.unwrap_or_default(), kind, "{path}");
        let policy = response.headers().get(header::CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
        assert!(policy.starts_with("default-src 'self';"), "{path}");
        assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
    let page = text(ask(&dashboard, "GET", "/rollouts/rollout/web/shop", &[]).await).await;
    assert!(page.contains("<base href=\"/rollouts/\">"));
}

#[tokio::test]
async fn requests_from_nobody_and_from_other_sites_are_refused() {
    let ann = ("authorization", "Bearer ann-token");
    let bob = ("authorization", "Bearer bob-token");
    let own = ("x-serin-dashboard", "1");
    let (list, abort, undo) = ("rollouts/web/info", "rollouts/web/shop/abort", "rollouts/web/shop/undo/1");
    let (open, shows, people) = (open(), dashboard(None, false), for_people(true));
    // 503: let in, and only the cluster is missing in tests.
    for (dashboard, method, path, headers, status) in [
        (&open, "GET", list, vec![], 200),
        (&open, "GET", list, vec![("host", "evil.example")], 403),
        (&open, "PUT", abort, vec![], 403),
        (&open, "PUT", abort, vec![own, ("origin", "https://evil.example")], 403),
        (&open, "PUT", abort, vec![own, ("origin", "http://localhost:3100")], 503),
        (&open, "POST", abort, vec![own], 405),
        (&shows, "PUT", abort, vec![own], 403),
        (&people, "GET", list, vec![], 401),
        (&people, "GET", "session", vec![], 401),
        (&people, "GET", "version", vec![], 401),
        (&people, "GET", list, vec![("authorization", "Bearer forged")], 401),
        (&people, "GET", list, vec![ann], 200),
        (&people, "GET", list, vec![bob], 403),
        (&people, "GET", "rollouts/web/info/watch", vec![bob], 403),
        (&people, "GET", "rollouts/web/shop/info", vec![bob], 403),
        (&people, "GET", "rollouts/web/shop/info/watch", vec![bob], 403),
        (&people, "GET", "rollouts/web/ship/info", vec![bob], 403),
        (&people, "PUT", abort, vec![own], 401),
        (&people, "PUT", abort, vec![ann], 403),
        (&people, "PUT", abort, vec![bob, own], 403),
        (&people, "PUT", abort, vec![ann, own], 503),
        (&people, "PUT", undo, vec![ann, own], 403),
    ] {
        let host = headers.iter().find(|(name, _)| *name == "host").copied();
        let mut request = request(method, &format!("/rollouts/api/v1/{path}"), &headers);
        if let Some((_, host)) = host {
            request.headers_mut().insert(header::HOST, host.parse().unwrap());
        }
        let response = dashboard.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{method} {path} {headers:?}");
        assert_eq!(response.headers().contains_key(header::WWW_AUTHENTICATE), status == 401);
    }
}

#[tokio::test]
async fn a_list_of_all_namespaces_leaves_out_what_one_may_not_see() {
    let people = for_people(false);
    for (token, expected) in [("Bearer ann-token", 2), ("Bearer bob-token", 0)] {
        let response =
            ask(&people, "GET", "/rollouts/api/v1/rollouts/*/info", &[("authorization", token)]).await;
        let list: Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(list["rollouts"].as_array().unwrap().len(), expected, "{token}");
    }
}

#[tokio::test]
async fn only_what_the_caller_may_do_is_offered() {
    let offers = |info: &Value| -> Vec<String> {
        let offers = info["serin"]["offers"].as_array();
        offers.into_iter().flatten().map(|offer| offer["title"].as_str().unwrap().to_owned()).collect()
    };
    let info = value(&open(), "rollouts/web/shop/info").await;
    assert_eq!(
        offers(&info),
        ["Promote", "Promote fully", "Abort", "Restart pods", "Back to revision 2 (stable)"]
    );
    assert_eq!(info["serin"]["images"], true);
    let people = for_people(true);
    let response = ask(
        &people,
        "GET",
        "/rollouts/api/v1/rollouts/web/shop/info",
        &[("authorization", "Bearer ann-token")],
    )
    .await;
    let info: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(offers(&info), ["Promote", "Promote fully", "Abort"]);
    assert_eq!(info["serin"].get("images"), None);
    let info = value(&dashboard(None, false), "rollouts/web/shop/info").await;
    assert_eq!(info["serin"].get("offers"), None);
}

/// Reads a stream until it has told what is expected, message by message.
struct Listener(futures::stream::BoxStream<'static, String>);

impl Listener {
    async fn begin(dashboard: &Dashboard, path: &str, headers: &[(&str, &str)]) -> Self {
        let response = ask(dashboard, "GET", &format!("/rollouts/api/v1/{path}"), headers).await;
        assert_eq!(response.status(), StatusCode::OK);
        let frames = response.into_body().into_data_stream();
        Self(frames.map(|frame| String::from_utf8(frame.unwrap().to_vec()).unwrap()).boxed())
    }

    async fn next(&mut self) -> Option<String> {
        self.0.next().await
    }

    /// The type and the name of the next message of a list.
    async fn told(&mut self) -> (String, String) {
        let frame = self.next().await.unwrap();
        let data = frame.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
        let message: Value = serde_json::from_str(data).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let result = &message["result"];
        (text(&result["type"]), text(&result["rolloutInfo"]["objectMeta"]["name"]))
    }
}

const EVENTS: (&str, &str) = ("accept", "text/event-stream");

#[tokio::test(start_paused = true)]
async fn a_list_is_told_as_it_changes_and_deletions_too() {
    let dashboard = open();
    let mut stream = Listener::begin(&dashboard, "rollouts/web/info/watch", &[EVENTS]).await;
    let pair = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
    assert_eq!(stream.told().await, pair("Added", "shop"));
    assert_eq!(stream.next().await.unwrap(), "event: state\ndata: {\"notes\":[],\"ready\":true}\n\n");
    dashboard.cache.take(Event::Apply(guarded(updating(2, json!({})))));
    assert_eq!(stream.told().await, pair("Updated", "shop"));
    dashboard.cache.take(Event::Apply(guarded(updating(2, json!({})))));
    dashboard
        .cache
        .take(Event::Apply(guarded(rollout(json!({"metadata": {"name": "other", "namespace": "pay"}})))));
    dashboard.cache.take(Event::Delete(guarded(updating(2, json!({})))));
    assert_eq!(stream.told().await, pair("Deleted", "shop"));
    dashboard.cache.trouble("ReplicaSets", "the watch broke off".to_owned());
    assert_eq!(
        stream.next().await.unwrap(),
        "event: state\ndata: {\"notes\":[\"the watch broke off\"],\"ready\":true}\n\n"
    );
    assert_eq!(
        stream.next().await.unwrap(),
        ":\n\n",
        "silence is broken, so that proxies keep the connection"
    );
    dashboard.end.send(true).unwrap();
    assert_eq!(stream.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn one_rollout_is_told_as_it_changes_until_it_is_gone() {
    let dashboard = open();
    let mut stream = Listener::begin(&dashboard, "rollouts/web/shop/info/watch", &[EVENTS]).await;
    assert!(stream.next().await.unwrap().starts_with("event: state\n"));
    assert!(stream.next().await.unwrap().starts_with("data: {\"result\":{\"actualWeight\":"));
    dashboard.cache.take(Event::Apply(guarded(rollout(json!({"metadata": {"name": "other"}})))));
    dashboard.cache.take(Event::Apply(guarded(updating(1, paused("CanaryPauseStep")))));
    let gone = json!({"status": {"phase": "Failed"}});
    dashboard.cache.take(Event::Apply(guarded(run(gone))));
    assert!(stream.next().await.unwrap().contains("\"phase\":\"Failed\""));
    dashboard.cache.take(Event::Delete(guarded(updating(1, json!({})))));
    assert_eq!(
        stream.next().await.unwrap(),
        "event: gone\ndata: {\"name\":\"shop\",\"namespace\":\"web\"}\n\n"
    );
    assert_eq!(stream.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn gateways_get_lines_and_only_what_they_know() {
    let dashboard = open();
    let mut stream = Listener::begin(&dashboard, "rollouts/web/info/watch", &[]).await;
    let line = stream.next().await.unwrap();
    assert!(line.starts_with("{\"result\":{\"rolloutInfo\":") && line.ends_with("}\n"), "{line}");
    dashboard.cache.take(Event::Delete(guarded(updating(2, json!({})))));
    assert!(stream.next().await.unwrap().contains("\"Deleted\""));
}

#[tokio::test(start_paused = true)]
async fn streams_of_people_end_after_a_time_so_that_their_rights_are_asked_for_again() {
    let people = for_people(false);
    let ann = ("authorization", "Bearer ann-token");
    let mut stream = Listener::begin(&people, "rollouts/*/info/watch", &[EVENTS, ann]).await;
    let begun = tokio::time::Instant::now();
    while stream.next().await.is_some() {}
    assert_eq!(begun.elapsed().as_secs(), 300);
}
