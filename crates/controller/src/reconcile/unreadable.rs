//! Performs what can be done for a Rollout that cannot be read: an event, and a status that says so.

use jiff::Timestamp;
use serin_core::journal::{Event, Severity};
use serin_core::unreadable;
use tokio::time::Instant;

use super::{BLIND_WAKE, Rollouts};
use crate::announce::reference;
use crate::cache::Kept;
use crate::caches::kind;
use crate::difference::StatusPatch;
use crate::object::Name;
use crate::perform::StatusPlace;
use crate::sight::RolloutSight;
use crate::tally::Subject;

impl Rollouts {
    /// Says once, by an event and in the status, that a Rollout cannot be read. Its pods stay as they are.
    pub(super) async fn tell_unreadable(
        &self,
        name: &Name,
        kept: &Kept<RolloutSight>,
        why: &str,
    ) -> Option<Instant> {
        if self.is_new(name, why) {
            let event = Event {
                severity: Severity::Warning,
                reason: "InvalidSpec".to_owned(),
                message: format!("The Rollout \"{}\" cannot be read: {why}", name.name),
                write: None,
                service: None,
                thread: None,
            };
            let about = reference(&kind::rollout(), name, &kept.uid, &kept.version);
            self.announcer.tell(Subject::Rollout, &about, event);
        }
        match self.store_unreadable(name, why).await {
            Ok(()) => None,
            Err(problem) => {
                tracing::debug!(rollout = %name, "its status could not be written: {problem}");
                Some(Instant::now() + BLIND_WAKE)
            }
        }
    }

    fn is_new(&self, name: &Name, why: &str) -> bool {
        let mut recalls = self.recall();
        let recall = recalls.entry(name.clone()).or_default();
        let before = recall.unreadable.replace(why.to_owned());
        before.as_deref() != Some(why)
    }

    async fn store_unreadable(&self, name: &Name, why: &str) -> Result<(), String> {
        let Some(raw) = self.reader.raw(name).await? else { return Ok(()) };
        let Some(fields) = unreadable::status(&raw, why, Timestamp::now()) else { return Ok(()) };
        let version = raw.pointer("/metadata/resourceVersion").and_then(|it| it.as_str()).unwrap_or_default();
        let patch = StatusPatch::of(&fields, version);
        let stored =
            self.performer.status(&kind::rollout().key(name), StatusPlace::Subresource, &patch).await;
        stored.map(drop).map_err(|failure| crate::watch::chain(&failure))
    }
}
