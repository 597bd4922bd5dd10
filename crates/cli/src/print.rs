//! Performs output: text to the standard output, quietly ending when nobody reads it any more.

use std::io::{ErrorKind, IsTerminal, Write};

use serde::Serialize;

use crate::failure::Failure;
use crate::paint::Paint;

/// Writes text as it is.
///
/// # Errors
/// A closed pipe ends the command without a message and with code 0, as `kubectl serin … | head` expects.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|why| match why.kind() {
        ErrorKind::BrokenPipe => Failure::with_code(0, ""),
        _ => Failure::new(format!("cannot write the output: {why}")),
    })
}

/// Writes one line.
///
/// # Errors
/// As [`text`].
pub(crate) fn line(line: &str) -> Result<(), Failure> {
    text(&format!("{line}\n"))
}

/// Writes a value as indented JSON.
///
/// # Errors
/// As [`text`].
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    line(
        &serde_json::to_string_pretty(value)
            .map_err(|why| Failure::new(format!("cannot write JSON: {why}")))?,
    )
}

/// Writes a value as JSON in one line.
///
/// # Errors
/// As [`text`].
pub(crate) fn json_line(value: &impl Serialize) -> Result<(), Failure> {
    line(&serde_json::to_string(value).map_err(|why| Failure::new(format!("cannot write JSON: {why}")))?)
}

/// The standard output is a terminal.
pub(crate) fn to_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Colours for the standard output.
pub(crate) fn paint(no_color: bool) -> Paint {
    Paint::for_output(to_terminal(), no_color)
}
