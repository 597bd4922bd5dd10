//! Walks an object along the schema of its definition: types, and fields that the API server would drop.

use serde_json::Value;

use super::Finding;
use crate::failure::similar;

/// The schema of a kind of the API; `None` for a kind that it does not have.
pub(super) fn of_kind(kind: &str) -> Option<Value> {
    let all = serin_api::crd::all();
    let definition = all
        .into_iter()
        .find(|definition| definition.pointer("/spec/names/kind").and_then(Value::as_str) == Some(kind))?;
    definition.pointer("/spec/versions/0/schema/openAPIV3Schema").cloned()
}

/// Adds what does not fit. Fields of `metadata` and `status` are not those of the API, and are left alone.
pub(super) fn walk(schema: &Value, value: &Value, path: &str, findings: &mut Vec<Finding>) {
    if value.is_null() || matches!(path, "metadata" | "status") {
        return;
    }
    if schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        if !(value.is_string() || value.is_i64() || value.is_u64()) {
            findings.push(mismatch(path, value, "a whole number or text"));
        }
        return;
    }
    match (schema.get("type").and_then(Value::as_str), value) {
        (Some("object"), Value::Object(_)) => object(schema, value, path, findings),
        (Some("array"), Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                walk(
                    schema.get("items").unwrap_or(&Value::Null),
                    item,
                    &format!("{path}[{index}]"),
                    findings,
                );
            }
        }
        (Some("string"), Value::String(_)) => one_of(schema, value, path, findings),
        (Some("boolean"), Value::Bool(_)) | (Some("number"), Value::Number(_)) | (None, _) => {}
        (Some("integer"), Value::Number(number)) if !number.is_f64() => {}
        (Some(wanted), _) => findings.push(mismatch(path, value, words(wanted))),
    }
}

fn object(schema: &Value, value: &Value, path: &str, findings: &mut Vec<Finding>) {
    let known = schema.get("properties").and_then(Value::as_object);
    let further = schema.get("additionalProperties").filter(|further| further.is_object());
    let open = schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true))
        || (known.is_none() && further.is_none());
    for (name, value) in value.as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (known.and_then(|known| known.get(name)), further) {
            (Some(schema), _) | (None, Some(schema)) => walk(schema, value, &path, findings),
            (None, None) if open || matches!(path.as_str(), "apiVersion" | "kind" | "metadata") => {}
            (None, None) => {
                let names = known.into_iter().flatten().map(|(name, _)| name.as_str());
                findings.push(unknown(&path, name, names));
            }
        }
    }
    for name in
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    {
        if value.get(name).is_none() && !(path.is_empty() && name == "metadata") {
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            findings.push(Finding::problem(format!("{path}: Required value: it is missing")));
        }
    }
}

/// A field that nobody reads.
pub(super) fn unknown<'n>(path: &str, name: &str, known: impl IntoIterator<Item = &'n str>) -> Finding {
    let near = similar(name, known);
    let hint = match near.as_slice() {
        [] => "remove it".to_owned(),
        near => format!("did you mean {}?", near.join(" or ")),
    };
    Finding::warning(format!("{path}: unknown field, it would be dropped; {hint}"))
}

fn one_of(schema: &Value, value: &Value, path: &str, findings: &mut Vec<Finding>) {
    let Some(allowed) = schema.get("enum").and_then(Value::as_array) else { return };
    if !allowed.contains(value) {
        let names: Vec<_> =
            allowed.iter().filter_map(Value::as_str).map(|name| format!("\"{name}\"")).collect();
        findings.push(Finding::problem(format!(
            "{path}: Invalid value: {value}: supported values: {}",
            names.join(", ")
        )));
    }
}

fn mismatch(path: &str, value: &Value, wanted: &str) -> Finding {
    Finding::problem(format!("{path}: Invalid value: {value}: expected {wanted}"))
}

fn words(type_: &str) -> &str {
    match type_ {
        "object" => "an object",
        "array" => "a list",
        "string" => "text, in quotes if it looks like something else",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        other => other,
    }
}
