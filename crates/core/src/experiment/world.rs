//! Says what a decision about an Experiment is made from: everything observed of it at one moment.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serin_api::Experiment;

use crate::world::{AnalysisRun, ReplicaSet, Template, WriteRefusal};

/// Everything that [`super::plan`] may look at. Built by the shell.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct World {
    /// The only clock.
    pub now: Timestamp,
    /// The Experiment as the API server has it.
    pub experiment: Experiment,
    /// ReplicaSets that the Experiment controls.
    pub replica_sets: Vec<ReplicaSet>,
    /// Services that the Experiment controls, and others that have a name which it wants.
    pub services: Vec<Service>,
    /// The analysis templates that the Experiment names, and those which they name.
    pub templates: Vec<Template>,
    /// AnalysisRuns that the Experiment controls.
    pub analysis_runs: Vec<AnalysisRun>,
    /// Services to which the routers of the Rollout that controls the Experiment may still send traffic.
    pub carrying: BTreeSet<String>,
    /// Writes of the last plan that the API server refused.
    pub refusals: Vec<WriteRefusal>,
}

/// One Service in the namespace of an Experiment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Object name.
    pub name: String,
    /// Object uid: the precondition of its deletion.
    pub uid: String,
    /// The template that it was made for; `None` when the Experiment does not control it.
    pub template: Option<String>,
    /// Being deleted.
    pub deleting: bool,
}
