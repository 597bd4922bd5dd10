//! Finds where a query stops being readable: behind the longest beginning that could still go on.
//!
//! The parser says that a query is wrong and not where. A beginning can go on when one of a few endings makes a query of it,
//! or one that is wrong in another way.

use super::{Fault, read};

/// What may be missing inside of the open brackets, and behind them.
const INSIDE: [&str; 14] = [
    "", "x", "1", "\"a\"", "=\"a\"", "a=\"a\"", "5m", "(x)", "[5m]", "x[5m]", "(a)(x)", "(a) x", "() x",
    "x, x",
];
const BEHIND: [&str; 3] = ["", "(x)", " x"];

/// Byte at which the token begins that cannot stand there; the length of the text when it is its end.
pub(super) fn of(text: &str, fault: &Fault) -> usize {
    let ends = ends(text);
    let goes_on = |end: &usize| text.get(..*end).is_some_and(|begin| goes_on(begin, fault));
    let good = ends.partition_point(goes_on);
    let behind = good.checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or(0);
    let rest = text.get(behind..).unwrap_or_default();
    behind + (rest.len() - rest.trim_start().len())
}

fn goes_on(begin: &str, fault: &Fault) -> bool {
    let closing = closing(begin);
    INSIDE.iter().any(|inside| {
        BEHIND.iter().any(|behind| match (read(&format!("{begin} {inside}{closing}{behind}")), fault) {
            (Ok(_), _) => true,
            (Err(Fault::Sign(_) | Fault::Order), _) => false,
            (Err(other), fault) => other != *fault,
        })
    })
}

/// The ends of all tokens: words, quoted texts, and single signs.
fn ends(text: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' | '`' => quoted(rest, first),
            first if word(first) => rest.find(|next| !word(next)).unwrap_or(rest.len()),
            first => first.len_utf8(),
        };
        rest = rest.get(length..).unwrap_or_default();
        if !first.is_whitespace() {
            ends.push(text.len() - rest.len());
        }
    }
    ends
}

fn word(sign: char) -> bool {
    sign.is_alphanumeric() || matches!(sign, '_' | ':' | '.')
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (index, sign) in text.char_indices().skip(1) {
        match sign {
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            end if end == quote => return index + 1,
            _ => {}
        }
    }
    text.len()
}

/// The brackets that are open at the end, closed.
fn closing(begin: &str) -> String {
    let mut open = Vec::new();
    let mut rest = begin;
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        match first {
            '"' | '\'' | '`' => length = quoted(rest, first),
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' if open.last() == Some(&first) => drop(open.pop()),
            _ => {}
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    open.iter().rev().collect()
}
