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
}
