//! Performs requests to Elastic Load Balancing itself, with the keys of the controller's environment.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serin_analysis::provider::aws::{Signing, domain};
use serin_analysis::provider::{Login, Request, Response};

use super::Elb;
use crate::exchange::Exchange;
use crate::login::{Logins, NoLogin};

/// Time for one answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Other addresses of the API, as AWS's own tools read them.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", "AWS_ENDPOINT_URL"];

/// The API of AWS.
#[derive(Debug)]
pub struct Aws {
    exchange: Arc<Exchange>,
    logins: Logins,
    /// Another address than that of the region.
    endpoint: Option<String>,
}

impl Aws {
    /// Asks over `exchange`, at the address that the environment gives, if any.
    pub fn new(exchange: Arc<Exchange>) -> Self {
        let mut given = ENDPOINTS.iter().filter_map(|name| std::env::var(name).ok());
        Self { exchange, logins: Logins::default(), endpoint: given.find(|url| !url.is_empty()) }
    }

    /// Asks at this address, with keys from these variables.
    #[cfg(test)]
    pub(super) fn for_test(
        exchange: Arc<Exchange>,
        endpoint: String,
        keys: fn(&str) -> Option<String>,
    ) -> Self {
        Self { exchange, logins: Logins::of(keys), endpoint: Some(endpoint) }
    }

    fn request(&self, region: &str, form: String) -> Request {
        let usual = || format!("https://elasticloadbalancing.{region}.{}/", domain(region));
        Request {
            method: "POST",
            url: self.endpoint.clone().unwrap_or_else(usual),
            headers: vec![(
                "Content-Type".to_owned(),
                "application/x-www-form-urlencoded; charset=utf-8".to_owned(),
            )],
            body: Some(form),
            timeout: TIMEOUT,
            insecure: false,
            login: Login::Aws(Signing {
                region: region.to_owned(),
                service: "elasticloadbalancing",
                profile: String::new(),
                role_arn: String::new(),
            }),
        }
    }

    async fn answer(&self, request: &Request) -> Result<Response, String> {
        let entered = self.logins.enter(&self.exchange, request).await;
        let entered = entered.map_err(|why| match why {
            NoLogin::Unreachable(why) | NoLogin::Refused(why) => why,
        })?;
        let response = self.exchange.send(&entered).await?;
        if matches!(response.status, 401 | 403) {
            // Keys may have ended before their time: the next question asks for new ones.
            self.logins.forget(&request.login);
        }
        Ok(response)
    }
}

impl Elb for Aws {
    fn ask<'a>(&'a self, region: &'a str, form: String) -> BoxFuture<'a, Result<Response, String>> {
        async move { self.answer(&self.request(region, form)).await }.boxed()
    }
}
