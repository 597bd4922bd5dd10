//! Says which observed object belongs to which template of an Experiment, and whether the Experiment ends.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use serin_api::{AnalysisPhase, Experiment, ExperimentAnalysis, ExperimentStatus, ExperimentTemplate, label};

use super::world::{Service, World};
use crate::seen::ObjectKey;
use crate::world::{AnalysisRun, ReplicaSet};

/// Seconds that pods are kept when the experiment has ended, unless it says otherwise.
const SCALE_DOWN_DELAY_SECONDS: i32 = 30;

/// The roles in one World, by the status as it was stored.
pub(super) struct Facts<'w> {
    pub(super) world: &'w World,
    pub(super) experiment: &'w Experiment,
    /// As it was before this plan.
    pub(super) before: ExperimentStatus,
    /// The templates that are to run; none when the spec cannot work.
    pub(super) templates: Vec<&'w ExperimentTemplate>,
    /// The analyses; none when the spec cannot work.
    pub(super) analyses: Vec<&'w ExperimentAnalysis>,
    /// No more pods and no more measurements are wanted.
    pub(super) ending: bool,
}

impl<'w> Facts<'w> {
    pub(super) fn gather(world: &'w World, before: &ExperimentStatus, valid: bool) -> Self {
        let experiment = &world.experiment;
        let templates = experiment.spec.templates.iter().flatten().filter(|_| valid).collect();
        let analyses: Vec<_> = experiment.spec.analyses.iter().flatten().filter(|_| valid).collect();
        let ending = experiment.spec.terminate
            || before.phase.completed()
            || before.template_statuses.iter().any(|known| failed(known.status.as_deref()))
            || before.analysis_runs.iter().any(|known| bad(known.phase))
            || required_successful(&analyses, before);
        Self { world, experiment, before: before.clone(), templates, analyses, ending }
    }

    pub(super) fn name(&self) -> &'w str {
        self.experiment.metadata.name.as_deref().unwrap_or_default()
    }

    pub(super) fn namespace(&self) -> &'w str {
        self.experiment.metadata.namespace.as_deref().unwrap_or_default()
    }

    pub(super) fn key(&self, group: &str, version: &str, kind: &str, name: &str) -> ObjectKey {
        ObjectKey::new(group, version, kind, self.namespace(), name)
    }

    /// Name of the ReplicaSet of a template.
    pub(super) fn set_name(&self, template: &str) -> String {
        format!("{}-{template}", self.name())
    }

    pub(super) fn set_of(&self, template: &str) -> Option<&'w ReplicaSet> {
        self.world.replica_sets.iter().find(|set| !set.deleting && template_of(set) == Some(template))
    }

    pub(super) fn service_of(&self, template: &str) -> Option<&'w Service> {
        let mut services = self.world.services.iter().filter(|service| !service.deleting);
        services.find(|service| service.template.as_deref() == Some(template))
    }

    pub(super) fn run(&self, name: &str) -> Option<&'w AnalysisRun> {
        self.world.analysis_runs.iter().find(|run| run.name == name)
    }

    /// Pods that a template is to have now; those of a template that is not in the spec any more are not wanted.
    pub(super) fn wanted(&self, template: &str) -> i32 {
        let ended = || self.before.template(template).is_some_and(|known| ended(known.status.as_deref()));
        let known = self.templates.iter().find(|known| known.name == template);
        known.filter(|_| !self.ending && !ended()).map_or(0, |known| known.replicas())
    }

    /// Seconds that pods are kept when they are not wanted any more.
    pub(super) fn delay_seconds(&self) -> i64 {
        i64::from(self.experiment.spec.scale_down_delay_seconds.unwrap_or(SCALE_DOWN_DELAY_SECONDS))
    }

    /// When the time of the experiment is over, once it is known.
    pub(super) fn finishes_at(&self) -> Option<Timestamp> {
        let run_time = self.experiment.spec.run_time()?.ok()?;
        let available = self.before.available_at.as_ref()?.0;
        available.checked_add(SignedDuration::try_from(run_time).ok()?).ok()
    }

    /// Traffic of the Rollout that controls the experiment may still reach the pods of a template.
    pub(super) fn carries(&self, template: &str) -> bool {
        self.service_of(template).is_some_and(|service| self.world.carrying.contains(&service.name))
    }

    /// What the API server said when it refused to write the object.
    pub(super) fn refusal(&self, kind: &str, name: &str) -> Option<&'w crate::world::WriteRefusal> {
        self.world.refusals.iter().find(|refusal| refusal.kind == kind && refusal.names(name))
    }

    /// Marks an object as controlled by the Experiment.
    pub(super) fn owner_reference(&self) -> Value {
        json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Experiment",
            "name": self.name(),
            "uid": self.experiment.metadata.uid.clone().unwrap_or_default(),
            "controller": true,
            "blockOwnerDeletion": true,
        })
    }

    /// Annotations by which ReplicaSets and Services of a template are found.
    pub(super) fn annotations(&self, template: &str) -> Value {
        json!({label::EXPERIMENT_NAME: self.name(), label::EXPERIMENT_TEMPLATE: template})
    }
}

/// The template that a ReplicaSet was made for.
pub(super) fn template_of(set: &ReplicaSet) -> Option<&str> {
    set.annotations.get(label::EXPERIMENT_TEMPLATE).map(String::as_str)
}

/// Statuses of templates that end the experiment.
fn failed(status: Option<&str>) -> bool {
    matches!(status, Some("Failed" | "Error"))
}

/// Statuses of templates that do not change any more.
pub(super) fn ended(status: Option<&str>) -> bool {
    failed(status) || status == Some("Successful")
}

/// Phases of analyses that end the experiment.
fn bad(phase: AnalysisPhase) -> bool {
    phase.completed() && phase != AnalysisPhase::Successful
}

/// There are analyses that the experiment is to wait for, and all of them are successful.
pub(super) fn required_successful(analyses: &[&ExperimentAnalysis], status: &ExperimentStatus) -> bool {
    let mut required = analyses.iter().filter(|analysis| analysis.required_for_completion).peekable();
    let successful =
        |name: &str| status.analysis(name).is_some_and(|known| known.phase == AnalysisPhase::Successful);
    required.peek().is_some() && required.all(|analysis| successful(&analysis.name))
}
