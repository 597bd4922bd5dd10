//! What a verb has decided: patches with a sentence about them, or the reason why not.

use serin_view::change::Change;

/// What a verb has decided from the Rollout as it stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// These changes, in this order; then say so.
    Act {
        /// The changes.
        changes: Vec<Change>,
        /// One line about what happened.
        said: String,
    },
    /// What is asked for is so already; the line says since when.
    Already(String),
    /// It cannot be done; the text says why and what can be done instead.
    Refuse(String),
}
