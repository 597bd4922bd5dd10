//! Decides whether a provider is worth asking: one that was down a moment ago is down for everybody.

use std::time::Duration;

use tokio::time::Instant;

/// Questions in a row that must go unanswered before the others are spared.
const UNANSWERED: u32 = 3;
/// How long a provider is left alone at first, and at the longest. Shorter than any useful measuring interval, so that
/// a provider which is back is noticed by the next measurement.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(10);

/// What is known of one provider.
#[derive(Debug, Default)]
pub struct Breaker {
    unanswered: u32,
    until: Option<Instant>,
    why: String,
}

impl Breaker {
    /// Whether to ask now. `Err` says why not. After a pause one question is let through, and the others wait for what
    /// comes of it.
    ///
    /// # Errors
    /// The last cause.
    pub fn admit(&mut self, now: Instant, patience: Duration) -> Result<(), String> {
        match self.until {
            Some(until) if now < until => Err(format!("{} (spared for a moment)", self.why)),
            Some(_) => {
                self.until = Some(now + patience);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The provider answered.
    pub fn answered(&mut self) {
        *self = Self::default();
    }

    /// The provider did not answer.
    pub fn silent(&mut self, why: &str, now: Instant) {
        self.unanswered = self.unanswered.saturating_add(1);
        why.clone_into(&mut self.why);
        if let Some(pauses) = self.unanswered.checked_sub(UNANSWERED) {
            let pause = FIRST.saturating_mul(1 << pauses.min(8)).min(LONGEST);
            self.until = Some(now + pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_silent_provider_is_left_alone_and_then_asked_once() {
        let mut breaker = Breaker::default();
        for _ in 0..UNANSWERED {
            assert!(breaker.admit(Instant::now(), PATIENCE).is_ok());
            breaker.silent("refused", Instant::now());
        }
        let why = breaker.admit(Instant::now(), PATIENCE).unwrap_err();
        assert_eq!(why, "refused (spared for a moment)");
        tokio::time::advance(FIRST).await;
        assert!(breaker.admit(Instant::now(), PATIENCE).is_ok(), "one question goes through");
        assert!(breaker.admit(Instant::now(), PATIENCE).is_err(), "the others wait for it");
        breaker.answered();
        assert!(breaker.admit(Instant::now(), PATIENCE).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_pause_has_a_bound() {
        let mut breaker = Breaker::default();
        for _ in 0..100 {
            breaker.silent("refused", Instant::now());
        }
        tokio::time::advance(LONGEST).await;
        assert!(breaker.admit(Instant::now(), PATIENCE).is_ok());
    }
}
