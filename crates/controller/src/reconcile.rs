//! Performs the loop of one Rollout: observe, plan, record, perform. It decides nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serin_core::duration;
use serin_core::extension::{self, Extensions};
use serin_core::split::Effective;
use serin_core::world::RouterReport;
use serin_core::{Plan, pod};
use serin_traffic::Objects;
use serin_traffic::extension::named;
use tokio::time::Instant;

use crate::announce::Announcer;
use crate::balancers::{Balancers, Pace};
use crate::cache::Kept;
use crate::caches::Caches;
use crate::denial::Denials;
use crate::difference::StatusPatch;
use crate::failure::{Class, Failure};
use crate::mark::{Behind, Marks, Reach};
use crate::object::Name;
use crate::observe::{Scene, look, scene};
use crate::patience::{Tries, lasting, wake_at};
use crate::perform::{Performer, StatusPlace};
use crate::read::Reader;
use crate::sight::{ReadRollout, RolloutSight};
use crate::talk::Talks;
use crate::tally::{Subject, Tally};

mod act;
mod hold;
mod part;
mod unreadable;

/// How soon to look again when something could not be read.
const BLIND_WAKE: Duration = Duration::from_secs(15);
/// How soon to ask an extension again whose traffic is on its way somewhere.
const ASK_AGAIN: Duration = Duration::from_secs(6);

/// What is remembered of a Rollout between two looks. All of it may be lost: it only makes things quicker.
#[derive(Debug, Default)]
struct Recall {
    denials: Denials,
    unreadable: Option<String>,
    /// As it was looked at last.
    last: Option<Arc<Kept<RolloutSight>>>,
    /// As it was when it named objects that it does not name any more.
    left: Vec<Arc<Kept<RolloutSight>>>,
}

/// Everything that the loop needs.
#[derive(Debug)]
pub struct Rollouts {
    caches: Arc<Caches>,
    performer: Performer,
    announcer: Announcer,
    tally: Arc<Tally>,
    reader: Reader,
    resync: Duration,
    marks: Marks,
    tries: Tries,
    talks: Talks,
    balancers: Option<Balancers>,
    recall: Mutex<HashMap<Name, Recall>>,
}

/// What was observed of a name.
enum Observed {
    Scene(Box<Scene>),
    Behind(Option<Instant>),
    Gone,
    Unreadable(Arc<Kept<RolloutSight>>, String),
}

impl Rollouts {
    /// A loop that looks at each Rollout at least every `resync`.
    pub fn new(
        caches: Arc<Caches>,
        (performer, announcer, tally): (Performer, Announcer, Arc<Tally>),
        (reader, talks, balancers): (Reader, Talks, Option<Balancers>),
        resync: Duration,
    ) -> Self {
        let (marks, tries, recall) = (Marks::default(), Tries::default(), Mutex::default());
        Self { caches, performer, announcer, tally, reader, resync, marks, tries, talks, balancers, recall }
    }

    /// Looks at one Rollout; returns when to look again.
    pub async fn reconcile(&self, name: &Name) -> Option<Instant> {
        match self.observe(name) {
            Observed::Scene(mut scene) => {
                self.look_at_pods(&mut scene).await;
                scene.world.extensions.told = self.talks.step(name, extension::due(&scene.world).as_ref());
                self.carry_on(name, &scene).await
            }
            Observed::Behind(until) => until,
            Observed::Gone => self.part(name).await,
            Observed::Unreadable(kept, why) => self.tell_unreadable(name, &kept, &why).await,
        }
    }

    async fn carry_on(&self, name: &Name, scene: &Scene) -> Option<Instant> {
        let started = Instant::now();
        let plan = self.plan(scene);
        let failures = match self.record(name, scene, &plan).await {
            Ok(version) => self.perform(name, scene, &plan, &version).await,
            Err(failure) => vec![failure],
        };
        self.tally.reconciled(Subject::Rollout, name, started.elapsed(), lasting(&failures));
        self.wake(name, scene, &plan, &failures)
    }

    /// Lists the pods that the decision is about, if any: no watch shows pods.
    async fn look_at_pods(&self, scene: &mut Scene) {
        let mut listed = BTreeMap::new();
        for set in pod::needed(&scene.world) {
            let pods = self.reader.pods(&scene.key.namespace, &set.uid, &set.hash).await;
            listed.insert(set.uid.clone(), pods);
        }
        pod::show(&mut scene.world, listed);
    }

