//! Decides how long to wait before the next try, by the class of what failed and by how often it has failed.

use std::time::Duration;

use crate::failure::{Class, Failure};

/// First pause and longest pause of a class. A stale state is cured by the watch within milliseconds; a refusal only by
/// somebody who changes something, which no event may tell (a quota, a permission).
fn bounds(class: Class) -> (Duration, Duration) {
    let (first, longest) = match class {
        Class::Stale => (50, 5_000),
        Class::Transient => (500, 60_000),
        Class::Denied => (5_000, 300_000),
        Class::Broken => (30_000, 600_000),
    };
    (Duration::from_millis(first), Duration::from_millis(longest))
}

/// The pause after the failure number `attempt` (from 1) in a row; `chance` in 0..1 spreads those who wait together.
pub fn pause(failure: &Failure, attempt: u32, chance: f64) -> Duration {
    let (first, longest) = bounds(failure.class());
    let doubled = first.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    let asked = failure.patience().unwrap_or_default();
    doubled.min(longest).mul_f64(0.75 + chance / 2.0).max(asked)
}

#[cfg(test)]
mod tests {
    use serin_core::seen::ObjectKey;

    use super::*;

    fn failure(code: u16, retry_after: u32) -> Failure {
        let status = serde_json::from_value(serde_json::json!({
            "code": code, "message": "m", "details": {"retryAfterSeconds": retry_after},
        }));
        let object = ObjectKey::new("apps", "v1", "ReplicaSet", "n", "a");
        Failure::Answered { object, status: Box::new(status.unwrap()) }
    }

    #[test]
    fn pauses_grow_to_a_bound_that_depends_on_the_class() {
        for (case, failure, attempt, expected) in [
            ("stale at first", failure(409, 0), 1, Duration::from_millis(50)),
            ("stale later", failure(409, 0), 99, Duration::from_secs(5)),
            ("transient at first", failure(503, 0), 1, Duration::from_millis(500)),
            ("transient again", failure(503, 0), 3, Duration::from_secs(2)),
            ("transient for long", failure(503, 0), 99, Duration::from_secs(60)),
            ("denied", failure(403, 0), 1, Duration::from_secs(5)),
            ("the server asks for more", failure(429, 7), 1, Duration::from_secs(7)),
        ] {
            assert_eq!(pause(&failure, attempt, 0.5), expected, "{case}");
        }
    }

    #[test]
    fn chance_spreads_by_a_quarter() {
        assert_eq!(pause(&failure(503, 0), 1, 0.0), Duration::from_millis(375));
        assert_eq!(pause(&failure(503, 0), 1, 1.0), Duration::from_millis(625));
    }
}
