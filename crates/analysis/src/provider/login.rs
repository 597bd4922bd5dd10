//! The parts of a request that any provider may set: headers and login.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serin_api::provider::{Authentication, BasicAuth, Header, Oauth2, Sigv4};

use super::Problem;

/// The headers to send, checked, then the one that logs in; `provider` is the field of `provider` that holds them.
pub(super) fn headers(
    provider: &str,
    headers: Option<&Vec<Header>>,
    authentication: Option<&Authentication>,
) -> Result<Vec<(String, String)>, Problem> {
    let given = headers.into_iter().flatten().map(|header| checked(provider, header));
    let mut all = given.collect::<Result<Vec<_>, _>>()?;
    if let Some(authentication) = authentication {
        all.extend(login(provider, authentication)?);
    }
    Ok(all)
}

fn checked(provider: &str, header: &Header) -> Result<(String, String), Problem> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let name_good = !header.key.is_empty() && header.key.bytes().all(token);
    let value_good = !header.value.chars().any(|character| character.is_control() && character != '\t');
    if name_good && value_good {
        return Ok((header.key.clone(), header.value.clone()));
    }
    Err(Problem::Field {
        field: format!("{provider}.headers"),
        why: format!("{:?} cannot be sent as an HTTP header", header.key),
        remedy: "use letters, digits and dashes in the name, and no line breaks in the value",
    })
}

/// The header that logs in, when a login is set.
fn login(provider: &str, authentication: &Authentication) -> Result<Option<(String, String)>, Problem> {
    let Authentication { sigv4, oauth2, basic_auth } = authentication;
    if let Some(Sigv4 { region, profile, role_arn }) = sigv4
        && [region, profile, role_arn].into_iter().any(filled)
    {
        return Err(Problem::Field {
            field: format!("{provider}.authentication.sigv4"),
            why: "AWS request signing is not implemented yet".to_owned(),
            remedy: "put a signing proxy (aws-sigv4-proxy) before the provider and give its address",
        });
    }
    if let Some(Oauth2 { token_url, client_id, client_secret, scopes: _ }) = oauth2
        && [token_url, client_id, client_secret].into_iter().any(filled)
    {
        return Err(Problem::Field {
            field: format!("{provider}.authentication.oauth2"),
            why: "OAuth 2 is not implemented yet".to_owned(),
            remedy: "give a long-lived token in headers (Authorization: Bearer …), from a Secret argument",
        });
    }
    let Some(BasicAuth { username, password }) = basic_auth else {
        return Ok(None);
    };
    if ![username, password].into_iter().any(filled) {
        return Ok(None);
    }
    let (name, word) = (username.as_deref().unwrap_or_default(), password.as_deref().unwrap_or_default());
    Ok(Some(("Authorization".to_owned(), format!("Basic {}", BASE64.encode(format!("{name}:{word}"))))))
}

fn filled(field: &Option<String>) -> bool {
    field.as_deref().is_some_and(|text| !text.is_empty())
}
