//! Applies operators, indexes and slices to values, with the results of expr-lang 1.17.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use expr::{Context, Program, Value};

use super::Fault;

/// Operators whose results come from the library, each as a program over `a` and `b`.
static OPERATORS: LazyLock<BTreeMap<&'static str, Program>> = LazyLock::new(|| {
    let signs = [
        "+",
        "-",
        "*",
        "/",
        "%",
        "**",
        "==",
        "!=",
        "<",
        ">",
        "<=",
        ">=",
        "in",
        "contains",
        "startsWith",
        "endsWith",
        "matches",
    ];
    signs.into_iter().filter_map(|sign| Some((sign, expr::compile(&format!("a {sign} b")).ok()?))).collect()
});

/// Largest text or list that an operator may make, in elements or bytes.
const LARGEST: usize = 100_000;

/// # Errors
/// [`Fault::Value`] that shows both operands.
pub(super) fn binary(sign: &str, left: Value, right: Value) -> Result<Value, Fault> {
    if let Some(value) = floats(sign, &left, &right) {
        return Ok(value);
    }
    if sign == "+" && size(&left).saturating_add(size(&right)) > LARGEST {
        return Err(Fault::Value(format!("more than {LARGEST} elements")));
    }
    let shown = format!("{sign} cannot be applied to {} and {}", brief(&left), brief(&right));
    let context: Context = [("a", left), ("b", right)].into_iter().collect();
    let program = OPERATORS.get(sign).ok_or_else(|| Fault::Syntax(format!("unknown operator {sign}")))?;
    super::guarded(|| expr::run(program, &context)).map_err(|_| Fault::Value(shown))
}

/// The shortcut for what nearly every condition does: one float against a number.
fn floats(sign: &str, left: &Value, right: &Value) -> Option<Value> {
    let (left, right) = match (left, right) {
        (Value::Float(left), Value::Float(right)) => (*left, *right),
        (Value::Float(left), Value::Integer(right)) => (*left, *right as f64),
        (Value::Integer(left), Value::Float(right)) => (*left as f64, *right),
        _ => return None,
    };
    Some(match sign {
        "<" => (left < right).into(),
        ">" => (left > right).into(),
        "<=" => (left <= right).into(),
        ">=" => (left >= right).into(),
        "+" => (left + right).into(),
        "-" => (left - right).into(),
        "*" => (left * right).into(),
        "/" => (left / right).into(),
        _ => return None,
    })
}

fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.len(),
        _ => 0,
    }
}

/// A value in a message: the whole of short ones, the kind of long ones.
pub(super) fn brief(value: &Value) -> String {
    let shown = match value {
        Value::Float(number) if number.is_infinite() => {
            if *number > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
        }
        Value::Array(values) if values.len() > 8 => format!("a list of {} elements", values.len()),
        Value::Map(_) | Value::KeyedMap(_) => "a map".to_owned(),
        other => other.to_string(),
    };
    if shown.len() > 100 { "a long text".to_owned() } else { shown }
}

pub(super) fn unary(sign: &str, value: Value) -> Result<Value, Fault> {
    match (sign, value) {
        ("!", Value::Bool(truth)) => Ok(Value::Bool(!truth)),
        ("-", Value::Integer(number)) => Ok(Value::Integer(number.wrapping_neg())),
        ("-", Value::Float(number)) => Ok(Value::Float(-number)),
        ("+", value @ (Value::Integer(_) | Value::Float(_))) => Ok(value),
        (sign, value) => Err(Fault::Value(format!("{sign} cannot be applied to {}", brief(&value)))),
    }
}

/// # Errors
/// [`Fault::Value`] for unlike bounds, or more than [`LARGEST`] numbers.
pub(super) fn range(from: &Value, to: &Value) -> Result<Value, Fault> {
    let (Value::Integer(from), Value::Integer(to)) = (from, to) else {
        return Err(Fault::Value(format!("cannot range from {} to {}", brief(from), brief(to))));
    };
    if usize::try_from(to.saturating_sub(*from)).is_ok_and(|length| length >= LARGEST) {
        return Err(Fault::Value(format!("more than {LARGEST} elements")));
    }
    Ok(Value::Array((*from..=*to).map(Value::Integer).collect()))
}

/// `base[key]` and `base.key`. A field that a map lacks is nil; an element that a list lacks is a fault.
pub(super) fn index(base: &Value, key: &Value) -> Result<Value, Fault> {
    match (base, key) {
        (Value::Map(fields), Value::String(name)) => Ok(fields.get(name).cloned().unwrap_or(Value::Nil)),
        (Value::KeyedMap(pairs), key) => {
            Ok(pairs.iter().find(|(known, _)| known == key).map_or(Value::Nil, |(_, value)| value.clone()))
        }
        (Value::Array(values), key) => {
            let position = whole(key).ok_or_else(|| absent(base, key))?;
            let found = position_in(position, values.len()).and_then(|position| values.get(position));
            found.cloned().ok_or_else(|| out_of_range(position, values.len()))
        }
        (Value::String(text), key) if whole(key).is_some() => {
            let position = whole(key).unwrap_or_default();
            let characters: Vec<char> = text.chars().collect();
            let found = position_in(position, characters.len()).and_then(|position| characters.get(position));
            found
                .map(|found| Value::String(found.to_string()))
                .ok_or_else(|| out_of_range(position, characters.len()))
        }
        _ => Err(absent(base, key)),
    }
}

fn absent(base: &Value, key: &Value) -> Fault {
    let key = match key {
        Value::String(name) => name.clone(),
        other => brief(other),
    };
    Fault::Value(format!("cannot fetch {key} from {}", brief(base)))
}

fn out_of_range(position: i64, length: usize) -> Fault {
    Fault::Value(format!("index out of range: {position} (array length is {length})"))
}

fn whole(key: &Value) -> Option<i64> {
    match key {
        Value::Integer(number) => Some(*number),
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e9 => Some(*number as i64),
        _ => None,
    }
}

fn position_in(position: i64, length: usize) -> Option<usize> {
    if position < 0 {
        length.checked_sub(usize::try_from(position.unsigned_abs()).ok()?)
    } else {
        usize::try_from(position).ok()
    }
}

/// `base[from:to]`; bounds outside are moved to the ends.
pub(super) fn slice(base: &Value, from: Option<&Value>, to: Option<&Value>) -> Result<Value, Fault> {
    let bound = |bound: Option<&Value>, otherwise: usize, length: usize| match bound {
        None => Ok(otherwise),
        Some(bound) => match whole(bound) {
            Some(position) => Ok(position_in(position, length).unwrap_or(0).min(length)),
            None => Err(Fault::Value(format!("cannot slice at {}", brief(bound)))),
        },
    };
    let ends = |length: usize| -> Result<(usize, usize), Fault> {
        let to = bound(to, length, length)?;
        Ok((bound(from, 0, length)?.min(to), to))
    };
    match base {
        Value::Array(values) => {
            let (from, to) = ends(values.len())?;
            Ok(Value::Array(values.get(from..to).unwrap_or_default().to_vec()))
        }
        Value::String(text) => {
            let (from, to) = ends(text.chars().count())?;
            Ok(Value::String(text.chars().skip(from).take(to - from).collect()))
        }
        other => Err(Fault::Value(format!("cannot slice {}", brief(other)))),
    }
}

/// The number that a value is.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}
