//! Chats: Slack, Mattermost, Google Chat, Telegram.

use serde_json::{Map, Value, json};
use serin_analysis::provider::Request;

use super::{Service, given, post, text};

impl Service {
    pub(super) fn slack(&self, message: &Value, recipient: &str) -> Result<Request, String> {
        let mut body = Map::from_iter([
            ("channel".to_owned(), recipient.into()),
            ("text".to_owned(), text(message, "/message").into()),
        ]);
        for field in ["attachments", "blocks"] {
            body.extend(given(message, "slack", field)?.map(|list| (field.to_owned(), list)));
        }
        for (field, sent) in [("username", "username"), ("icon", "icon_emoji")] {
            let given = self.setting(&format!("/{field}"));
            if !given.is_empty() {
                body.insert(sent.to_owned(), given.into());
            }
        }
        let url = format!("{}/chat.postMessage", self.base("apiURL", "https://slack.com/api"));
        Ok(post(url, &Value::Object(body), Some(format!("Bearer {}", self.setting("/token")))))
    }

    /// The recipient is the id of a channel.
    pub(super) fn mattermost(&self, message: &Value, recipient: &str) -> Result<Request, String> {
        let mut body = json!({"channel_id": recipient, "message": text(message, "/message")});
        if let Some(attachments) = given(message, "mattermost", "attachments")? {
            body["props"] = json!({"attachments": attachments});
        }
        let url = format!("{}/api/v4/posts", self.base("apiURL", ""));
        let request = post(url, &body, Some(format!("Bearer {}", self.setting("/token"))));
        Ok(Request { insecure: self.is_set("insecureSkipVerify"), ..request })
    }

    /// The recipient is a name in `webhooks`.
    pub(super) fn google_chat(&self, message: &Value, recipient: &str) -> Result<Request, String> {
        let mut url = self.of_recipient("webhooks", recipient)?;
        let mut body = Map::new();
        for field in ["cardsV2", "cards"] {
            body.extend(given(message, "googlechat", field)?.map(|cards| (field.to_owned(), cards)));
        }
        if body.is_empty() {
            body.insert("text".to_owned(), text(message, "/message").into());
        }
        let thread = text(message, "/googlechat/threadKey");
        if !thread.is_empty() {
            body.insert("thread".to_owned(), json!({"threadKey": thread}));
            url.push_str(if url.contains('?') { "&" } else { "?" });
            url.push_str("messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD");
        }
        Ok(post(url, &Value::Object(body), None))
    }

    /// The recipient is a chat's id or a channel's name, and after a `|` the id of a thread.
    pub(super) fn telegram(&self, message: &Value, recipient: &str) -> Result<Request, String> {
        let (chat, thread) = recipient.split_once('|').unwrap_or((recipient, ""));
        let chat = if chat.parse::<i64>().is_ok() { chat.to_owned() } else { format!("@{chat}") };
        let mut body = json!({"chat_id": chat, "text": text(message, "/message"), "parse_mode": "Markdown"});
        if !thread.is_empty() {
            let id: i64 =
                thread.parse().map_err(|_| format!("the thread '{thread}' of telegram is no number"))?;
            body["message_thread_id"] = id.into();
        }
        let base = self.base("apiURL", "https://api.telegram.org");
        Ok(post(format!("{base}/bot{}/sendMessage", self.setting("/token")), &body, None))
    }

    /// The address of a service that is given by a setting, without the slash at its end.
    pub(super) fn base(&self, field: &str, default: &str) -> String {
        let given = self.config.get(field).and_then(Value::as_str).unwrap_or(default);
        given.trim_end_matches('/').to_owned()
    }
}
