//! Performs the loop of one AnalysisRun: ask what is due, conclude, record. It decides nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;
use serde_json::Value;
use serin_analysis::run::{
    Asked, Job, Progress, RunPlan, RunWorld, conclude, due, profiles_needed, secrets_needed,
};
use serin_api::AnalysisRun;
use serin_core::journal::{Event, Severity};
use serin_core::write::{Effect, Write};
use tokio::time::Instant;

use crate::announce::{Announcer, reference};
use crate::cache::Kept;
use crate::caches::{Caches, kind};
use crate::difference::StatusPatch;
use crate::extensions::Configured;
use crate::failure::Failure;
use crate::mark::{Marks, Reach};
use crate::measure::Prober;
use crate::object::{Name, rollout_of};
use crate::patience::{Tries, lasting, wake_at};
use crate::perform::{Performer, StatusPlace};
use crate::read::Reader;
use crate::sight::RunSight;
use crate::tally::{Subject, Tally};

/// How soon to look again at a run that goes on and does not say when, as with a Secret that could not be read.
const UNKNOWN_WAKE: SignedDuration = SignedDuration::from_secs(15);

/// Everything that the loop needs.
#[derive(Debug)]
pub struct Runs {
    caches: Arc<Caches>,
    performer: Performer,
    announcer: Announcer,
    tally: Arc<Tally>,
    prober: Prober,
    reader: Reader,
    extensions: Configured,
    default_prometheus: Option<String>,
    marks: Marks,
    tries: Tries,
    unreadable: Mutex<HashMap<Name, String>>,
    settled: Mutex<HashMap<Name, Settled>>,
}

/// What was concluded from one version of a run: nothing new before `until`, because all that it depends on is in it.
#[derive(Clone, Debug)]
struct Settled {
    version: String,
    /// Versions of the Jobs that were seen.
    jobs: Vec<String>,
    until: Option<Instant>,
}

impl Runs {
    /// A loop that asks `prober`.
    pub fn new(
        caches: Arc<Caches>,
        (performer, announcer, tally): (Performer, Announcer, Arc<Tally>),
        (prober, reader, extensions): (Prober, Reader, Configured),
        default_prometheus: Option<String>,
    ) -> Self {
        Self {
            caches,
            performer,
            announcer,
            tally,
            prober,
            reader,
            extensions,
            default_prometheus,
            marks: Marks::default(),
            tries: Tries::default(),
            unreadable: Mutex::default(),
            settled: Mutex::default(),
        }
    }

    /// Looks at one run; returns when to look again.
    pub async fn reconcile(&self, name: &Name) -> Option<Instant> {
        let Some(kept) = self.caches.runs.get(name).filter(|kept| !kept.deleting) else {
            self.forget(name);
            return None;
        };
        let run = match &kept.value {
            Ok(run) => run,
            Err(why) => return self.tell_unreadable(name, &kept, why),
        };
        let behind = self.marks.behind(name, Instant::now(), |key| self.caches.shown(key));
        if !behind.objects.is_empty() {
            self.tally.fell_behind();
            return behind.until;
        }
        let jobs = self.caches.jobs.by(&kept.uid);
        let versions: Vec<String> = jobs.iter().map(|(_, job)| job.version.clone()).collect();
        if let Some(settled) = self.settled(name, &kept.version, &versions) {
            return settled.until;
        }
        let started = Instant::now();
        let jobs = self.jobs(name, &jobs).await;
        let (now, plan) = self.measure(name, run, &jobs).await;
        let recorded = self.record(name, &kept, run, &plan).await;
        let wait = plan.wake.map(|at| at.duration_since(now));
        let wait = wait.or((!plan.status.phase.completed()).then_some(UNKNOWN_WAKE));
        let failures = match recorded {
            Ok(version) => {
                let failures = self.perform(name, &plan.writes).await;
                if failures.is_empty() {
                    let until = wake_at(wait, None, None);
                    self.settle(name, Settled { version, jobs: versions, until });
                }
                failures
            }
            Err(failure) => vec![failure],
        };
        self.tally.reconciled(Subject::AnalysisRun, name, started.elapsed(), lasting(&failures));
        wake_at(wait, self.tries.pause("analysisrun", name, &failures), None)
    }

    /// What is left to wait for when this version has been looked at: our own write comes back as an event.
    fn settled(&self, name: &Name, version: &str, jobs: &[String]) -> Option<Settled> {
        let settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()?;
        let waits = settled.until.is_none_or(|until| Instant::now() < until);
        (settled.version == version && settled.jobs == jobs && waits).then_some(settled)
    }

