//! Every provider that has a golden file: the request it makes, and what its answers mean.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};
use serin_analysis::provider::profile::{Place, Profile, Profiles, needed};
use serin_analysis::provider::{
    self, Endpoint, Extensions, Login, Look, Reply, Request, Response, Samples, Surroundings,
};
use serin_analysis::secret::SecretText;
use serin_api::provider::MetricProvider;
use serin_core::seen::Seen;

/// The profiles of a case, `home/name`, `run/name` or `process/name`; what is needed and not given is absent.
fn profiles(case: &Value, metric: &MetricProvider) -> Profiles {
    let mut known: Profiles = needed(metric).into_iter().map(|name| (name, Seen::Absent)).collect();
    for (name, keys) in case["profiles"].as_object().into_iter().flatten() {
        let (place, name) = name.split_once('/').unwrap();
        let place = match place {
            "home" => Place::Home,
            "run" => Place::Run,
            "process" => Place::Process,
            other => panic!("{other}"),
        };
        let keys: Profile = keys
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, text)| (key.clone(), SecretText::new(text.as_str().unwrap())))
            .collect();
        assert!(known.insert((place, name.to_owned()), Seen::Fresh(keys)).is_some(), "{name} is not needed");
    }
    known
}

fn extensions() -> Extensions {
    let endpoint = Endpoint {
        url: "http://guard:9000/base/".to_owned(),
        headers: vec![("X-Key".to_owned(), SecretText::new("extkey1234"))],
        timeout: Duration::from_secs(7),
        insecure: false,
    };
    Extensions::from([("acme/guard".to_owned(), endpoint)])
}

fn shown_request(request: &Request) -> Value {
    let headers: Map<String, Value> =
        request.headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let body = request.body.as_deref().unwrap_or_default();
    let login = match &request.login {
        Login::Complete => Value::Null,
        Login::Oauth2(_) => "oauth2".into(),
        Login::Aws(signing) => format!("{} {}", signing.service, signing.region).into(),
    };
    json!({
        "method": request.method, "url": request.url, "headers": headers, "login": login,
        "body": serde_json::from_str::<Value>(body).unwrap_or(body.into()), "seconds": request.timeout.as_secs(),
    })
}

fn shown_reply(reply: Reply) -> Value {
    let notes = |notes: BTreeMap<String, String>| json!(notes);
    match reply {
        Reply::Samples(sampled) => {
            let value = sampled.shown.clone().unwrap_or(sampled.result.printed());
            let result = match sampled.result {
                Samples::Number(number) => json!(number),
                Samples::Numbers(numbers) => json!(numbers),
                Samples::Json(json) => json,
                Samples::Text(text) => json!(text),
            };
            json!({"result": result, "value": value, "notes": notes(sampled.notes)})
        }
        Reply::Judged(judged) => {
            json!({"phase": judged.phase, "value": judged.value, "message": judged.message, "notes": notes(judged.notes)})
        }
        Reply::Underway { notes: kept, after } => {
            json!({"underway": notes(kept), "seconds": after.as_secs()})
        }
        Reply::NoData => json!("no data"),
        Reply::Malformed(why) => json!({"malformed": why}),
        Reply::Down(why) => json!({"down": why}),
    }
}

fn check(file: &str, case: &Value) {
    let name = format!("{file}: {}", case["case"].as_str().unwrap());
    let metric: MetricProvider = serde_json::from_value(case["metric"].clone()).unwrap();
    let profiles = profiles(case, &metric);
    let underway: BTreeMap<String, String> =
        serde_json::from_value(case.get("underway").cloned().unwrap_or(json!({}))).unwrap();
    let look = Look { at: "2026-03-01T12:00:00Z".parse().unwrap(), underway: &underway };
    let extensions = extensions();
    let around =
        Surroundings { default_prometheus: None, profiles: &profiles, extensions: Some(&extensions) };
    let provider = match provider::of(&metric, around) {
        Ok(provider) => provider,
        Err(problem) => return assert_eq!(case["problem"], problem.to_string(), "{name}"),
    };
    assert!(case.get("problem").is_none(), "{name}: no problem was found");
    if let Some(place) = case.get("place") {
        assert_eq!(*place, provider.place(), "{name}");
    }
    let asked = provider.request(&look).unwrap();
    if let Some(expected) = case.get("request") {
        assert_eq!(shown_request(&asked), *expected, "{name}");
    }
    let secrets = profiles.values().filter_map(Seen::last_known).flatten();
    for (_, text) in secrets.filter(|(key, _)| key.contains("key") || key.contains("oken")) {
        assert!(
            !format!("{asked:?} {}", provider.place()).contains(text.expose()),
            "{name}: a secret is shown"
        );
    }
    for answer in case["answers"].as_array().into_iter().flatten() {
        let body = match &answer["body"] {
            Value::String(text) => text.clone(),
            json => json.to_string(),
        };
        let status = answer["status"].as_u64().unwrap_or(200).try_into().unwrap();
        let reply = shown_reply(provider.reply(&look, &Response { status, body: body.clone() }));
        assert_eq!(reply, answer["reply"], "{name}: {body}");
    }
}

