//! What a verb has decided: patches with a sentence about their effect, or the reason why not.

use serin_view::change::Change;

/// What a verb has decided from the Rollout as it stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// These changes, in this order.
    Act {
        /// The changes.
        changes: Vec<Change>,
        /// What will happen, as a clause; people confirm it before it happens.
        effect: String,
    },
    /// What is asked for is so already.
    Already(String),
    /// It cannot be done; the text says why and what can be done instead.
    Refuse(String),
}

impl Decision {
    /// One change.
    pub fn act(change: Change, effect: String) -> Self {
        Self::Act { changes: vec![change], effect }
    }
}
