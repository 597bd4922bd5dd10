//! Cuts a condition into tokens.

use super::Fault;

/// One token with the column at which it begins, counted from 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) column: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Integer(i64),
    Float(f64),
    Text(String),
    Name(String),
    /// An operator, a bracket or a word that the language keeps for itself.
    Sign(&'static str),
    End,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Name(name) => write!(f, "{name:?}"),
            Self::Sign(sign) => write!(f, "{sign:?}"),
            Self::End => f.write_str("the end of the expression"),
        }
    }
}

/// Longest condition, in bytes.
const LONGEST: usize = 16 * 1024;

/// Most tokens of a condition: what is read is bounded before it is understood.
const MOST: usize = 1000;

/// Longer signs first, so that `<=` is not read as `<`.
const SIGNS: [&str; 33] = [
    "==", "!=", "<=", ">=", "&&", "||", "**", "..", "??", "?.", "+", "-", "*", "/", "%", "^", "<", ">", "!",
    "?", ":", ".", ",", ";", "|", "#", "(", ")", "[", "]", "{", "}", "=",
];

const WORDS: [&str; 11] =
    ["not", "in", "and", "or", "matches", "contains", "startsWith", "endsWith", "let", "if", "else"];

pub(super) fn cut(code: &str) -> Result<Vec<Token>, Fault> {
    if code.len() > LONGEST {
        return Err(Fault::Syntax(format!("longer than {LONGEST} bytes")));
    }
    let mut cutter = Cutter { code, at: 0 };
    let mut tokens = Vec::new();
    loop {
        cutter.skip_blanks()?;
        let column = cutter.column();
        let kind = cutter.next()?;
        let end = kind == Kind::End;
        tokens.push(Token { kind, column });
        if end {
            return Ok(tokens);
        }
        if tokens.len() > MOST {
            return Err(Fault::Syntax(format!("more than {MOST} words and signs")));
        }
    }
}

struct Cutter<'c> {
    code: &'c str,
    at: usize,
}

impl<'c> Cutter<'c> {
    fn rest(&self) -> &'c str {
        self.code.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn column(&self) -> usize {
        self.code.get(..self.at).unwrap_or_default().chars().count().saturating_add(1)
    }

    fn wrong(&self, what: impl std::fmt::Display) -> Fault {
        Fault::Syntax(format!("{what} at column {}", self.column()))
    }

