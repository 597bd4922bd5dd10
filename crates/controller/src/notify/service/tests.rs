use serde_json::json;

use super::*;

fn sent(
    kind: &str,
    name: &str,
    config: Value,
    message: Value,
    to: &str,
) -> Result<(String, String, Value), String> {
    let service = Service::of(kind, name, config)?;
    let deliveries = service.deliveries(&message, "failed", to, jiff::Timestamp::UNIX_EPOCH)?;
    let Some(Delivery::Http(request)) = deliveries.into_iter().next() else {
        return Err("no request".to_owned());
    };
    let login = request.headers.iter().find(|(name, _)| name == "Authorization");
    let body = request.body.unwrap_or_default();
    let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
    let line = format!("{} {}", request.method, request.url);
    Ok((line, login.map(|(_, text)| text.clone()).unwrap_or_default(), body))
}

/// What a template gives, with a part for each service.
fn message() -> Value {
    json!({
        "message": "shop failed\nmore", "slack": {"attachments": "[{\"title\": \"t\"}]", "blocks": ""},
        "webhook": {"hook": {"method": "POST", "path": "/x", "body": "{\"a\": 1}"}},
        "teams-workflows": {"title": "T", "themeColor": "Good", "facts": "[{\"name\": \"n\", \"value\": \"v\"}]",
            "potentialAction": "[{\"@type\": \"OpenUri\", \"name\": \"Go\", \"targets\": [{\"os\": \"default\", \"uri\": \"https://u\"}]}]"},
        "mattermost": {"attachments": "[{\"title\": \"t\"}]"}, "googlechat": {"cardsV2": "- card: {}", "threadKey": "shop"},
        "alertmanager": {"labels": {"severity": "page"}},
        "teams": {"title": "T", "facts": "[{\"name\": \"n\", \"value\": \"v\"}]"}, "pagerdutyv2": {"severity": "critical"},
    })
}

/// A row: type, name, configuration, recipient; then the line of the request, its login and its body.
type Row = (&'static str, &'static str, Value, &'static str, (&'static str, &'static str, Value));

fn check(rows: impl IntoIterator<Item = Row>) {
    for (kind, name, config, to, expected) in rows {
        let (line, login, body) = sent(kind, name, config, message(), to).unwrap();
        assert_eq!((line.as_str(), login.as_str(), body), expected, "{kind}");
    }
}

#[test]
fn chats_get_the_message_in_their_own_form() {
    check([
        (
            "slack",
            "slack",
            json!({"token": "xoxb", "username": "serin"}),
            "ops",
            (
                "POST https://slack.com/api/chat.postMessage",
                "Bearer xoxb",
                json!({"channel": "ops", "text": "shop failed\nmore", "attachments": [{"title": "t"}], "username": "serin"}),
            ),
        ),
        (
            "teams",
            "teams",
            json!({"recipientUrls": {"ops": "https://t/1"}}),
            "ops",
            (
                "POST https://t/1",
                "",
                json!({"@type": "MessageCard", "@context": "https://schema.org/extensions", "title": "T",
             "text": "shop failed\nmore", "sections": [{"facts": [{"name": "n", "value": "v"}]}]}),
            ),
        ),
        (
            "teams-workflows",
            "teams-workflows",
            json!({"recipientUrls": {"ops": "https://t/2"}}),
            "ops",
            (
                "POST https://t/2",
                "",
                json!({"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": {
                    "type": "AdaptiveCard", "version": "1.4", "body": [
                        {"type": "TextBlock", "text": "T", "size": "Large", "weight": "Bolder", "color": "Good"},
                        {"type": "TextBlock", "text": "shop failed\nmore", "wrap": true},
                        {"type": "FactSet", "facts": [{"title": "n", "value": "v"}]},
                    ],
                    "actions": [{"type": "Action.OpenUrl", "title": "Go", "url": "https://u"}],
                }}]}),
            ),
        ),
        (
            "mattermost",
            "mattermost",
            json!({"apiURL": "https://m/", "token": "k"}),
            "id",
            (
                "POST https://m/api/v4/posts",
                "Bearer k",
                json!({"channel_id": "id", "message": "shop failed\nmore", "props": {"attachments": [{"title": "t"}]}}),
            ),
        ),
        (
            "googlechat",
            "googlechat",
            json!({"webhooks": {"ops": "https://c/m?key=k"}}),
            "ops",
            (
                "POST https://c/m?key=k&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD",
                "",
                json!({"cardsV2": [{"card": {}}], "thread": {"threadKey": "shop"}}),
            ),
        ),
        (
            "telegram",
            "telegram",
            json!({"token": "k"}),
            "-100|2",
            (
                "POST https://api.telegram.org/botk/sendMessage",
                "",
                json!({"chat_id": "-100", "text": "shop failed\nmore", "parse_mode": "Markdown", "message_thread_id": 2}),
            ),
        ),
    ]);
}

