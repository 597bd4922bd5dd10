//! Says what a `fieldRef` of an analysis argument means: downward-API paths and dotted paths into the Rollout.

use serde_json::Value;

/// The text at `path`: `metadata.labels['key']`, `spec.template.spec.containers[0].image`, and so on.
/// Strings come as they are, other values as JSON; `None` when there is nothing.
pub(crate) fn read(object: &Value, path: &str) -> Option<String> {
    let mut value = object;
    for segment in segments(path) {
        value = match value {
            Value::Array(items) => items.get(segment.parse::<usize>().ok()?)?,
            other => other.get(&segment)?,
        };
    }
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Splits at dots outside of brackets; `a['b.c'][0]` gives `a`, `b.c`, `0`.
fn segments(path: &str) -> Vec<String> {
    let mut segments = Vec::new();
    let mut current = String::new();
    let mut bracketed = false;
    for character in path.chars() {
        match character {
            '[' | ']' | '.' if !bracketed || character == ']' => {
                bracketed = character == '[';
                if !current.is_empty() {
                    segments.push(std::mem::take(&mut current));
                }
            }
            '\'' | '"' if bracketed => {}
            other => current.push(other),
        }
    }
    if !current.is_empty() {
        segments.push(current);
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_reach_labels_lists_and_plain_fields() {
        let object = serde_json::json!({
            "metadata": {"name": "shop", "labels": {"a.b/c": "d"}},
            "spec": {"replicas": 3, "containers": [{"image": "x:1"}]},
        });
        for (path, expected) in [
            ("metadata.name", Some("shop")),
            ("metadata.labels['a.b/c']", Some("d")),
            ("spec.containers[0].image", Some("x:1")),
            ("spec.replicas", Some("3")),
            ("spec.containers[1].image", None),
            ("spec.nothing", None),
        ] {
            assert_eq!(read(&object, path).as_deref(), expected, "{path}");
        }
    }
}
