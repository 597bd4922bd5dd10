//! Signs a request for AWS: Signature Version 4, as the documentation of IAM describes it.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ring::{digest, hmac};

use super::{Keys, Signing};
use crate::provider::{Request, form};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Adds the headers that sign `request` at the moment `now`. `host`, all headers with a meaning for AWS and the body are
/// signed; nothing may change on the way.
pub fn sign(request: &mut Request, signing: &Signing, keys: &Keys, now: Timestamp) {
    let now = now.to_zoned(TimeZone::UTC);
    let (date, time) = (now.strftime("%Y%m%d").to_string(), now.strftime("%Y%m%dT%H%M%SZ").to_string());
    request.headers.push(("X-Amz-Date".to_owned(), time.clone()));
    if let Some(token) = &keys.token {
        request.headers.push(("X-Amz-Security-Token".to_owned(), token.expose().to_owned()));
    }
    let (canonical, names) = canonical(request);
    let scope = format!("{date}/{}/{}/aws4_request", signing.region, signing.service);
    let text = format!("{ALGORITHM}\n{time}\n{scope}\n{}", hex_digest(canonical.as_bytes()));
    let first = format!("AWS4{}", keys.secret.expose()).into_bytes();
    let key = [date.as_str(), &signing.region, signing.service, "aws4_request"]
        .iter()
        .fold(first, |key, part| authenticate(&key, part));
    let signature = hex(&authenticate(&key, &text));
    let access = &keys.access;
    request.headers.push((
        "Authorization".to_owned(),
        format!("{ALGORITHM} Credential={access}/{scope}, SignedHeaders={names}, Signature={signature}"),
    ));
}

/// The request in the one form that both sides derive, and the names of the headers in it.
fn canonical(request: &Request) -> (String, String) {
    let (host, path, query) = split(&request.url);
    let mut headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), one_line(value)))
        .filter(|(name, _)| name == "content-type" || name.starts_with("x-amz-"))
        .collect();
    headers.push(("host".to_owned(), host.to_owned()));
    headers.sort();
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let mut text = format!("{}\n{}\n{}\n", request.method, encoded_path(path), sorted(query));
    for (name, value) in &headers {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name}:{value}");
    }
    let body = hex_digest(request.body.as_deref().unwrap_or_default().as_bytes());
    let _ = write!(text, "\n{names}\n{body}");
    (text, names)
}

/// Host with port, path and query of an address; a login in it is no part of the host.
fn split(url: &str) -> (&str, &str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/"),
    };
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (host, path, query)
}

/// The path is escaped once more than it is sent; the service does the same (only S3 does not).
fn encoded_path(path: &str) -> String {
    let parts: Vec<String> = path.split('/').map(form::escaped).collect();
    parts.join("/")
}

fn sorted(query: &str) -> String {
    let mut pairs: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
        .collect();
    pairs.sort();
    pairs.join("&")
}

fn one_line(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn authenticate(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex_digest(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::provider::Login;
    use crate::secret::SecretText;

    /// The signature of a request with the keys of AWS's test suite (aws-sig-v4-test-suite), 2015-08-30T12:36:00Z.
    fn signature(
        method: &'static str,
        url: &str,
        headers: &[(&str, &str)],
        body: &str,
        service: &'static str,
    ) -> String {
        let mut request = Request {
            method,
            url: url.to_owned(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: (!body.is_empty()).then(|| body.to_owned()),
            timeout: Duration::from_secs(1),
            insecure: false,
            login: Login::Complete,
        };
        let signing = Signing {
            region: "us-east-1".to_owned(),
            service,
            profile: String::new(),
            role_arn: String::new(),
        };
        let keys = Keys {
            access: "AKIDEXAMPLE".to_owned(),
            secret: SecretText::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            token: None,
            until: None,
        };
        sign(&mut request, &signing, &keys, "2015-08-30T12:36:00Z".parse().unwrap());
        let (_, authorization) = request.headers.last().unwrap();
        authorization.split_once("Signature=").unwrap().1.to_owned()
    }

    #[test]
    fn the_vectors_of_aws_are_signed_as_published() {
        let base = "https://example.amazonaws.com/";
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        for (case, found, expected) in [
            (
                "get-vanilla",
                signature("GET", base, &[], "", "service"),
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-vanilla-query-order-key-case",
                signature("GET", &format!("{base}?Param2=value2&Param1=value1"), &[], "", "service"),
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "post-vanilla",
                signature("POST", base, &[], "", "service"),
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "post-x-www-form-urlencoded",
                signature("POST", base, &[form], "Param1=value1", "service"),
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            (
                "ListUsers of the documentation of IAM",
                signature(
                    "GET",
                    "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
                    &[("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")],
                    "",
                    "iam",
                ),
                "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            ),
        ] {
            assert_eq!(found, expected, "{case}");
        }
    }

    #[test]
    fn host_path_and_query_are_taken_apart() {
        for (url, expected) in [
            ("https://h:1/a/b?x=1&y", ("h:1", "/a/b", "x=1&y")),
            ("https://me:pw@h", ("h", "/", "")),
            ("https://h?x=/1", ("h", "/", "x=/1")),
        ] {
            assert_eq!(split(url), expected, "{url}");
        }
        assert_eq!(sorted("b=2&a&b=1"), "a=&b=1&b=2");
        assert_eq!(encoded_path("/a b/ü%20"), "/a%20b/%C3%BC%2520");
    }
}
