//! Performs the loop of one Experiment: observe, plan, record, perform. It decides nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::ObjectReference;
use serin_api::Experiment;
use serin_core::experiment::{Plan, World, plan};
use serin_core::journal::{Event, Severity};
use serin_core::write::{Effect, Write};
use tokio::time::Instant;

use crate::announce::{Announcer, reference};
use crate::cache::Kept;
use crate::caches::{Caches, kind};
use crate::denial::Denials;
use crate::difference::StatusPatch;
use crate::failure::{Class, Failure};
use crate::mark::{Marks, Reach};
use crate::object::{Name, controller_of};
use crate::patience::{Tries, lasting, wake_at};
use crate::perform::{Performer, StatusPlace};
use crate::read::Reader;
use crate::sight::ExperimentSight;
use crate::tally::{Subject, Tally};

mod scene;

/// What is remembered of an Experiment between two looks. All of it may be lost.
#[derive(Debug, Default)]
struct Recall {
    denials: Denials,
    unreadable: Option<String>,
}

/// Everything that the loop needs.
#[derive(Debug)]
pub struct Experiments {
    caches: Arc<Caches>,
    performer: Performer,
    announcer: Announcer,
    tally: Arc<Tally>,
    reader: Reader,
    marks: Marks,
    tries: Tries,
    recall: Mutex<HashMap<Name, Recall>>,
}

impl Experiments {
    /// A loop that looks at Experiments as they change.
    pub fn new(
        caches: Arc<Caches>,
        (performer, announcer, tally): (Performer, Announcer, Arc<Tally>),
        reader: Reader,
    ) -> Self {
        let (marks, tries, recall) = (Marks::default(), Tries::default(), Mutex::default());
        Self { caches, performer, announcer, tally, reader, marks, tries, recall }
    }

    /// Looks at one Experiment; returns when to look again.
    pub async fn reconcile(&self, name: &Name) -> Option<Instant> {
        let Some(kept) = self.caches.experiments.get(name).filter(|kept| !kept.deleting) else {
            self.forget(name);
            return None;
        };
        let experiment = match &kept.value {
            Ok(experiment) => experiment,
            Err(why) => return self.tell_unreadable(name, &kept, why),
        };
        let behind = self.marks.behind(name, Instant::now(), |key| self.caches.shown(key));
        if !behind.objects.is_empty() {
            self.tally.fell_behind();
            return behind.until;
        }
        let started = Instant::now();
        let refusals = self.with_recall(name, |recall| recall.denials.refusals());
        let world = scene::world(&self.caches, name, (&kept.uid, experiment), refusals);
        let decided = plan(&world);
        self.tally.planned(started.elapsed());
        let failures = match self.record(name, &kept, &world, &decided).await {
            Ok(()) => self.perform(name, (&kept, experiment), &decided).await,
            Err(failure) => vec![failure],
        };
        self.tally.reconciled(Subject::Experiment, name, started.elapsed(), lasting(&failures));
        let wait = decided.wake.map(|at| at.duration_since(world.now));
        let wake = wake_at(wait, self.tries.pause("experiment", name, &failures), None);
        [wake, self.with_recall(name, |recall| recall.denials.until())].into_iter().flatten().min()
    }

    fn with_recall<R>(&self, name: &Name, work: impl FnOnce(&mut Recall) -> R) -> R {
        let mut recalls = self.recall.lock().unwrap_or_else(PoisonError::into_inner);
        work(recalls.entry(name.clone()).or_default())
    }

    fn forget(&self, name: &Name) {
        self.marks.forget(name);
        self.tries.forget(name);
        self.recall.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        self.tally.forget(Subject::Experiment, name);
    }

    /// Says once that an Experiment cannot be read. Its status is left alone: nobody knows what is in it.
    fn tell_unreadable(&self, name: &Name, kept: &Kept<ExperimentSight>, why: &str) -> Option<Instant> {
        let known = self.with_recall(name, |recall| recall.unreadable.replace(why.to_owned()));
        if known.as_deref() != Some(why) {
            let message = format!("The Experiment \"{}\" cannot be read: {why}", name.name);
            let event = Event {
                severity: Severity::Warning,
                reason: "InvalidSpec".to_owned(),
                message,
                write: None,
                service: None,
                thread: None,
            };
            self.announcer.tell(Subject::Experiment, &about(name, kept), event);
        }
        None
    }

