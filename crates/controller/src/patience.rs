//! Decides how long to wait before the next try, by the class of what failed and by how often it has failed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;

use crate::failure::{Class, Failure};
use crate::object::Name;
use crate::watch::chain;

/// First pause and longest pause of a class. A stale state is cured by the watch within milliseconds; a refusal only by
/// somebody who changes something, which no event may tell (a quota, a permission).
fn bounds(class: Class) -> (Duration, Duration) {
    let (first, longest) = match class {
        Class::Stale => (50, 5_000),
        Class::Transient => (500, 60_000),
        Class::Withheld => (3_000, 15_000),
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

/// How often in a row each object has failed.
#[derive(Debug, Default)]
pub struct Tries(Mutex<HashMap<Name, u32>>);

impl Tries {
    /// Counts and logs what failed, and says when to try again; nothing failed: never, and the count begins anew.
    pub fn pause(&self, kind: &'static str, name: &Name, failures: &[Failure]) -> Option<Duration> {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.is_empty() {
            tries.remove(name);
            return None;
        }
        let attempt = tries.entry(name.clone()).or_default();
        *attempt = attempt.saturating_add(1);
        failures.iter().for_each(|failure| log(kind, name, failure, *attempt));
        let pauses = failures.iter().map(|failure| pause(failure, *attempt, rand::random()));
        pauses.min()
    }

    /// The object is gone.
    pub fn forget(&self, name: &Name) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

/// A failure that is more than somebody else having been faster.
pub fn lasting(failures: &[Failure]) -> bool {
    failures.iter().any(|failure| !matches!(failure.class(), Class::Stale | Class::Withheld))
}

fn log(kind: &'static str, name: &Name, failure: &Failure, attempt: u32) {
    let why = chain(failure);
    match failure.class() {
        Class::Stale => tracing::debug!(kind, %name, "changed meanwhile: {why}"),
        Class::Withheld => tracing::debug!(kind, %name, "not evicted now: {why}"),
        Class::Transient if attempt > 1 => tracing::debug!(kind, %name, attempt, "still failing: {why}"),
        Class::Transient => tracing::warn!(kind, %name, "not written, will be tried again: {why}"),
        Class::Denied => tracing::warn!(kind, %name, attempt, "refused: {why}"),
        Class::Broken => tracing::error!(kind, %name, attempt, "cannot be written: {why}"),
    }
}

/// A wake is never sooner than this after a decision: a plan that is not carried out must not become a busy loop.
const SHORTEST: Duration = Duration::from_millis(200);

/// The first of: what the plan waits for, the next try, the latest look.
pub fn wake_at(
    plan: Option<SignedDuration>,
    retry: Option<Duration>,
    latest: Option<Duration>,
) -> Option<Instant> {
    let plan = plan.map(|wait| Duration::try_from(wait).unwrap_or_default().max(SHORTEST));
    let wait = [plan, retry, latest].into_iter().flatten().min()?;
    Some(Instant::now() + wait)
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

    #[tokio::test(start_paused = true)]
    async fn the_first_reason_to_wake_wins_and_none_is_at_once() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let plan = |seconds| Some(SignedDuration::from_secs(seconds));
        for (case, plan, retry, latest, expected) in [
            ("plan", plan(5), seconds(7), seconds(900), seconds(5)),
            ("retry", plan(5), seconds(1), seconds(900), seconds(1)),
            ("latest", None, None, seconds(900), seconds(900)),
            ("never", None, None, None, None),
            ("in the past", plan(-5), None, None, Some(SHORTEST)),
        ] {
            let wait = wake_at(plan, retry, latest).map(|at| at - Instant::now());
            assert_eq!(wait, expected, "{case}");
        }
    }

    #[test]
    fn failures_are_counted_until_one_look_succeeds() {
        let (tries, name) = (Tries::default(), Name::new("n", "r"));
        let first = tries.pause("rollout", &name, &[failure(503, 0)]);
        let second = tries.pause("rollout", &name, &[failure(503, 0)]);
        assert!(first < second);
        assert_eq!(tries.pause("rollout", &name, &[]), None);
        assert!(tries.pause("rollout", &name, &[failure(503, 0)]) < second);
    }

    #[test]
    fn chance_spreads_by_a_quarter() {
        assert_eq!(pause(&failure(503, 0), 1, 0.0), Duration::from_millis(375));
        assert_eq!(pause(&failure(503, 0), 1, 1.0), Duration::from_millis(625));
    }
}
