//! What is seen of one Experiment: the object, its ReplicaSets, their pods and its AnalysisRuns, at one moment.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serin_api::{AnalysisPhase, AnalysisRun, Experiment, ExperimentTemplate, label};
use serin_view::object::{created, owned_by};

use super::Parts;

/// One Experiment with its parts.
#[derive(Clone, Debug)]
pub struct ObservedExperiment {
    /// The Experiment.
    pub experiment: Experiment,
    /// The ReplicaSets that it owns.
    pub replica_sets: Vec<ReplicaSet>,
    /// The pods that those own.
    pub pods: Vec<Pod>,
    /// The AnalysisRuns that it owns, newest first.
    pub runs: Vec<AnalysisRun>,
    /// What could not be read, and why; that of a Rollout's Experiment is told with the Rollout.
    pub notes: Vec<String>,
    /// When it was seen.
    pub now: Timestamp,
}

impl ObservedExperiment {
    /// Gives an Experiment what it owns; the rest belongs to others.
    pub fn of(experiment: Experiment, parts: &Parts) -> Self {
        let Parts { replica_sets, pods, mut runs, .. } = parts.owned(experiment.metadata.uid.as_deref());
        runs.sort_by_key(|run| std::cmp::Reverse((created(run), run.name_any())));
        Self { experiment, replica_sets, pods, runs, notes: Vec::new(), now: parts.now }
    }

    /// The name of the Experiment.
    pub fn name(&self) -> &str {
        self.experiment.metadata.name.as_deref().unwrap_or_default()
    }

    /// The phase of the Experiment.
    pub fn phase(&self) -> AnalysisPhase {
        self.experiment.status.as_ref().map(|status| status.phase).unwrap_or_default()
    }

    /// Its templates, in the order of the spec.
    pub fn templates(&self) -> impl Iterator<Item = &ExperimentTemplate> {
        self.experiment.spec.templates.iter().flatten()
    }

    /// The ReplicaSet of a template.
    pub fn set_of(&self, template: &str) -> Option<&ReplicaSet> {
        self.replica_sets.iter().find(|set| template_of(set) == Some(template))
    }

    /// ReplicaSets of templates that are not in the spec any more.
    pub fn left_over(&self) -> impl Iterator<Item = &ReplicaSet> {
        let known = |set: &ReplicaSet| self.templates().any(|known| template_of(set) == Some(&known.name));
        self.replica_sets.iter().filter(move |set| !known(set))
    }

    /// The pods of one ReplicaSet, oldest first.
    pub fn pods_of<'o>(&'o self, set: &'o ReplicaSet) -> impl Iterator<Item = &'o Pod> {
        self.pods.iter().filter(|pod| owned_by(*pod, set.metadata.uid.as_deref()))
    }

    /// The analysis that a run was made for, by its name in the spec.
    pub fn analysis_of(&self, run: &AnalysisRun) -> Option<&str> {
        let known = self.experiment.status.iter().flat_map(|status| &status.analysis_runs);
        let mut known = known.filter(|known| Some(&known.analysis_run) == run.metadata.name.as_ref());
        known.next().map(|known| known.name.as_str())
    }

    /// Seconds until its time is over, once it runs and has a duration.
    pub fn remaining(&self) -> Option<i64> {
        let available = self.experiment.status.as_ref()?.available_at.as_ref()?;
        let run_time = self.experiment.spec.run_time()?.ok()?;
        let left = i64::try_from(run_time.as_secs()).ok()? - (self.now.as_second() - available.0.as_second());
        (!self.phase().completed()).then_some(left.max(0))
    }
}

/// The template that a ReplicaSet was made for.
pub(crate) fn template_of(set: &ReplicaSet) -> Option<&str> {
    set.annotations().get(label::EXPERIMENT_TEMPLATE).map(String::as_str)
}
