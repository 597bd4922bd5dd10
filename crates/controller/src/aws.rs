//! Performs the search for AWS keys, in the order of AWS's own tools: environment, web identity, shared file, container,
//! machine; keeps them while they are good.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serin_analysis::provider::aws::{self, Keys, Role, Signing, sign};
use serin_analysis::provider::{Login, Request, Response};
use serin_analysis::secret::SecretText;

use crate::exchange::Exchange;
use crate::login::NoLogin;

/// Name of the sessions of roles, as CloudTrail shows it.
const SESSION: &str = "serin";

/// Keys by profile and role.
#[derive(Default)]
pub struct KeyRing {
    known: Mutex<HashMap<(String, String), Keys>>,
    environment: Environment,
}

/// Where variables come from.
struct Environment(fn(&str) -> Option<String>);

impl Default for Environment {
    fn default() -> Self {
        Self(|name| std::env::var(name).ok())
    }
}

impl Environment {
    fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|text| !text.is_empty())
    }

    fn region(&self) -> Option<String> {
        self.get("AWS_REGION").or_else(|| self.get("AWS_DEFAULT_REGION"))
    }
}

impl KeyRing {
    /// Keys from these variables.
    #[cfg(test)]
    pub(crate) fn of(variables: fn(&str) -> Option<String>) -> Self {
        Self { known: Mutex::default(), environment: Environment(variables) }
    }

    /// Keys for a signature, and the region to sign for.
    ///
    /// # Errors
    /// [`NoLogin`]; keys that are not there may come, as with a service account that is not annotated yet.
    pub async fn keys(&self, exchange: &Exchange, signing: &Signing) -> Result<(Keys, String), NoLogin> {
        let given = Some(signing.region.clone()).filter(|region| !region.is_empty());
        let region = given.or_else(|| self.environment.region()).ok_or_else(|| {
            NoLogin::Refused("no AWS region: set sigv4.region, or AWS_REGION for the controller".to_owned())
        })?;
        let name = (signing.profile.clone(), signing.role_arn.clone());
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        if let Some(keys) = known.filter(|keys| keys.good(Timestamp::now())) {
            return Ok((keys, region));
        }
        let own = self.own(exchange, &signing.profile, &region).await?;
        let keys = match signing.role_arn.as_str() {
            "" => own,
            arn => take_on(exchange, arn, &own, &region).await?,
        };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name, keys.clone());
        Ok((keys, region))
    }

    /// Forgets the keys; whether there were any.
    pub fn forget(&self, signing: &Signing) -> bool {
        let name = (signing.profile.clone(), signing.role_arn.clone());
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&name).is_some()
    }

    async fn own(&self, exchange: &Exchange, profile: &str, region: &str) -> Result<Keys, NoLogin> {
        let variable = |name| self.environment.get(name);
        let from_file = |profile: &str| {
            let home = || Some(format!("{}/.aws/credentials", variable("HOME")?));
            let path = variable("AWS_SHARED_CREDENTIALS_FILE").or_else(home)?;
            Some(aws::in_profile(&std::fs::read_to_string(path).ok()?, profile))
        };
        if !profile.is_empty() {
            let missing = || Err("there is no shared credentials file".to_owned());
            return from_file(profile).unwrap_or_else(missing).map_err(NoLogin::Unreachable);
        }
        if let (Some(access), Some(secret)) =
            (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"))
        {
            let token = variable("AWS_SESSION_TOKEN").map(SecretText::new);
            return Ok(Keys { access, secret: SecretText::new(secret), token, until: None });
        }
        if let (Some(file), Some(arn)) = (variable("AWS_WEB_IDENTITY_TOKEN_FILE"), variable("AWS_ROLE_ARN")) {
            let token = read(&file)?;
            let request = aws::role(&arn, SESSION, Role::WebIdentity(&token), region);
            return of_sts(&sent(exchange, &request).await?);
        }
        if let Some(found) = from_file(&variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned())) {
            return found.map_err(NoLogin::Unreachable);
        }
        if let Some(url) = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            let text = match variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
                Some(file) => Some(read(&file)?),
                None => variable("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
            };
            let response = sent(exchange, &aws::container(&url, text.as_deref())).await?;
            return aws::of_json(&response).map_err(|why| unknown(&format!("the container's agent: {why}")));
        }
        if variable("AWS_EC2_METADATA_DISABLED").is_some_and(|word| word.eq_ignore_ascii_case("true")) {
            return Err(unknown("the environment names none, and the machine is not to be asked"));
        }
        of_machine(exchange).await
    }
}

