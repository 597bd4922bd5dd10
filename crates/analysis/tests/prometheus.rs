//! The Prometheus provider against recorded answers, and the requests that it makes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use serin_analysis::provider::prometheus::answer::series;
use serin_analysis::provider::{
    self, Login, Look, Problem, Profiles, Provider, Reply, Request, Response, Samples, Surroundings,
};
use serin_api::provider::MetricProvider;

fn provider(prometheus: Value) -> MetricProvider {
    serde_json::from_value(json!({"prometheus": prometheus})).unwrap()
}

fn look() -> Look<'static> {
    static NOTHING: BTreeMap<String, String> = BTreeMap::new();
    Look { at: "2026-03-01T12:00:00.5Z".parse().unwrap(), underway: &NOTHING }
}

fn of<'m>(
    metric: &'m MetricProvider,
    default_prometheus: Option<&'m str>,
) -> Result<Box<dyn Provider + 'm>, Problem> {
    static NONE: Profiles = Profiles::new();
    provider::of(metric, Surroundings { default_prometheus, profiles: &NONE, extensions: None })
}

fn request(prometheus: Value) -> Result<Request, String> {
    let metric = provider(prometheus);
    let provider = of(&metric, Some("http://default:9090")).map_err(|problem| problem.to_string())?;
    provider.request(&look()).map_err(|problem| problem.to_string())
}

#[test]
fn recorded_answers_mean_what_they_should() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/prometheus");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 20, "{} recordings", files.len());
    let metric = provider(json!({"query": "up"}));
    let provider = of(&metric, Some("http://default:9090")).unwrap();
    for file in files {
        let golden: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let case = format!("{}: {}", file.file_stem().unwrap().display(), golden["case"].as_str().unwrap());
        let body = match &golden["response"]["body"] {
            Value::String(text) => text.clone(),
            json => json.to_string(),
        };
        let response =
            Response { status: golden["response"]["status"].as_u64().unwrap().try_into().unwrap(), body };
        let expected = &golden["reply"];
        match provider.reply(&look(), &response) {
            Reply::Samples(sampled) => {
                let kind = if matches!(sampled.result, Samples::Number(_)) { "number" } else { "numbers" };
                assert_eq!(expected[kind], sampled.result.printed(), "{case}");
                let warnings = expected.get("warnings").and_then(Value::as_str);
                assert_eq!(sampled.notes.get("warnings").map(String::as_str), warnings, "{case}");
            }
            Reply::Malformed(why) => assert_eq!(expected["malformed"], why, "{case}"),
            Reply::Down(why) => assert_eq!(expected["down"], why, "{case}"),
            other => panic!("{case}: {other:?}"),
        }
        if let Some(expected) = expected.get("series") {
            let (found, _) = series(&response).unwrap();
            let label =
                |labels: &BTreeMap<String, String>, name| labels.get(name).cloned().unwrap_or_default();
            let found: Vec<Value> = found
                .iter()
                .map(|one| {
                    json!([
                        format!("{} {}", label(&one.labels, "pod"), label(&one.labels, "code")),
                        one.samples.len()
                    ])
                })
                .collect();
            assert_eq!(expected, &Value::Array(found), "{case}");
        }
    }
}

#[test]
fn an_instant_query_is_a_get() {
    let request = request(json!({"query": "sum(up{a=\"b c\"}) + 1"})).unwrap();
    assert_eq!(request.method, "GET");
    assert_eq!(
        request.url,
        "http://default:9090/api/v1/query?query=sum%28up%7Ba%3D%22b%20c%22%7D%29%20%2B%201&time=1772366400.500"
    );
    assert_eq!(request.headers, [("Accept".to_owned(), "application/json".to_owned())]);
    assert_eq!((request.body, request.timeout.as_secs(), request.insecure), (None, 30, false));
}

#[test]
fn a_range_query_asks_for_its_moments() {
    let range = json!({"start": "now() - duration(\"5m\")", "end": "now()", "step": "1m30s"});
    let request =
        request(json!({"address": "https://mimir/prometheus/", "query": "up", "rangeQuery": range})).unwrap();
    assert_eq!(
        request.url,
        "https://mimir/prometheus/api/v1/query_range?query=up&start=1772366100.500&end=1772366400.500&step=90"
    );
}

