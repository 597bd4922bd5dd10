//! Decides who acts: one controller at a time, told by a Lease that Argo Rollouts' controller uses too.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::failure::{Class, Failure};
use crate::perform::Performer;

/// How long a lease lasts and how often it is renewed; the defaults are those of client-go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Others may take the lease when it has not been renewed for this long.
    pub duration: Duration,
    /// The holder stops acting when it could not renew for this long; less than `duration`, so that two never act.
    pub renew_deadline: Duration,
    /// Time between two tries.
    pub retry: Duration,
}

/// What to do about the lease now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Nobody holds it: write our name.
    Take,
    /// It is ours: write the time.
    Renew,
    /// Somebody else holds it.
    Wait,
}

/// What one candidate knows of the lease. Times of others are not trusted: only how long nothing has changed.
#[derive(Debug)]
pub struct Seat {
    identity: String,
    terms: Terms,
    seen: Option<(LeaseSpec, Instant)>,
}

impl Seat {
    /// A candidate that knows nothing yet.
    pub fn new(identity: &str, terms: Terms) -> Self {
        Self { identity: identity.to_owned(), terms, seen: None }
    }

    /// Decides after a look at the lease, `None` when it does not exist.
    pub fn decide(&mut self, found: Option<&Lease>, now: Instant) -> Move {
        let Some(spec) = found.map(|lease| lease.spec.clone().unwrap_or_default()) else {
            return Move::Take;
        };
        let holder = spec.holder_identity.clone().unwrap_or_default();
        let since = match &self.seen {
            Some((known, since)) if *known == spec => *since,
            _ => now,
        };
        let lasts = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        self.seen = Some((spec, since));
        if holder == self.identity {
            return Move::Renew;
        }
        let expired = since + lasts.map_or(self.terms.duration, Duration::from_secs) <= now;
        if holder.is_empty() || expired { Move::Take } else { Move::Wait }
    }

    /// The lease with our name on it. The version of `found` goes with it, so that only one of two can write it.
    pub fn claim(&self, found: Option<&Lease>, name: &str, now: Timestamp) -> Lease {
        let known = found.and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let ours = known.holder_identity.as_deref() == Some(self.identity.as_str());
        let transitions = known.lease_transitions.unwrap_or(0);
        let changed = !ours && found.is_some();
        let metadata = found.map_or_else(
            || ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            |lease| lease.metadata.clone(),
        );
        let spec = LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.terms.duration.as_secs()).ok(),
            acquire_time: if ours { known.acquire_time } else { Some(MicroTime(now)) },
            renew_time: Some(MicroTime(now)),
            lease_transitions: Some(if changed { transitions.saturating_add(1) } else { transitions }),
            ..LeaseSpec::default()
        };
        Lease { metadata, spec: Some(spec) }
    }

    /// The lease without a holder, so that the next one need not wait.
    pub fn release(&self, found: &Lease, now: Timestamp) -> Option<Lease> {
        let mut lease = found.clone();
        let spec = lease.spec.as_mut()?;
        if spec.holder_identity.as_deref() != Some(self.identity.as_str()) {
            return None;
        }
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        spec.renew_time = Some(MicroTime(now));
        Some(lease)
    }
}

/// Whether this process may act, at any moment.
#[derive(Clone, Debug)]
pub struct Leadership(watch::Receiver<Option<Instant>>);

impl Leadership {
    /// Always allowed to act: leader election is switched off.
    pub fn always() -> Self {
        let far = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365 * 30);
        Self(watch::channel(Some(far)).1)
    }

    /// The lease has been ours within its deadline.
    pub fn holds(&self) -> bool {
        self.0.borrow().is_some_and(|until| Instant::now() < until)
    }

    /// Waits until this process may act.
    pub async fn begins(&mut self) {
        // The sender lives as long as the election, which outlives everybody who waits.
        let _ = self.0.wait_for(|until| until.is_some_and(|until| Instant::now() < until)).await;
    }
}

