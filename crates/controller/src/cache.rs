//! Says what was last seen of the objects of one kind, and which of them belong together.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use kube::Resource;
use kube::runtime::watcher::Event;
use tokio::time::Instant;

use crate::object::{Name, Raw};

/// What is kept of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept<T> {
    /// `metadata.resourceVersion`.
    pub version: String,
    /// `metadata.uid`.
    pub uid: String,
    /// Being deleted.
    pub deleting: bool,
    /// The parts that somebody reads.
    pub value: T,
}

/// One object that came, changed or went.
#[derive(Clone, Debug)]
pub struct Change<T> {
    /// Which.
    pub name: Name,
    /// As it was known before.
    pub old: Option<Arc<Kept<T>>>,
    /// As it is now.
    pub new: Option<Arc<Kept<T>>>,
}

impl<T: PartialEq> Change<T> {
    /// Something that is kept has changed, not only the version.
    pub fn matters(&self) -> bool {
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => {
                (&old.uid, old.deleting, &old.value) != (&new.uid, new.deleting, &new.value)
            }
            (None, None) => false,
            _ => true,
        }
    }
}

impl<T> Change<T> {
    /// Both sides that exist, the older one first.
    pub fn sides(&self) -> impl Iterator<Item = &Kept<T>> {
        self.old.iter().chain(&self.new).map(Arc::as_ref)
    }
}

/// Takes the parts of an object that are kept.
type Keep<T> = Box<dyn Fn(Raw) -> T + Send + Sync>;
/// The words by which an object is found besides its name.
type Index<T> = Box<dyn Fn(&T) -> Vec<String> + Send + Sync>;

/// How one kind translates what is watched into what is kept.
pub struct Sight<T> {
    keep: Keep<T>,
    index: Index<T>,
}

impl<T> Sight<T> {
    /// Keeps what `keep` takes, findable by the words of `index`.
    pub fn new(
        keep: impl Fn(Raw) -> T + Send + Sync + 'static,
        index: impl Fn(&T) -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        Self { keep: Box::new(keep), index: Box::new(index) }
    }
}

impl<T> fmt::Debug for Sight<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sight").finish_non_exhaustive()
    }
}

/// An interrupted watch makes its cache unreadable only after this time: reconnecting is normal.
const INTERRUPTION: Duration = Duration::from_secs(30);
/// A watch that failed and has not failed again for this time has recovered; its back-off is at most half a minute.
const RECOVERY: Duration = Duration::from_secs(75);

#[derive(Debug)]
struct Trouble {
    first: Instant,
    last: Instant,
    why: String,
}

#[derive(Debug)]
struct Content<T> {
    objects: HashMap<Name, Arc<Kept<T>>>,
    index: HashMap<String, BTreeSet<Name>>,
    arriving: Option<HashMap<Name, Arc<Kept<T>>>>,
    synced: bool,
    trouble: Option<Trouble>,
}

/// The objects of one kind, as a watch last saw them.
///
/// # Caveats
/// It may be older than the cluster; [`crate::mark::Marks`] tells whether it is older than a write of this process.
#[derive(Debug)]
pub struct Cache<T> {
    sight: Sight<T>,
    content: RwLock<Content<T>>,
}

impl<T> Cache<T> {
    /// An empty cache that is not synced.
    pub fn new(sight: Sight<T>) -> Self {
        let content = Content {
            objects: HashMap::new(),
            index: HashMap::new(),
            arriving: None,
            synced: false,
            trouble: None,
        };
        Self { sight, content: RwLock::new(content) }
    }

    fn read(&self) -> RwLockReadGuard<'_, Content<T>> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Content<T>> {
        self.content.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// One object.
    pub fn get(&self, name: &Name) -> Option<Arc<Kept<T>>> {
        self.read().objects.get(name).cloned()
    }

    /// The objects under an index word, in the order of their names.
    pub fn by(&self, word: &str) -> Vec<(Name, Arc<Kept<T>>)> {
        let content = self.read();
        let names = content.index.get(word).into_iter().flatten();
        names.filter_map(|name| Some((name.clone(), content.objects.get(name)?.clone()))).collect()
    }

    /// The names under an index word.
    pub fn names_by(&self, word: &str) -> Vec<Name> {
        self.read().index.get(word).into_iter().flatten().cloned().collect()
    }

    /// All objects, in no order.
    pub fn all(&self) -> Vec<(Name, Arc<Kept<T>>)> {
        self.read().objects.iter().map(|(name, kept)| (name.clone(), kept.clone())).collect()
    }

    /// A complete list has been seen once.
    pub fn synced(&self) -> bool {
        self.read().synced
    }

    /// Why the cache cannot be relied upon now, if so.
    pub fn unreadable(&self, now: Instant) -> Option<String> {
        let content = self.read();
        match &content.trouble {
            Some(trouble) if !content.synced => Some(trouble.why.clone()),
            Some(trouble) if trouble.last + RECOVERY > now && trouble.first + INTERRUPTION <= now => {
                Some(trouble.why.clone())
            }
            _ => None,
        }
    }

    /// Notes that the watch failed. True when this is news, for the log.
    pub fn failed(&self, why: String, now: Instant) -> bool {
        let mut content = self.write();
        let known = content.trouble.take();
        let known = known.filter(|trouble| trouble.last + RECOVERY > now);
        let news = known.as_ref().is_none_or(|trouble| trouble.why != why);
        let first = known.map_or(now, |trouble| trouble.first);
        content.trouble = Some(Trouble { first, last: now, why });
        news
    }

