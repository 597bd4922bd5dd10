//! The parts of a request that any provider may set: headers and login.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serin_api::provider::{Authentication, BasicAuth, Header, Oauth2, Sigv4};

use super::address::Address;
use super::aws::Signing;
use super::oauth2::Grant;
use super::{Login, Problem};

/// What logs a request in.
pub(super) struct Entry {
    /// Headers, checked.
    pub(super) headers: Vec<(String, String)>,
    /// The exchange that the shell adds.
    pub(super) login: Login,
}

/// Which provider logs in, and with what.
pub(super) struct Asked<'m> {
    /// The field of `provider` that holds it all.
    pub(super) provider: &'static str,
    pub(super) headers: Option<&'m Vec<Header>>,
    pub(super) authentication: Option<&'m Authentication>,
    pub(super) insecure: bool,
    /// How a request is signed when `sigv4` is set; `None` where it cannot be.
    pub(super) service: Option<&'static str>,
}

/// The headers to send, then the one that logs in, or the exchange that does.
pub(super) fn entry(asked: &Asked) -> Result<Entry, Problem> {
    let Asked { provider, headers, authentication, .. } = *asked;
    let given = headers.into_iter().flatten().map(|header| checked(provider, header));
    let mut headers = given.collect::<Result<Vec<_>, _>>()?;
    let Some(Authentication { sigv4, oauth2, basic_auth }) = authentication else {
        return Ok(Entry { headers, login: Login::Complete });
    };
    let signing = sigv4.as_ref().map(|sigv4| signing(asked, sigv4)).transpose()?.flatten();
    let grant = oauth2.as_ref().map(|oauth2| grant(asked, oauth2)).transpose()?.flatten();
    let basic = basic_auth.as_ref().and_then(basic);
    let login = match (signing, grant, basic) {
        (None, None, None) => Login::Complete,
        (Some(signing), None, None) => Login::Aws(signing),
        (None, Some(grant), None) => Login::Oauth2(grant),
        (None, None, Some(basic)) => {
            headers.push(basic);
            Login::Complete
        }
        _ => {
            return Err(Problem::Field {
                field: format!("{provider}.authentication"),
                why: "more than one of sigv4, oauth2 and basicAuth is set".to_owned(),
                remedy: "set one of them",
            });
        }
    };
    Ok(Entry { headers, login })
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

fn signing(asked: &Asked, sigv4: &Sigv4) -> Result<Option<Signing>, Problem> {
    let Sigv4 { region, profile, role_arn } = sigv4;
    if ![region, profile, role_arn].into_iter().any(filled) {
        return Ok(None);
    }
    let Some(service) = asked.service else {
        return Err(Problem::Field {
            field: format!("{}.authentication.sigv4", asked.provider),
            why: "it is not said for which service of AWS to sign".to_owned(),
            remedy: "put a signing proxy (aws-sigv4-proxy) before the endpoint and give its address",
        });
    };
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    Ok(Some(Signing { region: text(region), service, profile: text(profile), role_arn: text(role_arn) }))
}

fn grant(asked: &Asked, oauth2: &Oauth2) -> Result<Option<Grant>, Problem> {
    let Oauth2 { token_url, client_id, client_secret, scopes } = oauth2;
    if !filled(token_url) {
        return Ok(None);
    }
    for (name, field) in [("clientId", client_id), ("clientSecret", client_secret)] {
        if !filled(field) {
            return Err(Problem::Field {
                field: format!("{}.authentication.oauth2.{name}", asked.provider),
                why: "it is empty".to_owned(),
                remedy: "give the client that may ask tokenUrl for a token; the secret from a Secret argument",
            });
        }
    }
    let token_url = token_url.clone().unwrap_or_default();
    Address::parse(
        &format!("{}.authentication.oauth2.tokenUrl", asked.provider),
        token_url.split('?').next().unwrap_or_default(),
        "give one such as https://login/oauth2/token",
    )?;
    Ok(Some(Grant {
        token_url,
        client_id: client_id.clone().unwrap_or_default(),
        client_secret: client_secret.clone().unwrap_or_default(),
        scopes: scopes.clone().unwrap_or_default(),
        insecure: asked.insecure,
    }))
}

fn basic(BasicAuth { username, password }: &BasicAuth) -> Option<(String, String)> {
    if ![username, password].into_iter().any(filled) {
        return None;
    }
    let (name, word) = (username.as_deref().unwrap_or_default(), password.as_deref().unwrap_or_default());
    Some(("Authorization".to_owned(), format!("Basic {}", BASE64.encode(format!("{name}:{word}")))))
}

fn filled(field: &Option<String>) -> bool {
    field.as_deref().is_some_and(|text| !text.is_empty())
}
