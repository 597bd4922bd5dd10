//! Says what the objects of one router show together: the most canary of all rules, and only done when all agree.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use serin_core::seen::ObjectKey;
use serin_core::split::{Destination, Effective, HeaderRoute, MirrorRoute, Reached, Split, Weight};

use crate::fork::{Fork, Share};
use crate::refusal::Cause;
use crate::router::Sight;

/// The forks of one object, the routes that steps added to it, and what is wrong with it. What is right is still
/// rendered, so that a mistake in one rule never keeps the others from going back to stable.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) forks: Vec<Fork>,
    /// Weights that are in force beside those of the forks: of rules and objects that this router made.
    pub(crate) shares: Vec<Share>,
    /// Weights of destinations beside canary and stable, by Service, where the router writes them.
    pub(crate) additional: Vec<(String, Weight)>,
    /// Names of managed routes that are in place and send requests to the canary.
    pub(crate) headers: Vec<String>,
    /// Names of managed routes that are in place and copy requests to the canary.
    pub(crate) mirrors: Vec<String>,
    /// The object is not what this router makes of it yet, or its data plane lags behind it.
    pub(crate) lags: bool,
    /// Why the weights are not known, although this router can make them what they should be.
    pub(crate) unclear: Option<String>,
    /// What people must put right.
    pub(crate) wrong: Option<Cause>,
}

impl Found {
    /// Keeps the first thing that is wrong.
    pub(crate) fn complain(&mut self, cause: Cause) {
        self.wrong.get_or_insert(cause);
    }
}

/// What the rules of all objects of one router show together.
#[derive(Debug)]
pub(crate) struct Reading {
    total: Weight,
    canary: Option<Weight>,
    additional: BTreeMap<String, Weight>,
    /// What the rule before gave to experiments.
    trials: Option<BTreeMap<String, Weight>>,
    headers: BTreeSet<String>,
    mirrors: BTreeSet<String>,
    reached: Option<Reached>,
    pending: bool,
    unknown: Option<String>,
}

impl Reading {
    /// Nothing read yet.
    pub(crate) fn of(total: Weight) -> Self {
        let (additional, headers, mirrors) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self {
            total,
            canary: None,
            additional,
            trials: None,
            headers,
            mirrors,
            reached: None,
            pending: false,
            unknown: None,
        }
    }

    /// Adds what one object shows.
    pub(crate) fn look(&mut self, key: &ObjectKey, sight: &Sight, find: impl FnOnce(&Value) -> Found) {
        let object = match sight {
            Sight::Fresh(object) => object,
            Sight::Stale(object) => {
                self.wait();
                object
            }
            Sight::Absent => return self.doubt(format!("{key} not found")),
            Sight::Unknown(why) => return self.doubt(why.clone()),
        };
        self.add(find(object));
    }

    /// Adds how an object was seen that this router makes: that it is not there is no doubt.
    pub(crate) fn heed(&mut self, sight: &Sight) {
        match sight {
            Sight::Stale(_) => self.wait(),
            Sight::Unknown(why) => self.doubt(why.clone()),
            Sight::Fresh(_) | Sight::Absent => {}
        }
    }

    /// Adds what was found in one object.
    pub(crate) fn add(&mut self, found: Found) {
        let Found { forks, shares, additional, headers, mirrors, lags, unclear, wrong } = found;
        for trials in forks.iter().map(|fork| fork.trials().collect::<BTreeMap<_, _>>()) {
            self.pending |= self.trials.as_ref().is_some_and(|known| *known != trials);
            self.trials = Some(trials);
        }
        let additional = additional.into_iter().chain(forks.iter().flat_map(Fork::trials));
        for (service, weight) in additional {
            let known = self.additional.entry(service).or_insert(weight);
            *known = weight.max(*known);
        }
        forks.iter().map(Fork::share).chain(shares).for_each(|share| self.share(share));
        self.pending |= lags;
        self.headers.extend(headers);
        self.mirrors.extend(mirrors);
        if let Some(why) = wrong.map(|cause| cause.to_string()).or(unclear) {
            self.doubt(why);
        }
    }

    /// Adds what one rule shows. Rules that differ are read as the most canary of them, not confirmed.
    pub(crate) fn share(&mut self, share: Share) {
        let share = share.of(self.total);
        self.pending |= self.canary.is_some_and(|known| known != share);
        self.canary = Some(self.canary.map_or(share, |known| known.max(share)));
    }

    /// The data plane has not confirmed what the object says.
    pub(crate) fn wait(&mut self) {
        self.pending = true;
    }

    /// The revisions that the weights reach, where Services do not say so.
    pub(crate) fn reach(&mut self, reached: Reached) {
        self.reached = Some(reached);
    }

    /// Something cannot be known; the first reason is kept.
    pub(crate) fn doubt(&mut self, why: String) {
        self.unknown.get_or_insert(why);
    }

    /// The share of the canary over all rules, also when not confirmed.
    pub(crate) fn canary(&self) -> Option<Weight> {
        self.canary
    }

    /// The report of these readings; a reading that nothing was added to is unknown.
    pub(crate) fn effective(self) -> Effective {
        let canary = match (self.unknown, self.canary) {
            (Some(why), _) => return Effective::Unknown(why),
            (None, None) => return Effective::Unknown("no rule has both destinations".to_owned()),
            (None, Some(canary)) => canary,
        };
        let mut split = Split::new(self.total, canary);
        let additional = self.additional.into_iter();
        split.additional = additional
            .map(|(service, weight)| Destination { service, hash: String::new(), weight, port: None })
            .collect();
        split.headers =
            self.headers.into_iter().map(|name| HeaderRoute { name, matches: Vec::new() }).collect();
        let mirrors = self.mirrors.into_iter();
        split.mirrors =
            mirrors.map(|name| MirrorRoute { name, matches: Vec::new(), percentage: 100 }).collect();
        split.reached = self.reached;
        if self.pending { Effective::Pending(split) } else { Effective::Applied(split) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_differ_are_pending_at_the_most_canary() {
        let mut reading = Reading::of(Weight(100));
        reading.share(Share { canary: 20, stable: 80, others: 0 });
        reading.share(Share { canary: 0, stable: 100, others: 0 });
        assert_eq!(reading.effective(), Effective::Pending(Split::new(Weight(100), Weight(20))));
    }
}