#[test]
fn pagers_and_hooks_get_the_message_in_their_own_form() {
    check([
        (
            "webhook",
            "hook",
            json!({"url": "https://h/", "basicAuth": {"username": "me", "password": "pw"}}),
            "",
            ("POST https://h/x", "Basic bWU6cHc=", json!({"a": 1})),
        ),
        (
            "alertmanager",
            "alertmanager",
            json!({"targets": ["a:9093", "b:9093"], "bearerToken": "k"}),
            "",
            (
                "POST http://a:9093/api/v2/alerts",
                "Bearer k",
                json!([{"labels": {"severity": "page", "alertname": "failed"}, "annotations": {"message": "shop failed\nmore"},
                    "startsAt": "1970-01-01T00:00:00Z"}]),
            ),
        ),
        (
            "grafana",
            "grafana",
            json!({"apiUrl": "https://g/api", "apiKey": "k"}),
            "a|b",
            (
                "POST https://g/api/annotations",
                "Bearer k",
                json!({"time": 0, "isRegion": false, "text": "shop failed\nmore", "tags": ["a", "b"]}),
            ),
        ),
        (
            "opsgenie",
            "opsgenie",
            json!({"apiKeys": {"ops": "k"}}),
            "ops",
            (
                "POST https://api.opsgenie.com/v2/alerts",
                "GenieKey k",
                json!({"message": "shop failed", "description": "shop failed\nmore"}),
            ),
        ),
        (
            "pagerdutyv2",
            "pagerdutyv2",
            json!({"serviceKeys": {"ops": "k"}}),
            "ops",
            (
                "POST https://events.pagerduty.com/v2/enqueue",
                "",
                json!({"routing_key": "k", "event_action": "trigger",
             "payload": {"summary": "shop failed", "severity": "critical", "source": "serin"}}),
            ),
        ),
    ]);
}

#[test]
fn what_cannot_be_sent_is_said() {
    let keys = json!({"apiKeys": {"ops": "k"}});
    let message = json!({"message": "m", "slack": {"blocks": "{"}, "webhook": {"hook": {"method": "BREW"}}});
    for (kind, name, config, expected) in [
        ("opsgenie", "opsgenie", keys, "service.opsgenie: apiKeys has no 'dev'"),
        ("slack", "slack", json!({"token": "t"}), "slack.blocks is neither JSON nor YAML"),
        ("webhook", "hook", json!({"url": "https://h"}), "webhook.hook.method BREW is not known"),
        ("email", "email", json!({}), "host is missing"),
        ("email", "email", json!({"host": "h", "from": "x"}), "service.email: from 'x' is no address"),
        ("email", "email", json!({"host": "h", "from": "a@b.c"}), "the recipient 'dev' is no address"),
        ("webex", "webex", json!({}), "webex is not supported; use one of webhook, email"),
        ("alertmanager", "alertmanager", json!({"targets": ["a:1"]}), "alertmanager.labels is missing"),
        ("googlechat", "googlechat", json!({"webhooks": {}}), "service.googlechat: webhooks has no 'dev'"),
        ("teams", "teams", json!({}), "recipientUrls is missing"),
    ] {
        let why = sent(kind, name, config, message.clone(), "dev").unwrap_err();
        assert!(why.starts_with(expected), "{why}");
    }
}

#[test]
fn slack_refuses_with_status_200() {
    let slack = Service::of("slack", "slack", json!({"token": "t"})).unwrap();
    let answer = |status, body: &str| slack.refusal(&Response { status, body: body.to_owned() });
    assert_eq!(answer(200, r#"{"ok": true}"#), None);
    assert_eq!(
        answer(200, r#"{"ok": false, "error": "channel_not_found"}"#).as_deref(),
        Some("channel_not_found")
    );
    assert_eq!(answer(500, "").as_deref(), Some("HTTP 500"));
}
