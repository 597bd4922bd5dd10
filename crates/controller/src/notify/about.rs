//! Says what an event is about, as triggers and templates see it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use kube::core::ObjectMeta;
use serde_json::Value;
use serin_api::{AnalysisRun, label};

use crate::announce::Told;
use crate::caches::Caches;
use crate::object::{Name, rollout_of};

/// What a notification is about.
pub(super) struct About {
    /// The Rollout; without one the AnalysisRun or Experiment itself.
    pub name: Name,
    /// Annotations that may subscribe.
    pub annotations: BTreeMap<String, String>,
    /// Labels by which subscriptions of the settings choose; none when those have heard of it already.
    pub labels: Option<BTreeMap<String, String>>,
    /// The object as JSON.
    pub object: Value,
    /// AnalysisRuns of the current revision of the Rollout, newest first.
    pub runs: Value,
}

impl About {
    /// What an event tells of, as it is known; none when it is gone.
    pub(super) fn of(caches: &Caches, told: &Told) -> Option<Self> {
        let field = |field: &Option<String>| field.clone().unwrap_or_default();
        let name = Name::new(&field(&told.about.namespace), &field(&told.about.name));
        match told.about.kind.as_deref() {
            Some("AnalysisRun") => {
                let kept = caches.runs.get(&name)?;
                let run = kept.value.as_ref().ok()?;
                match rollout_of(&run.metadata) {
                    Some(owner) => {
                        let rollout = Self::rollout(caches, Name::new(&name.namespace, &owner.name))?;
                        Some(rollout.of_run(run, &told.event.reason))
                    }
                    None => Self::itself(name, &run.metadata, serde_json::to_value(run).ok()?),
                }
            }
            Some("Experiment") => {
                let kept = caches.experiments.get(&name)?;
                let experiment = kept.value.as_ref().ok()?;
                Self::itself(name, &experiment.metadata, serde_json::to_value(experiment).ok()?)
            }
            _ => Self::rollout(caches, name),
        }
    }

    fn itself(name: Name, meta: &ObjectMeta, object: Value) -> Option<Self> {
        let annotations = meta.annotations.clone().unwrap_or_default();
        let labels = Some(meta.labels.clone().unwrap_or_default());
        Some(Self { name, annotations, labels, object, runs: Value::Array(Vec::new()) })
    }

    fn rollout(caches: &Caches, name: Name) -> Option<Self> {
        let kept = caches.rollouts.get(&name)?;
        let rollout = &kept.value.as_ref().ok()?.rollout;
        let hash = rollout.status.as_ref().map(|status| status.current_pod_hash.clone()).unwrap_or_default();
        let of_revision = |labels: Option<&BTreeMap<String, String>>| {
            labels.and_then(|labels| labels.get(label::POD_TEMPLATE_HASH)) == Some(&hash)
        };
        let runs = caches.runs.by(&kept.uid);
        let runs = runs.iter().filter_map(|(_, run)| run.value.as_ref().ok());
        let mut runs: Vec<_> = runs.filter(|run| of_revision(run.metadata.labels.as_ref())).collect();
        runs.sort_by_key(|run| Reverse(run.metadata.creation_timestamp.as_ref().map(|time| time.0)));
        let runs = serde_json::to_value(runs).ok()?;
        let itself = Self::itself(name, &rollout.metadata, serde_json::to_value(rollout).ok()?)?;
        Some(Self { runs, ..itself })
    }

    /// An event of a run of this Rollout. What its Rollout tells too is for those alone who subscribed to the run.
    fn of_run(mut self, run: &AnalysisRun, reason: &str) -> Self {
        if reason.starts_with("AnalysisRun") {
            self.annotations.clear();
            self.labels = None;
        }
        self.annotations.extend(run.metadata.annotations.clone().unwrap_or_default());
        self
    }
}