    fn settle(&self, name: &Name, settled: Settled) {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), settled);
    }

    fn forget(&self, name: &Name) {
        self.marks.forget(name);
        self.tries.forget(name);
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        self.settled.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        self.tally.forget(Subject::AnalysisRun, name);
    }

    fn tell_unreadable(&self, name: &Name, kept: &Kept<RunSight>, why: &str) -> Option<Instant> {
        let mut told = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(name.clone(), why.to_owned()).as_deref() != Some(why) {
            let message = format!("The AnalysisRun \"{}\" cannot be read: {why}", name.name);
            let event = Event {
                severity: Severity::Warning,
                reason: "InvalidSpec".to_owned(),
                message,
                write: None,
                service: None,
                thread: None,
            };
            self.announcer.tell(Subject::AnalysisRun, &about(name, kept), event);
        }
        None
    }

    /// The Jobs of the run; those that run with what keeps their pods from starting.
    async fn jobs(&self, name: &Name, kept: &[(Name, Arc<Kept<Value>>)]) -> Vec<Job> {
        let look = kept.iter().map(async |(job, kept)| {
            let running = Job::of(&kept.value, None).progress == Progress::Running(None);
            let trouble = match running && !kept.deleting {
                true => self.reader.trouble(&name.namespace, &job.name).await,
                false => None,
            };
            Job::of(&kept.value, trouble)
        });
        join_all(look).await
    }

    /// Creates and deletes Jobs.
    async fn perform(&self, name: &Name, writes: &[Write]) -> Vec<Failure> {
        let mut failures = Vec::new();
        for write in writes {
            match self.performer.write(write).await {
                Ok(reach) => {
                    let note = |reach| self.marks.note(name, write.object.clone(), reach, Instant::now());
                    reach.into_iter().for_each(note);
                }
                Err(failure) => failures.push(failure),
            }
        }
        failures
    }

    /// Asks everything that is due, all at once, and concludes; with the moment of the conclusion.
    async fn measure(&self, name: &Name, run: &AnalysisRun, jobs: &[Job]) -> (Timestamp, RunPlan) {
        let secrets = self.reader.secrets(&name.namespace, &secrets_needed(run)).await;
        let profiles = self.reader.profiles(&name.namespace, profiles_needed(run)).await;
        let extensions = self.extensions.now();
        let default_prometheus = self.default_prometheus.as_deref();
        let weight = self.weight(name, run);
        let world = RunWorld {
            now: Timestamp::now(),
            run,
            secrets: &secrets,
            profiles: &profiles,
            extensions: extensions.as_deref(),
            jobs,
            default_prometheus,
            weight,
        };
        let asked: Vec<Asked> = join_all(due(&world).into_iter().map(|ask| self.prober.ask(ask))).await;
        // The weight as it is after the answers: a change while they were under way is seen.
        let world = RunWorld { now: Timestamp::now(), weight: self.weight(name, run), ..world };
        let started = Instant::now();
        let plan = conclude(&world, &asked);
        self.tally.planned(started.elapsed());
        (world.now, plan)
    }

    /// Weight of the canary that the status of the run's Rollout shows.
    fn weight(&self, name: &Name, run: &AnalysisRun) -> Option<i32> {
        let owner = rollout_of(&run.metadata)?;
        let kept = self.caches.rollouts.get(&Name::new(&name.namespace, &owner.name))?;
        let status = kept.value.as_ref().ok()?.rollout.status.as_ref()?;
        Some(status.canary.weights.as_ref()?.canary.weight)
    }

    /// Stores the status, then tells what happened; deletes a run that has outlived its time. Returns the version that
    /// was concluded from, or written.
    async fn record(
        &self,
        name: &Name,
        kept: &Kept<RunSight>,
        run: &AnalysisRun,
        plan: &RunPlan,
    ) -> Result<String, Failure> {
        let object = kind::run().key(name);
        if plan.delete {
            let delete = Write { object: object.clone(), effect: Effect::Delete { uid: kept.uid.clone() } };
            let reach = self.performer.write(&delete).await?;
            reach.into_iter().for_each(|reach| self.marks.note(name, object.clone(), reach, Instant::now()));
            return Ok(kept.version.clone());
        }
        let mut version = kept.version.clone();
        let old = run.status.clone().unwrap_or_default();
        let patch = StatusPatch::between(&old, &plan.status, &kept.version)
            .map_err(|source| Failure::Unsendable { object: object.clone(), source })?;
        if let Some(patch) = patch {
            let stored = self.performer.status(&object, StatusPlace::Object, &patch).await;
            if stored.as_ref().is_err_and(|failure| failure.class() == crate::failure::Class::Stale) {
                self.tally.conflicted();
            }
            version = stored?;
            self.marks.note(name, object, Reach::Version(version.clone()), Instant::now());
        }
        for event in &plan.events {
            self.announcer.tell(Subject::AnalysisRun, &about(name, kept), event.clone());
        }
        Ok(version)
    }
}

fn about(name: &Name, kept: &Kept<RunSight>) -> ObjectReference {
    reference(&kind::run(), name, &kept.uid, &kept.version)
}
