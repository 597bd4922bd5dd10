//! Decides when a refused write may be sent again: not with every event, but when it has changed or some time has passed.

use serin_core::seen::ObjectKey;
use serin_core::world::WriteRefusal;
use serin_core::write::Write;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::patience;

#[derive(Clone, Debug)]
struct Denial {
    write: Write,
    message: String,
    name_taken: bool,
    times: u32,
    until: Instant,
}

/// The writes of one Rollout that the API server refuses.
#[derive(Clone, Debug, Default)]
pub struct Denials(Vec<Denial>);

impl Denials {
    /// The same write was refused a short time ago.
    pub fn hold(&self, write: &Write, now: Instant) -> bool {
        self.0.iter().any(|denial| denial.write == *write && now < denial.until)
    }

    /// The write was refused now.
    pub fn note(&mut self, write: &Write, failure: &Failure, now: Instant) {
        let before = self.0.iter().find(|denial| denial.write == *write);
        let times = before.map_or(1, |denial| denial.times.saturating_add(1));
        let until = now + patience::pause(failure, times, rand::random());
        self.lift(&write.object);
        let (write, message) = (write.clone(), failure.message());
        self.0.push(Denial { write, message, name_taken: false, times, until });
    }

    /// The object was not created, because another one has its name.
    pub fn note_taken(&mut self, write: &Write, failure: &Failure, now: Instant) {
        self.note(write, failure, now);
        self.0.iter_mut().filter(|denial| denial.write == *write).for_each(|denial| denial.name_taken = true);
    }

    /// The object was written.
    pub fn lift(&mut self, object: &ObjectKey) {
        self.0.retain(|denial| denial.write.object != *object);
    }

    /// Nothing else is to be written any more.
    pub fn keep_only(&mut self, wanted: &[ObjectKey]) {
        self.0.retain(|denial| wanted.contains(&denial.write.object));
    }

    /// When the first of them may be sent again.
    pub fn until(&self) -> Option<Instant> {
        self.0.iter().map(|denial| denial.until).min()
    }

    /// What the next decision is told.
    pub fn refusals(&self) -> Vec<WriteRefusal> {
        let refusals = self.0.iter().map(|denial| WriteRefusal {
            kind: denial.write.object.kind.clone(),
            object: denial.write.object.name.clone(),
            message: denial.message.clone(),
            name_taken: denial.name_taken,
        });
        refusals.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use serin_core::write::Effect;

    use super::*;

    fn write(replicas: i32) -> Write {
        let object = ObjectKey::new("apps", "v1", "ReplicaSet", "n", "a");
        Write { object, effect: Effect::Create(json!({"spec": {"replicas": replicas}})) }
    }

    fn refusal() -> Failure {
        let status = kube::core::Status { code: 403, message: "quota".to_owned(), ..Default::default() };
        Failure::Answered { object: write(0).object, status: Box::new(status) }
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_write_waits_longer_each_time_and_a_changed_one_does_not_wait() {
        let mut denials = Denials::default();
        denials.note(&write(1), &refusal(), Instant::now());
        assert!(denials.hold(&write(1), Instant::now()));
        assert!(!denials.hold(&write(2), Instant::now()));
        tokio::time::advance(Duration::from_secs(7)).await;
        assert!(!denials.hold(&write(1), Instant::now()));
        denials.note(&write(1), &refusal(), Instant::now());
        tokio::time::advance(Duration::from_secs(7)).await;
        assert!(denials.hold(&write(1), Instant::now()));
    }

    #[test]
    fn a_refusal_is_told_until_the_object_is_written_or_not_wanted_any_more() {
        let mut denials = Denials::default();
        denials.note(&write(1), &refusal(), Instant::now());
        assert_eq!(
            denials.refusals(),
            [WriteRefusal {
                kind: "ReplicaSet".to_owned(),
                object: "a".to_owned(),
                message: "quota".to_owned(),
                name_taken: false
            }]
        );
        let mut lifted = denials.clone();
        lifted.lift(&write(1).object);
        assert!(lifted.refusals().is_empty());
        denials.keep_only(&[]);
        assert_eq!(denials.until(), None);
    }
}
