//! Says what one decision is made from: everything observed of one Rollout at one moment.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serin_api::{AnalysisPhase, AnalysisTemplateSpec, Rollout};

use crate::brake::Brake;
use crate::extension::Extensions;
use crate::load_balancer::LoadBalancers;
use crate::orphan::Orphan;
use crate::pod::Pod;
use crate::replica::Pods;
use crate::seen::Seen;
use crate::split::Effective;
use crate::workload;

mod read;

/// Everything that `plan` may look at. Built by the shell, written to a file by `kubectl serin replay`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct World {
    /// The only clock.
    pub now: Timestamp,
    /// The Rollout as the API server has it.
    pub rollout: Rollout,
    /// ReplicaSets that the Rollout controls.
    pub replica_sets: Vec<ReplicaSet>,
    /// The Services that the Rollout names, by name.
    pub services: BTreeMap<String, Seen<Service>>,
    /// The routers of the Rollout in their fixed order; empty when traffic follows pods.
    pub routers: Vec<RouterReport>,
    /// The analysis templates that the Rollout names.
    pub templates: Vec<Template>,
    /// AnalysisRuns that the Rollout controls.
    pub analysis_runs: Vec<AnalysisRun>,
    /// Experiments that the Rollout controls.
    #[serde(default)]
    pub experiments: Vec<Experiment>,
    /// Writes of the last plan that the API server refused, for conditions.
    pub refusals: Vec<WriteRefusal>,
    /// Pods by the uid of their ReplicaSet, for those that [`crate::pod::needed`] names.
    #[serde(default)]
    pub pods: BTreeMap<String, Seen<Vec<Pod>>>,
    /// Brakes of the namespace, whether they are for this Rollout or not.
    #[serde(default)]
    pub brakes: Vec<Brake>,
    /// What `spec.workloadRef` names.
    #[serde(default)]
    pub workload: Option<workload::Reference>,
    /// What is known of extensions.
    #[serde(default)]
    pub extensions: Extensions,
    /// ReplicaSets of the namespace with the hash label that nobody controls.
    #[serde(default)]
    pub orphans: Vec<Orphan>,
    /// What AWS says of the load balancers behind the ALB router; `None` where it is not asked.
    #[serde(default)]
    pub load_balancers: Option<LoadBalancers>,
    /// Objects that the Rollout named for its traffic before, and names no more, are not handed back yet.
    #[serde(default)]
    pub leaving: bool,
}

/// One ReplicaSet of the Rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaSet {
    /// Object name.
    pub name: String,
    /// Object uid: the precondition of every write.
    pub uid: String,
    /// Value of the label `rollouts-pod-template-hash`.
    pub hash: String,
    /// When the API server created it.
    pub created: Timestamp,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its pod template as the API server has it, defaults applied.
    pub template: Value,
    /// Size and readiness.
    pub pods: Pods,
    /// Pods that pass their readiness probe.
    pub ready: i32,
    /// `spec.minReadySeconds`.
    pub min_ready_seconds: i32,
    /// Condition ReplicaFailure, when True: reason and message.
    pub failure: Option<(String, String)>,
    /// Being deleted.
    pub deleting: bool,
    /// Its controller has seen its spec as it is now.
    #[serde(default)]
    pub observed: bool,
}

impl ReplicaSet {
    /// The revision number in its annotation, 0 when absent or not a number.
    pub fn revision(&self) -> i64 {
        self.annotations.get(serin_api::label::REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// The moment after which it may be scaled down, when one was set.
    pub fn scale_down_deadline(&self) -> Option<Timestamp> {
        self.annotations.get(serin_api::label::SCALE_DOWN_DEADLINE)?.parse().ok()
    }

    /// All pods asked for are available, and there is at least one.
    pub fn fully_available(&self) -> bool {
        self.pods.spec > 0 && self.pods.available > 0 && self.pods.available >= self.pods.spec
    }
}

/// One Service that the Rollout names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Value of `spec.selector["rollouts-pod-template-hash"]`.
    pub hash: Option<String>,
    /// The Rollout in its managed-by annotation.
    pub managed_by: Option<String>,
    /// The whole selector.
    pub selector: BTreeMap<String, String>,
}

/// What one router reports of the split in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouterReport {
    /// Its name for people, for example `HTTPRoute shop/web`.
    pub name: String,
    /// The split in force as far as it can tell.
    pub effective: Effective,
    /// Why it cannot do its work, when it cannot: a missing object or an unusable one.
    pub refusal: Option<RouterRefusal>,
    /// Longest time in seconds until its data plane follows an applied change that nobody confirms.
    pub propagation_seconds: i64,
    /// Whether its data plane confirms changes (object status), so that nothing need be waited for.
    pub confirms: bool,
    /// Names of the managed routes that it adds when steps ask for them.
    #[serde(default)]
    pub managed: Vec<String>,
}

