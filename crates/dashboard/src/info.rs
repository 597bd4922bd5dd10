//! Translates what is seen of a Rollout into the JSON that dashboards read: the fields of the Argo dashboard
//! (compat 5.4), and under `serin` what they have no field for.
//!
//! Nothing here depends on the clock: the same objects give the same text, so a stream sends it only when it changes.

mod part;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::core::error_boundary::InvalidObject;
use serde::Serialize;
use serin_api::{CanaryStep, RawTemplate, Rollout};
use serin_view::phase::standing;
use serin_view::step;
use serin_view::template;

use crate::own::{self, Own};
use crate::seen::Seen;

pub use part::{AnalysisRunInfo, PodInfo, ReplicaSetInfo};

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What a list shows: neither pods nor analyses.
    Row,
    /// Everything.
    Whole,
}

/// One Rollout.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are those of the Argo dashboard API")]
pub struct RolloutInfo {
    pub object_meta: Meta,
    pub status: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    pub icon: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub strategy: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub step: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub set_weight: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub actual_weight: String,
    pub ready: i32,
    pub current: i32,
    pub desired: i32,
    pub updated: i32,
    pub available: i32,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub restarted_at: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub generation: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replica_sets: Vec<ReplicaSetInfo>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub analysis_runs: Vec<AnalysisRunInfo>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Container>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<CanaryStep>,
    pub serin: Own,
}

/// What identifies an object.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are those of every object")]
pub struct Meta {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<Time>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Meta {
    fn of(meta: &ObjectMeta) -> Self {
        Self {
            name: meta.name.clone().unwrap_or_default(),
            namespace: meta.namespace.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
            resource_version: meta.resource_version.clone().unwrap_or_default(),
            creation_timestamp: meta.creation_timestamp.clone(),
            labels: meta.labels.clone().unwrap_or_default(),
            annotations: meta.annotations.clone().unwrap_or_default(),
        }
    }
}

/// A container and its image.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of every container")]
pub struct Container {
    pub name: String,
    pub image: String,
}

/// Tells of one Rollout.
pub fn of(seen: &Seen, extent: Extent) -> RolloutInfo {
    match &seen.rollout.0 {
        Ok(rollout) => readable(rollout, seen, extent),
        Err(bad) => unreadable(bad),
    }
}

/// A malformed Rollout is shown as one, so that nobody misses it and it hides no other.
fn unreadable(bad: &InvalidObject) -> RolloutInfo {
    RolloutInfo {
        object_meta: Meta::of(&bad.metadata),
        status: "Unknown".to_owned(),
        message: format!("it cannot be read: {}", bad.error),
        icon: "?",
        ..RolloutInfo::default()
    }
}

fn readable(rollout: &Rollout, seen: &Seen, extent: Extent) -> RolloutInfo {
    let status = rollout.status.clone().unwrap_or_default();
    let standing = standing(rollout);
    let (sets, steps) = (seen.sets(), step::steps(rollout));
    let weight = own::weight(rollout, &sets);
    let restarted_at = status.restarted_at.as_ref().map(|at| at.0.to_string());
    let of_step = step::done(rollout).map(|done| format!("{done}/{}", steps.len()));
    RolloutInfo {
        object_meta: Meta::of(&rollout.metadata),
        status: standing.phase.word().to_owned(),
        message: standing.message.clone(),
        icon: standing.phase.icon(),
        strategy: strategy(rollout),
        step: of_step.unwrap_or_default(),
        set_weight: weight.as_ref().map(|weight| weight.asked.to_string()).unwrap_or_default(),
        actual_weight: weight
            .as_ref()
            .and_then(|weight| weight.observed)
            .map(|seen| seen.to_string())
            .unwrap_or_default(),
        ready: status.ready_replicas,
        current: status.replicas,
        desired: rollout.replicas(),
        updated: status.updated_replicas,
        available: status.available_replicas,
        restarted_at: restarted_at.unwrap_or_default(),
        generation: status.observed_generation.clone(),
        replica_sets: sets.iter().map(|set| part::replica_set(rollout, set, &seen.pods_of(set))).collect(),
        analysis_runs: match extent {
            Extent::Row => Vec::new(),
            Extent::Whole => seen.runs().into_iter().map(part::analysis_run).collect(),
        },
        containers: containers(rollout),
        steps: steps.to_vec(),
        serin: own::of(rollout, seen, &standing, weight, extent),
    }
}

/// The strategy in the words of the API.
fn strategy(rollout: &Rollout) -> &'static str {
    match rollout.spec.strategy.as_ref() {
        Some(strategy) if strategy.blue_green.is_some() => "BlueGreen",
        Some(strategy) if strategy.canary.is_some() => "Canary",
        _ => "",
    }
}

fn containers(rollout: &Rollout) -> Vec<Container> {
    let all =
        rollout.spec.template.as_ref().map(RawTemplate::value).map(template::containers).unwrap_or_default();
    all.into_iter()
        .map(|container| Container {
            name: container.text("name").to_owned(),
            image: container.text("image").to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
