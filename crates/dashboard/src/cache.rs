//! Keeps what the watches have seen of all Rollouts, once for all viewers, and says which Rollout has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::core::DeserializeGuard;
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};
use serin_api::{AnalysisRun, Rollout, label};
use tokio::sync::broadcast;

use crate::seen::Seen;
use crate::table::{Place, Table, Touched};

/// Changes that a slow viewer may be behind before it must look at everything again.
const BACKLOG: usize = 1024;

/// What a viewer should look at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// One Rollout, or something that belongs to it.
    Rollout(Place),
    /// All of them.
    Everything,
    /// The notes about the watches themselves.
    Notes,
}

/// The kinds that are watched all the time.
#[derive(Debug, Default)]
pub struct Tables {
    rollouts: Table<DeserializeGuard<Rollout>>,
    replica_sets: Table<ReplicaSet>,
    runs: Table<DeserializeGuard<AnalysisRun>>,
    notes: BTreeMap<&'static str, String>,
}

/// A kind that is watched all the time.
pub trait Kept: Resource<DynamicType = ()> + Clone + Sized {
    /// The kind for people, in the plural.
    const PLURAL: &'static str;

    /// Where its objects are kept.
    fn table(tables: &mut Tables) -> &mut Table<Self>;

    /// The Rollout that this object is, or belongs to.
    fn rollout(&self) -> Option<Place> {
        owner(self)
    }
}

impl Kept for DeserializeGuard<Rollout> {
    const PLURAL: &'static str = "Rollouts";

    fn table(tables: &mut Tables) -> &mut Table<Self> {
        &mut tables.rollouts
    }

    fn rollout(&self) -> Option<Place> {
        Some(Place::of(self))
    }
}

impl Kept for ReplicaSet {
    const PLURAL: &'static str = "ReplicaSets";

    fn table(tables: &mut Tables) -> &mut Table<Self> {
        &mut tables.replica_sets
    }
}

impl Kept for DeserializeGuard<AnalysisRun> {
    const PLURAL: &'static str = "AnalysisRuns";

    fn table(tables: &mut Tables) -> &mut Table<Self> {
        &mut tables.runs
    }
}

fn owner<K: Resource>(object: &K) -> Option<Place> {
    let owner = object.meta().owner_references.iter().flatten().find(|owner| owner.kind == "Rollout")?;
    Some(Place::new(object.meta().namespace.as_deref().unwrap_or_default(), &owner.name))
}

/// What the watches have seen.
#[derive(Debug)]
pub struct Cache {
    tables: RwLock<Tables>,
    changed: broadcast::Sender<Changed>,
}

impl Default for Cache {
    fn default() -> Self {
        Self { tables: RwLock::default(), changed: broadcast::channel(BACKLOG).0 }
    }
}

impl Cache {
    /// Takes in one event of a watch.
    pub fn take<K: Kept>(&self, mut event: Event<K>) {
        if let Event::Apply(object) | Event::InitApply(object) = &mut event {
            slim(object);
        }
        let (touched, mended) = {
            let mut tables = self.write();
            let touched = K::table(&mut tables).take(event);
            (touched, tables.notes.remove(K::PLURAL).is_some())
        };
        match touched {
            Touched::Nothing => {}
            Touched::Everything => self.tell(Changed::Everything),
            Touched::Object(object) => {
                object.rollout().into_iter().for_each(|place| self.tell(Changed::Rollout(place)))
            }
        }
        if mended {
            self.tell(Changed::Notes);
        }
    }

    /// Keeps a sentence about a watch that does not work, until it works again.
    pub fn trouble(&self, plural: &'static str, note: String) {
        let before = self.write().notes.insert(plural, note.clone());
        if before.as_ref() != Some(&note) {
            tracing::warn!("{note}");
            self.tell(Changed::Notes);
        }
    }

    /// Makes viewers look again.
    pub fn tell(&self, changed: Changed) {
        // An error says that nobody is looking.
        let _ = self.changed.send(changed);
    }

    /// Hears of all changes from now on.
    pub fn listen(&self) -> broadcast::Receiver<Changed> {
        self.changed.subscribe()
    }

    /// What does not work, for people.
    pub fn notes(&self) -> Vec<String> {
        self.read().notes.values().cloned().collect()
    }

    /// Every kind was listed once, or cannot be.
    pub fn ready(&self) -> bool {
        let tables = self.read();
        let known = |listed: bool, plural| listed || tables.notes.contains_key(plural);
        tables.rollouts.listed()
            && known(tables.replica_sets.listed(), ReplicaSet::PLURAL)
            && known(tables.runs.listed(), <DeserializeGuard<AnalysisRun>>::PLURAL)
    }

    /// The places of all Rollouts, of one namespace or of all.
    pub fn places(&self, namespace: Option<&str>) -> Vec<Place> {
        let tables = self.read();
        let wanted = |place: &&Place| namespace.is_none_or(|namespace| place.namespace == namespace);
        tables.rollouts.all().map(|(place, _)| place).filter(wanted).cloned().collect()
    }

