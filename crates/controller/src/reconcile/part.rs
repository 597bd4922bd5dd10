//! Performs the parting: from objects that a Rollout does not name any more, and from Rollouts that are gone.

use std::sync::Arc;
use std::time::Duration;

use serin_core::Plan;
use serin_core::journal::{Event, Severity};
use serin_core::parting;
use serin_core::seen::ObjectKey;
use serin_core::write::Write;
use serin_traffic::extension::named;
use tokio::time::Instant;

use super::act::Performed;
use super::{BLIND_WAKE, Rollouts};
use crate::announce::reference;
use crate::cache::Kept;
use crate::caches::kind;
use crate::failure::Failure;
use crate::farewell::{self, Parting, leaves};
use crate::mark::Behind;
use crate::object::Name;
use crate::observe::Scene;
use crate::patience::wake_at;
use crate::sight::{ReadRollout, RolloutSight};
use crate::tally::Subject;

impl Rollouts {
    /// Remembers a Rollout, and what it named before when it does not name that any more.
    pub(super) fn notice(&self, name: &Name, kept: &Arc<Kept<RolloutSight>>) {
        let mut recalls = self.recall();
        let recall = recalls.entry(name.clone()).or_default();
        recall.unreadable = None;
        let last = recall.last.replace(kept.clone());
        if let (None, Ok(new)) = (&last, &kept.value) {
            recall.left = self.remembered(kept, new);
        }
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

    /// A Rollout as it was when it named objects that it does not name any more, as far as its status remembers.
    fn remembered(&self, kept: &Kept<RolloutSight>, new: &ReadRollout) -> Vec<Arc<Kept<RolloutSight>>> {
        let versions = self.caches.versions.get().cloned().unwrap_or_default();
        let before = parting::before(&new.rollout).into_iter();
        let left = before.map(|rollout| ReadRollout::of(rollout, &versions)).filter(|old| leaves(old, new));
        left.map(|old| Arc::new(Kept { value: Ok(old), ..kept.clone() })).collect()
    }

    /// Objects that a Rollout named before and that are not handed back yet; never empty before they are.
    pub(super) fn left(&self, name: &Name, behind: &Behind) -> Vec<ObjectKey> {
        let left = self.recall().get(name).map(|recall| recall.left.clone()).unwrap_or_default();
        let old = left.iter().filter_map(|kept| kept.value.as_ref().ok());
        old.flat_map(|old| {
            farewell::reached(&self.caches, old, behind).into_iter().chain(old.extensions.clone())
        })
        .collect()
    }

    /// Tells of the beginning or the end of a Rollout, as this process sees it.
    fn tell_life(&self, name: &Name, kept: &Kept<RolloutSight>, (reason, before): (&str, &str), after: &str) {
        let event = Event {
            severity: Severity::Normal,
            reason: reason.to_owned(),
            message: format!("{before}{name}{after}"),
            write: None,
            service: None,
            thread: None,
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
            let Parting { writes, unseen } = farewell::parting(&self.caches, (old, splits), new, &behind);
            quiet &= writes.is_empty() && unseen.is_none();
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
            // The status forgets them, too.
            self.caches.rollout_queue.add(name.clone());
        }
    }

    /// Takes back what was added to other objects, for a Rollout that is gone, or that waits for it to go.
    pub(super) async fn part(&self, name: &Name) -> Option<Instant> {
        let waiting = self.waiting(name).await;
        let last = self.recall().get(name).and_then(|recall| recall.last.clone());
        let last = last.or_else(|| waiting.as_ref().and_then(|_| self.caches.rollouts.get(name)));
        let Some(Ok(old)) = last.as_ref().map(|kept| &kept.value) else {
            if let Some(waiting) = &waiting {
                return self.let_go(name, waiting, Some("the Rollout cannot be read")).await;
            }
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
        let (left, failures) = self.take_back(name, old, waiting.is_some()).await;
        match (&waiting, &left) {
            (Some(waiting), None) => return self.let_go(name, waiting, None).await,
            (Some(waiting), Some(left)) if waiting.over() => {
                return self.let_go(name, waiting, Some(left)).await;
            }
            (None, None) => {
                if let Some(last) = &last {
                    self.tell_life(name, last, ("RolloutDeleted", "Rollout "), " is deleted.");
                }
                self.forget(name);
                return None;
            }
            (_, Some(_)) => {}
        }
        let pause = self.tries.pause("rollout", name, &failures);
        wake_at(None, pause.filter(|_| waiting.is_none()), Some(Duration::from_secs(1)))
    }

    /// Does what takes everything back for a Rollout. Says what is left of it, and what failed; with `sure`, what cannot be
    /// seen is left, too.
    async fn take_back(&self, name: &Name, old: &ReadRollout, sure: bool) -> (Option<String>, Vec<Failure>) {
        let behind = self.marks.behind(name, Instant::now(), |key| self.caches.shown(key));
        let splits = self.talks.hear(name, old).objects;
        let Parting { writes, unseen } = farewell::parting(&self.caches, (old, splits), None, &behind);
        let mut failures = Vec::new();
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
        let unseen = unseen.filter(|_| sure);
        let left = match (failures.first(), writes.first().map(|write| &write.object)) {
            (Some(failure), _) => Some(failure.to_string()),
            (None, Some(object)) => Some(object.to_string()),
            (None, None) if self.talks.busy(name) => Some("an extension has not answered".to_owned()),
            (None, None) if unseen.is_some() => unseen.map(|object| format!("{object} cannot be seen")),
            (None, None) => behind
                .objects
                .first()
                .map(|object| format!("{object} has not been seen since it was written")),
        };
        (left, failures)
    }
}
