//! Says why a request is not answered: a status code, and a sentence with the object and the remedy.

use axum::Json;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure it is.
    pub kind: Kind,
    /// For people.
    pub message: String,
}

/// Kinds of failures, by what the client should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Say who you are.
    Unauthenticated,
    /// Ask for the right to do it.
    Forbidden,
    /// Look elsewhere.
    NotFound,
    /// Send something else.
    Invalid,
    /// Something else must happen first.
    Refused,
    /// Look again, then decide again.
    Conflict,
    /// Try later.
    Unavailable,
}

impl Kind {
    /// The status code, and the number that gRPC gateways put into the body.
    fn codes(self) -> (StatusCode, u8) {
        match self {
            Self::Invalid => (StatusCode::BAD_REQUEST, 3),
            Self::NotFound => (StatusCode::NOT_FOUND, 5),
            Self::Forbidden => (StatusCode::FORBIDDEN, 7),
            Self::Refused => (StatusCode::BAD_REQUEST, 9),
            Self::Conflict => (StatusCode::CONFLICT, 10),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, 14),
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, 16),
        }
    }
}

impl Failure {
    /// A failure of a kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Translates an error of the cluster; `what` is what was tried, such as `patch rollout "shop" in namespace "web"`.
    pub fn of_cluster(what: &str, error: &kube::Error) -> Self {
        let kube::Error::Api(status) = error else {
            return Self::new(
                Kind::Unavailable,
                format!("cannot {what}: the API server cannot be asked: {}; try again", root(error)),
            );
        };
        match status.code {
            401 => Self::new(
                Kind::Unauthenticated,
                format!("cannot {what}: the API server does not accept the credentials; log in again"),
            ),
            403 => Self::new(
                Kind::Forbidden,
                format!("cannot {what}: {}; ask for a role that allows it", status.message),
            ),
            404 => Self::new(Kind::NotFound, format!("cannot {what}: it does not exist")),
            409 => Self::new(Kind::Conflict, format!("cannot {what}: it has changed meanwhile; look again")),
            _ => Self::new(Kind::Unavailable, format!("cannot {what}: {}", status.message)),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, code) = self.kind.codes();
        let body = Json(json!({"error": self.message, "code": code, "message": self.message}));
        let challenge: Option<(HeaderName, &str)> =
            (self.kind == Kind::Unauthenticated).then_some((header::WWW_AUTHENTICATE, "Bearer"));
        match challenge {
            Some(challenge) => (status, [challenge], body).into_response(),
            None => (status, body).into_response(),
        }
    }
}

/// The innermost cause: what the operating system or the peer said.
pub fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    #[test]
    fn errors_of_the_cluster_name_the_object_and_the_remedy() {
        let api =
            |code, message: &str| kube::Error::Api(Status::failure(message, "").with_code(code).boxed());
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
        for (error, kind, expected) in [
            (
                kube::Error::Service(Box::new(refused)),
                Kind::Unavailable,
                "the API server cannot be asked: connection refused; try again",
            ),
            (
                api(401, "Unauthorized"),
                Kind::Unauthenticated,
                "the API server does not accept the credentials; log in again",
            ),
            (
                api(403, "User \"me\" cannot patch"),
                Kind::Forbidden,
                "User \"me\" cannot patch; ask for a role that allows it",
            ),
            (api(404, "not found"), Kind::NotFound, "it does not exist"),
            (api(409, "modified"), Kind::Conflict, "it has changed meanwhile; look again"),
            (api(422, "spec.selector is immutable"), Kind::Unavailable, "spec.selector is immutable"),
        ] {
            let failure = Failure::of_cluster("patch rollout \"shop\" in namespace \"web\"", &error);
            let expected = format!("cannot patch rollout \"shop\" in namespace \"web\": {expected}");
            assert_eq!(failure, Failure::new(kind, expected));
        }
    }
}
