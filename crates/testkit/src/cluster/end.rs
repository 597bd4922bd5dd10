//! Judges where a simulation came to rest: Healthy, paused, or degraded for a reason, with nothing left over.

use serin_api::RolloutStatus;

use super::Cluster;
use super::pod::image;
use super::truth::{Asked, Side};
use crate::digest::gates;
use crate::scene::{CANARY_SERVICE, STABLE_SERVICE};

/// What is wrong with the rest that was found.
pub(super) fn problems(cluster: &Cluster, status: &RolloutStatus) -> Vec<String> {
    let mut problems = Vec::new();
    let phase = status.phase.as_deref().unwrap_or_default();
    let message = status.message.as_deref().unwrap_or_default();
    let mut complain = |text: String| problems.push(format!("it rests as {phase} ({message}): {text}"));
    match phase {
        "Healthy" => healthy(cluster, status, &mut complain),
        "Paused" => {}
        "Degraded" if message.starts_with("RolloutAborted") => aborted(cluster, status, &mut complain),
        "Degraded" if message.starts_with("ProgressDeadlineExceeded") && some_break(cluster) => {}
        _ => complain(format!("this is no end; it waits for {}", gates(status))),
    }
    if phase != "Healthy" && status.gates.is_none() {
        complain("no gate says why".to_owned());
    }
    problems
}

fn some_break(cluster: &Cluster) -> bool {
    !cluster.truth.broken.is_empty()
}

fn healthy(cluster: &Cluster, status: &RolloutStatus, complain: &mut impl FnMut(String)) {
    let stable = status.stable_rs.clone().unwrap_or_default();
    let replicas = cluster.truth.limits().replicas;
    let capable = cluster.capable(Some(&stable));
    if status.current_pod_hash != stable || capable < replicas {
        complain(format!(
            "{capable} of {replicas} pods of {stable} are available, current is {}",
            status.current_pod_hash
        ));
    }
    let asked = cluster.truth.world.rollout.spec.restart_at.clone();
    if asked.is_some() && asked != status.restarted_at {
        complain(format!("the restart of {asked:?} is not complete: {:?}", status.restarted_at));
    }
    carry_their_role(cluster, &stable, complain);
    only(cluster, &stable, complain);
    carried_by(cluster, &stable, complain);
    if let Some(preview) = cluster.truth.preview_service() {
        selects(cluster, preview, &stable, complain);
    }
}

/// Pods carry the labels of their template, and the role that the Rollout names for stable.
fn carry_their_role(cluster: &Cluster, stable: &str, complain: &mut impl FnMut(String)) {
    let canary =
        cluster.truth.world.rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
    let metadata = canary.and_then(|canary| canary.stable_metadata.as_ref());
    let role = metadata.and_then(|metadata| metadata.labels.as_ref()).and_then(|labels| labels.get("role"));
    for set in &cluster.truth.world.replica_sets {
        let wanted = cluster.labels_of_template(&set.uid);
        let pods = cluster.truth.pods.get(&set.uid).into_iter().flatten();
        for pod in pods.filter(|pod| pod.labels != wanted) {
            complain(format!(
                "pod {} of {} carries {:?} instead of {wanted:?}",
                pod.number, set.name, pod.labels
            ));
        }
        if set.hash == stable && wanted.get("role") != role {
            complain(format!("{} has the role {:?} instead of {role:?}", set.name, wanted.get("role")));
        }
    }
}

/// No other revision has pods.
fn only(cluster: &Cluster, hash: &str, complain: &mut impl FnMut(String)) {
    for set in &cluster.truth.world.replica_sets {
        if set.hash != hash && set.pods.spec > 0 {
            complain(format!("{} ({}) still has {} pods", set.name, image(&set.template), set.pods.spec));
        }
    }
}

/// All traffic reaches this revision.
fn carried_by(cluster: &Cluster, hash: &str, complain: &mut impl FnMut(String)) {
    for flow in cluster.flows() {
        if flow.weight > 0 && flow.hash.as_deref().is_some_and(|reached| reached != hash) {
            complain(format!("{} sends {} to {:?} instead of {hash}", flow.name, flow.weight, flow.hash));
        }
    }
    let stable = Side::of_canary(Some(&cluster.truth.world.rollout)).other();
    if cluster.truth.flowing.iter().any(|asked| *asked != Asked::all(stable)) {
        complain(format!("the canary has {:?}", cluster.truth.flowing));
    }
    // The preview Service of blue-green stays with the revision that was taken back.
    let services = match cluster.truth.active_service() {
        Some(active) => vec![active],
        None => vec![CANARY_SERVICE, STABLE_SERVICE],
    };
    services.into_iter().for_each(|name| selects(cluster, name, hash, complain));
}

/// A Service that selects a revision selects this one.
fn selects(cluster: &Cluster, name: &str, hash: &str, complain: &mut impl FnMut(String)) {
    let service = cluster.truth.world.services.get(name).and_then(|seen| seen.fresh());
    let selected = service.and_then(|service| service.hash.as_deref());
    if selected.is_some_and(|selected| selected != hash) {
        complain(format!("Service {name} selects {selected:?} instead of {hash}"));
    }
}

fn aborted(cluster: &Cluster, status: &RolloutStatus, complain: &mut impl FnMut(String)) {
    let stable = status.stable_rs.clone().unwrap_or_default();
    // With a stable revision that never becomes ready, the pods of others are all there is.
    if some_break(cluster) {
        return;
    }
    if !cluster.truth.keeps_aborted() {
        only(cluster, &stable, complain);
    }
    carried_by(cluster, &stable, complain);
}
