//! Reads a PromQL selector and narrows it down, without ever breaking out of its braces.

use std::fmt;

/// Why a text is no selector of a counter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unselectable {
    /// There is no metric name.
    #[error("it names no metric; give the counter itself, such as http_requests_total{{app=\"shop\"}}")]
    Nameless,
    /// Something stands where a matcher or the end should.
    #[error(
        "{found:?} at column {column} is not expected; give the counter itself, such as \
             http_requests_total{{app=\"shop\"}}, without functions and without a range"
    )]
    Unexpected {
        /// The rest of the text.
        found: String,
        /// Counted from 1.
        column: usize,
    },
    /// A label matcher without label, operator or quoted value.
    #[error("{found:?} at column {column} is not a label matcher such as code=~\"5..\"")]
    Matcher {
        /// The rest of the text.
        found: String,
        /// Counted from 1.
        column: usize,
    },
}

/// A counter with label matchers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    name: Option<String>,
    matchers: Vec<String>,
}

impl Selector {
    /// `http_requests_total`, `http_requests_total{app="shop"}` or `{__name__="http_requests_total"}`.
    pub(crate) fn parse(text: &str) -> Result<Self, Unselectable> {
        let mut reader = Reader { text, at: 0 };
        reader.blanks();
        let name = reader.word(|character| character.is_ascii_alphanumeric() || "_:".contains(character));
        if name.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(Reader { text, at: 0 }.unexpected());
        }
        reader.blanks();
        let matchers = if reader.accept("{") { reader.matchers(true)? } else { Vec::new() };
        reader.blanks();
        if !reader.rest().is_empty() {
            return Err(reader.unexpected());
        }
        let named = |matcher: &String| {
            matcher.starts_with("__name__") || matcher.starts_with(['"', '\'', '`']) && !matcher.contains('=')
        };
        if name.is_empty() && !matchers.iter().any(named) {
            return Err(Unselectable::Nameless);
        }
        Ok(Self { name: Some(name.to_owned()).filter(|name| !name.is_empty()), matchers })
    }

    /// This selector with further matchers: `code=~"5.."` or `{code=~"5..", method="GET"}`.
    pub(crate) fn narrowed(&self, matchers: &str) -> Result<Self, Unselectable> {
        let mut reader = Reader { text: matchers, at: 0 };
        reader.blanks();
        let braced = reader.accept("{");
        let further = reader.matchers(braced)?;
        reader.blanks();
        if !reader.rest().is_empty() {
            return Err(reader.matcher());
        }
        let mut narrowed = self.clone();
        narrowed.matchers.extend(further);
        Ok(narrowed)
    }

    /// This selector with one more matcher, as PromQL writes it.
    pub(crate) fn with(&self, matcher: &str) -> Self {
        let mut narrowed = self.clone();
        narrowed.matchers.push(matcher.to_owned());
        narrowed
    }

    /// The histogram of this name, whichever way it is exposed: as buckets or natively.
    pub(crate) fn histogram(&self) -> Self {
        let Some(name) = &self.name else { return self.clone() };
        let name = regex::escape(name.strip_suffix("_bucket").unwrap_or(name));
        let mut either = Self {
            name: None,
            matchers: vec![format!("__name__=~{}", quoted(&format!("{name}(_bucket)?")))],
        };
        either.matchers.extend(self.matchers.iter().cloned());
        either
    }

    /// The unit that the name promises, for people: `s`, `ms` or nothing.
    pub(crate) fn unit(&self) -> &'static str {
        let name = self.name.as_deref().unwrap_or_default().trim_end_matches("_bucket");
        let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
        if ends(&["_seconds"]) {
            "s"
        } else if ends(&["_milliseconds", "_ms", "_rq_time"]) {
            "ms"
        } else {
            ""
        }
    }

    /// Values at every multiple of `step` seconds in the last `seconds`.
    pub(crate) fn steps(&self, seconds: i64, step: i64) -> String {
        format!("{self}[{seconds}s:{step}s]")
    }

    /// All samples of the last `seconds`.
    pub(crate) fn over(&self, seconds: i64) -> String {
        format!("{self}[{seconds}s]")
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_deref().unwrap_or_default())?;
        match self.matchers.as_slice() {
            [] => Ok(()),
            matchers => write!(f, "{{{}}}", matchers.join(",")),
        }
    }
}

/// A text as PromQL quotes it.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// A matcher for `label` being one of `values`, which are taken literally.
pub(crate) fn one_of(label: &str, values: &[&str]) -> String {
    let alternatives: Vec<String> = values.iter().map(|value| regex::escape(value)).collect();
    format!("{label}=~{}", quoted(&alternatives.join("|")))
}

