//! Says which number a revision has: one more than every other, kept in an annotation that clients read.

use crate::facts::Facts;

/// The number of the current revision: what its ReplicaSet says when that is the highest, else one more than all others.
/// A rollback reuses the old ReplicaSet and moves its number to the top.
pub(crate) fn number(facts: &Facts) -> i64 {
    let others = facts
        .replica_sets()
        .filter(|set| facts.new.is_none_or(|new| new.uid != set.uid))
        .map(|set| set.revision())
        .max()
        .unwrap_or(0);
    let own = facts.new.map_or(0, |set| set.revision());
    if own > others { own } else { others.saturating_add(1) }
}
