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
        let response = self.exchange.send(&entered).await.map_err(NoLogin::Unreachable)?;
        // A token may have been taken back before its time.
        if response.status == 401 && request.login != Login::Complete && self.logins.forget(&request.login) {
            let entered = self.logins.enter(&self.exchange, request).await?;
            return self.exchange.send(&entered).await.map_err(NoLogin::Unreachable);
        }
        Ok(response)
    }
}
