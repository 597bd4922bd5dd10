//! Answers of AWS that are recorded (`crates/traffic/tests/elb`), and the real way over HTTP to something that gives them.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use futures::FutureExt;
use serde_json::json;
use tokio::net::TcpListener;

use super::*;
use crate::exchange::Exchange;

const HOST: &str = "k8s-shop-web-424835706.eu-west-1.elb.amazonaws.com";
const TAG: &str = "ingress.k8s.aws/resource";
const KEYS: fn(&str) -> Option<String> =
    |name| matches!(name, "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY").then(|| "key".to_owned());
/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

fn recorded(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../traffic/tests/elb");
    std::fs::read_to_string(format!("{folder}/{name}.xml")).unwrap()
}

fn answer(form: &str) -> String {
    let action = form.strip_prefix("Action=").and_then(|rest| rest.split('&').next()).unwrap();
    recorded(match action {
        "DescribeLoadBalancers" => "load_balancers",
        "DescribeTargetGroups" if form.contains("&Marker=") => "target_groups_2",
        "DescribeTargetGroups" => "target_groups",
        "DescribeTags" if form.contains("webcanar") => "tags_1",
        "DescribeTags" => "tags_2",
        "DescribeListeners" => "listeners",
        "DescribeRules" => "rules",
        other => panic!("{other}"),
    })
}

/// Answers that are recorded; while `down`, none. Counts the load balancers that were asked for.
#[derive(Clone, Debug, Default)]
struct Recorded {
    surveys: Arc<AtomicUsize>,
    down: Arc<AtomicUsize>,
}

impl Elb for Recorded {
    fn ask<'a>(&'a self, region: &'a str, form: String) -> BoxFuture<'a, Result<Response, String>> {
        assert_eq!(region, "eu-west-1");
        self.surveys.fetch_add(usize::from(form.contains("DescribeLoadBalancers")), SeqCst);
        let down = self.down.load(SeqCst) > 0;
        let answer = if down { Err("no answer within 10 s".to_owned()) } else { Ok(answer(&form)) };
        async move { answer.map(|body| Response { status: 200, body }) }.boxed()
    }
}

struct Stage {
    recorded: Recorded,
    balancers: Balancers,
    queue: Arc<Queue<Name>>,
}

fn stage() -> Stage {
    let (recorded, queue) = (Recorded::default(), Arc::<Queue<Name>>::default());
    let balancers = Balancers::new(Box::new(recorded.clone()), TAG, queue.clone());
    Stage { recorded, balancers, queue }
}

fn ingress() -> ObjectKey {
    ObjectKey::new("networking.k8s.io", "v1", "Ingress", "shop", "web")
}

impl Stage {
    /// What is heard with the Ingress at this version.
    fn hear(&self, name: &str, version: &str) -> Option<Seen<Value>> {
        let object = json!({"metadata": {"resourceVersion": version}});
        let objects = Objects::from([(ingress(), Seen::Fresh(object))]);
        self.balancers
            .hear(&Name::new("shop", name), &[(ingress(), HOST.to_owned())], &objects)
            .remove(&elb::key(HOST))
    }

    /// Lets what is on its way arrive; the Rollouts that have news.
    async fn arrive(&self) -> Vec<String> {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let mut names: Vec<_> = self.queue.take_all().iter().map(|name| name.name.clone()).collect();
        names.sort();
        names
    }

