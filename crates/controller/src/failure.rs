//! Says why a write failed, and what class of failure it is: the class alone decides what happens next.

use std::time::Duration;

use serin_core::seen::ObjectKey;

/// What a failed write leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The object was not what the plan took it for: plan again on what is there now.
    Stale,
    /// The API server could not answer: the same again, later.
    Transient,
    /// A disruption budget says not now: said in a gate, tried again soon.
    Withheld,
    /// The API server refuses, and repeating does not cure it: said in a condition, tried again slowly.
    Denied,
    /// A mistake of this program: said loudly, tried again slowly.
    Broken,
}

impl Class {
    /// A constant word, for metric labels.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Transient => "transient",
            Self::Withheld => "withheld",
            Self::Denied => "denied",
            Self::Broken => "broken",
        }
    }
}

/// Why one write was not done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The API server answered with an error.
    #[error("{object}: {}", text(.status))]
    Answered {
        /// What was written.
        object: ObjectKey,
        /// What it said.
        status: Box<kube::core::Status>,
    },
    /// The API server does not evict a pod now, because of a disruption budget.
    #[error("{object}: {}", text(.status))]
    Withheld {
        /// The pod.
        object: ObjectKey,
        /// What it said.
        status: Box<kube::core::Status>,
    },
    /// No answer in time; whether the write was done is not known.
    #[error("{object}: no answer from the API server within {} s", .after.as_secs())]
    Silent {
        /// What was written.
        object: ObjectKey,
        /// How long was waited.
        after: Duration,
    },
    /// The request did not get through.
    #[error("{object}")]
    Unreachable {
        /// What was written.
        object: ObjectKey,
        /// Why.
        #[source]
        source: kube::Error,
    },
    /// This process may no longer act: its lease has run out.
    #[error("{object}: not written, another controller may hold the lease")]
    NotLeading {
        /// What was not written.
        object: ObjectKey,
    },
    /// A JSON patch without precondition.
    #[error("{object}: not written, the patch has no test operation")]
    Unguarded {
        /// What was not written.
        object: ObjectKey,
    },
    /// Not a JSON patch, or not an object.
    #[error("{object}: not written, the content cannot be sent")]
    Unsendable {
        /// What was not written.
        object: ObjectKey,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// What was said, with the budget that says it.
fn budget_or_text(status: &kube::core::Status) -> String {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let budget = causes.into_iter().find(|cause| cause.reason == "DisruptionBudget");
    match budget {
        Some(cause) if !cause.message.is_empty() => format!("{} {}", text(status), cause.message),
        _ => text(status).to_owned(),
    }
}

fn text(status: &kube::core::Status) -> &str {
    if status.message.is_empty() { &status.reason } else { &status.message }
}

impl From<Box<Self>> for Failure {
    fn from(boxed: Box<Self>) -> Self {
        *boxed
    }
}

impl Failure {
    /// Sorts what the client returned.
    pub fn of(object: &ObjectKey, error: kube::Error) -> Self {
        let object = object.clone();
        match error {
            kube::Error::Api(status) => Self::Answered { object, status },
            source => Self::Unreachable { object, source },
        }
    }

    /// What it leads to.
    pub fn class(&self) -> Class {
        match self {
            Self::Answered { status, .. } => class_of(status),
            Self::Withheld { .. } => Class::Withheld,
            Self::Silent { .. } | Self::Unreachable { .. } | Self::NotLeading { .. } => Class::Transient,
            Self::Unguarded { .. } | Self::Unsendable { .. } => Class::Broken,
        }
    }

    /// An object that was to be created has a name that is there already.
    pub fn exists(&self) -> bool {
        matches!(self, Self::Answered { status, .. } if status.code == 409 && status.reason == "AlreadyExists")
    }

    /// How long the API server asks to be left alone.
    pub fn patience(&self) -> Option<Duration> {
        let Self::Answered { status, .. } = self else { return None };
        let seconds = status.details.as_ref()?.retry_after_seconds;
        (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)))
    }

    /// What the API server said, for people.
    pub fn message(&self) -> String {
        match self {
            Self::Answered { status, .. } | Self::Withheld { status, .. } => budget_or_text(status),
            other => other.to_string(),
        }
    }
}

/// Sorts an answer by its status code.
///
/// A JSON patch that does not apply (a failed `test`, a path that is not there) is answered with 422 and no causes; an
/// object that validation refuses with 422 and its causes (apiserver handlers/patch.go, `jsonPatcher`). A webhook that
/// names no code refuses with 400 (admission/plugin/webhook/errors `ToStatusErr`).
pub fn class_of(status: &kube::core::Status) -> Class {
    let causes = status.details.as_ref().is_some_and(|details| !details.causes.is_empty());
    let webhook = status.message.contains("admission webhook") || status.message.contains("denied");
    match status.code {
        404 | 409 | 410 => Class::Stale,
        422 if !causes => Class::Stale,
        403 | 413 | 422 => Class::Denied,
        400 if webhook => Class::Denied,
        401 | 408 | 429 | 500..=599 => Class::Transient,
        _ => Class::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, message: &str, causes: bool) -> kube::core::Status {
        let details = serde_json::json!({
            "causes": if causes { serde_json::json!([{"reason": "FieldValueInvalid", "message": "m", "field": "spec"}]) }
                else { serde_json::json!([]) },
        });
        kube::core::Status {
            code,
            message: message.to_owned(),
            details: serde_json::from_value(details).unwrap(),
            ..kube::core::Status::default()
        }
    }

    #[test]
    fn status_codes_lead_to_classes() {
        for (case, code, message, causes, class) in [
            ("already exists", 409, "replicasets.apps \"a\" already exists", false, Class::Stale),
            ("modified meanwhile", 409, "the object has been modified", false, Class::Stale),
            ("gone", 404, "replicasets.apps \"a\" not found", false, Class::Stale),
            (
                "failed test operation",
                422,
                "the server rejected our request due to an error in our request",
                false,
                Class::Stale,
            ),
            ("validation", 422, "\"a\" is invalid: spec: Invalid value", true, Class::Denied),
            ("no permission", 403, "cannot patch resource", false, Class::Denied),
            ("quota", 403, "exceeded quota: pods", false, Class::Denied),
            (
                "webhook without code",
                400,
                "admission webhook \"w\" denied the request: no",
                false,
                Class::Denied,
            ),
            ("our mistake", 400, "the body of the request was in an unknown format", false, Class::Broken),
            ("our mistake too", 415, "unsupported media type", false, Class::Broken),
            ("token expired", 401, "Unauthorized", false, Class::Transient),
            ("too many requests", 429, "too many requests", false, Class::Transient),
            ("webhook down", 500, "failed calling webhook \"w\"", false, Class::Transient),
            ("unavailable", 503, "apiserver is shutting down", false, Class::Transient),
            ("etcd slow", 504, "etcdserver: request timed out", false, Class::Transient),
        ] {
            assert_eq!(class_of(&status(code, message, causes)), class, "{case}");
        }
    }
}
