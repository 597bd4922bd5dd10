//! Performs a JSON patch (RFC 6902) as the API server does: all of it or nothing.

use serde_json::Value;

/// Applies `operations` to `object`; on an error the object is as it was.
///
/// # Errors
/// The operation that does not apply, for people.
pub(crate) fn apply(object: &mut Value, operations: &[Value]) -> Result<(), String> {
    let mut changed = object.clone();
    for operation in operations {
        one(&mut changed, operation).ok_or_else(|| operation.to_string())?;
    }
    *object = changed;
    Ok(())
}

fn one(object: &mut Value, operation: &Value) -> Option<()> {
    let path = operation.get("path")?.as_str()?;
    let value = operation.get("value").cloned().unwrap_or(Value::Null);
    match operation.get("op")?.as_str()? {
        // An absent field and null are the same to the API server (evanphx/json-patch).
        "test" => (object.pointer(path).unwrap_or(&Value::Null) == &value).then_some(()),
        "replace" => {
            *object.pointer_mut(path)? = value;
            Some(())
        }
        "add" => add(object, path, value),
        "remove" => {
            let (parent, key) = parent(object, path)?;
            parent.as_object_mut()?.remove(&key).map(drop)
        }
        _ => None,
    }
}

fn add(object: &mut Value, path: &str, value: Value) -> Option<()> {
    let (parent, key) = parent(object, path)?;
    match parent {
        Value::Array(items) if key == "-" => items.push(value),
        Value::Array(items) => {
            let index: usize = key.parse().ok()?;
            (index <= items.len()).then(|| items.insert(index, value))?;
        }
        Value::Object(fields) => {
            fields.insert(key, value);
        }
        _ => return None,
    }
    Some(())
}

fn parent<'o>(object: &'o mut Value, path: &str) -> Option<(&'o mut Value, String)> {
    let (parent, key) = path.rsplit_once('/')?;
    Some((object.pointer_mut(parent)?, key.replace("~1", "/").replace("~0", "~")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_patch_applies_whole_or_not_at_all() {
        let object = json!({"metadata": {"annotations": {"a/b": "1"}}, "spec": {"replicas": 2}});
        let test = |path: &str, value: Value| json!({"op": "test", "path": path, "value": value});
        let set = json!({"op": "replace", "path": "/spec/replicas", "value": 3});
        for (case, operations, applies) in [
            ("the test holds", vec![test("/spec/replicas", json!(2)), set.clone()], true),
            ("the test fails", vec![set.clone(), test("/spec/replicas", json!(2))], false),
            ("null is absent", vec![test("/status/ready", Value::Null), set.clone()], true),
            (
                "a key with a slash",
                vec![json!({"op": "remove", "path": "/metadata/annotations/a~1b"}), set],
                true,
            ),
            ("nothing to remove", vec![json!({"op": "remove", "path": "/metadata/annotations/c"})], false),
        ] {
            let mut changed = object.clone();
            assert_eq!(apply(&mut changed, &operations).is_ok(), applies, "{case}");
            assert_eq!(changed == object, !applies, "{case}");
        }
    }
}
