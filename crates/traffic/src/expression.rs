//! Says a text as a regular expression.

/// A regular expression for exactly this text.
pub(crate) fn literal(text: &str) -> String {
    let special = |c: char| r"\.+*?()|[]{}^$".contains(c);
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

/// A regular expression for values that begin with this text. Implementations differ in whether an expression must match
/// all of the value: Envoy says yes, Traefik and nginx no; this one is right for both.
pub(crate) fn prefix(text: &str) -> String {
    format!("^{}.*", literal(text))
}
