//! Decides whether a request may come in at all, from its headers: against other sites in the same browser.

use axum::http::{HeaderMap, Method, header};

use crate::failure::{Failure, Kind};

/// Header that every change must carry. A page of another site cannot set it without asking first, and is not answered.
pub const HEADER: &str = "x-serin-dashboard";

/// Whom the requests come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Door {
    /// Only from this machine: whoever reaches it is trusted, so the browser must have been pointed here by name. A page
    /// of another site could point its own name at 127.0.0.1 and would be the same origin (DNS rebinding).
    Loopback,
    /// From anywhere, with a token, which pages of other sites do not have.
    Token {
        /// Address under which a proxy offers the dashboard, when it does not pass on the Host header.
        public: Option<String>,
    },
}

impl Door {
    /// Lets a request in.
    ///
    /// # Errors
    /// A failure of the kind [`Kind::Forbidden`] with the reason.
    pub fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), Failure> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(header::HOST.as_str()).unwrap_or_default();
        if *self == Self::Loopback && !loopback(host) {
            return forbid(format!(
                "this dashboard answers only to localhost, 127.0.0.1 and [::1], not to \"{host}\"; to serve others start it with --auth token"
            ));
        }
        if *method == Method::GET || *method == Method::HEAD {
            return Ok(());
        }
        if text(HEADER).is_none() {
            return forbid(format!(
                "changes need the header {HEADER}: 1, so that no other site can send them"
            ));
        }
        match text(header::ORIGIN.as_str()) {
            Some(origin) if !self.own(origin, host) => {
                forbid(format!("changes from {origin} are refused: it is another site"))
            }
            _ => Ok(()),
        }
    }

    fn own(&self, origin: &str, host: &str) -> bool {
        let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
        match self {
            Self::Token { public: Some(public) } => origin.eq_ignore_ascii_case(public.trim_end_matches('/')),
            _ => !host.is_empty() && authority.eq_ignore_ascii_case(host),
        }
    }
}

fn forbid(message: String) -> Result<(), Failure> {
    Err(Failure::new(Kind::Forbidden, message))
}

/// The host part of a Host header names this machine.
fn loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    let address = name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    address || name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn without_a_token_the_browser_must_have_been_pointed_to_this_machine() {
        for (host, allowed) in [
            ("localhost:3100", true),
            ("LOCALHOST", true),
            ("127.0.0.1:3100", true),
            ("127.8.8.8", true),
            ("[::1]:3100", true),
            ("localhost.evil.example", false),
            ("evil.example:3100", false),
            ("127.0.0.1.evil.example", false),
            ("10.0.0.1", false),
            ("", false),
        ] {
            assert_eq!(
                Door::Loopback.check(&Method::GET, &headers(&[("host", host)])).is_ok(),
                allowed,
                "{host}"
            );
            let token = Door::Token { public: None };
            assert!(token.check(&Method::GET, &headers(&[("host", host)])).is_ok(), "{host}");
        }
    }

    #[test]
    fn changes_come_from_the_dashboard_itself_or_from_no_page_at_all() {
        let token = |public: Option<&str>| Door::Token { public: public.map(str::to_owned) };
        let own = ("x-serin-dashboard", "1");
        let host = |host| ("host", host);
        let origin = |origin| ("origin", origin);
        for (case, door, pairs, allowed) in [
            ("a script", Door::Loopback, vec![own, host("localhost:3100")], true),
            ("no header", Door::Loopback, vec![host("localhost:3100")], false),
            (
                "own page",
                Door::Loopback,
                vec![own, host("localhost:3100"), origin("http://localhost:3100")],
                true,
            ),
            (
                "another port",
                Door::Loopback,
                vec![own, host("localhost:3100"), origin("http://localhost:8080")],
                false,
            ),
            (
                "another site",
                Door::Loopback,
                vec![own, host("localhost:3100"), origin("https://evil.example")],
                false,
            ),
            ("a sandboxed page", Door::Loopback, vec![own, host("localhost:3100"), origin("null")], false),
            (
                "behind a proxy",
                token(None),
                vec![own, host("serin.example"), origin("https://serin.example")],
                true,
            ),
            (
                "another site",
                token(None),
                vec![own, host("serin.example"), origin("https://evil.example")],
                false,
            ),
            (
                "the proxy hides the host",
                token(Some("https://serin.example/")),
                vec![own, host("pod:3100"), origin("https://serin.example")],
                true,
            ),
            (
                "another site",
                token(Some("https://serin.example")),
                vec![own, host("pod:3100"), origin("http://pod:3100")],
                false,
            ),
            ("no host at all", token(None), vec![own, origin("null")], false),
        ] {
            let found = door.check(&Method::PUT, &headers(&pairs));
            assert_eq!(found.is_ok(), allowed, "{case}: {found:?}");
        }
    }
}
