//! The talk with an extension that is really there, over HTTP.

use std::time::Duration;

use axum::Router;
use axum::extract::{Json, State};
use axum::routing::post;
use serde_json::json;
use serin_analysis::provider::{Endpoint, Extensions};
use serin_api::Rollout;
use serin_core::extension::{Answer, Operation, Phase};
use serin_core::seen::Seen;
use serin_core::write::Effect;
use tokio::net::TcpListener;

use super::*;

const NAME: &str = "acme/router";
/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// An extension that keeps the split it is told, and has done every step.
async fn serve() -> String {
    let kept: Arc<Mutex<Value>> = Arc::default();
    let router = Router::new()
        .route(
            "/v1/traffic/read",
            post(async |State(kept): State<Arc<Mutex<Value>>>| {
                Json(json!({"split": kept.lock().unwrap().clone()}))
            }),
        )
        .route(
            "/v1/traffic/apply",
            post(async |State(kept): State<Arc<Mutex<Value>>>, Json(body): Json<Value>| {
                assert_eq!(
                    (&body["protocol"], &body["config"]),
                    (&json!("serin.dev/v1"), &json!({"port": 80}))
                );
                assert_eq!(body["rollout"]["name"], "web");
                kept.lock().unwrap().clone_from(&body["split"]);
            }),
        )
        .route(
            "/v1/step/run",
            post(async |Json(body): Json<Value>| {
                Json(json!({"phase": "Successful", "message": body["config"]["greeting"]}))
            }),
        )
        .with_state(kept);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn talks(url: &str) -> (Talks, Arc<Queue<Name>>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (headers, timeout) = (Vec::new(), Duration::from_secs(5));
    let endpoint = Endpoint { url: url.to_owned(), headers, timeout, insecure: false };
    let configured = Configured::of(Extensions::from([(NAME.to_owned(), endpoint)]));
    let queue: Arc<Queue<Name>> = Arc::default();
    let exchange = Arc::new(Exchange::new().unwrap());
    (Talks::new(exchange, configured, Leadership::always(), queue.clone()), queue)
}

fn rollout() -> ReadRollout {
    let rollout: Rollout = serde_json::from_value(json!({
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"strategy": {"canary": {"trafficRouting": {"plugins": {NAME: {"port": 80}}}}}},
    }))
    .unwrap();
    let routers = serin_traffic::routers(&rollout, &Default::default()).unwrap();
    let extensions = routers.iter().flat_map(|router| router.needs()).collect();
    let (services, routes, templates) = Default::default();
    ReadRollout { rollout, services, routes, extensions, workload: None, templates }
}

fn split(weight: u32) -> Value {
    let side = |weight: u32| json!({"service": "s", "weight": weight});
    json!({"total": 100, "canary": side(weight), "stable": side(100 - weight)})
}

fn write(read: &ReadRollout, weight: u32) -> Write {
    let patch = vec![json!({"op": "add", "path": "/spec", "value": split(weight)})];
    Write { object: read.extensions[0].clone(), effect: Effect::JsonPatch(patch) }
}

/// What `look` gives as soon as it gives something, looked for whenever there is news.
async fn news<T>(queue: &Queue<Name>, look: impl Fn() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            while queue.take_all().is_empty() {
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("there is news in time")
}

#[tokio::test]
async fn a_split_is_told_and_read_back() {
    let (talks, queue) = talks(&serve().await);
    let (name, read) = (Name::new("shop", "web"), rollout());
    let seen = || talks.hear(&name, &read).objects.remove(&read.extensions[0]).unwrap();
    assert!(matches!(seen(), Seen::Failed(why) if why == "it has not answered yet"));
    let object = news(&queue, || seen().fresh().cloned()).await;
    assert_eq!(object["spec"], Value::Null, "nobody told it anything");
    talks.tell(&name, &read, &write(&read, 20));
    assert!(talks.busy(&name) && matches!(seen(), Seen::Stale(_)), "it may have changed");
    let object = news(&queue, || seen().fresh().cloned()).await;
    assert_eq!(object.pointer("/spec/canary/weight"), Some(&json!(20)));
    assert!(!talks.busy(&name));
}

#[tokio::test]
async fn one_that_is_not_there_is_said_and_left_alone() {
    let (talks, queue) = talks("http://127.0.0.1:1");
    let (name, read) = (Name::new("shop", "web"), rollout());
    let failed = || match talks.hear(&name, &read).objects.remove(&read.extensions[0]) {
        Some(Seen::Failed(why)) if why.contains("refused") => Some(why),
        _ => None,
    };
    let why = news(&queue, failed).await;
    assert!(why.starts_with("extension \"acme/router\": "), "{why}");
    talks.tell(&name, &read, &write(&read, 20));
    let refusal = news(&queue, || talks.hear(&name, &read).refusals.pop()).await;
    assert_eq!((refusal.kind.as_str(), refusal.object.as_str()), ("Extension", "extension \"acme/router\""));
    assert!(talks.wake(&name).is_some());
    talks.forget(&name);
    assert!(talks.wake(&name).is_none() && !talks.busy(&name));
}

fn call(extension: &str, executions: i32) -> Call {
    Call {
        extension: extension.to_owned(),
        operation: Operation::Run,
        index: 0,
        executions,
        config: json!({"greeting": "done"}),
        state: Value::Null,
        rollout: json!({}),
    }
}

#[tokio::test]
async fn a_call_is_made_once_and_its_answer_kept_until_another_is_due() {
    let (talks, queue) = talks(&serve().await);
    let name = Name::new("shop", "web");
    let due = call(NAME, 0);
    let told = news(&queue, || talks.step(&name, Some(&due)).pop()).await;
    let Answer::Reported(report) = &told.answer else { panic!("{told:?}") };
    assert_eq!((report.phase, report.message.as_str()), (Phase::Successful, "done"));
    assert_eq!(talks.step(&name, Some(&due)), [told], "it is not asked again before that is stored");
    assert!(talks.step(&name, None).is_empty());
    assert!(talks.step(&name, Some(&due)).is_empty(), "the same question later is another one");
}

#[tokio::test]
async fn an_extension_that_is_not_configured_is_no_answer() {
    let (talks, queue) = talks("http://127.0.0.1:1");
    let due = call("acme/other", 0);
    let told = news(&queue, || talks.step(&Name::new("shop", "web"), Some(&due)).pop()).await;
    let expected = "it is not configured in the ConfigMap argo-rollouts-config";
    assert_eq!(told.answer, Answer::Nothing(expected.to_owned()));
}
