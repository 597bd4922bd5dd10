//! Microsoft Teams: message cards of connectors, adaptive cards of workflows. The recipient is a name in `recipientUrls`.

use serde_json::{Map, Value, json};
use serin_analysis::provider::Request;

use super::{Service, first_line, given, post, text};

const WORKFLOWS: &str = "teams-workflows";

impl Service {
    pub(super) fn teams(&self, message: &Value, recipient: &str) -> Result<Request, String> {
        let url = self.of_recipient("recipientUrls", recipient)?;
        let mut card = Map::from_iter([
            ("@type".to_owned(), "MessageCard".into()),
            ("@context".to_owned(), "https://schema.org/extensions".into()),
        ]);
        for field in ["title", "summary", "text", "themeColor"] {
            let given = text(message, &format!("/teams/{field}"));
            if !given.is_empty() {
                card.insert(field.to_owned(), given.into());
            }
        }
        let said = text(message, "/message");
        if !card.contains_key("text") {
            card.insert("text".to_owned(), said.clone().into());
        }
        if !card.contains_key("title") && !card.contains_key("summary") {
            card.insert("summary".to_owned(), first_line(&said).into());
        }
        let facts = given(message, "teams", "facts")?.map(|facts| json!([{"facts": facts}]));
        let sections = given(message, "teams", "sections")?.or(facts);
        card.extend(sections.map(|sections| ("sections".to_owned(), sections)));
        let actions = given(message, "teams", "potentialAction")?;
        card.extend(actions.map(|actions| ("potentialAction".to_owned(), actions)));
        Ok(post(url, &Value::Object(card), None))
    }

    /// An adaptive card: that of the template, or one made from the fields that message cards have.
    pub(super) fn teams_workflows(&self, message: &Value, recipient: &str) -> Result<Request, String> {
        let url = self.of_recipient("recipientUrls", recipient)?;
        let card = match given(message, WORKFLOWS, "adaptiveCard")? {
            Some(card) => card,
            None => adaptive(message)?,
        };
        let attachment = json!({"contentType": "application/vnd.microsoft.card.adaptive", "content": card});
        Ok(post(url, &json!({"type": "message", "attachments": [attachment]}), None))
    }
}

fn adaptive(message: &Value) -> Result<Value, String> {
    let field = |field: &str| text(message, &format!("/{WORKFLOWS}/{field}"));
    let mut body = Vec::new();
    let (title, color) = (field("title"), field("themeColor"));
    if !title.is_empty() {
        let mut block = json!({"type": "TextBlock", "text": title, "size": "Large", "weight": "Bolder"});
        if !color.is_empty() {
            block["color"] = color.into();
        }
        body.push(block);
    }
    let said = Some(field("text")).filter(|said| !said.is_empty());
    let said = said.unwrap_or_else(|| text(message, "/message"));
    body.push(json!({"type": "TextBlock", "text": said, "wrap": true}));
    let sections = given(message, WORKFLOWS, "sections")?.unwrap_or_default();
    let of_sections = sections.as_array().into_iter().flatten().filter_map(|section| section.get("facts"));
    let own = given(message, WORKFLOWS, "facts")?;
    for facts in own.iter().chain(of_sections) {
        let facts = facts.as_array().into_iter().flatten();
        let facts: Vec<Value> =
            facts.map(|fact| json!({"title": text(fact, "/name"), "value": text(fact, "/value")})).collect();
        body.push(json!({"type": "FactSet", "facts": facts}));
    }
    let mut card = json!({"type": "AdaptiveCard", "version": "1.4", "body": body});
    let actions = given(message, WORKFLOWS, "potentialAction")?.unwrap_or_default();
    let opened =
        actions.as_array().into_iter().flatten().filter(|action| text(action, "/@type") == "OpenUri");
    let opened: Vec<Value> = opened
        .map(|action| {
            json!({"type": "Action.OpenUrl", "title": text(action, "/name"), "url": text(action, "/targets/0/uri")})
        })
        .collect();
    if !opened.is_empty() {
        card["actions"] = opened.into();
    }
    Ok(card)
}
