//! Says where a PromQL query cannot be read, before Prometheus refuses it in the middle of a rollout.

mod filled;
mod place;
#[cfg(test)]
mod tests;

use promql_parser::parser::value::ValueType;
use promql_parser::parser::{Expr, lexer, parse};

use super::{Finding, Severity};

/// What is wrong with the query of a metric; `ranged`: it is asked for a range of time. `value` knows the arguments that have
/// one; the others get what fits where they stand.
pub(super) fn check(query: &str, ranged: bool, value: impl Fn(&str) -> Option<String>) -> Option<Finding> {
    if query.trim().is_empty() {
        return None;
    }
    let mut furthest: Option<(usize, Finding)> = None;
    for candidate in filled::candidates(query, value) {
        let (at, found) = of_text(&candidate, ranged, candidate != query)?;
        if furthest.as_ref().is_none_or(|(place, _)| at > *place) {
            furthest = Some((at, found));
        }
    }
    furthest.map(|(_, finding)| finding)
}

/// How a text fails, by what failed: its signs, their order, or what they mean.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    Sign(String),
    Order,
    Meaning(String),
}

fn read(text: &str) -> Result<Expr, Fault> {
    if let Err(why) = lexer(text).map(drop) {
        return Err(Fault::Sign(why));
    }
    parse(text).map_err(|why| match why.as_str() {
        "invalid promql query" => Fault::Order,
        _ => Fault::Meaning(why),
    })
}

/// The place and the finding; `None` for a good query.
fn of_text(text: &str, ranged: bool, has_arguments: bool) -> Option<(usize, Finding)> {
    let problem = |why: &str| {
        Some((
            text.len(),
            Finding { severity: Severity::Problem, message: format!("prometheus.query: {why}") },
        ))
    };
    match read(text).map(|expression| expression.value_type()) {
        Ok(ValueType::String) => {
            problem("it gives a text, which is no number to measure; give an expression with a number")
        }
        Ok(ValueType::Matrix) if ranged => problem(
            "it has a range of its own, which cannot be asked for a range; put it into a function such as rate()",
        ),
        Ok(_) => None,
        Err(fault) => {
            let at = place::of(text, &fault);
            Some((at, described(text, at, &fault, has_arguments)))
        }
    }
}

fn described(text: &str, at: usize, fault: &Fault, has_arguments: bool) -> Finding {
    let filled = if has_arguments { " of the query with its arguments" } else { "" };
    let rest = text.get(at..).unwrap_or_default().trim_end();
    let place = match rest.chars().take(20).collect::<String>() {
        end if end.is_empty() => format!("at the end{filled}"),
        shown => {
            let column = text.get(..at).unwrap_or_default().chars().count() + 1;
            let more = if shown.len() < rest.len() { "…" } else { "" };
            format!("at column {column}{filled}, before \"{shown}{more}\"")
        }
    };
    let why = match fault {
        Fault::Order if rest.is_empty() => "something is missing".to_owned(),
        Fault::Order => "this is not expected here".to_owned(),
        Fault::Sign(why) | Fault::Meaning(why) => why.clone(),
    };
    // The parser may be older than the Prometheus that is asked.
    let severity = if why.starts_with("unknown function") { Severity::Warning } else { Severity::Problem };
    Finding { severity, message: format!("prometheus.query: no PromQL {place}: {why}; {}", remedy(&why)) }
}

fn remedy(why: &str) -> &'static str {
    match why {
        why if why.starts_with("unknown function") => {
            "correct the name, unless your Prometheus is newer than this command"
        }
        why if why.starts_with("expected type matrix") => "give it a range such as [5m]",
        why if why.contains("unclosed") || why.contains("unterminated") => "close it",
        why if why.contains("right") => "open it, or take it out",
        why if why.contains("duration") => "give a duration such as 5m",
        _ => "correct it; Prometheus would refuse the query",
    }
}
