//! Reads the base address of a provider, and shows it without the password it may hold.

use std::fmt;

use crate::provider::Problem;

/// A base address such as `http://prometheus:9090` or `https://host/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    scheme: &'static str,
    /// User and password with the `@`, or nothing.
    login: String,
    /// Host, port and path, without a slash at the end.
    rest: String,
}

impl Address {
    /// Reads what `field` of `provider` says; `remedy` says where an address can be set.
    pub(super) fn parse(field: &str, text: &str, remedy: &'static str) -> Result<Self, Problem> {
        let refuse = |why: &str| Problem::Field { field: field.to_owned(), why: why.to_owned(), remedy };
        let text = text.trim();
        if text.is_empty() {
            return Err(refuse("no address is configured"));
        }
        let (scheme, rest) = if let Some(rest) = text.strip_prefix("http://") {
            ("http://", rest)
        } else if let Some(rest) = text.strip_prefix("https://") {
            ("https://", rest)
        } else {
            return Err(refuse("it begins neither with http:// nor with https://"));
        };
        if rest.chars().any(|character| character.is_whitespace() || character.is_control()) {
            return Err(refuse("it holds a blank"));
        }
        if rest.contains(['?', '#']) {
            return Err(refuse("it has a query or a fragment"));
        }
        let authority = rest.split('/').next().unwrap_or_default();
        let (login, _) = authority.rsplit_once('@').map_or(("", authority), |(login, host)| (login, host));
        let login = if login.is_empty() { String::new() } else { format!("{login}@") };
        let rest = rest.strip_prefix(login.as_str()).unwrap_or(rest).trim_end_matches('/').to_owned();
        if rest.is_empty() || rest.starts_with(['/', ':']) {
            return Err(refuse("it has no host"));
        }
        Ok(Self { scheme, login, rest })
    }

    /// The address of `path`, which begins with a slash.
    pub(super) fn endpoint(&self, path: &str) -> String {
        format!("{}{}{}{path}", self.scheme, self.login, self.rest)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.scheme, self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_without_their_password() {
        for (text, endpoint, shown) in [
            ("http://prometheus:9090", "http://prometheus:9090/api/v1/query", "http://prometheus:9090"),
            ("http://prometheus:9090/", "http://prometheus:9090/api/v1/query", "http://prometheus:9090"),
            (
                "https://host/select/0/prometheus",
                "https://host/select/0/prometheus/api/v1/query",
                "https://host/select/0/prometheus",
            ),
            ("https://me:pass@host:1/p", "https://me:pass@host:1/p/api/v1/query", "https://host:1/p"),
            ("http://[::1]:9090", "http://[::1]:9090/api/v1/query", "http://[::1]:9090"),
        ] {
            let address = Address::parse("x.address", text, "give one").unwrap();
            assert_eq!(
                (address.endpoint("/api/v1/query").as_str(), address.to_string().as_str()),
                (endpoint, shown),
                "{text}"
            );
        }
    }

    #[test]
    fn addresses_that_cannot_work_are_refused_with_a_remedy() {
        for text in [
            "",
            "  ",
            "prometheus:9090",
            "ftp://host",
            "http://",
            "http:///x",
            "http://:9090",
            "http://h?x=1",
            "http://a b",
        ] {
            let refusal = Address::parse("x.address", text, "give http://host:port").unwrap_err().to_string();
            assert!(refusal.starts_with("provider.x.address: "), "{text}: {refusal}");
            assert!(refusal.contains("give http://host:port"), "{text}: {refusal}");
        }
    }
}
