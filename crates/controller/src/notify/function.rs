//! Functions of templates beside Go's own: those of Sprig that people use in messages. None reads a clock, a file or the
//! environment. Arguments stand as in Sprig, the piped one last.

use gtmpl::{Func, FuncError, Value};
use serde_json::Value as Json;

type Given<'a> = &'a [Value];
type Made = Result<Value, FuncError>;

/// Every function by its name.
pub(super) const FUNCTIONS: [(&str, Func); 30] = [
    ("upper", upper),
    ("toUpper", upper),
    ("lower", lower),
    ("toLower", lower),
    ("trim", |given| Ok(word(given, 0)?.trim().into())),
    ("trimPrefix", |given| {
        let (part, text) = (word(given, 0)?, word(given, 1)?);
        Ok(text.strip_prefix(&part).unwrap_or(&text).into())
    }),
    ("trimSuffix", |given| {
        let (part, text) = (word(given, 0)?, word(given, 1)?);
        Ok(text.strip_suffix(&part).unwrap_or(&text).into())
    }),
    ("replace", |given| Ok(word(given, 2)?.replace(&word(given, 0)?, &word(given, 1)?).into())),
    ("contains", |given| Ok(word(given, 1)?.contains(&word(given, 0)?).into())),
    ("hasPrefix", |given| Ok(word(given, 1)?.starts_with(&word(given, 0)?).into())),
    ("hasSuffix", |given| Ok(word(given, 1)?.ends_with(&word(given, 0)?).into())),
    ("trunc", truncate),
    ("quote", |given| Ok(Json::from(word(given, 0)?).to_string().into())),
    ("squote", |given| Ok(format!("'{}'", word(given, 0)?).into())),
    ("indent", |given| Ok(indented(given)?.into())),
    ("nindent", |given| Ok(format!("\n{}", indented(given)?).into())),
    ("toString", |given| Ok(word(given, 0)?.into())),
    ("toJson", |given| Ok(json(argument(given, 0)?).to_string().into())),
    ("b64enc", |given| Ok(super::service::base64(word(given, 0)?.as_bytes()).into())),
    ("splitList", |given| {
        let (separator, text) = (word(given, 0)?, word(given, 1)?);
        Ok(Value::Array(text.split(&separator).map(Value::from).collect()))
    }),
    ("join", |given| {
        let words: Vec<String> = list(given, 1)?.iter().map(shown).collect();
        Ok(words.join(&word(given, 0)?).into())
    }),
    ("first", |given| Ok(list(given, 0)?.first().cloned().unwrap_or(Value::Nil))),
    ("last", |given| Ok(list(given, 0)?.last().cloned().unwrap_or(Value::Nil))),
    ("default", |given| {
        let otherwise = argument(given, 0)?;
        Ok(given.get(1).filter(|value| !empty(value)).unwrap_or(otherwise).clone())
    }),
    ("empty", |given| Ok(given.first().is_none_or(empty).into())),
    ("coalesce", |given| Ok(given.iter().find(|value| !empty(value)).cloned().unwrap_or(Value::Nil))),
    ("ternary", |given| argument(given, usize::from(empty(argument(given, 2)?))).cloned()),
    ("hasKey", |given| {
        let key = word(given, 1)?;
        let has = |fields: &std::collections::HashMap<String, Value>| fields.contains_key(&key);
        Ok(matches!(argument(given, 0)?, Value::Map(fields) | Value::Object(fields) if has(fields)).into())
    }),
    ("add", |given| {
        let numbers = given.iter().map(whole).collect::<Result<Vec<_>, _>>()?;
        let sum = numbers.into_iter().try_fold(0_i64, i64::checked_add);
        sum.map(Value::from).ok_or_else(too_large)
    }),
    ("sub", |given| {
        let less = whole(argument(given, 0)?)?.checked_sub(whole(argument(given, 1)?)?);
        less.map(Value::from).ok_or_else(too_large)
    }),
];

fn upper(given: Given) -> Made {
    Ok(word(given, 0)?.to_uppercase().into())
}

fn lower(given: Given) -> Made {
    Ok(word(given, 0)?.to_lowercase().into())
}

/// The first letters, or with a negative number the last ones.
fn truncate(given: Given) -> Made {
    let (length, text) = (whole(argument(given, 0)?)?, word(given, 1)?);
    let wanted = usize::try_from(length.unsigned_abs()).unwrap_or(usize::MAX);
    let skipped = if length < 0 { text.chars().count().saturating_sub(wanted) } else { 0 };
    Ok(text.chars().skip(skipped).take(wanted).collect::<String>().into())
}

fn indented(given: Given) -> Result<String, FuncError> {
    let width = usize::try_from(whole(argument(given, 0)?)?.clamp(0, 100)).unwrap_or_default();
    let text = word(given, 1)?;
    let lines: Vec<String> = text.split('\n').map(|line| format!("{:width$}{line}", "")).collect();
    Ok(lines.join("\n"))
}

fn argument<'a>(given: Given<'a>, index: usize) -> Result<&'a Value, FuncError> {
    given.get(index).ok_or_else(|| FuncError::Generic(format!("argument {} is missing", index + 1)))
}

fn word(given: Given, index: usize) -> Result<String, FuncError> {
    argument(given, index).map(shown)
}

fn whole(value: &Value) -> Result<i64, FuncError> {
    let number = match value {
        Value::Number(number) => number.as_i64(),
        other => shown(other).trim().parse().ok(),
    };
    number.ok_or_else(|| FuncError::Generic(format!("'{value}' is no whole number")))
}

fn too_large() -> FuncError {
    FuncError::Generic("the number is too large".to_owned())
}

fn list<'a>(given: Given<'a>, index: usize) -> Result<&'a [Value], FuncError> {
    match argument(given, index)? {
        Value::Array(values) => Ok(values),
        Value::Nil | Value::NoValue => Ok(&[]),
        other => Err(FuncError::Generic(format!("'{other}' is no list"))),
    }
}

/// A value as text; nothing is no text.
fn shown(value: &Value) -> String {
    match value {
        Value::Nil | Value::NoValue => String::new(),
        other => other.to_string(),
    }
}

/// Empty as Go's templates know it: false, zero, and what has nothing in it.
fn empty(value: &Value) -> bool {
    match value {
        Value::Nil | Value::NoValue => true,
        Value::Bool(truth) => !truth,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Map(fields) | Value::Object(fields) => fields.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Function(_) => false,
    }
}

fn json(value: &Value) -> Json {
    match value {
        Value::Nil | Value::NoValue | Value::Function(_) => Json::Null,
        Value::Bool(truth) => (*truth).into(),
        Value::String(text) => text.as_str().into(),
        Value::Array(values) => values.iter().map(json).collect(),
        Value::Map(fields) | Value::Object(fields) => {
            Json::Object(fields.iter().map(|(name, value)| (name.clone(), json(value))).collect())
        }
        Value::Number(number) => number.as_i64().map_or_else(|| Json::from(number.as_f64()), Json::from),
    }
}
