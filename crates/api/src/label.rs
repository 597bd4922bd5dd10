//! Labels and annotations that clients, tools and running workloads know; none of them may change.

/// Label of ReplicaSets, pods, Service selectors, AnalysisRuns and Experiments: the hash of the pod template.
pub const POD_TEMPLATE_HASH: &str = "rollouts-pod-template-hash";
/// Label that hands an object to one of several controllers.
pub const INSTANCE_ID: &str = "argo-rollouts.argoproj.io/controller-instance-id";
/// Annotation of Services and DestinationRules: the Rollout that writes their hash.
pub const MANAGED_BY: &str = "argo-rollouts.argoproj.io/managed-by-rollouts";
/// Annotation of ReplicaSets: RFC 3339 moment from which the ReplicaSet may be scaled down.
pub const SCALE_DOWN_DEADLINE: &str = "scale-down-deadline";
/// Annotation of Rollouts, ReplicaSets, AnalysisRuns and Experiments: the revision as a decimal number.
pub const REVISION: &str = "rollout.argoproj.io/revision";
/// Annotation of ReplicaSets: numbers that the revision had before, separated by commas.
pub const REVISION_HISTORY: &str = "rollout.argoproj.io/revision-history";
/// Annotation of ReplicaSets: `spec.replicas` of the Rollout when it was last scaled.
pub const DESIRED_REPLICAS: &str = "rollout.argoproj.io/desired-replicas";
/// Annotation of Rollouts: generation of the workload that `workloadRef` names.
pub const WORKLOAD_GENERATION: &str = "rollout.argoproj.io/workload-generation";
/// Annotation of ReplicaSets: the ephemeral metadata that was injected, as JSON.
pub const EPHEMERAL_METADATA: &str = "rollout.argoproj.io/ephemeral-metadata";
/// Annotation of ReplicaSets: their living pods may not carry yet what was injected; its text is what they may still carry
/// from before. Serin's own.
pub const PODS_BEHIND: &str = "serin.dev/pods-behind";
/// Annotation of the workload of a `workloadRef`: how far it has given up its pods, as the uid of the Rollout, a slash, and
/// its size before or `done`. Serin's own.
pub const HANDOVER: &str = "serin.dev/handover";
/// Annotation of Rollouts: decide and tell, and write neither workload nor traffic; off when absent or `false`. Serin's own.
pub const DRY_RUN: &str = "serin.dev/dry-run";
/// Annotation of Rollouts: a deletion waits until routes are handed back to stable, and for so long at most; off when absent
/// or `false`. Serin's own.
pub const HAND_BACK: &str = "serin.dev/hand-back";
/// Label of ConfigMaps that hold or abort the updates of their namespace: `hold` or `abort`. Serin's own.
pub const BRAKE: &str = "serin.dev/brake";
/// Annotation of Rollouts: book-keeping of notifications.
pub const NOTIFIED: &str = "notified.notifications.argoproj.io";
/// Annotation that `kubectl apply` writes.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Label of AnalysisRuns: `Step`, `Background`, `PrePromotion` or `PostPromotion`.
pub const ROLLOUT_TYPE: &str = "rollout-type";
/// Label of AnalysisRuns of a step: index of the step, from 0.
pub const STEP_INDEX: &str = "step-index";
/// Annotation of ReplicaSets and Services of an Experiment: its name.
pub const EXPERIMENT_NAME: &str = "experiment.argoproj.io/name";
/// Annotation of ReplicaSets and Services of an Experiment: the name of their template in it.
pub const EXPERIMENT_TEMPLATE: &str = "experiment.argoproj.io/template-name";
