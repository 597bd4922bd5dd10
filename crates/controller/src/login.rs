//! Performs logins: keeps tokens and keys while they are good, and asks for new ones in time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serin_analysis::provider::aws::{Signing, sign};
use serin_analysis::provider::oauth2::{Grant, Style, Token, token};
use serin_analysis::provider::{Login, Request};
use serin_analysis::secret::SecretText;
use tokio::time::Instant;

use crate::aws::KeyRing;
use crate::exchange::Exchange;

/// A token is not used so shortly before its end: the request has to arrive.
const SPARE: Duration = Duration::from_secs(20);

/// Why there is no login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoLogin {
    /// Nobody answered, or nobody knows yet; it is worth trying again.
    Unreachable(String),
    /// Whoever gives tokens refused to.
    Refused(String),
}

/// Tokens and keys.
#[derive(Default)]
pub struct Logins {
    tokens: Mutex<HashMap<Grant, (SecretText, Instant)>>,
    keys: KeyRing,
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logins").finish_non_exhaustive()
    }
}

impl Logins {
    /// With keys from these variables.
    #[cfg(test)]
    pub(crate) fn of(variables: fn(&str) -> Option<String>) -> Self {
        Self { tokens: Mutex::default(), keys: KeyRing::of(variables) }
    }

    /// The request with its login.
    ///
    /// # Errors
    /// [`NoLogin`].
    pub async fn enter(&self, exchange: &Exchange, request: &Request) -> Result<Request, NoLogin> {
        let mut entered = Request { login: Login::Complete, ..request.clone() };
        match &request.login {
            Login::Complete => {}
            Login::Oauth2(grant) => {
                let token = self.token(exchange, grant).await?;
                let bearer = format!("Bearer {}", token.expose());
                entered.headers.push(("Authorization".to_owned(), bearer));
            }
            Login::Aws(signing) => {
                let (keys, region) = self.keys.keys(exchange, signing).await?;
                let signing = Signing { region, ..signing.clone() };
                sign(&mut entered, &signing, &keys, Timestamp::now());
            }
        }
        Ok(entered)
    }

    /// Forgets what was kept for the login; whether there was anything.
    pub fn forget(&self, login: &Login) -> bool {
        match login {
            Login::Complete => false,
            Login::Oauth2(grant) => {
                self.tokens.lock().unwrap_or_else(PoisonError::into_inner).remove(grant).is_some()
            }
            Login::Aws(signing) => self.keys.forget(signing),
        }
    }

    async fn token(&self, exchange: &Exchange, grant: &Grant) -> Result<SecretText, NoLogin> {
        let now = Instant::now();
        let known = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(grant).cloned();
        if let Some((text, until)) = known
            && until > now
        {
            return Ok(text);
        }
        let Token { text, lasts } = ask(exchange, grant).await?;
        let until = now + lasts.saturating_sub(SPARE);
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, (_, until)| *until > now);
        tokens.insert(grant.clone(), (text.clone(), until));
        Ok(text)
    }
}

/// Asks for a token in one way, and in the other when the first is refused.
async fn ask(exchange: &Exchange, grant: &Grant) -> Result<Token, NoLogin> {
    let unreachable = |why| NoLogin::Unreachable(format!("no token: {why}"));
    let mut refusal = String::new();
    for style in [Style::Header, Style::Form] {
        let response = exchange.send(&grant.request(style)).await.map_err(unreachable)?;
        match token(&response) {
            Ok(token) => return Ok(token),
            Err(why) if matches!(response.status, 408 | 429 | 500..) => return Err(unreachable(why)),
            Err(why) => refusal = why,
        }
    }
    Err(NoLogin::Refused(format!("the token endpoint refuses: {refusal}")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use axum::http::{HeaderMap, StatusCode};
    use axum::routing::post;
    use tokio::net::TcpListener;

    use super::*;

    fn exchange() -> Exchange {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Exchange::new().unwrap()
    }

    async fn serve(router: Router) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    fn request(token_url: String, secret: &str) -> Request {
        let grant = Grant {
            token_url,
            client_id: "me".to_owned(),
            client_secret: secret.to_owned(),
            scopes: Vec::new(),
            insecure: false,
        };
        Request {
            method: "GET",
            url: "http://prometheus/".to_owned(),
            headers: Vec::new(),
            body: None,
            timeout: Duration::from_secs(1),
            insecure: false,
            login: Login::Oauth2(grant),
        }
    }

    #[tokio::test]
    async fn a_token_is_asked_for_once_and_again_when_it_was_forgotten() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        // This server knows the form only, as some do.
        let give = async move |headers: HeaderMap, body: String| {
            if headers.contains_key("authorization") || !body.contains("client_secret=pw") {
                return (StatusCode::UNAUTHORIZED, r#"{"error":"invalid_client"}"#.to_owned());
            }
            let number = counter.fetch_add(1, Ordering::SeqCst);
            (StatusCode::OK, format!(r#"{{"access_token":"t{number}","expires_in":3600}}"#))
        };
        let base = serve(Router::new().route("/token", post(give))).await;
        let (exchange, logins) = (exchange(), Logins::default());
        let wanted = request(format!("{base}/token"), "pw");
        for expected in ["Bearer t0", "Bearer t0"] {
            let entered = logins.enter(&exchange, &wanted).await.unwrap();
            assert_eq!(entered.headers, [("Authorization".to_owned(), expected.to_owned())]);
        }
        assert!(logins.forget(&wanted.login) && !logins.forget(&wanted.login));
        let entered = logins.enter(&exchange, &wanted).await.unwrap();
        assert_eq!(entered.headers[0].1, "Bearer t1");

        let refused =
            logins.enter(&exchange, &request(format!("{base}/token"), "hunter2")).await.unwrap_err();
        let expected = "the token endpoint refuses: HTTP 401: invalid_client";
        assert_eq!(refused, NoLogin::Refused(expected.to_owned()));
    }

    #[tokio::test]
    async fn a_token_endpoint_that_is_down_is_no_refusal() {
        let (exchange, logins) = (exchange(), Logins::default());
        let closed = request("http://127.0.0.1:1/token?key=hunter2".to_owned(), "pw");
        let why = logins.enter(&exchange, &closed).await.unwrap_err();
        assert!(matches!(&why, NoLogin::Unreachable(why) if !why.contains("hunter2")), "{why:?}");
        let down = async || (StatusCode::BAD_GATEWAY, "");
        let base = serve(Router::new().route("/token", post(down))).await;
        let why = logins.enter(&exchange, &request(format!("{base}/token"), "pw")).await.unwrap_err();
        assert_eq!(why, NoLogin::Unreachable("no token: HTTP 502".to_owned()));
    }
}
