//! Performs the parting: from objects that a Rollout does not name any more, and from Rollouts that are gone.

use std::sync::Arc;
use std::time::Duration;

use serin_core::Plan;
use serin_core::journal::{Event, Severity};
use serin_core::write::Write;
use serin_traffic::extension::named;
use tokio::time::Instant;

use super::act::Performed;
use super::{BLIND_WAKE, Rollouts};
use crate::announce::reference;
use crate::cache::Kept;
use crate::caches::kind;
use crate::farewell::{self, leaves};
use crate::object::Name;
use crate::observe::Scene;
use crate::patience::wake_at;
use crate::sight::RolloutSight;
use crate::tally::Subject;

impl Rollouts {
    /// Remembers a Rollout, and what it named before when it does not name that any more.
    pub(super) fn notice(&self, name: &Name, kept: &Arc<Kept<RolloutSight>>) {
        let mut recalls = self.recall();
        let recall = recalls.entry(name.clone()).or_default();
        recall.unreadable = None;
        let last = recall.last.replace(kept.clone());
        if last.as_ref().is_none_or(|last| last.uid != kept.uid) {
            self.tell_life(
                name,
                kept,
                ("RolloutAddedToInformer", "Rollout resource added to informer: "),
                "",
            );
        }
        if let (Some(last), Ok(new)) = (last, &kept.value)
            && last.value.as_ref().is_ok_and(|old| leaves(old, new))
        {
            recall.left.push(last);
        }
    }

    /// Tells of the beginning or the end of a Rollout, as this process sees it.
    fn tell_life(&self, name: &Name, kept: &Kept<RolloutSight>, (reason, before): (&str, &str), after: &str) {
        let event = Event {
            severity: Severity::Normal,
            reason: reason.to_owned(),
            message: format!("{before}{name}{after}"),
            write: None,
            service: None,
        };
        let about = reference(&kind::rollout(), name, &kept.uid, &kept.version);
        self.announcer.tell(Subject::Rollout, &about, event);
    }

    /// Takes back what was added to objects that the Rollout has left, once the new spec is known to work: a mistyped
    /// name must not change where traffic goes.
    pub(super) async fn release(&self, name: &Name, scene: &Scene, plan: &Plan, performed: &mut Performed) {
        let valid = plan.status.conditions.iter().all(|condition| condition.type_ != "InvalidSpec");
        if !valid || plan.status.dry_run.is_some() {
            return;
        }
        let left = self.recall().get(name).map(|recall| recall.left.clone()).unwrap_or_default();
        let now = self.recall().get(name).and_then(|recall| recall.last.clone());
        let new = now.as_ref().and_then(|kept| kept.value.as_ref().ok());
        let behind = self.marks.behind(name, Instant::now(), |key| self.caches.shown(key));
        let old = left.iter().filter_map(|kept| kept.value.as_ref().ok());
        let mut quiet = behind.objects.is_empty();
        for old in old {
            let splits = self.talks.hear(name, old).objects;
            let writes = farewell::writes(&self.caches, (old, splits), new, &behind);
            quiet &= writes.is_empty();
            for write in &writes {
                if named(&write.object).is_some() {
                    self.talks.tell(name, old, write);
                } else {
                    self.perform_one(name, scene, (write, &scene.version), performed).await;
                }
            }
        }
        // Those that an older spec names have been written with the rest of it.
        let met = |write: &Write| {
            let mut old = left.iter().filter_map(|kept| kept.value.as_ref().ok());
            old.any(|old| old.services.contains(&write.object))
        };
        let strays = new.map(|new| farewell::strays(&self.caches, name, new, &behind)).unwrap_or_default();
        for stray in strays.iter().filter(|stray| !met(stray)) {
            self.perform_one(name, scene, (stray, &scene.version), performed).await;
        }
        if !left.is_empty() && quiet && !self.talks.busy(name) {
            self.recall().entry(name.clone()).or_default().left.clear();
        }
    }

    /// Takes back what was added to other objects, for a Rollout that is gone.
    pub(super) async fn part(&self, name: &Name) -> Option<Instant> {
        let last = self.recall().get(name).and_then(|recall| recall.last.clone());
        let Some(Ok(old)) = last.as_ref().map(|kept| &kept.value) else {
            self.forget(name);
            return None;
        };
        match self.reader.gone(name).await {
            Ok(true) => {}
            // Its dependents go first (foreground deletion, finalizers); its own end is an event of its own.
            Ok(false) if self.caches.rollouts.get(name).is_some() => return None,
            Ok(false) => {
                self.forget(name);
                return None;
            }
            Err(why) => {
                tracing::debug!(rollout = %name, "not known whether it is gone: {why}");
                return Some(Instant::now() + BLIND_WAKE);
            }
        }
        let behind = self.marks.behind(name, Instant::now(), |key| self.caches.shown(key));
        let mut failures = Vec::new();
        let splits = self.talks.hear(name, old).objects;
        let writes = farewell::writes(&self.caches, (old, splits), None, &behind);
        for write in &writes {
            if named(&write.object).is_some() {
                self.talks.tell(name, old, write);
                continue;
            }
            match self.performer.write(write).await {
                Ok(reach) => self.mark(name, write, reach.as_ref()),
                Err(failure) => failures.push(failure),
            }
        }
        if writes.is_empty() && behind.objects.is_empty() && !self.talks.busy(name) {
            if let Some(last) = &last {
                self.tell_life(name, last, ("RolloutDeleted", "Rollout "), " is deleted.");
            }
            self.forget(name);
            return None;
        }
        wake_at(None, self.tries.pause("rollout", name, &failures), Some(Duration::from_secs(1)))
    }
}