/// A label name that needs no quotes.
pub(crate) fn plain_label(label: &str) -> bool {
    let inside = |character: char| character.is_ascii_alphanumeric() || character == '_';
    label.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') && label.chars().all(inside)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn column(&self) -> usize {
        self.text.get(..self.at).unwrap_or_default().chars().count() + 1
    }

    fn unexpected(&self) -> Unselectable {
        Unselectable::Unexpected { found: self.rest().to_owned(), column: self.column() }
    }

    fn matcher(&self) -> Unselectable {
        Unselectable::Matcher { found: self.rest().to_owned(), column: self.column() }
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn accept(&mut self, sign: &str) -> bool {
        let found = self.rest().starts_with(sign);
        if found {
            self.at += sign.len();
        }
        found
    }

    fn word(&mut self, inside: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let word =
            rest.get(..rest.find(|character| !inside(character)).unwrap_or(rest.len())).unwrap_or_default();
        self.at += word.len();
        word
    }

    /// A quoted text with its quotes, as it stands.
    fn quoted(&mut self) -> Option<&'t str> {
        let rest = self.rest();
        let quote = rest.chars().next().filter(|first| ['"', '\'', '`'].contains(first))?;
        let mut escaped = false;
        for (index, character) in rest.char_indices().skip(1) {
            match character {
                _ if escaped => escaped = false,
                '\\' if quote != '`' => escaped = true,
                '\n' if quote != '`' => return None,
                end if end == quote => {
                    self.at += index + 1;
                    return rest.get(..=index);
                }
                _ => {}
            }
        }
        None
    }

    /// Matchers with commas between them; up to the closing brace when there was an opening one.
    fn matchers(&mut self, braced: bool) -> Result<Vec<String>, Unselectable> {
        let mut matchers = Vec::new();
        loop {
            self.blanks();
            if braced && self.accept("}") || !braced && self.rest().is_empty() {
                return Ok(matchers);
            }
            if !matchers.is_empty() {
                if !self.accept(",") {
                    return Err(self.matcher());
                }
                self.blanks();
                if braced && self.accept("}") {
                    return Ok(matchers);
                }
            }
            matchers.push(self.one()?);
        }
    }

    fn one(&mut self) -> Result<String, Unselectable> {
        let wrong = self.matcher();
        let (label, name_possible) = match self.quoted() {
            Some(label) => (label, true),
            None => (self.word(|character| character.is_ascii_alphanumeric() || character == '_'), false),
        };
        if label.is_empty() || label.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(wrong);
        }
        self.blanks();
        let Some(operator) = ["=~", "!~", "!=", "="].into_iter().find(|operator| self.accept(operator))
        else {
            return if name_possible { Ok(label.to_owned()) } else { Err(wrong) };
        };
        self.blanks();
        let value = self.quoted().ok_or(wrong)?;
        Ok(format!("{label}{operator}{value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_read_and_narrowed() {
        for (text, errors, expected) in [
            ("http_requests_total", "code=~\"5..\"", "http_requests_total{code=~\"5..\",rev=~\"a|b\"}[90s]"),
            (
                " x:y { app = \"shop\" , } ",
                "{code=\"500\", a!='b'}",
                "x:y{app=\"shop\",code=\"500\",a!='b',rev=~\"a|b\"}[90s]",
            ),
            ("{__name__=\"x\"}", "", "{__name__=\"x\",rev=~\"a|b\"}[90s]"),
            (
                "{\"my.metric\", \"a.b\"!~`z\\`}",
                "e=\"\"",
                "{\"my.metric\",\"a.b\"!~`z\\`,e=\"\",rev=~\"a|b\"}[90s]",
            ),
            ("x{a=\"}\\\"{\"}", "b=\"1\"", "x{a=\"}\\\"{\",b=\"1\",rev=~\"a|b\"}[90s]"),
        ] {
            let narrowed =
                Selector::parse(text).unwrap().narrowed(errors).unwrap().with(&one_of("rev", &["a", "b"]));
            assert_eq!(narrowed.over(90), expected, "{text}");
        }
        let odd = Selector::parse("x").unwrap().with(&one_of("rev", &["a\"} or up{b=\"", "c.d"]));
        assert_eq!(odd.to_string(), "x{rev=~\"a\\\"\\\\} or up\\\\{b=\\\"|c\\\\.d\"}");
    }

    #[test]
    fn a_histogram_is_found_whichever_way_it_is_exposed() {
        for (text, expected, unit) in [
            ("h_seconds{a=\"b\"}", "{__name__=~\"h_seconds(_bucket)?\",a=\"b\"}", "s"),
            ("h_ms_bucket", "{__name__=~\"h_ms(_bucket)?\"}", "ms"),
            ("{__name__=\"h_bucket\"}", "{__name__=\"h_bucket\"}", ""),
        ] {
            let selector = Selector::parse(text).unwrap();
            assert_eq!((selector.histogram().to_string().as_str(), selector.unit()), (expected, unit));
        }
    }

    #[test]
    fn other_expressions_are_refused_with_their_place() {
        for text in [
            "",
            "rate(x[5m])",
            "x[5m]",
            "x offset 5m",
            "x{a=\"1\"} or y",
            "x{a}",
            "x{a=1}",
            "x{a=\"1}",
            "{a=\"1\"}",
            "5x",
            "x{a=\"1\" b=\"2\"}",
            "x{,}",
        ] {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
        for errors in ["code", "code=5", "code=\"5\" or 1", "code=\"5\"}", "{code=\"5\"", "x{code=\"5\"}"] {
            assert!(Selector::parse("x").unwrap().narrowed(errors).is_err(), "{errors}");
        }
        let refusal = Selector::parse("x[5m]").unwrap_err().to_string();
        assert_eq!(
            refusal,
            "\"[5m]\" at column 2 is not expected; give the counter itself, such as http_requests_total{app=\"shop\"}, \
             without functions and without a range"
        );
    }
}