    fn skip_blanks(&mut self) -> Result<(), Fault> {
        loop {
            let rest = self.rest();
            let blanks = rest.len() - rest.trim_start().len();
            self.at += blanks;
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.at += rest.find("*/").ok_or_else(|| self.wrong("unclosed comment"))? + 2;
            } else {
                return Ok(());
            }
        }
    }

    fn next(&mut self) -> Result<Kind, Fault> {
        let Some(first) = self.peek() else {
            return Ok(Kind::End);
        };
        let second = self.rest().chars().nth(1);
        match first {
            '0'..='9' => self.number(),
            '.' if second.is_some_and(|second| second.is_ascii_digit()) => self.number(),
            '"' | '\'' => self.text(first),
            '`' => self.raw(),
            'a'..='z' | 'A'..='Z' | '_' | '$' => Ok(self.word()),
            _ => self.sign(),
        }
    }

    fn sign(&mut self) -> Result<Kind, Fault> {
        let rest = self.rest();
        let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
        let sign =
            sign.ok_or_else(|| self.wrong(format!("unknown sign {:?}", self.peek().unwrap_or_default())))?;
        self.at += sign.len();
        Ok(Kind::Sign(sign))
    }

    fn word(&mut self) -> Kind {
        let rest = self.rest();
        let inside =
            |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '$';
        let word =
            rest.get(..rest.find(|character| !inside(character)).unwrap_or(rest.len())).unwrap_or_default();
        self.at += word.len();
        match WORDS.into_iter().find(|known| *known == word) {
            Some(known) => Kind::Sign(known),
            None => Kind::Name(word.to_owned()),
        }
    }

    fn number(&mut self) -> Result<Kind, Fault> {
        let rest = self.rest();
        let radix = match rest.get(..2) {
            Some("0x" | "0X") => 16,
            Some("0o" | "0O") => 8,
            Some("0b" | "0B") => 2,
            _ => 10,
        };
        let length = if radix == 10 {
            decimal_length(rest)
        } else {
            2 + digits(rest.get(2..).unwrap_or_default(), 16)
        };
        let shown = rest.get(..length).unwrap_or_default();
        let wrong = self.wrong(format!("bad number {shown:?}"));
        if shown.ends_with('_') || shown.contains("__") || rest.get(length..).is_some_and(starts_name) {
            return Err(wrong);
        }
        let text = shown.replace('_', "");
        let number = if radix != 10 {
            i64::from_str_radix(text.get(2..).unwrap_or_default(), radix).ok().map(Kind::Integer)
        } else if text.contains(['.', 'e', 'E']) {
            text.parse().ok().filter(|number: &f64| number.is_finite()).map(Kind::Float)
        } else {
            text.parse().ok().map(Kind::Integer)
        };
        self.at += length;
        number.ok_or(wrong)
    }

    fn raw(&mut self) -> Result<Kind, Fault> {
        let rest = self.rest().get(1..).unwrap_or_default();
        let end = rest.find('`').ok_or_else(|| self.wrong("unclosed text"))?;
        self.at += end + 2;
        Ok(Kind::Text(rest.get(..end).unwrap_or_default().to_owned()))
    }

    fn text(&mut self, quote: char) -> Result<Kind, Fault> {
        let unclosed = self.wrong("unclosed text");
        let mut text = String::new();
        self.at += 1;
        while let Some(character) = self.peek() {
            self.at += character.len_utf8();
            match character {
                '\\' => text.push(self.escaped()?),
                '\n' | '\r' => return Err(unclosed),
                end if end == quote => return Ok(Kind::Text(text)),
                other => text.push(other),
            }
        }
        Err(unclosed)
    }

    fn escaped(&mut self) -> Result<char, Fault> {
        let wrong = self.wrong("unknown escape");
        let Some(letter) = self.peek() else {
            return Err(wrong);
        };
        self.at += letter.len_utf8();
        let length = match letter {
            'a' => return Ok('\u{7}'),
            'b' => return Ok('\u{8}'),
            'f' => return Ok('\u{c}'),
            'n' => return Ok('\n'),
            'r' => return Ok('\r'),
            't' => return Ok('\t'),
            'v' => return Ok('\u{b}'),
            '\\' | '"' | '\'' | '`' | '/' => return Ok(letter),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => return Err(wrong),
        };
        let code = self.rest().get(..length).and_then(|code| u32::from_str_radix(code, 16).ok());
        self.at += length;
        code.and_then(char::from_u32).ok_or(wrong)
    }
}

fn starts_name(rest: &str) -> bool {
    rest.starts_with(|character: char| character.is_ascii_alphabetic() || character == '_')
}

fn digits(text: &str, radix: u32) -> usize {
    text.find(|character: char| !character.is_digit(radix) && character != '_').unwrap_or(text.len())
}

/// Length of a decimal number with fraction and exponent; `1..3` is a range, not a fraction.
fn decimal_length(text: &str) -> usize {
    let mut length = digits(text, 10);
    let from = |length: usize| text.get(length..).unwrap_or_default();
    if from(length).starts_with('.') && !from(length).starts_with("..") {
        length += 1 + digits(from(length + 1), 10);
    }
    let exponent = from(length);
    if exponent.starts_with(['e', 'E']) {
        let sign = usize::from(exponent.get(1..).is_some_and(|rest| rest.starts_with(['+', '-'])));
        let power = digits(exponent.get(1 + sign..).unwrap_or_default(), 10);
        if power > 0 {
            length += 1 + sign + power;
        }
    }
    length
}
