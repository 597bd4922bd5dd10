//! Writes values as Go's `fmt` does with `%v`: the text that users of Argo Rollouts know from measurements.

use std::fmt::Write;

use serde_json::Value;

use super::print_number;

/// `[1 2.5 text <nil>]`, `map[a:1]`, numbers as floats.
pub(super) fn of_json(json: &Value) -> String {
    match json {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.to_string(),
            (None, Some(number)) => of_number(number),
            (None, None) => number.to_string(),
        },
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(of_json).collect();
            format!("[{}]", values.join(" "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}:{}", of_json(value))).collect();
            format!("map[{}]", fields.join(" "))
        }
    }
}

/// A float: without exponent unless it is below 0.0001 or from 1e21 on.
pub(super) fn of_number(number: f64) -> String {
    let size = number.abs();
    if !number.is_finite() || size == 0.0 || (1e-4..1e21).contains(&size) {
        return print_number(number);
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
    let mut text = digits.to_owned();
    // Writing to a String cannot fail.
    let _ = write!(text, "e{sign}{exponent:0>2}");
    text
}

/// A float with two decimals, as `%.2f`.
pub(super) fn two_decimals(number: f64) -> String {
    if number.is_finite() { format!("{number:.2}") } else { print_number(number) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_written_as_go_writes_them() {
        for (value, expected) in [
            (json!(1.0), "1"),
            (json!(0.5), "0.5"),
            (json!(7), "7"),
            (json!(0.0001), "0.0001"),
            (json!(0.00001), "1e-05"),
            (json!(1.5e21), "1.5e+21"),
            (json!(-2e-7), "-2e-07"),
            (json!(1e20), "100000000000000000000"),
            (json!([[1, 2.5], []]), "[[1 2.5] []]"),
            (json!(["a b", null, true]), "[a b <nil> true]"),
            (json!({"b": 1, "a": "x"}), "map[a:x b:1]"),
        ] {
            assert_eq!(of_json(&value), expected, "{value}");
        }
        assert_eq!(of_number(f64::INFINITY), "+Inf");
        assert_eq!((two_decimals(0.125), two_decimals(f64::NAN)), ("0.12".to_owned(), "NaN".to_owned()));
    }
}