/// Why a router cannot do its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouterRefusal {
    /// In the words of the condition `InvalidSpec` that clients of Argo Rollouts know.
    pub said: String,
    /// For people, with the remedy.
    pub told: String,
    /// An object that the spec names is not there, or the spec names none.
    pub missing: bool,
}

impl From<&serin_api::Problem> for RouterRefusal {
    /// A router that cannot be made of the spec.
    fn from(problem: &serin_api::Problem) -> Self {
        Self { said: problem.condition_text(), told: problem.to_string(), missing: true }
    }
}

/// One analysis template that the Rollout names.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// Object name.
    pub name: String,
    /// ClusterAnalysisTemplate instead of AnalysisTemplate.
    pub cluster_scope: bool,
    /// Its spec.
    pub spec: Seen<AnalysisTemplateSpec>,
}

/// One AnalysisRun of the Rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisRun {
    /// Object name.
    pub name: String,
    /// Object uid.
    pub uid: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// When the API server created it.
    pub created: Timestamp,
    /// `spec.terminate`.
    pub terminating: bool,
    /// `status.phase`.
    pub phase: AnalysisPhase,
    /// `status.message`; of a running run it says why the run holds, and is empty while it measures.
    pub message: String,
    /// Requests to the canary that its comparisons have counted so far; `None` without any.
    #[serde(default)]
    pub served: Option<i64>,
    /// When it ends inconclusive for want of data, while it has none (`noDataTimeout`).
    #[serde(default)]
    pub gives_up: Option<Timestamp>,
}

impl AnalysisRun {
    /// Why a running run cannot measure at the moment: unknown is neither good nor bad.
    pub fn holding(&self) -> Option<&str> {
        let holds = self.phase == AnalysisPhase::Running && !self.terminating && !self.message.is_empty();
        holds.then_some(self.message.as_str())
    }

    /// It will not change any more.
    pub fn completed(&self) -> bool {
        !matches!(self.phase, AnalysisPhase::Unset | AnalysisPhase::Pending | AnalysisPhase::Running)
    }
}

/// One Experiment of the Rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Experiment {
    /// Object name.
    pub name: String,
    /// Object uid.
    pub uid: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// When the API server created it.
    pub created: Timestamp,
    /// `spec.terminate`.
    pub terminating: bool,
    /// Being deleted.
    pub deleting: bool,
    /// `status.phase`.
    pub phase: AnalysisPhase,
    /// `status.message`.
    pub message: String,
    /// An analysis of it has not come to an end.
    pub unmeasured: bool,
    /// Until when it has its next moment, as its own gates say: its time is over, or a template is late.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// Its templates as it reports them.
    pub templates: Vec<Trial>,
}

/// One template of an Experiment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trial {
    /// Its name.
    pub name: String,
    /// All of its pods are available.
    pub running: bool,
    /// The Service that selects its pods, once there is one.
    pub service: Option<String>,
    /// Their pod template hash, once there is a Service.
    pub hash: Option<String>,
    /// Pods that it has.
    pub pods: i32,
}

/// A write that the API server refused for a reason that repeating does not cure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WriteRefusal {
    /// Its kind, for example `ReplicaSet`.
    #[serde(default)]
    pub kind: String,
    /// The object, for people.
    pub object: String,
    /// What the API server said.
    pub message: String,
    /// The object was to be created, and another one has its name, which the Rollout does not control.
    #[serde(default)]
    pub name_taken: bool,
}

impl WriteRefusal {
    /// Whether the object that was to be written has this name.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.object == name || self.object.ends_with(&format!("/{name}"))
    }
}
