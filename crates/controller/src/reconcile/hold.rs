//! Performs the end of a deleted Rollout that waits until its routes are handed back.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serin_core::finalizer::{self, Hold};
use serin_core::journal::{Event, Severity};
use tokio::time::Instant;

use super::{BLIND_WAKE, Rollouts};
use crate::announce::reference;
use crate::caches::kind;
use crate::object::Name;
use crate::tally::Subject;

/// How long to wait before the finalizer is taken away once more.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// A deleted Rollout that waits, and who it is.
pub(super) struct Waiting {
    pub(super) hold: Hold,
    uid: String,
    version: String,
}

impl Rollouts {
    /// How a deleted Rollout waits, whatever else is in it.
    pub(super) async fn waiting(&self, name: &Name) -> Option<Waiting> {
        let kept = self.caches.rollouts.get(name).filter(|kept| kept.deleting)?;
        let meta = match &kept.value {
            Ok(read) => read.rollout.metadata.clone(),
            Err(_) => {
                let raw = self.reader.raw(name).await.ok()??;
                ObjectMeta::deserialize(raw.get("metadata")?).ok()?
            }
        };
        let hold = finalizer::hold(&meta)?;
        Some(Waiting { hold, uid: kept.uid.clone(), version: kept.version.clone() })
    }

    /// Lets a Rollout go; `left` says what has not been handed back. Returns when to look again.
    pub(super) async fn let_go(&self, name: &Name, waiting: &Waiting, left: Option<&str>) -> Option<Instant> {
        if let Err(failure) = self.performer.write(&waiting.hold.release).await {
            tracing::debug!(rollout = %name, "its finalizer is not taken away yet: {failure}");
            return Some(Instant::now() + AGAIN);
        }
        let (severity, reason, message) = match left {
            None => (
                Severity::Normal,
                "RoutesHandedBack",
                "Handed the routes back to stable; the Rollout is let go".to_owned(),
            ),
            Some(left) => (
                Severity::Warning,
                "RoutesNotHandedBack",
                format!(
                    "Did not hand back all routes within {} s: {left}; the Rollout is let go all the same. Set what is left \
                     to stable by hand",
                    waiting.hold.seconds
                ),
            ),
        };
        let about = reference(&kind::rollout(), name, &waiting.uid, &waiting.version);
        let event =
            Event { severity, reason: reason.to_owned(), message, write: None, service: None, thread: None };
        self.announcer.tell(Subject::Rollout, &about, event);
        Some(Instant::now() + BLIND_WAKE)
    }
}

impl Waiting {
    /// The time that was given is over.
    pub(super) fn over(&self) -> bool {
        Timestamp::now() >= self.hold.until
    }
}
