//! Applies a JSON merge patch to a value, as the API server would (RFC 7396).

use serde_json::Value;

/// `target` with `patch` applied: objects are merged, `null` removes, everything else replaces.
pub fn merged(mut target: Value, patch: &Value) -> Value {
    let Value::Object(fields) = patch else {
        return patch.clone();
    };
    if !target.is_object() {
        target = Value::Object(serde_json::Map::new());
    }
    if let Value::Object(object) = &mut target {
        for (name, change) in fields {
            match change {
                Value::Null => {
                    object.remove(name);
                }
                change => {
                    let before = object.remove(name).unwrap_or_default();
                    object.insert(name.clone(), merged(before, change));
                }
            }
        }
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_merge_null_removes_and_lists_are_replaced() {
        let target = json!({"a": {"b": 1, "c": 2}, "list": [1, 2], "gone": true});
        let patch = json!({"a": {"b": 3}, "list": [4], "gone": null, "new": {"x": {"y": null}}});
        assert_eq!(merged(target, &patch), json!({"a": {"b": 3, "c": 2}, "list": [4], "new": {"x": {}}}));
    }
}
