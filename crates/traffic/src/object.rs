//! Reads raw objects: what the user wrote is never turned into a type and back, so nothing of it is lost.

use serde_json::Value;

/// The list at `path`, empty when it is absent or something else.
pub(crate) fn list<'o>(object: &'o Value, path: &str) -> &'o [Value] {
    object.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The text of a field, when it is text.
pub(crate) fn text<'o>(object: &'o Value, field: &str) -> Option<&'o str> {
    object.get(field).and_then(Value::as_str)
}

/// A non-negative whole number, also when it is written as `20.0`; other values are `None`.
pub(crate) fn count(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => match (number.as_u64(), number.as_f64()) {
            (Some(whole), _) => u32::try_from(whole).ok(),
            (None, Some(float)) if float.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&float) => {
                format!("{float:.0}").parse().ok()
            }
            _ => None,
        },
        _ => None,
    }
}

/// `metadata.generation`, 0 when absent.
pub(crate) fn generation(object: &Value) -> i64 {
    object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(0)
}

/// The annotation of this name.
pub(crate) fn annotation<'o>(object: &'o Value, name: &str) -> Option<&'o str> {
    object.pointer("/metadata/annotations")?.get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_are_whole_and_not_negative() {
        for (value, expected) in [
            (json!(20), Some(20)),
            (json!(20.0), Some(20)),
            (json!(20.5), None),
            (json!(-1), None),
            (json!("20"), None),
            (json!(4294967296_u64), None),
        ] {
            assert_eq!(count(&value), expected, "{value}");
        }
    }
}
