//! Performs the questions of metrics: logs in where that takes an exchange of its own, asks, and says what came of it.

use std::sync::Arc;

use serin_analysis::provider::{Answer, Login, Request, Response};
use serin_analysis::run::{Ask, Asked};

use crate::exchange::Exchange;
use crate::login::{Logins, NoLogin};

/// Sends questions to providers.
#[derive(Debug)]
pub struct Prober {
    exchange: Arc<Exchange>,
    logins: Logins,
}

impl Prober {
    /// Asks over `exchange`.
    pub fn new(exchange: Arc<Exchange>) -> Self {
        Self { exchange, logins: Logins::default() }
    }

    /// Asks one question.
    pub async fn ask(&self, ask: Ask) -> Asked {
        let answer = match self.answer(&ask.request).await {
            Ok(response) => Answer::Response(response),
            Err(NoLogin::Unreachable(why)) => Answer::Unreachable(why),
            Err(NoLogin::Refused(why)) => Answer::Refused(why),
        };
        Asked { ask, answer }
    }

    async fn answer(&self, request: &Request) -> Result<Response, NoLogin> {
        let entered = self.logins.enter(&self.exchange, request).await?;
        let response = self.send(&entered).await?;
        // A token may have been taken back before its time.
        if response.status == 401 && request.login != Login::Complete && self.logins.forget(&request.login) {
            let entered = self.logins.enter(&self.exchange, request).await?;
            return self.send(&entered).await;
        }
        Ok(response)
    }

    async fn send(&self, entered: &Request) -> Result<Response, NoLogin> {
        let response = self.exchange.send(entered).await.map_err(NoLogin::Unreachable)?;
        Ok(without_login(response, entered))
    }
}

/// Shortest login that is searched for in answers: a shorter one could be part of any number.
const SHORTEST: usize = 8;

/// Some servers answer with the headers they were sent, and answers are shown: the login in them is hidden. It is no
/// text of a Secret that could be known elsewhere, but made of one: a token, or a name and a password in Base64.
fn without_login(mut response: Response, sent: &Request) -> Response {
    let logins = sent.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    for login in logins.filter_map(|(_, value)| value.split_whitespace().last()) {
        if login.len() >= SHORTEST {
            response.body = response.body.replace(login, "*****");
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_login_that_a_server_echoes_is_hidden() {
        for (header, value, body, expected) in [
            (
                "Authorization",
                "Basic bWU6aHVudGVyMg==",
                "no Basic bWU6aHVudGVyMg== here",
                "no Basic ***** here",
            ),
            ("authorization", "Bearer eyJhbGci.t0", "{\"token\":\"eyJhbGci.t0\"}", "{\"token\":\"*****\"}"),
            ("Authorization", "Token 42", "[1, 42]", "[1, 42]"),
            ("Authorization", "", "nothing", "nothing"),
            ("Accept", "application/json", "application/json", "application/json"),
        ] {
            let sent = Request {
                method: "GET",
                url: "http://prometheus/".to_owned(),
                headers: vec![(header.to_owned(), value.to_owned())],
                body: None,
                timeout: Duration::from_secs(1),
                insecure: false,
                login: Login::Complete,
            };
            let response = Response { status: 401, body: body.to_owned() };
            assert_eq!(without_login(response, &sent).body, expected, "{value}");
        }
    }
}
