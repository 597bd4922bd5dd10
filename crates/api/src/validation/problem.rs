//! One thing that is wrong with a spec, for people and for the conditions that clients read.

/// One thing that is wrong with a spec: where, what stands there, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A field that must be there is not.
    #[error("{path}: Required value: {message}")]
    Missing {
        /// Path of the field.
        path: String,
        /// What is missing and what to do.
        message: String,
    },
    /// A field holds something that cannot work.
    #[error("{path}: Invalid value: {value}: {message}")]
    Invalid {
        /// Path of the field.
        path: String,
        /// What stands there, as JSON.
        value: String,
        /// Why it cannot work and what to do.
        message: String,
    },
    /// Clients of Argo Rollouts know it by words of their own.
    #[error("{told}")]
    Known {
        /// For people.
        told: Box<Problem>,
        /// For the condition.
        said: String,
    },
}

impl Problem {
    /// The same, with another value in the condition: `Invalid value: 5`, for example, and what is said of it.
    pub(crate) fn said_with(self, value: &str, words: &str) -> Self {
        let said = format!("{}: {value}: {words}", condition_path(self.path()));
        self.said_as(said)
    }

    /// Path of the field, for example `spec.strategy.canary.steps[0].setWeight`.
    pub fn path(&self) -> &str {
        match self {
            Self::Missing { path, .. } | Self::Invalid { path, .. } => path,
            Self::Known { told, .. } => told.path(),
        }
    }

    /// The same, with the words of the condition given in full.
    #[must_use]
    pub fn said_as(self, said: impl Into<String>) -> Self {
        Self::Known { told: Box::new(self), said: said.into() }
    }

    /// The words of the condition `InvalidSpec`, as clients of Argo Rollouts know them: its paths leave the name of the
    /// strategy out, and the remedy, after a semicolon, is said beside them.
    pub fn condition_text(&self) -> String {
        let (path, value, message) = match self {
            Self::Missing { path, message } => (path, "Required value".to_owned(), message),
            Self::Invalid { path, value, message } => (path, format!("Invalid value: {value}"), message),
            Self::Known { said, .. } => return said.clone(),
        };
        let said = message.split("; ").next().unwrap_or(message);
        if path.starts_with("spec.workloadRef") || path == "spec.template.metadata" {
            return said.to_owned();
        }
        format!("{}: {value}: {said}", condition_path(path))
    }

    pub(crate) fn missing(path: &str, message: &str) -> Self {
        Self::Missing { path: path.to_owned(), message: message.to_owned() }
    }

    pub(crate) fn invalid(
        path: impl Into<String>,
        value: impl serde::Serialize,
        message: impl Into<String>,
    ) -> Self {
        let value = serde_json::to_string(&value).unwrap_or_default();
        Self::Invalid { path: path.into(), value, message: message.into() }
    }
}

/// A path as conditions have it: without the name of the strategy.
pub(super) fn condition_path(path: &str) -> String {
    match path {
        "spec.strategy" => "spec.strategy.strategy".to_owned(),
        path => ["canary", "blueGreen"].iter().fold(path.to_owned(), |path, strategy| {
            path.replacen(&format!("spec.strategy.{strategy}."), "spec.strategy.", 1)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_say_what_clients_of_argo_rollouts_know() {
        for (name, problem, expected) in [
            (
                "without the name of the strategy",
                Problem::invalid("spec.strategy.canary.steps[0].setWeight", 110, "too much"),
                "spec.strategy.steps[0].setWeight: Invalid value: 110: too much",
            ),
            (
                "of the strategy itself",
                Problem::missing("spec.strategy", "Rollout has missing field '.spec.strategy'; give one"),
                "spec.strategy.strategy: Required value: Rollout has missing field '.spec.strategy'",
            ),
            (
                "without the remedy, of which the value has no part",
                Problem::invalid("spec.strategy.blueGreen.activeService", "a; b", "the same; give two"),
                "spec.strategy.activeService: Invalid value: \"a; b\": the same",
            ),
            (
                "without the path, of a workload",
                Problem::invalid(
                    "spec.workloadRef",
                    "x",
                    "workload of type batch/Job is not supported; name one",
                ),
                "workload of type batch/Job is not supported",
            ),
            (
                "of other fields as it is",
                Problem::invalid("spec.replicas", -1, "must be greater than or equal to 0"),
                "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
            ),
            (
                "in words of their own",
                Problem::invalid("spec.x", 1, "one; give two").said_as("spec.x: Internal error: one"),
                "spec.x: Internal error: one",
            ),
        ] {
            assert_eq!(problem.condition_text(), expected, "{name}");
        }
    }
}
