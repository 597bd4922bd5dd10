//! Writes `application/x-www-form-urlencoded`, the notation of query strings and of form bodies.

use std::fmt::Write;

/// `name=value` pairs, escaped.
pub(crate) fn encode(fields: &[(&str, &str)]) -> String {
    let mut form = String::new();
    for (name, value) in fields {
        if !form.is_empty() {
            form.push('&');
        }
        escape(name, &mut form);
        form.push('=');
        escape(value, &mut form);
    }
    form
}

/// One text, escaped.
pub(crate) fn escaped(text: &str) -> String {
    let mut form = String::new();
    escape(text, &mut form);
    form
}

/// The text that an escaped one stands for. What is no escape stays as it is.
pub(crate) fn decoded(form: &str) -> String {
    let mut bytes = Vec::with_capacity(form.len());
    let mut rest = form.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = (first == b'%').then(|| after.get(..2)).flatten();
        let code = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match (first, code) {
            (_, Some(code)) => {
                bytes.push(code);
                rest = after.get(2..).unwrap_or_default();
                continue;
            }
            (b'+', None) => bytes.push(b' '),
            (other, None) => bytes.push(other),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn escape(text: &str, form: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                form.push(char::from(byte))
            }
            // Writing to a String cannot fail.
            other => drop(write!(form, "%{other:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay() {
        assert_eq!(
            encode(&[("query", "up{a=\"ü\"} > 1"), ("time", "1.5")]),
            "query=up%7Ba%3D%22%C3%BC%22%7D%20%3E%201&time=1.5"
        );
    }

    #[test]
    fn what_was_escaped_comes_back() {
        for (form, expected) in
            [("a+b%20c", "a b c"), ("%C3%BC", "ü"), ("100%", "100%"), ("%zz%4", "%zz%4"), ("a%2Bb", "a+b")]
        {
            assert_eq!(decoded(form), expected, "{form}");
        }
    }
}