    /// Stores what was decided, before anything is done.
    async fn record(
        &self,
        name: &Name,
        kept: &Kept<ExperimentSight>,
        world: &World,
        decided: &Plan,
    ) -> Result<(), Failure> {
        let object = kind::experiment().key(name);
        let old = world.experiment.status.clone().unwrap_or_default();
        let patch = StatusPatch::between(&old, &decided.status, &kept.version)
            .map_err(|source| Failure::Unsendable { object: object.clone(), source })?;
        let Some(patch) = patch else { return Ok(()) };
        let stored = self.performer.status(&object, StatusPlace::Object, &patch).await;
        if stored.as_ref().is_err_and(|failure| failure.class() == Class::Stale) {
            self.tally.conflicted();
        }
        self.marks.note(name, object, Reach::Version(stored?), Instant::now());
        Ok(())
    }

    /// Does the writes of a plan, each for itself, then tells what happened. Returns what failed.
    async fn perform(
        &self,
        name: &Name,
        (kept, experiment): (&Kept<ExperimentSight>, &Experiment),
        decided: &Plan,
    ) -> Vec<Failure> {
        let mut denials = self.with_recall(name, |recall| recall.denials.clone());
        let (mut done, mut failures) = (Vec::new(), Vec::new());
        for write in &decided.writes {
            if denials.hold(write, Instant::now()) {
                done.push(false);
                continue;
            }
            let written = self.performer.write(write).await;
            done.push(written.is_ok());
            match written {
                Ok(reach) => {
                    denials.lift(&write.object);
                    let reach = reach.into_iter();
                    reach
                        .for_each(|reach| self.marks.note(name, write.object.clone(), reach, Instant::now()));
                }
                Err(failure) => {
                    self.note(&mut denials, &kept.uid, write, &failure).await;
                    failures.push(failure);
                }
            }
        }
        self.tell(name, (kept, experiment), decided, &done);
        self.remember(name, denials, decided);
        failures
    }

    /// Remembers what the API server refuses for good, and names that others have.
    async fn note(&self, denials: &mut Denials, uid: &str, write: &Write, failure: &Failure) {
        let now = Instant::now();
        if failure.class() == Class::Denied {
            denials.note(write, failure, now);
        } else if failure.exists() && matches!(write.effect, Effect::Create(_)) {
            match self.reader.strange(&write.object, uid).await {
                Ok(true) => denials.note_taken(write, failure, now),
                Ok(false) => {}
                Err(why) => tracing::debug!(object = %write.object, "not known whose it is: {why}"),
            }
        }
    }

    fn tell(
        &self,
        name: &Name,
        (kept, experiment): (&Kept<ExperimentSight>, &Experiment),
        decided: &Plan,
        done: &[bool],
    ) {
        let happened = |event: &&Event| event.write.is_none_or(|write| done.get(write) == Some(&true));
        for event in decided.events.iter().filter(happened) {
            self.announcer.tell(Subject::Experiment, &about(name, kept), event.clone());
        }
        let Some(owner) = controller_of(&experiment.metadata, "Rollout") else { return };
        let rollout = Name::new(&name.namespace, &owner.name);
        let about = reference(&kind::rollout(), &rollout, &owner.uid, "");
        for event in decided.owner_events.iter().filter(happened) {
            self.announcer.tell(Subject::Rollout, &about, event.clone());
        }
    }

    /// Refusals are told to the next decision; new ones are worth a decision at once.
    fn remember(&self, name: &Name, mut denials: Denials, decided: &Plan) {
        let wanted: Vec<_> = decided.writes.iter().map(|write| write.object.clone()).collect();
        denials.keep_only(&wanted);
        self.with_recall(name, |recall| {
            recall.unreadable = None;
            if recall.denials.refusals() != denials.refusals() {
                self.caches.experiment_queue.add(name.clone());
            }
            recall.denials = denials;
        });
    }
}

fn about(name: &Name, kept: &Kept<ExperimentSight>) -> ObjectReference {
    reference(&kind::experiment(), name, &kept.uid, &kept.version)
}
