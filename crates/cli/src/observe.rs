//! Reads a Rollout or an Experiment with its parts from the cluster, and says which labels the parts have.

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::core::{DeserializeGuard, NamespaceResourceScope, Selector};
use serde::de::DeserializeOwned;
use serin_api::{AnalysisRun, Experiment, Rollout, label};
use serin_view::step;

use crate::cluster::{Cluster, readable};
use crate::failure::Failure;
use crate::observed::{Observed, ObservedExperiment, Parts};

/// Label selectors that match all parts of what is looked at, and parts of others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scope {
    /// Of ReplicaSets and pods.
    pub(crate) pods: String,
    /// Of AnalysisRuns.
    pub(crate) runs: String,
}

impl Scope {
    /// The parts of an Experiment: its pods carry a hash, its AnalysisRuns carry no label that they must have.
    pub(crate) fn of_experiment() -> Self {
        Self { pods: label::POD_TEMPLATE_HASH.to_owned(), runs: String::new() }
    }

    /// The parts of a Rollout; with Experiments those of the Experiments too, whose templates have selectors of their
    /// own.
    pub(crate) fn of_rollout(rollout: &Rollout, has_experiments: bool) -> Self {
        if has_experiments || step::steps(rollout).iter().any(|step| step.experiment.is_some()) {
            return Self::of_experiment();
        }
        Self { pods: selector(rollout), runs: label::POD_TEMPLATE_HASH.to_owned() }
    }
}

/// Selector of the ReplicaSets and pods of a Rollout; they carry the hash whatever the selector is.
fn selector(rollout: &Rollout) -> String {
    let own = rollout.spec.selector.clone().unwrap_or_default();
    let own = Selector::try_from(own).map(|selector| selector.to_string()).unwrap_or_default();
    if own.is_empty() {
        label::POD_TEMPLATE_HASH.to_owned()
    } else {
        format!("{own},{}", label::POD_TEMPLATE_HASH)
    }
}

impl Cluster {
    /// One Rollout with its parts. Parts that cannot be read become notes.
    ///
    /// # Errors
    /// When the Rollout cannot be read.
    pub(crate) async fn observe(&self, name: &str) -> Result<Observed, Failure> {
        let rollout = self.rollout(name).await?;
        let mut notes = Vec::new();
        let experiments = self.parts(label::POD_TEMPLATE_HASH, "Experiments", &mut notes).await;
        let (experiments, unreadable) = readable::<Experiment>(experiments);
        notes.extend(unreadable);
        let mine = |experiment: &Experiment| {
            serin_view::object::owned_by(experiment, rollout.metadata.uid.as_deref())
        };
        let scope = Scope::of_rollout(&rollout, experiments.iter().any(mine));
        let parts = self.parts_in(&scope, experiments, notes).await;
        Ok(Observed::of(rollout, parts))
    }

    /// One Experiment with its parts. Parts that cannot be read become notes.
    ///
    /// # Errors
    /// When the Experiment cannot be read.
    pub(crate) async fn observe_experiment(&self, name: &str) -> Result<ObservedExperiment, Failure> {
        let experiment = self.named::<Experiment>(name).await?;
        let parts = self.parts_in(&Scope::of_experiment(), Vec::new(), Vec::new()).await;
        let seen = ObservedExperiment::of(experiment, &parts);
        Ok(ObservedExperiment { notes: parts.notes, ..seen })
    }

    async fn parts_in(&self, scope: &Scope, experiments: Vec<Experiment>, mut notes: Vec<String>) -> Parts {
        let replica_sets = self.parts::<ReplicaSet>(&scope.pods, "ReplicaSets", &mut notes).await;
        let pods = self.parts::<Pod>(&scope.pods, "pods", &mut notes).await;
        let runs = self.parts::<DeserializeGuard<AnalysisRun>>(&scope.runs, "AnalysisRuns", &mut notes).await;
        let (runs, unreadable) = readable(runs);
        notes.extend(unreadable);
        Parts { replica_sets, pods, runs, experiments, notes, now: jiff::Timestamp::now() }
    }

    async fn parts<K>(&self, labels: &str, plural: &str, notes: &mut Vec<String>) -> Vec<K>
    where
        K: kube::Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
        K::DynamicType: Default,
    {
        match self.api::<K>().list(&ListParams::default().labels(labels)).await {
            Ok(list) => list.items,
            Err(error) => {
                notes.push(self.missing_parts(plural, &error));
                Vec::new()
            }
        }
    }

    /// The note about parts that cannot be read.
    pub(crate) fn missing_parts(&self, plural: &str, error: &kube::Error) -> String {
        let failure = self.failure("list", plural, error);
        let attempt = format!("cannot list {plural}: ");
        format!("{plural} are not shown: {}", failure.message.trim_start_matches(&attempt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::updating;
    use serde_json::json;

    #[test]
    fn parts_are_looked_for_as_widely_as_experiments_need() {
        let hash = label::POD_TEMPLATE_HASH;
        let narrow = Scope { pods: format!("app=shop,{hash}"), runs: hash.to_owned() };
        let wide = Scope { pods: hash.to_owned(), runs: String::new() };
        let plain = updating(1, json!({}));
        let step = json!([{"experiment": {"templates": []}}]);
        let with_step = updating(0, json!({"spec": {"strategy": {"canary": {"steps": step}}}}));
        for (rollout, has_experiments, expected) in
            [(&plain, false, &narrow), (&plain, true, &wide), (&with_step, false, &wide)]
        {
            assert_eq!(&Scope::of_rollout(rollout, has_experiments), expected, "{has_experiments}");
        }
    }
}
