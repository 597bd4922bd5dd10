//! Secrets reach requests, and nothing that is shown.

use serde_json::json;
use serin_analysis::run::{due, secrets_needed};
use serin_analysis::secret::SecretText;
use serin_api::AnalysisPhase::Running;
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
