//! Keeps the objects of one kind as its watch tells them, to be found by name and by owner.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::Resource;
use kube::runtime::watcher::Event;

/// Where an object is.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Place {
    /// A place from its two parts.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// The place of an object.
    pub fn of<K: Resource>(object: &K) -> Self {
        let meta = object.meta();
        Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rollout \"{}\" in namespace \"{}\"", self.name, self.namespace)
    }
}

/// What one event of a watch has changed.
#[derive(Debug)]
pub enum Touched<K> {
    /// Nothing that can be seen yet.
    Nothing,
    /// This object, as it is or as it last was.
    Object(Arc<K>),
    /// Perhaps everything.
    Everything,
}

/// The objects of one kind.
///
/// # Guarantees
/// While a watch lists again, what was known before stays visible until the new list is complete.
#[derive(Debug)]
pub struct Table<K> {
    objects: BTreeMap<Place, Arc<K>>,
    owned: BTreeMap<String, BTreeSet<Place>>,
    listing: BTreeMap<Place, Arc<K>>,
    listed: bool,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), owned: BTreeMap::new(), listing: BTreeMap::new(), listed: false }
    }
}

impl<K: Resource> Table<K> {
    /// Takes in one event.
    pub fn take(&mut self, event: Event<K>) -> Touched<K> {
        match event {
            Event::Init => self.listing.clear(),
            Event::InitApply(object) => drop(self.listing.insert(Place::of(&object), Arc::new(object))),
            Event::InitDone => {
                self.replace();
                return Touched::Everything;
            }
            Event::Apply(object) => return Touched::Object(self.put(object)),
            Event::Delete(object) => return Touched::Object(self.remove(object)),
        }
        Touched::Nothing
    }

    fn replace(&mut self) {
        self.objects = std::mem::take(&mut self.listing);
        self.owned.clear();
        for (place, object) in &self.objects {
            index(&mut self.owned, place, object.as_ref());
        }
        self.listed = true;
    }

    fn put(&mut self, object: K) -> Arc<K> {
        let (place, object) = (Place::of(&object), Arc::new(object));
        if let Some(before) = self.objects.insert(place.clone(), Arc::clone(&object)) {
            self.forget_owners(&place, before.as_ref());
        }
        index(&mut self.owned, &place, object.as_ref());
        object
    }

    fn remove(&mut self, object: K) -> Arc<K> {
        let place = Place::of(&object);
        if let Some(before) = self.objects.remove(&place) {
            self.forget_owners(&place, before.as_ref());
        }
        Arc::new(object)
    }

    fn forget_owners(&mut self, place: &Place, object: &K) {
        for uid in owners(object) {
            if let Some(places) = self.owned.get_mut(uid) {
                places.remove(place);
                if places.is_empty() {
                    self.owned.remove(uid);
                }
            }
        }
    }

    /// The object at a place.
    pub fn get(&self, place: &Place) -> Option<&Arc<K>> {
        self.objects.get(place)
    }

    /// All objects, by namespace and name.
    pub fn all(&self) -> impl Iterator<Item = (&Place, &Arc<K>)> {
        self.objects.iter()
    }

    /// The objects that name this uid among their owners.
    pub fn owned_by<'t>(&'t self, uid: &str) -> impl Iterator<Item = &'t Arc<K>> {
        self.owned.get(uid).into_iter().flatten().filter_map(|place| self.objects.get(place))
    }

    /// The first list is complete.
    pub fn listed(&self) -> bool {
        self.listed
    }
}

fn index<K: Resource>(owned: &mut BTreeMap<String, BTreeSet<Place>>, place: &Place, object: &K) {
    for uid in owners(object) {
        owned.entry(uid.to_owned()).or_default().insert(place.clone());
    }
}

fn owners<K: Resource>(object: &K) -> impl Iterator<Item = &str> {
    object.meta().owner_references.iter().flatten().map(|owner| owner.uid.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::replica_set;
    use k8s_openapi::api::apps::v1::ReplicaSet;
    use serde_json::json;

    fn set(hash: &str, owner: &str) -> ReplicaSet {
        let owner =
            json!([{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "shop", "uid": owner}]);
        replica_set(hash, 1, "shop:v1", 1, json!({"metadata": {"ownerReferences": owner}}))
    }

    fn names(table: &Table<ReplicaSet>, owner: &str) -> Vec<String> {
        table.owned_by(owner).map(|set| Place::of(set.as_ref()).name).collect()
    }

    #[test]
    fn objects_are_found_by_their_owner_of_now() {
        let mut table = Table::default();
        for event in [
            Event::Init,
            Event::InitApply(set("aaa", "one")),
            Event::InitApply(set("bbb", "one")),
            Event::InitDone,
            Event::Apply(set("ccc", "one")),
            Event::Apply(set("bbb", "two")),
            Event::Delete(set("aaa", "one")),
        ] {
            table.take(event);
        }
        assert_eq!(names(&table, "one"), ["shop-ccc"]);
        assert_eq!(names(&table, "two"), ["shop-bbb"]);
        assert!(table.get(&Place::new("web", "shop-aaa")).is_none());
        table.take(Event::Delete(set("bbb", "two")));
        assert_eq!(names(&table, "two"), Vec::<String>::new());
    }

    #[test]
    fn what_was_known_stays_visible_while_the_watch_lists_again() {
        let mut table = Table::default();
        table.take(Event::Init);
        table.take(Event::InitApply(set("aaa", "one")));
        assert!(!table.listed() && names(&table, "one").is_empty());
        table.take(Event::InitDone);
        table.take(Event::Init);
        table.take(Event::InitApply(set("bbb", "one")));
        assert_eq!(names(&table, "one"), ["shop-aaa"]);
        assert!(matches!(table.take(Event::InitDone), Touched::Everything));
        assert_eq!(names(&table, "one"), ["shop-bbb"]);
    }
}
