//! Translates the parts of a Rollout: its ReplicaSets, their pods, and its AnalysisRuns.
#![allow(missing_docs, reason = "the fields are those of the Argo dashboard API")]

use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetCondition};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use serde::Serialize;
use serin_api::{
    AnalysisPhase, AnalysisRun, AnalysisRunSpec, AnalysisRunStatus, Measurement, Metric, Rollout, label,
};
use serin_view::object::{hash_of, revision};
use serin_view::pod;
use serin_view::template;

use super::{Meta, strategy};

/// Key of a measurement's metadata that names the Job that measured.
const JOB_NAME: &str = "job-name";

/// One ReplicaSet.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaSetInfo {
    pub object_meta: Meta,
    pub status: &'static str,
    pub icon: &'static str,
    pub revision: i64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stable: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub canary: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub active: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub preview: bool,
    pub replicas: i32,
    pub available: i32,
    pub template: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scale_down_deadline: String,
    pub images: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<PodInfo>,
}

/// One pod.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodInfo {
    pub object_meta: Meta,
    pub status: String,
    pub icon: &'static str,
    /// `1/2`: ready containers of all.
    pub ready: String,
    pub restarts: i32,
    /// Why it is not ready, in the words of its node. Serin's own field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// One AnalysisRun.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisRunInfo {
    pub object_meta: Meta,
    pub icon: &'static str,
    pub revision: i64,
    pub status: String,
    pub successful: i32,
    pub failed: i32,
    pub inconclusive: i32,
    pub error: i32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<JobInfo>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub non_job_info: Vec<MeasurementInfo>,
    pub metrics: Vec<MetricInfo>,
    pub spec_and_status: SpecAndStatus,
}

/// A measurement that a Job made.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobInfo {
    pub object_meta: Meta,
    pub status: String,
    pub icon: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    pub metric_name: String,
}

/// Any other measurement.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MeasurementInfo {
    pub value: String,
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    pub metric_name: String,
}

/// What a metric is held against.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricInfo {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub success_condition: String,
    pub count: i32,
    pub inconclusive_limit: i32,
    pub failure_limit: i32,
}

/// The whole AnalysisRun, for charts.
#[derive(Clone, Debug, Serialize)]
pub struct SpecAndStatus {
    pub spec: AnalysisRunSpec,
    pub status: AnalysisRunStatus,
}

/// Icon of an analysis phase, the one that all clients show.
fn icon(phase: AnalysisPhase) -> &'static str {
    match phase {
        AnalysisPhase::Unset | AnalysisPhase::Pending | AnalysisPhase::Running => "◌",
        AnalysisPhase::Successful => "✔",
        AnalysisPhase::Failed => "✖",
        AnalysisPhase::Error => "⚠",
        AnalysisPhase::Inconclusive => "?",
    }
}

/// Tells of one ReplicaSet with its pods.
pub(super) fn replica_set(rollout: &Rollout, set: &ReplicaSet, pods: &[&Pod]) -> ReplicaSetInfo {
    let (status, icon) = condition(set);
    let template = serde_json::to_value(set.spec.as_ref().and_then(|spec| spec.template.clone()));
    let template = template.unwrap_or_default();
    let images =
        template::containers(&template).into_iter().map(|container| container.text("image").to_owned());
    let deadline = set.annotations().get(label::SCALE_DOWN_DEADLINE).filter(|_| desired(set) > 0);
    let info = ReplicaSetInfo {
        object_meta: Meta::of(&set.metadata),
        status,
        icon,
        revision: revision(set).unwrap_or_default(),
        replicas: set.status.as_ref().map(|status| status.replicas).unwrap_or_default(),
        available: available(set),
        template: hash_of(set).unwrap_or_default().to_owned(),
        scale_down_deadline: deadline.cloned().unwrap_or_default(),
        images: images.collect(),
        pods: pods.iter().map(|pod| one_pod(pod)).collect(),
        ..ReplicaSetInfo::default()
    };
    with_roles(info, rollout)
}

