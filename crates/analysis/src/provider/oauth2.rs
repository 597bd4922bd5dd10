//! Asks for a token by OAuth 2 client credentials (RFC 6749, 4.4), and reads the answer.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

use super::{Login, Request, Response, excerpt, form};
use crate::secret::SecretText;

/// Time for a token to be given.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A token of which nobody says how long it lasts is used this long, in seconds.
const LASTS: u64 = 300;

/// Who asks whom for a token.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Grant {
    /// Where tokens are given.
    pub token_url: String,
    /// The client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// What the token is for.
    pub scopes: Vec<String>,
    /// Do not check the certificate.
    pub insecure: bool,
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").finish_non_exhaustive()
    }
}

/// How the client says who it is; servers know one or both (RFC 6749, 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As a login in the header.
    Header,
    /// As fields of the form.
    Form,
}

/// A token with how long it lasts from now on.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The text to send after `Bearer`.
    pub text: SecretText,
    /// How long it is good.
    pub lasts: Duration,
}

impl Grant {
    /// The request for a token.
    pub fn request(&self, style: Style) -> Request {
        let scope = self.scopes.join(" ");
        let mut fields = vec![("grant_type", "client_credentials")];
        let mut headers = vec![
            ("Accept".to_owned(), "application/json".to_owned()),
            ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
        ];
        if !scope.is_empty() {
            fields.push(("scope", &scope));
        }
        match style {
            Style::Header => {
                let (id, secret) = (form::escaped(&self.client_id), form::escaped(&self.client_secret));
                let login = BASE64.encode(format!("{id}:{secret}"));
                headers.push(("Authorization".to_owned(), format!("Basic {login}")));
            }
            Style::Form => {
                fields
                    .extend([("client_id", self.client_id.as_str()), ("client_secret", &self.client_secret)]);
            }
        }
        Request {
            method: "POST",
            url: self.token_url.clone(),
            headers,
            body: Some(form::encode(&fields)),
            timeout: TIMEOUT,
            insecure: self.insecure,
            login: Login::Complete,
        }
    }
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

/// The token of an answer.
///
/// # Errors
/// Why there is none, for people. An answer with a token is never shown.
pub fn token(response: &Response) -> Result<Token, String> {
    let body: Option<Body> = serde_json::from_str(&response.body).ok();
    match body {
        Some(body) if !body.access_token.is_empty() && response.status < 300 => {
            // Some servers write the number as a text.
            let seconds = body.expires_in.and_then(|seconds| match seconds {
                serde_json::Value::String(text) => text.parse().ok(),
                other => other.as_u64(),
            });
            let lasts = Duration::from_secs(seconds.unwrap_or(LASTS));
            Ok(Token { text: SecretText::new(body.access_token), lasts })
        }
        Some(body) if !body.error.is_empty() => {
            let why = format!("{} {}", body.error, body.error_description);
            Err(format!("HTTP {}: {}", response.status, excerpt(&why)))
        }
        Some(_) if response.status < 300 => Err("the answer holds no access_token".to_owned()),
        _ => Err(format!("HTTP {}", response.status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant() -> Grant {
        Grant {
            token_url: "https://login/token".to_owned(),
            client_id: "me/x".to_owned(),
            client_secret: "p:w d".to_owned(),
            scopes: vec!["read".to_owned(), "metrics".to_owned()],
            insecure: false,
        }
    }

    #[test]
    fn the_client_says_who_it_is_in_either_way() {
        let header = grant().request(Style::Header);
        assert_eq!((header.method, header.url.as_str()), ("POST", "https://login/token"));
        assert_eq!(header.body.as_deref(), Some("grant_type=client_credentials&scope=read%20metrics"));
        let login = format!("Basic {}", BASE64.encode("me%2Fx:p%3Aw%20d"));
        assert!(header.headers.contains(&("Authorization".to_owned(), login)), "{:?}", header.headers);
        let form = grant().request(Style::Form);
        assert!(form.headers.iter().all(|(name, _)| name != "Authorization"));
        assert_eq!(
            form.body.as_deref(),
            Some(
                "grant_type=client_credentials&scope=read%20metrics&client_id=me%2Fx&client_secret=p%3Aw%20d"
            )
        );
        assert!(!format!("{:?} {form:?}", grant()).contains("p:w"));
    }

    #[test]
    fn answers_give_a_token_or_a_reason_and_never_show_the_token() {
        let read = |status, body: &str| token(&Response { status, body: body.to_owned() });
        let given = |status, body| {
            read(status, body).map(|token| (token.text.expose().to_owned(), token.lasts.as_secs()))
        };
        for (status, body, expected) in [
            (200, r#"{"access_token":"t","expires_in":60,"token_type":"Bearer"}"#, Ok(("t".to_owned(), 60))),
            (200, r#"{"access_token":"t","expires_in":"60"}"#, Ok(("t".to_owned(), 60))),
            (200, r#"{"access_token":"t"}"#, Ok(("t".to_owned(), 300))),
            (200, r#"{"token":"hunter2"}"#, Err("the answer holds no access_token".to_owned())),
            (
                401,
                r#"{"error":"invalid_client","error_description":"unknown"}"#,
                Err("HTTP 401: invalid_client unknown".to_owned()),
            ),
            (500, "<html>", Err("HTTP 500".to_owned())),
            (400, r#"{"access_token":"hunter2"}"#, Err("HTTP 400".to_owned())),
        ] {
            assert_eq!(given(status, body), expected, "{body}");
        }
    }
}