    fn recall(&self) -> MutexGuard<'_, HashMap<Name, Recall>> {
        self.recall.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn observe(&self, name: &Name) -> Observed {
        let Some(kept) = self.caches.rollouts.get(name).filter(|kept| !kept.deleting) else {
            return Observed::Gone;
        };
        let read = match &kept.value {
            Ok(read) => read,
            Err(why) => {
                let why = why.clone();
                return Observed::Unreadable(kept, why);
            }
        };
        let behind = self.marks.behind(name, Instant::now(), |key| self.caches.shown(key));
        if behind
            .objects
            .iter()
            .any(|key| ["Rollout", "ReplicaSet", "AnalysisRun", "Experiment"].contains(&key.kind.as_str()))
        {
            self.tally.fell_behind();
            return Observed::Behind(behind.until);
        }
        self.notice(name, &kept);
        let mut heard = self.talks.hear(name, read);
        heard.refusals.extend(self.denials(name).refusals());
        heard.objects.extend(self.ask_aws(name, read, &behind));
        let left = self.left(name, &behind);
        let known = (heard, self.extensions(), left.as_slice());
        Observed::Scene(Box::new(scene(&self.caches, name, (&kept, read), &behind, known)))
    }

    /// What AWS has said of the load balancers of a Rollout; what is due is asked.
    fn ask_aws(&self, name: &Name, read: &ReadRollout, behind: &Behind) -> Objects {
        let Some((balancers, versions)) = self.balancers.as_ref().zip(self.caches.versions.get()) else {
            return Objects::new();
        };
        let objects = look(&self.caches, read, behind);
        let hosts = serin_traffic::load_balancer_hosts(&read.rollout, versions, &objects);
        balancers.hear(name, &hosts, &objects)
    }

    /// The extensions that are configured.
    fn extensions(&self) -> Extensions {
        let configured = self.talks.configured().now();
        let configured = configured.map(|known| known.keys().cloned().collect());
        Extensions { configured, told: Vec::new() }
    }

    fn denials(&self, name: &Name) -> Denials {
        self.recall().get(name).map(|recall| recall.denials.clone()).unwrap_or_default()
    }

    fn forget(&self, name: &Name) {
        self.marks.forget(name);
        self.tries.forget(name);
        self.talks.forget(name);
        self.balancers.iter().for_each(|balancers| balancers.forget(name));
        self.caches.follow(name, &[]);
        self.recall().remove(name);
        self.tally.forget(Subject::Rollout, name);
    }

    fn plan(&self, scene: &Scene) -> Plan {
        let started = Instant::now();
        let plan = serin_core::plan(&scene.world);
        self.tally.planned(started.elapsed());
        plan
    }

    /// Stores what was decided, before anything is done. Returns the version of the Rollout that holds it.
    async fn record(&self, name: &Name, scene: &Scene, plan: &Plan) -> Result<String, Failure> {
        let old = scene.world.rollout.status.clone().unwrap_or_default();
        let patch = StatusPatch::between(&old, &plan.status, &scene.version)
            .map_err(|source| Failure::Unsendable { object: scene.key.clone(), source })?;
        let Some(patch) = patch else {
            return Ok(scene.version.clone());
        };
        let stored = self.performer.status(&scene.key, StatusPlace::Subresource, &patch).await;
        match &stored {
            Ok(version) => {
                let reach = Reach::Version(version.clone());
                self.marks.note(name, scene.key.clone(), reach, Instant::now());
                duration::ended(&old, &plan.status).iter().for_each(|ended| self.tally.ended(ended));
            }
            Err(failure) if failure.class() == Class::Stale => self.tally.conflicted(),
            Err(_) => {}
        }
        stored
    }

    fn wake(&self, name: &Name, scene: &Scene, plan: &Plan, failures: &[Failure]) -> Option<Instant> {
        let spread = 1.0 + rand::random::<f64>() / 10.0;
        let latest = if scene.blind { BLIND_WAKE.min(self.resync) } else { self.resync.mul_f64(spread) };
        let latest = if asks(scene, plan) { ASK_AGAIN.min(latest) } else { latest };
        let wait = plan.wake.map(|at| at.duration_since(scene.world.now));
        let asked = self.balancers.as_ref().and_then(|balancers| {
            balancers.set_pace(name, pace(scene, plan));
            balancers.wake(name)
        });
        let wake = wake_at(wait, self.tries.pause("rollout", name, failures), Some(latest));
        [wake, self.denials(name).until(), self.talks.wake(name), asked].into_iter().flatten().min()
    }
}

/// Whether the traffic of an extension is on its way somewhere: nothing tells when it has arrived.
fn asks(scene: &Scene, plan: &Plan) -> bool {
    let splits = scene.objects.keys().any(|key| named(key).is_some());
    splits && pace(scene, plan) != Pace::Never
}

/// How closely what does not tell by itself is to be followed.
fn pace(scene: &Scene, plan: &Plan) -> Pace {
    let arrived = |report: &RouterReport| matches!(report.effective, Effective::Applied(_));
    match (scene.world.routers.iter().all(arrived), plan.status.phase.as_deref()) {
        (false, _) => Pace::Often,
        (true, Some("Healthy")) => Pace::Never,
        (true, _) => Pace::Seldom,
    }
}
