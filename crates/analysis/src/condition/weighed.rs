//! Says what a value rests on: a comparison with NaN, or a look at a list without elements, decides nothing.

use expr::Value;

/// Why a value decides nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// NaN was compared: every comparison with it is false, whatever the truth.
    NotANumber,
    /// The provider returned nothing, and "all of nothing" is true.
    NoData,
}

/// A value with the doubt that it rests on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Weighed {
    pub(super) value: Value,
    pub(super) doubt: Option<Doubt>,
}

impl Weighed {
    pub(super) fn sure(value: impl Into<Value>) -> Self {
        Self { value: value.into(), doubt: None }
    }

    pub(super) fn doubting(self, doubt: Option<Doubt>) -> Self {
        Self { doubt: self.doubt.or(doubt), ..self }
    }
}

/// A NaN stands in the value, at any depth.
pub(super) fn holds_nan(value: &Value) -> bool {
    match value {
        Value::Float(number) => number.is_nan(),
        Value::Array(values) => values.iter().any(holds_nan),
        Value::Map(values) => values.values().any(holds_nan),
        Value::KeyedMap(pairs) => pairs.iter().any(|(key, value)| holds_nan(key) || holds_nan(value)),
        _ => false,
    }
}

/// Nothing at all: nil, or a list, map or text without content.
pub(super) fn empty(value: &Value) -> bool {
    match value {
        Value::Nil => true,
        Value::Array(values) => values.is_empty(),
        Value::Map(values) => values.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// The doubt of several values together.
pub(super) fn doubt<'w>(values: impl IntoIterator<Item = &'w Weighed>) -> Option<Doubt> {
    values.into_iter().find_map(|weighed| weighed.doubt)
}

/// JSON as expr-lang sees it in Go: every number is a float.
pub(super) fn of_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(truth) => Value::Bool(*truth),
        serde_json::Value::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(text) => Value::String(text.clone()),
        serde_json::Value::Array(values) => Value::Array(values.iter().map(of_json).collect()),
        serde_json::Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.as_str(), of_json(value))).collect()
        }
    }
}

/// The JSON of a value, for `toJSON`. `None` for what JSON has no word for.
pub(super) fn to_json(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::Nil => serde_json::Value::Null,
        Value::Bool(truth) => (*truth).into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => (*number as i64).into(),
        Value::Float(number) => serde_json::Number::from_f64(*number)?.into(),
        Value::String(text) => text.as_str().into(),
        Value::Array(values) => values.iter().map(to_json).collect::<Option<Vec<_>>>()?.into(),
        Value::Map(fields) => serde_json::Value::Object(
            fields
                .iter()
                .map(|(name, value)| Some((name.clone(), to_json(value)?)))
                .collect::<Option<_>>()?,
        ),
        _ => return None,
    })
}