    fn surveys(&self) -> usize {
        self.recorded.surveys.load(SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn one_question_serves_all_rollouts_behind_a_load_balancer() {
    let stage = stage();
    assert_eq!((stage.hear("one", "1"), stage.hear("two", "1")), (None, None));
    assert_eq!((stage.arrive().await, stage.surveys()), (vec!["one".to_owned(), "two".to_owned()], 1));
    let Some(Seen::Fresh(told)) = stage.hear("one", "1") else { panic!() };
    assert_eq!(told["loadBalancer"]["name"], "k8s-shop-web");
    assert!(matches!(stage.hear("two", "1"), Some(Seen::Fresh(_))));
    assert_eq!((stage.arrive().await, stage.surveys()), (vec![], 1));
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_before_a_change_does_not_count() {
    let stage = stage();
    stage.hear("one", "1");
    stage.arrive().await;
    tokio::time::advance(Duration::from_millis(10)).await;
    assert!(matches!(stage.hear("one", "2"), Some(Seen::Stale(_))));
    assert_eq!(stage.arrive().await, ["one"]);
    assert!(matches!(stage.hear("one", "2"), Some(Seen::Fresh(_))));
    assert_eq!(stage.surveys(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_at_rest_asks_nothing_and_one_that_waits_asks_often() {
    for (pace, seconds, asks) in [
        (Pace::Never, 36000, 0),
        (Pace::Seldom, 59, 0),
        (Pace::Seldom, 60, 1),
        (Pace::Often, 4, 0),
        (Pace::Often, 5, 1),
    ] {
        let stage = stage();
        let name = Name::new("shop", "one");
        stage.hear("one", "1");
        stage.arrive().await;
        stage.balancers.set_pace(&name, pace);
        tokio::time::advance(Duration::from_secs(seconds)).await;
        stage.hear("one", "1");
        stage.arrive().await;
        assert_eq!(stage.surveys() - 1, asks, "{pace:?} after {seconds} s");
        assert_eq!(stage.balancers.wake(&name).is_some(), pace != Pace::Never);
        stage.balancers.forget(&name);
        assert_eq!(stage.balancers.wake(&name), None);
    }
}

#[tokio::test(start_paused = true)]
async fn an_aws_that_is_down_is_said_and_asked_less_and_less() {
    let stage = stage();
    let name = Name::new("shop", "one");
    stage.recorded.down.store(1, SeqCst);
    stage.hear("one", "1");
    assert_eq!(stage.arrive().await, ["one"]);
    for pause in [5, 10, 20, 40, 60, 60] {
        assert_eq!(stage.hear("one", "1"), Some(Seen::Failed("no answer within 10 s".to_owned())));
        let wake = stage.balancers.wake(&name).unwrap();
        assert_eq!(wake, Instant::now() + Duration::from_secs(pause));
        tokio::time::advance(Duration::from_secs(pause)).await;
        stage.hear("one", "1");
        assert_eq!(stage.arrive().await, ["one"], "asked again after {pause} s");
    }
    stage.recorded.down.store(0, SeqCst);
    tokio::time::advance(Duration::from_secs(60)).await;
    stage.hear("one", "1");
    stage.arrive().await;
    assert!(matches!(stage.hear("one", "1"), Some(Seen::Fresh(_))));
    stage.recorded.down.store(1, SeqCst);
    stage.balancers.set_pace(&name, Pace::Often);
    tokio::time::advance(Duration::from_secs(5)).await;
    stage.hear("one", "1");
    stage.arrive().await;
    assert!(
        matches!(stage.hear("one", "1"), Some(Seen::Fresh(_))),
        "what was verified stays so without a change"
    );
    tokio::time::advance(Duration::from_millis(10)).await;
    assert!(matches!(stage.hear("one", "2"), Some(Seen::Failed(_))), "and not after one");
}

/// A server that takes only requests that are signed for Elastic Load Balancing in the region of the load balancer.
async fn serve() -> String {
    let handle = async |headers: HeaderMap, body: String| {
        let login = headers["authorization"].to_str().unwrap_or_default().to_owned();
        let signed = login.starts_with("AWS4-HMAC-SHA256 Credential=")
            && login.contains(
                "/eu-west-1/elasticloadbalancing/aws4_request, SignedHeaders=content-type;host;x-amz-date",
            );
        if signed { (StatusCode::OK, answer(&body)) } else { (StatusCode::FORBIDDEN, recorded("denied")) }
    };
    let router = Router::new().route("/", post(handle));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/")
}

#[tokio::test]
async fn the_way_to_aws_is_signed_and_goes_over_http() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let aws = Aws::for_test(Arc::new(Exchange::new().unwrap()), serve().await, KEYS);
    let queue: Arc<Queue<Name>> = Arc::default();
    let balancers = Balancers::new(Box::new(aws), TAG, queue.clone());
    let hear = || {
        let objects =
            Objects::from([(ingress(), Seen::Fresh(json!({"metadata": {"resourceVersion": "1"}})))]);
        balancers
            .hear(&Name::new("shop", "web"), &[(ingress(), HOST.to_owned())], &objects)
            .remove(&elb::key(HOST))
    };
    assert_eq!(hear(), None);
    let news = async {
        while queue.take_all().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, news).await.expect("AWS answers in time");
    let Some(Seen::Fresh(told)) = hear() else { panic!("{:?}", hear()) };
    assert_eq!(told["forwards"][1], json!({"shop/web-web-canary:80": 20, "shop/web-web-stable:80": 80}));
}
