//! Translates a pod template to the bytes that Go's `encoding/json` writes for it: the input of the hash.

use serde_json::Value;

use super::quantity;
use super::schema::{self, Field, Kind, Omit};

/// The JSON of a PodTemplateSpec as Go writes it; `None` when a value does not fit Go's types.
///
/// Fields that Go does not know are dropped, as its round trip drops them. The protocol of a port is set first: the
/// schema of the Argo CRD defaults it before any controller sees the object.
pub(super) fn pod_template(template: &Value) -> Option<String> {
    let mut out = String::new();
    object(schema::POD_TEMPLATE, Some(template), &mut out)?;
    Some(out)
}

/// The JSON of a list of canary steps as Go writes it; an empty list is lost in its round trip and becomes `null`.
pub(super) fn steps(steps: &[Value]) -> Option<String> {
    if steps.is_empty() {
        return Some("null".to_owned());
    }
    let mut out = String::new();
    list(&Kind::Object(schema::STEP.to_owned()), steps, &mut out)?;
    Some(out)
}

fn object(type_name: &str, value: Option<&Value>, out: &mut String) -> Option<()> {
    let fields = match value {
        None | Some(Value::Null) => None,
        Some(Value::Object(fields)) => Some(fields),
        Some(_) => return None,
    };
    out.push('{');
    let mut first = true;
    for field in schema::fields(type_name) {
        let value = fields.and_then(|fields| fields.get(&field.name)).filter(|value| !value.is_null());
        if value.is_none() && (type_name, field.name.as_str()) == ("ContainerPort", "protocol") {
            write_field(field, Some(&Value::String("TCP".to_owned())), &mut first, out)?;
        } else if !left_out(field, value) {
            write_field(field, value, &mut first, out)?;
        }
    }
    out.push('}');
    Some(())
}

fn write_field(field: &Field, value: Option<&Value>, first: &mut bool, out: &mut String) -> Option<()> {
    if !*first {
        out.push(',');
    }
    *first = false;
    string(&field.name, out);
    out.push(':');
    write(&field.kind, value, out)
}

fn left_out(field: &Field, value: Option<&Value>) -> bool {
    match field.omit {
        Omit::Never => false,
        Omit::Zero => value.is_none(),
        Omit::Empty => match (&field.kind, value) {
            (Kind::Object(_) | Kind::Quantity | Kind::Any, None) => matches!(field.kind, Kind::Any),
            (Kind::Object(_) | Kind::Quantity | Kind::Any, Some(_)) => false,
            (Kind::Time, _) => false,
            (_, None) => true,
            (Kind::Pointer(_), Some(_)) => false,
            (_, Some(value)) => schema::is_empty(value),
        },
    }
}

fn write(kind: &Kind, value: Option<&Value>, out: &mut String) -> Option<()> {
    match (kind, value) {
        (Kind::Object(name), value) => return object(name, value, out),
        (Kind::Pointer(inner), Some(value)) => return write(inner, Some(value), out),
        (Kind::List(inner), Some(Value::Array(items))) => return list(inner, items, out),
        (Kind::Map(inner), Some(Value::Object(entries))) => return map(inner, entries, out),
        (Kind::Bool, None) => out.push_str("false"),
        (Kind::Bool, Some(Value::Bool(set))) => out.push_str(if *set { "true" } else { "false" }),
        (Kind::Int, None) => out.push('0'),
        (Kind::Int, Some(Value::Number(number))) => out.push_str(&number.as_i64()?.to_string()),
        (Kind::Text, None) => string("", out),
        (Kind::Text | Kind::Time, Some(Value::String(text))) => string(text, out),
        (Kind::Quantity, None) => string("0", out),
        (Kind::Quantity, Some(Value::String(text))) => string(&quantity::canonical(text)?, out),
        (Kind::Quantity, Some(Value::Number(number))) => {
            string(&quantity::canonical(&number.to_string())?, out)
        }
        (Kind::Any, Some(value)) => any(value, out),
        (Kind::Pointer(_) | Kind::List(_) | Kind::Map(_) | Kind::Time | Kind::Any, None) => {
            out.push_str("null")
        }
        (_, Some(_)) => return None,
    }
    Some(())
}

fn list(kind: &Kind, items: &[Value], out: &mut String) -> Option<()> {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(kind, Some(item), out)?;
    }
    out.push(']');
    Some(())
}

/// Keys of `serde_json::Map` are sorted, as those of a Go map are when written.
fn map(kind: &Kind, entries: &serde_json::Map<String, Value>, out: &mut String) -> Option<()> {
    let mut keys: Vec<_> = entries.keys().collect();
    keys.sort();
    out.push('{');
    for (index, key) in keys.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        string(key, out);
        out.push(':');
        write(kind, entries.get(key), out)?;
    }
    out.push('}');
    Some(())
}

fn any(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => string(text, out),
        other => out.push_str(&other.to_string()),
    }
}

/// A string with the escapes of Go: those of JSON, and `<`, `>`, `&`, U+2028 and U+2029.
fn string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)))
            }
            control if u32::from(control) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn go_writes_structs_in_their_order_and_leaves_empty_values_out() {
        for (template, expected) in [
            (json!({}), r#"{"metadata":{},"spec":{"containers":null}}"#),
            (
                json!({"spec": {"hostNetwork": false, "containers": [{"image": "a<b", "name": "x", "newField": 1}]}}),
                r#"{"metadata":{},"spec":{"containers":[{"name":"x","image":"a\u003cb","resources":{}}]}}"#,
            ),
            (
                json!({"spec": {"automountServiceAccountToken": false, "containers": [],
                       "volumes": [{"name": "v", "emptyDir": {}}]}}),
                r#"{"metadata":{},"spec":{"volumes":[{"name":"v","emptyDir":{}}],"containers":[],"automountServiceAccountToken":false}}"#,
            ),
            (
                json!({"spec": {"containers": [{"name": "x", "resources": {"limits": {"cpu": 0.5, "memory": "2048Mi"}}}]}}),
                r#"{"metadata":{},"spec":{"containers":[{"name":"x","resources":{"limits":{"cpu":"500m","memory":"2Gi"}}}]}}"#,
            ),
        ] {
            assert_eq!(pod_template(&template).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_value_of_another_type_cannot_be_expressed() {
        assert_eq!(pod_template(&json!({"spec": {"containers": "none"}})), None);
    }
}
