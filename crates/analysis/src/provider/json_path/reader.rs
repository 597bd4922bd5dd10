//! Reads the notation of paths.

use super::Step;
use super::filter::Filter;

/// The steps of a path without its braces.
pub(super) fn path(text: &str) -> Result<Vec<Step>, String> {
    let mut reader = Reader { rest: text.trim() };
    let steps = reader.steps()?;
    match reader.rest {
        "" => Ok(steps),
        rest => Err(format!("unexpected {rest:?}")),
    }
}

pub(super) struct Reader<'t> {
    pub(super) rest: &'t str,
}

impl<'t> Reader<'t> {
    pub(super) fn accept(&mut self, sign: &str) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    pub(super) fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.accept(sign) { Ok(()) } else { Err(format!("{sign:?} is expected before {:?}", self.rest)) }
    }

    pub(super) fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Steps, with or without `$` or `@` before them.
    pub(super) fn steps(&mut self) -> Result<Vec<Step>, String> {
        if !self.accept("$") {
            self.accept("@");
        }
        let mut steps = Vec::new();
        loop {
            if self.accept("..") {
                steps.push(Step::Deep);
                if !self.rest.starts_with(['[', '*']) {
                    steps.push(Step::Field(self.name()?));
                }
            } else if self.accept(".") {
                if !self.rest.starts_with(['[', '*']) && !self.rest.is_empty() {
                    steps.push(Step::Field(self.name()?));
                }
            } else if self.accept("*") {
                steps.push(Step::Each);
            } else if self.accept("[") {
                steps.push(self.bracket()?);
            } else {
                return Ok(steps);
            }
        }
    }

    /// A field name; a backslash takes the next character as it is.
    fn name(&mut self) -> Result<String, String> {
        let mut name = String::new();
        let mut characters = self.rest.char_indices();
        let mut end = self.rest.len();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => name.extend(characters.next().map(|(_, escaped)| escaped)),
                '.' | '[' | ']' | ' ' | '{' | '}' | '(' | ')' | '=' | '!' | '<' | '>' | '?' | '@' | '$'
                | '*' | ',' => {
                    end = at;
                    break;
                }
                other => name.push(other),
            }
        }
        if name.is_empty() {
            return Err(format!("a name is expected before {:?}", self.rest));
        }
        self.rest = self.rest.get(end..).unwrap_or_default();
        Ok(name)
    }

    fn bracket(&mut self) -> Result<Step, String> {
        self.blanks();
        if self.accept("?(") {
            let filter = Filter::read(self)?;
            self.expect(")")?;
            self.blanks();
            self.expect("]")?;
            return Ok(Step::Filter(filter));
        }
        let mut parts = vec![self.part()?];
        self.blanks();
        while self.accept(",") {
            self.blanks();
            parts.push(self.part()?);
            self.blanks();
        }
        self.expect("]")?;
        match <[Step; 1]>::try_from(parts) {
            Ok([only]) => Ok(only),
            Err(parts) => Ok(Step::Union(parts)),
        }
    }

    fn part(&mut self) -> Result<Step, String> {
        if self.accept("*") {
            return Ok(Step::Each);
        }
        if let Some(name) = self.quoted()? {
            return Ok(Step::Field(name));
        }
        let from = self.integer();
        if !self.accept(":") {
            return from
                .map(Step::Index)
                .ok_or_else(|| format!("an index is expected before {:?}", self.rest));
        }
        let to = self.integer();
        let by = if self.accept(":") { self.integer().unwrap_or(1) } else { 1 };
        if by < 1 {
            return Err("the step of a slice is less than 1".to_owned());
        }
        Ok(Step::Slice { from, to, by })
    }

    /// A quoted text, when one stands here.
    pub(super) fn quoted(&mut self) -> Result<Option<String>, String> {
        let Some(quote) = self.rest.chars().next().filter(|first| ['"', '\''].contains(first)) else {
            return Ok(None);
        };
        let mut text = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
                end if end == quote => {
                    self.rest = self.rest.get(at + 1..).unwrap_or_default();
                    return Ok(Some(text));
                }
                other => text.push(other),
            }
        }
        Err(format!("unclosed text {:?}", self.rest))
    }

    fn integer(&mut self) -> Option<i64> {
        let digits = |character: char| character.is_ascii_digit() || character == '-';
        let end = self.rest.find(|character| !digits(character)).unwrap_or(self.rest.len());
        let number = self.rest.get(..end)?.parse().ok()?;
        self.rest = self.rest.get(end..)?;
        Some(number)
    }
}
