//! Lists the objects of one kind, one a line, once or whenever one changes.

use std::time::Duration;

use futures::future::FutureExt;
use futures::stream::{BoxStream, StreamExt};
use jiff::Timestamp;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;
use serde::Serialize;
use tokio::time::{Instant, sleep, sleep_until};

use super::screen::{Drawn, PAUSE, Screen, TICK};
use crate::cluster::{Cluster, Kind, readable};
use crate::failure::{Failure, root};
use crate::flags::Format;
use crate::paint::Paint;
use crate::print;
use crate::watching::{Happening, cloned, mirror};

/// What is listed, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listing {
    /// Of all namespaces.
    pub(crate) everywhere: bool,
    /// Again whenever something changes.
    pub(crate) watch: bool,
    /// End watching after this long; zero: never.
    pub(crate) timeout: Duration,
    /// Format; none: text.
    pub(crate) format: Option<Format>,
}

/// A kind that can be listed.
pub(crate) trait Listed: Kind {
    /// One line.
    type Row: Serialize;
    /// The line of an object.
    fn row(&self, now: Timestamp) -> Self::Row;
    /// The lines in columns, with a heading.
    fn table(rows: &[Self::Row], namespaces: bool, paint: Paint) -> String;
    /// What is to be said of all of them together.
    fn notes(objects: &[Self]) -> Vec<String>;
}

/// Lists the objects of the namespace, or of the cluster.
///
/// # Errors
/// When they cannot be listed.
pub(crate) async fn run<K: Listed>(cluster: &Cluster, listing: Listing, paint: Paint) -> Result<(), Failure> {
    let (objects, notes) = cluster.list::<K>(listing.everywhere).await?;
    let list = List::new(objects, notes, cluster, listing.everywhere);
    if listing.watch {
        return watch(cluster, listing, &list, paint).await;
    }
    match listing.format {
        Some(Format::Json) => print::json(&list.tree())?,
        None if list.objects.is_empty() => eprint!("{}", list.table(paint)),
        None => print::text(&list.table(paint))?,
    }
    list.notes.iter().for_each(|note| eprintln!("note: {note}"));
    Ok(())
}

/// The objects at a moment.
struct List<K> {
    objects: Vec<K>,
    notes: Vec<String>,
    /// Where they were looked for, when the list is empty.
    place: String,
    namespaces: bool,
    now: Timestamp,
}

impl<K: Listed> List<K> {
    fn new(mut objects: Vec<K>, mut notes: Vec<String>, cluster: &Cluster, everywhere: bool) -> Self {
        let key = |object: &K| (object.meta().namespace.clone(), object.meta().name.clone());
        objects.sort_by_key(key);
        notes.extend(K::notes(&objects));
        let place = if everywhere {
            "in any namespace".to_owned()
        } else {
            format!("in namespace \"{}\"; -A lists all namespaces", cluster.namespace())
        };
        Self { objects, notes, place, namespaces: everywhere, now: Timestamp::now() }
    }

    /// The lines in columns; one that says so when there are none.
    fn table(&self, paint: Paint) -> String {
        match (self.objects.is_empty(), self.notes.is_empty()) {
            (true, true) => format!("no {} {}\n", K::PLURAL, self.place),
            (true, false) => String::new(),
            (false, _) => K::table(&self.tree(), self.namespaces, paint),
        }
    }
}

impl<K: Listed> Drawn for List<K> {
    type Tree = Vec<K::Row>;

    fn tree(&self) -> Vec<K::Row> {
        self.objects.iter().map(|object| object.row(self.now)).collect()
    }

    fn text(&self, paint: Paint) -> String {
        let notes: String = self.notes.iter().map(|note| format!("note: {note}\n")).collect();
        self.table(paint) + &notes
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn at(&self, now: Timestamp) -> Self {
        let (objects, notes, place) = (self.objects.clone(), self.notes.clone(), self.place.clone());
        Self { objects, notes, place, namespaces: self.namespaces, now }
    }
}

async fn watch<K: Listed>(
    cluster: &Cluster,
    listing: Listing,
    first: &List<K>,
    paint: Paint,
) -> Result<(), Failure> {
    let mut screen = Screen::new(listing.format, first.now());
    screen.draw(first, paint)?;
    let mut watching = Watching::<K>::begin(cluster, listing.everywhere);
    let end = (!listing.timeout.is_zero()).then(|| Instant::now() + listing.timeout);
    loop {
        let tick = Instant::now() + TICK;
        tokio::select! {
            () = watching.changed() => {
                sleep(PAUSE).await;
                watching.catch_up();
            }
            () = sleep_until(tick), if screen.terminal => {}
            () = sleep_until(end.unwrap_or(tick)), if end.is_some() => return Ok(()),
        }
        if let Some((objects, notes)) = watching.seen() {
            screen.draw(&List::new(objects, notes, cluster, listing.everywhere), paint)?;
        }
    }
}

/// The watch of all objects of a kind, with what it has seen.
struct Watching<K: Listed> {
    objects: Store<DeserializeGuard<K>>,
    events: BoxStream<'static, Happening>,
    listed: bool,
    broken: Option<String>,
}

impl<K: Listed> Watching<K> {
    fn begin(cluster: &Cluster, everywhere: bool) -> Self {
        let (objects, events) = mirror(cluster.listing::<K>(everywhere), 0, watcher::Config::default());
        Self { objects, events, listed: false, broken: None }
    }

    async fn changed(&mut self) {
        if let Some(happening) = self.events.next().await {
            self.take(happening);
        }
    }

    fn catch_up(&mut self) {
        while let Some(Some(happening)) = self.events.next().now_or_never() {
            self.take(happening);
        }
    }

    fn take(&mut self, (_, result): Happening) {
        self.broken = match result {
            Ok(complete) => {
                self.listed |= complete;
                None
            }
            Err(error) => {
                Some(format!("the watch of {} broke off ({}); trying again", K::PLURAL, root(&error)))
            }
        };
    }

    /// What is seen now, with notes about what is not; `None` before everything is listed once.
    fn seen(&self) -> Option<(Vec<K>, Vec<String>)> {
        let (objects, mut notes) = self.listed.then(|| readable(cloned(&self.objects)))?;
        notes.extend(self.broken.clone());
        Some((objects, notes))
    }
}
