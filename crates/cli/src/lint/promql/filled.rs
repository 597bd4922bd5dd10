//! Puts arguments into a query; one whose value comes later gets one of the shape that its place asks for.

/// Places whose shape is open, at most; with more of them the number of combinations is no longer small.
const MOST_OPEN: usize = 6;

/// A number, and a name that is an expression, too.
const SHAPES: [&str; 2] = ["1", "x"];

/// What the query may be once all arguments have a value: one of these must be readable.
pub(super) fn candidates(query: &str, value: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut found = vec![String::new()];
    let (mut rest, mut open) = (query, 0);
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((tag, after)) = after.split_once("}}") else { break };
        let shapes: Vec<String> = match tag.trim().strip_prefix("args.").and_then(&value) {
            Some(value) => vec![value],
            None => shapes(query, query.len() - rest.len() + before.len(), after, open < MOST_OPEN),
        };
        open += usize::from(shapes.len() > 1);
        let with =
            |shape: &String| found.iter().map(|text| format!("{text}{before}{shape}")).collect::<Vec<_>>();
        found = shapes.iter().flat_map(with).collect();
        rest = after;
    }
    found.iter_mut().for_each(|text| text.push_str(rest));
    found
}

/// What may stand at byte `at` of the query, before `after`.
fn shapes(query: &str, at: usize, after: &str, several: bool) -> Vec<String> {
    let before = query.get(..at).unwrap_or_default();
    let next = after.chars().next();
    let all: &[&str] = match surrounding(before) {
        Some('[') if next.is_some_and(|next| next.is_ascii_alphabetic()) => &["5"],
        Some('[') => &["5m"],
        Some('"' | '\'' | '`') => &["x"],
        _ if before.trim_end().ends_with("offset") => &["5m"],
        _ if before.ends_with(|last: char| last.is_alphanumeric() || "_:".contains(last)) => &["1"],
        _ if several => &SHAPES,
        _ => &SHAPES[1..],
    };
    all.iter().map(|shape| (*shape).to_owned()).collect()
}

/// The quote or the bracket that is open at the end of the text.
fn surrounding(before: &str) -> Option<char> {
    let (mut open, mut quote, mut escaped) = (Vec::new(), None, false);
    for sign in before.chars() {
        match (quote, sign) {
            (Some(_), _) if escaped => escaped = false,
            (Some('"' | '\''), '\\') => escaped = true,
            (Some(begun), sign) if begun == sign => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(sign),
            (None, '(' | '[' | '{') => open.push(sign),
            (None, ')' | ']' | '}') => drop(open.pop()),
            (None, _) => {}
        }
    }
    quote.or(open.last().copied())
}