    /// Takes in what the watch saw; returns what is different from before.
    pub fn apply(&self, event: Event<Raw>) -> Vec<Change<T>> {
        match event {
            Event::Init => {
                self.write().arriving = Some(HashMap::new());
                Vec::new()
            }
            Event::InitApply(raw) => {
                let (name, kept) = self.keep(raw);
                self.write().arriving.get_or_insert_default().insert(name, Arc::new(kept));
                Vec::new()
            }
            Event::InitDone => self.replace(),
            Event::Apply(raw) => {
                let (name, kept) = self.keep(raw);
                let mut content = self.write();
                content.trouble = None;
                vec![put(&mut content, &self.sight, name, Some(Arc::new(kept)))]
            }
            Event::Delete(raw) => {
                let name = Name::of(raw.meta());
                let mut content = self.write();
                content.trouble = None;
                vec![put(&mut content, &self.sight, name, None)]
            }
        }
    }

    fn keep(&self, raw: Raw) -> (Name, Kept<T>) {
        let meta = raw.meta();
        let name = Name::of(meta);
        let version = meta.resource_version.clone().unwrap_or_default();
        let uid = meta.uid.clone().unwrap_or_default();
        let deleting = meta.deletion_timestamp.is_some();
        let value = (self.sight.keep)(raw);
        (name, Kept { version, uid, deleting, value })
    }

    /// The list is complete: what is not in it is gone.
    fn replace(&self) -> Vec<Change<T>> {
        let mut content = self.write();
        let arrived = content.arriving.take().unwrap_or_default();
        let gone: Vec<_> =
            content.objects.keys().filter(|name| !arrived.contains_key(name)).cloned().collect();
        let new = arrived.into_iter().map(|(name, kept)| (name, Some(kept)));
        let changes = gone.into_iter().map(|name| (name, None)).chain(new);
        let changes = changes.map(|(name, kept)| put(&mut content, &self.sight, name, kept)).collect();
        content.synced = true;
        content.trouble = None;
        changes
    }
}

fn put<T>(content: &mut Content<T>, sight: &Sight<T>, name: Name, new: Option<Arc<Kept<T>>>) -> Change<T> {
    let old = match &new {
        Some(kept) => content.objects.insert(name.clone(), kept.clone()),
        None => content.objects.remove(&name),
    };
    for word in old.iter().flat_map(|old| (sight.index)(&old.value)) {
        if let Some(names) = content.index.get_mut(&word) {
            names.remove(&name);
            if names.is_empty() {
                content.index.remove(&word);
            }
        }
    }
    for word in new.iter().flat_map(|new| (sight.index)(&new.value)) {
        content.index.entry(word).or_default().insert(name.clone());
    }
    Change { name, old, new }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn raw(name: &str, version: &str, colour: &str) -> Raw {
        let metadata = json!({"name": name, "namespace": "n", "resourceVersion": version, "uid": name});
        serde_json::from_value(json!({"metadata": metadata, "colour": colour})).unwrap()
    }

    fn cache() -> Cache<String> {
        Cache::new(Sight::new(
            |raw| raw.json["colour"].as_str().unwrap_or_default().to_owned(),
            |colour: &String| vec![colour.clone()],
        ))
    }

    #[test]
    fn a_new_list_tells_what_came_changed_and_went() {
        let cache = cache();
        for event in
            [Event::Init, Event::InitApply(raw("a", "1", "red")), Event::InitApply(raw("b", "1", "red"))]
        {
            assert!(cache.apply(event).is_empty());
        }
        assert!(!cache.synced());
        assert_eq!(cache.apply(Event::InitDone).len(), 2);
        assert!(cache.synced());
        cache.apply(Event::Init);
        cache.apply(Event::InitApply(raw("b", "2", "red")));
        let changes = cache.apply(Event::InitDone);
        let told: Vec<_> =
            changes.iter().map(|change| (change.name.name.as_str(), change.matters())).collect();
        assert_eq!(told, [("a", true), ("b", false)]);
        assert_eq!(cache.names_by("red"), [Name::new("n", "b")]);
    }

    #[test]
    fn an_object_is_found_by_what_it_is_now() {
        let cache = cache();
        cache.apply(Event::Apply(raw("a", "1", "red")));
        assert!(cache.apply(Event::Apply(raw("a", "2", "blue")))[0].matters());
        assert!(cache.names_by("red").is_empty());
        assert_eq!(cache.by("blue")[0].1.version, "2");
        cache.apply(Event::Delete(raw("a", "3", "blue")));
        assert!(cache.by("blue").is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_interruption_is_borne_and_a_long_one_is_not() {
        let cache = cache();
        assert!(cache.failed("no such kind".to_owned(), Instant::now()));
        assert_eq!(cache.unreadable(Instant::now()).as_deref(), Some("no such kind"));
        cache.apply(Event::Init);
        cache.apply(Event::InitDone);
        assert_eq!(cache.unreadable(Instant::now()), None);
        for (wait, readable) in [(0, true), (20, true), (20, false), (80, true)] {
            tokio::time::advance(Duration::from_secs(wait)).await;
            if wait < 80 {
                cache.failed("refused".to_owned(), Instant::now());
            }
            assert_eq!(cache.unreadable(Instant::now()).is_none(), readable, "after {wait} s more");
        }
    }
}
