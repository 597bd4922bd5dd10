//! The web provider: its requests, and what answers mean.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use serin_analysis::provider::{
    self, Look, Problem, Profiles, Provider, Reply, Request, Response, Surroundings,
};
use serin_api::provider::MetricProvider;

const LOOK: Look<'static> = Look { at: Timestamp::UNIX_EPOCH, underway: &BTreeMap::new() };

fn of(metric: &MetricProvider) -> Result<Box<dyn Provider + '_>, Problem> {
    static NONE: Profiles = Profiles::new();
    provider::of(metric, Surroundings { default_prometheus: None, profiles: &NONE, extensions: None })
}

fn web(fields: Value) -> MetricProvider {
    let mut web = json!({"url": "https://me:word@host:8443/check?token=abc"});
    for (field, value) in fields.as_object().unwrap() {
        web[field] = value.clone();
    }
    serde_json::from_value(json!({"web": web})).unwrap()
}

fn request(fields: Value) -> Result<Request, String> {
    let metric = web(fields);
    let provider = of(&metric).map_err(|problem| problem.to_string())?;
    provider.request(&LOOK).map_err(|problem| problem.to_string())
}

#[test]
fn a_request_is_what_the_metric_says() {
    let plain = request(json!({})).unwrap();
    assert_eq!((plain.method, plain.url.as_str()), ("GET", "https://me:word@host:8443/check?token=abc"));
    assert_eq!(
        (plain.body, plain.timeout.as_secs(), plain.insecure, plain.headers),
        (None, 10, false, vec![])
    );

    let full = request(json!({
        "method": "POST", "jsonBody": {"b": [1], "a": "x"}, "timeoutSeconds": 3, "insecure": true,
        "headers": [{"key": "X-Token", "value": "t"}, {"key": "content-type", "value": "text/plain"}],
    }))
    .unwrap();
    let headers: Vec<String> = full.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(headers, ["X-Token: t", "Content-Type: application/json"]);
    assert_eq!((full.method, full.timeout.as_secs(), full.insecure), ("POST", 3, true));
    assert_eq!(serde_json::from_str::<Value>(&full.body.unwrap()).unwrap(), json!({"a": "x", "b": [1]}));
    assert_eq!(request(json!({"method": "PUT", "body": "text"})).unwrap().body.as_deref(), Some("text"));

    let metric = web(json!({}));
    assert_eq!(of(&metric).unwrap().place(), "Web https://host:8443");
}

#[test]
fn what_cannot_be_asked_is_refused_with_the_field_and_a_remedy() {
    for (fields, expected) in [
        (
            json!({"url": "host/check"}),
            "provider.web.url: it is no address of HTTP; give one such as https://host/path",
        ),
        (json!({"method": "DELETE"}), "provider.web.method: \"DELETE\" is not known; use GET, POST or PUT"),
        (
            json!({"body": "x"}),
            "provider.web.body: Body can only be used with POST or PUT WebMetric Method types; set web.method to POST or PUT",
        ),
        (
            json!({"method": "POST", "body": "x", "jsonBody": {}}),
            "provider.web.body: use either Body or JSONBody; both cannot exists for WebMetric payload; remove one of the two",
        ),
        (
            json!({"jsonPath": "{.a[}"}),
            "provider.web.jsonPath: \"{.a[}\" cannot be read: an index is expected before \"\"; give one such as {$.data.ok}",
        ),
    ] {
        assert_eq!(request(fields).unwrap_err(), expected);
    }
}

#[test]
fn answers_mean_what_they_should() {
    for (case, path, status, body, expected) in [
        ("the whole of it", "", 200, "{\"a\": [1, 2.5]}", Ok("{\"a\":[1,2.5]}")),
        ("a part of it", "{$.a[1]}", 200, "{\"a\": [1, 2.5]}", Ok("2.5")),
        ("a text keeps its quotes", "{$.a}", 201, "{\"a\": \"x\"}", Ok("\"x\"")),
        ("no JSON is a text", "{$.a}", 200, "all is well", Ok("all is well")),
        (
            "a missing part",
            "{$.b}",
            200,
            "{\"a\": 1}",
            Err("Could not find JSONPath in body: b is not found"),
        ),
        ("a refusal", "", 404, "nobody here", Err("received non 2xx response code: 404 nobody here")),
        ("a failure of the endpoint counts", "", 500, "", Err("received non 2xx response code: 500 ")),
    ] {
        let metric = web(json!({"jsonPath": path}));
        let reply = of(&metric).unwrap().reply(&LOOK, &Response { status, body: body.to_owned() });
        let found = match reply {
            Reply::Samples(sampled) => Ok(sampled.result.printed()),
            Reply::Malformed(why) => Err(why),
            other => panic!("{case}: {other:?}"),
        };
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{case}");
    }
}