fn with_roles(info: ReplicaSetInfo, rollout: &Rollout) -> ReplicaSetInfo {
    let Some(status) = rollout.status.as_ref().filter(|_| !info.template.is_empty()) else { return info };
    let hash = &info.template;
    let stable = status.stable_rs.as_ref() == Some(hash);
    if strategy(rollout) == "BlueGreen" {
        let active = status.blue_green.active_selector == *hash;
        let preview = !stable && status.blue_green.preview_selector == *hash;
        return ReplicaSetInfo { stable, active, preview, ..info };
    }
    let canary = !stable && status.current_pod_hash == *hash;
    ReplicaSetInfo { stable, canary, ..info }
}

fn desired(set: &ReplicaSet) -> i32 {
    set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
}

fn available(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0)
}

fn condition(set: &ReplicaSet) -> (&'static str, &'static str) {
    let status = set.status.clone().unwrap_or_default();
    let failing =
        |condition: &ReplicaSetCondition| condition.type_ == "ReplicaFailure" && condition.status == "True";
    if status.conditions.iter().flatten().any(failing) {
        return ("ReplicaFailure", "✖");
    }
    let desired = desired(set);
    let unseen = set.metadata.generation > status.observed_generation || status.replicas != desired;
    match (unseen, desired) {
        (true, _) => ("Progressing", "◌"),
        (false, 0) => ("ScaledDown", "•"),
        (false, desired) if available(set) < desired => ("Progressing", "◌"),
        (false, _) => ("Healthy", "✔"),
    }
}

fn one_pod(pod: &Pod) -> PodInfo {
    let (ready, all) = pod::readiness(pod);
    PodInfo {
        object_meta: Meta {
            labels: Default::default(),
            annotations: Default::default(),
            ..Meta::of(&pod.metadata)
        },
        status: pod::word(pod),
        icon: pod::icon(pod),
        ready: format!("{ready}/{all}"),
        restarts: pod::restarts(pod),
        trouble: pod::trouble(pod),
    }
}

/// Tells of one AnalysisRun.
pub(super) fn analysis_run(run: &AnalysisRun) -> AnalysisRunInfo {
    let status = run.status.clone().unwrap_or_default();
    let count = |of: fn(&serin_api::MetricResult) -> i32| status.metric_results.iter().map(of).sum();
    let measured = status
        .metric_results
        .iter()
        .flat_map(|result| result.measurements.iter().map(|measurement| (result.name.clone(), measurement)));
    let (by_job, others): (Vec<_>, Vec<_>) =
        measured.partition(|(_, measurement)| measurement.metadata.contains_key(JOB_NAME));
    AnalysisRunInfo {
        object_meta: Meta::of(&run.metadata),
        icon: icon(status.phase),
        revision: revision(run).unwrap_or_default(),
        status: status.phase.to_string(),
        successful: count(|result| result.successful),
        failed: count(|result| result.failed),
        inconclusive: count(|result| result.inconclusive),
        error: count(|result| result.error),
        jobs: by_job.into_iter().map(|(metric, measurement)| job(metric, measurement)).collect(),
        non_job_info: others
            .into_iter()
            .map(|(metric, measurement)| one_measurement(metric, measurement))
            .collect(),
        metrics: run.spec.metrics.iter().flatten().map(metric).collect(),
        spec_and_status: SpecAndStatus { spec: run.spec.clone(), status },
    }
}

fn job(metric_name: String, measurement: &Measurement) -> JobInfo {
    let name = measurement.metadata.get(JOB_NAME).cloned().unwrap_or_default();
    JobInfo {
        object_meta: Meta { name, creation_timestamp: measurement.started_at.clone(), ..Meta::default() },
        status: measurement.phase.to_string(),
        icon: icon(measurement.phase),
        started_at: measurement.started_at.clone(),
        metric_name,
    }
}

fn one_measurement(metric_name: String, measurement: &Measurement) -> MeasurementInfo {
    MeasurementInfo {
        value: measurement.value.clone(),
        status: measurement.phase.to_string(),
        started_at: measurement.started_at.clone(),
        metric_name,
    }
}

fn metric(metric: &Metric) -> MetricInfo {
    let number = |value: &Option<IntOrString>| match value {
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(text)) => text.parse().unwrap_or_default(),
        None => 0,
    };
    MetricInfo {
        name: metric.name.clone(),
        success_condition: metric.success_condition.clone().unwrap_or_default(),
        count: number(&metric.count),
        inconclusive_limit: number(&metric.inconclusive_limit),
        failure_limit: number(&metric.failure_limit),
    }
}
