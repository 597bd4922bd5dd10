//! Reads from a Rollout since when the weight of its canary is in force: windows before that are of another split.

use jiff::Timestamp;
use serin_api::Rollout;

/// What is known of the last change of the weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weight {
    /// So much, since then.
    Since {
        /// The weight, of `maxTrafficWeight` (100).
        weight: i32,
        /// When the routing objects began to show it.
        at: Timestamp,
    },
    /// It is on its way to the data plane.
    Moving {
        /// What the status shows.
        weight: i32,
    },
    /// Nobody says when it changed, for this reason.
    Unknown(&'static str),
}

impl Weight {
    /// What the status of the Rollout says.
    pub fn of(rollout: Option<&Rollout>) -> Self {
        let Some(rollout) = rollout else {
            return Self::Unknown("no Rollout is named");
        };
        let weights = rollout.status.as_ref().and_then(|status| status.canary.weights.as_ref());
        let Some(weights) = weights else {
            return Self::Unknown("the Rollout has no weights in its status (it routes no traffic)");
        };
        let weight = weights.canary.weight;
        match (&weights.applied_at, weights.verified) {
            (Some(at), _) => Self::Since { weight, at: at.0 },
            (None, Some(false)) => Self::Moving { weight },
            (None, _) => Self::Unknown("status.canary.weights.appliedAt is not set"),
        }
    }
}