    /// The namespaces that have Rollouts.
    pub fn namespaces(&self) -> BTreeSet<String> {
        self.read().rollouts.all().map(|(place, _)| place.namespace.clone()).collect()
    }

    /// One Rollout with what belongs to it, but for its pods.
    pub fn seen(&self, place: &Place) -> Option<Seen> {
        let tables = self.read();
        let rollout = Arc::clone(tables.rollouts.get(place)?);
        let uid = rollout.uid().unwrap_or_default();
        Some(Seen {
            replica_sets: tables.replica_sets.owned_by(&uid).cloned().collect(),
            runs: tables.runs.owned_by(&uid).cloned().collect(),
            pods: Vec::new(),
            notes: Vec::new(),
            rollout,
        })
    }

    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tables> {
        self.tables.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes out what nobody looks at and what would fill the memory: who wrote which field, and copies of whole objects.
pub fn slim<K: ResourceExt>(object: &mut K) {
    object.meta_mut().managed_fields = None;
    object.annotations_mut().remove(label::LAST_APPLIED);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{guarded, replica_set, rollout, run};
    use serde_json::json;

    fn filled() -> Cache {
        let cache = Cache::default();
        cache.take(Event::Apply(guarded(rollout(json!({})))));
        cache.take(Event::Apply(replica_set("aaa", 2, "shop:v1", 4, json!({}))));
        cache.take(Event::Apply(guarded(run(json!({})))));
        cache
    }

    #[test]
    fn a_rollout_is_seen_with_what_it_owns() {
        let cache = filled();
        let foreign = json!({"metadata": {"ownerReferences": [
            {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "shop", "uid": "an older shop"},
        ]}});
        cache.take(Event::Apply(replica_set("old", 1, "shop:v0", 4, foreign)));
        let seen = cache.seen(&Place::new("web", "shop")).unwrap();
        assert_eq!((seen.replica_sets.len(), seen.runs.len()), (1, 1));
        assert!(cache.seen(&Place::new("other", "shop")).is_none());
        assert_eq!(cache.places(Some("web")).len(), 1);
        assert_eq!(cache.places(Some("other")).len(), 0);
        assert_eq!(cache.namespaces().into_iter().collect::<Vec<_>>(), ["web"]);
    }

    #[test]
    fn viewers_hear_which_rollout_has_changed() {
        let cache = filled();
        let mut heard = cache.listen();
        cache.take(Event::Apply(replica_set("bbb", 3, "shop:v2", 1, json!({}))));
        cache.take(Event::Delete(guarded(run(json!({})))));
        cache.take::<ReplicaSet>(Event::Init);
        cache.take::<ReplicaSet>(Event::InitDone);
        cache.trouble("ReplicaSets", "the watch broke off".to_owned());
        cache.trouble("ReplicaSets", "the watch broke off".to_owned());
        let shop = || Changed::Rollout(Place::new("web", "shop"));
        for expected in [shop(), shop(), Changed::Everything, Changed::Notes] {
            assert_eq!(heard.try_recv().unwrap(), expected);
        }
        assert!(heard.try_recv().is_err(), "the same trouble is told once");
    }

    #[test]
    fn trouble_is_over_with_the_next_event() {
        let cache = filled();
        cache.trouble("ReplicaSets", "the watch broke off".to_owned());
        assert_eq!(cache.notes(), ["the watch broke off"]);
        cache.take(Event::Apply(replica_set("bbb", 3, "shop:v2", 1, json!({}))));
        assert!(cache.notes().is_empty());
    }

    #[test]
    fn it_is_ready_when_all_is_listed_or_known_to_be_unlistable() {
        let cache = Cache::default();
        for kind in ["rollouts", "runs"] {
            assert!(!cache.ready(), "{kind}");
            match kind {
                "rollouts" => cache.take::<DeserializeGuard<Rollout>>(Event::InitDone),
                _ => cache.take::<DeserializeGuard<AnalysisRun>>(Event::InitDone),
            }
        }
        assert!(!cache.ready());
        cache.trouble("ReplicaSets", "forbidden".to_owned());
        assert!(cache.ready());
    }

    #[test]
    fn copies_of_the_object_in_itself_are_not_kept() {
        let cache = Cache::default();
        let annotations = json!({"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "red"});
        let change =
            json!({"metadata": {"annotations": annotations, "managedFields": [{"manager": "kubectl"}]}});
        cache.take(Event::Apply(guarded(rollout(change))));
        let seen = cache.seen(&Place::new("web", "shop")).unwrap();
        assert_eq!(seen.rollout.annotations().get("team").map(String::as_str), Some("red"));
        assert!(!seen.rollout.annotations().contains_key(label::LAST_APPLIED));
        assert!(seen.rollout.meta().managed_fields.is_none());
    }
}