#[test]
fn golden_cases_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/providers");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let names: Vec<String> =
        files.iter().map(|file| file.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    let expected = [
        "cloudwatch",
        "datadog",
        "extension",
        "graphite",
        "influxdb",
        "kayenta",
        "newrelic",
        "skywalking",
        "wavefront",
    ];
    assert_eq!(names, expected);
    for (file, name) in files.iter().zip(&names) {
        let cases: Vec<Value> = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        assert!(cases.len() >= 3, "{name}: {} cases", cases.len());
        cases.iter().for_each(|case| check(name, case));
    }
}

#[test]
fn every_provider_holds_when_it_is_down_and_says_so_when_it_refuses() {
    let keys = json!({
        "home/datadog": {"api-key": "k", "app-key": "a"}, "home/newrelic": {"personal-api-key": "k", "account-id": "1"},
        "home/influxdb": {"address": "http://i", "org": "o", "authToken": "t"},
        "home/wavefront-api-tokens": {"w.example": "t"}, "process/aws": {"region": "eu-west-1"},
    });
    for (metric, profile) in [
        (json!({"prometheus": {"address": "http://p", "query": "up"}}), None),
        (json!({"datadog": {"query": "q"}}), Some("home/datadog")),
        (json!({"datadog": {"query": "q", "apiVersion": "v2"}}), Some("home/datadog")),
        (json!({"newRelic": {"query": "q"}}), Some("home/newrelic")),
        (json!({"wavefront": {"address": "w.example", "query": "q"}}), Some("home/wavefront-api-tokens")),
        (json!({"cloudWatch": {"metricDataQueries": [{"id": "a"}]}}), Some("process/aws")),
        (json!({"graphite": {"address": "http://g", "query": "target=a"}}), None),
        (json!({"influxdb": {"query": "q"}}), Some("home/influxdb")),
        (json!({"skywalking": {"address": "http://s", "query": "q"}}), None),
        (json!({"plugin": {"acme/guard": {}}}), None),
        (json!({"kayenta": {"address": "http://k", "application": "a", "canaryConfigName": "c"}}), None),
    ] {
        let given: Map<String, Value> =
            profile.map(|name| (name.to_owned(), keys[name].clone())).into_iter().collect();
        let found: MetricProvider = serde_json::from_value(metric.clone()).unwrap();
        let profiles = profiles(&json!({"profiles": given}), &found);
        let extensions = extensions();
        let around =
            Surroundings { default_prometheus: None, profiles: &profiles, extensions: Some(&extensions) };
        let provider = provider::of(&found, around).unwrap();
        let nothing = BTreeMap::new();
        let look = Look { at: "2026-03-01T12:00:00Z".parse().unwrap(), underway: &nothing };
        let reply = |status, body: &str| provider.reply(&look, &Response { status, body: body.to_owned() });
        for status in [408, 429, 500, 502, 503] {
            assert!(matches!(reply(status, "<html>later</html>"), Reply::Down(_)), "{metric} {status}");
        }
        for status in [400, 401, 403, 404] {
            assert!(matches!(reply(status, "<html>no</html>"), Reply::Malformed(_)), "{metric} {status}");
        }
        for body in ["", "{", "[]", "null", "<html>", "1"] {
            let reply = reply(200, body);
            assert!(matches!(reply, Reply::Malformed(_) | Reply::NoData), "{metric} {body}: {reply:?}");
        }
    }
}
