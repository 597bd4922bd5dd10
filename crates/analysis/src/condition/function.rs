//! The functions of conditions: those of Argo Rollouts here, the others from the library.

use std::sync::LazyLock;

use expr::{Context, Environment, Value};
use jiff::Timestamp;

use super::Fault;
use super::operator::brief;
use super::weighed::{Doubt, Weighed, doubt, holds_nan, of_json, to_json};

static LIBRARY: LazyLock<Environment<'static>> = LazyLock::new(Environment::new);

const OWN: [&str; 10] =
    ["asInt", "asFloat", "isNaN", "isInf", "isNil", "default", "now", "fromJSON", "toJSON", "repeat"];

const FROM_LIBRARY: [&str; 52] = [
    "len",
    "type",
    "abs",
    "ceil",
    "floor",
    "round",
    "int",
    "float",
    "string",
    "trim",
    "trimPrefix",
    "trimSuffix",
    "upper",
    "lower",
    "split",
    "splitAfter",
    "replace",
    "join",
    "indexOf",
    "lastIndexOf",
    "hasPrefix",
    "hasSuffix",
    "max",
    "min",
    "mean",
    "median",
    "toBase64",
    "fromBase64",
    "duration",
    "date",
    "timezone",
    "first",
    "last",
    "get",
    "take",
    "keys",
    "values",
    "toPairs",
    "fromPairs",
    "reverse",
    "uniq",
    "concat",
    "flatten",
    "sort",
    "bitand",
    "bitor",
    "bitxor",
    "bitnand",
    "bitnot",
    "bitshl",
    "bitshr",
    "bitushr",
];

/// Functions in whose result a NaN of their arguments can still be seen, or that ask for it.
const SEE_THROUGH: [&str; 15] = [
    "isNaN", "isInf", "isNil", "default", "len", "type", "first", "last", "get", "take", "reverse", "concat",
    "flatten", "values", "keys",
];

/// Functions by which a condition says itself what no data mean.
const MIND_NO_DATA: [&str; 3] = ["len", "isNil", "default"];

/// Longest text that `repeat` makes.
const LONGEST: usize = 100_000;

pub(super) fn exists(name: &str) -> bool {
    OWN.contains(&name) || FROM_LIBRARY.contains(&name)
}

/// The call says what becomes of no data.
pub(super) fn minds_no_data(name: &str) -> bool {
    MIND_NO_DATA.contains(&name)
}

/// # Errors
/// [`Fault::Value`] with what the function says.
pub(super) fn call(name: &str, arguments: Vec<Weighed>, now: Timestamp) -> Result<Weighed, Fault> {
    let blind = !SEE_THROUGH.contains(&name) && arguments.iter().any(|argument| holds_nan(&argument.value));
    let doubted = doubt(&arguments).or(blind.then_some(Doubt::NotANumber));
    let arguments: Vec<Value> = arguments.into_iter().map(|argument| argument.value).collect();
    let value = match (name, arguments.as_slice()) {
        ("asInt", [value]) => as_int(value),
        ("asFloat", [value]) => as_float(value),
        ("isNaN", [value]) => float(name, value).map(|number| number.is_nan().into()),
        ("isInf", [value]) => float(name, value).map(|number| number.is_infinite().into()),
        ("isNil", [value]) => Ok(value.is_nil().into()),
        ("default", [value, otherwise]) => Ok(if value.is_nil() { otherwise.clone() } else { value.clone() }),
        ("now", []) => moment(now),
        ("fromJSON", [Value::String(text)]) => from_json(text),
        ("toJSON", [value]) => {
            let json = to_json(value).and_then(|json| serde_json::to_string_pretty(&json).ok());
            json.map(Value::String)
                .ok_or_else(|| Fault::Value(format!("cannot write {} as JSON", brief(value))))
        }
        ("repeat", [Value::String(text), Value::Integer(times)]) => repeat(text, *times),
        (own, arguments) if OWN.contains(&own) => {
            let shown: Vec<String> = arguments.iter().map(brief).collect();
            Err(Fault::Value(format!("{own}({}): it does not take such arguments", shown.join(", "))))
        }
        _ => library(name, arguments),
    }?;
    Ok(Weighed { value, doubt: doubted })
}

fn library(name: &str, arguments: Vec<Value>) -> Result<Value, Fault> {
    super::guarded(|| LIBRARY.eval_func(&Context::default(), name, arguments, None))
}

/// `value.name(arguments)`: the methods of times and durations.
pub(super) fn method(value: Weighed, name: &str, arguments: Vec<Weighed>) -> Result<Weighed, Fault> {
    let doubted = value.doubt.or(doubt(&arguments));
    let names: Vec<String> = (0..arguments.len()).map(|index| format!("a{index}")).collect();
    let code = format!("v.{name}({})", names.join(", "));
    let mut context: Context =
        names.into_iter().zip(arguments.into_iter().map(|argument| argument.value)).collect();
    context.insert("v", value.value);
    let value = super::guarded(|| expr::eval(&code, &context))?;
    Ok(Weighed { value, doubt: doubted })
}

/// `now` as the library knows moments.
pub(super) fn moment(now: Timestamp) -> Result<Value, Fault> {
    library("date", vec![Value::String(now.to_string())])
}

fn as_int(value: &Value) -> Result<Value, Fault> {
    let number = match value {
        Value::Integer(number) => Some(*number),
        Value::Float(number) if number.is_finite() => Some(number.trunc() as i64),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number
        .map(Value::Integer)
        .ok_or_else(|| Fault::Value(format!("asInt() not supported on {}", brief(value))))
}

fn as_float(value: &Value) -> Result<Value, Fault> {
    let number = match value {
        Value::String(text) => text.parse().ok(),
        other => super::operator::number(other),
    };
    number
        .map(Value::Float)
        .ok_or_else(|| Fault::Value(format!("asFloat() not supported on {}", brief(value))))
}

fn float(name: &str, value: &Value) -> Result<f64, Fault> {
    super::operator::number(value)
        .ok_or_else(|| Fault::Value(format!("{name}({}): not a number", brief(value))))
}

fn from_json(text: &str) -> Result<Value, Fault> {
    let json: serde_json::Value =
        serde_json::from_str(text).map_err(|error| Fault::Value(format!("fromJSON: {error}")))?;
    Ok(of_json(&json))
}

fn repeat(text: &str, times: i64) -> Result<Value, Fault> {
    let times = usize::try_from(times).map_err(|_| Fault::Value(format!("cannot repeat {times} times")))?;
    if text.len().saturating_mul(times) > LONGEST {
        return Err(Fault::Value(format!("a text of more than {LONGEST} bytes")));
    }
    Ok(Value::String(text.repeat(times)))
}