/// How an election ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// We gave the lease back, or never had it.
    Released,
    /// The lease could not be renewed in time, or somebody else has it.
    Lost,
}

/// One lease to be held.
#[derive(Debug)]
pub struct Election {
    name: String,
    namespace: String,
    seat: Seat,
    acts_until: watch::Sender<Option<Instant>>,
}

impl Election {
    /// A candidate `identity` for the lease `namespace`/`name`, and the handle that tells whether it holds.
    pub fn new(namespace: &str, name: &str, identity: &str, terms: Terms) -> (Self, Leadership) {
        let (acts_until, leadership) = watch::channel(None);
        let seat = Seat::new(identity, terms);
        let election = Self { name: name.to_owned(), namespace: namespace.to_owned(), seat, acts_until };
        (election, Leadership(leadership))
    }

    /// Tries to get the lease, then renews it until `release` or until it is lost.
    pub async fn run(mut self, performer: &Performer, release: CancellationToken) -> End {
        let mut holder = String::new();
        loop {
            let started = Instant::now();
            match self.round(performer).await {
                Ok(Round::Held) => self.hold(started),
                Ok(Round::Other(name)) if self.held() => {
                    self.acts_until.send_replace(None);
                    tracing::error!(holder = name, "another controller has taken the lease");
                    return End::Lost;
                }
                Ok(Round::Other(name)) => {
                    if name != holder {
                        tracing::info!(holder = name, lease = self.name, "waiting for the lease");
                        holder = name;
                    }
                }
                Err(failure) => self.complain(&failure),
            }
            if self.overdue() {
                tracing::error!(lease = self.name, "the lease could not be renewed in time");
                return End::Lost;
            }
            let pause = jittered(self.seat.terms.retry);
            tokio::select! {
                () = release.cancelled() => return self.give_back(performer).await,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn round(&mut self, performer: &Performer) -> Result<Round, Failure> {
        let found = performer.read_lease(&self.namespace, &self.name).await?;
        match self.seat.decide(found.as_ref(), Instant::now()) {
            Move::Wait => {
                let holder = found.and_then(|lease| lease.spec?.holder_identity);
                Ok(Round::Other(holder.unwrap_or_default()))
            }
            Move::Take | Move::Renew => {
                let lease = self.seat.claim(found.as_ref(), &self.name, Timestamp::now());
                match performer.write_lease(&self.namespace, &lease).await {
                    Ok(()) => Ok(Round::Held),
                    Err(failure) if failure.class() == Class::Stale && !self.held() => {
                        Ok(Round::Other("another candidate".to_owned()))
                    }
                    Err(failure) => Err(failure),
                }
            }
        }
    }

    fn hold(&self, started: Instant) {
        let until = started + self.seat.terms.renew_deadline;
        if !self.held() {
            tracing::info!(lease = self.name, identity = self.seat.identity, "the lease is ours");
        }
        self.acts_until.send_replace(Some(until));
    }

    fn held(&self) -> bool {
        self.acts_until.borrow().is_some()
    }

    fn overdue(&self) -> bool {
        self.acts_until.borrow().is_some_and(|until| until <= Instant::now())
    }

    fn complain(&self, failure: &Failure) {
        let why = crate::watch::chain(failure);
        if failure.class() == Class::Transient {
            tracing::debug!(lease = self.name, "cannot renew the lease: {why}");
        } else {
            tracing::warn!(lease = self.name, namespace = self.namespace, "cannot get the lease: {why}");
        }
    }

    async fn give_back(&self, performer: &Performer) -> End {
        let held = self.held();
        self.acts_until.send_replace(None);
        if !held {
            return End::Released;
        }
        let found = performer.read_lease(&self.namespace, &self.name).await;
        let free = found.ok().flatten().and_then(|lease| self.seat.release(&lease, Timestamp::now()));
        if let Some(lease) = free {
            match performer.write_lease(&self.namespace, &lease).await {
                Ok(()) => tracing::info!(lease = self.name, "the lease is given back"),
                Err(failure) => self.complain(&failure),
            }
        }
        End::Released
    }
}

enum Round {
    Held,
    Other(String),
}

/// Up to a fifth more, so that candidates do not ask in step.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(1.0 + rand::random::<f64>() / 5.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        duration: Duration::from_secs(15),
        renew_deadline: Duration::from_secs(10),
        retry: Duration::from_secs(2),
    };

    fn lease(holder: &str, transitions: i32, renewed: i64) -> Lease {
        let renewed = MicroTime(Timestamp::from_second(renewed).unwrap());
        Lease {
            metadata: ObjectMeta {
                name: Some("l".to_owned()),
                resource_version: Some("7".to_owned()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(holder.to_owned()),
                lease_duration_seconds: Some(15),
                acquire_time: Some(renewed.clone()),
                renew_time: Some(renewed),
                lease_transitions: Some(transitions),
                ..LeaseSpec::default()
            }),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_taken_only_when_nobody_renews_it() {
        let mut seat = Seat::new("me", TERMS);
        assert_eq!(seat.decide(None, Instant::now()), Move::Take, "there is none");
        assert_eq!(seat.decide(Some(&lease("", 0, 0)), Instant::now()), Move::Take, "given back");
        assert_eq!(seat.decide(Some(&lease("other", 1, 0)), Instant::now()), Move::Wait, "first seen");
        tokio::time::advance(Duration::from_secs(14)).await;
        assert_eq!(seat.decide(Some(&lease("other", 1, 14)), Instant::now()), Move::Wait, "renewed");
        tokio::time::advance(Duration::from_secs(14)).await;
        assert_eq!(seat.decide(Some(&lease("other", 1, 14)), Instant::now()), Move::Wait, "14 s old");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(seat.decide(Some(&lease("other", 1, 14)), Instant::now()), Move::Take, "15 s old");
        assert_eq!(seat.decide(Some(&lease("me", 2, 29)), Instant::now()), Move::Renew, "ours");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_clock_of_another_candidate_does_not_matter() {
        let mut seat = Seat::new("me", TERMS);
        let far_past = lease("other", 0, -1_000_000);
        assert_eq!(seat.decide(Some(&far_past), Instant::now()), Move::Wait);
    }

    #[test]
    fn a_claim_keeps_the_version_and_counts_changes_of_hands() {
        let seat = Seat::new("me", TERMS);
        let now = Timestamp::from_second(100).unwrap();
        let taken = seat.claim(Some(&lease("other", 3, 0)), "l", now);
        assert_eq!(taken.metadata.resource_version.as_deref(), Some("7"));
        let spec = taken.spec.unwrap();
        assert_eq!((spec.lease_transitions, spec.acquire_time), (Some(4), Some(MicroTime(now))));
        let renewed = seat.claim(Some(&lease("me", 3, 5)), "l", now).spec.unwrap();
        assert_eq!(renewed.lease_transitions, Some(3));
        assert_eq!(renewed.acquire_time, Some(MicroTime(Timestamp::from_second(5).unwrap())));
        assert_eq!(renewed.renew_time, Some(MicroTime(now)));
        assert_eq!(seat.claim(None, "l", now).spec.unwrap().lease_transitions, Some(0));
    }

    #[test]
    fn only_our_own_lease_is_given_back() {
        let seat = Seat::new("me", TERMS);
        let now = Timestamp::from_second(100).unwrap();
        assert_eq!(seat.release(&lease("other", 1, 0), now), None);
        let spec = seat.release(&lease("me", 1, 0), now).unwrap().spec.unwrap();
        assert_eq!((spec.holder_identity.as_deref(), spec.lease_duration_seconds), (Some(""), Some(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_that_cannot_renew_stops_acting_before_others_may_begin() {
        let (election, leadership) = Election::new("n", "l", "me", TERMS);
        assert!(!leadership.holds());
        election.hold(Instant::now());
        assert!(leadership.holds());
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(!leadership.holds());
        assert!(election.overdue());
    }
}
