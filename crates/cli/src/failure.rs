//! Says what went wrong so that a person can act: the object, the place, the cause and the remedy, and an exit code.

use kube::core::Status;

/// Exit code of `status` for Degraded, and of `lint` for problems.
pub const BAD: u8 = 1;
/// Exit code of refusals, of wrong usage, and of a cluster that could not be asked.
pub const FAILED: u8 = 2;
/// Exit code of `status` when its time is over.
pub const TIMED_OUT: u8 = 3;
/// Exit code of `status --watch=false` for Progressing and Paused.
pub const UNFINISHED: u8 = 4;

/// Why a command ends badly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// For people; may have several lines. Empty when everything is said already.
    pub message: String,
}

impl Failure {
    /// A failure with the usual exit code.
    pub fn new(message: impl Into<String>) -> Self {
        Self { code: FAILED, message: message.into() }
    }

    /// A failure with another exit code.
    pub fn with_code(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Where a cluster is, and how it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Address of the API server.
    pub server: String,
    /// Context in the kubeconfig, when there is one.
    pub context: Option<String>,
    /// File, or variable, that names the server.
    pub source: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.context {
            Some(context) => write!(f, "{} (context \"{context}\" of {})", self.server, self.source),
            None => write!(f, "{} ({})", self.server, self.source),
        }
    }
}

/// What was tried: `read rollout "shop" in namespace "web"`.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The verb: `read`, `list`, `patch`.
    pub verb: &'a str,
    /// The object or objects.
    pub object: &'a str,
}

/// Translates an error of the client. What was not found is explained by the caller, who can look for similar names.
pub fn of_client(place: &Place, attempt: Attempt<'_>, error: &kube::Error) -> Failure {
    let Attempt { verb, object } = attempt;
    let failed = format!("cannot {verb} {object}");
    Failure::new(match error {
        kube::Error::Api(status) => of_answer(place, &failed, status),
        kube::Error::SerdeError(why) => {
            format!("{failed}: the API server {place} answers something else than expected: {why}")
        }
        kube::Error::Auth(_) => format!(
            "{failed}: no credentials for the API server {place}: {}; log in again, or choose another user",
            root(error)
        ),
        kube::Error::Service(_) | kube::Error::HyperError(_) | kube::Error::ReadEvents(_) => format!(
            "{failed}: cannot reach the API server {place}: {}; is it up, and is it the right one? --context and --kubeconfig choose another",
            root(error)
        ),
        _ => format!("{failed}: {}", root(error)),
    })
}

fn of_answer(place: &Place, failed: &str, status: &Status) -> String {
    if kinds_unknown(status) {
        return format!(
            "{failed}: the cluster {place} does not know Rollouts; install the definitions first: kubectl apply --server-side -f crds/"
        );
    }
    match status.code {
        401 => format!(
            "{failed}: the API server {place} does not accept your credentials; log in again, or choose another user"
        ),
        403 => format!("{failed}: you may not: {}; ask for a role that allows it", status.message),
        409 => format!("{failed}: somebody changed it at the same time; look again and repeat the command"),
        _ if status.message.is_empty() => {
            format!("{failed}: the API server {place} answers {} {}", status.code, status.reason)
        }
        _ => format!("{failed}: {}", status.message),
    }
}

/// The resource itself is unknown, not only the object.
pub fn kinds_unknown(status: &Status) -> bool {
    status.code == 404 && status.details.as_ref().is_none_or(|details| details.name.is_empty())
}

/// The innermost cause: what the operating system or the peer said.
pub fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Names that may be meant instead of `wanted`: with few different letters, or one part of the other; the nearest first.
pub fn similar<'n>(wanted: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let near = |name: &'n str| {
        let distance = distance(wanted, name);
        let close =
            distance <= 1 + wanted.chars().count() / 4 || name.contains(wanted) || wanted.contains(name);
        close.then_some((distance, name))
    };
    let mut found: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).filter_map(near).collect();
    found.sort_unstable();
    found.into_iter().map(|(_, name)| name).take(5).collect()
}

/// Least number of letters to insert, delete or replace (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (above, letter) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], above + 1);
        for (column, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::response::StatusDetails;
    use serde_json::json;

    fn place() -> Place {
        Place {
            server: "https://10.0.0.1:6443".to_owned(),
            context: Some("kind".to_owned()),
            source: "~/.kube/config".to_owned(),
        }
    }

    fn details(name: &str) -> StatusDetails {
        serde_json::from_value(json!({"name": name})).unwrap()
    }

    #[test]
    fn every_failure_names_the_object_the_place_and_the_remedy() {
        let attempt = Attempt { verb: "patch", object: "rollout \"shop\" in namespace \"web\"" };
        let api = |code, message: &str, reason: &str| {
            kube::Error::Api(Status::failure(message, reason).with_code(code).boxed())
        };
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
        for (error, expected) in [
            (
                kube::Error::Service(Box::new(refused)),
                "cannot reach the API server https://10.0.0.1:6443 (context \"kind\" of ~/.kube/config): connection refused; is it up, and is it the right one? --context and --kubeconfig choose another",
            ),
            (
                api(404, "404 page not found", "Failed to parse error data"),
                "the cluster https://10.0.0.1:6443 (context \"kind\" of ~/.kube/config) does not know Rollouts; install the definitions first: kubectl apply --server-side -f crds/",
            ),
            (
                api(401, "Unauthorized", "Unauthorized"),
                "the API server https://10.0.0.1:6443 (context \"kind\" of ~/.kube/config) does not accept your credentials; log in again, or choose another user",
            ),
            (
                api(403, "rollouts is forbidden: User \"me\" cannot patch", "Forbidden"),
                "you may not: rollouts is forbidden: User \"me\" cannot patch; ask for a role that allows it",
            ),
            (
                api(409, "the object has been modified", "Conflict"),
                "somebody changed it at the same time; look again and repeat the command",
            ),
            (api(422, "spec.selector is immutable", "Invalid"), "spec.selector is immutable"),
        ] {
            let failure = of_client(&place(), attempt, &error);
            assert_eq!(failure.code, FAILED);
            let expected = format!("cannot patch rollout \"shop\" in namespace \"web\": {expected}");
            assert_eq!(failure.message, expected);
        }
    }

    #[test]
    fn an_object_that_is_not_there_is_no_missing_definition() {
        let not_found = Status::failure("rollouts \"shop\" not found", "NotFound").with_code(404);
        assert!(!kinds_unknown(&not_found.clone().with_details(details("shop"))));
        assert!(kinds_unknown(&not_found));
    }

    #[test]
    fn similar_names_are_found_nearest_first() {
        let names = ["shop", "shop-api", "checkout", "ship", "web"];
        assert_eq!(similar("shp", names), ["ship", "shop"]);
        assert_eq!(similar("shop", names), ["shop", "ship", "shop-api"]);
        assert_eq!(similar("chekcout", names), ["checkout"]);
        assert!(similar("zzz", names).is_empty());
    }
}
