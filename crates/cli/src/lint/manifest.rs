//! Reads manifests: YAML or JSON, several documents in a file, lists.

use serde::Deserialize;
use serde_json::Value;

/// One object of a manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The object.
    pub object: Value,
    /// Kind and name, or its place in the file when it has none.
    pub title: String,
}

/// The objects of a manifest; the members of lists for themselves.
///
/// # Errors
/// The document that cannot be read, by its number, and why.
pub fn documents(text: &str) -> Result<Vec<Document>, String> {
    let mut found = Vec::new();
    for (index, document) in serde_yaml::Deserializer::from_str(text).enumerate() {
        let number = index + 1;
        // By way of a YAML value, which refuses a key that stands twice.
        let value = serde_yaml::Value::deserialize(document)
            .and_then(serde_yaml::from_value::<Value>)
            .map_err(|why| format!("document {number}: {why}"))?;
        members(value, number, &mut found);
    }
    Ok(found)
}

fn members(value: Value, number: usize, found: &mut Vec<Document>) {
    match value.get("items").and_then(Value::as_array) {
        Some(items)
            if value.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List")) =>
        {
            items.iter().for_each(|item| members(item.clone(), number, found));
        }
        _ if value.is_null() => {}
        _ => {
            let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
            let name = text("/metadata/name").or(text("/metadata/generateName"));
            let title = match (text("/kind"), name) {
                (Some(kind), Some(name)) => format!("{kind} {name}"),
                (Some(kind), None) => format!("{kind} (document {number})"),
                _ => format!("document {number}"),
            };
            found.push(Document { object: value, title });
        }
    }
}