#[test]
fn a_long_query_travels_in_the_body() {
    let query = format!("sum({})", vec!["up"; 1000].join(" + "));
    let request = request(json!({"query": query})).unwrap();
    assert_eq!((request.method, request.url.as_str()), ("POST", "http://default:9090/api/v1/query"));
    assert!(
        request
            .headers
            .contains(&("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()))
    );
    let body = request.body.unwrap();
    assert!(body.starts_with("query=sum%28up%20%2B%20up") && body.ends_with("&time=1772366400.500"));
}

#[test]
fn login_headers_timeout_and_certificates_are_the_metrics_own() {
    let request = request(json!({
        "address": "https://prometheus", "query": "up", "timeout": 5, "insecure": true,
        "headers": [{"key": "X-Scope-OrgID", "value": "team-a"}],
        "authentication": {"basicAuth": {"username": "me", "password": "secret"}, "oauth2": {}, "sigv4": {}},
    }))
    .unwrap();
    let headers: Vec<String> =
        request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(
        headers,
        ["Accept: application/json", "X-Scope-OrgID: team-a", "Authorization: Basic bWU6c2VjcmV0"]
    );
    assert_eq!((request.timeout.as_secs(), request.insecure), (5, true));
}

#[test]
fn logins_that_take_an_exchange_are_left_to_the_shell() {
    let oauth2 =
        json!({"tokenUrl": "https://login/token", "clientId": "me", "clientSecret": "pw", "scopes": ["a"]});
    let asked =
        request(json!({"query": "up", "insecure": true, "authentication": {"oauth2": oauth2}})).unwrap();
    let Login::Oauth2(grant) = asked.login else { panic!("{:?}", asked.login) };
    assert_eq!((grant.token_url.as_str(), grant.client_id.as_str()), ("https://login/token", "me"));
    assert_eq!(
        (grant.client_secret.as_str(), grant.scopes, grant.insecure),
        ("pw", vec!["a".to_owned()], true)
    );

    let sigv4 = json!({"region": "eu-west-1", "roleArn": "arn:r", "profile": "p"});
    let amazon = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1";
    let login = |address: &str| {
        request(json!({"query": "up", "address": address, "authentication": {"sigv4": sigv4}})).unwrap().login
    };
    let Login::Aws(signing) = login(amazon) else { panic!("{:?}", login(amazon)) };
    assert_eq!((signing.region.as_str(), signing.service), ("eu-west-1", "aps"));
    assert_eq!((signing.role_arn.as_str(), signing.profile.as_str()), ("arn:r", "p"));
    assert_eq!(login("http://prometheus:9090"), Login::Complete, "not Amazon's own: as in Argo Rollouts");
}

#[test]
fn what_cannot_be_asked_is_refused_with_the_field_and_a_remedy() {
    for (prometheus, field, remedy) in [
        (json!({"query": ""}), "prometheus.query", "give a PromQL expression"),
        (json!({"address": "prometheus:9090", "query": "up"}), "prometheus.address", "give http://host:port"),
        (
            json!({"query": "up", "authentication": {
                "basicAuth": {"username": "me"},
                "oauth2": {"tokenUrl": "https://x", "clientId": "a", "clientSecret": "b"},
            }}),
            "prometheus.authentication",
            "set one of them",
        ),
        (
            json!({"query": "up", "authentication": {
                "oauth2": {"tokenUrl": "login/token", "clientId": "a", "clientSecret": "b"},
            }}),
            "prometheus.authentication.oauth2.tokenUrl",
            "give one such as https://",
        ),
        (
            json!({"query": "up", "authentication": {"oauth2": {"tokenUrl": "https://x"}}}),
            "prometheus.authentication.oauth2.clientId",
            "from a Secret argument",
        ),
        (
            json!({"query": "up", "headers": [{"key": "a b", "value": "x"}]}),
            "prometheus.headers",
            "use letters, digits and dashes",
        ),
        (
            json!({"query": "up", "headers": [{"key": "a", "value": "x\r\nEvil: y"}]}),
            "prometheus.headers",
            "no line breaks in the value",
        ),
        (
            json!({"query": "up", "rangeQuery": {"start": "now()", "end": "now()", "step": "0"}}),
            "prometheus.rangeQuery.step",
            "give one such as 1m",
        ),
        (
            json!({"query": "up", "rangeQuery": {"end": "now()", "step": "1m"}}),
            "prometheus.rangeQuery.start",
            "now() - duration",
        ),
    ] {
        let refusal = request(prometheus).unwrap_err();
        assert!(refusal.starts_with(&format!("provider.{field}: ")) && refusal.contains(remedy), "{refusal}");
    }
    let metric = provider(json!({"query": "up"}));
    let nowhere = of(&metric, None).err().unwrap().to_string();
    assert_eq!(
        nowhere,
        "provider.prometheus.address: no address is configured; give http://host:port here, or start the controller \
         with ARGO_ROLLOUTS_PROMETHEUS_ADDRESS"
    );
}
