//! Decides which users stay where they are: those whom this canary has answered, and those of stable until the weight moves.

use serde::{Deserialize, Serialize};
use serin_api::SessionAffinity;

use crate::facts::Facts;
use crate::memory::Memory;
use crate::split::Weight;
use crate::traffic;

/// Cookies that tell whom a revision has answered, and lead the user to it again.
///
/// # Guarantees
/// Both values name the revision that is the canary, so that the cookie of another one, or of an aborted one, leads
/// nowhere. That of stable names the weight, too: when it moves, the users of stable are drawn once more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Affinity {
    /// Name of the cookie.
    pub cookie: String,
    /// Seconds that a browser keeps it.
    pub max_age_seconds: u64,
    /// Pod template hash of the canary.
    pub hash: String,
    /// Weight of the canary.
    pub weight: Weight,
}

impl Affinity {
    /// What the cookie says of a user whom the canary has answered.
    pub fn of_canary(&self) -> String {
        format!("canary.{}", self.hash)
    }

    /// What the cookie says of a user whom stable has answered.
    pub fn of_stable(&self) -> String {
        format!("stable.{}.{}", self.hash, self.weight)
    }
}

/// The affinity of a split with this weight: none without any, on the way back, and while weight on the canary would reach
/// another revision or no pod. It stays until the weight is gone after a promotion, for stable may still be the old one.
pub(crate) fn wished(facts: &Facts, memory: &Memory, weight: Weight) -> Option<Affinity> {
    let affinity = facts.canary.traffic_routing.as_ref()?.session_affinity.as_ref()?;
    let over = weight.0 == 0
        || memory.stable().is_empty()
        || memory.aborted()
        || !traffic::reaches_canary(facts, memory)
        || facts.new_pods().serving() == 0;
    (!over).then(|| of(affinity, &facts.current_hash, weight))?
}

fn of(affinity: &SessionAffinity, hash: &str, weight: Weight) -> Option<Affinity> {
    let max_age_seconds = affinity.max_age_seconds()?;
    Some(Affinity { cookie: affinity.cookie().to_owned(), max_age_seconds, hash: hash.to_owned(), weight })
}