async fn of_machine(exchange: &Exchange) -> Result<Keys, NoLogin> {
    let not_there =
        |why: String| unknown(&format!("the environment names none, and the machine gives none: {why}"));
    let text = |response: Response| match response.status {
        200 => Ok(response.body),
        status => Err(not_there(format!("HTTP {status}"))),
    };
    let session = text(exchange.send(&aws::machine_token()).await.map_err(not_there)?)?;
    let role = text(exchange.send(&aws::machine_role(&session)).await.map_err(not_there)?)?;
    let response = exchange.send(&aws::machine(&role, &session)).await.map_err(not_there)?;
    aws::of_json(&response).map_err(not_there)
}

async fn take_on(exchange: &Exchange, arn: &str, own: &Keys, region: &str) -> Result<Keys, NoLogin> {
    let mut request = aws::role(arn, SESSION, Role::Keys, region);
    if let Login::Aws(signing) = std::mem::take(&mut request.login) {
        sign(&mut request, &signing, own, Timestamp::now());
    }
    of_sts(&sent(exchange, &request).await?)
}

async fn sent(exchange: &Exchange, request: &Request) -> Result<Response, NoLogin> {
    exchange.send(request).await.map_err(|why| unknown(&why))
}

fn of_sts(response: &Response) -> Result<Keys, NoLogin> {
    aws::of_sts(response).map_err(|why| match response.status {
        400..=499 => NoLogin::Refused(why),
        _ => NoLogin::Unreachable(why),
    })
}

fn read(file: &str) -> Result<String, NoLogin> {
    std::fs::read_to_string(file).map_err(|error| unknown(&format!("{file}: {error}")))
}

fn unknown(why: &str) -> NoLogin {
    NoLogin::Unreachable(format!("no AWS keys: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(environment: fn(&str) -> Option<String>) -> KeyRing {
        KeyRing::of(environment)
    }

    fn signing(region: &str, profile: &str) -> Signing {
        Signing {
            region: region.to_owned(),
            service: "aps",
            profile: profile.to_owned(),
            role_arn: String::new(),
        }
    }

    fn exchange() -> Exchange {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Exchange::new().unwrap()
    }

    #[tokio::test]
    async fn keys_of_the_environment_come_first_and_are_kept_by_name() {
        let ring = ring(|name| {
            let text = match name {
                "AWS_ACCESS_KEY_ID" => "A",
                "AWS_SECRET_ACCESS_KEY" => "S",
                "AWS_DEFAULT_REGION" => "eu-west-1",
                "AWS_WEB_IDENTITY_TOKEN_FILE" | "AWS_ROLE_ARN" => "/nowhere",
                _ => return None,
            };
            Some(text.to_owned())
        });
        let (keys, region) = ring.keys(&exchange(), &signing("", "")).await.unwrap();
        assert_eq!((keys.access.as_str(), region.as_str()), ("A", "eu-west-1"));
        let (_, region) = ring.keys(&exchange(), &signing("us-east-1", "")).await.unwrap();
        assert_eq!(region, "us-east-1");
        assert!(ring.forget(&signing("", "")) && !ring.forget(&signing("", "")));
    }

    #[tokio::test]
    async fn what_is_missing_is_named() {
        let bare = ring(|_| None);
        let why = bare.keys(&exchange(), &signing("", "")).await.unwrap_err();
        assert!(matches!(&why, NoLogin::Refused(why) if why.contains("set sigv4.region")), "{why:?}");
        let why = bare.keys(&exchange(), &signing("r", "ops")).await.unwrap_err();
        assert_eq!(why, NoLogin::Unreachable("there is no shared credentials file".to_owned()));
        let off = ring(|name| (name == "AWS_EC2_METADATA_DISABLED").then(|| "true".to_owned()));
        let why = off.keys(&exchange(), &signing("r", "")).await.unwrap_err();
        let expected = "no AWS keys: the environment names none, and the machine is not to be asked";
        assert_eq!(why, NoLogin::Unreachable(expected.to_owned()));
        let gone = ring(|name| {
            name.starts_with("AWS_")
                .then(|| "/nowhere/token".to_owned())
                .filter(|_| !name.contains("ACCESS_KEY"))
        });
        let why = gone.keys(&exchange(), &signing("r", "")).await.unwrap_err();
        assert!(matches!(&why, NoLogin::Unreachable(why) if why.contains("/nowhere/token")), "{why:?}");
    }
}
