//! What all requests share, and the pictures that they ask for.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch::Receiver;

use crate::access::{Access, Caller};
use crate::cache::Cache;
use crate::cluster::Cluster;
use crate::failure::{Failure, Kind};
use crate::guard::Door;
use crate::info::{self, Extent, RolloutInfo};
use crate::pods::{Look, Pods};
use crate::seen::Seen;
use crate::table::Place;
use crate::verb::{Verb, offers};

/// How long a request waits for the first lists of the watches.
const PATIENCE: Duration = Duration::from_secs(5);

/// What all requests share.
pub struct App {
    /// What is seen.
    pub cache: Arc<Cache>,
    /// The pods of those Rollouts that somebody looks at.
    pub pods: Pods,
    /// Who may see and do what.
    pub access: Access,
    /// Which requests may come in at all.
    pub door: Door,
    /// Where changes go; without it nothing can be changed.
    pub cluster: Option<Cluster>,
    /// The namespace to show first.
    pub home: String,
    /// Becomes true when the dashboard ends, so that streams end too.
    pub ending: Receiver<bool>,
}

impl App {
    /// Waits a little until everything was listed once.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] with what does not work.
    pub async fn ready(&self) -> Result<(), Failure> {
        let mut heard = self.cache.listen();
        let listed = async {
            while !self.cache.ready() {
                // An error says that changes were missed; then the cache is looked at again too.
                let _ = heard.recv().await;
            }
        };
        if tokio::time::timeout(PATIENCE, listed).await.is_ok() {
            return Ok(());
        }
        let notes = self.cache.notes();
        let why = if notes.is_empty() {
            "the API server has not answered yet; try again".to_owned()
        } else {
            notes.join("; ")
        };
        Err(Failure::new(Kind::Unavailable, format!("the Rollouts are not known yet: {why}")))
    }

    /// One Rollout as a list shows it; `None` when it does not exist, or the caller may not see it.
    ///
    /// # Errors
    /// When the cluster cannot say what the caller may see.
    pub async fn row(&self, caller: &Caller, place: &Place) -> Result<Option<RolloutInfo>, Failure> {
        match self.access.see(caller, &place.namespace).await {
            Err(failure) if failure.kind == Kind::Forbidden => return Ok(None),
            other => other?,
        }
        Ok(self.cache.seen(place).map(|seen| info::of(&seen, Extent::Row)))
    }

    /// One Rollout with everything; `None` when it does not exist. Its pods are watched for as long as the look is held.
    ///
    /// # Errors
    /// When the caller may not see it.
    pub async fn whole(
        &self,
        caller: &Caller,
        place: &Place,
    ) -> Result<Option<(RolloutInfo, Option<Arc<Look>>)>, Failure> {
        self.access.see(caller, &place.namespace).await?;
        let Some(mut seen) = self.cache.seen(place) else { return Ok(None) };
        let look = seen.rollout.0.as_ref().ok().map(|rollout| self.pods.of(rollout));
        if let Some(look) = &look {
            let (pods, note) = look.pods().await;
            seen.pods = pods;
            seen.notes.extend(note);
        }
        let mut info = info::of(&seen, Extent::Whole);
        self.offer(caller, place, &seen, &mut info).await?;
        Ok(Some((info, look)))
    }

    /// Adds what the caller can do now.
    async fn offer(
        &self,
        caller: &Caller,
        place: &Place,
        seen: &Seen,
        info: &mut RolloutInfo,
    ) -> Result<(), Failure> {
        let Ok(rollout) = &seen.rollout.0 else { return Ok(()) };
        if !self.access.actions() {
            return Ok(());
        }
        let mut allowed = Vec::new();
        for offer in offers(rollout, &seen.sets(), Timestamp::now()) {
            if self.may(caller, &offer.verb, place).await? {
                allowed.push(offer);
            }
        }
        let image = Verb::SetImage { container: String::new(), image: String::new() };
        info.serin.images = rollout.spec.template.is_some() && self.may(caller, &image, place).await?;
        info.serin.offers = Some(allowed);
        Ok(())
    }

    async fn may(&self, caller: &Caller, verb: &Verb, place: &Place) -> Result<bool, Failure> {
        match self.access.act(caller, verb, &place.namespace, &place.name).await {
            Err(failure) if failure.kind == Kind::Forbidden => Ok(false),
            other => other.map(|()| true),
        }
    }
}

/// `None` for `*`, which stands for all namespaces.
pub fn scope(namespace: &str) -> Option<&str> {
    Some(namespace).filter(|namespace| *namespace != "*")
}
