//! Says why a metric cannot be asked for.

/// Why a metric cannot be asked for. Each says the field and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// `provider` is empty.
    #[error("no provider specified")]
    NoProvider,
    /// `provider` names more than one.
    #[error("multiple providers specified")]
    SeveralProviders,
    /// A field is set to something that cannot work.
    #[error("provider.{field}: {why}; {remedy}")]
    Field {
        /// Path below `provider`.
        field: String,
        /// What is wrong.
        why: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Credentials are not there, or not known; they may come, so it is worth waiting.
    #[error("{0}")]
    Missing(String),
}
