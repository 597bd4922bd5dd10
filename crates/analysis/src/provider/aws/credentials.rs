//! Translates the questions for AWS keys, and their answers: shared file, role (STS), container and machine.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{Signing, domain};
use crate::provider::{Login, Request, Response, excerpt, form};
use crate::secret::SecretText;

/// Time for keys to be given; the service of the machine is next door or not there.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long keys of a role last, in seconds.
const ROLE_LASTS: &str = "3600";
/// The address at which every machine of AWS tells about itself.
const MACHINE: &str = "http://169.254.169.254";

/// Keys that sign.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// Id of the key; no secret.
    pub access: String,
    /// The key.
    pub secret: SecretText,
    /// Token of keys that do not last.
    pub token: Option<SecretText>,
    /// Until when they are good; `None` for ever.
    pub until: Option<Timestamp>,
}

/// How a role is taken on.
#[derive(Clone, Copy, Debug)]
pub enum Role<'r> {
    /// By the token of a service account, which needs no keys (IRSA).
    WebIdentity(&'r str),
    /// By keys that sign the request.
    Keys,
}

/// The request that takes on a role. With [`Role::Keys`] it is to be signed as its login says.
pub fn role(arn: &str, session: &str, by: Role, region: &str) -> Request {
    let mut fields = vec![
        ("Version", "2011-06-15"),
        ("RoleArn", arn),
        ("RoleSessionName", session),
        ("DurationSeconds", ROLE_LASTS),
    ];
    let login = match by {
        Role::WebIdentity(token) => {
            fields.extend([("Action", "AssumeRoleWithWebIdentity"), ("WebIdentityToken", token)]);
            Login::Complete
        }
        Role::Keys => {
            fields.push(("Action", "AssumeRole"));
            Login::Aws(Signing {
                region: region.to_owned(),
                service: "sts",
                profile: String::new(),
                role_arn: String::new(),
            })
        }
    };
    let form = ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned());
    let url = format!("https://sts.{region}.{}/", domain(region));
    Request { method: "POST", headers: vec![form], body: Some(form::encode(&fields)), login, ..get(url) }
}

/// Keys of an answer of STS, which is XML.
///
/// # Errors
/// Why there are none, for people.
pub fn of_sts(response: &Response) -> Result<Keys, String> {
    if response.status >= 300 {
        let (code, message) = (element(&response.body, "Code"), element(&response.body, "Message"));
        let why = format!("{} {}", code.unwrap_or_default(), message.unwrap_or_default());
        return Err(format!("STS answered HTTP {}: {}", response.status, excerpt(&why)));
    }
    let text = |name| element(&response.body, name).ok_or_else(|| format!("the answer of STS has no {name}"));
    Ok(Keys {
        access: text("AccessKeyId")?.to_owned(),
        secret: SecretText::new(text("SecretAccessKey")?),
        token: Some(SecretText::new(text("SessionToken")?)),
        until: element(&response.body, "Expiration").and_then(|until| until.parse().ok()),
    })
}

fn element<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text.trim())
}

/// The request for keys to the agent of a container (ECS, EKS pod identity).
pub fn container(url: &str, authorization: Option<&str>) -> Request {
    let login = authorization.map(|text| ("Authorization".to_owned(), text.trim().to_owned()));
    Request { headers: login.into_iter().collect(), ..get(url.to_owned()) }
}

/// The request for a session with the machine, without which it gives no keys (IMDSv2).
pub fn machine_token() -> Request {
    let lasts = ("X-aws-ec2-metadata-token-ttl-seconds".to_owned(), "300".to_owned());
    Request { method: "PUT", headers: vec![lasts], ..get(format!("{MACHINE}/latest/api/token")) }
}

/// The request for the name of the machine's role.
pub fn machine_role(session: &str) -> Request {
    machine("", session)
}

/// The request for the keys of the machine's role.
pub fn machine(role: &str, session: &str) -> Request {
    let session = ("X-aws-ec2-metadata-token".to_owned(), session.trim().to_owned());
    let url = format!("{MACHINE}/latest/meta-data/iam/security-credentials/{}", role.trim());
    Request { headers: vec![session], ..get(url) }
}

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "AccessKeyId")]
    access: String,
    #[serde(rename = "SecretAccessKey")]
    secret: String,
    #[serde(rename = "Token")]
    token: Option<String>,
    #[serde(rename = "Expiration")]
    expiration: Option<String>,
}

/// Keys of an answer of a container's agent or of the machine.
///
/// # Errors
/// Why there are none, for people; the answer itself may hold keys and is not shown.
pub fn of_json(response: &Response) -> Result<Keys, String> {
    if response.status >= 300 {
        return Err(format!("HTTP {}", response.status));
    }
    let body: Body =
        serde_json::from_str(&response.body).map_err(|_| "the answer holds no keys".to_owned())?;
    Ok(Keys {
        access: body.access,
        secret: SecretText::new(body.secret),
        token: body.token.map(SecretText::new),
        until: body.expiration.and_then(|until| until.parse().ok()),
    })
}

