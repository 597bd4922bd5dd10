//! Says how traffic is divided between revisions, and what a router reports of it.

use serde::{Deserialize, Serialize};
use serin_api::SessionAffinity;

use crate::affinity::Affinity;
use crate::world::Experiment;

/// A share of traffic, in parts of [`Split::total`] (100 unless `maxTrafficWeight` says otherwise).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Weight(pub u32);

impl std::fmt::Display for Weight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The default total of all weights: percent.
pub const PERCENT: Weight = Weight(100);

/// A further destination beside canary and stable: a weighted experiment template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Destination {
    /// Service that selects the pods of this destination.
    pub service: String,
    /// Pod template hash of those pods.
    pub hash: String,
    /// Its share.
    pub weight: Weight,
    /// Port of the Service; `None` where the pods declare none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// How one request property is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StringMatch {
    /// Equal, byte for byte.
    Exact(String),
    /// Begins with.
    Prefix(String),
    /// Matches a regular expression in the router's own dialect.
    Regex(String),
}

/// One request header and what it must look like.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeaderMatch {
    /// Header name, as the user wrote it.
    pub name: String,
    /// What its value must look like.
    pub value: StringMatch,
}

/// Requests that match any entry of `matches` go to the canary, whatever the weights.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeaderRoute {
    /// Name from `managedRoutes`; routers use it as the name of the rule they add.
    pub name: String,
    /// The headers to look at.
    pub matches: Vec<HeaderMatch>,
}

/// What a mirrored request must look like; absent parts match everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MirrorMatch {
    /// HTTP method.
    pub method: Option<StringMatch>,
    /// Request path.
    pub path: Option<StringMatch>,
    /// Headers, all of which must match.
    pub headers: Vec<HeaderMatch>,
}

/// A copy of matching requests is also sent to the canary; its answers are thrown away.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MirrorRoute {
    /// Name from `managedRoutes`.
    pub name: String,
    /// Requests to mirror: any entry.
    pub matches: Vec<MirrorMatch>,
    /// Percentage of matching requests to mirror, 0 to 100.
    pub percentage: u32,
}

/// The revisions that the two weights reach where a router addresses pods by label instead of by Service.
///
/// An empty hash selects no revision: weight on it reaches the pods of all of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reached {
    /// Pod template hash that weight on the canary reaches now.
    pub canary: String,
    /// Pod template hash that weight on stable reaches now.
    pub stable: String,
}

/// The wish for a router: weights, then what overrides them.
///
/// # Guarantees
/// [`Split::stable`] is what the other weights leave of `total`, so the weights always sum to `total`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Split {
    /// What all weights sum to.
    pub total: Weight,
    /// Share of the canary.
    pub canary: Weight,
    /// Shares of experiment templates.
    pub additional: Vec<Destination>,
    /// Header routes in force.
    pub headers: Vec<HeaderRoute>,
    /// Mirror routes in force.
    pub mirrors: Vec<MirrorRoute>,
    /// Users who stay where they are; in what a router reports, a header route named [`SessionAffinity::CANARY_ROUTE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// What the weights reach, as observed; `None` where Services say so, and in wishes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<Reached>,
}

impl Split {
    /// A split of `total` with `canary` (cut to `total`) on the canary and the rest on stable.
    pub fn new(total: Weight, canary: Weight) -> Self {
        Self {
            total,
            canary: canary.min(total),
            additional: Vec::new(),
            headers: Vec::new(),
            mirrors: Vec::new(),
            affinity: None,
            reached: None,
        }
    }

    /// Everything on stable.
    pub fn all_stable(total: Weight) -> Self {
        Self::new(total, Weight(0))
    }

    /// Some requests, or copies of them, go to the canary: by weight or by a route.
    pub fn uses_canary(&self) -> bool {
        self.canary.0 > 0 || self.routes().next().is_some()
    }

    /// Names of header and mirror routes, and of that by which users stay with the canary.
    pub fn routes(&self) -> impl Iterator<Item = &str> {
        let headers = self.headers.iter().map(|route| route.name.as_str());
        let affinity = self.affinity.iter().map(|_| SessionAffinity::CANARY_ROUTE);
        headers.chain(self.mirrors.iter().map(|route| route.name.as_str())).chain(affinity)
    }

    /// Whether both give every destination the same share.
    pub fn same_weights(&self, other: &Self) -> bool {
        let shares = |split: &Self| {
            let some = split.additional.iter().filter(|destination| destination.weight.0 > 0);
            let mut shares: Vec<_> = some.map(|known| (known.service.clone(), known.weight)).collect();
            shares.sort();
            shares
        };
        self.canary == other.canary && shares(self) == shares(other)
    }

    /// Share of stable: what the others leave.
    pub fn stable(&self) -> Weight {
        let others = self
            .additional
            .iter()
            .fold(self.canary.0, |sum, destination| sum.saturating_add(destination.weight.0));
        Weight(self.total.0.saturating_sub(others))
    }
}

/// What a router reports of the split in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Effective {
    /// Nothing can be said; the text says why, for people. Never read as zero or as done.
    Unknown(String),
    /// The object says this split, but its data plane has not confirmed it yet.
    Pending(Split),
    /// This split is in force as far as the router can tell.
    Applied(Split),
}

/// The routing objects of one Rollout, told apart by what their backends name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backends {
    /// Namespace of the Rollout.
    pub namespace: String,
    /// Name of the Rollout.
    pub rollout: String,
    /// Service (or ping/pong Service) that selects the canary pods.
    pub canary_service: String,
    /// Service that selects the stable pods.
    pub stable_service: String,
    /// Pod template hash of the canary revision.
    pub canary_hash: String,
    /// Pod template hash of the stable revision.
    pub stable_hash: String,
    /// The two Services change roles: what a step added for the one may lead to what is the other one now.
    #[serde(default)]
    pub ping_pong: bool,
    /// Services of experiments of the Rollout, now and before: their destinations in the user's lists are not the user's.
    #[serde(default)]
    pub experiments: Vec<String>,
    /// Names of `managedRoutes` and of the routes of session affinity, in the order of their precedence.
    pub managed_routes: Vec<String>,
    /// The Rollout as the owner of objects that routers make; without it none are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
}

impl Backends {
    /// With the Services of these experiments, so that their destinations are known for what they are.
    pub fn beside<'e>(mut self, experiments: impl IntoIterator<Item = &'e Experiment>) -> Self {
        let templates = experiments.into_iter().flat_map(|experiment| &experiment.templates);
        self.experiments.extend(templates.filter_map(|template| template.service.clone()));
        self.experiments.sort();
        self.experiments.dedup();
        self
    }
}

/// The object that others are deleted with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// Name of the Rollout.
    pub name: String,
    /// Its uid: another Rollout of the same name does not own what this one made.
    pub uid: String,
}
