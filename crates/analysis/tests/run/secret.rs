//! Secrets reach requests, and nothing that is shown.

use serde_json::json;
use serin_analysis::provider::{Answer, Response};
use serin_analysis::run::{due, secrets_needed};
use serin_analysis::secret::SecretText;
use serin_api::AnalysisPhase::{Error, Running};
use serin_core::seen::Seen;

use crate::stage::{Stage, success};

fn stage() -> Stage {
    Stage::new(json!({
        "args": [{"name": "token", "valueFrom": {"secretKeyRef": {"name": "prom", "key": "token"}}}],
        "metrics": [{
            "name": "m", "successCondition": "result[0] < 1",
            "provider": {"prometheus": {
                "query": "up{tenant=\"{{args.token}}\"}",
                "headers": [{"key": "X-Token", "value": "{{args.token}}"}],
                "authentication": {"basicAuth": {"username": "me", "password": "{{args.token}}"}},
            }},
        }],
    }))
}

fn key() -> (String, String) {
    ("prom".to_owned(), "token".to_owned())
}

#[test]
fn a_secret_is_sent_and_never_shown() {
    let mut stage = stage();
    assert_eq!(secrets_needed(&stage.run), [key()]);
    stage.secrets.insert(key(), Seen::Fresh(SecretText::new("hunter2")));
    let asks = due(&stage.world());
    let headers = &asks[0].request.headers;
    assert!(headers.contains(&("X-Token".to_owned(), "hunter2".to_owned())), "{headers:?}");
    assert!(
        headers.contains(&("Authorization".to_owned(), "Basic bWU6aHVudGVyMg==".to_owned())),
        "{headers:?}"
    );
    assert!(!format!("{asks:?}").contains("hunter2"));

    let echo = json!({"status": "error", "errorType": "bad_data", "error": "no tenant hunter2"});
    stage.tick(|_| success(&echo));
    let status = serde_json::to_string(stage.status()).unwrap();
    assert!(status.contains("no tenant *****") && status.contains("up{tenant=\\\"*****\\\"}"), "{status}");
    assert!(!status.contains("hunter2"), "{status}");
}

/// Whatever a provider answers, or whatever is said of a provider that does not answer: nothing shown holds the secret.
#[test]
fn no_answer_brings_a_secret_into_status_or_events() {
    let answered = |status, body: &str| Answer::Response(Response { status, body: body.to_owned() });
    let leaks = [
        Answer::Unreachable("cannot connect to http://me:hunter2@prometheus".to_owned()),
        Answer::Refused("HTTP 401: hunter2 is no token".to_owned()),
        answered(503, "upstream of hunter2 is down"),
        answered(400, r#"{"status":"error","errorType":"bad_data","error":"no tenant hunter2"}"#),
        answered(200, "X-Token: hunter2"),
        answered(
            200,
            r#"{"status":"success","warnings":["hunter2"],"data":{"resultType":"scalar","result":[1,"9"]}}"#,
        ),
    ];
    let prometheus = json!({"prometheus": {"query": "up{t=\"{{args.token}}\"}", "address": "http://me:{{args.token}}@prom"}});
    let web = json!({"web": {"url": "http://shop/?t={{args.token}}", "jsonPath": "{$.status}",
        "headers": [{"key": "X-Token", "value": "{{args.token}}"}]}});
    let query = json!({"successCondition": "result == nil"});
    let limited = json!({"successCondition": "result == nil", "consecutiveErrorLimit": 0});
    let requests = json!({"requests": "http_requests_total"});
    let compared = json!({"interval": "60s", "comparison": {"errorRate": requests}});
    for (provider, fields) in [
        (&prometheus, &query),
        (&prometheus, &limited),
        (&web, &query),
        (&web, &limited),
        (&prometheus, &compared),
    ] {
        for answer in &leaks {
            let mut metric = fields.clone();
            metric["name"] = json!("m");
            metric["provider"] = provider.clone();
            let mut stage = Stage::new(json!({
                "args": [{"name": "token", "valueFrom": {"secretKeyRef": {"name": "prom", "key": "token"}}}],
                "arms": {"canary": "new", "stable": "old"},
                "metrics": [metric],
            }));
            stage.secrets.insert(key(), Seen::Fresh(SecretText::new("hunter2")));
            let mut asked = 0;
            for _ in 0..4 {
                let plan = stage.pass(60).tick(|ask| {
                    asked += 1;
                    assert!(!format!("{ask:?}").contains("hunter2"), "{ask:?}");
                    answer.clone()
                });
                let shown = format!("{} {:?}", serde_json::to_string(&plan.status).unwrap(), plan.events);
                assert!(!shown.contains("hunter2"), "{answer:?}: {shown}");
            }
            assert!(asked > 0, "{fields} was never asked for");
        }
    }
}

#[test]
fn a_secret_in_the_selector_of_a_comparison_is_refused_by_its_name() {
    let secret = json!([{"name": "token", "valueFrom": {"secretKeyRef": {"name": "prom", "key": "token"}}}]);
    let plain = json!([{"name": "token", "value": "shop"}]);
    let refused = "Analysis spec invalid: metrics[0]: comparison: it takes key 'token' of secret 'prom', and what it selects";
    for (args, expected) in [(secret, Some(refused)), (plain, None)] {
        let mut stage = Stage::new(json!({
            "args": args,
            "arms": {"canary": "new", "stable": "old"},
            "metrics": [{
                "name": "m", "interval": "60s",
                "provider": {"prometheus": {"address": "http://prom"}},
                "comparison": {"errorRate": {"requests": "http_requests_total{t=\"{{args.token}}\"}"}},
            }],
        }));
        stage.secrets.insert(key(), Seen::Fresh(SecretText::new("hunter2")));
        let status = stage.tick(|_| Answer::Unreachable(String::new())).status;
        assert_eq!(status.phase == Error, expected.is_some(), "{}", status.message);
        assert!(status.message.starts_with(expected.unwrap_or_default()), "{}", status.message);
    }
}

#[test]
fn a_secret_that_is_not_there_yet_holds_and_is_found_when_it_comes() {
    for (seen, what) in [
        (Some(Seen::Absent), "key 'token' does not exist in secret 'prom'"),
        (
            Some(Seen::Failed("the API server is away".to_owned())),
            "secret 'prom' cannot be read: the API server is away",
        ),
        (None, "secret 'prom' was not read yet"),
    ] {
        let mut stage = stage();
        if let Some(seen) = seen {
            stage.secrets.insert(key(), seen);
        }
        let plan = stage.tick(|_| panic!("nobody can be asked"));
        assert_eq!(plan.status.phase, Running);
        assert_eq!(
            stage.result("m").message,
            format!("{what} since 2026-03-01T12:00:00Z: the analysis holds")
        );
        stage.secrets.insert(key(), Seen::Fresh(SecretText::new("hunter2")));
        assert_eq!(stage.pass(10).due().len(), 1);
    }
}