/// Keys of a section of the shared credentials file.
///
/// # Errors
/// What is missing in the file.
pub fn in_profile(file: &str, profile: &str) -> Result<Keys, String> {
    let mut found = std::collections::BTreeMap::new();
    let mut section = "";
    let mut known = false;
    for line in file.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim();
            known |= section == profile;
        } else if let Some((key, text)) = line.split_once('=').filter(|_| section == profile) {
            found.insert(key.trim(), text.trim());
        }
    }
    if !known {
        return Err(format!("the shared credentials file has no profile '{profile}'"));
    }
    let text = |key| found.get(key).copied().ok_or_else(|| format!("profile '{profile}' has no {key}"));
    Ok(Keys {
        access: text("aws_access_key_id")?.to_owned(),
        secret: SecretText::new(text("aws_secret_access_key")?),
        token: found.get("aws_session_token").copied().map(SecretText::new),
        until: None,
    })
}

impl Keys {
    /// They are good for a while yet, so that a request with them arrives in time.
    pub fn good(&self, now: Timestamp) -> bool {
        let soon = now.saturating_add(SignedDuration::from_mins(2)).unwrap_or(now);
        self.until.is_none_or(|until| until > soon)
    }
}

fn get(url: String) -> Request {
    Request {
        method: "GET",
        url,
        headers: Vec::new(),
        body: None,
        timeout: TIMEOUT,
        insecure: false,
        login: Login::Complete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(keys: Result<Keys, String>) -> Result<(String, String, String), String> {
        let token =
            |keys: &Keys| keys.token.as_ref().map(|token| token.expose().to_owned()).unwrap_or_default();
        keys.map(|keys| (keys.access.clone(), keys.secret.expose().to_owned(), token(&keys)))
    }

    fn answer(status: u16, body: &str) -> Response {
        Response { status, body: body.to_owned() }
    }

    #[test]
    fn a_role_is_taken_on_with_a_token_or_with_keys() {
        let by_token = role("arn:aws:iam::1:role/r", "serin", Role::WebIdentity("a.b"), "eu-west-1");
        assert_eq!(by_token.url, "https://sts.eu-west-1.amazonaws.com/");
        let body = by_token.body.unwrap();
        assert!(body.contains("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr"), "{body}");
        assert!(body.ends_with("Action=AssumeRoleWithWebIdentity&WebIdentityToken=a.b"), "{body}");
        assert_eq!(by_token.login, Login::Complete);
        let by_keys = role("arn", "serin", Role::Keys, "cn-north-1");
        assert_eq!(by_keys.url, "https://sts.cn-north-1.amazonaws.com.cn/");
        assert!(matches!(by_keys.login, Login::Aws(Signing { service: "sts", .. })));
    }

    #[test]
    fn answers_of_sts_are_keys_or_a_reason() {
        let xml = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>A</AccessKeyId>\
                   <SecretAccessKey>S/+=</SecretAccessKey><SessionToken>T</SessionToken>\
                   <Expiration>2026-03-01T13:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
        let keys = of_sts(&answer(200, xml)).unwrap();
        assert!(keys.good("2026-03-01T12:50:00Z".parse().unwrap()));
        assert!(!keys.good("2026-03-01T12:59:00Z".parse().unwrap()));
        assert_eq!(shown(Ok(keys)), Ok(("A".to_owned(), "S/+=".to_owned(), "T".to_owned())));
        let refused = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>";
        assert_eq!(
            shown(of_sts(&answer(403, refused))),
            Err("STS answered HTTP 403: AccessDenied not you".to_owned())
        );
        assert_eq!(
            shown(of_sts(&answer(200, "<x/>"))),
            Err("the answer of STS has no AccessKeyId".to_owned())
        );
    }

    #[test]
    fn answers_of_agents_are_keys_or_a_reason_without_their_text() {
        let body =
            r#"{"AccessKeyId":"A","SecretAccessKey":"S","Token":"T","Expiration":"2026-03-01T13:00:00Z"}"#;
        assert_eq!(shown(of_json(&answer(200, body))), Ok(("A".to_owned(), "S".to_owned(), "T".to_owned())));
        assert_eq!(shown(of_json(&answer(200, "hunter2"))), Err("the answer holds no keys".to_owned()));
        assert_eq!(shown(of_json(&answer(404, "hunter2"))), Err("HTTP 404".to_owned()));
        let request = machine(" role\n", "session\n");
        assert_eq!(request.url, "http://169.254.169.254/latest/meta-data/iam/security-credentials/role");
        assert_eq!(request.headers[0].1, "session");
        assert_eq!(container("http://x/", Some("t\n")).headers[0].1, "t");
    }

    #[test]
    fn the_shared_file_is_read_by_section() {
        let file = "# mine\n[default]\naws_access_key_id=D\naws_secret_access_key=E\n\n[ops]\naws_access_key_id = A\n\
                    aws_secret_access_key = S=\naws_session_token = T\n[half]\naws_access_key_id=A\n";
        let keys = |profile| shown(in_profile(file, profile));
        assert_eq!(keys("default"), Ok(("D".to_owned(), "E".to_owned(), String::new())));
        assert_eq!(keys("ops"), Ok(("A".to_owned(), "S=".to_owned(), "T".to_owned())));
        assert_eq!(keys("half"), Err("profile 'half' has no aws_secret_access_key".to_owned()));
        assert_eq!(keys("x"), Err("the shared credentials file has no profile 'x'".to_owned()));
    }
}
